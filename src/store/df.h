/* SPDX-License-Identifier: Apache-2.0 */
/* What the store takes on the disk: the numbers of `system df`. */
#ifndef KOGGE_STORE_DF_H
#define KOGGE_STORE_DF_H

#include "base/err.h"

struct store;

struct df_line {
	uint64_t total;       /* how many */
	uint64_t active;      /* in use by a container, or running */
	uint64_t bytes;       /* size */
	uint64_t reclaimable; /* of it, what prune could bring back */
};

struct df {
	struct df_line images;     /* size: unpacked layers, each once */
	struct df_line containers; /* size: writable layers */
	uint64_t content;          /* blobs as received, in bytes */
	uint64_t n_blobs;
	uint64_t n_layers;
	uint64_t trash; /* trees that wait for removal */
};

/* Sizes of writable layers are measured by walking them. */
int store_df(struct store *s, struct df *ret, struct err *e);

/* What of IMAGE_ID's size it shares with other images: for `system df -v`. */
int store_df_image(struct store *s, const char *image_id, uint64_t *ret_shared,
		   uint64_t *ret_unique, struct err *e);

#endif
