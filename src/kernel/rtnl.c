/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* ---- writing ---- */

static void begin_link(struct nl_batch *b, uint16_t type, uint16_t flags, const char *name)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC};

	nl_begin(b, type, flags, &i, sizeof(i));
	if (name)
		nl_put_str(b, IFLA_IFNAME, name);
}

static void put_new(struct nl_batch *b, const struct rtnl_new *n)
{
	if (n->mac)
		nl_put(b, IFLA_ADDRESS, n->mac, 6);
	if (n->mtu)
		nl_put_u32(b, IFLA_MTU, n->mtu);
	if (n->master)
		nl_put_u32(b, IFLA_MASTER, (uint32_t)n->master);
	if (n->parent)
		nl_put_u32(b, IFLA_LINK, (uint32_t)n->parent);
	if (n->netns)
		nl_put_u32(b, IFLA_NET_NS_FD, (uint32_t)n->netns);
}

static void add_link(struct nl_batch *b, const struct rtnl_new *n)
{
	begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, n->name);
	put_new(b, n);
}

/* The kernel takes an alias only for a link that is there. */
static void put_alias(struct nl_batch *b, const struct rtnl_new *n)
{
	if (!n->alias)
		return;
	begin_link(b, RTM_NEWLINK, 0, n->name);
	nl_put_str(b, IFLA_IFALIAS, n->alias);
}

void rtnl_add_bridge(struct nl_batch *b, const struct rtnl_new *n)
{
	size_t info, data;

	add_link(b, n);
	info = nl_nest(b, IFLA_LINKINFO);
	nl_put_str(b, IFLA_INFO_KIND, "bridge");
	data = nl_nest(b, IFLA_INFO_DATA);
	nl_put_u32(b, IFLA_BR_STP_STATE, 0);
	nl_nest_end(b, data);
	nl_nest_end(b, info);
	put_alias(b, n);
}

void rtnl_add_veth(struct nl_batch *b, const struct rtnl_new *n, const struct rtnl_new *peer)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	size_t info, data, other;

	add_link(b, n);
	info = nl_nest(b, IFLA_LINKINFO);
	nl_put_str(b, IFLA_INFO_KIND, "veth");
	data = nl_nest(b, IFLA_INFO_DATA);
	other = nl_nest(b, VETH_INFO_PEER);
	nl_raw(b, &i, sizeof(i));
	nl_put_str(b, IFLA_IFNAME, peer->name);
	put_new(b, peer);
	nl_nest_end(b, other);
	nl_nest_end(b, data);
	nl_nest_end(b, info);
}

void rtnl_add_macvlan(struct nl_batch *b, const struct rtnl_new *n)
{
	size_t info, data;

	add_link(b, n);
	info = nl_nest(b, IFLA_LINKINFO);
	nl_put_str(b, IFLA_INFO_KIND, "macvlan");
	data = nl_nest(b, IFLA_INFO_DATA);
	nl_put_u32(b, IFLA_MACVLAN_MODE, n->mode);
	nl_nest_end(b, data);
	nl_nest_end(b, info);
}

void rtnl_add_dummy(struct nl_batch *b, const struct rtnl_new *n)
{
	size_t info;

	add_link(b, n);
	info = nl_nest(b, IFLA_LINKINFO);
	nl_put_str(b, IFLA_INFO_KIND, "dummy");
	nl_nest_end(b, info);
	put_alias(b, n);
}

void rtnl_delete(struct nl_batch *b, const char *name)
{
	begin_link(b, RTM_DELLINK, 0, name);
}

void rtnl_set_up(struct nl_batch *b, const char *name, bool up)
{
	const struct ifinfomsg i = {
		.ifi_family = AF_UNSPEC, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};

	nl_begin(b, RTM_NEWLINK, 0, &i, sizeof(i));
	nl_put_str(b, IFLA_IFNAME, name);
}

void rtnl_set_master(struct nl_batch *b, const char *name, int master)
{
	begin_link(b, RTM_NEWLINK, 0, name);
	nl_put_u32(b, IFLA_MASTER, (uint32_t)master);
}

void rtnl_set_mtu(struct nl_batch *b, const char *name, unsigned mtu)
{
	begin_link(b, RTM_NEWLINK, 0, name);
	nl_put_u32(b, IFLA_MTU, mtu);
}

void rtnl_set_mac(struct nl_batch *b, const char *name, const uint8_t mac[6])
{
	begin_link(b, RTM_NEWLINK, 0, name);
	nl_put(b, IFLA_ADDRESS, mac, 6);
}

