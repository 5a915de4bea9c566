/* SPDX-License-Identifier: Apache-2.0 */
/* One walk, sorted. A regular file is held by an O_PATH descriptor, found to be one, and only then
 * opened by that descriptor: whoever owns the tree may put a FIFO or a device in its place at any
 * moment, and opening those would block or act. Inode numbers are only unique on their device, and
 * a merged overlay has one for each layer: links are remembered per device. */
#include "store/tree-tar.h"

#include "base/buf.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/tar-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WHITEOUT_PREFIX ".wh."
#define MQUEUE_MAGIC_   0x19800202

enum { COPY_SIZE = 256 * 1024, NAME_MAX_SIZE = 1 << 23, XATTRS_MAX = 64 };

struct device_links {
	dev_t dev;
	struct tree_inodes inodes;
};

struct tree_tar {
	const struct tree_tar_opts *opts;
	struct tar_writer out;
	struct buf name;
	struct device_links *links;
	size_t n_links;
	dev_t dev; /* of the root */
	struct tar_xattr xattrs[XATTRS_MAX];
	size_t n_xattrs;
	char xattr_names[XATTR_LIST_MAX];
	struct buf xattr_values;
	char *data; /* COPY_SIZE */
};

static void tree_tar_done(struct tree_tar *t)
{
	for (size_t i = 0; i < t->n_links; i++)
		tree_inodes_done(&t->links[i].inodes);
	free(t->links);
	buf_done(&t->name);
	buf_done(&t->xattr_values);
	free(t->data);
}

static int tree_tar_init(struct tree_tar *t, const struct tree_tar_opts *opts, struct sink *out,
			 struct err *e)
{
	*t = (struct tree_tar){.opts = opts,
			       .name = BUF_INIT(NAME_MAX_SIZE),
			       .xattr_values = BUF_INIT(TAR_META_MAX),
			       .data = malloc(COPY_SIZE)};
	tar_writer_init(&t->out, out);
	return t->data ? 0 : err_errno(e, ENOMEM, "writing a tree");
}

/* "PREFIX/PATH", or "PREFIX/DIR/.wh.NAME". */
static int set_name(struct tree_tar *t, const char *path, const char *insert, struct err *e)
{
	const char *prefix = t->opts->prefix ? t->opts->prefix : "";
	const char *last = strrchr(path, '/');
	size_t dir = last ? (size_t)(last - path) + 1 : 0;
	int r;

	buf_clear(&t->name);
	r = buf_puts(&t->name, prefix);
	if (r == 0 && *prefix && *path && !str_ends(prefix, "/"))
		r = buf_putc(&t->name, '/');
	if (r == 0)
		r = buf_put(&t->name, path, dir);
	if (r == 0)
		r = buf_puts(&t->name, insert);
	if (r == 0)
		r = buf_puts(&t->name, path + dir);
	return r < 0 ? err_errno(e, r, "naming '%s'", path) : 0;
}

/* ---- attributes ---- */

/* What kogge-unpack takes as well: unpack-attr.c. */
static bool xattr_wanted(const char *name)
{
	if (str_after(name, "user."))
		return !str_after(name, "user.overlay.");
	return str_eq(name, "security.capability") || str_eq(name, "system.posix_acl_access") ||
	       str_eq(name, "system.posix_acl_default");
}

static int take_xattr(struct tree_tar *t, int fd, const char *name)
{
	ssize_t n = fgetxattr(fd, name, NULL, 0);
	int r = n < 0 ? -errno : buf_reserve(&t->xattr_values, (size_t)n);

	if (r == 0) {
		n = fgetxattr(fd, name, t->xattr_values.data + t->xattr_values.len, (size_t)n);
		r = n < 0 ? -errno : 0;
	}
	if (r < 0)
		return r == -ENODATA || r == -ERANGE ? 0 : r;
	/* The buffer may still move: the offset for now. */
	t->xattrs[t->n_xattrs++] = (struct tar_xattr){
		.name = name, .value = (void *)t->xattr_values.len, .size = (size_t)n};
	t->xattr_values.len += (size_t)n;
	return 0;
}

