/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as the kernel has them: links, addresses, routes and rules of bridges and of the
 * containers on them. The caller keeps the book (which networks exist, who has which address and
 * port); what it wants is handed in as plain structs, and nothing here remembers it.
 *
 *   engine, at creation of a network   net_host_prefixes, net_pool_choose, net_subnet_check
 *   engine, before a start             net_up         the bridge is there (cheap where it is)
 *   monitor's process, after clone     net_attach     for each network, before the stage goes on
 *   at the end, by the monitor         net_detach
 *   network rm                         net_down
 *   keeper                             net_watch, net_rules_sync (net/rules.h)
 *
 * How a container gets it: struct runtime_opts has `network`, a callback that runs between the
 * clone of the first process and its first step, with a descriptor of its network namespace. The
 * same net_attach joins a running container (`network connect`): open its namespace by
 * ns_open(proc, pid, CLONE_NEWNET).
 *
 * All functions are idempotent: attaching what is attached and removing what is gone succeed, so
 * that whoever died half way is followed by another attempt. They need CAP_NET_ADMIN in the
 * namespace that the session was opened in, and CAP_SYS_ADMIN to enter a container's. No child
 * processes, no waiting: each call is a few netlink messages. Errors: ERR_UNSUPPORTED where the
 * kernel lacks bridge, veth, macvlan or nftables (named), ERR_EXISTS for a link's name that is
 * taken by something else, ERR_CONFLICT, ERR_INVALID. */
#ifndef KOGGE_NET_NET_H
#define KOGGE_NET_NET_H

#include "net/address.h"

#define NET_LINK_SIZE 16 /* IFNAMSIZ */

/* How a network is made. NONE and HOST make nothing. */
enum net_driver { NET_BRIDGE, NET_MACVLAN, NET_NONE, NET_HOST, NET_DRIVER_N };

/* "bridge", "macvlan", "none" ("null" as well), "host"; -1 for others. And back. */
int net_driver_parse(const char *s);
const char *net_driver_name(enum net_driver d);

/* Docker's option macvlan_mode. */
enum net_macvlan_mode {
	NET_MACVLAN_BRIDGE,
	NET_MACVLAN_PRIVATE,
	NET_MACVLAN_VEPA,
	NET_MACVLAN_PASSTHRU
};

/* What a network is, as far as the kernel is concerned. Strings and arrays are borrowed. */
struct net {
	enum net_driver driver;
	char id[65];              /* 64 hexadecimal digits */
	const char *name;         /* for messages */
	char link[NET_LINK_SIZE]; /* bridge: its name on the host (net_link_name gives the usual
				     one); macvlan: the parent device, "" for a dummy (--internal)
				   */
	const struct net_subnet *subnets; /* of both families */
	size_t n_subnets;
	unsigned mtu;                  /* 0: that of the host's default route (net_default_mtu) */
	bool ipv6;                     /* containers get IPv6, also link-local alone */
	bool internal;                 /* no way out and none in; no default route */
	bool icc;                      /* containers on it may talk to each other */
	bool masquerade4, masquerade6; /* else routed: addresses are seen outside as they are */
	bool routed4, routed6;         /* gateway mode "routed": published ports are opened on the
					  container's own address, nothing is translated */
	bool no_spoof_check;           /* option kogge.bridge.spoof_check=false */
	enum net_macvlan_mode macvlan_mode;
};

/* A published port. HOST family 0: all addresses of both families, as Docker's "-p 80:80";
 * 0.0.0.0 and :: are all of that one family. */
struct net_port {
	struct net_ip host;
	uint16_t host_port;
	uint16_t port;    /* in the container */
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
};

/* A container's place on a network: everything decided before the start. Borrowed. */
struct net_endpoint {
	char container[65];            /* its ID */
	char host_link[NET_LINK_SIZE]; /* our end (net_endpoint_link); macvlan: unused */
	char link[NET_LINK_SIZE];      /* name inside: "eth0", "eth1", ... */
	uint8_t mac[6];
	struct net_ip ip4, ip6;           /* with the subnet's bits; family 0: none */
	struct net_ip gateway4, gateway6; /* of the default route, where it goes over this network;
					     family 0: none over this one */
	const struct net_ip *link_local;  /* more addresses (--link-local-ip), with bits */
	size_t n_link_local;
	const struct net_port *ports; /* published over this network; the bridge driver only */
	size_t n_ports;
};

