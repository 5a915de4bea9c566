/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/challenge.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct cursor {
	const char *at, *end;
};

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~/", c) != NULL);
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

static size_t take_token(struct cursor *c, const char **ret)
{
	*ret = c->at;
	while (c->at < c->end && is_token(*c->at))
		c->at++;
	return (size_t)(c->at - *ret);
}

static int put(char *out, size_t *n, char c, struct err *e)
{
	if (*n + 1 >= CHALLENGE_VALUE_MAX)
		return err_set(e, ERR_LIMIT, 0, "WWW-Authenticate: a value is too long");
	if ((unsigned char)c < 0x20 || c == 0x7f)
		return err_set(e, ERR_INVALID, 0, "WWW-Authenticate: a control character");
	out[(*n)++] = c;
	out[*n] = '\0';
	return 0;
}

static int take_quoted(struct cursor *c, char *out, struct err *e)
{
	size_t n = 0;

	for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
		if (*c->at == '\\' && ++c->at == c->end)
			break;
		if (put(out, &n, *c->at, e) < 0)
			return -1;
	}
	if (c->at == c->end)
		return err_set(e, ERR_INVALID, 0, "WWW-Authenticate: a quotation mark is missing");
	c->at++;
	return 0;
}

static int take_value(struct cursor *c, char *out, struct err *e)
{
	const char *word;
	size_t n, len = 0;

	out[0] = '\0';
	if (c->at < c->end && *c->at == '"')
		return take_quoted(c, out, e);
	n = take_token(c, &word);
	for (size_t i = 0; i < n; i++)
		if (put(out, &len, word[i], e) < 0)
			return -1;
	return 0;
}

static char *member(struct challenge *c, const char *word, size_t n)
{
	const struct {
		const char *name;
		char *value;
	} members[] = {{"realm", c->realm}, {"service", c->service}, {"scope", c->scope}};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strlen(members[i].name) == n && strncasecmp(word, members[i].name, n) == 0)
			return members[i].value;
	return NULL;
}

/* "name=value, name=value"; ends before the next scheme. */
static int take_params(struct cursor *c, struct challenge *ret, struct err *e)
{
	for (;;) {
		struct cursor before;
		char ignored[CHALLENGE_VALUE_MAX];
		const char *word;
		char *to;
		size_t n;

		skip_blanks(c);
		while (c->at < c->end && *c->at == ',') {
			c->at++;
			skip_blanks(c);
		}
		before = *c;
		n = take_token(c, &word);
		skip_blanks(c);
		if (n == 0 || c->at == c->end || *c->at != '=') {
			*c = before;
			return 0;
		}
		c->at++;
		skip_blanks(c);
		to = member(ret, word, n);
		if (take_value(c, to ? to : ignored, e) < 0)
			return -1;
	}
}

static enum challenge_scheme scheme_of(const char *word, size_t n)
{
	if (n == 5 && strncasecmp(word, "basic", n) == 0)
		return CHALLENGE_BASIC;
	return n == 6 && strncasecmp(word, "bearer", n) == 0 ? CHALLENGE_BEARER : CHALLENGE_NONE;
}

int challenge_parse(const char *text, size_t n, struct challenge *ret, struct err *e)
{
	struct cursor c = {text, text + n};
	struct challenge best = {.scheme = CHALLENGE_NONE};

	for (skip_blanks(&c); c.at < c.end; skip_blanks(&c)) {
		struct challenge now = {.scheme = CHALLENGE_NONE};
		const char *word;
		size_t len = take_token(&c, &word);

		if (len == 0)
			return err_set(e, ERR_INVALID, 0, "WWW-Authenticate: malformed");
		now.scheme = scheme_of(word, len);
		if (take_params(&c, &now, e) < 0)
			return -1;
		if (now.scheme > best.scheme)
			best = now;
	}
	if (best.scheme == CHALLENGE_BEARER && str_empty(best.realm))
		return err_set(e, ERR_INVALID, 0, "WWW-Authenticate: Bearer without a realm");
	*ret = best;
	return 0;
}

int retry_after_parse(const char *text, size_t n, int max)
{
	int seconds = 0;
	bool any = false;

	for (; n > 0 && (*text == ' ' || *text == '\t'); n--)
		text++;
	for (; n > 0 && isdigit((unsigned char)*text); n--, text++, any = true)
		seconds = seconds > max ? max : 10 * seconds + (*text - '0');
	return any ? MIN(seconds, max) : -1;
}
