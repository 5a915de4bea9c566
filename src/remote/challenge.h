/* SPDX-License-Identifier: Apache-2.0 */
/* What a server asks for in WWW-Authenticate (RFC 9110, 11.6.1; Docker's token protocol:
 * distribution/docs/spec/auth/token.md). Hostile text: pure functions, no allocation. */
#ifndef KOGGE_REMOTE_CHALLENGE_H
#define KOGGE_REMOTE_CHALLENGE_H

#include "base/err.h"

#define CHALLENGE_VALUE_MAX 1024

/* In the order in which they are preferred. */
enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	char realm[CHALLENGE_VALUE_MAX];   /* Bearer: the URL to ask for a token */
	char service[CHALLENGE_VALUE_MAX]; /* "" where there is none */
	char scope[CHALLENGE_VALUE_MAX];   /* "" where there is none */
};

/* Parses one header's value of N bytes, which may hold several challenges: Bearer wins over Basic,
 * others are passed over. ERR_INVALID where it breaks the grammar, ERR_LIMIT for a value that is
 * too long; CHALLENGE_NONE where no scheme is known. */
int challenge_parse(const char *text, size_t n, struct challenge *ret, struct err *e);

/* Seconds that a Retry-After of N bytes asks for (RFC 9110, 10.2.3), at most MAX; -1 where it is
 * no number: a date is not read. */
int retry_after_parse(const char *text, size_t n, int max);

#endif
