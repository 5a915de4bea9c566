/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors (image-spec, descriptor.md): a blob by media type, digest and size. Strings live in
 * the arena of the document. */
#ifndef KOGGE_OCI_DESCRIPTOR_H
#define KOGGE_OCI_DESCRIPTOR_H

#include "base/json.h"
#include "oci/digest.h"
#include "oci/platform.h"

/* No blob of an image is larger. */
#define DESCRIPTOR_SIZE_MAX ((int64_t)1 << 50)

/* "key" and value of annotations and labels, in the order of the document. */
struct key_value {
	const char *key;
	const char *value;
};

struct descriptor {
	const char *media_type; /* never NULL after reading */
	struct digest digest;
	int64_t size;              /* bytes, 0 to DESCRIPTOR_SIZE_MAX */
	const char *artifact_type; /* or NULL */
	const struct key_value *annotations;
	size_t n_annotations;
	bool has_platform;
	struct platform platform; /* normalised */
};

/* Reads the descriptor that R stands on. mediaType, digest and size are required; an embedded
 * "data" field is ignored; "urls" too. ERR_INVALID, ERR_UNSUPPORTED (digest). */
int descriptor_read(const struct json_reader *r, struct descriptor *ret, struct err *e);

/* The descriptor as a new JSON object; NULL when out of memory. */
json_t *descriptor_json(const struct descriptor *d);

/* The value of an annotation, or NULL. */
const char *descriptor_annotation(const struct descriptor *d, const char *key);

/* The value of KEY among N, or NULL. */
const char *key_value_get(const struct key_value *v, size_t n, const char *key);

/* Reads an object of strings ("annotations", "Labels") below R: 1, or 0 where it is absent or
 * null. At most MAX members. */
int key_value_read(const struct json_reader *r, const char *key, size_t max,
		   const struct key_value **ret, size_t *ret_n, struct err *e);

/* As a JSON object sorted by key, as Go writes maps; NULL when out of memory. */
json_t *key_value_json(const struct key_value *v, size_t n);

#endif
