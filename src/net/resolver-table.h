/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver's table (net/resolver.h says how it is written). */
#ifndef KOGGE_NET_RESOLVER_TABLE_H
#define KOGGE_NET_RESOLVER_TABLE_H

#include "base/arena.h"
#include "net/address.h"

#define RESOLVER_ANSWERS_MAX 64

struct resolver_view {
	const char *id;
	const char *const *networks; /* NULL-terminated */
	const char *const *servers;  /* NULL: the host's */
	bool internal;
};

struct resolver_name {
	const char *network, *name; /* lower case */
	const char *first;          /* the name that answers for the address */
	struct net_ip ip;
};

struct resolver_table {
	struct arena arena;
	struct resolver_view *views; /* by id */
	struct resolver_name *names; /* by name */
	size_t n_views, n_names;
};

#define RESOLVER_TABLE_INIT ((struct resolver_table){.arena = ARENA_INIT})

void resolver_table_done(struct resolver_table *t);

/* Reads TEXT; lines that are none are left out. 0 or -ENOMEM. */
int resolver_table_read(const char *text, struct resolver_table *ret);

/* What the container sees, or NULL. */
const struct resolver_view *resolver_table_view(const struct resolver_table *t, const char *id);

/* The addresses of NAME (lower case) that V sees: at most RESOLVER_ANSWERS_MAX. *RET_KNOWN: the
 * name is there. */
size_t resolver_table_find(const struct resolver_table *t, const struct resolver_view *v,
			   const char *name, struct net_ip *ret, bool *ret_known);

/* The name of an address that V sees, or NULL. *RET_OURS: some network has it. */
const char *resolver_table_reverse(const struct resolver_table *t, const struct resolver_view *v,
				   const struct net_ip *ip, bool *ret_ours);

#endif