/* The attributes of FD; -1 as FD for none. */
static int take_xattrs(struct tree_tar *t, int fd)
{
	ssize_t n = fd < 0 ? 0 : flistxattr(fd, t->xattr_names, sizeof(t->xattr_names));
	int r = 0;

	t->n_xattrs = 0;
	buf_clear(&t->xattr_values);
	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *p = t->xattr_names; r == 0 && p < t->xattr_names + n; p += strlen(p) + 1)
		if (xattr_wanted(p) && t->n_xattrs < XATTRS_MAX)
			r = take_xattr(t, fd, p);
	for (size_t i = 0; i < t->n_xattrs; i++)
		t->xattrs[i].value = t->xattr_values.data + (size_t)t->xattrs[i].value;
	return r;
}

static int64_t mtime_of(const struct tree_tar *t, const struct stat *st)
{
	int64_t ns = st->st_mtim.tv_sec * (int64_t)NUM_NS_PER_S;

	return t->opts->newest && ns > t->opts->newest
		       ? t->opts->newest / (int64_t)NUM_NS_PER_S * (int64_t)NUM_NS_PER_S
		       : ns;
}

static void fill_entry(struct tree_tar *t, const struct stat *st, struct tar_entry *ret)
{
	*ret = (struct tar_entry){
		.name = buf_str(&t->name),
		.linkname = "",
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime_ns = mtime_of(t, st),
		.xattrs = t->xattrs,
		.n_xattrs = t->n_xattrs,
	};
}

/* ---- entries ---- */

/* 1 where the file was written before under the name *RET. */
static int seen_before(struct tree_tar *t, const struct stat *st, const char **ret)
{
	struct device_links *more;
	size_t i = 0;
	int r;

	if (st->st_nlink < 2)
		return 0;
	while (i < t->n_links && t->links[i].dev != st->st_dev)
		i++;
	if (i == t->n_links) {
		more = reallocarray(t->links, t->n_links + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->links = more;
		more[t->n_links++] = (struct device_links){.dev = st->st_dev};
	}
	r = tree_inodes_add(&t->links[i].inodes, st->st_ino, buf_str(&t->name), ret);
	return r < 0 ? r : !r;
}

static int put_link(struct tree_tar *t, const struct stat *st, const char *first, struct err *e)
{
	struct tar_entry entry;

	take_xattrs(t, -1);
	fill_entry(t, st, &entry);
	entry.type = TAR_HARDLINK;
	entry.linkname = first;
	return tar_writer_entry(&t->out, &entry, e);
}

static int put_data(struct tree_tar *t, int fd, uint64_t size, struct err *e)
{
	while (size > 0) {
		size_t want = (size_t)MIN(size, (uint64_t)COPY_SIZE);
		ssize_t n = fd_read_full(fd, t->data, want);

		if (n < 0)
			return err_errno(e, (int)n, "reading '%s'", buf_str(&t->name));
		if ((size_t)n < want)
			return err_set(e, ERR_IO, 0, "'%s' became shorter while it was read",
				       buf_str(&t->name));
		if (tar_writer_data(&t->out, t->data, (size_t)n, e) < 0)
			return -1;
		size -= (uint64_t)n;
	}
	return 0;
}

/* FD: O_PATH, of a regular file with the attributes ST. */
static int put_file(struct tree_tar *t, int fd, const struct stat *st, struct err *e)
{
	const char *first = NULL;
	struct tar_entry entry;
	_cleanup_(fd_close) int in = -1;
	int r = seen_before(t, st, &first);

	if (r > 0)
		return put_link(t, st, first, e);
	if (r == 0)
		r = in = fd_reopen(fd, O_RDONLY);
	if (r >= 0)
		r = take_xattrs(t, in);
	if (r < 0)
		return err_errno(e, r, "reading '%s'", buf_str(&t->name));
	fill_entry(t, st, &entry);
	entry.type = TAR_FILE;
	entry.size = (uint64_t)st->st_size;
	if (tar_writer_entry(&t->out, &entry, e) < 0)
		return -1;
	return put_data(t, in, entry.size, e);
}

/* FD: O_PATH, of the link. */
static int put_symlink(struct tree_tar *t, int fd, const struct stat *st, struct err *e)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(fd, "", text, sizeof(text) - 1);
	struct tar_entry entry;

	if (n < 0)
		return err_errno(e, errno, "reading the link '%s'", buf_str(&t->name));
	text[n] = '\0';
	take_xattrs(t, -1);
	fill_entry(t, st, &entry);
	entry.type = TAR_SYMLINK;
	entry.mode = 0777;
	entry.linkname = text;
	return tar_writer_entry(&t->out, &entry, e);
}

