/* SPDX-License-Identifier: Apache-2.0 */
/* Image indexes (image-spec, image-index.md) and Docker's manifest lists, the choice of a platform,
 * and the limits for walking nested ones. */
#ifndef KOGGE_OCI_INDEX_H
#define KOGGE_OCI_INDEX_H

#include "base/arena.h"
#include "oci/descriptor.h"

#define INDEX_SIZE_MAX    ((size_t)4 << 20)
#define INDEX_ENTRIES_MAX 10000
/* An index in an index in ...: how deep, and how many documents one walk may open. */
#define INDEX_DEPTH_MAX  8
#define INDEX_VISITS_MAX 256

struct index {
	struct arena arena;
	const char *media_type; /* MEDIA_OCI_INDEX or MEDIA_DOCKER_INDEX */
	struct descriptor *manifests;
	size_t n_manifests;
	const struct key_value *annotations;
	size_t n_annotations;
};

#define INDEX_INIT ((struct index){.media_type = NULL})

void index_done(struct index *x);

/* Parses N bytes; see manifest_parse. */
int index_parse(const char *data, size_t n, const char *expected, struct index *ret, struct err *e);

/* Orders the entries that run on WANT, best first (in document order among equals), into ORDER,
 * which holds N_MANIFESTS indices. Entries without a platform come last; those marked as
 * attestations (platform unknown/unknown) never. Returns their count. */
size_t index_select(const struct index *x, const struct platform *want, size_t *order);

/* Appends the document, deterministically. */
int index_write(const struct index *x, struct buf *out, struct err *e);

/* The documents that a walk has opened, so that each is visited once whatever points to it. */
struct index_visits {
	struct digest seen[INDEX_VISITS_MAX];
	size_t n;
};

/* 1 where D is new (and now noted), 0 where it was seen, -1 with ERR_LIMIT past the limit. */
int index_visit(struct index_visits *v, const struct digest *d, struct err *e);

#endif
