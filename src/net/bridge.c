/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that are a bridge on this host. A container is a port: our end "kgv..." of a pair whose
 * other end is eth0 in its namespace. An attachment is: a transaction of rule elements, one batch
 * of link messages here, one batch there (inside.c).
 *
 * A bridge has at most 1,023 ports (BR_PORT_BITS in the kernel). The next one goes to a segment: a
 * bridge "kgs..." without addresses, which a pair (kgt... on it, kgr... on the network's bridge)
 * joins to it. For rules and routes the segments are not there: all that leaves the network goes
 * over its own bridge. */
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/trace.h"
#include "kernel/conntrack.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SEGMENTS_MAX = 1000, SEGMENT_DIGITS = 8, FORGET_MAX = 1024 };

/* ---- the bridge ---- */

/* Stays the same whatever ports come and go: else neighbours' caches would be wrong. */
static void bridge_mac(const struct net *n, uint8_t ret[6])
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, n->id, strlen(n->id));
	sha256_end(&h, digest);
	memcpy(ret, digest, 6);
	ret[0] = 0x02;
	ret[1] = 0x42;
}

static bool has_family(const struct net *n, int family)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].subnet.family == family)
			return true;
	return false;
}

/* What Docker does as well: without it no packet leaves a network. */
static int forwarding(struct net_session *s, const struct net *n, struct err *e)
{
	if (n->internal)
		return 0;
	if (has_family(n, AF_INET) && net_sysctl(s, "net.ipv4.ip_forward", "1", e) < 0)
		return -1;
	if (!n->ipv6 || !has_family(n, AF_INET6))
		return 0;
	if (net_sysctl(s, "net.ipv6.conf.all.forwarding", "1", e) < 0)
		return err_hint(e, "the network has IPv6");
	return 0;
}

