/* SPDX-License-Identifier: Apache-2.0 */
/* A storage in a directory.
 *
 * An object is written to a temporary file, synced, renamed to its key, and then the folder is
 * synced; folders that had to be made are synced into their parents first. So a key that can be
 * seen is whole, and what was answered is on the disk. Keys below "uploads/" are work in progress
 * and are not synced.
 *
 * swap, touch and conditional remove exclude each other for one key: by a mutex among the threads
 * of this process and by a lock on one byte of the file "lock" among processes. Which mutex and
 * byte is decided by a hash of the key, so that unrelated keys rarely wait for each other.
 *
 * An upload is the file "uploads/<id>", locked with flock by who writes to it. */
#include "registry/storage-directory.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRIPES     64
#define LEFTOVER_NS (3600 * (int64_t)NUM_NS_PER_S) /* longer than any write of an object takes */
#define SMALL_MAX   4096
#define FORMAT_FILE "kogge-registry"
#define FORMAT_TEXT "1\n"
#define UPLOADS     "uploads/"

struct directory {
	struct storage storage;
	int root;
	int lock;
	pthread_mutex_t stripes[STRIPES];
};

struct directory_upload {
	struct storage_upload upload;
	int fd;
	uint64_t size;
	char name[sizeof(UPLOADS) + STORAGE_UPLOAD_ID_SIZE];
};

static struct directory *directory_of(struct storage *s)
{
	return (struct directory *)(void *)s;
}

static int fail(struct err *e, int r, const char *what, const char *key)
{
	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(e, ERR_NOT_FOUND, 0, "no object '%s'", key);
	if (r == -ELOOP || r == -ENXIO)
		return err_set(e, ERR_CORRUPT, 0, "'%s' is not a file", key);
	if (r == -ENOSPC || r == -EDQUOT)
		return err_set(e, ERR_LIMIT, -r, "%s '%s'", what, key);
	return err_errno(e, r, "%s '%s'", what, key);
}

static unsigned stripe_of(const char *key)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * UINT64_C(1099511628211);
	return (unsigned)((h ^ h >> 32) % STRIPES);
}

