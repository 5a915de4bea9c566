/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of an identifier and its locks stay when its data is removed: a build may have opened
 * them already, and two that lock different files would not see each other. They take no room. */
#include "store/build-mounts.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "store/store.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MOUNTS_DIR "build/mounts"

enum { ID_MAX = 64 << 10 };

int build_mount_dir(struct store *s, const char *id, struct err *e)
{
	_cleanup_(fd_close) int all = path_mkdirs(store_root_fd(s), MOUNTS_DIR, 0700, 0);
	char hex[SHA256_HEX_SIZE];
	int fd;

	sha256_hex(id, strlen(id), hex);
	fd = all < 0 ? all : path_mkdirs(all, hex, 0700, 0);
	if (fd < 0)
		return err_errno(e, fd, "making the cache '%s'", id);
	/* For people; without it the cache has no name. */
	if (faccessat(fd, "id", F_OK, 0) < 0)
		(void)path_write_file(fd, "id", id, strlen(id), 0600);
	return fd;
}

void build_mount_touch(int lock)
{
	(void)futimens(lock, NULL);
}

/* ---- one folder ---- */

struct folder {
	int dir;
	struct build_record *r;
	int *locks; /* taken, where it is to be removed */
	size_t n_locks;
	bool take, data;
};

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * (int64_t)NUM_NS_PER_S + t->tv_nsec;
}

static int measure_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	uint64_t *size = arg;

	/* Of hard links each its part. */
	if (t->st.st_nlink && !S_ISDIR(t->st.st_mode))
		*size += (uint64_t)t->st.st_blocks * 512 / t->st.st_nlink;
	return TREE_GO;
}

static int measure(struct folder *f, const char *name, struct err *e)
{
	static const struct tree_ops ops = {.entry = measure_entry};
	_cleanup_(fd_close) int fd = path_open_own(f->dir, name, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? 0 : tree_walk(fd, &ops, &f->r->size, e);
}

static int note_lock(struct folder *f, const char *name, const struct stat *st)
{
	_cleanup_(fd_close) int fd = path_open_own(f->dir, name, O_RDWR, 0);
	int *more;

	f->r->used = MAX(f->r->used, ns_of(&st->st_mtim));
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		f->r->in_use = true;
	if (fd < 0 || !f->take)
		return 0;
	more = reallocarray(f->locks, f->n_locks + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->locks = more;
	f->locks[f->n_locks++] = TAKE_FD(fd);
	return 0;
}

static int folder_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct folder *f = arg;
	int r = 0;

	if (S_ISDIR(t->st.st_mode)) {
		f->data = true;
		r = f->take ? 0 : measure(f, t->name, e);
	} else if (str_ends(t->name, ".lock") && note_lock(f, t->name, &t->st) < 0)
		r = err_errno(e, ENOMEM, "reading caches of builds");
	else if (str_eq(t->name, "id"))
		f->r->created = ns_of(&t->st.st_mtim);
	return r < 0 ? -1 : TREE_SKIP;
}

static int folder_read(struct folder *f, struct err *e)
{
	static const struct tree_ops ops = {.entry = folder_entry, .sorted = true};

	return tree_walk(f->dir, &ops, f, e);
}

static void folder_done(struct folder *f)
{
	for (size_t i = 0; i < f->n_locks; i++)
		fd_close(&f->locks[i]);
	free(f->locks);
	fd_close(&f->dir);
}

/* ---- all ---- */

struct list {
	struct arena *a;
	struct build_record *v;
	size_t n, cap;
};

static int name_of(struct list *l, int dir, struct build_record *r)
{
	_cleanup_(freep) char *id = NULL;
	size_t n = 0;

	if (path_read_file(dir, "id", ID_MAX, &id, &n) < 0)
		r->name = "cached mount";
	else
		r->name = arena_printf(l->a, "cached mount %.*s", (int)strcspn(id, "\n"), id);
	return r->name ? 0 : -ENOMEM;
}

static int list_grow(struct list *l)
{
	struct build_record *v;

	if (l->n < l->cap)
		return 0;
	l->cap = l->cap ? 2 * l->cap : 16;
	v = arena_array(l->a, l->cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	return 0;
}

static int list_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct list *l = arg;
	_cleanup_(folder_done) struct folder f = {.dir = -1};
	struct build_record *r;

	if (!S_ISDIR(t->st.st_mode) || strlen(t->name) != SHA256_HEX_SIZE - 1)
		return TREE_SKIP;
	f.dir = path_open_own(t->dir, t->name, O_RDONLY | O_DIRECTORY, 0);
	if (f.dir < 0)
		return TREE_SKIP;
	if (list_grow(l) < 0)
		return err_errno(e, ENOMEM, "reading caches of builds");
	r = f.r = &l->v[l->n];
	*r = (struct build_record){.type = BUILD_MOUNT_TYPE, .slot = "", .inputs = ""};
	r->id = arena_strndup(l->a, t->name, BUILD_RECORD_ID_SIZE - 1);
	if (folder_read(&f, e) < 0)
		return -1;
	if (!r->id || name_of(l, f.dir, r) < 0)
		return err_errno(e, ENOMEM, "reading caches of builds");
	l->n += f.data;
	return TREE_SKIP;
}

static int older_first(const void *a, const void *b)
{
	const struct build_record *x = a, *y = b;

	return (x->used > y->used) - (x->used < y->used);
}

int build_mount_list(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		     struct err *e)
{
	static const struct tree_ops ops = {.entry = list_entry, .sorted = true};
	_cleanup_(fd_close) int all =
		path_open_own(store_root_fd(s), MOUNTS_DIR, O_RDONLY | O_DIRECTORY, 0);
	struct list l = {.a = a};

	if (all >= 0 && tree_walk(all, &ops, &l, e) < 0)
		return -1;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), older_first);
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

/* ---- removal ---- */

static int remove_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	int r = S_ISDIR(t->st.st_mode) ? path_remove_tree(t->dir, t->name) : 0;

	return r < 0 ? err_errno(e, r, "removing a cache of builds") : TREE_SKIP;
}

struct removal {
	const char *id;
	int removed;
};

static int remove_from(void *arg, const struct tree_entry *t, struct err *e)
{
	static const struct tree_ops ops = {.entry = remove_entry, .sorted = true};
	struct removal *x = arg;
	struct build_record r = {.used = 0};
	_cleanup_(folder_done) struct folder f = {.dir = -1, .r = &r, .take = true};

	if (!S_ISDIR(t->st.st_mode) || !str_after(t->name, x->id))
		return TREE_SKIP;
	f.dir = path_open_own(t->dir, t->name, O_RDONLY | O_DIRECTORY, 0);
	if (f.dir < 0 || folder_read(&f, e) < 0)
		return f.dir < 0 ? TREE_SKIP : -1;
	if (r.in_use || !f.data)
		return TREE_SKIP;
	if (tree_walk(f.dir, &ops, NULL, e) < 0)
		return -1;
	x->removed = 1;
	return TREE_SKIP;
}

int build_mount_remove(struct store *s, const char *id, struct err *e)
{
	static const struct tree_ops ops = {.entry = remove_from, .sorted = true};
	_cleanup_(fd_close) int all =
		path_open_own(store_root_fd(s), MOUNTS_DIR, O_RDONLY | O_DIRECTORY, 0);
	struct removal x = {.id = id};

	if (all < 0)
		return 0;
	return tree_walk(all, &ops, &x, e) < 0 ? -1 : x.removed;
}
