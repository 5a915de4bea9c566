/* SPDX-License-Identifier: Apache-2.0 */
/* An import in progress: a content sink that unpacks layers while their bytes come by, a plan of
 * the layers that the images need, and the publication of everything at once. */
#ifndef KOGGE_STORE_IMAGE_LOADER_H
#define KOGGE_STORE_IMAGE_LOADER_H

#include "image/content-sink.h"
#include "image/image-set.h"
#include "store/store-internal.h"

/* A layer whose tree exists and is not published. */
struct loader_tree {
	struct digest blob;
	struct digest diff;
	char snapshot[SNAPSHOT_ID_SIZE];
	uint64_t size;
};

/* A layer that an image of this import needs: one row of `layers` if it is not there yet. */
struct loader_layer {
	struct digest chain;
	struct digest diff;
	struct digest parent; /* none for the lowest */
	char snapshot[SNAPSHOT_ID_SIZE];
	uint64_t size;
	bool published; /* was there before */
	bool ours;      /* the snapshot is this process's */
};

struct loader {
	struct content_sink sink; /* first */
	struct store *store;
	bool cleaned;    /* old parts of blobs were looked for */
	bool unpack_all; /* unpack each blob that comes, whatever it looks like */
	struct loader_tree *trees;
	size_t n_trees, cap_trees;
	struct loader_layer *layers;
	size_t n_layers, cap_layers;
};

/* Starts an import in S. */
void loader_init(struct loader *l, struct store *s);
void loader_done(struct loader *l);

/* Notes a tree; see loader_tree. */
int loader_add_tree(struct loader *l, const struct loader_tree *tree, struct err *e);

/* The tree that was unpacked from BLOB while it came, or NULL. */
const struct loader_tree *loader_find_tree(const struct loader *l, const struct digest *blob);

/* Unpacks FD (a stream; -1: fed by JOB's caller) into a new layer above the snapshot PARENT.
 * loader_unpack_blob does the whole of it for a blob that is there. */
int loader_program(struct store *s, struct err *e);
int loader_unpack_blob(struct loader *l, const struct digest *blob, const char *parent,
		       struct loader_tree *ret, struct err *e);

/* Makes every layer of IMG exist: found in the store, unpacked before, or unpacked now; verifies
 * diff IDs. */
int loader_plan(struct loader *l, const struct image_entry *img, struct err *e);

/* Syncs, then makes all images of SET visible in one durable transaction. */
int loader_publish(struct loader *l, const struct image_set *set, struct err *e);

/* Plans and publishes every image of SET. */
int loader_load(struct loader *l, const struct image_set *set, struct err *e);

/* After a failure: everything that this import brought goes at once. Returns -1. */
int loader_fail(struct store *s);

#endif
