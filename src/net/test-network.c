/* SPDX-License-Identifier: Apache-2.0 */
/* A host, a neighbour on its LAN and containers, each a network namespace that this test makes:
 *
 *   lan 203.0.113.2, 2001:db8::2 --- 203.0.113.1, 2001:db8::1 host --- kgtest0 --- containers
 */
#include "net/net.h"

#include "base/fd.h"
#include "kernel/ns.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"
#include "net/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* How long something that must come is waited for, and something that must not. */
enum { SOON = 20000, NEVER = 250, CONTAINERS = 3 };

static const char id_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char id_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

struct world {
	int home, host, lan;
	int box[CONTAINERS];
	struct net_session s;
	struct net_subnet subnets_a[2], subnets_b[1];
	struct net a, b;
	struct net_endpoint p[CONTAINERS];
};

static int open_ns(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void enter(int ns)
{
	assert_int_equal(ns_join(ns, CLONE_NEWNET), 0);
}

/* A new namespace with its loopback up; the caller is in it afterwards. */
static int new_ns(void)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;

	assert_int_equal(ns_unshare(CLONE_NEWNET), 0);
	sock = nl_open(NETLINK_ROUTE);
	rtnl_set_up(&b, "lo", true);
	assert_int_equal(nl_run(sock, &b, NULL), 0);
	return open_ns();
}

static struct net_ip ip(const char *s)
{
	struct net_ip v = {.family = 0};

	if (strchr(s, '/'))
		assert_int_equal(net_prefix_parse(s, true, &v), 0);
	else
		assert_int_equal(net_ip_parse(s, &v), 0);
	return v;
}

/* Gives the link of the current namespace addresses and a way out. */
static void dress(const char *link, const char *const addresses[], const char *const gateways[])
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = nl_open(NETLINK_ROUTE);
	struct rtnl_link l;
	struct nl_fault f;

	assert_int_equal(rtnl_link_find(sock, link, &l), 0);
	rtnl_set_up(&b, link, true);
	for (size_t i = 0; addresses[i]; i++) {
		struct net_ip v = ip(addresses[i]);

		rtnl_add_address(&b, &(struct rtnl_address){l.index, v.family, v.bits, v.a});
	}
	for (size_t i = 0; gateways[i]; i++) {
		struct net_ip v = ip(gateways[i]);

		rtnl_default_route(&b, &(struct rtnl_address){l.index, v.family, 0, v.a});
	}
	assert_int_equal(nl_run(sock, &b, &f), 0);
}

static void make_lan(struct world *w)
{
	static const char *const host[] = {"203.0.113.1/24", "2001:db8::1/64", NULL};
	static const char *const lan[] = {"203.0.113.2/24", "2001:db8::2/64", NULL};
	static const char *const none[] = {NULL};
	static const char *const out[] = {"203.0.113.2", NULL};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;
	struct rtnl_new ours = {.name = "eth0"}, theirs = {.name = "eth0", .netns = w->lan};

	enter(w->host);
	sock = nl_open(NETLINK_ROUTE);
	rtnl_add_veth(&b, &ours, &theirs);
	assert_int_equal(nl_run(sock, &b, NULL), 0);
	enter(w->lan);
	dress("eth0", lan, none);
	enter(w->host);
	dress("eth0", host, out);
}

static void describe(struct world *w)
{
	w->subnets_a[0] = (struct net_subnet){.subnet = ip("10.77.0.0/16")};
	w->subnets_a[1] = (struct net_subnet){.subnet = ip("fd77::/64")};
	w->subnets_b[0] = (struct net_subnet){.subnet = ip("10.78.0.0/24")};
	assert_int_equal(net_subnet_check(&w->subnets_a[0], true, NULL), 0);
	assert_int_equal(net_subnet_check(&w->subnets_a[1], true, NULL), 0);
	assert_int_equal(net_subnet_check(&w->subnets_b[0], true, NULL), 0);
	w->a = (struct net){.driver = NET_BRIDGE,
			    .name = "a",
			    .link = "kgtest0",
			    .subnets = w->subnets_a,
			    .n_subnets = 2,
			    .ipv6 = true,
			    .icc = true,
			    .masquerade4 = true,
			    .masquerade6 = true};
	w->b = w->a;
	w->b.name = "b";
	w->b.ipv6 = false;
	w->b.subnets = w->subnets_b;
	w->b.n_subnets = 1;
	memcpy(w->a.id, id_a, sizeof(id_a));
	memcpy(w->b.id, id_b, sizeof(id_b));
	memcpy(w->b.link, "kgtest1", 8);
}

/* The Nth place on network N. */
static struct net_endpoint place(const struct net *n, unsigned i)
{
	struct net_endpoint p = {.link = "eth0"};