static int bridge_sysctls(struct net_session *s, const struct net *n, struct err *e)
{
	const struct net_link_sysctl all[] = {
		{"ipv6", n->link, "accept_ra", "0"},
		{"ipv6", n->link, "disable_ipv6", n->ipv6 ? "0" : "1"},
		{"ipv4", n->link, "send_redirects", "0"},
		/* Lets 127.0.0.1 of the host reach published ports; containers are kept out of
		 * it by the rules (rules-frame.c, raw-prerouting). */
		{"ipv4", n->link, "route_localnet", n->internal ? "0" : "1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (net_sysctl_link(s, &all[i], e) < 0)
			return -1;
	return 0;
}

static int make_bridge(int sock, const struct net *n, unsigned mtu, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	char alias[80];
	uint8_t mac[6];
	const struct rtnl_new new = {.name = n->link, .mac = mac, .mtu = mtu, .alias = alias};
	struct nl_fault f;
	int r;

	bridge_mac(n, mac);
	snprintf(alias, sizeof(alias), "kogge %.64s", n->id);
	rtnl_add_bridge(&b, &new);
	r = nl_run(sock, &b, &f);
	if (r == -EEXIST)
		return 0;
	if (r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "this kernel has no bridges (CONFIG_BRIDGE, module bridge)");
	if (r < 0)
		return net_fault(&f, "making the bridge", e);
	return 0;
}

/* A bridge that somebody else made is used where the user names it (Docker's
 * com.docker.network.bridge.name does so). */
static int check_bridge(const struct net *n, const struct rtnl_link *l, struct err *e)
{
	if (str_eq(l->kind, "bridge"))
		return 0;
	err_set(e, ERR_EXISTS, 0, "%s is the name of a link that is no bridge%s%s", n->link,
		l->kind[0] ? " but of kind " : "", l->kind);
	return err_hint(e, "name another one by the option com.docker.network.bridge.name");
}

/* Docker's as well. The kernel's own choice would be unusable for the second or two that it looks
 * for duplicates, and with it the way in: neighbours are asked for from this address. */
static void put_link_local(struct nl_batch *b, const struct net *n, int index)
{
	static const uint8_t one[16] = {[0] = 0xfe, [1] = 0x80, [15] = 1};
	const struct rtnl_address a = {
		.index = index, .family = AF_INET6, .bits = 64, .bytes = one};

	rtnl_set_quiet(b, n->link);
	rtnl_add_address(b, &a);
}

static int put_gateways(int sock, const struct net *n, const struct rtnl_link *l, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct nl_fault f;

	if (n->ipv6)
		put_link_local(&b, n, l->index);
	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct net_ip *g = &n->subnets[i].gateway;
		const struct rtnl_address a = {
			.index = l->index, .family = g->family, .bits = g->bits, .bytes = g->a};

		if (g->family)
			rtnl_add_address(&b, &a);
	}
	rtnl_set_up(&b, n->link, true);
	if (nl_run(sock, &b, &f) < 0)
		return net_fault(&f, "setting the gateway's address", e);
	return 0;
}

static int up_slowly(struct net_session *s, const struct net *n, struct err *e)
{
	const struct rules_change c = {.net = n, .what = RULES_NETWORK};
	struct rtnl_link l;
	unsigned mtu;
	int r;

	if (net_mtu(s, n, &mtu, e) < 0 || rules_change(s, &c, e) < 0 ||
	    make_bridge(s->route, n, mtu, e) < 0)
		return -1;
	r = rtnl_link_find(s->route, n->link, &l);
	if (r < 0)
		return err_errno(e, r, "finding bridge %s", n->link);
	if (check_bridge(n, &l, e) < 0 || bridge_sysctls(s, n, e) < 0 ||
	    put_gateways(s->route, n, &l, e) < 0 || forwarding(s, n, e) < 0)
		return -1;
	if (FAILPOINT("net.bridge.after_up", e) < 0)
		return -1;
	return n->internal ? 0 : rules_foreign_one(s, n->link, false, e);
}

static int bridge_up(struct net_session *s, const struct net *n, struct err *e)
{
	struct rtnl_link l;
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	r = rtnl_link_find(sock, n->link, &l);
	if (r == 0 && check_bridge(n, &l, e) < 0)
		return -1;
	if (r == 0 && l.up)
		return 0;
	if (r < 0 && r != -ENODEV)
		return err_errno(e, r, "finding bridge %s", n->link);
	if (up_slowly(s, n, e) < 0)
		return err_wrap(e, "bridge %s", n->link);
	return 0;
}

/* ---- segments ---- */

/* "kgs" (the bridge), "kgt" and "kgr" (the pair), 8 digits of the network, 3 of the segment. */
static void segment_name(const struct net *n, char kind, unsigned i, char ret[NET_LINK_SIZE])
{
	snprintf(ret, NET_LINK_SIZE, "kg%c%.*s%03x", kind, SEGMENT_DIGITS, n->id, i);
}

static void put_rule_segment(struct nl_batch *b, const char *name, bool del)
{
	struct nft_key key = {.n = 0};
	const struct nft_element e = {.set = "segments", .key = &key, .del = del};

	nft_key_name(&key, name);
	nft_element(b, &net_table, &e);
}

/* Only bridged frames that br_netfilter hands to the rules would meet them: a missing element costs
 * nothing else. */
static void note_segment(struct net_session *s, const char *name, bool del)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;

	if (net_session_nft(s, NULL) < 0)
		return;
	nft_begin(&b);
	put_rule_segment(&b, name, del);
	nft_commit(s->nft, &b, NULL);
}

static void put_pair(struct nl_batch *b, const struct net *n, unsigned i, unsigned mtu)
{
	char names[2][NET_LINK_SIZE];
	const struct rtnl_new near = {.name = names[0], .mtu = mtu};
	const struct rtnl_new far = {.name = names[1], .mtu = mtu};

	segment_name(n, 't', i, names[0]);
	segment_name(n, 'r', i, names[1]);
	rtnl_add_veth(b, &near, &far);
}

struct found_port {
	char name[NET_LINK_SIZE];
};

static int on_port(void *arg, const struct rtnl_link *l)
{
	struct found_port *f = arg;

	if (str_after(l->name, NET_PORT_PREFIX))
		memcpy(f->name, l->name, sizeof(f->name));
	return 0;
}

/* The full bridge gets room for the pair to segment SEGMENT: one of its containers moves there. Its
 * connections go on, since nothing but its place in the tree of bridges changes. */
static int make_room(struct net_session *s, const struct net *n, int bridge, int segment,
		     struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct found_port port = {.name = ""};
	struct nl_fault f;
	int r = rtnl_links_each(s->route, bridge, on_port, &port);

	if ((r < 0 && r != -EINTR) || !port.name[0])
		return err_errno(e, r < 0 ? r : EXFULL, "finding a container on bridge %s",
				 n->link);
	rtnl_set_master(&b, port.name, segment);
	if (!n->icc)
		rtnl_set_isolated(&b, port.name, true);
	if (nl_run(s->route, &b, &f) < 0)
		return net_fault(&f, "moving a container to a segment", e);
	return 0;
}

