/* SPDX-License-Identifier: Apache-2.0 */
/* printf of templates, after Go's package fmt: flags + - # space 0, width and precision, the verbs
 * v s d q x X o b c t e f g U T and %. Wrong use shows in the text as Go shows it
 * ("%!d(string=a)", "%!d(MISSING)", "%!(EXTRA int=3)"). */
#include "template/template-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_MAX 1000000

struct spec {
	bool plus, minus, sharp, space, zero;
	int width, precision; /* precision -1: none */
	char verb;
};

static const char *type_name(const struct value *v)
{
	return v->j && !json_is_null(v->j) ? value_type(v) : "<nil>";
}

/* Appends TEXT padded to the width. */
static int put_padded(const struct spec *s, const char *text, size_t n, struct buf *out)
{
	size_t runes = 0, pad;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		runes += ((unsigned char)text[i] & 0xc0) != 0x80;
	pad = (size_t)s->width > runes ? (size_t)s->width - runes : 0;
	if (s->minus)
		r = buf_put(out, text, n);
	for (; pad > 0 && r == 0; pad--)
		r = buf_putc(out, s->zero && !s->minus ? '0' : ' ');
	return r == 0 && !s->minus ? buf_put(out, text, n) : r;
}

static int put_integer(const struct spec *s, json_int_t v, struct buf *out)
{
	unsigned long long u = v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v;
	unsigned base = s->verb == 'b' ? 2 : s->verb == 'o' ? 8 : s->verb == 'd' ? 10 : 16;
	const char *figures = s->verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[80];
	size_t at = sizeof(text), min = s->precision > 0 ? MIN((size_t)s->precision, 66) : 1;
	char sign = v < 0 ? '-' : s->plus ? '+' : s->space ? ' ' : 0;

	if (s->zero && !s->minus && s->precision < 0 && s->width > 0)
		min = MIN((size_t)s->width - (sign ? 1 : 0), 66);
	for (size_t i = 0; i < MAX(min, (size_t)1) || u; i++) {
		text[--at] = figures[u % base];
		u /= base;
	}
	if (s->sharp && base == 16) {
		text[--at] = s->verb;
		text[--at] = '0';
	} else if (s->sharp && base == 8) {
		text[--at] = '0';
	}
	if (sign)
		text[--at] = sign;
	return put_padded(s, text + at, sizeof(text) - at, out);
}

static int put_real(const struct spec *s, double d, struct buf *out)
{
	char text[400];
	char plain[40];
	int n = 0;

	if (s->precision < 0 && strchr("vgG", s->verb)) {
		value_print_real(d, plain);
		n = snprintf(text, sizeof(text), "%s%s", s->plus && d >= 0 ? "+" : "", plain);
	} else {
		char format[] = {'%', '.', '*', s->verb == 'v' ? 'g' : s->verb, '\0'};

		n = snprintf(text, sizeof(text), format,
			     s->precision < 0 ? 6 : MIN(s->precision, 60), d);
	}
	return put_padded(s, text, MIN((size_t)n, sizeof(text) - 1), out);
}

static int put_quoted(const struct spec *s, const char *text, size_t n, struct buf *out)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"";
	static const char to[] = "abfnrtv\\\"";
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = buf_putc(&b, '"');

	for (size_t i = 0; i < n && r == 0; i++) {
		const char *p = text[i] ? strchr(from, text[i]) : NULL;

		if (p)
			r = buf_printf(&b, "\\%c", to[p - from]);
		else if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			r = buf_printf(&b, "\\x%02x", (unsigned)text[i]);
		else
			r = buf_putc(&b, text[i]);
	}
	if (r == 0)
		r = buf_putc(&b, '"');
	return r < 0 ? r : put_padded(s, buf_str(&b), b.len, out);
}

static int put_hex(const struct spec *s, const char *text, size_t n, struct buf *out)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = buf_printf(&b, s->verb == 'x' ? "%02x" : "%02X",
			       (unsigned)(unsigned char)text[i]);
	return r < 0 ? r : put_padded(s, buf_str(&b), b.len, out);
}

static int put_string(const struct spec *s, const char *text, size_t n, struct buf *out)
{
	size_t end = 0;
	int runes = 0;

	if (s->verb == 'q')
		return put_quoted(s, text, n, out);
	if (s->verb == 'x' || s->verb == 'X')
		return put_hex(s, text, n, out);
	for (; end < n; end++)
		if (((unsigned char)text[end] & 0xc0) != 0x80 && s->precision >= 0 &&
		    runes++ >= s->precision)
			break;
	return put_padded(s, text, end, out);
}

static int put_plain(const struct call *c, const struct spec *s, const struct value *v,
		     struct buf *out)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = !v->j || json_is_null(v->j) ? buf_puts(&b, "<nil>")
					    : value_print(v, c->x->data, &b);

	return r < 0 ? r : put_padded(s, buf_str(&b), b.len, out);
}

/* "%!d(string=a)" */
static int put_bad(const struct call *c, const struct spec *s, const struct value *v,
		   struct buf *out)
{
	int r;