static int file_lock(struct directory *d, unsigned stripe, short type)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)stripe, .l_len = 1};

	while (fcntl(d->lock, F_OFD_SETLKW, &l) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int key_lock(struct directory *d, const char *key, struct err *e)
{
	unsigned stripe = stripe_of(key);
	int r;

	pthread_mutex_lock(&d->stripes[stripe]);
	r = file_lock(d, stripe, F_WRLCK);
	if (r == 0)
		return 0;
	pthread_mutex_unlock(&d->stripes[stripe]);
	return err_errno(e, r, "locking '%s'", key);
}

static void key_unlock(struct directory *d, const char *key)
{
	unsigned stripe = stripe_of(key);

	file_lock(d, stripe, F_UNLCK);
	pthread_mutex_unlock(&d->stripes[stripe]);
}

static int sync_folder(int fd)
{
	_cleanup_(fd_close) int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}

/* Opens the folder NAME of PARENT, making and syncing it where it is missing. */
static int make_folder(int parent, const char *name)
{
	int fd, made = mkdirat(parent, name, 0755);

	if (made < 0 && errno != EEXIST)
		return -errno;
	if (made == 0) {
		int r = sync_folder(parent);

		if (r < 0)
			return r;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens the folder that KEY lies in, with what is missing made. */
static int make_parent(struct directory *d, const char *key, const char **ret_last)
{
	_cleanup_(fd_close) int fd = -1;
	char name[256];
	int r;

	r = path_open_parent(d->root, key, PATH_BENEATH | PATH_NO_SYMLINKS, ret_last);
	if (r != -ENOENT)
		return r;
	fd = fcntl(d->root, F_DUPFD_CLOEXEC, 3);
	for (const char *slash; fd >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
		size_t n = (size_t)(slash - key);

		if (n == 0 || n >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, key, n);
		name[n] = '\0';
		r = make_folder(fd, name);
		if (r < 0)
			return r;
		fd_close(&fd);
		fd = r;
	}
	*ret_last = key;
	return fd < 0 ? -errno : TAKE_FD(fd);
}

static void stat_from(const struct stat *st, struct storage_stat *ret)
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * (int64_t)NUM_NS_PER_S + st->st_mtim.tv_nsec;

	ret->size = (uint64_t)st->st_size;
	ret->mtime = mtime;
	ret->version = (uint64_t)mtime ^ (uint64_t)st->st_ino * UINT64_C(0x9E3779B97F4A7C15);
}

static int directory_get(struct storage *s, const char *key, struct storage_stat *ret,
			 struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_own(
		directory_of(s)->root, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return fail(e, fd, "opening", key);
	if (fstat(fd, &st) < 0)
		return fail(e, -errno, "opening", key);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, 0, "no object '%s'", key);
	if (ret)
		stat_from(&st, ret);
	return TAKE_FD(fd);
}

static int directory_stat(struct storage *s, const char *key, struct storage_stat *ret,
			  struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open_own(directory_of(s)->root, key, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return fail(e, fd, "looking for", key);
	if (fstat(fd, &st) < 0)
		return fail(e, -errno, "looking for", key);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, 0, "no object '%s'", key);
	stat_from(&st, ret);
	return 0;
}

/* An empty object cannot be half written: its name is all there is to sync. One that is there gets
 * a new version. */
static int put_empty(int parent, const char *last)
{
	_cleanup_(fd_close) int fd = openat(
		parent, last, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	if (st.st_size > 0 && ftruncate(fd, 0) < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &times[1]);
	if (futimens(fd, times) < 0)
		return -errno;
	return sync_folder(parent);
}

/* Under the lock of KEY. */
static int put_locked(struct storage *s, const char *key, const void *data, size_t n, struct err *e)
{
	_cleanup_(fd_close) int parent = -1;
	bool durable = !str_after(key, UPLOADS);
	const char *last;
	int r;

	if (FAILPOINT("registry.put.before_write", e) < 0)
		return -1;
	parent = make_parent(directory_of(s), key, &last);
	if (parent < 0)
		return fail(e, parent, "making the folder of", key);
	if (n == 0 && durable)
		r = put_empty(parent, last);
	else
		r = path_write_file(parent, last, data, n, 0644 | (durable ? PATH_DURABLE : 0));
	return r < 0 ? fail(e, r, "writing", key) : 0;
}

static int directory_put(struct storage *s, const char *key, const void *data, size_t n,
			 struct err *e)
{
	int r;

	if (key_lock(directory_of(s), key, e) < 0)
		return -1;
	r = put_locked(s, key, data, n, e);
	key_unlock(directory_of(s), key);
	return r;
}

/* What a writer that was killed has left goes when its folder is listed. Other processes may write
 * here: what is young may be theirs. */
static void remove_leftover(int dir, const char *name)
{
	struct stat st;

	if (str_after(name, ".tmp-") && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) &&
	    clock_now() - (int64_t)st.st_mtim.tv_sec * (int64_t)NUM_NS_PER_S > LEFTOVER_NS)
		unlinkat(dir, name, 0);
}

static int list_entries(DIR *dir, storage_entry_fn *fn, void *arg, struct err *e)
{
	struct dirent *d;

	errno = 0;
	while ((d = readdir(dir))) {
		bool folder = d->d_type == DT_DIR;
		struct stat st;

		if (d->d_name[0] == '.') {
			remove_leftover(dirfd(dir), d->d_name);
			continue;
		}
		if (d->d_type == DT_UNKNOWN) {
			if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			folder = S_ISDIR(st.st_mode);
		}
		if (fn(arg, d->d_name, folder, e) < 0)
			return -1;
		errno = 0;
	}
	return errno ? err_errno(e, errno, "listing") : 0;
}

static int directory_list(struct storage *s, const char *prefix, storage_entry_fn *fn, void *arg,
			  struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open_own(directory_of(s)->root, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return fail(e, fd < 0 ? fd : -errno, "listing", prefix);
	TAKE_FD(fd);
	r = list_entries(dir, fn, arg, e);
	closedir(dir);
	return r;
}

/* Under the lock of KEY. */
static int remove_locked(struct directory *d, const char *key, const struct storage_stat *expected,
			 struct err *e)
{
	_cleanup_(fd_close) int parent = -1;
	struct storage_stat now;
	const char *last;
	int r;

	if (expected) {
		if (directory_stat(&d->storage, key, &now, e) < 0)
			return -1;
		if (now.version != expected->version)
			return err_set(e, ERR_CONFLICT, 0, "'%s' has changed", key);
	}
	parent = path_open_parent(d->root, key, PATH_BENEATH | PATH_NO_SYMLINKS, &last);
	if (parent < 0)
		return fail(e, parent, "removing", key);
	if (unlinkat(parent, last, 0) < 0)
		return fail(e, errno == EISDIR ? -ENOENT : -errno, "removing", key);
	if (str_after(key, UPLOADS))
		return 0;
	r = sync_folder(parent);
	return r < 0 ? fail(e, r, "syncing the folder of", key) : 0;
}

static int directory_remove(struct storage *s, const char *key, const struct storage_stat *expected,
			    struct err *e)
{
	struct directory *d = directory_of(s);
	int r;

	if (key_lock(d, key, e) < 0)
		return -1;
	r = remove_locked(d, key, expected, e);
	key_unlock(d, key);
	return r;
}

/* Under the lock of KEY. */
static int check_expected(struct storage *s, const char *key, const char *expected, struct err *e)
{
	char now[SMALL_MAX];
	struct err why = ERR_INIT;
	ssize_t n = storage_read(s, key, now, sizeof(now), &why);

	if (n < 0 && why.class != ERR_NOT_FOUND) {
		if (e)
			*e = why;
		return -1;
	}
	if (!expected && n < 0)
		return 0;
	if (!expected || n < 0 || !str_eq(now, expected))
		return err_set(e, ERR_CONFLICT, 0, "'%s' has changed", key);
	return 0;
}

static int directory_swap(struct storage *s, const char *key, const char *expected,
			  const void *data, size_t n, struct err *e)
{
	struct directory *d = directory_of(s);
	int r;

	if (key_lock(d, key, e) < 0)
		return -1;
	r = check_expected(s, key, expected, e);
	if (r == 0)
		r = put_locked(s, key, data, n, e);
	key_unlock(d, key);
	return r;
}

static int directory_touch(struct storage *s, const char *key, struct err *e)
{
	struct directory *d = directory_of(s);
	_cleanup_(fd_close) int parent = -1;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	const char *last;
	int r;

	parent = path_open_parent(d->root, key, PATH_BENEATH | PATH_NO_SYMLINKS, &last);
	if (parent < 0)
		return fail(e, parent, "touching", key);
	if (key_lock(d, key, e) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &times[1]);
	r = utimensat(parent, last, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	key_unlock(d, key);
	return r < 0 ? fail(e, r, "touching", key) : 0;
}

/* A random UUID (RFC 9562, version 4). */
static int uuid_new(char out[STORAGE_UPLOAD_ID_SIZE])
{
	unsigned char b[16];
	char hex[33];
	int r = random_bytes(b, sizeof(b));

	if (r < 0)
		return r;
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
	hex_encode(b, sizeof(b), hex);
	snprintf(out, STORAGE_UPLOAD_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
	return 0;
}

static int open_upload_file(struct directory *d, struct directory_upload *u, bool create)
{
	int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	u->fd = path_open_own(d->root, u->name, create ? flags | O_CREAT | O_EXCL : flags, 0644);
	if (u->fd < 0)
		return u->fd;
	if (flock(u->fd, LOCK_EX | LOCK_NB) < 0 || fstat(u->fd, &st) < 0)
		return -errno;
	/* Whoever had the lock may have finished it meanwhile. */
	if (!S_ISREG(st.st_mode) || st.st_nlink == 0)
		return -ENOENT;
	u->size = (uint64_t)st.st_size;
	return 0;
}

static int directory_upload_open(struct storage *s, char id[STORAGE_UPLOAD_ID_SIZE], bool create,
				 struct storage_upload **ret, uint64_t *ret_size, struct err *e)
{
	struct directory *d = directory_of(s);
	struct directory_upload *u;
	int r = create ? uuid_new(id) : 0;

	if (r < 0)
		return err_errno(e, r, "naming an upload");
	u = calloc(1, sizeof(*u));
	if (!u)
		return err_errno(e, ENOMEM, "opening an upload");
	u->upload.storage = s;
	u->fd = -1;
	snprintf(u->name, sizeof(u->name), UPLOADS "%s", id);
	r = open_upload_file(d, u, create);
	if (r < 0) {
		fd_close(&u->fd);
		free(u);
		return r == -EWOULDBLOCK ? err_set(e, ERR_CONFLICT, 0,
						   "another request writes to this upload")
					 : fail(e, r, "opening", id);
	}
	*ret_size = u->size;
	*ret = &u->upload;
	return 0;
}

static int directory_upload_write(struct storage_upload *up, const void *data, size_t n,
				  struct err *e)
{
	struct directory_upload *u = (struct directory_upload *)(void *)up;
	const char *p = data;
	int r = FAILPOINT_ERRNO("registry.upload.write");

	if (r < 0)
		return fail(e, r, "writing", u->name);
	while (n > 0) {
		ssize_t w = pwrite(u->fd, p, n, (off_t)u->size);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return fail(e, -errno, "writing", u->name);
		p += w;
		n -= (size_t)w;
		u->size += (uint64_t)w;
	}
	return 0;
}

static ssize_t directory_upload_read(struct storage_upload *up, uint64_t at, void *data, size_t n,
				     struct err *e)
{
	struct directory_upload *u = (struct directory_upload *)(void *)up;
	ssize_t r = fd_pread_full(u->fd, data, n, (off_t)at);

	return r < 0 ? fail(e, (int)r, "reading", u->name) : r;
}

/* Renames under the lock of KEY, so that a conditional removal removes what it looked at. */
static int rename_to(struct directory *d, const char *from, int parent, const char *last,
		     const char *key)
{
	int r;

	if (key_lock(d, key, NULL) < 0)
		return -EIO;
	r = renameat(d->root, from, parent, last) < 0 ? -errno : 0;
	key_unlock(d, key);
	return r;
}

/* Makes the bytes of an upload the object KEY. */
static int publish(struct directory *d, struct directory_upload *u, const char *key, struct err *e)
{
	const char *last = NULL;
	_cleanup_(fd_close) int parent = make_parent(d, key, &last);
	int r;

	if (parent < 0)
		return fail(e, parent, "making the folder of", key);
	r = FAILPOINT_ERRNO("registry.upload.before_sync");
	if (r == 0 && fdatasync(u->fd) < 0)
		r = -errno;
	if (r == 0)
		r = FAILPOINT_ERRNO("registry.upload.before_rename");
	if (r == 0)
		r = rename_to(d, u->name, parent, last, key);
	if (r == 0)
		r = sync_folder(parent);
	return r < 0 ? fail(e, r, "storing", key) : 0;
}

static int directory_upload_close(struct storage_upload *up, const char *key, bool keep,
				  struct err *e)
{
	struct directory_upload *u = (struct directory_upload *)(void *)up;
	struct directory *d = directory_of(up->storage);
	int r = key ? publish(d, u, key, e) : 0;

	if (r < 0 || (!key && !keep))
		unlinkat(d->root, u->name, 0);
	fd_close(&u->fd);
	free(u);
	return r;
}

static void directory_free(struct storage *s)
{
	struct directory *d = directory_of(s);

	fd_close(&d->root);
	fd_close(&d->lock);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&d->stripes[i]);
	free(d);
}

static const struct storage_ops directory_ops = {
	.free = directory_free,
	.get = directory_get,
	.put = directory_put,
	.stat = directory_stat,
	.list = directory_list,
	.remove = directory_remove,
	.swap = directory_swap,
	.touch = directory_touch,
	.upload_open = directory_upload_open,
	.upload_write = directory_upload_write,
	.upload_read = directory_upload_read,
	.upload_close = directory_upload_close,
};

/* The file that says which layout this is; a new directory gets it. */
static int check_format(struct directory *d, struct err *e)
{
	char text[16];
	struct err why = ERR_INIT;

	if (storage_read(&d->storage, FORMAT_FILE, text, sizeof(text), &why) >= 0) {
		if (str_eq(text, FORMAT_TEXT))
			return 0;
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the storage has the layout '%.8s', this version knows 1", text);
	}
	if (why.class != ERR_NOT_FOUND) {
		if (e)
			*e = why;
		return -1;
	}
	return directory_put(&d->storage, FORMAT_FILE, FORMAT_TEXT, strlen(FORMAT_TEXT), e);
}

static int prepare(struct directory *d, struct err *e)
{
	static const char *const folders[] = {"blobs", "repositories", "uploads"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_(fd_close) int fd = make_folder(d->root, folders[i]);

		if (fd < 0)
			return err_errno(e, fd, "making '%s' in the storage", folders[i]);
	}
	d->lock = path_open_own(d->root, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (d->lock < 0)
		return err_errno(e, d->lock, "opening 'lock' in the storage");
	return check_format(d, e);
}

struct storage *storage_directory_at(int dir, struct err *e)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d) {
		err_errno(e, ENOMEM, "opening the storage");
		return NULL;
	}
	d->storage.ops = &directory_ops;
	d->lock = -1;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&d->stripes[i], NULL);
	d->root = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0)
		err_errno(e, errno, "opening the storage");
	if (d->root < 0 || prepare(d, e) < 0) {
		directory_free(&d->storage);
		return NULL;
	}
	return &d->storage;
}

/* Opens PATH, with its last component made where it is missing. */
static int open_root(const char *path)
{
	_cleanup_(fd_close) int parent = -1;
	_cleanup_(freep) char *copy = NULL;
	char *slash;
	int fd = path_open_host(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd != -ENOENT)
		return fd;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	parent = path_open_host(slash ? (*copy ? copy : "/") : ".",
				O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return parent < 0 ? parent : make_folder(parent, slash ? slash + 1 : copy);
}

struct storage *storage_directory_open(const char *path, struct err *e)
{
	_cleanup_(fd_close) int dir = open_root(path);
	struct storage *s;

	if (dir < 0) {
		err_errno(e, dir, "opening the storage '%s'", path);
		return NULL;
	}
	s = storage_directory_at(dir, e);
	if (!s)
		err_wrap(e, "the storage '%s'", path);
	return s;
}

ssize_t storage_read(struct storage *s, const char *key, char *out, size_t n, struct err *e)
{
	struct storage_stat st;
	_cleanup_(fd_close) int fd = s->ops->get(s, key, &st, e);
	ssize_t r;

	if (fd < 0)
		return -1;
	r = fd_read_full(fd, out, n);
	if (r < 0)
		return err_errno(e, (int)r, "reading '%s'", key);
	if ((size_t)r >= n)
		return err_set(e, ERR_CORRUPT, 0, "'%s' is larger than %zu bytes", key, n - 1);
	out[r] = '\0';
	return r;
}
