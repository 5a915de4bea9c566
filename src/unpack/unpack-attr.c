/* SPDX-License-Identifier: Apache-2.0 */
/* The order matters: chown clears setuid bits and file capabilities, so it comes first, then the
 * mode, then extended attributes; the time last, because all of these change it or ctime. */
#include "unpack/unpack-internal.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct timespec time_of(int64_t ns)
{
	struct timespec t = {.tv_sec = ns / (int64_t)NUM_NS_PER_S,
			     .tv_nsec = ns % (int64_t)NUM_NS_PER_S};

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += (long)NUM_NS_PER_S;
	}
	return t;
}

/* What a layer may set: users' attributes, but for those that overlayfs reads in a user namespace
 * (userxattr), file capabilities, and access control lists. trusted.* is the host's; the rest of
 * security.* belongs to its security modules. */
static bool xattr_allowed(const char *name)
{
	if (str_after(name, "user."))
		return !str_after(name, "user.overlay.");
	return str_eq(name, "security.capability") || str_eq(name, "system.posix_acl_access") ||
	       str_eq(name, "system.posix_acl_default");
}

static int set_xattrs(struct unpack *u, int fd, const struct tar_entry *t, struct err *e)
{
	for (size_t i = 0; i < t->n_xattrs; i++) {
		const struct tar_xattr *x = &t->xattrs[i];
		char quoted[TAR_QUOTE_SIZE];

		if (!xattr_allowed(x->name)) {
			u->result.xattrs_dropped++;
			continue;
		}
		if (str_eq(x->name, "system.posix_acl_default"))
			u->careful = true;
		if (fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
			continue;
		if (errno != EOPNOTSUPP && !(errno == EPERM && str_after(x->name, "user.")))
			return err_errno(e, errno, "setting the extended attribute '%s'",
					 tar_name_quote(x->name, quoted, sizeof(quoted)));
		u->result.xattrs_dropped++;
	}
	return 0;
}

int unpack_attributes(struct unpack *u, int fd, const struct tar_entry *t, bool fresh,
		      struct err *e)
{
	bool dir = t->type == TAR_DIR, all = u->careful || !fresh;
	struct timespec times[2] = {time_of(t->mtime_ns), time_of(t->mtime_ns)};

	if (dir && (t->gid != 0 || t->mode & S_ISGID))
		u->careful = true;
	if (u->owner != UNPACK_OWNER_NONE && (all || t->uid != 0 || t->gid != 0) &&
	    fchown(fd, t->uid, t->gid) < 0)
		return err_errno(e, errno, "setting the owner %u:%u", t->uid, t->gid);
	if ((all || t->mode & ~0777U) && fchmod(fd, t->mode) < 0)
		return err_errno(e, errno, "setting the mode 0%o", t->mode);
	if (set_xattrs(u, fd, t, e) < 0)
		return -1;
	if (!dir && futimens(fd, times) < 0)
		return err_errno(e, errno, "setting the time");
	return 0;
}

int unpack_attributes_special(struct unpack *u, int fd, const struct tar_entry *t, struct err *e)
{
	struct timespec times[2] = {time_of(t->mtime_ns), time_of(t->mtime_ns)};

	u->result.xattrs_dropped += t->n_xattrs;
	if (u->owner != UNPACK_OWNER_NONE && (u->careful || t->uid != 0 || t->gid != 0) &&
	    fchownat(fd, "", t->uid, t->gid, AT_EMPTY_PATH) < 0)
		return err_errno(e, errno, "setting the owner %u:%u", t->uid, t->gid);
	/* mknod may have left setgid out. Before Linux 6.6 it stays out: nothing executes these. */
	if (t->type != TAR_SYMLINK && t->mode & ~0777U)
		syscall(UNPACK_FCHMODAT2, fd, "", t->mode, AT_EMPTY_PATH);
	/* Linux 5.8 and later; before, such a file keeps the time of its making. */
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0 && errno != EINVAL)
		return err_errno(e, errno, "setting the time");
	return 0;
}

int unpack_dir_time_add(struct unpack *u, const char *path, int64_t mtime_ns, struct err *e)
{
	char *copy;

	if (u->n_dirs == u->cap_dirs) {
		size_t cap = MAX((size_t)256, u->cap_dirs * 2);
		struct dir_time *more = realloc(u->dirs, cap * sizeof(*more));

		if (!more)
			return err_errno(e, ENOMEM, "remembering a directory");
		u->dirs = more;
		u->cap_dirs = cap;
	}
	copy = strdup(path);
	if (!copy)
		return err_errno(e, ENOMEM, "remembering a directory");
	u->dirs[u->n_dirs++] = (struct dir_time){copy, mtime_ns};
	return 0;
}

int unpack_dir_times_set(struct unpack *u, struct err *e)
{
	for (size_t i = 0; i < u->n_dirs; i++) {
		const struct dir_time *d = &u->dirs[i];
		struct timespec times[2] = {time_of(d->mtime_ns), time_of(d->mtime_ns)};
		_cleanup_(fd_close) int fd = path_open(
			u->root, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, u->path_flags);

		/* A later entry may have taken its place. */
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		if (fd < 0 || futimens(fd, times) < 0)
			return err_errno(e, fd < 0 ? fd : errno, "setting the time of a directory");
	}
	return 0;
}
