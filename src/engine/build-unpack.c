/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of a local archive: known by its content, never by its name; unpacked by kogge-unpack,
 * confined to the new layer. What only begins like an archive is copied as it is. */
#include "base/fd.h"
#include "base/path.h"
#include "codec/stream.h"
#include "engine/build-copy-internal.h"
#include "kernel/mount.h"
#include "store/tree-untar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512 };

/* Whether the first block, decompressed, is a header of tar. */
static bool begins_like_tar(int fd)
{
	const struct stream_limits limits = {.max_out = 1 << 20};
	_cleanup_(stream_freep) struct stream *in = stream_from_fd(fd, NULL);
	_cleanup_(stream_freep) struct stream *plain = NULL;
	struct err ignored = ERR_INIT;
	char head[BLOCK] = "";
	ssize_t n;

	if (!in)
		return false;
	plain = stream_decompress(in, &limits, NULL, &ignored);
	/* xz and bzip2 are read by kogge-unpack alone. */
	if (!plain)
		return ignored.class == ERR_UNSUPPORTED;
	n = stream_read_full(plain, head, sizeof(head), &ignored);
	return n == BLOCK && memcmp(head + 257, "ustar", 5) == 0;
}

bool build_is_archive(const struct build_found *found)
{
	_cleanup_(fd_close) int fd = -1;

	if (!S_ISREG(found->st.st_mode))
		return false;
	fd = fd_reopen(found->fd, O_RDONLY | O_NOCTTY);
	return fd >= 0 && begins_like_tar(fd);
}

int build_unpack(int root, const struct build_copy *c, const struct build_found *found,
		 struct err *e)
{
	_cleanup_(fd_close) int dir = build_open_dirs(root, c->dest, &c->owner, e);
	_cleanup_(fd_close) int mnt = -1, fd = -1;
	struct tree_untar u = {.prefix = c->dest,
			       .owner = c->owner.given ? UNPACK_OWNER_GIVEN : UNPACK_OWNER_ARCHIVE,
			       .uid = c->owner.uid,
			       .gid = c->owner.gid};

	if (dir < 0)
		return -1;
	mnt = mount_clone(root, false);
	fd = mnt < 0 ? mnt : fd_reopen(found->fd, O_RDONLY | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, fd, "unpacking '%s'", found->path);
	u.mount = mnt;
	return tree_untar_fd(&u, fd, e) < 0 ? err_wrap(e, "unpacking '%s'", found->path) : 0;
}
