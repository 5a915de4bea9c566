/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output-file.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Where PATH was made, so that it can be removed: without it it stays. */
static void remember(struct output_file *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *dir = !slash          ? strdup(".")
				     : slash == path ? strdup("/")
						     : strndup(path, (size_t)(slash - path));

	f->dir = dir ? path_open_host(dir, O_PATH | O_DIRECTORY, 0) : -1;
	f->name = f->dir < 0 ? NULL : strdup(slash ? slash + 1 : path);
}

int output_file_open(struct output_file *f, const char *path, struct err *e)
{
	f->fd = path_open_host(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (f->fd >= 0) {
		remember(f, path);
		return 0;
	}
	if (f->fd == -EEXIST)
		f->fd = path_open_host(path, O_WRONLY | O_TRUNC, 0);
	return f->fd < 0 ? err_errno(e, f->fd, "opening '%s'", path) : 0;
}

void output_file_keep(struct output_file *f)
{
	free(f->name);
	f->name = NULL;
}

void output_file_done(struct output_file *f)
{
	if (f->name)
		path_remove_tree(f->dir, f->name);
	free(f->name);
	fd_close(&f->dir);
	fd_close(&f->fd);
}
