/* SPDX-License-Identifier: Apache-2.0 */
/* kogge.db-shm is SQLite's index of the log, shared memory of all who have the database open. Who
 * opens it while nobody else has it open empties it (ftruncate to 3 bytes, its only use of that
 * size) and builds it again by reading the whole log: without a daemon that is every command.
 *
 * SQLite cannot know whether the file is a leftover of before a crash of the machine, with pages
 * that reached the disk and others that did not. Within one boot it is what the last process left
 * in the page cache, whole: the same as if that process were still there, and SQLite's index is
 * made to survive the death of a process at any point. So the call that empties it is replaced by
 * one that leaves it alone where
 * - an attribute of the file names this boot; it is set when the file is emptied;
 * - its header is whole, and the log has the last frame that it names, with the same salts and the
 *   same running checksum, which covers all frames before: nobody has replaced one of the files.
 * Anything else empties it. https://www.sqlite.org/walformat.html describes both files. */
#include "store/db-index.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define INDEX_EMPTY   3 /* the size to which SQLite empties it */
#define INDEX_VERSION 3007000
#define INDEX_ATTR    "user.kogge.boot"
#define BOOT_ID_SIZE  36
#define LOG_HEADER    32

/* In the byte order of the machine, as all of the index. */
struct index_header {
	uint32_t version;
	uint32_t unused;
	uint32_t changes;
	uint8_t is_init;
	uint8_t big_endian;
	uint16_t page_size; /* 1: 65536 */
	uint32_t max_frame;
	uint32_t pages;
	uint32_t frame_sum[2];
	uint32_t salt[2]; /* as in the log */
	uint32_t sum[2];
};
_Static_assert(sizeof(struct index_header) == 48, "as SQLite has it");

/* Big-endian. */
struct frame_header {
	uint32_t page;
	uint32_t pages;
	uint32_t salt[2];
	uint32_t sum[2];
};

typedef int (*truncate_fn)(int fd, off_t size);
static truncate_fn index_truncate; /* SQLite's own */

static bool index_boot(char ret[BOOT_ID_SIZE])
{
	_cleanup_(fd_close) int fd = path_open_host("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);

	return fd >= 0 && read(fd, ret, BOOT_ID_SIZE) == BOOT_ID_SIZE;
}

static bool index_of_boot(int fd, const char boot[BOOT_ID_SIZE])
{
	char found[BOOT_ID_SIZE];

	return fgetxattr(fd, INDEX_ATTR, found, sizeof(found)) == BOOT_ID_SIZE &&
	       memcmp(found, boot, BOOT_ID_SIZE) == 0;
}

/* The log beside the index FD. Nobody in this process has it open: a lock would be lost. */
static int index_open_log(int fd)
{
	char self[64], path[4096];
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, path, sizeof(path) - 1);
	if (n < 4 || n == sizeof(path) - 1)
		return -ENAMETOOLONG;
	path[n] = '\0';
	if (!str_eq(path + n - 4, "-shm"))
		return -EINVAL;
	memcpy(path + n - 3, "wal", 3);
	return path_open_host(path, O_RDONLY, 0);
}

/* Whether the log has the last frame that H names; none where it names none. */
static bool index_fits_log(const struct index_header *h, int log)
{
	uint32_t page = h->page_size == 1 ? 65536 : h->page_size;
	struct frame_header f;
	struct stat sb;

	if (h->max_frame == 0)
		return fstat(log, &sb) == 0 && sb.st_size == 0;
	return pread(log, &f, sizeof(f),
		     LOG_HEADER + (off_t)(h->max_frame - 1) * (off_t)(sizeof(f) + page)) ==
		       sizeof(f) &&
	       memcmp(f.salt, h->salt, sizeof(f.salt)) == 0 &&
	       be32toh(f.sum[0]) == h->frame_sum[0] && be32toh(f.sum[1]) == h->frame_sum[1];
}

static bool index_fits(int fd)
{
	_cleanup_(fd_close) int log = -1;
	struct index_header h[2];

	if (pread(fd, h, sizeof(h), 0) != sizeof(h) || memcmp(&h[0], &h[1], sizeof(h[0])) != 0 ||
	    h[0].version != INDEX_VERSION || !h[0].is_init)
		return false;
	log = index_open_log(fd);
	return log >= 0 && index_fits_log(&h[0], log);
}

static int index_truncate_or_keep(int fd, off_t size)
{
	char boot[BOOT_ID_SIZE];
	int r;

	if (size != INDEX_EMPTY || !index_boot(boot))
		return index_truncate(fd, size);
	if (index_of_boot(fd, boot) && index_fits(fd))
		return 0;
	r = index_truncate(fd, size);
	if (r == 0)
		/* Where the file system has no attributes the next one empties it, too. */
		(void)fsetxattr(fd, INDEX_ATTR, boot, BOOT_ID_SIZE, 0);
	return r;
}

void db_index_keep(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (index_truncate || !vfs || vfs->iVersion < 3)
		return;
	index_truncate = (truncate_fn)vfs->xGetSystemCall(vfs, "ftruncate");
	if (index_truncate)
		vfs->xSetSystemCall(vfs, "ftruncate", (sqlite3_syscall_ptr)index_truncate_or_keep);
}
