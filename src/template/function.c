/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that a template may call: Go's built-in ones and Docker's (docker/cli
 * templates/templates.go). Each gets checked arguments: the table's types string says 's' string,
 * 'i' integer, 'l' list, 'v' anything; the last letter repeats. */
#include "template/template-internal.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <ctype.h>
#include <string.h>

static const char *arg_str(const struct call *c, size_t i)
{
	return json_string_value(c->args[i].j);
}

/* Makes BUF's content the result. */
static int give(const struct call *c, struct buf *b, int r, struct value *ret, struct err *e)
{
	if (r < 0 && r != -ENOMEM)
		return err_set(e, ERR_LIMIT, 0, "template: a text is too long or nests too deep");
	if (r == 0 && exec_work(c->x, b->len) < 0)
		return err_set(e, ERR_LIMIT, 0, "template: it takes too many steps");
	ret->j = r < 0 ? NULL : json_stringn_nocheck(buf_str(b), b->len);
	return ret->j ? 0 : err_set(e, ERR_LIMIT, 0, "template: out of memory");
}

static int give_json(json_t *j, struct value *ret, struct err *e)
{
	ret->j = j;
	return j ? 0 : err_set(e, ERR_LIMIT, 0, "template: out of memory");
}

/* In the header line of a table Docker's functions give back their first argument. */
static bool identity(const struct call *c, struct value *ret)
{
	if (!c->x->data->headers)
		return false;
	ret->j = json_incref(c->args[0].j);
	ret->map = c->args[0].map;
	return true;
}

/* -- printing -------------------------------------------------------------------------------- */

static int put_value(const struct call *c, size_t i, struct buf *b)
{
	if (!c->args[i].j || json_is_null(c->args[i].j))
		return buf_puts(b, "<nil>");
	return value_print(&c->args[i], c->x->data, b);
}

static int fn_print(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		if (i > 0 && !json_is_string(c->args[i].j) && !json_is_string(c->args[i - 1].j))
			r = buf_putc(&b, ' ');
		if (r == 0)
			r = put_value(c, i, &b);
	}
	return give(c, &b, r, ret, e);
}

static int fn_println(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		r = i > 0 ? buf_putc(&b, ' ') : 0;
		if (r == 0)
			r = put_value(c, i, &b);
	}
	if (r == 0)
		r = buf_putc(&b, '\n');
	return give(c, &b, r, ret, e);
}

static int fn_printf(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);

	return give(c, &b, template_printf(c, &b, e), ret, e);
}

static int fn_json(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r;

	if (identity(c, ret))
		return 0;
	r = c->args[0].j ? json_write(c->args[0].j, JSON_COMPACT | JSON_ENCODE_ANY, &b)
			 : buf_puts(&b, "null");
	return give(c, &b, r, ret, e);
}

/* -- strings --------------------------------------------------------------------------------- */

enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };

/* ASCII letters only, as the text that Docker prints has. */
static int change_case(const struct call *c, enum letter_case how, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	const char *s = arg_str(c, 0);
	size_t n = json_string_length(c->args[0].j);
	bool word_start = true;
	int r = 0;

	if (identity(c, ret))
		return 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		char ch = s[i];

		if (how == CASE_UPPER || (how == CASE_TITLE && word_start))
			ch = ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch;
		else if (how == CASE_LOWER)
			ch = ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
		word_start = !(ch & 0x80) && !isalnum((unsigned char)ch) && ch != '_' && ch != '\'';
		r = buf_putc(&b, ch);
	}
	return give(c, &b, r, ret, e);
}

static int fn_upper(const struct call *c, struct value *ret, struct err *e)
{
	return change_case(c, CASE_UPPER, ret, e);
}

static int fn_lower(const struct call *c, struct value *ret, struct err *e)
{
	return change_case(c, CASE_LOWER, ret, e);
}

static int fn_title(const struct call *c, struct value *ret, struct err *e)
{
	return change_case(c, CASE_TITLE, ret, e);
}

