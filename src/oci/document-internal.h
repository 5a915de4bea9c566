/* SPDX-License-Identifier: Apache-2.0 */
/* What manifests and indexes have in common: JSON documents that say their own type, and that
 * another reader must not be able to take for something else (CVE-2021-41190). */
#ifndef KOGGE_OCI_DOCUMENT_INTERNAL_H
#define KOGGE_OCI_DOCUMENT_INTERNAL_H

#include "base/json.h"
#include "oci/media-type.h"

/* What a kind of document looks like. */
struct document_form {
	const char *what; /* for messages */
	size_t size_max;
	enum media_kind kind;
	const char *oci, *docker; /* its two media types */
	const char *foreign;      /* the member that makes it ambiguous */
	const char *const *keys;  /* all members that mean something, NULL-terminated */
};

/* A document while it is read. */
struct document {
	json_t *root;
	struct json_reader reader; /* at the root; its arena is set before document_open */
	const char *media_type;    /* one of the form's two */
};

/* Parses N bytes, checks form and type, and starts the reader. EXPECTED is the media type by which
 * the document was found, or NULL. */
int document_open(const char *data, size_t n, const struct document_form *f, const char *expected,
		  struct document *d, struct err *e);

void document_done(struct document *d);

/* Refuses members that a reader which ignores case (Go's) would take for one of KEYS. */
int document_check_keys(const struct json_reader *r, const char *const *keys, struct err *e);

/* Reads the array KEY of at most MAX descriptors. */
struct descriptor;
int document_read_descriptors(const struct json_reader *r, const char *key, size_t max,
			      struct descriptor **ret, size_t *ret_n, struct err *e);

/* Appends J, which is consumed and may be NULL (out of memory), as compact JSON. */
struct buf;
int document_write_take(json_t *j, const char *what, struct buf *out, struct err *e);

/* Sets KEY of OBJ to VALUE, which is consumed; either may be NULL after running out of memory,
 * which then shows as -1. */
static inline int document_set(json_t *obj, const char *key, json_t *value)
{
	return json_object_set_new(obj, key, value);
}

#endif
