/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a registry into a content sink. */
#ifndef KOGGE_REMOTE_PULL_H
#define KOGGE_REMOTE_PULL_H

#include "image/image-set.h"
#include "remote/remote.h"

/* What happens to a layer. */
enum remote_step {
	REMOTE_LAYER,   /* is part of it */
	REMOTE_PRESENT, /* is there already */
	REMOTE_LOADING, /* N bytes of it have come */
	REMOTE_COME,    /* all of it has come */
	REMOTE_LOADED,  /* is whole, and its digest right */
	REMOTE_PUSHING, /* N bytes of it have gone */
	REMOTE_PUSHED,
	REMOTE_ELSEWHERE, /* it was taken from another repository of the registry */
};

/* Told of each layer's steps. */
struct remote_progress {
	void (*step)(void *arg, const struct digest *layer, enum remote_step step, int64_t n,
		     int64_t size);
	void *arg;
};

/* What to pull. */
struct remote_image {
	const struct reference *ref; /* by its digest, else by its tag */
	const struct platform *want; /* NULL: this machine's */
	const struct remote_progress *progress;
	struct digest digest; /* gets the digest of what REF named */
};

/* Fetches an image: manifests, configuration and layers go into SINK, each verified by its digest;
 * SET gets the image, without a name. ERR_NOT_FOUND (also: none for the platform),
 * ERR_UNSUPPORTED (no image), ERR_CORRUPT, ERR_HOSTILE, ERR_LIMIT, ERR_DENIED, ERR_IO. */
int remote_pull(struct remote *r, struct content_sink *sink, struct remote_image *image,
		struct image_set *set, struct err *e);

/* What to push. */
struct remote_upload {
	const struct digest *manifest; /* a blob */
	const char *ref;               /* the tag */
	const char *from; /* a repository of the same registry to mount blobs from, or NULL */
	const struct remote_progress *progress;
	int64_t size; /* gets that of the manifest */
};

/* Sends an image out of BLOBS: its blobs where the registry has not got them, then the manifest, as
 * they are. */
int remote_push(struct remote *r, struct content_sink *blobs, struct remote_upload *u,
		struct err *e);

#endif
