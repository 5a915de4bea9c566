/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's json-file as its encoder writes it: of the control characters only \n and \r have short
 * forms, <, > and & are escaped, and what is no UTF-8 becomes U+FFFD. That alone is written shorter
 * than Docker's \ufffd, as its three bytes: binary output would be six times as long. The reader
 * takes any JSON object of strings with the members log, stream and time (others are left out):
 * logs of Docker, too. */
#include "base/clock.h"
#include "base/str.h"
#include "monitor/log.h"

#include <ctype.h>
#include <string.h>

/* ---- writing ---- */

static char *put_text(char *o, const char *text)
{
	size_t n = strlen(text);

	memcpy(o, text, n);
	return o + n;
}

/* What each byte becomes: up to six bytes of text in the low end of a word (little endian, as every
 * machine that Kogge runs on), their number in its highest byte. In the second half of the table
 * each stands for itself, as in a valid UTF-8 sequence. A table costs no mispredicted branch for
 * each byte that is not plain. */
#define HEX(n)    ((uint64_t)((n) < 10 ? '0' + (n) : 'a' + (n)-10))
#define TEXT(len) ((uint64_t)(len) << 56)
#define SHORT(c)  (TEXT(2) | '\\' | (uint64_t)(c) << 8)
#define LONG(a, b, c, d)                                                                           \
	(TEXT(6) | '\\' | (uint64_t)'u' << 8 | (a) << 16 | (b) << 24 | (c) << 32 | (d) << 40)
#define IS_LONG(b) ((b) < 0x20 || (b) == '<' || (b) == '>' || (b) == '&')
#define WORD(b)                                                                                    \
	((b) >= 256                  ? (TEXT(1) | ((b)-256))                                       \
	 : (b) == '\n'               ? SHORT('n')                                                  \
	 : (b) == '\r'               ? SHORT('r')                                                  \
	 : (b) == '"' || (b) == '\\' ? SHORT(b)                                                    \
	 : IS_LONG(b) ? LONG((uint64_t)'0', (uint64_t)'0', HEX((b) >> 4 & 15), HEX((b)&15))        \
	 : (b) < 0x80 ? (TEXT(1) | (b))                                                            \
		      : (TEXT(3) | 0xBDBFEF))
#define ROW4(b)  WORD(b), WORD((b) + 1), WORD((b) + 2), WORD((b) + 3)
#define ROW16(b) ROW4(b), ROW4((b) + 4), ROW4((b) + 8), ROW4((b) + 12)
#define ROW64(b) ROW16(b), ROW16((b) + 16), ROW16((b) + 32), ROW16((b) + 48)

static const uint64_t words[512] = {ROW64(0),   ROW64(64),  ROW64(128), ROW64(192),
				    ROW64(256), ROW64(320), ROW64(384), ROW64(448)};

/* The length of the UTF-8 sequence at P, 0 where there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	unsigned c = p[0], low = 0x80, high = 0xBF;
	size_t len = c >= 0xC2 && c <= 0xDF   ? 2
		     : c >= 0xE0 && c <= 0xEF ? 3
		     : c >= 0xF0 && c <= 0xF4 ? 4
					      : 0;

	if (len == 0 || n < len)
		return 0;
	if (c == 0xE0)
		low = 0xA0;
	else if (c == 0xED)
		high = 0x9F;
	else if (c == 0xF0)
		low = 0x90;
	else if (c == 0xF4)
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

static char *put_escape(char *o, unsigned code)
{
	static const char hex[] = "0123456789abcdef";

	o[0] = '\\';
	o[1] = 'u';
	o[2] = hex[code >> 12 & 15];
	o[3] = hex[code >> 8 & 15];
	o[4] = hex[code >> 4 & 15];
	o[5] = hex[code & 15];
	return o + 6;
}

/* A UTF-8 sequence, or what looks like the start of one; *USED gets the number of bytes read. */
static char *put_sequence(char *o, const unsigned char *p, size_t n, size_t *used)
{
	size_t len = utf8_length(p, n);

	*used = len ? len : 1;
	if (len == 0) {
		memcpy(o, "\xEF\xBF\xBD", 3);
		return o + 3;
	}
	/* U+2028 and U+2029 end a line in JavaScript. */
	if (len == 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] | 1) == 0xA9)
		return put_escape(o, 0x2000U | (p[2] & 0x3F));
	memcpy(o, p, len);
	return o + len;
}

