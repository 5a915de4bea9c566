/* SPDX-License-Identifier: Apache-2.0 */
/* A published port is taken by a socket that is bound and never listens: programs of the host
 * cannot have it meanwhile, and rules translate its packets before they come to it. Who has it
 * already is found as ss(8) does: the kernel names the socket's inode, and /proc its process. */
#include "base/fd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "net/net-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

static socklen_t fill(const struct net_port *port, int family, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port->host_port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port->host_port)};

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET) {
		memcpy(&in.sin_addr, port->host.a, 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, port->host.a, 16);
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

struct search {
	const struct net_port *port;
	uint32_t inode;
};

static int on_socket(void *arg, const struct nl_message *m)
{
	struct search *s = arg;
	struct inet_diag_msg d;

	if (m->type != SOCK_DIAG_BY_FAMILY || m->n < sizeof(d))
		return 0;
	memcpy(&d, m->data, sizeof(d));
	/* A listener, or a datagram socket without a peer */
	if (ntohs(d.id.idiag_sport) == s->port->host_port && d.id.idiag_dport == 0 && d.idiag_inode)
		s->inode = d.idiag_inode;
	return 0;
}

/* The inode of the socket that has the port, or 0. */
static uint32_t find_inode(const struct net_port *port)
{
	_cleanup_(fd_close) int sock = nl_open(NETLINK_SOCK_DIAG);
	struct search s = {.port = port};

	for (int i = 0; sock >= 0 && i < 2 && !s.inode; i++) {
		_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
		const struct inet_diag_req_v2 q = {.sdiag_family = i ? AF_INET6 : AF_INET,
						   .sdiag_protocol = port->protocol,
						   .idiag_states = ~0U};

		nl_begin(&b, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q));
		nl_ask(sock, &b, on_socket, &s);
	}
	return s.inode;
}

static int in_use(const struct net_port *port, struct err *e)
{
	char address[NET_IP_TEXT], name[64] = "";
	uint32_t inode = find_inode(port);
	_cleanup_(fd_close) int proc = inode ? proc_open(0) : -1;
	pid_t pid = proc < 0 ? -1 : proc_socket_owner(proc, inode, name, sizeof(name));

	err_set(e, ERR_CONFLICT, EADDRINUSE, "publishing %s:%u/%s",
		port->host.family ? net_ip_text(&port->host, address) : "*", port->host_port,
		protocol_name(port->protocol));
	if (pid > 0)
		return err_hint(e, "process %d (%s) has the port", pid, name);
	return err_hint(e, "another program has the port");
}

static int bind_one(const struct net_port *port, int family)
{
	const int type = port->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	_cleanup_(fd_close) int fd = socket(family, type | SOCK_CLOEXEC, port->protocol);
	const int off = port->host.family != 0, on = 1;
	struct sockaddr_storage a;
	socklen_t n = fill(port, family, &a);
	int r;

	if (fd < 0)
		return -errno;
	/* One socket for both families where both are meant */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&a, n) == 0)
		return TAKE_FD(fd);
	r = -errno;
	if (r != -EADDRINUSE || type != SOCK_STREAM || find_inode(port))
		return r;
	/* Nobody has it: connections of a server that has ended keep it (TIME_WAIT). */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&a, n) < 0 ? -errno : TAKE_FD(fd);
}

int net_port_hold(const struct net_port *port, struct err *e)
{
	int fd = bind_one(port, port->host.family ? port->host.family : AF_INET6);
	char address[NET_IP_TEXT];

	/* No IPv6 here */
	if (fd == -EAFNOSUPPORT && !port->host.family)
		fd = bind_one(port, AF_INET);
	if (fd >= 0)
		return fd;
	if (fd == -EADDRINUSE)
		return in_use(port, e);
	if (fd == -EADDRNOTAVAIL)
		return err_set(e, ERR_INVALID, EADDRNOTAVAIL,
			       "publishing on %s: the host has no such address",
			       net_ip_text(&port->host, address));
	if (fd == -EPROTONOSUPPORT)
		return err_set(e, ERR_UNSUPPORTED, EPROTONOSUPPORT,
			       "publishing port %u/%s: this kernel has no such sockets",
			       port->host_port, protocol_name(port->protocol));
	return err_errno(e, fd, "publishing port %u/%s", port->host_port,
			 protocol_name(port->protocol));
}