	snprintf(p.container, sizeof(p.container), "%064x", i + 1);
	net_endpoint_link(p.container, n->id, p.host_link);
	p.ip4 = net_prefix_nth(&n->subnets[0].subnet, i + 2);
	p.gateway4 = n->subnets[0].gateway;
	net_mac_of(&p.ip4, p.mac);
	if (n->n_subnets > 1) {
		p.ip6 = net_prefix_nth(&n->subnets[1].subnet, i + 2);
		p.gateway6 = n->subnets[1].gateway;
	}
	return p;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || geteuid() != 0)
		return w ? (*state = NULL, free(w), 0) : -1;
	w->s = NET_SESSION_INIT;
	w->home = open_ns();
	w->lan = new_ns();
	for (unsigned i = 0; i < CONTAINERS; i++)
		w->box[i] = new_ns();
	w->host = new_ns();
	describe(w);
	make_lan(w);
	for (unsigned i = 0; i < CONTAINERS; i++)
		w->p[i] = place(&w->a, i);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (!w)
		return 0;
	net_session_done(&w->s);
	enter(w->home);
	for (unsigned i = 0; i < CONTAINERS; i++)
		fd_close(&w->box[i]);
	fd_close(&w->lan);
	fd_close(&w->host);
	fd_close(&w->home);
	free(w);
	return 0;
}

#define NEED_ROOT(w)                                                                               \
	do {                                                                                       \
		if (!(w)) {                                                                        \
			print_message("not root\n");                                               \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static void good(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s", e->msg);
}

static void attach(struct world *w, const struct net *n, unsigned i)
{
	struct err e = ERR_INIT;

	enter(w->host);
	good(net_attach(&w->s, n, &w->p[i], w->box[i], &e), &e);
}

/* ---- sockets anywhere ---- */

static socklen_t fill(const struct net_ip *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (a->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->a, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->a, 16);
	return sizeof(*in6);
}

static int socket_in(int ns, int type, const char *address, uint16_t port)
{
	struct net_ip a = ip(address);
	struct sockaddr_storage to;
	socklen_t n = fill(&a, port, &to);
	int fd, on = 1;

	enter(ns);
	fd = socket(a.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, n) < 0)
		fail_msg("bind %s: %s", address, strerror(errno));
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* Whether a connection from namespace FROM to TO:PORT arrives at LISTENER within MS; the peer that
 * the server sees goes to PEER where it is not NULL. */
static bool reaches(int from, const char *to, uint16_t port, int listener, char *peer)
{
	struct net_ip a = ip(to);
	struct sockaddr_storage addr;
	socklen_t n = fill(&a, port, &addr);
	_cleanup_(fd_close) int fd = -1, got = -1;
	bool ok;

	enter(from);
	fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(fd, (struct sockaddr *)&addr, n) < 0 && errno != EINPROGRESS)
		return false;
	ok = readable(listener, peer ? SOON : NEVER);
	if (!ok)
		return false;
	n = sizeof(addr);
	got = accept4(listener, (struct sockaddr *)&addr, &n, SOCK_CLOEXEC);
	assert_true(got >= 0);
	/* The way back as well */
	assert_int_equal(send(got, "x", 1, MSG_NOSIGNAL), 1);
	if (!readable(fd, SOON))
		return false;
	if (peer && addr.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&addr)->sin_addr, peer,
			  NET_IP_TEXT);
	else if (peer)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&addr)->sin6_addr, peer,
			  NET_IP_TEXT);
	return true;
}

static void assert_reaches(int from, const char *to, uint16_t port, int listener, const char *want)
{
	char peer[NET_IP_TEXT] = "";

	if (!reaches(from, to, port, listener, peer))
		fail_msg("%s:%u is not reached", to, port);
	if (want)
		assert_string_equal(peer, want);
}

static void assert_cut(int from, const char *to, uint16_t port, int listener)
{
	if (reaches(from, to, port, listener, NULL))
		fail_msg("%s:%u is reached", to, port);
}

/* Tells the kernel of namespace NS that TO is reached over eth0 and VIA. */
static void route(int ns, const char *to, const char *via)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;
	struct net_ip dst = ip(to), gw = ip(via);
	const struct rtmsg m = {.rtm_family = dst.family,
				.rtm_dst_len = dst.bits,
				.rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_BOOT,
				.rtm_scope = RT_SCOPE_UNIVERSE,
				.rtm_type = RTN_UNICAST};
	struct nl_fault f;

	enter(ns);
	sock = nl_open(NETLINK_ROUTE);
	nl_begin(&b, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	nl_put(&b, RTA_DST, dst.a, net_ip_width(&dst) / 8);
	nl_put(&b, RTA_GATEWAY, gw.a, net_ip_width(&gw) / 8);
	if (nl_run(sock, &b, &f) < 0)
		fail_msg("route to %s: %s %s", to, strerror(-f.errnum), f.text);
}

