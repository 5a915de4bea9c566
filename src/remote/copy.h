/* SPDX-License-Identifier: Apache-2.0 */
/* From registry to registry: the bytes go from one kogge-remote to another, never to the disk. */
#ifndef KOGGE_REMOTE_COPY_H
#define KOGGE_REMOTE_COPY_H

#include "remote/pull.h"

/* What to copy. */
struct remote_copy {
	struct remote *from, *to; /* to: opened for pushing */
	const char *mount; /* the source's repository where it is the same registry; or NULL */
	const struct remote_progress *progress;
	struct digest digest; /* gets the digest of what was copied */
	char type[256];       /* and its media type, */
	int64_t size;         /* and size */
};

/* Copies the manifest REF (a tag or digest) of the source, with everything that it names, as TO_REF
 * (NULL: by its digest). An index is copied with all of its platforms. Manifests are verified here,
 * blobs by the registry that gets them. */
int remote_copy(struct remote_copy *c, const char *ref, const char *to_ref, struct err *e);

#endif