static int fn_join(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	size_t n = json_array_size(c->args[0].j);
	int r = 0;

	if (identity(c, ret))
		return 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct value v = {.j = json_array_get(c->args[0].j, i)};

		if (!json_is_string(v.j))
			return err_set(e, ERR_INVALID, 0, "expected []string; element %zu is %s", i,
				       value_type(&v));
		r = i > 0 ? buf_puts(&b, arg_str(c, 1)) : 0;
		if (r == 0)
			r = buf_put(&b, json_string_value(v.j), json_string_length(v.j));
	}
	return give(c, &b, r, ret, e);
}

/* The length of the first part of S before SEP; with an empty SEP, of one rune. */
static size_t part_length(const char *s, size_t n, const char *sep)
{
	size_t sep_n = strlen(sep);
	const char *p;

	if (sep_n > 0) {
		p = memmem(s, n, sep, sep_n);
		return p ? (size_t)(p - s) : n;
	}
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return i;
	return n;
}

static int fn_split(const struct call *c, struct value *ret, struct err *e)
{
	const char *s = arg_str(c, 0), *sep = c->n > 1 ? arg_str(c, 1) : "";
	size_t n = json_string_length(c->args[0].j);
	json_t *parts;

	if (identity(c, ret))
		return 0;
	parts = json_array();
	for (;;) {
		size_t len = part_length(s, n, sep);

		if ((*sep || n > 0) &&
		    (exec_step(c->x) < 0 ||
		     json_array_append_new(parts, json_stringn_nocheck(s, len)) < 0)) {
			json_decref(parts);
			return err_set(e, ERR_LIMIT, 0, "template: it takes too many steps");
		}
		if (len >= n)
			return give_json(parts, ret, e);
		s += len + strlen(sep);
		n -= len + strlen(sep);
	}
}

static int fn_pad(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	json_int_t before = json_integer_value(c->args[1].j);
	json_int_t after = json_integer_value(c->args[2].j);
	int r = 0;

	if (identity(c, ret))
		return 0;
	if (before < 0 || after < 0)
		return err_set(e, ERR_INVALID, 0, "strings: negative Repeat count");
	if (before > 1 << 20 || after > 1 << 20)
		return err_set(e, ERR_INVALID, 0, "pad: more than %d blanks", 1 << 20);
	if (json_string_length(c->args[0].j) == 0)
		before = after = 0;
	for (; before > 0 && r == 0; before--)
		r = buf_putc(&b, ' ');
	if (r == 0)
		r = buf_puts(&b, arg_str(c, 0));
	for (; after > 0 && r == 0; after--)
		r = buf_putc(&b, ' ');
	return give(c, &b, r, ret, e);
}

/* Cuts UTF-8 like Go, at a byte; what is left of a broken rune is dropped, since JSON could not
 * hold it. */