/* Makes the pair's ends ports, the far one NAMES[2] of the network's bridge. */
static int plug_pair(struct net_session *s, const struct net *n, char names[3][NET_LINK_SIZE],
		     const int indexes[2], struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct nl_fault f;
	int r;

	rtnl_set_master(&b, names[1], indexes[0]);
	rtnl_set_master(&b, names[2], indexes[1]);
	r = nl_run(s->route, &b, &f);
	if (r == -EXFULL) {
		if (make_room(s, n, indexes[1], indexes[0], e) < 0)
			return -1;
		rtnl_set_master(&b, names[2], indexes[1]);
		r = nl_run(s->route, &b, &f);
	}
	return r < 0 ? net_fault(&f, "joining a segment to the bridge", e) : 0;
}

/* Linux answers ARP requests on any link for all of its addresses: a segment that answered for the
 * gateway would get the packets that are the bridge's. */
static int quiet_segment(struct net_session *s, const char *name, struct err *e)
{
	const struct net_link_sysctl arp = {"ipv4", name, "arp_ignore", "8"};
	const struct net_link_sysctl ipv6 = {"ipv6", name, "disable_ipv6", "1"};

	if (net_sysctl_link(s, &arp, e) < 0)
		return -1;
	return net_sysctl_link(s, &ipv6, e);
}

/* Joins segment I to the network's bridge and brings all of it up. */
static int join_segment(struct net_session *s, const struct net *n, unsigned i, int bridge,
			struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	char names[3][NET_LINK_SIZE];
	struct rtnl_link l;
	struct nl_fault f;

	for (unsigned k = 0; k < 3; k++)
		segment_name(n, "str"[k], i, names[k]);
	if (rtnl_link_find(s->route, names[0], &l) < 0)
		return err_errno(e, ENODEV, "finding segment %s", names[0]);
	if (quiet_segment(s, names[0], e) < 0 ||
	    plug_pair(s, n, names, (const int[]){l.index, bridge}, e) < 0)
		return -1;
	rtnl_set_isolated(&b, names[2], !n->icc);
	for (unsigned k = 0; k < 3; k++) {
		rtnl_set_quiet(&b, names[k]);
		rtnl_set_up(&b, names[k], true);
	}
	if (nl_run(s->route, &b, &f) < 0)
		return net_fault(&f, "bringing up a segment", e);
	note_segment(s, names[0], false);
	return 0;
}

static int make_segment(struct net_session *s, const struct net *n, unsigned i, int bridge,
			struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	char name[NET_LINK_SIZE];
	const struct rtnl_new new = {.name = name};
	struct rtnl_link l;
	struct nl_fault f;
	int r;

	segment_name(n, 's', i, name);
	if (rtnl_link_by_index(s->route, bridge, &l) < 0)
		return err_errno(e, ENODEV, "finding bridge %s", n->link);
	put_pair(&b, n, i, l.mtu);
	rtnl_add_bridge(&b, &new);
	r = nl_run(s->route, &b, &f);
	if (r < 0 && r != -EEXIST)
		return net_fault(&f, "making a segment of the bridge", e);
	return join_segment(s, n, i, bridge, e);
}

/* Finds a segment that has room for the port LINK, and makes it where there is none. */
static int put_into_segment(struct net_session *s, const struct net *n, const char *link,
			    int bridge, struct err *e)
{
	for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
		_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
		char name[NET_LINK_SIZE];
		struct rtnl_link l;
		struct nl_fault f;
		int r;

		segment_name(n, 's', i, name);
		r = rtnl_link_find(s->route, name, &l);
		if (r == -ENODEV && make_segment(s, n, i, bridge, e) < 0)
			return -1;
		if (r == -ENODEV)
			r = rtnl_link_find(s->route, name, &l);
		if (r < 0)
			return err_errno(e, r, "finding segment %s", name);
		rtnl_set_master(&b, link, l.index);
		r = nl_run(s->route, &b, &f);
		if (r == 0)
			return 0;
		if (r != -EXFULL)
			return net_fault(&f, "adding a port to a segment", e);
	}
	return err_set(e, ERR_LIMIT, 0, "bridge %s has no room for another port", n->link);
}

/* ---- ports ---- */

static void put_veth(struct nl_batch *b, const struct net_endpoint *p, int master, int netns,
		     unsigned mtu)
{
	const struct rtnl_new ours = {.name = p->host_link, .mtu = mtu, .master = master};
	const struct rtnl_new theirs = {.name = p->link, .mac = p->mac, .mtu = mtu, .netns = netns};

	rtnl_add_veth(b, &ours, &theirs);
}

/* Makes the pair as a port of the bridge L. What a killed start left under the name goes first;
 * its namespace may still be there, so that it is not gone by itself. */
