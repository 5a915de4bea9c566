/* SPDX-License-Identifier: Apache-2.0 */
/* Image manifests: OCI (image-spec, manifest.md) and Docker's schema 2. Ambiguous documents are
 * refused: both "layers" and "manifests" (CVE-2021-41190), a mediaType that says something else
 * than the descriptor it was reached by, duplicate keys, keys in the wrong case. */
#ifndef KOGGE_OCI_MANIFEST_H
#define KOGGE_OCI_MANIFEST_H

#include "base/arena.h"
#include "oci/descriptor.h"

/* As the distribution registry and containers/image limit them. */
#define MANIFEST_SIZE_MAX   ((size_t)4 << 20)
#define MANIFEST_LAYERS_MAX 1000

struct manifest {
	struct arena arena;
	const char *media_type;    /* MEDIA_OCI_MANIFEST or MEDIA_DOCKER_MANIFEST */
	const char *artifact_type; /* or NULL */
	struct descriptor config;
	struct descriptor *layers;
	size_t n_layers;
	bool has_subject;
	struct descriptor subject;
	const struct key_value *annotations;
	size_t n_annotations;
};

#define MANIFEST_INIT ((struct manifest){.media_type = NULL})

void manifest_done(struct manifest *m);

/* Parses N bytes. EXPECTED is the media type by which the document was found, or NULL. RET is
 * MANIFEST_INIT before; on failure it needs no manifest_done. ERR_INVALID; ERR_LIMIT past the
 * sizes above; ERR_HOSTILE for ambiguous documents; ERR_UNSUPPORTED for schema 1. */
int manifest_parse(const char *data, size_t n, const char *expected, struct manifest *ret,
		   struct err *e);

/* Whether it describes an image that can run: config and layers of known media types. */
bool manifest_is_image(const struct manifest *m);

/* Appends the document: schemaVersion, mediaType, config, layers, annotations, compact, the same
 * bytes for the same content. */
int manifest_write(const struct manifest *m, struct buf *out, struct err *e);

#endif
