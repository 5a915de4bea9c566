/* SPDX-License-Identifier: Apache-2.0 */
/* Links, addresses and routes by rtnetlink. Functions with a batch only write messages
 * (kernel/netlink.h); those with a socket ask. Links are named by their names, or by indexes of the
 * network namespace that the socket is of. */
#ifndef KOGGE_KERNEL_RTNL_H
#define KOGGE_KERNEL_RTNL_H

#include "kernel/netlink.h"

#define RTNL_NAME 16

/* A link as it is. */
struct rtnl_link {
	int index;
	int master; /* index of the bridge that it is a port of, or 0 */
	unsigned mtu;
	bool up;
	char name[RTNL_NAME];
	char kind[RTNL_NAME]; /* "bridge", "veth", ...; "" for hardware */
	char alias[80];
};

/* -ENODEV where there is none. */
int rtnl_link_find(int sock, const char *name, struct rtnl_link *ret);
/* The same by its index. */
int rtnl_link_by_index(int sock, int index, struct rtnl_link *ret);

/* Calls FN for each link; MASTER limits it to the ports of that bridge where not 0. */
typedef int (*rtnl_link_fn)(void *arg, const struct rtnl_link *l);
int rtnl_links_each(int sock, int master, rtnl_link_fn fn, void *arg);

/* A link to be made. Zero and NULL leave the kernel's choice. */
struct rtnl_new {
	const char *name;
	const uint8_t *mac;
	unsigned mtu;
	int master;        /* veth: the bridge to become a port of */
	int parent;        /* macvlan: index */
	unsigned mode;     /* macvlan: MACVLAN_MODE_... */
	int netns;         /* macvlan, dummy: where it appears; 0: here */
	const char *alias; /* bridge, dummy: kept by the kernel for people who look */
};

/* A bridge without spanning tree, down. */
void rtnl_add_bridge(struct nl_batch *b, const struct rtnl_new *n);
/* A pair: N here, PEER in the network namespace PEER->netns; both down. */
void rtnl_add_veth(struct nl_batch *b, const struct rtnl_new *n, const struct rtnl_new *peer);
/* A macvlan over N->parent, in N->netns, down. */
void rtnl_add_macvlan(struct nl_batch *b, const struct rtnl_new *n);
/* A dummy device, down. */
void rtnl_add_dummy(struct nl_batch *b, const struct rtnl_new *n);

/* Removes the link. */
void rtnl_delete(struct nl_batch *b, const char *name);

/* Brings the link up or down. */
void rtnl_set_up(struct nl_batch *b, const char *name, bool up);
/* Makes it a port of the bridge with index MASTER. */
void rtnl_set_master(struct nl_batch *b, const char *name, int master);
/* Sets the MTU. */
void rtnl_set_mtu(struct nl_batch *b, const char *name, unsigned mtu);
/* Sets the MAC address. */
void rtnl_set_mac(struct nl_batch *b, const char *name, const uint8_t mac[6]);
/* No link-local address by itself: the link is a port. */
void rtnl_set_quiet(struct nl_batch *b, const char *name);
/* A bridge's port: whether other isolated ports are out of its reach. */
void rtnl_set_isolated(struct nl_batch *b, const char *name, bool isolated);

/* A bridge's port: whether frames go back to the port that they came from. */
void rtnl_set_hairpin(struct nl_batch *b, const char *name, bool hairpin);

/* An address on the link with that index; IPv6 without duplicate address detection. */
struct rtnl_address {
	int index;
	uint8_t family, bits;
	const uint8_t *bytes; /* 4 or 16 */
};
/* Adds it, also where it is there already. */
void rtnl_add_address(struct nl_batch *b, const struct rtnl_address *a);
/* Removes it. */
void rtnl_delete_address(struct nl_batch *b, const struct rtnl_address *a);

/* The default route of A's family over the gateway A->bytes, replacing the one that is there. */
void rtnl_default_route(struct nl_batch *b, const struct rtnl_address *a);

/* A route or an address, as rtnl_prefixes_each shows it. */
struct rtnl_prefix {
	uint8_t family, bits; /* bits 0: a default route */
	uint8_t bytes[16];
	int index;    /* of the link, or 0 */
	unsigned mtu; /* of the route, or 0 */
	uint32_t metric;
};

/* Calls FN for each unicast route of the main tables of both families. */
typedef int (*rtnl_prefix_fn)(void *arg, const struct rtnl_prefix *p);
int rtnl_routes_each(int sock, rtnl_prefix_fn fn, void *arg);
/* Calls FN for each address; bits are those of its prefix. */
int rtnl_addresses_each(int sock, rtnl_prefix_fn fn, void *arg);

#endif
