/* SPDX-License-Identifier: Apache-2.0 */
/* A directory's names are read when it is entered, so that only one descriptor is open at a time;
 * the way back up is "..", checked by device and inode. */
#include "store/tree.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TREE_PATH_MAX ((size_t)4 << 20)

struct tree_frame {
	char **names;
	size_t n, next, cap;
	dev_t dev;
	ino_t ino;
	size_t path_len; /* of the directory's own path */
};

struct tree_state {
	struct tree_frame *frames;
	size_t n, cap;
	int dir; /* the open directory: of the last frame */
	struct buf path;
	const struct tree_ops *ops;
	void *arg;
};

static void tree_frame_done(struct tree_frame *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
	*f = (struct tree_frame){.names = NULL};
}

static void tree_state_done(struct tree_state *s)
{
	for (size_t i = 0; i < s->n; i++)
		tree_frame_done(&s->frames[i]);
	free(s->frames);
	fd_close(&s->dir);
	buf_done(&s->path);
}

static int tree_frame_add(struct tree_frame *f, const char *name)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 16;
		char **names = reallocarray(f->names, cap, sizeof(*names));

		if (!names)
			return -ENOMEM;
		f->names = names;
		f->cap = cap;
	}
	f->names[f->n] = strdup(name);
	if (!f->names[f->n])
		return -ENOMEM;
	f->n++;
	return 0;
}

static int tree_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the names of DIR (borrowed). */
static int tree_frame_read(struct tree_frame *f, int dir, bool sorted)
{
	int fd = path_open_own(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!d) {
		r = fd < 0 ? fd : -errno;
		fd_close(&fd);
		return r;
	}
	errno = 0;
	while (r == 0 && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = tree_frame_add(f, entry->d_name);
		errno = 0;
	}
	if (r == 0 && errno != 0)
		r = -errno;
	closedir(d);
	if (sorted && f->n > 1)
		qsort(f->names, f->n, sizeof(*f->names), tree_compare);
	return r;
}

static int tree_push(struct tree_state *s, const struct stat *st)
{
	struct tree_frame *f;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;

		f = reallocarray(s->frames, cap, sizeof(*f));
		if (!f)
			return -ENOMEM;
		s->frames = f;
		s->cap = cap;
	}
	f = &s->frames[s->n];
	*f = (struct tree_frame){.dev = st->st_dev, .ino = st->st_ino, .path_len = s->path.len};
	s->n++;
	return tree_frame_read(f, s->dir, s->ops->sorted);
}

/* Where something else has taken the directory's place meanwhile it is not entered. */
static int tree_enter(struct tree_state *s, const struct tree_entry *t)
{
	int fd = path_open_own(s->dir, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct stat st;

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return fd;
	fd_close(&s->dir);
	s->dir = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return tree_push(s, &st);
}

static void tree_cut(struct tree_state *s, size_t len)
{
	s->path.len = len;
	if (s->path.data)
		s->path.data[len] = '\0';
}

static int tree_up(struct tree_state *s)
{
	struct tree_frame *parent;
	struct stat st;
	int fd;

	tree_frame_done(&s->frames[--s->n]);
	if (s->n == 0)
		return 0;
	parent = &s->frames[s->n - 1];
	tree_cut(s, parent->path_len);
	fd = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	fd_close(&s->dir);
	s->dir = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_dev == parent->dev && st.st_ino == parent->ino ? 0 : -ESTALE;
}

static int tree_set_path(struct tree_state *s, size_t base, const char *name)
{
	int r;

	tree_cut(s, base);
	r = base ? buf_putc(&s->path, '/') : 0;
	return r < 0 ? r : buf_puts(&s->path, name);
}

/* One name of the last frame. Returns as tree_ops.entry. */
static int tree_step(struct tree_state *s, const char *name, struct err *e)
{
	struct tree_entry t = {.dir = s->dir, .name = name};
	int r = tree_set_path(s, s->frames[s->n - 1].path_len, name);

	t.path = buf_str(&s->path);
	if (r == 0 && fstatat(s->dir, name, &t.st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == -ENOENT)
		return TREE_GO; /* removed meanwhile */
	if (r < 0)
		return err_errno(e, r, "reading '%s'", t.path);
	r = s->ops->entry(s->arg, &t, e);
	if (r == TREE_GO && S_ISDIR(t.st.st_mode)) {
		r = tree_enter(s, &t);
		if (r < 0)
			return err_errno(e, r, "entering '%s'", buf_str(&s->path));
	}
	return r == TREE_SKIP ? TREE_GO : r;
}

int tree_walk(int root, const struct tree_ops *ops, void *arg, struct err *e)
{
	_cleanup_(tree_state_done) struct tree_state s = {
		.dir = path_open_own(root, ".", O_RDONLY | O_DIRECTORY, 0),
		.path = BUF_INIT(TREE_PATH_MAX),
		.ops = ops,
		.arg = arg,
	};
	struct stat st;
	int r = s.dir < 0 ? s.dir : fstat(s.dir, &st) < 0 ? -errno : tree_push(&s, &st);

	if (r < 0)
		return err_errno(e, r, "reading a directory of the store");
	while (s.n > 0) {
		struct tree_frame *f = &s.frames[s.n - 1];

		if (f->next < f->n) {
			r = tree_step(&s, f->names[f->next++], e);
			if (r < 0 || r == TREE_STOP)
				return r < 0 ? -1 : 0;
			continue;
		}
		if (ops->leave && ops->leave(arg, s.dir, e) < 0)
			return -1;
		r = tree_up(&s);
		if (r < 0)
			return err_errno(e, r, "leaving '%s'", buf_str(&s.path));
	}
	return 0;
}

void tree_inodes_done(struct tree_inodes *s)
{
	for (size_t i = 0; s->paths && i < s->cap; i++)
		free(s->paths[i]);
	free(s->slots);
	free(s->paths);
	*s = (struct tree_inodes){.slots = NULL};
}

static size_t tree_inodes_slot(const struct tree_inodes *s, uint64_t ino)
{
	size_t i = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (s->cap - 1);

	while (s->slots[i] != 0 && s->slots[i] != ino)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int tree_inodes_grow(struct tree_inodes *s)
{
	struct tree_inodes bigger = {.cap = s->cap ? 2 * s->cap : 64, .n = s->n};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	bigger.paths = calloc(bigger.cap, sizeof(*bigger.paths));
	if (!bigger.slots || !bigger.paths) {
		tree_inodes_done(&bigger);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->cap; i++) {
		size_t to;

		if (s->slots[i] == 0)
			continue;
		to = tree_inodes_slot(&bigger, s->slots[i]);
		bigger.slots[to] = s->slots[i];
		bigger.paths[to] = TAKE_PTR(s->paths[i]);
	}
	tree_inodes_done(s);
	*s = bigger;
	return 0;
}

int tree_inodes_add(struct tree_inodes *s, uint64_t ino, const char *path, const char **ret)
{
	size_t i;

	if (2 * (s->n + 1) > s->cap && tree_inodes_grow(s) < 0)
		return -ENOMEM;
	i = tree_inodes_slot(s, ino);
	if (s->slots[i] == ino) {
		if (ret)
			*ret = s->paths[i];
		return 0;
	}
	s->paths[i] = path ? strdup(path) : NULL;
	if (path && !s->paths[i])
		return -ENOMEM;
	s->slots[i] = ino;
	s->n++;
	return 1;
}
