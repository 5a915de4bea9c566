/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level SHA256_* calls are deprecated in OpenSSL 3 in favour of EVP, which fetches its
 * implementation from a provider at run time: that costs a millisecond per process and two
 * megabytes in a static program. The low-level ones use the same assembler code. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct sha256 *)0)->state), "room for the state");

static SHA256_CTX *ctx(struct sha256 *h)
{
	return (SHA256_CTX *)(void *)h->state;
}

#ifdef KOGGE_LAZY_CRYPTO
/* OpenSSL's own, which looks once and chooses the code for this CPU (tools/lazy-crypto). */
void OPENSSL_cpuid_setup(void);
#else
static void OPENSSL_cpuid_setup(void)
{
}
#endif

void sha256_init(struct sha256 *h)
{
	OPENSSL_cpuid_setup();
	SHA256_Init(ctx(h));
}

void sha256_add(struct sha256 *h, const void *data, size_t n)
{
	SHA256_Update(ctx(h), data, n);
}

void sha256_end(struct sha256 *h, unsigned char ret[SHA256_SIZE])
{
	SHA256_Final(ret, ctx(h));
}

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_decode(const char *s, void *out, size_t n)
{
	unsigned char *p = out;

	for (size_t i = 0; i < n; i++) {
		int high = nibble(s[2 * i]);
		int low = high < 0 ? -1 : nibble(s[2 * i + 1]);

		if (low < 0)
			return false;
		p[i] = (unsigned char)(high << 4 | low);
	}
	return s[2 * n] == '\0';
}

void sha256_hex(const void *data, size_t n, char ret[SHA256_HEX_SIZE])
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, data, n);
	sha256_end(&h, digest);
	hex_encode(digest, sizeof(digest), ret);
}
