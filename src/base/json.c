/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/arena.h"
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { TEXT_MAX = 8 << 20 };

/* jansson's own depth limit is fixed when it is compiled (2,048), so depth is counted before. */
static bool too_deep(const char *data, size_t n)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		char c = data[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	return false;
}

void json_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed) && seed)
		json_object_seed(seed);
}

json_t *json_parse(const char *data, size_t n, const char *what, struct err *e)
{
	json_error_t why;
	json_t *j;

	if (too_deep(data, n)) {
		err_set(e, ERR_LIMIT, 0, "parsing %s: nested deeper than %d levels", what,
			JSON_DEPTH_MAX);
		return NULL;
	}
	j = json_loadb(data, n, JSON_REJECT_DUPLICATES, &why);
	if (!j)
		err_set(e, ERR_INVALID, 0, "parsing %s: %s at line %d column %d", what, why.text,
			why.line, why.column);
	return j;
}

static int write_chunk(const char *data, size_t n, void *out)
{
	return buf_put(out, data, n);
}

int json_write(const json_t *j, size_t flags, struct buf *out)
{
	int r;

	if (!(flags & (JSON_COMPACT | 0x1F)))
		flags |= JSON_COMPACT;
	r = json_dump_callback(j, write_chunk, out, flags | JSON_ENCODE_ANY);
	return r < 0 ? -ENOMEM : 0;
}

/* How many bytes at S are one character of UTF-8; 0 for none. */
static size_t utf8_length(const char *s)
{
	for (size_t n = 1; n <= 4 && (n == 1 || s[n - 1]); n++) {
		json_t *j = json_stringn(s, n);

		json_decref(j);
		if (j)
			return n;
	}
	return 0;
}

static int replace_bad(const char *s, struct buf *out)
{
	int r = 0;

	while (*s && r == 0) {
		size_t n = utf8_length(s);

		r = n ? buf_put(out, s, n) : buf_puts(out, "\xef\xbf\xbd");
		s += n ? n : 1;
	}
	return r;
}

json_t *json_text(const char *s)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(TEXT_MAX);
	json_t *j = json_string(s);

	if (j || replace_bad(s, &out) < 0)
		return j;
	return json_string(buf_str(&out));
}

