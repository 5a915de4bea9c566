/* SPDX-License-Identifier: Apache-2.0 */
/* The changes of a snapshot as a list, to be written as a layer. */
#ifndef KOGGE_STORE_CHANGE_LIST_H
#define KOGGE_STORE_CHANGE_LIST_H

#include "base/arena.h"
#include "base/err.h"
#include "store/tree-tar.h"

struct store;

/* In the order in which they are told. */
struct change_list {
	struct arena arena; /* of the paths */
	struct tree_tar_change *v;
	size_t n, cap;
	bool failed; /* for want of memory */
};

#define CHANGE_LIST_INIT ((struct change_list){.arena = {.max = (size_t)1 << 30}})

/* Frees the list. */
void change_list_done(struct change_list *l);

/* Lists what snapshot_changes tells of the snapshot ID, without what IGNORED names. */
int change_list_fill(struct change_list *l, struct store *s, const char *id,
		     const char *const *ignored, struct err *e);

#endif
