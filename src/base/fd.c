/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FDS_MAX = 16,
	FD_NUMBERS = 65536,
	COPY_CHUNK = 1 << 20,
	BOUNCE = 64 * 1024,
	FIRST_READ = 4000 /* of a file of unknown size; most are smaller */
};

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

ssize_t fd_read_full(int fd, void *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, (char *)data + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t fd_pread_full(int fd, void *data, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)data + done, n - done, at + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

int fd_write_full(int fd, const void *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = write(fd, (const char *)data + done, n - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EIO;
		done += (size_t)r;
	}
	return 0;
}

int fd_read_all(int fd, struct buf *out, size_t max)
{
	size_t start = out->len;

	for (;;) {
		size_t room = MAX((size_t)FIRST_READ, MIN(out->len - start, (size_t)BOUNCE));
		ssize_t n;
		int r;

		if (out->len - start > max)
			return -EFBIG;
		r = buf_reserve(out, room + 1);
		if (r < 0)
			return r;
		n = read(fd, out->data + out->len, MIN(room, max - (out->len - start) + 1));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		out->data[out->len + (size_t)n] = '\0';
		if (n == 0)
			return 0;
		out->len += (size_t)n;
	}
}

/* One step of a copy by the kernel. Returns the count, 0 at the end, or a negative errno. */
static ssize_t copy_in_kernel(int in, int out, size_t n, bool *range_works)
{
	ssize_t r;

	if (*range_works) {
		r = copy_file_range(in, NULL, out, NULL, n, 0);
		if (r >= 0)
			return r;
		if (errno == EINTR)
			return -EINTR;
		*range_works = false;
	}
	r = sendfile(out, in, NULL, n);
	return r < 0 ? -errno : r;
}

static ssize_t copy_by_hand(int in, int out, size_t n)
{
	char data[BOUNCE];
	ssize_t r = read(in, data, MIN(n, sizeof(data)));
	int w;

	if (r < 0)
		return -errno;
	w = fd_write_full(out, data, (size_t)r);
	return w < 0 ? w : r;
}

int fd_copy(int in, int out, uint64_t n, uint64_t *ret_n)
{
	bool range_works = true, kernel_works = true;
	uint64_t done = 0;

	while (done < n) {
		size_t want = (size_t)MIN(n - done, (uint64_t)COPY_CHUNK);
		ssize_t r = kernel_works ? copy_in_kernel(in, out, want, &range_works)
					 : copy_by_hand(in, out, want);

		if (r == -EINTR)
			continue;
		/* copy_file_range answers 0 on some special files (procfs): look once more by
		 * hand before that counts as the end. */
		if (kernel_works &&
		    (r == -EINVAL || r == -ENOSYS || r == -EBADF || (r == 0 && done == 0))) {
			kernel_works = false;
			continue;
		}
		if (r < 0)
			return (int)r;
		if (r == 0)
			break;
		done += (uint64_t)r;
	}
	if (ret_n)
		*ret_n = done;
	return 0;
}

int fd_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	flags = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}

void fd_cloexec_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = first; fd < FD_NUMBERS; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_reopen(int fd, int flags)
{
	char path[40];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = openat(AT_FDCWD, path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

int fd_pipe(int ret_read_write[2])
{
	return pipe2(ret_read_write, O_CLOEXEC) < 0 ? -errno : 0;
}

int fd_memfd(const char *name, const void *data, size_t n, bool seal)
{
	_cleanup_(fd_close) int fd = -1;
	int r;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = fd_write_full(fd, data, n);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	if (seal &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int fd_send(int sock, const void *data, size_t n, const int *fds, size_t n_fds)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec iov = {.iov_base = n ? (void *)(uintptr_t)data : &byte, .iov_len = n ? n : 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	if (n_fds > FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *c;

		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if ((size_t)r == iov.iov_len)
		return 0;
	return fd_write_full(sock, (const char *)iov.iov_base + r, iov.iov_len - (size_t)r);
}

/* Takes the descriptors of one control message; too many are closed and counted as an error. */
static int take_fds(struct msghdr *msg, int *ret_fds, size_t n_fds)
{
	size_t at = 0;
	int r = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (at < n_fds) {
				ret_fds[at++] = fd;
				continue;
			}
			close(fd);
			r = -EPROTO;
		}
	}
	return r;
}

ssize_t fd_recv(int sock, void *data, size_t n, int *ret_fds, size_t n_fds)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = data, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t r;
	int taken;

	for (size_t i = 0; i < n_fds; i++)
		ret_fds[i] = -1;
	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	taken = take_fds(&msg, ret_fds, n_fds);
	if (taken < 0 || (msg.msg_flags & MSG_CTRUNC)) {
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&ret_fds[i]);
		return -EPROTO;
	}
	return r;
}
