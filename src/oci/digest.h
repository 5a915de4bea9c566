/* SPDX-License-Identifier: Apache-2.0 */
/* Content digests (image-spec, descriptor.md "Digests"). Only sha256 addresses content here;
 * sha512 is recognised and refused as unsupported. A digest that comes from outside never becomes
 * part of a path before digest_parse accepted it: afterwards it is known to hold nothing but
 * "sha256:" and 64 lower-case hexadecimal digits. Plain memory; safe after clone. */
#ifndef KOGGE_OCI_DIGEST_H
#define KOGGE_OCI_DIGEST_H

#include "base/err.h"
#include "base/hash.h"

#include <string.h>

#define DIGEST_TEXT_SIZE 72 /* "sha256:", 64 digits, NUL */

/* Zeroed means "none". */
struct digest {
	char text[DIGEST_TEXT_SIZE];
};

#define DIGEST_NONE ((struct digest){.text = ""})

/* Parses "algorithm:encoded". ERR_INVALID where it breaks the grammar or has the wrong length;
 * ERR_UNSUPPORTED for a well-formed digest of another algorithm. */
int digest_parse(const char *s, struct digest *ret, struct err *e);

/* From 64 hexadecimal digits alone, as file names of a content store. ERR_INVALID otherwise. */
int digest_parse_hex(const char *hex, struct digest *ret, struct err *e);

/* Whether S has the form "algorithm:encoded" of the OCI grammar, of whatever algorithm. */
bool digest_is_wellformed(const char *s);

/* The digest of N bytes. */
void digest_of(const void *data, size_t n, struct digest *ret);

/* From a finished hash. */
void digest_from_hash(const unsigned char hash[SHA256_SIZE], struct digest *ret);

/* Whether both are the same, or both none. */
static inline bool digest_eq(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

/* Whether there is a digest at all. */
static inline bool digest_is_set(const struct digest *d)
{
	return d->text[0] != '\0';
}

/* The 64 digits after the algorithm; "" for none. */
static inline const char *digest_hex(const struct digest *d)
{
	return digest_is_set(d) ? d->text + 7 : "";
}

/* The chain ID of N diff IDs (image-spec, config.md "Layer ChainID"); N is at least 1. */
void digest_chain(const struct digest *diff_ids, size_t n, struct digest *ret);

/* One step of it: the chain ID of a layer DIFF_ID on top of PARENT (none: the diff ID itself). */
void digest_chain_next(const struct digest *parent, const struct digest *diff_id,
		       struct digest *ret);

#endif