/* "br-" and 12 digits of the network's ID; the default network is called "kogge0". */
void net_link_name(const char id[65], char ret[NET_LINK_SIZE]);

/* The name of our end of CONTAINER's link on NETWORK (both IDs): "kgv" and 12 digits of a digest.
 * Every port with this prefix is filtered, so no other name is possible. */
void net_endpoint_link(const char *container, const char *network, char ret[NET_LINK_SIZE]);

/* Sockets to the kernel, of the network namespace that the caller is in. Opened at need: making
 * one costs nothing. */
struct net_session {
	int route; /* rtnetlink */
	int nft;   /* nfnetlink */
	int proc;  /* for sysctls (kernel/proc.h) */
	uint32_t seq;
};

#define NET_SESSION_INIT ((struct net_session){.route = -1, .nft = -1, .proc = -1})

/* Closes what is open. */
void net_session_done(struct net_session *s);

/* Makes bridge (with its gateway addresses and rules) or checks the parent. ERR_EXISTS where a
 * link of that name is not ours to use: of another kind, or without our gateway's address while
 * something else has addresses on it. Does forwarding on the host as Docker does. */
int net_up(struct net_session *s, const struct net *n, struct err *e);

/* Removes the network's links and rules. */
int net_down(struct net_session *s, const struct net *n, struct err *e);

/* Gives the network namespace NETNS (a descriptor; borrowed) its place on N: link, addresses,
 * routes, rules and published ports. Makes the bridge and the rules' frame where they are
 * missing. On failure nothing is left. */
int net_attach(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e);

/* Takes all of it away again. NETNS is -1 where the namespace is gone or going: the link goes with
 * it, and is left to the kernel; stale connections to the ports are forgotten by the kernel's table
 * (N13). */
int net_detach(struct net_session *s, const struct net *n, const struct net_endpoint *p, int netns,
	       struct err *e);

/* Removes our end of a link that net_detach left to the kernel, where it is still there: somebody
 * else has the namespace. */
int net_link_drop(struct net_session *s, const char *host_link, struct err *e);

/* Publishes (ADD) or withdraws P's ports while it is attached; what it does not name stays. */
int net_publish(struct net_session *s, const struct net *n, const struct net_endpoint *p, bool add,
		struct err *e);

struct net_state {
	bool link_up;   /* bridge or parent is there and up */
	bool rules;     /* our tables are there */
	unsigned ports; /* links on the bridge, on all its segments */
	unsigned mtu;
};

/* How it is. */
int net_status(struct net_session *s, const struct net *n, struct net_state *ret, struct err *e);

/* Moves the default route of NETNS to N's gateway of P (for connect and disconnect, where another
 * network takes over). A family whose gateway has family 0 is left as it is. */
int net_default_route(struct net_session *s, const struct net_endpoint *p, int netns,
		      struct err *e);

/* The host's routes (both families, without defaults, link-local and multicast) and addresses as
 * prefixes, for net_pool_choose. *RET is the caller's to free. */
int net_host_prefixes(struct net_session *s, struct net_ip **ret, size_t *ret_n, struct err *e);

/* The MTU of the host's default route: of the route, else of its device; 1500 without one. */
int net_default_mtu(struct net_session *s, unsigned *ret, struct err *e);

/* The host's own address that host.docker.internal and host-gateway stand for: N's gateway on the
 * host. Family 0 where there is none. */
struct net_ip net_host_gateway(const struct net *n, int family);

/* Whether PORT can be taken on this host now: ERR_CONFLICT names the program that has it. Ports of
 * other containers are the caller's book. Returns a bound socket that keeps it from others until
 * it is closed (the container's monitor may hold it), or -1. */
int net_port_hold(const struct net_port *port, struct err *e);

#endif
