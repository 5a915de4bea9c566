/* SPDX-License-Identifier: Apache-2.0 */
/* Go's number, string and rune literals (the Go specification, "Lexical elements"). */
#include "template/template-internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* The base that a prefix names; *RET_SKIP its length. */
static int base_of(const char *s, size_t n, size_t *ret_skip)
{
	*ret_skip = 0;
	if (n < 2 || s[0] != '0')
		return 10;
	*ret_skip = 2;
	switch (s[1]) {
	case 'x':
	case 'X':
		return 16;
	case 'o':
	case 'O':
		return 8;
	case 'b':
	case 'B':
		return 2;
	default:
		*ret_skip = 1;
		return 8;
	}
}

static int read_integer(const char *s, size_t n, json_int_t *ret)
{
	bool negative = n > 0 && s[0] == '-';
	size_t i = n > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
	size_t skip;
	int base = base_of(s + i, n - i, &skip);
	json_int_t v = 0;

	i += skip;
	if (i >= n)
		return -EINVAL;
	for (; i < n; i++) {
		if (s[i] == '_')
			continue;
		if (digit_of(s[i]) >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_sub_overflow(v, digit_of(s[i]), &v))
			return -ERANGE;
	}
	/* Built as a negative number, whose range is one larger. */
	if (!negative && __builtin_sub_overflow((json_int_t)0, v, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

static int read_real(const char *s, size_t n, double *ret)
{
	char text[64];
	char *end;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '_')
			continue;
		if (!strchr("0123456789.eE+-", s[i]) || m + 1 >= sizeof(text))
			return -EINVAL;
		text[m++] = s[i];
	}
	text[m] = '\0';
	*ret = strtod(text, &end);
	return m == 0 || *end || !isfinite(*ret) ? -EINVAL : 0;
}

int template_number(const char *s, size_t n, json_t **ret)
{
	json_int_t i;
	double d;

	if (read_integer(s, n, &i) == 0)
		*ret = json_integer(i);
	else if (read_real(s, n, &d) == 0)
		*ret = json_real(d);
	else
		return -EINVAL;
	return 0;
}

int template_put_rune(struct buf *out, uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80)
		return buf_putc(out, (char)c);
	if (c < 0x800) {
		char b[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};

		return buf_put(out, b, 2);
	}
	if (c < 0x10000) {
		char b[] = {(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3f)),
			    (char)(0x80 | (c & 0x3f))};

		return buf_put(out, b, 3);
	}
	char b[] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
		    (char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};

	return buf_put(out, b, 4);
}

/* The value of DIGITS digits of BASE at S, or -1. */
static int64_t digits(const char *s, size_t n, size_t count, int base)
{
	int64_t v = 0;

	if (n < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (digit_of(s[i]) >= base)
			return -1;
		v = v * base + digit_of(s[i]);
	}
	return v;
}

/* One escape behind the backslash. Stores its length and whether it is a byte rather than a
 * rune. Returns the value or -1. */
static int64_t escape(const char *s, size_t n, char quote, size_t *ret_len, bool *ret_byte)
{
	static const char from[] = "abfnrtv\\";
	static const char to[] = "\a\b\f\n\r\t\v\\";
	const char *p;

	*ret_byte = false;
	*ret_len = 1;
	if (n == 0)
		return -1;
	p = s[0] ? strchr(from, s[0]) : NULL;
	if (p)
		return to[p - from];
	if (s[0] == quote)
		return quote;
	switch (s[0]) {
	case 'x':
		*ret_len = 3;
		*ret_byte = true;
		return digits(s + 1, n - 1, 2, 16);
	case 'u':
		*ret_len = 5;
		return digits(s + 1, n - 1, 4, 16);
	case 'U':
		*ret_len = 9;
		return digits(s + 1, n - 1, 8, 16);
	default:
		*ret_len = 3;
		*ret_byte = true;
		return digits(s, n, 3, 8);
	}
}

/* The rune that the UTF-8 at S starts with, and its length; broken bytes are themselves. */
static int64_t rune_at(const char *s, size_t n, size_t *ret_len)
{
	unsigned char c = (unsigned char)s[0];
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	int64_t v = len == 1 ? c : c & (0xff >> (len + 1));

	*ret_len = 1;
	if (len > n)
		return c;
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return c;
		v = v << 6 | ((unsigned char)s[i] & 0x3f);
	}
	*ret_len = len;
	return v;
}

static int unquote_one(const char *s, size_t n)
{
	size_t len = 0;
	bool byte;
	int64_t v;

	if (n == 0)
		return -EINVAL;
	if (s[0] == '\\') {
		v = escape(s + 1, n - 1, '\'', &len, &byte);
		len++;
	} else {
		v = rune_at(s, n, &len);
	}
	return v < 0 || v > 0x10ffff || len != n ? -EINVAL : (int)v;
}

int template_unquote(const char *s, size_t n, bool one, struct buf *out)
{
	if (one)
		return unquote_one(s, n);
	for (size_t i = 0; i < n; i++) {
		size_t len;
		bool byte;
		int64_t v;
		int r;

		if (s[i] != '\\') {
			r = buf_putc(out, s[i]);
			if (r < 0)
				return r;
			continue;
		}
		v = escape(s + i + 1, n - i - 1, '"', &len, &byte);
		if (v < 0 || v > (byte ? 0xff : 0x10ffff))
			return -EINVAL;
		r = byte ? buf_putc(out, (char)v) : template_put_rune(out, (uint32_t)v);
		if (r < 0)
			return r;
		i += len;
	}
	return 0;
}