int json_put_text(json_t *o, const char *key, const char *value)
{
	json_t *k = json_text(key);
	int r = k ? json_object_set_new(o, json_string_value(k), json_text(value)) : -1;

	json_decref(k);
	return r;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *json_sorted(json_t *o)
{
	size_t n = json_object_size(o), i = 0;
	const char **keys = n > 1 ? calloc(n, sizeof(*keys)) : NULL;
	json_t *sorted = keys ? json_object() : NULL;
	const char *key;
	json_t *v;
	int r = 0;

	if (sorted) {
		json_object_foreach (o, key, v)
			keys[i++] = key;
		qsort(keys, n, sizeof(*keys), compare_keys);
		for (i = 0; i < n && r == 0; i++)
			r = json_object_set(sorted, keys[i], json_object_get(o, keys[i]));
	}
	free(keys);
	if (!sorted || r < 0) {
		json_decref(sorted);
		return o;
	}
	json_decref(o);
	return sorted;
}

int json_reader_init(struct json_reader *r, const json_t *root, const char *what,
		     struct arena *arena, struct err *e)
{
	*r = (struct json_reader){.obj = root, .index = -1, .arena = arena, .what = what};
	if (!json_is_object(root))
		return err_set(e, ERR_INVALID, 0, "%s: is not a JSON object", what);
	return 0;
}

static void put_path(struct buf *out, const struct json_reader *r, const char *key)
{
	if (r->parent)
		put_path(out, r->parent, r->key);
	if (r->parent && r->index >= 0)
		buf_printf(out, "[%d]", r->index);
	if (key)
		buf_printf(out, "%s%s", out->len ? "." : "", key);
}

int json_read_fail(const struct json_reader *r, const char *key, enum err_class class,
		   struct err *e, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT(512);
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	put_path(&path, r, key);
	return err_set(e, class, 0, "%s: %s: %s", r->what, buf_str(&path), why);
}

/* The field, or NULL where it is absent or null. */
static const json_t *field(const struct json_reader *r, const char *key)
{
	const json_t *v = json_object_get(r->obj, key);

	return json_is_null(v) ? NULL : v;
}

static int wrong_type(const struct json_reader *r, const char *key, const char *wanted,
		      struct err *e)
{
	return json_read_fail(r, key, ERR_INVALID, e, "is not %s", wanted);
}

static int no_memory(const struct json_reader *r, const char *key, struct err *e)
{
	return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
}

/* Copies a string value; a NUL byte inside (jansson refuses \u0000 already) never passes. */
static const char *copy_str(const struct json_reader *r, const json_t *v)
{
	return arena_strndup(r->arena, json_string_value(v), json_string_length(v));
}

int json_read_str(const struct json_reader *r, const char *key, const char **ret, struct err *e)
{
	const json_t *v = field(r, key);
	const char *s;

	if (!v)
		return 0;
	if (!json_is_string(v))
		return wrong_type(r, key, "a string", e);
	s = copy_str(r, v);
	if (!s)
		return no_memory(r, key, e);
	*ret = s;
	return 1;
}

int json_read_bool(const struct json_reader *r, const char *key, bool *ret, struct err *e)
{
	const json_t *v = field(r, key);

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return wrong_type(r, key, "true or false", e);
	*ret = json_is_true(v);
	return 1;
}

int json_read_i64(const struct json_reader *r, const char *key, int64_t min, int64_t max,
		  int64_t *ret, struct err *e)
{
	const json_t *v = field(r, key);

	if (!v)
		return 0;
	if (!json_is_integer(v))
		return wrong_type(r, key, "an integer", e);
	if (json_integer_value(v) < min || json_integer_value(v) > max)
		return json_read_fail(r, key, ERR_INVALID, e, "%lld is out of range (%lld to %lld)",
				      (long long)json_integer_value(v), (long long)min,
				      (long long)max);
	*ret = json_integer_value(v);
	return 1;
}

int json_read_u64(const struct json_reader *r, const char *key, uint64_t max, uint64_t *ret,
		  struct err *e)
{
	int64_t v;
	int n = json_read_i64(r, key, 0, (int64_t)MIN(max, (uint64_t)INT64_MAX), &v, e);

	if (n > 0)
		*ret = (uint64_t)v;
	return n;
}

int json_read_strv(const struct json_reader *r, const char *key, const char ***ret, size_t *ret_n,
		   struct err *e)
{
	const json_t *v = field(r, key), *item;
	const char **strv;
	size_t i, n;

	if (!v)
		return 0;
	if (!json_is_array(v))
		return wrong_type(r, key, "an array of strings", e);
	n = json_array_size(v);
	strv = arena_array(r->arena, n + 1, sizeof(*strv));
	if (!strv)
		return no_memory(r, key, e);
	for (i = 0; i < n; i++) {
		item = json_array_get(v, i);
		if (!json_is_string(item))
			return json_read_fail(r, key, ERR_INVALID, e, "element %zu is not a string",
					      i);
		strv[i] = copy_str(r, item);
		if (!strv[i])
			return no_memory(r, key, e);
	}
	*ret = strv;
	if (ret_n)
		*ret_n = n;
	return 1;
}

int json_read_obj(const struct json_reader *r, const char *key, struct json_reader *ret,
		  struct err *e)
{
	const json_t *v = field(r, key);

	if (!v)
		return 0;
	if (!json_is_object(v))
		return wrong_type(r, key, "an object", e);
	*ret = (struct json_reader){
		.obj = v, .parent = r, .key = key, .index = -1, .arena = r->arena, .what = r->what};
	return 1;
}

int json_read_array(const struct json_reader *r, const char *key, size_t max, size_t *ret_n,
		    struct err *e)
{
	const json_t *v = field(r, key);

	*ret_n = 0;
	if (!v)
		return 0;
	if (!json_is_array(v))
		return wrong_type(r, key, "an array", e);
	if (json_array_size(v) > max)
		return json_read_fail(r, key, ERR_LIMIT, e, "has %zu elements, more than %zu",
				      json_array_size(v), max);
	*ret_n = json_array_size(v);
	return 1;
}

int json_read_elem(const struct json_reader *r, const char *key, size_t i, struct json_reader *ret,
		   struct err *e)
{
	const json_t *v = json_array_get(field(r, key), i);

	*ret = (struct json_reader){.obj = v,
				    .parent = r,
				    .key = key,
				    .index = (int)i,
				    .arena = r->arena,
				    .what = r->what};
	if (!json_is_object(v))
		return json_read_fail(ret, NULL, ERR_INVALID, e, "is not an object");
	return 1;
}