static int make_veth(int sock, const struct net_endpoint *p, const struct rtnl_link *l, int netns,
		     struct nl_fault *f)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	int r;

	put_veth(&b, p, l->index, netns, l->mtu);
	r = nl_run(sock, &b, f);
	if (r != -EEXIST)
		return r;
	rtnl_delete(&b, p->host_link);
	nl_run(sock, &b, f);
	put_veth(&b, p, l->index, netns, l->mtu);
	return nl_run(sock, &b, f);
}

static int make_port(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		     const struct rtnl_link *l, int netns)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct nl_fault f;
	int r = make_veth(s->route, p, l, netns, &f);

	(void)n;
	if (r != -EXFULL)
		return r;
	put_veth(&b, p, 0, netns, l->mtu);
	return nl_run(s->route, &b, &f);
}

static int failed(const struct net_endpoint *p, int r, struct err *e)
{
	if (r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "this kernel has no veth links (CONFIG_VETH, module veth)");
	if (r == -EEXIST)
		return err_set(e, ERR_EXISTS, 0, "the container has a link %s already", p->link);
	return err_errno(e, r, "making the container's link");
}

/* Where br_netfilter is on (Docker and Kubernetes switch it on), what a container sends to a port
 * of its own that the host publishes is translated while it is still on the bridge, and must go
 * back to where it came from. */
static bool needs_hairpin(struct net_session *s, const struct net_endpoint *p)
{
	return p->n_ports && net_sysctl_is(s, "net.bridge.bridge-nf-call-iptables", "1");
}

static int bring_up(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		    const struct rtnl_link *bridge, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct rtnl_link l;
	struct nl_fault f;
	int r;

	r = rtnl_link_find(s->route, p->host_link, &l);
	if (r < 0)
		return err_errno(e, r, "finding %s", p->host_link);
	if (!l.master && put_into_segment(s, n, p->host_link, bridge->index, e) < 0)
		return -1;
	rtnl_set_quiet(&b, p->host_link);
	if (!n->icc)
		rtnl_set_isolated(&b, p->host_link, true);
	if (needs_hairpin(s, p))
		rtnl_set_hairpin(&b, p->host_link, true);
	rtnl_set_up(&b, p->host_link, true);
	if (nl_run(s->route, &b, &f) < 0)
		return net_fault(&f, "bringing up the container's link", e);
	return 0;
}

static int put_links(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		     int netns, struct err *e)
{
	struct rtnl_link l;
	int r = rtnl_link_find(s->route, n->link, &l);

	if (r == -ENODEV || (r == 0 && !l.up)) {
		if (bridge_up(s, n, e) < 0)
			return -1;
		r = rtnl_link_find(s->route, n->link, &l);
	}
	if (r < 0)
		return err_errno(e, r, "finding bridge %s", n->link);
	r = make_port(s, n, p, &l, netns);
	if (r < 0)
		return failed(p, r, e);
	TRACE("link made");
	if (FAILPOINT("net.attach.after_link", e) < 0)
		return -1;
	return bring_up(s, n, p, &l, e);
}

static int remove_port(struct net_session *s, const struct net_endpoint *p, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct nl_fault f;
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	rtnl_delete(&b, p->host_link);
	r = nl_run(sock, &b, &f);
	return r < 0 && r != -ENODEV ? net_fault(&f, "removing the container's link", e) : 0;
}

int net_link_drop(struct net_session *s, const char *host_link, struct err *e)
{
	struct net_endpoint p = {.ip4 = {.family = 0}};

	if (!str_after(host_link, NET_PORT_PREFIX))
		return err_set(e, ERR_INTERNAL, 0, "link name %s", host_link);
	snprintf(p.host_link, sizeof(p.host_link), "%s", host_link);
	return remove_port(s, &p, e);
}

/* Clients that send datagrams all the time keep their old translation alive, also after another
 * container has the port or the address (N13). Where the kernel cannot tell, nothing is lost but
 * time. */
static void forget_datagrams(struct net_session *s, const struct net_endpoint *p)
{
	uint16_t ports[FORGET_MAX];
	size_t n = 0;

	for (size_t i = 0; i < p->n_ports && n < FORGET_MAX; i++)
		if (p->ports[i].protocol == IPPROTO_UDP)
			ports[n++] = p->ports[i].host_port;
	for (int i = 0; n && i < 2; i++) {
		const struct net_ip *ip = i ? &p->ip6 : &p->ip4;
		const struct conntrack_match m = {.family = ip->family,
						  .protocol = IPPROTO_UDP,
						  .address = ip->a,
						  .ports = ports,
						  .n = n};

		if (ip->family)
			conntrack_forget(s->nft, &m, NULL);
	}
}

