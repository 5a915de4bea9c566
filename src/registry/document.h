/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry has to know of a manifest or index: its type, what it refers to, its subject,
 * and what a list of referrers says of it. Unlike oci/manifest.h it takes whatever the
 * specification lets a client push: other digests than sha256, artefacts, fields that nobody
 * knows. */
#ifndef KOGGE_REGISTRY_DOCUMENT_H
#define KOGGE_REGISTRY_DOCUMENT_H

#include "base/json.h"
#include "registry/content-digest.h"

#define DOCUMENT_REFERENCES_MAX 10000
#define DOCUMENT_TYPE_MAX       255

struct document_reference {
	struct content_digest digest;
	bool manifest; /* an entry of an index */
	bool foreign;  /* a layer that is not distributed: need not be there */
};

/* A manifest or index that was read. */
struct document {
	char media_type[DOCUMENT_TYPE_MAX + 1];
	bool is_index;
	struct document_reference *references;
	size_t n_references;
	bool has_subject;
	struct content_digest subject;
	json_t *root;
};

#define DOCUMENT_INIT ((struct document){.root = NULL})

void document_done(struct document *d);

/* Parses N bytes that came as CONTENT_TYPE (NULL or "": unknown). RET is DOCUMENT_INIT before; it
 * needs document_done in any case. ERR_INVALID, ERR_HOSTILE (ambiguous), ERR_LIMIT,
 * ERR_UNSUPPORTED (schema 1, digests of other algorithms). */
int document_parse(const char *data, size_t n, const char *content_type, struct document *ret,
		   struct err *e);

/* The descriptor by which a list of referrers names the document ("Listing Referrers"); NULL when
 * out of memory. */
json_t *document_descriptor(const struct document *d, const struct content_digest *digest,
			    size_t size);

#endif
