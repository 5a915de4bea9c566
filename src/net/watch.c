/* SPDX-License-Identifier: Apache-2.0 */
/* News of the kernel. Elements come and go with every container and are no news; removed tables,
 * chains and rules are, and new base chains, whose policy may be to drop. */
#include "base/fd.h"
#include "base/str.h"
#include "net/net-internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

struct news {
	uint32_t own;
	unsigned changes;
};

/* Messages on tables, chains, rules and sets all have the table's name as their first attribute. */
static bool is_ours(const struct nl_message *m)
{
	struct nl_attr a[NFTA_TABLE_NAME + 1];
	struct nfgenmsg head;
	char name[16];

	_Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
			       NFTA_SET_TABLE == 1,
		       "one attribute for all");
	if (nl_parse_message(m, &head, sizeof(head), a, NFTA_TABLE_NAME) < 0)
		return false;
	nl_str(&a[NFTA_TABLE_NAME], name, sizeof(name));
	return str_eq(name, net_table.table) && (head.nfgen_family == net_table.family ||
						 head.nfgen_family == net_bridge_table.family);
}

static int on_rules(void *arg, const struct nl_message *m)
{
	struct news *n = arg;

	if (m->type >> 8 != NFNL_SUBSYS_NFTABLES || (n->own && m->port == n->own))
		return 0;
	switch (m->type & 0xff) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_DELRULE:
	case NFT_MSG_DELSET:
		n->changes |= NET_CHANGE_RULES | (is_ours(m) ? NET_CHANGE_OURS : 0);
		break;
	case NFT_MSG_NEWCHAIN:
		n->changes |= NET_CHANGE_RULES;
		break;
	default:
		break;
	}
	return 0;
}

/* Only bridges matter: ports come and go with every container. */
static void on_link(struct news *n, const struct nl_message *m)
{
	struct nl_attr a[IFLA_LINKINFO + 1], info[IFLA_INFO_KIND + 1];
	struct ifinfomsg i;
	char kind[16];

	if (nl_parse_message(m, &i, sizeof(i), a, IFLA_LINKINFO) < 0 ||
	    nl_parse(a[IFLA_LINKINFO].data, a[IFLA_LINKINFO].n, info, IFLA_INFO_KIND) < 0)
		return;
	nl_str(&info[IFLA_INFO_KIND], kind, sizeof(kind));
	if (str_eq(kind, "bridge") && i.ifi_family != AF_BRIDGE &&
	    (m->type == RTM_DELLINK || !(i.ifi_flags & IFF_UP)))
		n->changes |= NET_CHANGE_LINKS;
}

static int on_routes(void *arg, const struct nl_message *m)
{
	struct news *n = arg;
	struct nl_attr none;
	struct rtmsg t;

	if (m->type == RTM_NEWLINK || m->type == RTM_DELLINK)
		on_link(n, m);
	else if ((m->type == RTM_NEWROUTE || m->type == RTM_DELROUTE) &&
		 nl_parse_message(m, &t, sizeof(t), &none, 0) == 0 && t.rtm_dst_len == 0)
		n->changes |= NET_CHANGE_ROUTES;
	return 0;
}

int net_watch_open(struct net_watch *ret, struct err *e)
{
	struct net_watch w = NET_WATCH_INIT;
	static const unsigned groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
	const int size = 1 << 20;
	int r;

	w.nft = nl_open(NETLINK_NETFILTER);
	w.route = w.nft < 0 ? -1 : nl_open(NETLINK_ROUTE);
	r = w.nft < 0 ? w.nft : w.route < 0 ? w.route : nl_join(w.nft, NFNLGRP_NFTABLES);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(groups); i++)
		r = nl_join(w.route, groups[i]);
	if (r < 0) {
		net_watch_done(&w);
		return err_errno(e, r, "listening for changes of rules and links");
	}
	setsockopt(w.nft, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(w.route, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*ret = w;
	return 0;
}

void net_watch_done(struct net_watch *w)
{
	fd_close(&w->nft);
	fd_close(&w->route);
}

int net_watch_read(struct net_watch *w, const struct net_session *own)
{
	struct news n = {.own = own && own->nft >= 0 ? nl_port(own->nft) : 0};
	int r = nl_listen(w->nft, on_rules, &n);

	if (r == -ENOBUFS)
		n.changes |= NET_CHANGE_RULES;
	else if (r < 0)
		return r;
	r = nl_listen(w->route, on_routes, &n);
	if (r == -ENOBUFS)
		n.changes |= NET_CHANGE_LINKS | NET_CHANGE_ROUTES;
	else if (r < 0)
		return r;
	return (int)n.changes;
}
