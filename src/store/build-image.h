/* SPDX-License-Identifier: Apache-2.0 */
/* Images as a build starts from them, and as it makes them. */
#ifndef KOGGE_STORE_BUILD_IMAGE_H
#define KOGGE_STORE_BUILD_IMAGE_H

#include "image/image-set.h"
#include "store/image-store.h"

struct store;

/* The layers of the image ID ("sha256:..."), lowest first, which this process's lease holds from
 * here on: with their blobs and their trees. Array and strings in A. */
int build_image_layers(struct store *s, const char *id, struct arena *a, struct image_layer **ret,
		       size_t *ret_n, struct err *e);

/* An image to be made. */
struct build_image {
	const char *config; /* the whole document, with rootfs and history: kept as it is */
	size_t n_config;
	const struct image_layer *layers;
	size_t n_layers;
	const char *const *names;            /* "repo:tag", NULL-terminated, or NULL */
	const struct key_value *annotations; /* of the manifest */
	size_t n_annotations;
};

/* Makes it: visible whole or not at all, under all its names at once, and durable when this
 * returns. The layers must be there, held by this process. Ends what the lease holds. RET_DIGEST
 * (may be NULL) gets the manifest's digest. */
int build_image_make(struct store *s, const struct build_image *o, char ret_id[IMAGE_ID_SIZE],
		     struct digest *ret_digest, struct err *e);

#endif
