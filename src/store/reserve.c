/* SPDX-License-Identifier: Apache-2.0 */
/* Room for the database on a full disk. Removing something writes before it frees: rows change,
 * the log grows. So the store keeps a file of no use, and gives it up when it is opened on a disk
 * that has nothing left; the removal that follows finds room. As soon as a store is opened with
 * enough space, the file is made again. */
#include "store/store-internal.h"

#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RESERVE_NAME "reserve"
#define RESERVE_SIZE ((uint64_t)512 << 10)
/* Given up below, made again above. */
#define RESERVE_LOW  ((uint64_t)128 << 10)
#define RESERVE_HIGH ((uint64_t)8 << 20)

static void reserve_make(int root)
{
	_cleanup_(fd_close) int fd =
		path_open_own(root, RESERVE_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);

	/* Where it is there already, or the file system cannot: there is no more to be done */
	if (fd >= 0 && fallocate(fd, 0, 0, (off_t)RESERVE_SIZE) < 0)
		unlinkat(root, RESERVE_NAME, 0);
}

void store_reserve(struct store *s)
{
	struct statfs fs;
	uint64_t room;

	if (fstatfs(s->root, &fs) < 0)
		return;
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (room < RESERVE_LOW)
		unlinkat(s->root, RESERVE_NAME, 0);
	else if (room > RESERVE_HIGH)
		reserve_make(s->root);
}
