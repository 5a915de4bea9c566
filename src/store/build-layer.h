/* SPDX-License-Identifier: Apache-2.0 */
/* The layers that a build makes. What a step writes goes into a writable snapshot, and that
 * snapshot's own directory becomes the layer: nothing is copied and nothing unpacked. Its blob is
 * the tar of the changes, uncompressed, so that diff ID and digest are one hash over one pass; who
 * sends the image away compresses it (design/0085).
 *
 * What a process makes here is kept by its lease until it ends; whoever wants a layer for longer
 * makes an image of it, or notes it in the cache, before. */
#ifndef KOGGE_STORE_BUILD_LAYER_H
#define KOGGE_STORE_BUILD_LAYER_H

#include "base/err.h"
#include "oci/digest.h"
#include "store/snapshot.h"

struct store;

/* A layer on its chain. */
struct build_layer {
	struct digest diff;  /* the blob's digest too */
	struct digest chain; /* of it and all below */
	uint64_t size;       /* of its files */
	uint64_t blob_size;
	bool empty; /* nothing was changed */
};

/* Makes a writable snapshot on the chain CHAIN ("sha256:...", NULL or "": nothing below) that goes
 * with this process; snapshot_mounts tells how to mount it. */
int build_layer_begin(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE],
		      struct err *e);

/* Makes a layer of what was changed in the snapshot ID, which must not be mounted any more and is
 * gone afterwards, with success or without. IGNORED as for snapshot_changes. No file in the layer
 * is younger than NEWEST (Unix nanoseconds; 0: no limit). Where nothing was changed RET->empty is
 * set, and the layer is an archive without entries. The layer is on the disk when this returns. */
struct build_layer_opts {
	const char *chain; /* as for build_layer_begin */
	const char *const *ignored;
	int64_t newest;
};
int build_layer_commit(struct store *s, const char *id, const struct build_layer_opts *o,
		       struct build_layer *ret, struct err *e);

/* Drops the snapshot. */
void build_layer_abort(struct store *s, const char *id);

/* Reads the layer with the chain ID CHAIN into RET and holds it for this process: 1, or 0 where
 * there is none. */
int build_layer_find(struct store *s, const char *chain, struct build_layer *ret, struct err *e);

#endif
