/* SPDX-License-Identifier: Apache-2.0 */
/* A socket's address is a path of at most 107 bytes, and state directories may lie deep: the
 * address goes through the directory's descriptor. */
#include "runtime/start-socket.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "start"

static int make(int dir, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir);
	return fd < 0 ? -errno : fd;
}

int start_socket_make(int dir)
{
	struct sockaddr_un addr;
	int fd = make(dir, &addr), r;

	if (fd < 0)
		return fd;
	if (unlinkat(dir, SOCKET_NAME, 0) < 0 && errno != ENOENT) {
		r = -errno;
	} else if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		   listen(fd, 1) < 0) {
		r = -errno;
	} else {
		return fd;
	}
	fd_close(&fd);
	return r;
}

int start_socket_connect(int dir)
{
	struct sockaddr_un addr;
	int fd = make(dir, &addr), r;

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	r = -errno;
	fd_close(&fd);
	return r;
}
