/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of one repository into a sink, several at once, large ones in parts. */
#ifndef KOGGE_REMOTE_FETCH_H
#define KOGGE_REMOTE_FETCH_H

#include "image/content-sink.h"
#include "oci/descriptor.h"
#include "remote/pull.h"

/* What to fetch. */
struct fetch_blob {
	const struct descriptor *descriptor;
	bool layer; /* its progress is told */
};

/* Fetches those of the N blobs that SINK has not got; the first ones first. After a failure what
 * came is kept in the sink for another attempt, but for blobs that turned out to be wrong. */
int remote_fetch_blobs(struct remote *r, struct content_sink *sink, const struct fetch_blob *blobs,
		       size_t n, const struct remote_progress *progress, struct err *e);

#endif