static char *put_word(char *o, uint64_t word)
{
	memcpy(o, &word, sizeof(word));
	return o + (word >> 56);
}

/* Eight bytes at once are looked at as a word; the highest bit of a byte says yes. A shift to the
 * left brings a lower bit of each byte there. */
#define HIGH UINT64_C(0x8080808080808080)
enum { AHEAD = 8 + 3 }; /* bytes that are looked at for eight */

static uint64_t are_next(uint64_t x) /* 80 to BF */
{
	return x & ~(x << 1) & HIGH;
}

static uint64_t start_two(uint64_t x) /* C2 to DF */
{
	return x & x << 1 & ~(x << 2) & (x << 3 | x << 4 | x << 5 | x << 6) & HIGH;
}

static uint64_t start_three(uint64_t x) /* E0 to EF */
{
	return x & x << 1 & x << 2 & ~(x << 3) & HIGH;
}

static uint64_t start_four(uint64_t x) /* F0 to F7 */
{
	return x & x << 1 & x << 2 & x << 3 & ~(x << 4) & HIGH;
}

static uint64_t load(const unsigned char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* The first N bytes of X, of which those in KEEP stand for themselves. */
static inline char *put_bytes(char *o, uint64_t x, uint64_t keep, size_t n)
{
	keep >>= 7;
#pragma GCC unroll 8
	for (size_t i = 0; i < n; i++, x >>= 8, keep >>= 8)
		o = put_word(o, words[(x & 0xff) | (keep & 1) << 8]);
	return o;
}

/* One character, or one byte that is none. */
static char *put_one(char *o, const unsigned char **p, const unsigned char *end)
{
	size_t used = 1;

	if (**p >= 0x80)
		o = put_sequence(o, *p, (size_t)(end - *p), &used);
	else
		o = put_word(o, words[**p]);
	*p += used;
	return o;
}

/* Writes up to seven bytes past what it returns. Sequences of two bytes, which bytes without order
 * are full of, take no branch; longer ones do. */
static char *put_string(char *o, const char *data, size_t n)
{
	const unsigned char *p = (const unsigned char *)data, *end = p + n;

	while (end - p >= AHEAD) {
		uint64_t x = load(p), next = are_next(load(p + 1)), two = start_two(x) & next,
			 three = start_three(x), four = start_four(x) & are_next(load(p + 3)),
			 more = (three | four) & next & are_next(load(p + 2));

		if (__builtin_expect(more != 0, 0)) {
			n = (size_t)__builtin_ctzll(more) / 8;
			o = put_bytes(o, x, two | two << 8, n);
			p += n;
			o = put_one(o, &p, end);
			continue;
		}
		o = put_bytes(o, x, two | two << 8, 8);
		p += 8;
		/* The last one goes with the byte behind it. */
		if (two >> 63)
			*o++ = (char)*p++;
	}
	while (p < end)
		o = put_one(o, &p, end);
	return o;
}

size_t log_json_put(const struct log_record *r, char *out)
{
	char when[CLOCK_TEXT_SIZE], *o = out;

	o = put_text(o, "{\"log\":\"");
	o = put_string(o, r->data, r->n);
	if (!r->partial)
		o = put_text(o, "\\n");
	o = put_text(o, r->stream == 2 ? "\",\"stream\":\"stderr\",\"time\":\""
				       : "\",\"stream\":\"stdout\",\"time\":\"");
	o = put_text(o, r->when ? r->when : clock_format(r->time, when));
	o = put_text(o, "\"}\n");
	return (size_t)(o - out);
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
	bool bad;
};

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
		c->at++;
}

static bool take(struct cursor *c, char what)
{
	skip_blanks(c);
	if (c->at >= c->end || *c->at != what)
		return false;
	c->at++;
	return true;
}

struct text {
	char *data;
	size_t n, size;
};

static void text_put(struct text *t, const char *data, size_t n)
{
	n = MIN(n, t->size - t->n);
	memcpy(t->data + t->n, data, n);
	t->n += n;
}