/* ---- tests ---- */

static void containers_talk_to_each_other_and_out(void **state)
{
	struct world *w = *state;
	_cleanup_(fd_close) int in1 = -1, out4 = -1, out6 = -1, in6 = -1;

	NEED_ROOT(w);
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	in1 = socket_in(w->box[1], SOCK_STREAM, "10.77.0.3", 80);
	in6 = socket_in(w->box[1], SOCK_STREAM, "fd77::3", 80);
	out4 = socket_in(w->lan, SOCK_STREAM, "203.0.113.2", 80);
	out6 = socket_in(w->lan, SOCK_STREAM, "2001:db8::2", 80);
	assert_reaches(w->box[0], "10.77.0.3", 80, in1, "10.77.0.2");
	assert_reaches(w->box[0], "fd77::3", 80, in6, "fd77::2");
	assert_reaches(w->host, "10.77.0.3", 80, in1, "10.77.0.1");
	assert_reaches(w->box[0], "203.0.113.2", 80, out4, "203.0.113.1");
	assert_reaches(w->box[0], "2001:db8::2", 80, out6, "2001:db8::1");
}

static void published_ports_are_reached_from_everywhere(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l4 = -1, l6 = -1;

	NEED_ROOT(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	w->p[2] = place(&w->b, 2);
	attach(w, &w->b, 2);
	l4 = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	l6 = socket_in(w->box[0], SOCK_STREAM, "fd77::2", 80);
	/* True client addresses */
	assert_reaches(w->lan, "203.0.113.1", 8080, l4, "203.0.113.2");
	assert_reaches(w->lan, "2001:db8::1", 8080, l6, "2001:db8::2");
	assert_reaches(w->host, "203.0.113.1", 8080, l4, NULL);
	assert_reaches(w->host, "127.0.0.1", 8080, l4, "10.77.0.1");
	assert_reaches(w->host, "2001:db8::1", 8080, l6, NULL);
	/* Hairpin: a neighbour, itself, another network */
	assert_reaches(w->box[1], "203.0.113.1", 8080, l4, NULL);
	assert_reaches(w->box[0], "203.0.113.1", 8080, l4, NULL);
	assert_reaches(w->box[0], "10.77.0.1", 8080, l4, NULL);
	assert_reaches(w->box[2], "203.0.113.1", 8080, l4, "10.78.0.4");
}

static void N01_a_port_published_on_loopback_is_the_hosts_alone(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {
		{.host = ip("127.0.0.1"), .host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l = -1, wide = -1;

	NEED_ROOT(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	assert_reaches(w->host, "127.0.0.1", 8080, l, "10.77.0.1");
	assert_cut(w->lan, "203.0.113.1", 8080, l);
	assert_cut(w->box[1], "10.77.0.1", 8080, l);
	/* A neighbour that sends 127.0.0.2 over the wire: its own kernel must be told to */
	enter(w->lan);
	assert_int_equal(net_sysctl(&w->s, "net.ipv4.conf.all.route_localnet", "1", NULL), 0);
	assert_int_equal(net_sysctl(&w->s, "net.ipv4.conf.eth0.route_localnet", "1", NULL), 0);
	wide = socket_in(w->host, SOCK_STREAM, "127.0.0.1", 9090);
	assert_cut(w->lan, "127.0.0.1", 8080, l);
	assert_cut(w->lan, "127.0.0.1", 9090, wide);
}

static void N02_container_addresses_are_not_reached_from_outside(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l = -1, l6 = -1;

	NEED_ROOT(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	l6 = socket_in(w->box[0], SOCK_STREAM, "fd77::2", 80);
	route(w->lan, "10.77.0.0/16", "203.0.113.1");
	route(w->lan, "fd77::/64", "2001:db8::1");
	assert_cut(w->lan, "10.77.0.2", 80, l);
	assert_cut(w->lan, "fd77::2", 80, l6);
	assert_reaches(w->lan, "203.0.113.1", 8080, l, "203.0.113.2");
}

static void routed_networks_open_their_ports_and_no_others(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 80, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l = -1, shut = -1, out = -1;

	NEED_ROOT(w);
	w->a.routed6 = true;
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	l = socket_in(w->box[0], SOCK_STREAM, "fd77::2", 80);
	shut = socket_in(w->box[0], SOCK_STREAM, "fd77::2", 81);
	out = socket_in(w->lan, SOCK_STREAM, "2001:db8::2", 80);
	route(w->lan, "fd77::/64", "2001:db8::1");
	assert_reaches(w->lan, "fd77::2", 80, l, "2001:db8::2");
	assert_cut(w->lan, "fd77::2", 81, shut);
	assert_reaches(w->box[0], "2001:db8::2", 80, out, "fd77::2");
}

static void N03_only_the_hosts_own_addresses_are_published(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 53, .port = 53, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l = -1, theirs = -1;

	NEED_ROOT(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 53);
	theirs = socket_in(w->lan, SOCK_STREAM, "0.0.0.0", 53);
	assert_reaches(w->box[1], "203.0.113.2", 53, theirs, "203.0.113.1");
	assert_reaches(w->host, "203.0.113.2", 53, theirs, "203.0.113.1");
	assert_false(readable(l, NEVER));
}

static void N05_networks_do_not_reach_each_other(void **state)
{
	struct world *w = *state;
	_cleanup_(fd_close) int la = -1, lb = -1;

	NEED_ROOT(w);
	attach(w, &w->a, 0);
	w->p[2] = place(&w->b, 2);
	attach(w, &w->b, 2);
	la = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	lb = socket_in(w->box[2], SOCK_STREAM, "0.0.0.0", 80);
	assert_cut(w->box[0], "10.78.0.4", 80, lb);
	assert_cut(w->box[2], "10.77.0.2", 80, la);
}

static void N05_without_icc_containers_reach_only_what_is_published(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int l = -1, out = -1;

	NEED_ROOT(w);
	w->a.icc = false;
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	out = socket_in(w->lan, SOCK_STREAM, "0.0.0.0", 80);
	assert_cut(w->box[1], "10.77.0.2", 80, l);
	/* Nor over the gateway */
	route(w->box[1], "10.77.0.2/32", "10.77.0.1");
	assert_cut(w->box[1], "10.77.0.2", 80, l);
	/* With br_netfilter the published port is a bridged one (design/0092) */
	enter(w->host);
	if (!net_sysctl_is(&w->s, "net.bridge.bridge-nf-call-iptables", "1"))
		assert_reaches(w->box[1], "203.0.113.1", 8080, l, NULL);
	assert_reaches(w->box[1], "203.0.113.2", 80, out, NULL);
}

static void N05_an_internal_network_is_shut_both_ways(void **state)
{
	struct world *w = *state;
	_cleanup_(fd_close) int l = -1, out = -1, peer = -1, host = -1, gateway = -1;

	NEED_ROOT(w);
	w->a.internal = true;
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	out = socket_in(w->lan, SOCK_STREAM, "0.0.0.0", 80);
	peer = socket_in(w->box[1], SOCK_STREAM, "0.0.0.0", 80);
	host = socket_in(w->host, SOCK_STREAM, "203.0.113.1", 80);
	gateway = socket_in(w->host, SOCK_STREAM, "10.77.0.1", 81);
	enter(w->host);
	assert_int_equal(net_sysctl(&w->s, "net.ipv4.ip_forward", "1", NULL), 0);
	route(w->lan, "10.77.0.0/16", "203.0.113.1");
	assert_reaches(w->box[0], "10.77.0.3", 80, peer, "10.77.0.2");
	assert_cut(w->box[0], "203.0.113.2", 80, out);
	assert_cut(w->lan, "10.77.0.2", 80, l);
	assert_cut(w->box[0], "203.0.113.1", 80, host);
	assert_reaches(w->box[0], "10.77.0.1", 81, gateway, "10.77.0.2");
}

static void N07_without_ipv6_a_container_has_none(void **state)
{
	struct world *w = *state;
	_cleanup_(freep) struct net_ip *list = NULL;
	struct net_session inside = NET_SESSION_INIT;
	struct err e = ERR_INIT;
	size_t n = 0;

	NEED_ROOT(w);
	w->p[2] = place(&w->b, 2);
	attach(w, &w->b, 2);
	enter(w->box[2]);
	good(net_host_prefixes(&inside, &list, &n, &e), &e);
	net_session_done(&inside);
	for (size_t i = 0; i < n; i++)
		if (list[i].family == AF_INET6)
			assert_int_equal(list[i].bits, 128); /* ::1 */
	enter(w->host);
}

/* Gives the container's link another address, as its root may. */
static void take_address(int ns, const char *address)
{
	static const char *const none[] = {NULL};
	const char *const list[] = {address, NULL};

	enter(ns);
	dress("eth0", list, none);
}

static bool datagram_from(int ns, const char *source, const char *to, int receiver, int ms)
{
	struct net_ip a = ip(to);
	struct sockaddr_storage addr;
	socklen_t n = fill(&a, 5000, &addr);
	_cleanup_(fd_close) int fd = socket_in(ns, SOCK_DGRAM, source, 0);
	char c;

	/* The first may wait for the neighbour's address and be sent afterwards. */
	(void)!sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, n);
	if (!readable(receiver, ms))
		return false;
	return recv(receiver, &c, 1, 0) == 1;
}

static void N08_a_container_sends_from_its_own_addresses_only(void **state)
{
	struct world *w = *state;
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int l = -1, l6 = -1, sock = -1;
	static const uint8_t other[6] = {0x02, 0x42, 1, 2, 3, 4};

	NEED_ROOT(w);
	attach(w, &w->a, 0);
	attach(w, &w->a, 1);
	l = socket_in(w->box[1], SOCK_DGRAM, "10.77.0.3", 5000);
	l6 = socket_in(w->box[1], SOCK_DGRAM, "fd77::3", 5000);
	assert_true(datagram_from(w->box[0], "10.77.0.2", "10.77.0.3", l, SOON));
	assert_true(datagram_from(w->box[0], "fd77::2", "fd77::3", l6, SOON));
	take_address(w->box[0], "10.77.0.9/16");
	take_address(w->box[0], "fd77::9/64");
	assert_false(datagram_from(w->box[0], "10.77.0.9", "10.77.0.3", l, NEVER));
	assert_false(datagram_from(w->box[0], "fd77::9", "fd77::3", l6, NEVER));
	/* Another MAC address */
	enter(w->box[0]);
	sock = nl_open(NETLINK_ROUTE);
	rtnl_set_mac(&b, "eth0", other);
	assert_int_equal(nl_run(sock, &b, NULL), 0);
	assert_false(datagram_from(w->box[0], "10.77.0.2", "10.77.0.3", l, NEVER));
}

static void N09_containers_do_not_reach_the_hosts_loopback(void **state)
{
	struct world *w = *state;
	_cleanup_(fd_close) int l = -1;

	NEED_ROOT(w);
	attach(w, &w->a, 0);
	l = socket_in(w->host, SOCK_STREAM, "127.0.0.1", 80);
	enter(w->box[0]);
	assert_int_equal(net_sysctl(&w->s, "net.ipv4.conf.all.route_localnet", "1", NULL), 0);
	assert_int_equal(net_sysctl(&w->s, "net.ipv4.conf.eth0.route_localnet", "1", NULL), 0);
	route(w->box[0], "127.0.0.2/32", "10.77.0.1");
	assert_cut(w->box[0], "127.0.0.2", 80, l);
	assert_cut(w->box[0], "127.0.0.1", 80, l);
}

static void flush(struct world *w)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;

	enter(w->host);
	sock = nl_open(NETLINK_NETFILTER);
	nft_begin(&b);
	nft_table_delete(&b, &net_table);
	nft_table_delete(&b, &net_bridge_table);
	assert_int_equal(nft_commit(sock, &b, NULL), 0);
}

static void N04_flushed_rules_are_noticed_and_come_back(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	const struct net_rules_net all = {.net = &w->a, .endpoints = w->p, .n_endpoints = 2};
	struct net_watch watch = NET_WATCH_INIT;
	_cleanup_(fd_close) int l = -1;
	struct err e = ERR_INIT;

	NEED_ROOT(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	attach(w, &w->a, 0);
	good(net_watch_open(&watch, &e), &e);
	attach(w, &w->a, 1);
	l = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	/* A start is no news. */
	assert_int_equal(net_watch_read(&watch, NULL), 0);
	assert_int_equal(net_rules_present(&w->s, &e), 1);
	flush(w);
	assert_true(readable(watch.nft, SOON));
	assert_true(net_watch_read(&watch, &w->s) & NET_CHANGE_OURS);
	assert_int_equal(net_rules_present(&w->s, &e), 0);
	assert_cut(w->lan, "203.0.113.1", 8080, l);
	enter(w->host);
	good(net_rules_sync(&w->s, &all, 1, &e), &e);
	assert_int_equal(net_watch_read(&watch, &w->s), 0);
	assert_reaches(w->lan, "203.0.113.1", 8080, l, "203.0.113.2");
	net_watch_done(&watch);
}

/* Chains of the host's owner that let nothing pass but by a rule. */
struct owner {
	struct nft_place at;
	const char *chain;
	bool by_rule; /* the policy is to accept, and the last rule drops all */
};

static const struct owner owners[] = {
	{{NFPROTO_IPV4, "filter"}, "FORWARD", false}, /* iptables -P FORWARD DROP */
	{{NFPROTO_IPV4, "filter"}, "FORWARD", true},  /* iptables -A FORWARD -j DROP */
	{{NFPROTO_INET, "filter"}, "forward", false}, /* many a nftables.conf */
	{{NFPROTO_INET, "some"}, "thing", true},
};

/* Makes the chain with a rule that denies a port. */
static void drop_forward(struct world *w, const struct owner *o, uint16_t denied)
{
	const struct nft_chain chain = {o->chain, "filter", NF_INET_FORWARD, 0};
	const struct nft_expr x[] = {
		{.op = NFT_OP_PAYLOAD, .a = NFT_PAYLOAD_TRANSPORT_HEADER, .b = 2, .n = 2},
		{.op = NFT_OP_CMP,
		 .b = NFT_CMP_EQ,
		 .n = 2,
		 .data = {(uint8_t)(denied >> 8), (uint8_t)denied}},
		{.op = NFT_OP_VERDICT, .a = NF_DROP},
	};
	const struct nft_rule rule = {.chain = o->chain, .exprs = x, .n = 3};
	const struct nft_rule last = {.chain = o->chain, .exprs = x + 2, .n = 1};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;
	struct nlattr *policy;
	size_t at;

	enter(w->host);
	sock = nl_open(NETLINK_NETFILTER);
	nft_begin(&b);
	nft_table(&b, &o->at);
	nft_chain_add(&b, &o->at, &chain);
	/* nft_chain_add has the policy before the type; make it drop */
	at = b.bytes.len - NLA_ALIGN(NLA_HDRLEN + sizeof("filter")) - 8;
	policy = (struct nlattr *)(void *)(b.bytes.data + at);
	assert_int_equal(policy->nla_type, NFTA_CHAIN_POLICY);
	if (!o->by_rule)
		memset(policy + 1, 0, 4);
	nft_rule_add(&b, &o->at, &rule);
	if (o->by_rule)
		nft_rule_add(&b, &o->at, &last);
	assert_int_equal(nft_commit(sock, &b, NULL), 0);
}

static int count_rule(void *arg, const struct nft_rule_seen *rule)
{
	++*(unsigned *)arg;
	return 0;
}

static void drop_table(struct world *w, const struct nft_place *at)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = -1;

	enter(w->host);
	sock = nl_open(NETLINK_NETFILTER);
	nft_begin(&b);
	nft_table_delete(&b, at);
	assert_int_equal(nft_commit(sock, &b, NULL), 0);
}

static void a_forward_policy_of_drop_is_passed_and_deny_rules_hold(void **state)
{
	struct world *w = *state;
	_cleanup_(fd_close) int good_port = -1, denied = -1;
	struct err e = ERR_INIT;

	NEED_ROOT(w);
	good_port = socket_in(w->lan, SOCK_STREAM, "0.0.0.0", 80);
	denied = socket_in(w->lan, SOCK_STREAM, "0.0.0.0", 81);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		const struct owner *o = &owners[i];
		unsigned n = 0;

		drop_forward(w, o, 81);
		attach(w, &w->a, 0);
		assert_reaches(w->box[0], "203.0.113.2", 80, good_port, "203.0.113.1");
		assert_cut(w->box[0], "203.0.113.2", 81, denied);
		enter(w->host);
		good(net_detach(&w->s, &w->a, &w->p[0], w->box[0], &e), &e);
		good(net_down(&w->s, &w->a, &e), &e);
		assert_int_equal(nft_rules_each(w->s.nft, &o->at, o->chain, count_rule, &n), 0);
		assert_int_equal(n, o->by_rule ? 2 : 1);
		drop_table(w, &o->at);
	}
}

static int count_link(void *arg, const struct rtnl_link *l)
{
	++*(unsigned *)arg;
	return 0;
}

static unsigned links(struct world *w)
{
	unsigned n = 0;

	enter(w->host);
	assert_int_equal(rtnl_links_each(w->s.route, 0, count_link, &n), 0);
	return n;
}

static void N13_datagrams_follow_the_container_that_has_the_port_now(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {
		{.host_port = 5000, .port = 5000, .protocol = IPPROTO_UDP}};
	_cleanup_(fd_close) int l0 = -1, l1 = -1, client = -1;
	struct net_ip host = ip("203.0.113.1");
	struct sockaddr_storage to;
	socklen_t n = fill(&host, 5000, &to);
	struct err e = ERR_INIT;
	char c;

	NEED_ROOT(w);
	w->p[0].ports = w->p[1].ports = ports;
	w->p[0].n_ports = w->p[1].n_ports = 1;
	client = socket_in(w->lan, SOCK_DGRAM, "203.0.113.2", 4000);
	/* Before anybody has it, so that the kernel remembers an untranslated connection */
	assert_int_equal(sendto(client, "x", 1, 0, (struct sockaddr *)&to, n), 1);
	attach(w, &w->a, 0);
	l0 = socket_in(w->box[0], SOCK_DGRAM, "0.0.0.0", 5000);
	assert_int_equal(sendto(client, "0", 1, 0, (struct sockaddr *)&to, n), 1);
	assert_true(readable(l0, SOON));
	assert_int_equal(recv(l0, &c, 1, 0), 1);
	enter(w->host);
	good(net_detach(&w->s, &w->a, &w->p[0], w->box[0], &e), &e);
	attach(w, &w->a, 1);
	l1 = socket_in(w->box[1], SOCK_DGRAM, "0.0.0.0", 5000);
	assert_int_equal(sendto(client, "1", 1, 0, (struct sockaddr *)&to, n), 1);
	assert_true(readable(l1, SOON));
	assert_int_equal(recv(l1, &c, 1, 0), 1);
	assert_int_equal(c, '1');
}

static void N15_what_is_detached_is_gone_and_everything_can_be_done_twice(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_UDP}};
	struct net_state st;
	struct err e = ERR_INIT;
	unsigned before;

	NEED_ROOT(w);
	good(net_session_route(&w->s, &e), &e);
	before = links(w);
	w->p[0].ports = ports;
	w->p[0].n_ports = 1;
	for (int i = 0; i < 2; i++) {
		attach(w, &w->a, 0);
		good(net_up(&w->s, &w->a, &e), &e);
		good(net_status(&w->s, &w->a, &st, &e), &e);
		assert_true(st.link_up && st.rules);
		assert_int_equal(st.ports, 1);
	}
	for (int i = 0; i < 2; i++)
		good(net_detach(&w->s, &w->a, &w->p[0], w->box[0], &e), &e);
	/* Its port is free for another one */
	w->p[1].ports = ports;
	w->p[1].n_ports = 1;
	attach(w, &w->a, 1);
	good(net_detach(&w->s, &w->a, &w->p[1], w->box[1], &e), &e);
	for (int i = 0; i < 2; i++)
		good(net_down(&w->s, &w->a, &e), &e);
	assert_int_equal(links(w), before);
}

