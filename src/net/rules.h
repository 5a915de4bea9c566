/* SPDX-License-Identifier: Apache-2.0 */
/* The rules as a whole (docs/formats/nftables.md), for the process that keeps them: somebody else's
 * `nft flush ruleset` takes them away, and the keeper puts them back. */
#ifndef KOGGE_NET_RULES_H
#define KOGGE_NET_RULES_H

#include "net/net.h"

/* One network with the endpoints that are attached to it. Borrowed. */
struct net_rules_net {
	const struct net *net;
	const struct net_endpoint *endpoints;
	size_t n_endpoints;
};

/* Replaces our tables by what ALL says, in one transaction: nothing is open or closed in between.
 * Connections go on. With N 0 the tables are removed. */
int net_rules_sync(struct net_session *s, const struct net_rules_net *all, size_t n, struct err *e);

/* Adds what ALL says to our tables as they are: what others have in them stays. */
int net_rules_merge(struct net_session *s, const struct net_rules_net *all, size_t n,
		    struct err *e);

/* Has the network's packets pass the forward chains of others. A start does; this is for when they
 * have changed theirs since. */
int net_rules_pass(struct net_session *s, const struct net *n, struct err *e);

/* Whether our tables are there with all rules of their frame (not: each element). 1 or 0. */
int net_rules_present(struct net_session *s, struct err *e);

enum net_change {
	NET_CHANGE_RULES = 1 << 0, /* tables or chains were removed, ours or such as we depend on */
	NET_CHANGE_OURS = 1 << 3,  /* our tables were touched, and may be whole again */
	NET_CHANGE_LINKS = 1 << 1, /* a bridge was removed or set down */
	NET_CHANGE_ROUTES = 1 << 2, /* a default route changed: the MTU may have */
};

/* Subscribes to the kernel's news about rules, links and routes: two sockets, to be polled for
 * POLLIN. */
struct net_watch {
	int nft, route;
};

#define NET_WATCH_INIT ((struct net_watch){.nft = -1, .route = -1})

/* Opens both, of the network namespace that the caller is in. */
int net_watch_open(struct net_watch *ret, struct err *e);
void net_watch_done(struct net_watch *w);

/* Reads all news that is there without waiting. Returns flags of enum net_change (0: nothing that
 * matters, for example elements that a start added), or a negative errno. News that was lost counts
 * as a change of everything. What OWN did (the session by which the caller restores the rules; may
 * be NULL) is no news: it would go round for ever. */
int net_watch_read(struct net_watch *w, const struct net_session *own);

#endif