void rtnl_set_quiet(struct nl_batch *b, const char *name)
{
	size_t spec, inet6;

	begin_link(b, RTM_NEWLINK, 0, name);
	spec = nl_nest(b, IFLA_AF_SPEC);
	inet6 = nl_nest(b, AF_INET6);
	nl_put_u8(b, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nl_nest_end(b, inet6);
	nl_nest_end(b, spec);
}

static void set_port(struct nl_batch *b, const char *name, uint16_t flag, bool on)
{
	size_t info, data;

	begin_link(b, RTM_NEWLINK, 0, name);
	info = nl_nest(b, IFLA_LINKINFO);
	nl_put_str(b, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nl_nest(b, IFLA_INFO_SLAVE_DATA);
	nl_put_u8(b, flag, on);
	nl_nest_end(b, data);
	nl_nest_end(b, info);
}

void rtnl_set_isolated(struct nl_batch *b, const char *name, bool isolated)
{
	set_port(b, name, IFLA_BRPORT_ISOLATED, isolated);
}

void rtnl_set_hairpin(struct nl_batch *b, const char *name, bool hairpin)
{
	set_port(b, name, IFLA_BRPORT_MODE, hairpin);
}

static size_t width(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static void put_address(struct nl_batch *b, uint16_t type, uint16_t flags,
			const struct rtnl_address *a)
{
	const struct ifaddrmsg m = {.ifa_family = a->family,
				    .ifa_prefixlen = a->bits,
				    .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
				    .ifa_index = (unsigned)a->index};
	uint8_t broadcast[4];

	nl_begin(b, type, flags, &m, sizeof(m));
	nl_put(b, IFA_LOCAL, a->bytes, width(a->family));
	nl_put(b, IFA_ADDRESS, a->bytes, width(a->family));
	if (a->family != AF_INET || type != RTM_NEWADDR || a->bits >= 31)
		return;
	for (unsigned i = 0; i < 4; i++) {
		unsigned host = a->bits >= 8 * (i + 1) ? 0
				: a->bits > 8 * i      ? 0xffU >> (a->bits - 8 * i)
						       : 0xffU;

		broadcast[i] = (uint8_t)(a->bytes[i] | host);
	}
	nl_put(b, IFA_BROADCAST, broadcast, sizeof(broadcast));
}

void rtnl_add_address(struct nl_batch *b, const struct rtnl_address *a)
{
	put_address(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a);
}

void rtnl_delete_address(struct nl_batch *b, const struct rtnl_address *a)
{
	put_address(b, RTM_DELADDR, 0, a);
}

void rtnl_default_route(struct nl_batch *b, const struct rtnl_address *a)
{
	const struct rtmsg m = {.rtm_family = a->family,
				.rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_BOOT,
				.rtm_scope = RT_SCOPE_UNIVERSE,
				.rtm_type = RTN_UNICAST};

	nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nl_put(b, RTA_GATEWAY, a->bytes, width(a->family));
	nl_put_u32(b, RTA_OIF, (uint32_t)a->index);
}

/* ---- asking ---- */

static int read_link(const struct nl_message *m, struct rtnl_link *l)
{
	struct nl_attr a[IFLA_IFALIAS + 1], info[IFLA_INFO_KIND + 1];
	struct ifinfomsg i;
	int r = nl_parse_message(m, &i, sizeof(i), a, IFLA_IFALIAS);

	if (r == 0)
		r = nl_parse(a[IFLA_LINKINFO].data, a[IFLA_LINKINFO].n, info, IFLA_INFO_KIND);
	if (r < 0)
		return r;
	*l = (struct rtnl_link){.index = i.ifi_index,
				.master = (int)nl_u32(&a[IFLA_MASTER]),
				.mtu = nl_u32(&a[IFLA_MTU]),
				.up = (i.ifi_flags & IFF_UP) != 0};
	nl_str(&a[IFLA_IFNAME], l->name, sizeof(l->name));
	nl_str(&info[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
	nl_str(&a[IFLA_IFALIAS], l->alias, sizeof(l->alias));
	return 0;
}

static int on_link(void *arg, const struct nl_message *m)
{
	return m->type == RTM_NEWLINK ? read_link(m, arg) : 0;
}

static int find(int sock, const char *name, int index, struct rtnl_link *ret)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct rtnl_link l = {.index = 0};
	int r;

	nl_begin(&b, RTM_GETLINK, 0, &i, sizeof(i));
	if (name)
		nl_put_str(&b, IFLA_IFNAME, name);
	nl_put_u32(&b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = nl_ask(sock, &b, on_link, &l);
	if (r == 0 && l.index == 0)
		r = -ENODEV;
	if (r == 0)
		*ret = l;
	return r;
}

int rtnl_link_find(int sock, const char *name, struct rtnl_link *ret)
{
	return find(sock, name, 0, ret);
}

int rtnl_link_by_index(int sock, int index, struct rtnl_link *ret)
{
	return find(sock, NULL, index, ret);
}

struct link_walk {
	rtnl_link_fn fn;
	void *arg;
};

static int on_each_link(void *arg, const struct nl_message *m)
{
	struct link_walk *w = arg;
	struct rtnl_link l;
	int r = m->type == RTM_NEWLINK ? read_link(m, &l) : 1;

	return r == 0 ? w->fn(w->arg, &l) : MIN(r, 0);
}

int rtnl_links_each(int sock, int master, rtnl_link_fn fn, void *arg)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct link_walk w = {.fn = fn, .arg = arg};

	nl_begin(&b, RTM_GETLINK, NLM_F_DUMP, &i, sizeof(i));
	nl_put_u32(&b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (master)
		nl_put_u32(&b, IFLA_MASTER, (uint32_t)master);
	return nl_ask(sock, &b, on_each_link, &w);
}

struct prefix_walk {
	rtnl_prefix_fn fn;
	void *arg;
};

static bool read_bytes(const struct nl_attr *a, uint8_t family, uint8_t ret[16])
{
	if (!a->data || a->n < width(family))
		return false;
	memcpy(ret, a->data, width(family));
	return true;
}

static int on_route(void *arg, const struct nl_message *m)
{
	struct prefix_walk *w = arg;
	struct nl_attr a[RTA_TABLE + 1], metrics[RTAX_MTU + 1];
	struct rtnl_prefix p = {.family = 0};
	struct rtmsg t;
	int r;

	if (m->type != RTM_NEWROUTE)
		return 0;
	r = nl_parse_message(m, &t, sizeof(t), a, RTA_TABLE);
	if (r == 0)
		r = nl_parse(a[RTA_METRICS].data, a[RTA_METRICS].n, metrics, RTAX_MTU);
	if (r < 0)
		return r;
	if (t.rtm_type != RTN_UNICAST || nl_u32(&a[RTA_TABLE]) == RT_TABLE_LOCAL ||
	    t.rtm_flags & RTM_F_CLONED || (t.rtm_family != AF_INET && t.rtm_family != AF_INET6))
		return 0;
	p.family = t.rtm_family;
	p.bits = t.rtm_dst_len;
	if (p.bits && !read_bytes(&a[RTA_DST], p.family, p.bytes))
		return -EBADMSG;
	p.index = (int)nl_u32(&a[RTA_OIF]);
	p.mtu = nl_u32(&metrics[RTAX_MTU]);
	p.metric = nl_u32(&a[RTA_PRIORITY]);
	return w->fn(w->arg, &p);
}

static int walk_routes(int sock, uint8_t family, struct prefix_walk *w)
{
	const struct rtmsg t = {.rtm_family = family};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;

	nl_begin(&b, RTM_GETROUTE, NLM_F_DUMP, &t, sizeof(t));
	return nl_ask(sock, &b, on_route, w);
}

int rtnl_routes_each(int sock, rtnl_prefix_fn fn, void *arg)
{
	struct prefix_walk w = {.fn = fn, .arg = arg};
	int r = walk_routes(sock, AF_INET, &w);

	return r < 0 ? r : walk_routes(sock, AF_INET6, &w);
}

static int on_address(void *arg, const struct nl_message *m)
{
	struct prefix_walk *w = arg;
	struct nl_attr a[IFA_LOCAL + 1];
	struct rtnl_prefix p = {.family = 0};
	struct ifaddrmsg i;
	int r;

	if (m->type != RTM_NEWADDR)
		return 0;
	r = nl_parse_message(m, &i, sizeof(i), a, IFA_LOCAL);
	if (r < 0 || (i.ifa_family != AF_INET && i.ifa_family != AF_INET6))
		return r;
	p.family = i.ifa_family;
	p.bits = i.ifa_prefixlen;
	p.index = (int)i.ifa_index;
	if (!read_bytes(&a[IFA_LOCAL], p.family, p.bytes) &&
	    !read_bytes(&a[IFA_ADDRESS], p.family, p.bytes))
		return -EBADMSG;
	return w->fn(w->arg, &p);
}

int rtnl_addresses_each(int sock, rtnl_prefix_fn fn, void *arg)
{
	const struct ifaddrmsg i = {.ifa_family = AF_UNSPEC};
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct prefix_walk w = {.fn = fn, .arg = arg};

	nl_begin(&b, RTM_GETADDR, NLM_F_DUMP, &i, sizeof(i));
	return nl_ask(sock, &b, on_address, &w);
}