static int put_node(struct tree_tar *t, enum tar_type type, const struct stat *st, struct err *e)
{
	struct tar_entry entry;

	take_xattrs(t, -1);
	fill_entry(t, st, &entry);
	entry.type = type;
	if (type != TAR_FIFO) {
		entry.major = major(st->st_rdev);
		entry.minor = minor(st->st_rdev);
	}
	return tar_writer_entry(&t->out, &entry, e);
}

/* An empty file with a name that means something. */
static int put_mark(struct tree_tar *t, const struct stat *st, struct err *e)
{
	struct tar_entry entry;

	take_xattrs(t, -1);
	fill_entry(t, st, &entry);
	entry.type = TAR_FILE;
	entry.mode = 0600;
	return tar_writer_entry(&t->out, &entry, e);
}

/* A directory by a descriptor that can be read. */
static int put_dir(struct tree_tar *t, int fd, const struct stat *st, struct err *e)
{
	struct tar_entry entry;
	int r = take_xattrs(t, fd);

	if (r < 0)
		return err_errno(e, r, "reading the attributes of '%s'", buf_str(&t->name));
	fill_entry(t, st, &entry);
	entry.type = TAR_DIR;
	return tar_writer_entry(&t->out, &entry, e);
}

/* Whether FD is in a file system that the kernel makes up. */
static bool is_kernels(int fd)
{
	static const unsigned long types[] = {
		PROC_SUPER_MAGIC,   SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		DEVPTS_SUPER_MAGIC, MQUEUE_MAGIC_, DEBUGFS_MAGIC,      TRACEFS_MAGIC,
		SECURITYFS_MAGIC,   BPF_FS_MAGIC,  PSTOREFS_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((unsigned long)fs.f_type == types[i])
			return true;
	return false;
}

static int walk_dir(struct tree_tar *t, const struct tree_entry *entry, struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open_own(entry->dir, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct stat st;

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return TREE_SKIP;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, fd < 0 ? fd : errno, "opening '%s'", entry->path);
	if (put_dir(t, fd, &st, e) < 0)
		return -1;
	return t->opts->flags & TREE_TAR_NO_KERNEL && st.st_dev != t->dev && is_kernels(fd)
		       ? TREE_SKIP
		       : TREE_GO;
}

/* Everything but directories, by an O_PATH descriptor that holds the inode. */
static int put_other(struct tree_tar *t, int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "looking at '%s'", path);
	if (S_ISREG(st.st_mode))
		return put_file(t, fd, &st, e);
	if (S_ISLNK(st.st_mode))
		return put_symlink(t, fd, &st, e);
	if (S_ISFIFO(st.st_mode))
		return put_node(t, TAR_FIFO, &st, e);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0) /* a whiteout of overlayfs */
		return 0;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return put_node(t, S_ISCHR(st.st_mode) ? TAR_CHAR : TAR_BLOCK, &st, e);
	return 0;
}

static int walk_entry(void *arg, const struct tree_entry *entry, struct err *e)
{
	struct tree_tar *t = arg;
	_cleanup_(fd_close) int fd = -1;
	int r = t->opts->filter ? t->opts->filter(t->opts->arg, entry, e) : TREE_GO;

	if (r != TREE_GO)
		return r;
	if (set_name(t, entry->path, "", e) < 0 || FAILPOINT("store.tree_tar.entry", e) < 0)
		return -1;
	if (S_ISDIR(entry->st.st_mode))
		return walk_dir(t, entry, e);
	fd = path_open_own(entry->dir, entry->name, O_PATH | O_NOFOLLOW, 0);
	if (fd == -ENOENT || fd == -ELOOP)
		return TREE_SKIP;
	if (fd < 0)
		return err_errno(e, fd, "opening '%s'", entry->path);
	return put_other(t, fd, entry->path, e) < 0 ? -1 : TREE_SKIP;
}

