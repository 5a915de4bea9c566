/* SPDX-License-Identifier: Apache-2.0 */
/* The rules translate nothing: they write the port of packets from the container to itself, in both
 * directions, without connection tracking.
 *
 *   out: to 127.0.0.11 port 53          -> port P
 *   out: from 127.0.0.11 port P         -> from port 53 */
#include "net/resolver-sockets.h"

#include "base/fd.h"
#include "kernel/nft.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

enum {
	BACKLOG = 64,
	DNS_PORT = 53,
	IP_SOURCE = 12,
	IP_DESTINATION = 16,
	PORT_SOURCE = 0,
	PORT_DESTINATION = 2,
	SUM_UDP = 6,
	SUM_TCP = 16,
	PRIORITY = -150,
};

static const struct nft_place place = {NFPROTO_IPV4, "kogge-names"};

static int make_socket(int type, struct sockaddr_in *ret_at)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	_cleanup_(fd_close) int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(at);
	int on = 1;

	if (fd < 0)
		return -errno;
	at.sin_addr.s_addr = htonl(0x7f00000b);
	/* The loopback link may not be up yet. */
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
	    getsockname(fd, (struct sockaddr *)ret_at, &n) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static struct nft_expr bytes(uint8_t op, uint32_t a, uint32_t b, const void *data, uint8_t n)
{
	struct nft_expr x = {.op = op, .n = n, .a = a, .b = b};

	memcpy(x.data, data, n);
	return x;
}

/* Packets of PROTO whose address at ADDRESS is ours and whose port at PORT is FROM get the port TO.
 */
struct rewrite {
	uint8_t proto, sum;
	uint32_t address, port;
	uint16_t from, to; /* in the net's order */
};

static void add_rewrite(struct nl_batch *b, const struct rewrite *w)
{
	static const uint8_t ours[] = {127, 0, 0, 11};
	const struct nft_expr exprs[] = {
		{.op = NFT_OP_META, .a = NFT_META_L4PROTO, .b = 0},
		bytes(NFT_OP_CMP, 0, NFT_CMP_EQ, &w->proto, 1),
		{.op = NFT_OP_PAYLOAD,
		 .n = 4,
		 .a = NFT_PAYLOAD_NETWORK_HEADER,
		 .b = w->address,
		 .c = 0},
		bytes(NFT_OP_CMP, 0, NFT_CMP_EQ, ours, 4),
		{.op = NFT_OP_PAYLOAD,
		 .n = 2,
		 .a = NFT_PAYLOAD_TRANSPORT_HEADER,
		 .b = w->port,
		 .c = 0},
		bytes(NFT_OP_CMP, 0, NFT_CMP_EQ, &w->from, 2),
		bytes(NFT_OP_LOAD, 0, 0, &w->to, 2),
		{.op = NFT_OP_PAYLOAD_SET,
		 .n = 2,
		 .a = NFT_PAYLOAD_TRANSPORT_HEADER,
		 .b = w->port,
		 .c = 0,
		 .data = {w->sum}},
	};
	const struct nft_rule rule = {.chain = "out", .exprs = exprs, .n = ARRAY_SIZE(exprs)};

	nft_rule_add(b, &place, &rule);
}

static void add_rules(struct nl_batch *b, uint16_t udp, uint16_t tcp)
{
	static const struct nft_chain chain = {"out", "filter", NF_INET_LOCAL_OUT, PRIORITY};
	const uint16_t dns = htons(DNS_PORT);
	const struct rewrite all[] = {
		{IPPROTO_UDP, SUM_UDP, IP_DESTINATION, PORT_DESTINATION, dns, udp},
		{IPPROTO_UDP, SUM_UDP, IP_SOURCE, PORT_SOURCE, udp, dns},
		{IPPROTO_TCP, SUM_TCP, IP_DESTINATION, PORT_DESTINATION, dns, tcp},
		{IPPROTO_TCP, SUM_TCP, IP_SOURCE, PORT_SOURCE, tcp, dns},
	};

	/* Made, so that it can be removed; removed, so that it is empty. */
	nft_table(b, &place);
	nft_table_delete(b, &place);
	nft_table(b, &place);
	nft_chain_add(b, &place, &chain);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		add_rewrite(b, &all[i]);
}

/* In the container's namespace. */
static int make(int ret[2], struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int nl = nl_open(NETLINK_NETFILTER);
	struct sockaddr_in at[2] = {{.sin_port = 0}};
	struct nl_fault fault = {.message = 0};
	int r;

	ret[0] = make_socket(SOCK_DGRAM, &at[0]);
	ret[1] = make_socket(SOCK_STREAM, &at[1]);
	if (nl < 0 || ret[0] < 0 || ret[1] < 0)
		return err_errno(e,
				 nl < 0       ? nl
				 : ret[0] < 0 ? ret[0]
					      : ret[1],
				 "making the resolver's sockets");
	nft_begin(&b);
	add_rules(&b, at[0].sin_port, at[1].sin_port);
	r = nft_commit(nl, &b, &fault);
	return r < 0 ? err_errno(e, r,
				 "leading " RESOLVER_ADDRESS " to the resolver by nftables%s%s",
				 fault.text[0] ? ": " : "", fault.text)
		     : 0;
}

int resolver_sockets_make(int netns, int ret_udp_tcp[2], struct err *e)
{
	_cleanup_(fd_close) int proc = proc_open(0), own = -1;
	int fds[2] = {-1, -1}, r, made;

	own = proc < 0 ? proc : ns_open(proc, PROC_SELF, CLONE_NEWNET);
	r = own < 0 ? own : ns_join(netns, CLONE_NEWNET);
	if (r < 0)
		return err_errno(e, r, "entering the container's network namespace");
	made = make(fds, e);
	r = ns_join(own, CLONE_NEWNET);
	if (r < 0)
		made = err_errno(e, r, "returning from the container's network namespace");
	if (made < 0) {
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		return -1;
	}
	memcpy(ret_udp_tcp, fds, sizeof(fds));
	return 0;
}
