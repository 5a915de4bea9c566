/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/log-journal.h"

#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

int log_journal_open(void)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
	int size = 8 << 20;
	struct timeval patience = {.tv_sec = 5};

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return TAKE_FD(fd);
}

/* The fields but the message. Values hold no line feed: names and numbers of ours. */
static int fields(const struct log_config *c, const struct log_record *r, char *out, size_t size)
{
	return snprintf(out, size,
			"PRIORITY=%d\nCONTAINER_ID=%.12s\nCONTAINER_ID_FULL=%s\n"
			"CONTAINER_NAME=%s\nCONTAINER_TAG=%s\nSYSLOG_IDENTIFIER=%s\n"
			"IMAGE_NAME=%s\nSYSLOG_TIMESTAMP=%lld.%09lld\n%sMESSAGE\n",
			r->stream == 2 ? 3 : 6, c->id, c->id, c->name, c->tag, c->tag, c->image,
			(long long)(r->time / 1000000000), (long long)(r->time % 1000000000),
			r->partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "");
}

int log_journal_send(int *sock, const struct log_config *c, const struct log_record *r)
{
	char head[2048];
	int n = fields(c, r, head, sizeof(head));
	uint64_t size = htole64(r->n);
	struct iovec parts[] = {{head, (size_t)n},
				{&size, sizeof(size)},
				{(void *)(uintptr_t)r->data, r->n},
				{(char[]){"\n"}, 1}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};

	if (n < 0 || (size_t)n >= sizeof(head))
		return -EMSGSIZE;
	if (*sock < 0)
		*sock = log_journal_open();
	if (*sock < 0)
		return *sock;
	/* A journal that was restarted has a new socket. */
	if (sendmsg(*sock, &m, MSG_NOSIGNAL) >= 0)
		return 0;
	fd_close(sock);
	*sock = log_journal_open();
	return *sock >= 0 && sendmsg(*sock, &m, MSG_NOSIGNAL) >= 0 ? 0 : -errno;
}
