/* SPDX-License-Identifier: Apache-2.0 */
/* An image out of a container's writable snapshot: what `commit` stores. */
#ifndef KOGGE_STORE_IMAGE_COMMIT_H
#define KOGGE_STORE_IMAGE_COMMIT_H

#include "base/err.h"
#include "store/image-store.h"

struct image_config;
struct store;

struct image_commit {
	const char *parent;         /* ID of the image below; NULL: none */
	const char *snapshot;       /* the writable one whose changes become a layer */
	const char *const *ignored; /* as for snapshot_changes */
	const char *name;           /* NULL: none */
	const char *author, *comment, *created_by; /* of the history; NULL: nothing */
	/* Fills what the container says about running into C, the parent's configuration. */
	int (*configure)(void *arg, struct image_config *c, struct err *e);
	void *arg;
	/* Called when the snapshot is read: its container may go on. May be NULL. */
	void (*read)(void *arg);
};

/* Makes the image; it is visible whole or not at all, and durable when this returns. Where nothing
 * was changed it has the parent's layers alone. */
int image_commit(struct store *s, const struct image_commit *o, char ret_id[IMAGE_ID_SIZE],
		 struct err *e);

#endif
