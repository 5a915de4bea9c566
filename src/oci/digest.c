/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include "base/macro.h"

#include <stdio.h>

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_encoded(char c)
{
	return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
}

/* algorithm ::= component (separator component)*, component ::= [a-z0-9]+, separator ::= [+._-].
 * Returns its length, 0 where there is none. */
static size_t algorithm_length(const char *s)
{
	size_t i = 0;

	for (;;) {
		if (!is_lower_or_digit(s[i]))
			return 0;
		while (is_lower_or_digit(s[i]))
			i++;
		if (!s[i] || !strchr("+._-", s[i]))
			return i;
		i++;
	}
}

bool digest_is_wellformed(const char *s)
{
	size_t n = algorithm_length(s);

	if (!n || s[n] != ':' || !s[n + 1])
		return false;
	for (s += n + 1; *s; s++) {
		if (!is_encoded(*s))
			return false;
	}
	return true;
}

/* Shows at most this much of what was given. */
#define SHOWN 100

int digest_parse(const char *s, struct digest *ret, struct err *e)
{
	size_t n = algorithm_length(s);

	if (!digest_is_wellformed(s))
		return err_set(e, ERR_INVALID, 0, "invalid digest '%.*s'", SHOWN, s);
	if (n != 6 || memcmp(s, "sha256", 6) != 0)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "digest '%.*s': algorithm '%.*s' is not supported, only sha256",
			       SHOWN, s, (int)MIN(n, (size_t)SHOWN), s);
	return digest_parse_hex(s + n + 1, ret, e);
}

int digest_parse_hex(const char *hex, struct digest *ret, struct err *e)
{
	unsigned char hash[SHA256_SIZE];

	if (!hex_decode(hex, hash, sizeof(hash)))
		return err_set(e, ERR_INVALID, 0,
			       "invalid digest 'sha256:%.*s': it needs 64 hexadecimal digits",
			       SHOWN, hex);
	digest_from_hash(hash, ret);
	return 0;
}

void digest_from_hash(const unsigned char hash[SHA256_SIZE], struct digest *ret)
{
	memcpy(ret->text, "sha256:", 7);
	hex_encode(hash, SHA256_SIZE, ret->text + 7);
}

void digest_of(const void *data, size_t n, struct digest *ret)
{
	memcpy(ret->text, "sha256:", 7);
	sha256_hex(data, n, ret->text + 7);
}

void digest_chain_next(const struct digest *parent, const struct digest *diff_id,
		       struct digest *ret)
{
	char both[2 * DIGEST_TEXT_SIZE];
	int n;

	if (!parent || !digest_is_set(parent)) {
		*ret = *diff_id;
		return;
	}
	n = snprintf(both, sizeof(both), "%s %s", parent->text, diff_id->text);
	digest_of(both, (size_t)n, ret);
}

void digest_chain(const struct digest *diff_ids, size_t n, struct digest *ret)
{
	struct digest chain = DIGEST_NONE;

	for (size_t i = 0; i < n; i++)
		digest_chain_next(&chain, &diff_ids[i], &chain);
	*ret = chain;
}
