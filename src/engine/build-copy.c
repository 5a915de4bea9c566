/* SPDX-License-Identifier: Apache-2.0 */
/* Where a source goes (fsutil's prepareTargetDir, with CopyDirContents set): what is in a folder
 * goes into the destination, which is made; a file goes into the destination where that is a
 * folder, or is meant to be one, and else to that name.
 *
 * The destination itself keeps what it is, and is 0755 where it is made; a folder below it takes
 * the source's mode, owner and time, also where it was there. What is no folder replaces what is no
 * folder. Times of folders are set when everything in them is there. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/mode.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/build-copy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel follows */

/* A folder that the walk is in. */
struct place_dir {
	char *path; /* below the base */
	struct stat st;
	bool made, meta; /* it is there; its attributes are ours to set */
};

struct place {
	const struct build_copy *c;
	int base;            /* the folder that everything goes below */
	const char *as;      /* a single file's name in it; NULL: the source is a folder */
	char dest[PATH_MAX]; /* what AS may be a part of */
	struct place_dir *dirs;
	size_t n_dirs, cap_dirs;
	struct tree_inodes links;
	char parent_path[PATH_MAX];
	int parent; /* the folder of the last entry */
};

static void place_done(struct place *p)
{
	for (size_t i = 0; i < p->n_dirs; i++)
		free(p->dirs[i].path);
	free(p->dirs);
	tree_inodes_done(&p->links);
	fd_close(&p->base);
	fd_close(&p->parent);
}

/* ---- attributes ---- */

static void owner_of(const struct build_copy *c, const struct stat *st, uid_t *uid, gid_t *gid)
{
	*uid = c->owner.given ? c->owner.uid : c->from.to_root ? 0 : st->st_uid;
	*gid = c->owner.given ? c->owner.gid : c->from.to_root ? 0 : st->st_gid;
}

static mode_t mode_of(const struct build_copy *c, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	if (c->mode)
		mode_change(c->mode, S_ISDIR(st->st_mode), &mode);
	return mode;
}

bool build_copy_takes_xattr(const char *name)
{
	return !str_after(name, "trusted.") && !str_after(name, "security.selinux") &&
	       !str_after(name, "user.overlay.");
}

int build_copy_xattrs(int from, int to)
{
	_cleanup_(freep) char *names = NULL, *value = NULL;
	ssize_t n = flistxattr(from, NULL, 0);

	if (n <= 0)
		return n == 0 || errno == ENOTSUP ? 0 : -errno;
	names = malloc((size_t)n);
	value = malloc(XATTR_SIZE_MAX);
	if (!names || !value)
		return -ENOMEM;
	n = flistxattr(from, names, (size_t)n);
	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		ssize_t size =
			build_copy_takes_xattr(p) ? fgetxattr(from, p, value, XATTR_SIZE_MAX) : -1;

		if (size >= 0 && fsetxattr(to, p, value, (size_t)size, 0) < 0 && errno != ENOTSUP &&
		    errno != EPERM)
			return -errno;
	}
	return 0;
}

static int set_attributes(const struct build_copy *c, int from, int to, const struct stat *st)
{
	uid_t uid;
	gid_t gid;
	int r;

	owner_of(c, st, &uid, &gid);
	if (fchown(to, uid, gid) < 0 || fchmod(to, mode_of(c, st)) < 0)
		return -errno;
	r = from < 0 ? 0 : build_copy_xattrs(from, to);
	return r;
}

static int set_times(int fd, const struct stat *st)
{
	const struct timespec t[2] = {st->st_mtim, st->st_mtim};

	return futimens(fd, t) < 0 ? -errno : 0;
}

/* ---- folders of the destination ---- */