/* The root's own entry, where the names have something before them. 1 where it is left out. */
static int put_root(struct tree_tar *t, int dir, struct err *e)
{
	struct tree_entry entry = {.dir = dir, .name = ".", .path = ""};
	int r;

	if (fstat(dir, &entry.st) < 0)
		return err_errno(e, errno, "looking at a directory");
	t->dev = entry.st.st_dev;
	if (!t->opts->prefix)
		return 0;
	r = t->opts->filter ? t->opts->filter(t->opts->arg, &entry, e) : TREE_GO;
	if (r != TREE_GO)
		return r < 0 ? -1 : 1;
	if (set_name(t, "", "", e) < 0)
		return -1;
	return put_dir(t, dir, &entry.st, e);
}

static int write_tree(struct tree_tar *t, int dir, struct err *e)
{
	static const struct tree_ops ops = {.entry = walk_entry, .sorted = true};
	_cleanup_(fd_close) int fd = path_open_own(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (fd < 0)
		return err_errno(e, fd, "opening a directory");
	r = put_root(t, fd, e);
	if (r == 0)
		r = tree_walk(fd, &ops, t, e);
	return r < 0 ? -1 : tar_writer_end(&t->out, e);
}

int tree_tar_write(int dir, const struct tree_tar_opts *opts, struct sink *out, struct err *e)
{
	_cleanup_(tree_tar_done) struct tree_tar t;

	return tree_tar_init(&t, opts, out, e) < 0 ? -1 : write_tree(&t, dir, e);
}

int tree_tar_write_file(int fd, const char *as, const struct tree_tar_opts *opts, struct sink *out,
			struct err *e)
{
	_cleanup_(tree_tar_done) struct tree_tar t;
	struct tree_tar_opts o = *opts;
	struct stat st;

	o.prefix = as;
	if (tree_tar_init(&t, &o, out, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "looking at '%s'", as);
	if (S_ISDIR(st.st_mode))
		return write_tree(&t, fd, e);
	if (set_name(&t, "", "", e) < 0 || put_other(&t, fd, "", e) < 0)
		return -1;
	return tar_writer_end(&t.out, e);
}

/* The directory of PATH; *RET_NAME is its last component. */
static int open_above(int dir, const char *path, const char **ret_name, struct err *e)
{
	const char *last = strrchr(path, '/');
	char above[PATH_MAX] = ".";
	int fd;

	*ret_name = last ? last + 1 : path;
	if (last && (size_t)(last - path) >= sizeof(above))
		return err_set(e, ERR_LIMIT, ENAMETOOLONG, "opening '%.64s...'", path);
	if (last) {
		memcpy(above, path, (size_t)(last - path));
		above[last - path] = '\0';
	}
	fd = path_open_own(dir, above, O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? err_errno(e, fd, "opening the directory of '%s'", path) : fd;
}

static int put_change(struct tree_tar *t, int dir, const struct tree_tar_change *c, struct err *e)
{
	struct tree_entry entry = {.path = c->path};
	struct stat none = {.st_mode = S_IFREG};
	_cleanup_(fd_close) int above = -1;

	if (c->gone)
		return set_name(t, c->path, WHITEOUT_PREFIX, e) < 0 ? -1 : put_mark(t, &none, e);
	above = open_above(dir, c->path, &entry.name, e);
	if (above < 0)
		return -1;
	if (str_after(entry.name, WHITEOUT_PREFIX) ||
	    fstatat(above, entry.name, &entry.st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	entry.dir = above;
	return walk_entry(t, &entry, e) < 0 ? -1 : 0;
}

int tree_tar_write_layer(int dir, const struct tree_tar_layer *layer, struct sink *out,
			 struct err *e)
{
	const struct tree_tar_opts opts = {.newest = layer->newest};
	_cleanup_(tree_tar_done) struct tree_tar t;

	if (tree_tar_init(&t, &opts, out, e) < 0)
		return -1;
	for (size_t i = 0; i < layer->n; i++)
		if (put_change(&t, dir, &layer->changes[i], e) < 0)
			return -1;
	return tar_writer_end(&t.out, e);
}

int tree_tar_write_changes(int dir, const struct tree_tar_change *changes, size_t n,
			   struct sink *out, struct err *e)
{
	const struct tree_tar_layer layer = {.changes = changes, .n = n};

	return tree_tar_write_layer(dir, &layer, out, e);
}
