/* SPDX-License-Identifier: Apache-2.0 */
/* A layout in a directory that somebody else may have made: no link is followed, nothing but
 * regular files is read, and a FIFO in the place of a blob does not make us wait (U24). */
#include "image/tree-internal.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { COPY_SIZE = 256 * 1024 };

struct directory {
	struct image_tree tree;
	struct arena arena;
	int dir; /* borrowed */
};

static void directory_done(struct directory *d)
{
	arena_done(&d->arena);
}

/* Opens a regular file: a descriptor in *RET and 1, or 0 where there is none. */
static int open_file(struct directory *d, const char *path, int *ret, struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open_own(d->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -ENOENT)
		return 0;
	if (fd == -ELOOP || fd == -EXDEV || fd == -ENXIO)
		return err_set(e, ERR_HOSTILE, -fd, "opening '%s' in the layout", path);
	if (fd < 0)
		return err_errno(e, fd, "opening '%s' in the layout", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "opening '%s' in the layout", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_HOSTILE, 0, "'%s' in the layout is no regular file", path);
	*ret = TAKE_FD(fd);
	return 1;
}

static int copy_blob(struct directory *d, int fd, struct content_writer *w, struct tree_file *f,
		     struct err *e)
{
	_cleanup_(freep) char *data = malloc(COPY_SIZE);
	bool first = true;
	ssize_t n;

	if (!data)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	while ((n = fd_read_full(fd, data, COPY_SIZE)) > 0) {
		if (first)
			f->compression = media_compression_of_magic(data, (size_t)n);
		first = false;
		if (d->tree.sink->ops->write(w, data, (size_t)n, e) < 0)
			return -1;
	}
	return n < 0 ? err_errno(e, (int)n, "reading the layout") : 0;
}

static int directory_find(struct image_tree *t, const char *path, struct tree_file *ret,
			  struct err *e)
{
	struct directory *d = (struct directory *)t;
	const struct content_sink_ops *ops = t->sink->ops;
	_cleanup_(fd_close) int fd = -1;
	struct content_writer *w;
	struct tree_file f = {.compression = MEDIA_PLAIN};
	int r = open_file(d, path, &fd, e);

	if (r <= 0)
		return r;
	w = ops->begin(t->sink, -1, e);
	if (!w)
		return -1;
	if (copy_blob(d, fd, w, &f, e) < 0) {
		ops->abort(w);
		return -1;
	}
	if (ops->commit(w, NULL, &f.digest, &f.size, e) < 0)
		return -1;
	*ret = f;
	return 1;
}

static int directory_document(struct image_tree *t, const char *path, const char **ret,
			      size_t *ret_n, struct err *e)
{
	struct directory *d = (struct directory *)t;
	_cleanup_(buf_done) struct buf b = BUF_INIT(ARCHIVE_DOCUMENT_MAX + 1);
	_cleanup_(fd_close) int fd = -1;
	int r = open_file(d, path, &fd, e);

	if (r <= 0)
		return r;
	r = fd_read_all(fd, &b, ARCHIVE_DOCUMENT_MAX);
	if (r == -EFBIG)
		return err_set(e, ERR_LIMIT, 0, "%s is larger than %zu bytes", path,
			       ARCHIVE_DOCUMENT_MAX);
	if (r < 0)
		return err_errno(e, r, "reading '%s'", path);
	*ret = arena_strndup(&d->arena, buf_str(&b), b.len);
	*ret_n = b.len;
	return *ret ? 1 : err_set(e, ERR_LIMIT, 0, "out of memory");
}

int layout_read(int dir, struct content_sink *sink, const struct platform *want,
		struct image_set *ret, struct err *e)
{
	_cleanup_(directory_done) struct directory d = {
		.tree = {.find = directory_find, .document = directory_document, .sink = sink},
		.dir = dir};

	return tree_resolve(&d.tree, want, ret, e);
}