static void N11_who_has_a_port_is_named(void **state)
{
	struct world *w = *state;
	struct net_port port = {.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP};
	_cleanup_(fd_close) int theirs = -1, held = -1;
	struct err e = ERR_INIT;
	char pid[32];

	NEED_ROOT(w);
	theirs = socket_in(w->host, SOCK_STREAM, "127.0.0.1", 8080);
	assert_int_equal(net_port_hold(&port, &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	snprintf(pid, sizeof(pid), "process %d ", getpid());
	assert_non_null(strstr(e.msg, pid));
	/* Another address of the loopback, and the same port of another protocol */
	port.host = ip("127.0.0.2");
	held = net_port_hold(&port, &e);
	assert_true(held >= 0);
	assert_int_equal(net_port_hold(&port, &e), -1);
	port.protocol = IPPROTO_UDP;
	fd_close(&held);
	held = net_port_hold(&port, &e);
	assert_true(held >= 0);
	port.host = ip("198.51.100.1");
	assert_int_equal(net_port_hold(&port, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
}

static void N11_a_port_that_is_published_already_is_refused(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	struct err e = ERR_INIT;
	unsigned n;

	NEED_ROOT(w);
	w->p[0].ports = w->p[1].ports = ports;
	w->p[0].n_ports = w->p[1].n_ports = 1;
	attach(w, &w->a, 0);
	n = links(w);
	assert_int_equal(net_attach(&w->s, &w->a, &w->p[1], w->box[1], &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(links(w), n);
}

static void a_link_that_is_no_bridge_is_left_alone(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;

	NEED_ROOT(w);
	memcpy(w->a.link, "eth0", 5);
	enter(w->host);
	assert_int_equal(net_up(&w->s, &w->a, &e), -1);
	assert_int_equal(e.class, ERR_EXISTS);
	assert_non_null(strstr(e.msg, "eth0"));
}

static void the_mtu_follows_the_route(void **state)
{
	struct world *w = *state;
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct err e = ERR_INIT;
	struct rtnl_link l;
	unsigned mtu;
	int sock;

	NEED_ROOT(w);
	enter(w->host);
	good(net_session_route(&w->s, &e), &e);
	rtnl_set_mtu(&b, "eth0", 1400);
	assert_int_equal(nl_run(w->s.route, &b, NULL), 0);
	good(net_default_mtu(&w->s, &mtu, &e), &e);
	assert_int_equal(mtu, 1400);
	attach(w, &w->a, 0);
	sock = net_inside_socket(w->box[0], &e);
	assert_int_equal(rtnl_link_find(sock, "eth0", &l), 0);
	assert_int_equal(l.mtu, 1400);
	fd_close(&sock);
}

/* Puts N ports on the bridge: both ends of pairs that stay down. */
static void fill_ports(int sock, int bridge, unsigned n)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct nl_fault f;

	for (unsigned i = 0; i < n; i += 2) {
		char names[2][NET_LINK_SIZE];
		const struct rtnl_new near = {.name = names[0], .master = bridge};
		const struct rtnl_new far = {.name = names[1]};

		snprintf(names[0], sizeof(names[0]), "fill%u", i);
		snprintf(names[1], sizeof(names[1]), "fill%u", i + 1);
		rtnl_add_veth(&b, &near, &far);
		if (i + 1 < n)
			rtnl_set_master(&b, names[1], bridge);
	}
	if (nl_run(sock, &b, &f) < 0)
		fail_msg("port %u: %s %s", f.message, strerror(-f.errnum), f.text);
}

static void a_full_bridge_gets_segments(void **state)
{
	struct world *w = *state;
	const struct net_port ports[] = {{.host_port = 8080, .port = 80, .protocol = IPPROTO_TCP}};
	_cleanup_(fd_close) int near = -1, far = -1, out = -1;
	struct err e = ERR_INIT;
	struct net_state st;
	struct rtnl_link bridge;
	unsigned before;

	NEED_ROOT(w);
	enter(w->host);
	good(net_session_route(&w->s, &e), &e);
	before = links(w);
	attach(w, &w->a, 0);
	assert_int_equal(rtnl_link_find(w->s.route, w->a.link, &bridge), 0);
	/* Room for one more: the pair to the first segment (the kernel counts from 1 to 1,023) */
	fill_ports(w->s.route, bridge.index, 1021);
	attach(w, &w->a, 1);
	assert_int_equal(net_status(&w->s, &w->a, &st, &e), 0);
	assert_int_equal(st.ports, 2);
	w->p[2].ports = ports;
	w->p[2].n_ports = 1;
	attach(w, &w->a, 2);
	near = socket_in(w->box[0], SOCK_STREAM, "0.0.0.0", 80);
	far = socket_in(w->box[2], SOCK_STREAM, "0.0.0.0", 80);
	out = socket_in(w->lan, SOCK_STREAM, "203.0.113.2", 80);
	assert_reaches(w->box[0], "10.77.0.4", 80, far, "10.77.0.2");
	assert_reaches(w->box[1], "10.77.0.4", 80, far, "10.77.0.3");
	assert_reaches(w->box[2], "10.77.0.2", 80, near, "10.77.0.4");
	assert_reaches(w->box[2], "203.0.113.2", 80, out, "203.0.113.1");
	assert_reaches(w->lan, "203.0.113.1", 8080, far, "203.0.113.2");
	enter(w->host);
	for (unsigned i = 0; i < CONTAINERS; i++)
		good(net_detach(&w->s, &w->a, &w->p[i], w->box[i], &e), &e);
	good(net_down(&w->s, &w->a, &e), &e);
	assert_int_equal(links(w), before + 1022);
}

static void macvlan_gives_an_address_of_the_lan(void **state)
{
	struct world *w = *state;
	struct net_subnet lan = {.subnet = ip("203.0.113.0/24"), .gateway = ip("203.0.113.2/24")};
	struct net n = {.driver = NET_MACVLAN,
			.name = "m",
			.link = "eth0",
			.subnets = &lan,
			.n_subnets = 1};
	_cleanup_(fd_close) int l = -1;
	struct err e = ERR_INIT;

	NEED_ROOT(w);
	memcpy(n.id, id_a, sizeof(id_a));
	w->p[0] = place(&n, 40);
	w->p[0].gateway4 = lan.gateway;
	w->p[0].ip4 = ip("203.0.113.42/24");
	attach(w, &n, 0);
	l = socket_in(w->lan, SOCK_STREAM, "203.0.113.2", 80);
	assert_reaches(w->box[0], "203.0.113.2", 80, l, "203.0.113.42");
	good(net_detach(&w->s, &n, &w->p[0], w->box[0], &e), &e);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(containers_talk_to_each_other_and_out),
		T(published_ports_are_reached_from_everywhere),
		T(N01_a_port_published_on_loopback_is_the_hosts_alone),
		T(N02_container_addresses_are_not_reached_from_outside),
		T(routed_networks_open_their_ports_and_no_others),
		T(N03_only_the_hosts_own_addresses_are_published),
		T(N04_flushed_rules_are_noticed_and_come_back),
		T(N05_networks_do_not_reach_each_other),
		T(N05_without_icc_containers_reach_only_what_is_published),
		T(N05_an_internal_network_is_shut_both_ways),
		T(N07_without_ipv6_a_container_has_none),
		T(N08_a_container_sends_from_its_own_addresses_only),
		T(N09_containers_do_not_reach_the_hosts_loopback),
		T(N11_who_has_a_port_is_named),
		T(N11_a_port_that_is_published_already_is_refused),
		T(N13_datagrams_follow_the_container_that_has_the_port_now),
		T(N15_what_is_detached_is_gone_and_everything_can_be_done_twice),
		T(a_forward_policy_of_drop_is_passed_and_deny_rules_hold),
		T(a_link_that_is_no_bridge_is_left_alone),
		T(the_mtu_follows_the_route),
		T(a_full_bridge_gets_segments),
		T(macvlan_gives_an_address_of_the_lan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