static int make_one(int dir, const char *name, const struct build_owner *owner)
{
	_cleanup_(fd_close) int fd = -1;

	if (mkdirat(dir, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = path_open_own(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	if (fchmod(fd, 0755) < 0 ||
	    (owner && owner->given && fchown(fd, owner->uid, owner->gid) < 0))
		return -errno;
	return 0;
}

/* Links in REL are followed inside the tree; where one leads to what is not there, path_mkdirs
 * makes that, as BuildKit does. */
static int open_dirs(int root, const char *rel, const struct build_owner *owner)
{
	char path[PATH_MAX];
	size_t n = strlen(rel);

	if (n >= sizeof(path))
		return -ENAMETOOLONG;
	for (size_t i = 0; i <= n; i++) {
		_cleanup_(fd_close) int dir = -1;
		const char *last;
		int r;

		path[i] = rel[i];
		if ((rel[i] && rel[i] != '/') || i == 0 || rel[i - 1] == '/')
			continue;
		path[i] = '\0';
		dir = path_open_parent(root, path, 0, &last);
		r = dir < 0 ? dir : make_one(dir, last, owner);
		if (r < 0 && r != -EINVAL)
			return r;
		path[i] = rel[i];
	}
	return path_mkdirs(root, rel, 0755, 0);
}

int build_open_dirs(int root, const char *rel, const struct build_owner *owner, struct err *e)
{
	int fd = path_open(root, rel, O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		fd = open_dirs(root, rel, owner);
	return fd < 0 ? err_errno(e, fd, "making the folder '%s'", rel) : fd;
}

int build_make_dirs(int root, const char *path, const struct build_owner *owner, struct err *e)
{
	int fd = build_open_dirs(root, path, owner, e);

	if (fd < 0)
		return -1;
	fd_close(&fd);
	return 0;
}

/* ---- entries ---- */

/* The folder that the entry REL is in, and its name there. */
static int open_parent(struct place *p, const char *rel, const char **ret_name, struct err *e)
{
	const char *last = strrchr(rel, '/');
	size_t n = last ? (size_t)(last - rel) : 0;

	*ret_name = last ? last + 1 : rel;
	if (n >= sizeof(p->parent_path))
		return err_errno(e, ENAMETOOLONG, "copying '%.64s...'", rel);
	if (p->parent >= 0 && strlen(p->parent_path) == n && strncmp(p->parent_path, rel, n) == 0)
		return p->parent;
	fd_close(&p->parent);
	memcpy(p->parent_path, rel, n);
	p->parent_path[n] = '\0';
	p->parent = path_open_own(p->base, n ? p->parent_path : ".", O_PATH | O_DIRECTORY, 0);
	return p->parent < 0 ? err_errno(e, p->parent, "opening the folder of '%s'", rel)
			     : p->parent;
}

static int make_dir(struct place *p, struct place_dir *d, int from, struct err *e)
{
	const char *name;
	int dir = open_parent(p, d->path, &name, e);
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (dir < 0)
		return -1;
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_errno(e, errno, "making '%s'", d->path);
	fd = path_open_own(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(e, ERR_CONFLICT, 0, "cannot copy to non-directory: %s", d->path);
	r = fd < 0 ? fd : set_attributes(p->c, from, fd, &d->st);
	if (r < 0)
		return err_errno(e, r, "making '%s'", d->path);
	d->made = d->meta = true;
	return 0;
}

/* Folders that are hidden but hold what is not are made when that comes. */
static int make_pending(struct place *p, struct err *e)
{
	for (size_t i = 0; i < p->n_dirs; i++)
		if (!p->dirs[i].made && make_dir(p, &p->dirs[i], -1, e) < 0)
			return -1;
	return 0;
}

static int push_dir(struct place *p, const struct tree_entry *t, struct err *e)
{
	if (p->n_dirs == p->cap_dirs) {
		size_t cap = p->cap_dirs ? 2 * p->cap_dirs : 16;
		struct place_dir *v = reallocarray(p->dirs, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "copying '%s'", t->path);
		p->dirs = v;
		p->cap_dirs = cap;
	}
	p->dirs[p->n_dirs] = (struct place_dir){.path = strdup(t->path), .st = t->st};
	return p->dirs[p->n_dirs++].path ? 0 : err_errno(e, ENOMEM, "copying '%s'", t->path);
}

static int put_dir(struct place *p, const struct tree_entry *t, bool hidden, struct err *e)
{
	_cleanup_(fd_close) int from = -1;
	struct place_dir *d;

	if (push_dir(p, t, e) < 0)
		return -1;
	d = &p->dirs[p->n_dirs - 1];
	if (hidden && *t->path)
		return 0;
	from = path_open_own(t->dir, *t->name ? t->name : ".", O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return err_errno(e, from, "reading '%s'", t->path);
	if (*t->path)
		return make_pending(p, e) < 0 ? -1 : d->made ? 0 : make_dir(p, d, from, e);
	d->made = true; /* the destination itself: it is there */
	return 0;
}

static int leave_dir(void *arg, struct err *e)
{
	struct place *p = arg;
	struct place_dir *d = &p->dirs[p->n_dirs - 1];
	_cleanup_(fd_close) int fd = -1;
	int r = 0;

	if (d->made && d->meta) {
		fd = path_open_own(p->base, *d->path ? d->path : ".", O_RDONLY | O_DIRECTORY, 0);
		r = fd < 0 ? fd : set_times(fd, &d->st);
	}
	if (r < 0)
		return err_errno(e, r, "setting the time of '%s'", d->path);
	free(d->path);
	p->n_dirs--;
	return 0;
}

static int copy_data(struct place *p, int from, const struct stat *st, int to, const char *what,
		     struct err *e)
{
	uint64_t n = 0;
	int r = fd_copy(from, to, UINT64_MAX, &n);

	if (r == 0)
		r = set_attributes(p->c, from, to, st);
	if (r == 0)
		r = set_times(to, st);
	if (r < 0)
		return err_errno(e, r, "copying '%s'", what);
	if (n != (uint64_t)st->st_size)
		return err_set(e, ERR_IO, 0, "'%s' changed while it was copied", what);
	return 0;
}

/* 1 where it became a link to what was copied before. */
static int put_hard_link(struct place *p, const struct stat *st, const char *rel, int dir,
			 const char *name)
{
	const char *first = NULL;
	int r = st->st_nlink < 2 ? 1 : tree_inodes_add(&p->links, st->st_ino, rel, &first);

	if (r != 0)
		return r < 0 ? r : 0;
	return linkat(p->base, first, dir, name, 0) < 0 ? -errno : 1;
}

/* HELD: O_PATH, of what has the attributes ST. */
static int put_other(struct place *p, int held, const struct stat *st, int dir, const char *name)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	char text[PATH_MAX];
	uid_t uid;
	gid_t gid;

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(held, "", text, sizeof(text) - 1);

		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (symlinkat(text, dir, name) < 0)
			return -errno;
	} else if (mknodat(dir, name, st->st_mode, st->st_rdev) < 0 ||
		   fchmodat(dir, name, mode_of(p->c, st), 0) < 0) {
		return -errno;
	}
	owner_of(p->c, st, &uid, &gid);
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* TO: the new file, owned by this function. */
static int put_file(struct place *p, int held, const char *rel, int to_fd, struct err *e)
{
	_cleanup_(fd_close) int to = to_fd, from = fd_reopen(held, O_RDONLY | O_NOCTTY);
	struct stat st;

	if (to < 0)
		return err_errno(e, to, "making '%s'", rel);
	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(e, from < 0 ? from : errno, "opening '%s' of %s", rel,
				 p->c->from.name);
	return copy_data(p, from, &st, to, rel, e);
}

static int put_entry(struct place *p, int held, const struct stat *st, const char *rel,
		     struct err *e)
{
	const char *name;
	int dir = make_pending(p, e) < 0 ? -1 : open_parent(p, rel, &name, e), r;

	if (dir < 0)
		return -1;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_errno(e, errno == EISDIR || errno == EPERM ? EISDIR : errno,
				 "cannot copy to '%s'", rel);
	r = S_ISREG(st->st_mode) ? put_hard_link(p, st, rel, dir, name) : 0;
	if (r == 0 && S_ISREG(st->st_mode))
		return put_file(p, held, rel, path_create(dir, name, 0600, PATH_NO_SYMLINKS), e);
	if (r == 0)
		r = put_other(p, held, st, dir, name);
	return r < 0 ? err_errno(e, r, "copying '%s'", rel) : 0;
}

static int place_entry(void *arg, const struct tree_entry *t, bool hidden, struct err *e)
{
	struct place *p = arg;
	_cleanup_(fd_close) int held = -1;
	struct stat st;

	if (S_ISDIR(t->st.st_mode))
		return put_dir(p, t, hidden, e);
	if (!*t->name)
		return put_entry(p, t->dir, &t->st, p->as, e);
	held = path_open_own(t->dir, t->name, O_PATH | O_NOFOLLOW, 0);
	if (held < 0 || fstat(held, &st) < 0)
		return err_errno(e, held < 0 ? held : errno, "opening '%s' of %s", t->path,
				 p->c->from.name);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_IO, 0, "'%s' changed while it was copied", t->path);
	return put_entry(p, held, &st, t->path, e);
}

/* ---- one source ---- */

struct copy {
	int root;
	const struct build_copy *c;
};

static const char *base_name(const char *path)
{
	const char *last = strrchr(path, '/');

	return last ? last + 1 : path;
}

/* Whether DEST says that it is a folder: "/x/", "/x/.", "/". */
static bool wants_folder(const char *dest)
{
	return str_ends(dest, "/") || str_ends(dest, "/.") || str_ends(dest, "/..");
}

static int place_dir_at(struct copy *k, struct place *p, const char *dest, struct err *e)
{
	_cleanup_(fd_close) int there = path_open(k->root, dest, O_PATH, 0);
	struct stat st;

	if (there >= 0 && fstat(there, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFLICT, 0, "cannot copy to non-directory: %s", dest);
	p->base = build_open_dirs(k->root, dest, &k->c->owner, e);
	return p->base < 0 ? -1 : 0;
}

/* Where DEST leads, when its last part is a link: BuildKit copies to what a link names, inside
 * ROOT. In OUT, which has PATH_MAX bytes. */
static int follow_dest(int root, const char *dest, char *out, struct err *e)
{
	char above[PATH_MAX], target[PATH_MAX];
	int links = 0, n = snprintf(out, PATH_MAX, "%s", dest);

	for (; n < PATH_MAX && links < LINKS_MAX; links++) {
		_cleanup_(fd_close) int dir = -1;
		const char *name = base_name(out);
		ssize_t got;

		snprintf(above, sizeof(above), "%.*s", (int)(name - out), out);
		dir = path_open(root, above, O_PATH | O_DIRECTORY, 0);
		got = dir < 0 || !*name ? -1 : readlinkat(dir, name, target, sizeof(target) - 1);
		if (got < 0)
			return 0;
		target[got] = '\0';
		n = snprintf(out, PATH_MAX, "%s%s", *target == '/' ? "" : above, target);
	}
	return err_errno(e, n < PATH_MAX ? ELOOP : ENAMETOOLONG, "cannot copy to '%s'", dest);
}

static int place_file_at(struct copy *k, struct place *p, const struct build_found *found,
			 const char *dest, struct err *e)
{
	_cleanup_(fd_close) int there = path_open(k->root, dest, O_PATH | O_DIRECTORY, 0);
	char above[PATH_MAX];

	if (there >= 0 || wants_folder(dest)) {
		p->as = base_name(found->path);
		p->base = build_open_dirs(k->root, dest, &k->c->owner, e);
		return p->base < 0 ? -1 : 0;
	}
	if (follow_dest(k->root, dest, p->dest, e) < 0)
		return -1;
	p->as = base_name(p->dest);
	snprintf(above, sizeof(above), "%.*s", (int)(p->as - p->dest), p->dest);
	p->base = build_open_dirs(k->root, above, &k->c->owner, e);
	return p->base < 0 ? -1 : 0;
}

static int copy_found(struct copy *k, const struct build_found *found, const char *dest,
		      struct err *e)
{
	_cleanup_(place_done) struct place p = {.c = k->c, .base = -1, .parent = -1};
	struct build_walk w = {
		.copy = k->c, .found = found, .entry = place_entry, .leave = leave_dir, .arg = &p};
	bool folder = S_ISDIR(found->st.st_mode);

	if ((folder ? place_dir_at(k, &p, dest, e) : place_file_at(k, &p, found, dest, e)) < 0)
		return -1;
	return build_walk_run(&w, e);
}

static int copy_path(void *arg, const char *path, struct err *e)
{
	struct copy *k = arg;
	struct build_found found = {.fd = -1};
	int r;

	if (build_source_open(&k->c->from, path, &found, e) < 0)
		return -1;
	r = k->c->unpack && build_is_archive(&found) ? build_unpack(k->root, k->c, &found, e)
						     : copy_found(k, &found, k->c->dest, e);
	fd_close(&found.fd);
	return r;
}

int build_copy_run(int root, const struct build_copy *c, struct err *e)
{
	struct copy k = {.root = root, .c = c};

	for (const char *const *p = c->paths; *p; p++)
		if (build_copy_match(&c->from, *p, copy_path, &k, e) != 0)
			return -1;
	return 0;
}

int build_make_file(int root, const struct build_file *f, struct err *e)
{
	_cleanup_(fd_close) int there = path_open(root, f->dest, O_PATH | O_DIRECTORY, 0);
	bool folder = there >= 0 || wants_folder(f->dest);
	_cleanup_(fd_close) int dir = -1, fd = -1;
	char above[PATH_MAX], dest[PATH_MAX];
	const char *name = f->name;
	int r;

	if (follow_dest(root, f->dest, dest, e) < 0)
		return -1;
	if (!folder)
		name = base_name(dest);
	snprintf(above, sizeof(above), "%.*s", (int)(folder ? strlen(dest) : (size_t)(name - dest)),
		 dest);
	dir = build_open_dirs(root, above, &f->owner, e);
	if (dir < 0)
		return -1;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_errno(e, errno, "cannot copy to '%s'", f->dest);
	fd = path_create(dir, name, 0600, PATH_NO_SYMLINKS);
	r = fd < 0 ? fd : fd_write_full(fd, f->data, f->n);
	if (r == 0 && f->owner.given && fchown(fd, f->owner.uid, f->owner.gid) < 0)
		r = -errno;
	if (r == 0 && fchmod(fd, f->mode) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, r, "making '%s'", f->dest) : 0;
}
