/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern becomes a row of tokens; matching walks the text once and keeps the set of tokens that
 * could be next, so that its time is bounded by (tokens x text) whatever the pattern. A suffix is
 * a prefix of everything reversed. */
#include "dockerfile/pattern.h"

#include "base/buf.h"
#include "dockerfile/text.h"

#include <string.h>
#include <sys/types.h>

enum {
	LONE_BYTE = 0xdc00, /* with its value added: a byte that is no UTF-8 */
	TOKEN_ANY = 0x110000,
	TOKEN_MANY
};

/* Steps of all matching for one call. */
#define STEPS_MAX (1U << 28)

struct runes {
	uint32_t *v;
	size_t n;
};

struct matcher {
	struct runes pattern, text;
	bool *now, *next; /* which tokens may come next; pattern.n + 1 of each */
	uint64_t steps;
};

static int runes_of(struct arena *a, const char *s, struct runes *ret)
{
	uint32_t c;

	ret->n = 0;
	ret->v = arena_array(a, strlen(s) + 1, sizeof(*ret->v));
	if (!ret->v)
		return -1;
	for (size_t n; (n = text_char(s, &c)) > 0; s += n)
		ret->v[ret->n++] = n == 1 && c >= 0x80 ? LONE_BYTE + c : c;
	return 0;
}

static void reverse(struct runes *r)
{
	for (size_t i = 0; i < r->n / 2; i++) {
		uint32_t c = r->v[i];

		r->v[i] = r->v[r->n - 1 - i];
		r->v[r->n - 1 - i] = c;
	}
}

/* Turns the characters of a pattern into tokens, in place. */
static int tokens_of(struct runes *p, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		uint32_t c = p->v[i];

		if (c == '*' || c == '?') {
			c = c == '*' ? TOKEN_MANY : TOKEN_ANY;
		} else if (c == '\\') {
			uint32_t after = i + 1 < p->n ? p->v[i + 1] : 0;

			if (after == '}' || after == '/')
				continue; /* it kept the expansion from ending there */
			if (after != '*' && after != '?' && after != '\\')
				return err_set(
					e, ERR_INVALID, 0,
					"only '*', '?' and '\\' can be escaped in a pattern");
			c = after;
			i++;
		}
		p->v[n++] = c;
	}
	p->n = n;
	return 0;
}

static int matcher_init(struct matcher *m, struct arena *a, const char *value, const char *pattern,
			struct err *e)
{
	if (runes_of(a, pattern, &m->pattern) < 0 || runes_of(a, value, &m->text) < 0)
		return err_set(e, ERR_LIMIT, 0, "a value of %zu bytes is too large to be matched",
			       strlen(value));
	m->now = arena_alloc(a, m->pattern.n + 1);
	m->next = arena_alloc(a, m->pattern.n + 1);
	if (!m->now || !m->next)
		return err_set(e, ERR_LIMIT, 0, "a pattern of %zu bytes is too large",
			       strlen(pattern));
	return tokens_of(&m->pattern, e);
}

/* Sets token I, and those that may follow because "*" may stand for nothing. */
static void allow(const struct matcher *m, bool *set, size_t i)
{
	set[i] = true;
	while (i < m->pattern.n && m->pattern.v[i] == TOKEN_MANY)
		set[++i] = true;
}

/* One character of the text: which tokens may come next after it. */
static bool advance(struct matcher *m, uint32_t c)
{
	bool any = false;

	memset(m->next, 0, m->pattern.n + 1);
	for (size_t i = 0; i < m->pattern.n; i++) {
		uint32_t t = m->pattern.v[i];

		if (!m->now[i] || (t >= TOKEN_ANY ? c == '\n' : t != c))
			continue;
		any = true;
		allow(m, m->next, t == TOKEN_MANY ? i : i + 1);
	}
	m->steps += m->pattern.n + 1;
	return any;
}

enum { NO_MATCH = -1, TOO_LONG = -2 };

/* The end of the shortest or longest match that starts at AT. */
static ssize_t match_at(struct matcher *m, size_t at, bool longest)
{
	ssize_t end = NO_MATCH;

	memset(m->now, 0, m->pattern.n + 1);
	allow(m, m->now, 0);
	for (size_t i = at;; i++) {
		bool *swap;

		if (m->now[m->pattern.n]) {
			end = (ssize_t)i;
			if (!longest)
				return end;
		}
		if (i == m->text.n || !advance(m, m->text.v[i]))
			return end;
		if (m->steps > STEPS_MAX)
			return TOO_LONG;
		swap = m->now;
		m->now = m->next;
		m->next = swap;
	}
}

static int put_runes(struct buf *out, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t c = v[i];
		char s[TEXT_CHAR_MAX];

		if (c >= LONE_BYTE && c <= LONE_BYTE + 0xff)
			s[0] = (char)(c - LONE_BYTE);
		if (buf_put(out, s, c >= LONE_BYTE && c <= LONE_BYTE + 0xff ? 1 : text_put(s, c)) <
		    0)
			return -1;
	}
	return 0;
}

static const char *too_long(struct err *e)
{
	err_set(e, ERR_LIMIT, 0, "matching the pattern takes too long");
	return NULL;
}

static const char *result(struct arena *a, const struct buf *out, bool whole, struct err *e)
{
	const char *s = whole ? arena_strndup(a, buf_str(out), out->len) : NULL;

	if (!s)
		err_set(e, ERR_LIMIT, 0, "the value becomes too large");
	return s;
}

const char *pattern_trim(struct arena *a, const char *value, const char *pattern,
			 enum pattern_end end, bool longest, struct err *e)
{
	struct matcher m = {.steps = 0};
	_cleanup_(buf_done) struct buf out = BUF_INIT(strlen(value) + 1);
	ssize_t at;

	if (matcher_init(&m, a, value, pattern, e) < 0)
		return NULL;
	if (end == PATTERN_SUFFIX) {
		reverse(&m.pattern);
		reverse(&m.text);
	}
	at = match_at(&m, 0, longest);
	if (at == TOO_LONG)
		return too_long(e);
	if (at == NO_MATCH)
		return value;
	m.text.v += at;
	m.text.n -= (size_t)at;
	if (end == PATTERN_SUFFIX)
		reverse(&m.text);
	return result(a, &out, put_runes(&out, m.text.v, m.text.n) == 0, e);
}

const char *pattern_replace(struct arena *a, const char *value, const char *pattern,
			    const char *text, bool all, struct err *e)
{
	struct matcher m = {.steps = 0};
	_cleanup_(buf_done) struct buf out = BUF_INIT((size_t)16 << 20);
	bool whole = true;
	size_t done = 0; /* up to here the value is in OUT */

	if (matcher_init(&m, a, value, pattern, e) < 0)
		return NULL;
	for (size_t at = 0; whole && at <= m.text.n;) {
		ssize_t end = match_at(&m, at, true);

		if (end == TOO_LONG)
			return too_long(e);
		if (end == NO_MATCH) {
			at++;
			continue;
		}
		whole = put_runes(&out, m.text.v + done, at - done) == 0;
		/* Nothing right behind a match is no match of its own. */
		if ((size_t)end > done || at == 0)
			whole = whole && buf_puts(&out, text) == 0;
		done = (size_t)end;
		if (!all)
			break;
		at = (size_t)end > at ? (size_t)end : at + 1;
	}
	whole = whole && put_runes(&out, m.text.v + done, m.text.n - done) == 0;
	return result(a, &out, whole, e);
}