static int bridge_detach(struct net_session *s, const struct net *n, const struct net_endpoint *p,
			 int netns, struct err *e)
{
	const struct rules_change c = {
		.net = n, .endpoint = p, .what = RULES_ENDPOINT | RULES_PORTS, .del = true};

	/* A namespace that ends takes its link along, at leisure and many at once; to remove one by
	 * hand means to wait for two RCU grace periods. Without its elements it is mute at once. */
	if ((netns >= 0 && remove_port(s, p, e) < 0) || FAILPOINT("net.detach.after_link", e) < 0)
		return -1;
	if (rules_change(s, &c, e) < 0)
		return -1;
	forget_datagrams(s, p);
	return 0;
}

static int bridge_attach(struct net_session *s, const struct net *n, const struct net_endpoint *p,
			 int netns, struct err *e)
{
	/* The network's own as well: who restored the rules knew of networks in use alone. */
	const struct rules_change c = {
		.net = n, .endpoint = p, .what = RULES_NETWORK | RULES_ENDPOINT | RULES_PORTS};
	struct err ignored = ERR_INIT;

	if (!str_after(p->host_link, NET_PORT_PREFIX))
		return err_set(e, ERR_INTERNAL, 0, "link name %s", p->host_link);
	if (net_session_route(s, e) < 0 || rules_change(s, &c, e) < 0)
		return -1;
	forget_datagrams(s, p);
	TRACE("rules added");
	if (put_links(s, n, p, netns, e) == 0 && net_inside(s, n, p, netns, e) == 0)
		return 0;
	bridge_detach(s, n, p, netns, &ignored);
	return -1;
}

/* ---- the end ---- */

static int bridge_down(struct net_session *s, const struct net *n, struct err *e)
{
	const struct rules_change c = {.net = n, .what = RULES_NETWORK, .del = true};
	struct rtnl_link l;
	int sock = net_session_route(s, e), r = 0;

	if (sock < 0)
		return -1;
	for (unsigned i = 0; i <= SEGMENTS_MAX; i++) {
		_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
		char names[2][NET_LINK_SIZE];
		struct nl_fault f;

		segment_name(n, 's', i, names[0]);
		segment_name(n, 't', i, names[1]);
		if (i == 0) {
			r = rtnl_link_find(sock, n->link, &l);
			if (r == 0 && str_eq(l.kind, "bridge"))
				rtnl_delete(&b, n->link);
		}
		if (rtnl_link_find(sock, names[0], &l) == 0) {
			rtnl_delete(&b, names[0]);
			rtnl_delete(&b, names[1]);
			note_segment(s, names[0], true);
		} else if (i > 0) {
			break;
		}
		r = b.n ? nl_run(sock, &b, &f) : 0;
		if (r < 0 && r != -ENODEV)
			return net_fault(&f, "removing the bridge", e);
	}
	if (rules_change(s, &c, e) < 0)
		return -1;
	return rules_foreign_one(s, n->link, true, e);
}

static int count(void *arg, const struct rtnl_link *l)
{
	unsigned *n = arg;

	*n += str_after(l->name, NET_PORT_PREFIX) != NULL;
	return 0;
}

static int bridge_status(struct net_session *s, const struct net *n, struct net_state *ret,
			 struct err *e)
{
	struct rtnl_link l;
	int sock = net_session_route(s, e), r, rules = net_rules_present(s, e);

	if (sock < 0 || rules < 0)
		return -1;
	ret->rules = rules > 0;
	r = rtnl_link_find(sock, n->link, &l);
	ret->link_up = r == 0 && l.up;
	if (r < 0)
		return r == -ENODEV ? 0 : err_errno(e, r, "finding bridge %s", n->link);
	ret->mtu = l.mtu;
	r = rtnl_links_each(sock, l.index, count, &ret->ports);
	for (unsigned i = 0; r == 0 && i < SEGMENTS_MAX; i++) {
		char name[NET_LINK_SIZE];

		segment_name(n, 's', i, name);
		if (rtnl_link_find(sock, name, &l) < 0)
			break;
		r = rtnl_links_each(sock, l.index, count, &ret->ports);
	}
	return r < 0 && r != -EINTR ? err_errno(e, r, "counting ports") : 0;
}

const struct net_driver_ops net_bridge_ops = {
	.up = bridge_up,
	.down = bridge_down,
	.attach = bridge_attach,
	.detach = bridge_detach,
	.status = bridge_status,
};