static void text_put_code(struct text *t, unsigned c)
{
	char u[4];

	if (c < 0x80) {
		u[0] = (char)c;
		text_put(t, u, 1);
	} else if (c < 0x800) {
		u[0] = (char)(0xC0 | c >> 6);
		u[1] = (char)(0x80 | (c & 63));
		text_put(t, u, 2);
	} else if (c < 0x10000) {
		u[0] = (char)(0xE0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 63));
		u[2] = (char)(0x80 | (c & 63));
		text_put(t, u, 3);
	} else {
		u[0] = (char)(0xF0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 63));
		u[2] = (char)(0x80 | (c >> 6 & 63));
		u[3] = (char)(0x80 | (c & 63));
		text_put(t, u, 4);
	}
}

static unsigned read_hex(struct cursor *c)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++, c->at++) {
		if (c->at >= c->end || !isxdigit((unsigned char)*c->at)) {
			c->bad = true;
			return 0;
		}
		v = v << 4 | (unsigned)(*c->at <= '9' ? *c->at - '0' : (*c->at | 0x20) - 'a' + 10);
	}
	return v;
}

static void read_unicode(struct cursor *c, struct text *t)
{
	unsigned v = read_hex(c);

	if (v >= 0xD800 && v < 0xDC00 && c->end - c->at >= 6 && c->at[0] == '\\' &&
	    c->at[1] == 'u') {
		struct cursor low = {c->at + 2, c->end, false};
		unsigned w = read_hex(&low);

		if (!low.bad && w >= 0xDC00 && w < 0xE000) {
			c->at = low.at;
			v = 0x10000 + ((v - 0xD800) << 10) + (w - 0xDC00);
		}
	}
	text_put_code(t, v >= 0xD800 && v < 0xE000 ? 0xFFFD : v);
}

static void read_escape(struct cursor *c, struct text *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;

	if (c->at >= c->end) {
		c->bad = true;
		return;
	}
	if (*c->at == 'u') {
		c->at++;
		read_unicode(c, t);
		return;
	}
	which = *c->at ? strchr(from, *c->at) : NULL;
	c->at++;
	if (which)
		text_put(t, &to[which - from], 1);
	else
		c->bad = true;
}

/* A string, its content appended to T. */
static void read_string(struct cursor *c, struct text *t)
{
	if (!take(c, '"')) {
		c->bad = true;
		return;
	}
	while (!c->bad) {
		const char *from = c->at;

		while (c->at < c->end && *c->at != '"' && *c->at != '\\')
			c->at++;
		text_put(t, from, (size_t)(c->at - from));
		if (c->at >= c->end)
			c->bad = true;
		else if (*c->at++ == '"')
			return;
		else
			read_escape(c, t);
	}
}

static int digits(const char *s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + s[i] - '0';
	}
	return v;
}

/* "2026-11-22T19:25:08.5Z" without the calendar's library; -1 for anything else.
 * Days of a civil date: howardhinnant.github.io/date_algorithms.html */
static int parse_utc(const char *s, size_t n, int64_t *ret)
{
	static const char days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t frac = 0, scale = 100000000, days;
	int y, m, d, hh, mm, ss;

	if (n < 20 || n > 30 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
	    s[16] != ':' || s[n - 1] != 'Z' || (n > 20 && s[19] != '.'))
		return -1;
	y = digits(s, 4), m = digits(s + 5, 2), d = digits(s + 8, 2);
	hh = digits(s + 11, 2), mm = digits(s + 14, 2), ss = digits(s + 17, 2);
	if (y < 1970 || m < 1 || m > 12 || d < 1 || d > days_in[m - 1] || hh < 0 || hh > 23 ||
	    mm < 0 || mm > 59 || ss < 0 || ss > 59)
		return -1;
	for (size_t i = 20; i + 1 < n; i++, scale /= 10) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		frac += (s[i] - '0') * scale;
	}
	y -= m <= 2;
	days = (int64_t)y * 365 + y / 4 - y / 100 + y / 400 +
	       (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 - 719468;
	*ret = (days * 86400 + hh * 3600 + mm * 60 + ss) * 1000000000 + frac;
	return 0;
}