static size_t whole_runes(const char *s, size_t n)
{
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static int fn_truncate(const struct call *c, struct value *ret, struct err *e)
{
	json_int_t n = json_integer_value(c->args[1].j);
	size_t length = json_string_length(c->args[0].j);

	if (identity(c, ret))
		return 0;
	if (n < 0)
		return err_set(
			e, ERR_INVALID, 0,
			"runtime error: slice bounds out of range [:%" JSON_INTEGER_FORMAT "]", n);
	if ((size_t)n >= length)
		n = (json_int_t)length;
	return give_json(json_stringn_nocheck(arg_str(c, 0), whole_runes(arg_str(c, 0), (size_t)n)),
			 ret, e);
}

/* -- escapes --------------------------------------------------------------------------------- */

static int fn_html(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(value_done) struct value text = VALUE_NONE;
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	static const char special[] = "\"'&<>";
	static const char *const escaped[] = {"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};
	int r = 0;

	if (fn_print(c, &text, e) < 0)
		return -1;
	for (const char *s = json_string_value(text.j); *s && r == 0; s++) {
		const char *p = strchr(special, *s);

		r = p ? buf_puts(&b, escaped[p - special]) : buf_putc(&b, *s);
	}
	return give(c, &b, r, ret, e);
}

static int fn_urlquery(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(value_done) struct value text = VALUE_NONE;
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = 0;

	if (fn_print(c, &text, e) < 0)
		return -1;
	for (const char *s = json_string_value(text.j); *s && r == 0; s++) {
		if (!(*s & 0x80) && (isalnum((unsigned char)*s) || strchr("-_.~", *s)))
			r = buf_putc(&b, *s);
		else
			r = *s == ' ' ? buf_putc(&b, '+')
				      : buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*s);
	}
	return give(c, &b, r, ret, e);
}

static int fn_js(const struct call *c, struct value *ret, struct err *e)
{
	_cleanup_(value_done) struct value text = VALUE_NONE;
	_cleanup_(buf_done) struct buf b = BUF_INIT(TEMPLATE_STRING_MAX);
	int r = 0;

	if (fn_print(c, &text, e) < 0)
		return -1;
	for (const char *s = json_string_value(text.j); *s && r == 0; s++) {
		if (strchr("\\'\"", *s))
			r = buf_printf(&b, "\\%c", *s);
		else if (strchr("<>&=", *s) || (unsigned char)*s < ' ')
			r = buf_printf(&b, "\\u%04X", (unsigned)*s);
		else
			r = buf_putc(&b, *s);
	}
	return give(c, &b, r, ret, e);
}

/* -- collections ----------------------------------------------------------------------------- */

static int fn_len(const struct call *c, struct value *ret, struct err *e)
{
	const struct value *v = &c->args[0];

	if (json_is_string(v->j))
		return give_json(json_integer((json_int_t)json_string_length(v->j)), ret, e);
	if (json_is_array(v->j) || (json_is_null(v->j) && c->x->structs))
		return give_json(json_integer((json_int_t)json_array_size(v->j)), ret, e);
	if (json_is_object(v->j))
		return give_json(json_integer((json_int_t)json_object_size(v->j)), ret, e);
	if (!v->j || json_is_null(v->j))
		return err_set(e, ERR_INVALID, 0, "len of nil pointer");
	return err_set(e, ERR_INVALID, 0, "len of type %s", value_type(v));
}

/* What a map has for an absent key: Go's zero value of its element type, guessed from the
 * elements that are there. */
static json_t *zero_of(const struct call *c, const struct value *map)
{
	const char *key;
	json_t *v;

	if (!c->x->structs)
		return NULL;
	json_object_foreach (map->j, key, v)
		if (!json_is_string(v))
			return NULL;
	return json_string("");
}

static int index_array(const struct call *c, json_t *array, const struct value *i,
		       struct value *ret, struct err *e)
{
	json_int_t n = json_integer_value(i->j);
	json_t *j;

	if (!json_is_integer(i->j))
		return err_set(e, ERR_INVALID, 0, "cannot index slice/array with type %s",
			       value_type(i));
	if (n < 0 || (size_t)n >= json_array_size(array))
		return err_set(e, ERR_INVALID, 0, "index out of range: %" JSON_INTEGER_FORMAT, n);
	j = json_incref(json_array_get(array, (size_t)n));
	value_done(ret);
	ret->j = j;
	ret->map = false;
	return 0;
}

static int index_object(const struct call *c, const struct value *i, struct value *ret,
			struct err *e)
{
	json_t *j;

	if (c->x->structs && !ret->map)
		return err_set(e, ERR_INVALID, 0, "can't index item of type struct");
	if (!json_is_string(i->j))
		return err_set(e, ERR_INVALID, 0, "value has type %s; should be string",
			       value_type(i));
	j = json_object_get(ret->j, json_string_value(i->j));
	j = j ? json_incref(j) : zero_of(c, ret);
	value_done(ret);
	ret->j = j;
	ret->map = false;
	return 0;
}

static int fn_index(const struct call *c, struct value *ret, struct err *e)
{
	ret->j = json_incref(c->args[0].j);
	ret->map = c->args[0].map;
	if (!ret->j)
		return err_set(e, ERR_INVALID, 0, "index of untyped nil");
	for (size_t i = 1; i < c->n; i++) {
		const struct value *at = &c->args[i];
		int r;

		if (json_is_array(ret->j) || (json_is_null(ret->j) && c->x->structs && !ret->map))
			r = index_array(c, ret->j, at, ret, e);
		else if (json_is_object(ret->j))
			r = index_object(c, at, ret, e);
		else if (json_is_null(ret->j) && ret->map)
			r = (json_decref(ret->j), give_json(json_string(""), ret, e));
		else
			r = err_set(e, ERR_INVALID, 0, "can't index item of type %s",
				    value_type(ret));
		if (r < 0)
			return r;
	}
	return 0;
}

static int bound(const struct call *c, size_t i, size_t max, size_t *ret, struct err *e)
{
	json_int_t n;

	if (i >= c->n)
		return 0;
	if (!json_is_integer(c->args[i].j))
		return err_set(e, ERR_INVALID, 0, "cannot index slice/array with type %s",
			       value_type(&c->args[i]));
	n = json_integer_value(c->args[i].j);
	if (n < 0 || (size_t)n > max)
		return err_set(e, ERR_INVALID, 0, "index out of range: %" JSON_INTEGER_FORMAT, n);
	*ret = (size_t)n;
	return 0;
}

static int fn_slice(const struct call *c, struct value *ret, struct err *e)
{
	json_t *j = c->args[0].j, *part;
	bool text = json_is_string(j);
	size_t from = 0, to = text ? json_string_length(j) : json_array_size(j);

	if (!text && !json_is_array(j))
		return err_set(e, ERR_INVALID, 0, "can't slice item of type %s",
			       value_type(&c->args[0]));
	if (bound(c, 1, to, &from, e) < 0 || bound(c, 2, to, &to, e) < 0)
		return -1;
	if (from > to)
		return err_set(e, ERR_INVALID, 0, "invalid slice index: %zu > %zu", from, to);
	if (text) {
		const char *s = json_string_value(j);

		from = whole_runes(s, from);
		to = MAX(from, whole_runes(s, to));
		return give_json(json_stringn_nocheck(s + from, to - from), ret, e);
	}
	part = json_array();
	for (; from < to; from++)
		if (exec_step(c->x) < 0 || json_array_append(part, json_array_get(j, from)) < 0) {
			json_decref(part);
			return err_set(e, ERR_LIMIT, 0, "template: it takes too many steps");
		}
	return give_json(part, ret, e);
}

/* -- logic and comparison --------------------------------------------------------------------- */

static int fn_not(const struct call *c, struct value *ret, struct err *e)
{
	return give_json(json_boolean(!value_true(&c->args[0], c->x->structs)), ret, e);
}

/* The kinds that compare with each other: 0 is what does not compare. */
static int basic_kind(const struct value *v)
{
	if (json_is_string(v->j))
		return 's';
	if (json_is_number(v->j))
		return 'n';
	return json_is_boolean(v->j) ? 'b' : 0;
}

static bool is_nil(const struct value *v)
{
	return !v->j || json_is_null(v->j);
}

static int equal(const struct value *a, const struct value *b, bool *ret, struct err *e)
{
	if (is_nil(a) || is_nil(b)) {
		*ret = is_nil(a) && is_nil(b);
		return 0;
	}
	if (!basic_kind(a) || !basic_kind(b))
		return err_set(e, ERR_INVALID, 0, "non-comparable type %s",
			       value_type(basic_kind(a) ? b : a));
	if (basic_kind(a) != basic_kind(b))
		return err_set(e, ERR_INVALID, 0, "incompatible types for comparison");
	*ret = basic_kind(a) == 'n' && json_typeof(a->j) != json_typeof(b->j)
		       ? json_number_value(a->j) == json_number_value(b->j)
		       : json_equal(a->j, b->j) == 1;
	return 0;
}

static int fn_eq(const struct call *c, struct value *ret, struct err *e)
{
	bool same = false;

	if (c->n < 2)
		return err_set(e, ERR_INVALID, 0, "missing argument for comparison");
	for (size_t i = 1; i < c->n && !same; i++)
		if (equal(&c->args[0], &c->args[i], &same, e) < 0)
			return -1;
	return give_json(json_boolean(same), ret, e);
}

static int fn_ne(const struct call *c, struct value *ret, struct err *e)
{
	bool same = false;

	if (equal(&c->args[0], &c->args[1], &same, e) < 0)
		return -1;
	return give_json(json_boolean(!same), ret, e);
}

/* -1, 0 or 1 in *RET. */
static int order(const struct call *c, int *ret, struct err *e)
{
	const struct value *a = &c->args[0], *b = &c->args[1];
	int ka = basic_kind(a), kb = basic_kind(b);

	if (!ka || !kb || ka == 'b' || kb == 'b')
		return err_set(e, ERR_INVALID, 0, "invalid type for comparison");
	if (ka != kb)
		return err_set(e, ERR_INVALID, 0, "incompatible types for comparison");
	if (ka == 's') {
		int d = strcmp(arg_str(c, 0), arg_str(c, 1));

		*ret = (d > 0) - (d < 0);
	} else if (json_is_integer(a->j) && json_is_integer(b->j)) {
		json_int_t x = json_integer_value(a->j), y = json_integer_value(b->j);

		*ret = (x > y) - (x < y);
	} else {
		double x = json_number_value(a->j), y = json_number_value(b->j);

		*ret = (x > y) - (x < y);
	}
	return 0;
}

static int fn_lt(const struct call *c, struct value *ret, struct err *e)
{
	int d;

	return order(c, &d, e) < 0 ? -1 : give_json(json_boolean(d < 0), ret, e);
}

static int fn_le(const struct call *c, struct value *ret, struct err *e)
{
	int d;

	return order(c, &d, e) < 0 ? -1 : give_json(json_boolean(d <= 0), ret, e);
}

static int fn_gt(const struct call *c, struct value *ret, struct err *e)
{
	int d;

	return order(c, &d, e) < 0 ? -1 : give_json(json_boolean(d > 0), ret, e);
}

static int fn_ge(const struct call *c, struct value *ret, struct err *e)
{
	int d;

	return order(c, &d, e) < 0 ? -1 : give_json(json_boolean(d >= 0), ret, e);
}

static const struct function functions[] = {
	{"and", 1, -1, true, "v", NULL},
	{"or", 1, -1, true, "v", NULL},
	{"not", 1, 1, false, "v", fn_not},
	{"eq", 1, -1, false, "v", fn_eq},
	{"ne", 2, 2, false, "v", fn_ne},
	{"lt", 2, 2, false, "v", fn_lt},
	{"le", 2, 2, false, "v", fn_le},
	{"gt", 2, 2, false, "v", fn_gt},
	{"ge", 2, 2, false, "v", fn_ge},
	{"len", 1, 1, false, "v", fn_len},
	{"index", 1, -1, false, "v", fn_index},
	{"slice", 1, 3, false, "v", fn_slice},
	{"print", 0, -1, false, "v", fn_print},
	{"printf", 1, -1, false, "sv", fn_printf},
	{"println", 0, -1, false, "v", fn_println},
	{"html", 0, -1, false, "v", fn_html},
	{"js", 0, -1, false, "v", fn_js},
	{"urlquery", 0, -1, false, "v", fn_urlquery},
	{"json", 1, 1, false, "v", fn_json, true},
	{"split", 2, 2, false, "s", fn_split, true},
	{"join", 2, 2, false, "ls", fn_join, true},
	{"title", 1, 1, false, "s", fn_title, true},
	{"lower", 1, 1, false, "s", fn_lower, true},
	{"upper", 1, 1, false, "s", fn_upper, true},
	{"pad", 3, 3, false, "si", fn_pad, true},
	{"truncate", 2, 2, false, "si", fn_truncate, true},
};

const struct function *function_find(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (strlen(functions[i].name) == n && memcmp(functions[i].name, name, n) == 0)
			return &functions[i];
	return NULL;
}
