/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of net/. */
#ifndef KOGGE_NET_INTERNAL_H
#define KOGGE_NET_INTERNAL_H

#include "kernel/netlink.h"
#include "kernel/nft.h"
#include "net/rules.h"

/* Every port of ours on a bridge begins so; the rules know it (rules-frame.c). */
#define NET_PORT_PREFIX "kgv"

/* The two tables. */
extern const struct nft_place net_table, net_bridge_table;

/* Opens what is not open. The descriptor, or -1 with E set. */
int net_session_route(struct net_session *s, struct err *e);
int net_session_nft(struct net_session *s, struct err *e);

/* Sets E from what the kernel said: "WHAT: <text>: <errno>". Returns -1. */
int net_fault(const struct nl_fault *f, const char *what, struct err *e);

/* Writes a sysctl of the network namespace that the caller is in; what is so already is left. */
int net_sysctl(struct net_session *s, const char *name, const char *value, struct err *e);

/* Whether it is VALUE now; false where there is none. */
bool net_sysctl_is(struct net_session *s, const char *name, const char *value);

/* The same for one link: "net/FAMILY/conf/LINK/KEY". FAMILY: "ipv4", "ipv6". ENOENT counts as
 * done for "ipv6": the kernel has none. */
struct net_link_sysctl {
	const char *family, *link, *key, *value;
};
int net_sysctl_link(struct net_session *s, const struct net_link_sysctl *c, struct err *e);

/* A driver: what differs between kinds of networks. NETNS as in net_attach. */
struct net_driver_ops {
	int (*up)(struct net_session *s, const struct net *n, struct err *e);
	int (*down)(struct net_session *s, const struct net *n, struct err *e);
	int (*attach)(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		      int netns, struct err *e);
	int (*detach)(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		      int netns, struct err *e);
	int (*status)(struct net_session *s, const struct net *n, struct net_state *ret,
		      struct err *e);
};

extern const struct net_driver_ops net_bridge_ops, net_macvlan_ops;

/* The container's side of any driver: the link P->link is in NETNS already. */
int net_inside(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e);
/* Opens an rtnetlink socket in NETNS, or -1 with E set. */
int net_inside_socket(int netns, struct err *e);
/* Removes P's link from NETNS; no error where it is gone. */
int net_inside_remove(const struct net_endpoint *p, int netns, struct err *e);

/* The network's MTU. */
int net_mtu(struct net_session *s, const struct net *n, unsigned *ret, struct err *e);

/* ---- rules ---- */

/* Writes the frame: both tables as they are without any network. They must not be there. */
void rules_frame(struct nl_batch *b);

/* One element that is to be there. */
struct rules_element {
	const struct nft_place *table;
	const char *set;
	struct nft_key key, value; /* value.n 0: none */
};
typedef void (*rules_element_fn)(void *arg, const struct rules_element *x);

/* Calls FN for what a network, an endpoint (without its ports), an endpoint's ports need. */
void rules_each_network(const struct net *n, rules_element_fn fn, void *arg);
void rules_each_endpoint(const struct net *n, const struct net_endpoint *p, rules_element_fn fn,
			 void *arg);
void rules_each_port(const struct net *n, const struct net_endpoint *p, rules_element_fn fn,
		     void *arg);

/* Which of the three. */
enum { RULES_NETWORK = 1, RULES_ENDPOINT = 2, RULES_PORTS = 4 };

/* Adds or removes the elements of WHAT in one transaction. Where the tables are missing an addition
 * makes them, with the network's elements. What is gone already is no error of a removal. */
struct rules_change {
	const struct net *net;
	const struct net_endpoint *endpoint; /* NULL for RULES_NETWORK alone */
	unsigned what;
	bool del;
};
int rules_change(struct net_session *s, const struct rules_change *c, struct err *e);

/* Which bridges other people's forward chains are to let through (rules_foreign). */
struct foreign_wish {
	const char *const *links;
	size_t n;
	const char *only; /* rules of other bridges are left, or NULL */
};

/* Whether rules of ours for this link are to go. */
bool foreign_stale(const struct foreign_wish *wish, const char *link);

/* The same in the chains of iptables before nf_tables, where the kernel has any. Where the program
 * iptables-legacy is missing or refuses, nothing happens. */
void legacy_iptables_settle(const struct foreign_wish *wish);

/* Puts the link into firewalld's zone for what is trusted, or (DEL) takes it out. Where firewalld
 * does not answer, or has the link in another zone, nothing happens. */
void firewalld_trust(const char *link, bool del);

/* Opens other people's forward chains, where they drop what no rule lets through, for these
 * bridges: rules at their end, behind every rule of the host's owner (docs/design/0092-*.md).
 * WANTED are the links' names; what is tagged as ours and not wanted is removed. */
int rules_foreign(struct net_session *s, const char *const *wanted, size_t n, struct err *e);
/* The same for one bridge that comes or goes (DEL), the others left alone. */
int rules_foreign_one(struct net_session *s, const char *link, bool del, struct err *e);

#endif
