/* SPDX-License-Identifier: Apache-2.0 */
/* Values of templates: truth, Go's names for their types, and how fmt.Print shows them. */
#include "template/template-internal.h"

#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void value_done(struct value *v)
{
	json_decref(v->j);
	v->j = NULL;
}

bool value_true(const struct value *v, bool structs)
{
	switch (v->j ? json_typeof(v->j) : JSON_NULL) {
	case JSON_TRUE:
		return true;
	case JSON_INTEGER:
		return json_integer_value(v->j) != 0;
	case JSON_REAL:
		return json_real_value(v->j) != 0;
	case JSON_STRING:
		return json_string_length(v->j) > 0;
	case JSON_ARRAY:
		return json_array_size(v->j) > 0;
	case JSON_OBJECT:
		return (structs && !v->map) || json_object_size(v->j) > 0;
	default:
		return false;
	}
}

const char *value_type(const struct value *v)
{
	switch (v->j ? json_typeof(v->j) : JSON_NULL) {
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_INTEGER:
		return "int";
	case JSON_REAL:
		return "float64";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "[]interface {}";
	case JSON_OBJECT:
		return "map[string]interface {}";
	default:
		return "nil";
	}
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **value_sorted_keys(json_t *object, size_t *ret_n)
{
	size_t n = json_object_size(object);
	const char **keys = n ? calloc(n, sizeof(*keys)) : NULL;
	const char *key;
	json_t *value;
	size_t i = 0;

	*ret_n = 0;
	if (!keys)
		return NULL;
	json_object_foreach (object, key, value)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	*ret_n = n;
	return keys;
}

/* strconv.FormatFloat(d, 'g', -1, 64) with %v's exponent threshold of 21. */
void value_print_real(double d, char out[40])
{
	char text[40];
	int precision = 1, exponent;
	const char *e;

	if (!isfinite(d)) {
		(void)snprintf(out, 40, "%s", isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (; precision < 17; precision++) {
		(void)snprintf(text, sizeof(text), "%.*e", precision - 1, d);
		if (strtod(text, NULL) == d)
			break;
	}
	(void)snprintf(text, sizeof(text), "%.*e", precision - 1, d);
	e = strchr(text, 'e');
	exponent = 0;
	for (const char *p = e + 2; *p; p++)
		exponent = exponent * 10 + (*p - '0');
	if (e[1] == '-')
		exponent = -exponent;
	if (exponent < -4 || exponent >= 21)
		(void)snprintf(out, 40, "%s", text);
	else
		(void)snprintf(out, 40, "%.*f", MAX(0, precision - 1 - exponent), d);
}

/* -- printing, without recursion on the stack deeper than the data (JSON_DEPTH_MAX) ----------- */

#define PRINT_DEPTH_MAX 100

struct printer {
	struct buf *out;
	bool structs;
	const char *const *maps;
	unsigned depth;
};

static int print_any(struct printer *p, json_t *j, bool map, bool nested);

static int print_array(struct printer *p, json_t *j)
{
	size_t n = json_array_size(j);
	int r = buf_putc(p->out, '[');

	for (size_t i = 0; i < n && r == 0; i++) {
		if (i > 0)
			r = buf_putc(p->out, ' ');
		if (r == 0)
			r = print_any(p, json_array_get(j, i), false, true);
	}
	return r < 0 ? r : buf_putc(p->out, ']');
}

static int print_struct(struct printer *p, json_t *j)
{
	const char *key, *sep = "{";
	json_t *value;
	int r = 0;

	if (json_object_size(j) == 0)
		r = buf_putc(p->out, '{');
	json_object_foreach (j, key, value) {
		r = buf_puts(p->out, sep);
		if (r == 0)
			r = print_any(p, value, strv_has(p->maps, key), true);
		if (r < 0)
			return r;
		sep = " ";
	}
	return r < 0 ? r : buf_putc(p->out, '}');
}

static int print_map(struct printer *p, json_t *j)
{
	size_t n = 0;
	_cleanup_(freep) const char **keys = value_sorted_keys(j, &n);
	int r = buf_puts(p->out, "map[");

	if (!keys && json_object_size(j) > 0)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = buf_printf(p->out, "%s%s:", i ? " " : "", keys[i]);
		if (r == 0)
			r = print_any(p, json_object_get(j, keys[i]), false, true);
	}
	return r < 0 ? r : buf_putc(p->out, ']');
}

static int print_scalar(struct printer *p, json_t *j, bool map, bool nested)
{
	char real[40];

	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_TRUE:
		return buf_puts(p->out, "true");
	case JSON_FALSE:
		return buf_puts(p->out, "false");
	case JSON_INTEGER:
		return buf_printf(p->out, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	case JSON_REAL:
		value_print_real(json_real_value(j), real);
		return buf_puts(p->out, real);
	case JSON_STRING:
		return buf_put(p->out, json_string_value(j), json_string_length(j));
	default:
		if (nested || (j && p->structs))
			return buf_puts(p->out, map ? "map[]" : j && p->structs ? "[]" : "<nil>");
		return buf_puts(p->out, "<no value>");
	}
}

static int print_any(struct printer *p, json_t *j, bool map, bool nested)
{
	int r;

	if (!json_is_array(j) && !json_is_object(j))
		return print_scalar(p, j, map, nested);
	if (++p->depth > PRINT_DEPTH_MAX)
		return -ELOOP;
	if (json_is_array(j))
		r = print_array(p, j);
	else
		r = p->structs && !map ? print_struct(p, j) : print_map(p, j);
	p->depth--;
	return r;
}

int value_print(const struct value *v, const struct template_data *d, struct buf *out)
{
	struct printer p = {.out = out, .structs = d->struct_type != NULL, .maps = d->maps};

	return print_any(&p, v->j, v->map, false);
}
