/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about images share. */
#ifndef KOGGE_STORE_IMAGE_INTERNAL_H
#define KOGGE_STORE_IMAGE_INTERNAL_H

#include "oci/reference.h"
#include "store/image-store.h"
#include "store/store-internal.h"

/* Gives the image ID (with the manifest DIGEST) the name REF, in the open transaction. */
int image_name_set(struct store *s, const struct reference *ref, const char *id, const char *digest,
		   struct err *e);

/* Whether IMG has what FILTER asks for (all but dangling, before and since). 1, 0, -1. */
int image_filter_match(const struct image_filter *filter, const struct image *img, struct err *e);

/* A whole name as users see it ("debian:12"), in ARENA; NULL with E set. */
const char *image_familiar(struct arena *arena, const char *name, struct err *e);

/* Fills names, digests and the number of containers. */
int image_read_names(struct store *s, struct image *img, struct err *e);

/* Notes that this process's lease holds the blobs of the image ID while they are read. */
int image_hold(struct store *s, const char *id, struct err *e);

#endif
