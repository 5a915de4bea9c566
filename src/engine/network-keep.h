/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper knows: private to network-keep.c and network-zone.c. */
#ifndef KOGGE_ENGINE_NETWORK_KEEP_H
#define KOGGE_ENGINE_NETWORK_KEEP_H

#include "base/buf.h"
#include "engine/network-internal.h"
#include "net/rules.h"

/* All endpoints of containers that run, network by network, and the networks. */
struct live {
	struct arena arena;
	struct endpoint_row *rows;
	size_t n_rows;
	struct network *nets;
	size_t n_nets;
	struct network **net_of; /* of each row; NULL: it was removed */
	/* The rows container by container. */
	const struct endpoint_row **by_container;
};

#define LIVE_INIT ((struct live){.arena = ARENA_INIT})

/* Reads them all. RET is to be closed by live_done. */
int live_load(struct engine *en, struct live *ret, struct err *e);
void live_done(struct live *l);

/* Whether row I is on a network that a user made: there are names. */
bool live_has_names(const struct live *l, size_t i);

/* Appends the resolver's table to OUT. */
int live_table(const struct live *l, struct buf *out, struct err *e);

/* Puts the rules of all of them in place of what is there, or with MERGE beside it. */
int live_restore(struct engine *en, const struct live *l, struct net_session *s, bool merge,
		 struct err *e);

#endif
