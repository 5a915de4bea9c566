/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same for every driver. */
#include "net/net.h"

#include "base/hash.h"
#include "base/str.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MTU_DEFAULT = 1500, LINK_DIGITS = 12 };

static const char *const driver_names[NET_DRIVER_N] = {[NET_BRIDGE] = "bridge",
						       [NET_MACVLAN] = "macvlan",
						       [NET_NONE] = "none",
						       [NET_HOST] = "host"};

static const struct net_driver_ops *const drivers[NET_DRIVER_N] = {
	[NET_BRIDGE] = &net_bridge_ops, [NET_MACVLAN] = &net_macvlan_ops};

int net_driver_parse(const char *s)
{
	for (int i = 0; i < NET_DRIVER_N; i++)
		if (str_eq(s, driver_names[i]))
			return i;
	return str_eq(s, "null") ? NET_NONE : -1;
}

const char *net_driver_name(enum net_driver d)
{
	return driver_names[d];
}

void net_link_name(const char id[65], char ret[NET_LINK_SIZE])
{
	snprintf(ret, NET_LINK_SIZE, "br-%.*s", LINK_DIGITS, id);
}

void net_endpoint_link(const char *container, const char *network, char ret[NET_LINK_SIZE])
{
	char both[132], hex[SHA256_HEX_SIZE];
	int n = snprintf(both, sizeof(both), "%.64s/%.64s", container, network);

	sha256_hex(both, (size_t)n, hex);
	snprintf(ret, NET_LINK_SIZE, NET_PORT_PREFIX "%.*s", LINK_DIGITS, hex);
}

/* ---- by driver ---- */

int net_up(struct net_session *s, const struct net *n, struct err *e)
{
	return drivers[n->driver] ? drivers[n->driver]->up(s, n, e) : 0;
}

int net_down(struct net_session *s, const struct net *n, struct err *e)
{
	return drivers[n->driver] ? drivers[n->driver]->down(s, n, e) : 0;
}

int net_attach(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e)
{
	if (!drivers[n->driver])
		return 0;
	if (drivers[n->driver]->attach(s, n, p, netns, e) < 0)
		return err_wrap(e, "connecting to network %s", n->name);
	return 0;
}

int net_detach(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e)
{
	if (!drivers[n->driver])
		return 0;
	if (drivers[n->driver]->detach(s, n, p, netns, e) < 0)
		return err_wrap(e, "disconnecting from network %s", n->name);
	return 0;
}

int net_publish(struct net_session *s, const struct net *n, const struct net_endpoint *p, bool add,
		struct err *e)
{
	const struct rules_change c = {.net = n, .endpoint = p, .what = RULES_PORTS, .del = !add};

	return n->driver == NET_BRIDGE ? rules_change(s, &c, e) : 0;
}

int net_status(struct net_session *s, const struct net *n, struct net_state *ret, struct err *e)
{
	struct net_state state = {.link_up = true, .rules = true};

	if (drivers[n->driver] && drivers[n->driver]->status(s, n, &state, e) < 0)
		return -1;
	*ret = state;
	return 0;
}

struct net_ip net_host_gateway(const struct net *n, int family)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].gateway.family == family)
			return n->subnets[i].gateway;
	return (struct net_ip){.family = 0};
}

/* ---- the host's routes ---- */

struct route_list {
	struct net_ip *v;
	size_t n, cap;
};

static bool matters(const struct rtnl_prefix *p)
{
	if (p->bits == 0)
		return false;
	if (p->family == AF_INET)
		return p->bytes[0] != 127 && p->bytes[0] < 224;
	return p->bytes[0] != 0xff && !(p->bytes[0] == 0xfe && (p->bytes[1] & 0xc0) == 0x80);
}

static int on_route(void *arg, const struct rtnl_prefix *p)
{
	struct route_list *l = arg;
	struct net_ip ip = {.family = p->family, .bits = p->bits};

	if (!matters(p))
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct net_ip *v = reallocarray(l->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = cap;
	}
	memcpy(ip.a, p->bytes, sizeof(ip.a));
	l->v[l->n++] = net_ip_prefix(&ip);
	return 0;
}

int net_host_prefixes(struct net_session *s, struct net_ip **ret, size_t *ret_n, struct err *e)
{
	struct route_list l = {.v = NULL};
	int sock = net_session_route(s, e), r = 0;

	if (sock < 0)
		return -1;
	for (int tries = 0; tries < 3; tries++) {
		l.n = 0;
		r = rtnl_routes_each(sock, on_route, &l);
		if (r == 0)
			r = rtnl_addresses_each(sock, on_route, &l);
		if (r != -EINTR)
			break;
	}
	if (r < 0) {
		free(l.v);
		return err_errno(e, r, "reading the host's routes");
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

static int on_default(void *arg, const struct rtnl_prefix *p)
{
	struct rtnl_prefix *best = arg;

	if (p->bits || !p->index)
		return 0;
	/* IPv4 before IPv6, then the smaller metric */
	if (!best->family || (best->family == p->family && p->metric < best->metric))
		*best = *p;
	return 0;
}

int net_default_mtu(struct net_session *s, unsigned *ret, struct err *e)
{
	struct rtnl_prefix best = {.family = 0};
	struct rtnl_link l = {.mtu = 0};
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	r = rtnl_routes_each(sock, on_default, &best);
	if (r < 0 && r != -EINTR)
		return err_errno(e, r, "reading the host's default route");
	if (best.index && !best.mtu && rtnl_link_by_index(sock, best.index, &l) == 0)
		best.mtu = l.mtu;
	*ret = best.mtu ? best.mtu : MTU_DEFAULT;
	return 0;
}

int net_mtu(struct net_session *s, const struct net *n, unsigned *ret, struct err *e)
{
	if (!n->mtu)
		return net_default_mtu(s, ret, e);
	*ret = n->mtu;
	return 0;
}