/* The same of any RFC 3339; S ends with a NUL. */
static int parse_time(const char *s, size_t n, int64_t *ret)
{
	return parse_utc(s, n, ret) == 0 ? 0 : clock_parse(s, ret);
}

/* A value that is no string: Docker's attrs, an object of strings. */
static void skip_value(struct cursor *c)
{
	char none[1];
	int depth = 0;

	do {
		struct text t = {none, 0, 0};

		skip_blanks(c);
		if (c->at >= c->end)
			c->bad = true;
		else if (*c->at == '"')
			read_string(c, &t);
		else if (*c->at == '{' || *c->at == '[')
			depth++, c->at++;
		else if (*c->at == '}' || *c->at == ']')
			depth--, c->at++;
		else
			c->at++;
	} while (!c->bad && depth > 0);
}

static void read_member(struct cursor *c, struct log_record *r, struct text *log, bool *timed)
{
	char key_text[16], value_text[64];
	struct text key = {key_text, 0, sizeof(key_text) - 1},
		    value = {value_text, 0, sizeof(value_text) - 1};

	read_string(c, &key);
	key_text[key.n] = '\0';
	if (c->bad || !take(c, ':')) {
		c->bad = true;
	} else if (str_eq(key_text, "log")) {
		read_string(c, log);
	} else if (str_eq(key_text, "stream") || str_eq(key_text, "time")) {
		read_string(c, &value);
		value_text[value.n] = '\0';
		if (key_text[0] == 's')
			r->stream = str_eq(value_text, "stderr") ? 2 : 1;
		else
			*timed = parse_time(value_text, value.n, &r->time) == 0;
	} else {
		skip_value(c);
	}
}

static ssize_t get_any(const char *data, const char *end, struct log_record *r, char *text,
		       size_t text_size)
{
	struct text log = {text, 0, text_size};
	struct cursor c = {data, end, false};
	bool timed = false;

	*r = (struct log_record){.stream = 1, .data = text};
	if (!take(&c, '{'))
		return -1;
	do
		read_member(&c, r, &log, &timed);
	while (!c.bad && take(&c, ','));
	if (c.bad || !take(&c, '}') || !timed)
		return -1;
	r->n = log.n;
	r->partial = log.n == 0 || text[log.n - 1] != '\n';
	if (!r->partial)
		r->n--;
	return end - data + 1;
}

/* What log_json_put writes of a line without escapes, which most are, is told by its two ends; the
 * text stays where it is. 0 where it is anything else. No quotation mark in a string lacks a
 * backslash before it, so that one without is the string's end. */
static ssize_t get_plain(const char *data, const char *end, struct log_record *r)
{
	static const char head[] = "{\"log\":\"", out[] = "\",\"stream\":\"stdout\",\"time\":\"",
			  err[] = "\",\"stream\":\"stderr\",\"time\":\"";
	enum { HEAD = sizeof(head) - 1, MIDDLE = sizeof(out) - 1 };
	const char *text = data + HEAD, *when, *stop;

	if (end - data < HEAD + MIDDLE + 22 || memcmp(data, head, HEAD) != 0 || end[-1] != '}' ||
	    end[-2] != '"')
		return 0;
	when = memrchr(text, '"', (size_t)(end - 2 - text));
	if (!when || ++when - text < MIDDLE)
		return 0;
	stop = when - MIDDLE;
	if (memcmp(stop, out, MIDDLE) == 0)
		r->stream = 1;
	else if (memcmp(stop, err, MIDDLE) == 0)
		r->stream = 2;
	else
		return 0;
	r->partial = stop - text < 2 || stop[-2] != '\\' || stop[-1] != 'n';
	r->data = text;
	r->n = (size_t)(stop - text) - (r->partial ? 0 : 2);
	r->when = NULL;
	if (memchr(text, '\\', r->n) || memchr(text, '"', r->n) ||
	    parse_utc(when, (size_t)(end - 2 - when), &r->time) < 0)
		return 0;
	return end - data + 1;
}

ssize_t log_json_get(const char *data, size_t n, struct log_record *r, char *text, size_t text_size)
{
	const char *end = memchr(data, '\n', n);
	ssize_t len;

	if (!end)
		return 0;
	len = get_plain(data, end, r);
	return len ? len : get_any(data, end, r, text, text_size);
}
