/* SPDX-License-Identifier: Apache-2.0 */
/* The garbage collector: removes layers, snapshots and blobs that nothing uses. It never waits for
 * and never harms work in progress: what a live process's lease holds stays. */
#ifndef KOGGE_STORE_GC_H
#define KOGGE_STORE_GC_H

#include "base/err.h"

struct store;

struct gc_result {
	uint64_t blobs;
	uint64_t layers;
	uint64_t bytes; /* space that came back */
};

/* Removes what became unreachable: in one durable transaction out of the database, then from the
 * disk. FN (may be NULL) gets each removed layer's chain ID. RET may be NULL. */
typedef void (*gc_removed_fn)(void *arg, const char *chain);
int gc_run(struct store *s, gc_removed_fn fn, void *arg, struct gc_result *ret, struct err *e);

/* Also removes files below the root that no row knows: left by power cuts. Reads directories. */
int gc_orphans(struct store *s, struct gc_result *ret, struct err *e);

#endif
