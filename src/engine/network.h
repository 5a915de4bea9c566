/* SPDX-License-Identifier: Apache-2.0 */
/* Networks for users: making, showing, removing, and containers on them. The driver's work (links,
 * rules) is net/net.h's; who has which address is the store's (store/network-store.h).
 *
 * `bridge`, `host` and `none` are always there; they are made when they are first asked for. */
#ifndef KOGGE_ENGINE_NETWORK_H
#define KOGGE_ENGINE_NETWORK_H

#include "base/err.h"

#include <jansson.h>

struct engine;
struct spec_endpoint;
struct spec_pair;

/* One --subnet with what belongs to it. Strings as given. */
struct network_pool_spec {
	const char *subnet, *range, *gateway; /* NULL: one is chosen */
	const struct spec_pair *aux;          /* name, address */
	size_t n_aux;
};

struct network_spec {
	const char *name, *driver; /* NULL: bridge */
	const struct network_pool_spec *pools;
	size_t n_pools;
	bool internal, attachable, ipv6;
	bool no_ipv4;
	const struct spec_pair *opts, *labels;
	size_t n_opts, n_labels;
};

/* Makes a network and its link. RET_ID (65 bytes) gets its ID. ERR_CONFLICT where the name, the
 * interface or the addresses are taken; ERR_INVALID for what Docker refuses; ERR_UNSUPPORTED where
 * the kernel lacks what it takes. Nothing stays of one that failed. */
int network_create(struct engine *en, const struct network_spec *spec, char *ret_id, struct err *e);

/* Docker's JSON of one network, with the containers that run on it. ERR_NOT_FOUND. A new reference.
 */
json_t *network_inspect(struct engine *en, const char *ref, struct err *e);

/* All networks in the order of names, each as by network_inspect, and with InUse (whether a
 * container, running or not, is on it) and CreatedNano (Unix nanoseconds). A new reference. */
json_t *network_list(struct engine *en, struct err *e);

/* Removes the network and its link. ERR_CONFLICT where a container that runs is on it, ERR_DENIED
 * for one of the three. */
int network_remove(struct engine *en, const char *ref, struct err *e);

/* Puts the container on one more network, at once where it runs. */
int network_connect(struct engine *en, const char *ref, const char *container,
		    const struct spec_endpoint *ep, struct err *e);

/* Takes it off. FORCE: no error where container or network know nothing of it. */
int network_disconnect(struct engine *en, const char *ref, const char *container, bool force,
		       struct err *e);

/* The keeper (`kogge __keep`): lives as long as a container is on a network, and puts right what
 * others break. SOCK listens, LOCK is its lock; both are its own from here on. Returns when nobody
 * needs it. */
int network_keep(struct engine *en, int sock, int lock, struct err *e);

#endif