	if (!v->j || json_is_null(v->j))
		return buf_printf(out, "%%!%c(<nil>)", s->verb);
	r = buf_printf(out, "%%!%c(%s=", s->verb, type_name(v));
	if (r == 0)
		r = value_print(v, c->x->data, out);
	return r < 0 ? r : buf_putc(out, ')');
}

static int put_rune(const struct spec *s, json_int_t v, struct buf *out)
{
	char text[16] = "";
	_cleanup_(buf_done) struct buf b = BUF_INIT(16);

	if (s->verb == 'U') {
		(void)snprintf(text, sizeof(text), "U+%04X", (unsigned)v);
		return put_padded(s, text, strlen(text), out);
	}
	if (template_put_rune(&b, v < 0 || v > 0x10ffff ? 0xfffd : (uint32_t)v) < 0)
		return -ENOMEM;
	return put_padded(s, buf_str(&b), b.len, out);
}

static int put_arg(const struct call *c, struct spec *s, const struct value *v, struct buf *out)
{
	bool integer = json_is_integer(v->j), text = json_is_string(v->j);

	if (s->verb == 'T')
		return put_padded(s, type_name(v), strlen(type_name(v)), out);
	if (integer && strchr("dvxXob", s->verb)) {
		s->verb = s->verb == 'v' ? 'd' : s->verb;
		return put_integer(s, json_integer_value(v->j), out);
	}
	if (integer && strchr("cU", s->verb))
		return put_rune(s, json_integer_value(v->j), out);
	if (json_is_real(v->j) && strchr("vefgEFG", s->verb))
		return put_real(s, json_real_value(v->j), out);
	if (text && strchr("vsqxX", s->verb)) {
		s->verb = s->verb == 'v' && s->sharp ? 'q' : s->verb;
		return put_string(s, json_string_value(v->j), json_string_length(v->j), out);
	}
	if (s->verb == 'v' || (s->verb == 't' && json_is_boolean(v->j)) ||
	    (s->verb == 's' && (json_is_array(v->j) || json_is_object(v->j))))
		return put_plain(c, s, v, out);
	return put_bad(c, s, v, out);
}

/* A width or precision: digits or '*'. -1 where it is out of range. */
static int read_number(const struct call *c, const char **p, size_t *arg, int *ret)
{
	json_int_t v = 0;

	if (**p == '*') {
		(*p)++;
		if (*arg >= c->n || !json_is_integer(c->args[*arg].j))
			return -1;
		v = json_integer_value(c->args[(*arg)++].j);
	}
	for (; **p >= '0' && **p <= '9'; (*p)++)
		v = MIN(v * 10 + (**p - '0'), WIDTH_MAX + 1);
	if (v > WIDTH_MAX || v < -WIDTH_MAX)
		return -1;
	*ret = (int)v;
	return 0;
}

static void read_flags(struct spec *s, const char **p)
{
	for (;; (*p)++) {
		switch (**p) {
		case '+':
			s->plus = true;
			break;
		case '-':
			s->minus = true;
			break;
		case '#':
			s->sharp = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '0':
			s->zero = true;
			break;
		default:
			return;
		}
	}
}

/* Behind a '%': reads the directive and prints its argument. */
static int directive(const struct call *c, const char **p, size_t *arg, struct buf *out)
{
	struct spec s = {.precision = -1};
	int r = 0;

	read_flags(&s, p);
	if (read_number(c, p, arg, &s.width) < 0)
		r = buf_puts(out, "%!(BADWIDTH)");
	if (s.width < 0) {
		s.minus = true;
		s.width = -s.width;
	}
	if (r == 0 && **p == '.') {
		(*p)++;
		if (read_number(c, p, arg, &s.precision) < 0)
			r = buf_puts(out, "%!(BADPREC)");
	}
	if (r < 0)
		return r;
	s.verb = **p;
	if (!s.verb)
		return buf_puts(out, "%!(NOVERB)");
	(*p)++;
	if (s.verb == '%')
		return buf_putc(out, '%');
	if (*arg >= c->n)
		return buf_printf(out, "%%!%c(MISSING)", s.verb);
	return put_arg(c, &s, &c->args[(*arg)++], out);
}

static int put_extra(const struct call *c, size_t arg, struct buf *out)
{
	int r = buf_puts(out, "%!(EXTRA ");

	for (size_t i = arg; i < c->n && r == 0; i++) {
		struct spec s = {.precision = -1, .verb = 'v'};

		r = buf_printf(out, "%s%s=", i > arg ? ", " : "", type_name(&c->args[i]));
		if (r == 0)
			r = put_arg(c, &s, &c->args[i], out);
	}
	return r < 0 ? r : buf_putc(out, ')');
}

int template_printf(const struct call *c, struct buf *out, struct err *e)
{
	const char *p = json_string_value(c->args[0].j);
	size_t arg = 1;
	int r = 0;

	while (*p && r == 0) {
		const char *next = strchrnul(p, '%');

		r = buf_put(out, p, (size_t)(next - p));
		p = next;
		if (r == 0 && *p) {
			p++;
			r = directive(c, &p, &arg, out);
		}
		if (r == 0 && exec_step(c->x) < 0)
			r = -EMSGSIZE;
	}
	return r == 0 && arg < c->n ? put_extra(c, arg, out) : r;
}
