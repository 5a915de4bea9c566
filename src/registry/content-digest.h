/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as a registry meets them: sha256 and sha512 (image-spec, descriptor.md "Registered
 * Algorithms"). A digest that comes from outside is a name of storage only after
 * content_digest_parse accepted it: then it holds the algorithm, a colon and lower-case digits. */
#ifndef KOGGE_REGISTRY_CONTENT_DIGEST_H
#define KOGGE_REGISTRY_CONTENT_DIGEST_H

#include "base/err.h"
#include "base/hash.h"

#include <string.h>

#define CONTENT_DIGEST_SIZE 136 /* "sha512:", 128 digits, NUL */

/* The algorithms that are known. */
enum content_algorithm {
	CONTENT_SHA256,
	CONTENT_SHA512,
};

/* Plain memory. A zeroed one is none. */
struct content_digest {
	enum content_algorithm algorithm;
	char text[CONTENT_DIGEST_SIZE];
};

/* Parses "algorithm:encoded". ERR_INVALID where it breaks the grammar; ERR_UNSUPPORTED for a
 * well-formed digest of another algorithm. */
int content_digest_parse(const char *s, struct content_digest *ret, struct err *e);

/* The algorithm of NAME ("sha256"). ERR_UNSUPPORTED for another. */
int content_algorithm_parse(const char *name, enum content_algorithm *ret, struct err *e);

/* Its name. */
const char *content_algorithm_name(enum content_algorithm a);

/* The digits after the colon. */
const char *content_digest_hex(const struct content_digest *d);

/* The digest of N bytes. */
void content_digest_of(enum content_algorithm a, const void *data, size_t n,
		       struct content_digest *ret);

/* Whether both are the same. */
static inline bool content_digest_eq(const struct content_digest *a, const struct content_digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

/* A running digest: plain memory, so that it can be written to a file and taken up again by
 * another process of the same build (the state is libcrypto's own). */
struct content_hash {
	enum content_algorithm algorithm;
	_Alignas(16) unsigned char state[256];
};

void content_hash_init(struct content_hash *h, enum content_algorithm a);
void content_hash_add(struct content_hash *h, const void *data, size_t n);
/* Ends it; H must be initialised again before its next use. */
void content_hash_end(struct content_hash *h, struct content_digest *ret);

#endif
