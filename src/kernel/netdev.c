/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/netdev.h"

#include "base/fd.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

enum { LO_INDEX = 1 };

struct link_request {
	struct nlmsghdr head;
	struct ifinfomsg info;
};

/* Sends REQUEST and receives the one answer into REPLY of N bytes. */
static int talk(struct link_request *request, void *reply, size_t n)
{
	_cleanup_(fd_close) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t got;

	if (sock < 0)
		return -errno;
	request->head.nlmsg_len = sizeof(*request);
	if (sendto(sock, request, sizeof(*request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return -errno;
	got = recv(sock, reply, n, 0);
	if (got < 0)
		return -errno;
	return got < (ssize_t)sizeof(struct nlmsghdr) ? -EPROTO : 0;
}

/* The errno of an NLMSG_ERROR answer. */
static int answer_errno(const void *reply)
{
	struct nlmsghdr head;
	struct nlmsgerr err;

	memcpy(&head, reply, sizeof(head));
	if (head.nlmsg_type != NLMSG_ERROR)
		return 0;
	memcpy(&err, (const char *)reply + NLMSG_HDRLEN, sizeof(err));
	return err.error;
}

int netdev_lo_up(void)
{
	struct link_request request = {
		.head = {.nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.info = {.ifi_family = AF_UNSPEC,
			 .ifi_index = LO_INDEX,
			 .ifi_flags = IFF_UP,
			 .ifi_change = IFF_UP},
	};
	char reply[512];
	int r = talk(&request, reply, sizeof(reply));

	return r < 0 ? r : answer_errno(reply);
}

int netdev_is_up(int index)
{
	struct link_request request = {
		.head = {.nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
		.info = {.ifi_family = AF_UNSPEC, .ifi_index = index},
	};
	struct ifinfomsg info;
	char reply[8192];
	int r = talk(&request, reply, sizeof(reply));

	if (r == 0)
		r = answer_errno(reply);
	if (r < 0)
		return r;
	memcpy(&info, reply + NLMSG_HDRLEN, sizeof(info));
	return (info.ifi_flags & IFF_UP) != 0;
}
