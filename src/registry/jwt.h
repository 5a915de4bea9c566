/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens (RFC 7515, 7519), as far as the token protocol of registries needs them: signed
 * by RS256, ES256 or EdDSA with a key that was configured. What a token says of its own key (jwk,
 * x5c, jku, kid) decides nothing. */
#ifndef KOGGE_REGISTRY_JWT_H
#define KOGGE_REGISTRY_JWT_H

#include "base/json.h"

#define JWT_SIZE_MAX ((size_t)16 << 10)
#define JWT_KEYS_MAX 16

struct jwt_key;

/* Keys that signatures are checked with. */
struct jwt_keys {
	struct jwt_key *v[JWT_KEYS_MAX];
	size_t n;
};

/* A public key or certificate, or with SECRET a private key, of N bytes of PEM: RSA of at least
 * 2048 bits, P-256, Ed25519. NULL with E set. */
struct jwt_key *jwt_key_import(const char *pem, size_t n, bool secret, struct err *e);

/* Frees K; NULL is allowed. */
void jwt_key_free(struct jwt_key *k);

/* What a token must say to be taken. */
struct jwt_expect {
	const char *issuer, *audience;
	int64_t now; /* nanoseconds since 1970 */
};

/* Checks the signature and the claims iss, aud, exp and nbf of N bytes. Returns the claims, owned
 * by the caller, or NULL with E set (ERR_DENIED, ERR_INVALID). */
json_t *jwt_verify(const struct jwt_keys *keys, const char *token, size_t n,
		   const struct jwt_expect *want, struct err *e);

/* Signs CLAIMS. A heap string owned by the caller, or NULL with E set. */
char *jwt_sign(const struct jwt_key *k, const json_t *claims, struct err *e);

/* Base64 as URLs have it, without padding (RFC 4648 5). The decoder wants N characters without
 * blanks or superfluous bits; *RET is owned by the caller and has a NUL. */
int base64url_decode(const char *s, size_t n, char **ret, size_t *ret_n);

#endif
