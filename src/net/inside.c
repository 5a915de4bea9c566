/* SPDX-License-Identifier: Apache-2.0 */
/* The container's side: a socket made in its network namespace goes on working after this process
 * is back in its own, so that one visit is enough, and sysctls of a namespace can be written only
 * by who is in it. */
#include "base/fd.h"
#include "kernel/ns.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"

#include <errno.h>
#include <string.h>

struct visit {
	int home;
};

/* Failing to come back would mean to go on in the container's network: nobody may. */
static void leave(struct visit *v)
{
	if (v->home >= 0 && ns_join(v->home, CLONE_NEWNET) < 0)
		abort();
	fd_close(&v->home);
}

static int enter(struct visit *v, int netns)
{
	int proc = proc_open(0), r;

	v->home = proc < 0 ? proc : ns_open(proc, PROC_SELF, CLONE_NEWNET);
	fd_close(&proc);
	if (v->home < 0)
		return v->home;
	r = ns_join(netns, CLONE_NEWNET);
	if (r < 0)
		fd_close(&v->home);
	return r;
}

int net_inside_socket(int netns, struct err *e)
{
	_cleanup_(leave) struct visit v = {.home = -1};
	int r = enter(&v, netns);

	if (r >= 0)
		r = nl_open(NETLINK_ROUTE);
	return r < 0 ? err_errno(e, r, "entering the container's network namespace") : r;
}

/* Who is told that the address has moved (N16): Docker's MAC follows from the address, so that
 * nobody's cache is wrong, but a chosen one may differ from the last owner's. */
static bool is_announced(const struct net_endpoint *p)
{
	uint8_t usual[6];

	net_mac_of(&p->ip4, usual);
	return !p->ip4.family || p->ip6.family || memcmp(usual, p->mac, 6) != 0;
}

static int set_sysctls(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		       struct err *e)
{
	const struct net_link_sysctl off = {"ipv6", p->link, "disable_ipv6", n->ipv6 ? "0" : "1"};
	const struct net_link_sysctl arp = {"ipv4", p->link, "arp_notify", "1"};
	const struct net_link_sysctl ndisc = {"ipv6", p->link, "ndisc_notify", "1"};

	if (net_sysctl_link(s, &off, e) < 0)
		return -1;
	if (!is_announced(p))
		return 0;
	if (net_sysctl_link(s, &arp, e) < 0)
		return -1;
	return n->ipv6 ? net_sysctl_link(s, &ndisc, e) : 0;
}

static int visit(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		 int netns, struct err *e)
{
	_cleanup_(leave) struct visit v = {.home = -1};
	_cleanup_(fd_close) int sock = -1;
	int r = enter(&v, netns);

	if (r >= 0)
		sock = r = nl_open(NETLINK_ROUTE);
	if (r < 0)
		return err_errno(e, r, "entering the container's network namespace");
	if (set_sysctls(s, n, p, e) < 0)
		return -1;
	return TAKE_FD(sock);
}

static void put_ip(struct nl_batch *b, const struct net_ip *ip, int index)
{
	const struct rtnl_address a = {
		.index = index, .family = ip->family, .bits = ip->bits, .bytes = ip->a};

	if (ip->family)
		rtnl_add_address(b, &a);
}

static void put_gateway(struct nl_batch *b, const struct net_ip *ip, int index)
{
	const struct rtnl_address a = {.index = index, .family = ip->family, .bytes = ip->a};

	if (ip->family)
		rtnl_default_route(b, &a);
}

/* What the kernel announced when the link came up met a port of the bridge that forwards nothing
 * yet: the port's turn comes from a queue of the kernel. To ask for our end has that work done
 * first, and to set the MAC announces once more. Nothing depends on who hears it. */
static void announce(struct net_session *s, const struct net_endpoint *p, int sock)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct rtnl_link l;
	struct nl_fault f;

	if (p->host_link[0])
		(void)rtnl_link_find(s->route, p->host_link, &l);
	rtnl_set_mac(&b, p->link, p->mac);
	(void)nl_run(sock, &b, &f);
}

int net_inside(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = visit(s, n, p, netns, e);
	struct rtnl_link l;
	struct nl_fault f;
	int r;

	if (sock < 0)
		return -1;
	r = rtnl_link_find(sock, p->link, &l);
	if (r < 0)
		return err_errno(e, r, "finding %s in the container", p->link);
	/* Addresses before up, so that they are announced; routes need a link that is up. */
	put_ip(&b, &p->ip4, l.index);
	if (n->ipv6)
		put_ip(&b, &p->ip6, l.index);
	for (size_t i = 0; i < p->n_link_local; i++)
		put_ip(&b, &p->link_local[i], l.index);
	rtnl_set_up(&b, p->link, true);
	put_gateway(&b, &p->gateway4, l.index);
	if (n->ipv6)
		put_gateway(&b, &p->gateway6, l.index);
	if (nl_run(sock, &b, &f) < 0)
		return net_fault(&f, "setting addresses and routes", e);
	if (is_announced(p))
		announce(s, p, sock);
	return 0;
}

int net_inside_remove(const struct net_endpoint *p, int netns, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = net_inside_socket(netns, e);
	struct nl_fault f;
	int r;

	if (sock < 0)
		return -1;
	rtnl_delete(&b, p->link);
	r = nl_run(sock, &b, &f);
	return r < 0 && r != -ENODEV ? net_fault(&f, "removing the container's link", e) : 0;
}

int net_default_route(struct net_session *s, const struct net_endpoint *p, int netns, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(fd_close) int sock = net_inside_socket(netns, e);
	struct rtnl_link l;
	struct nl_fault f;
	int r;

	(void)s;
	if (sock < 0)
		return -1;
	r = rtnl_link_find(sock, p->link, &l);
	if (r < 0)
		return err_errno(e, r, "finding %s in the container", p->link);
	put_gateway(&b, &p->gateway4, l.index);
	put_gateway(&b, &p->gateway6, l.index);
	if (b.n && nl_run(sock, &b, &f) < 0)
		return net_fault(&f, "setting the default route", e);
	return 0;
}
