/* SPDX-License-Identifier: Apache-2.0 */
/* Making room in the build cache: least recently used first. */
#ifndef KOGGE_BUILD_PRUNE_H
#define KOGGE_BUILD_PRUNE_H

#include "store/build-cache.h"

/* What the build cache has, least recently used first: records of results, and what RUN
 * --mount=type=cache keeps (store/build-mounts.h). In A. */
int build_cache_list(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		     struct err *e);

/* What to remove; all that is given must hold. */
struct build_prune {
	bool all;                 /* also what an image has: without it such records stay */
	int64_t until;            /* last used before this (Unix nanoseconds); 0: any */
	uint64_t keep;            /* ends when no more than so many bytes are left; 0: no limit */
	const char *const *ids;   /* beginnings of IDs, one of which must fit; NULL or empty: any */
	const char *const *types; /* of operations, likewise whole */
	bool dry_run;             /* only tell */
};

/* Tells FN each record that went, or would go, and adds up what comes back in RET_BYTES. What is
 * removed leaves the disk before this returns, but for what running builds use. */
typedef void (*build_pruned_fn)(void *arg, const struct build_record *r);
int build_prune(struct store *s, const struct build_prune *o, build_pruned_fn fn, void *arg,
		uint64_t *ret_bytes, struct err *e);

#endif
