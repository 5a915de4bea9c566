/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) by libcrypto, which uses the processor's instructions, and hexadecimal. */
#ifndef KOGGE_BASE_HASH_H
#define KOGGE_BASE_HASH_H

#include "base/macro.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* An opaque running digest; plain memory, so it can be copied to fork a digest. */
struct sha256 {
	_Alignas(16) unsigned char state[128];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t n);
/* Ends the digest; H must be initialised again before its next use. */
void sha256_end(struct sha256 *h, unsigned char ret[SHA256_SIZE]);

/* The digest of N bytes as lower-case hexadecimal. */
void sha256_hex(const void *data, size_t n, char ret[SHA256_HEX_SIZE]);

/* Lower-case hexadecimal of N bytes; OUT has room for 2 N + 1. */
void hex_encode(const void *data, size_t n, char *out);

/* Decodes exactly 2 N lower-case hexadecimal digits; false where S is anything else. */
bool hex_decode(const char *s, void *out, size_t n);

#endif
