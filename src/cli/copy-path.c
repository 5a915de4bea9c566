/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/copy-path.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

/* Whether PATH ends with "." as a component: the content of a directory. */
static bool is_content(const char *path)
{
	return str_eq(path, ".") || str_ends(path, "/.");
}

static bool asks_for_directory(const char *path)
{
	return str_ends(path, "/") || is_content(path);
}

const char *copy_path_clean(struct arena *a, const char *base, const char *path)
{
	const char *whole = *path == '/' ? path : arena_printf(a, "%s/%s", base, path);
	const char *clean = whole ? str_path_clean(a, whole) : NULL;

	if (!clean)
		return NULL;
	if (is_content(path))
		return arena_printf(a, "%s/.", str_eq(clean, "/") ? "" : clean);
	if (str_ends(path, "/") && !str_eq(clean, "/"))
		return arena_printf(a, "%s/", clean);
	return clean;
}

/* The directory (with its slash) and the last component of PATH: archive.SplitPathDirEntry. */
static int split(struct arena *a, const char *path, const char **ret_dir, const char **ret_base)
{
	char *clean = str_path_clean(a, path);
	const char *slash;

	if (clean && is_content(path) && !is_content(clean))
		clean = arena_printf(a, "%s/.", str_eq(clean, "/") ? "" : clean);
	slash = clean ? strrchr(clean, '/') : NULL;
	if (!slash)
		return -ENOMEM;
	*ret_base = slash + 1;
	*ret_dir = arena_strndup(a, clean, (size_t)(slash - clean) + 1);
	return *ret_dir ? 0 : -ENOMEM;
}

void copy_source_done(struct copy_source *s)
{
	fd_close(&s->fd);
}

int copy_source_find(struct arena *a, int root, const char *path, bool follow,
		     struct copy_source *ret)
{
	_cleanup_(fd_close) int fd = path_open(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
	const char *dir, *base;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (asks_for_directory(path) && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	r = split(a, path, &dir, &base);
	if (r < 0)
		return r;
	*ret = (struct copy_source){.fd = TAKE_FD(fd), .st = st, .name = *base ? base : "."};
	return 0;
}

int copy_target_find(struct arena *a, int root, const char *path, struct copy_target *ret)
{
	const char *dir, *base;
	char text[PATH_MAX];

	*ret = (struct copy_target){.path = path};
	for (int i = 0; i < LINKS_MAX; i++) {
		_cleanup_(fd_close) int fd = path_open(root, ret->path, O_PATH | O_NOFOLLOW, 0);
		ssize_t n;

		if (fd == -ENOENT)
			return 0;
		if (fd < 0 || fstat(fd, &ret->st) < 0)
			return fd < 0 ? fd : -errno;
		if (!S_ISLNK(ret->st.st_mode)) {
			ret->exists = true;
			ret->is_dir = S_ISDIR(ret->st.st_mode);
			return 0;
		}
		n = readlinkat(fd, "", text, sizeof(text) - 1);
		if (n < 0 || split(a, ret->path, &dir, &base) < 0)
			return n < 0 ? -errno : -ENOMEM;
		text[n] = '\0';
		ret->path =
			*text == '/' ? arena_strdup(a, text) : arena_printf(a, "%s%s", dir, text);
		if (!ret->path)
			return -ENOMEM;
	}
	return -ELOOP;
}

int copy_prepare(struct arena *a, const struct copy_source *src, const struct copy_target *target,
		 const char **ret_dir, const char **ret_name, struct err *e)
{
	const char *dir, *base;

	if (target->exists && target->is_dir) {
		*ret_dir = target->path;
		*ret_name = src->name;
		return 0;
	}
	if (target->exists && S_ISDIR(src->st.st_mode))
		return err_set(e, ERR_INVALID, 0, "cannot copy directory");
	if (!target->exists && !S_ISDIR(src->st.st_mode) && asks_for_directory(target->path))
		return err_set(e, ERR_INVALID, 0, "no such directory");
	if (split(a, target->path, &dir, &base) < 0)
		return err_errno(e, ENOMEM, "copying");
	*ret_dir = dir;
	*ret_name = base;
	return 0;
}
