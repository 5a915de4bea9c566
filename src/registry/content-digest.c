/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-512 by the low-level calls for the reason that base/hash.c gives, and because their state
 * can be kept between the requests of one upload. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "registry/content-digest.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdio.h>

static const struct {
	const char *name;
	size_t size;
} algorithms[] = {
	[CONTENT_SHA256] = {"sha256", SHA256_DIGEST_LENGTH},
	[CONTENT_SHA512] = {"sha512", SHA512_DIGEST_LENGTH},
};

_Static_assert(sizeof(SHA512_CTX) <= sizeof(((struct content_hash *)0)->state), "room");
_Static_assert(sizeof(struct sha256) <= sizeof(((struct content_hash *)0)->state), "room");

/* The grammar of digests of whatever algorithm: component (separator component)* ":" encoded. */
static bool wellformed(const char *s, size_t *ret_algorithm)
{
	size_t n = strcspn(s, ":");
	bool component = false;

	if (s[n] != ':' || !s[n + 1] || strlen(s) > 512)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool letter = islower((unsigned char)s[i]) || isdigit((unsigned char)s[i]);

		if (!letter && (!component || !strchr("+._-", s[i])))
			return false;
		component = letter;
	}
	for (const char *p = s + n + 1; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("=_-", *p))
			return false;
	*ret_algorithm = n;
	return component;
}

int content_algorithm_parse(const char *name, enum content_algorithm *ret, struct err *e)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (strcmp(algorithms[i].name, name) == 0) {
			*ret = (enum content_algorithm)i;
			return 0;
		}
	return err_set(e, ERR_UNSUPPORTED, 0, "digest algorithm '%.64s' is not supported", name);
}

const char *content_algorithm_name(enum content_algorithm a)
{
	return algorithms[a].name;
}

int content_digest_parse(const char *s, struct content_digest *ret, struct err *e)
{
	unsigned char raw[SHA512_DIGEST_LENGTH];
	enum content_algorithm a;
	char name[16];
	size_t n;

	if (!wellformed(s, &n))
		return err_set(e, ERR_INVALID, 0, "invalid digest '%.200s'", s);
	if (n >= sizeof(name))
		return err_set(e, ERR_UNSUPPORTED, 0, "digest algorithm '%.64s' is not supported",
			       s);
	memcpy(name, s, n);
	name[n] = '\0';
	if (content_algorithm_parse(name, &a, e) < 0)
		return -1;
	s += n + 1;
	if (strlen(s) != 2 * algorithms[a].size || !hex_decode(s, raw, algorithms[a].size))
		return err_set(e, ERR_INVALID, 0, "invalid %s digest '%.200s'", name, s);
	ret->algorithm = a;
	snprintf(ret->text, sizeof(ret->text), "%s:%s", name, s);
	return 0;
}

const char *content_digest_hex(const struct content_digest *d)
{
	const char *colon = strchr(d->text, ':');

	return colon ? colon + 1 : "";
}

void content_hash_init(struct content_hash *h, enum content_algorithm a)
{
	h->algorithm = a;
	if (a == CONTENT_SHA512)
		SHA512_Init((SHA512_CTX *)(void *)h->state);
	else
		sha256_init((struct sha256 *)(void *)h->state);
}

void content_hash_add(struct content_hash *h, const void *data, size_t n)
{
	if (h->algorithm == CONTENT_SHA512)
		SHA512_Update((SHA512_CTX *)(void *)h->state, data, n);
	else
		sha256_add((struct sha256 *)(void *)h->state, data, n);
}

void content_hash_end(struct content_hash *h, struct content_digest *ret)
{
	unsigned char raw[SHA512_DIGEST_LENGTH];
	char hex[2 * SHA512_DIGEST_LENGTH + 1];

	if (h->algorithm == CONTENT_SHA512)
		SHA512_Final(raw, (SHA512_CTX *)(void *)h->state);
	else
		sha256_end((struct sha256 *)(void *)h->state, raw);
	hex_encode(raw, algorithms[h->algorithm].size, hex);
	ret->algorithm = h->algorithm;
	snprintf(ret->text, sizeof(ret->text), "%s:%s", algorithms[h->algorithm].name, hex);
}

void content_digest_of(enum content_algorithm a, const void *data, size_t n,
		       struct content_digest *ret)
{
	struct content_hash h;

	content_hash_init(&h, a);
	content_hash_add(&h, data, n);
	content_hash_end(&h, ret);
}
