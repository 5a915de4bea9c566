/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parse.h"

#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

size_t cli_options_count(const struct cli_option *options)
{
	size_t n = 0;

	while (options && options[n].name)
		n++;
	return n;
}

const char *cli_option_title(const struct cli_option *o, char out[80])
{
	if (o->letter)
		(void)snprintf(out, 80, "-%c, --%s", o->letter, o->name);
	else
		(void)snprintf(out, 80, "--%s", o->name);
	return out;
}

static const struct cli_option *find_name(const struct parse *p, const char *name, size_t n)
{
	for (const struct cli_option *o = p->options; o && o->name; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static const struct cli_option *find_letter(const struct parse *p, char c)
{
	for (const struct cli_option *o = p->options; o && o->name; o++)
		if (o->letter == c)
			return o;
	return NULL;
}

/* -- values ---------------------------------------------------------------------------------- */

static int bad_number(const char *func, const char *value, int r, struct err *e)
{
	return err_set(e, ERR_USAGE, 0, "strconv.%s: parsing \"%s\": %s", func, value,
		       r == -ERANGE ? "value out of range" : "invalid syntax");
}

static int read_bytes(const struct cli_option *o, const char *value, int64_t *ret, struct err *e)
{
	uint64_t bytes;

	if ((o->flags & CLI_MINUS_ONE) && str_eq(value, "-1")) {
		*ret = -1;
		return 0;
	}
	if (num_size(value, &bytes) < 0 || bytes > INT64_MAX)
		return err_set(e, ERR_USAGE, 0, "invalid size: '%s'", value);
	*ret = (int64_t)bytes;
	return 0;
}

static int read_integer(const struct cli_option *o, const char *value, int64_t *ret, struct err *e)
{
	uint64_t u = 0;
	int r;

	switch (o->type) {
	case CLI_INT:
		r = num_i64(value[0] == '+' ? value + 1 : value, INT64_MIN, INT64_MAX, ret);
		return r < 0 ? bad_number("ParseInt", value, r, e) : 0;
	case CLI_UINT:
	case CLI_UINT16:
		r = num_u64(value, 0, o->type == CLI_UINT16 ? UINT16_MAX : INT64_MAX, &u);
		*ret = (int64_t)u;
		return r < 0 ? bad_number("ParseUint", value, r, e) : 0;
	case CLI_DECIMAL:
		if (num_cpus(value, ret) < 0)
			return err_set(e, ERR_USAGE, 0, "failed to parse %s as a rational number",
				       value);
		return 0;
	case CLI_DURATION:
		if (num_duration(value, ret) < 0)
			return err_set(e, ERR_USAGE, 0, "time: invalid duration \"%s\"", value);
		return 0;
	default:
		return read_bytes(o, value, ret, e);
	}
}

static int push(struct parse *p, void *field, const char *value, struct err *e)
{
	struct cli_list *list = field;

	return arena_strv_push(p->arena, &list->v, &list->n, value) < 0 ? fail_oom(e) : 0;
}

static int store(struct parse *p, const struct cli_option *o, const char *value, struct err *e)
{
	void *field = (char *)p->opts + o->offset;
	int r;

	if (o->check && o->check(value, e) < 0)
		return -1;
	switch (o->type) {
	case CLI_BOOL:
		r = num_bool(value, field);
		return r < 0 ? bad_number("ParseBool", value, r, e) : 0;
	case CLI_STRING:
		*(const char **)field = value;
		return 0;
	case CLI_LIST:
	case CLI_MAP:
	case CLI_OTHER:
		return push(p, field, value, e);
	default:
		return read_integer(o, value, field, e);
	}
}

static int take(struct parse *p, const struct cli_option *o, const char *value, struct err *e)
{
	char title[80];

	if (o->flags & CLI_LATER)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--%s is not supported by this version of kogge yet", o->name);
	p->given[o - p->options] = 1;
	if (o->flags & CLI_IGNORED)
		return 0;
	if (store(p, o, value, e) < 0) {
		struct err inner = *e;

		return err_set(e,
			       (o->flags & CLI_MEANING) && inner.class == ERR_INVALID ? ERR_INVALID
										      : ERR_USAGE,
			       0, "invalid argument \"%s\" for \"%s\" flag: %s", value,
			       cli_option_title(o, title), inner.msg);
	}
	return 0;
}

/* -- words ----------------------------------------------------------------------------------- */

static int unknown_flag(const struct parse *p, const char *name, size_t n, struct err *e)
{
	_cleanup_(freep) const char **names =
		calloc(cli_options_count(p->options) + 1, sizeof(*names));
	char word[64];
	const char *near;

	(void)snprintf(word, sizeof(word), "%.*s", (int)MIN(n, sizeof(word) - 1), name);
	(void)err_set(e, ERR_USAGE, 0, "unknown flag: --%.*s", (int)MIN(n, (size_t)200), name);
	for (size_t i = 0; names && p->options && p->options[i].name; i++)
		names[i] = p->options[i].name;
	near = names ? str_nearest(word, names) : NULL;
	return near ? err_hint(e, "did you mean --%s?", near) : -1;
}

/* At "--name": takes it and its value, moving *AT. */
static int long_option(struct parse *p, char *const **at, struct err *e)
{
	const char *name = **at + 2, *value = strchr(name, '=');
	size_t n = value ? (size_t)(value - name) : strlen(name);
	const struct cli_option *o;

	if (n == 0)
		return err_set(e, ERR_USAGE, 0, "bad flag syntax: %s", **at);
	if (n == 4 && memcmp(name, "help", 4) == 0) {
		p->help = true;
		return 0;
	}
	o = find_name(p, name, n);
	if (!o)
		return unknown_flag(p, name, n, e);
	if (value)
		return take(p, o, value + 1, e);
	if (o->type == CLI_BOOL)
		return take(p, o, "true", e);
	if (!(*at)[1])
		return err_set(e, ERR_USAGE, 0, "flag needs an argument: --%s", o->name);
	return take(p, o, *++*at, e);
}

/* At "-abc": letters that are bools, the last one may have a value, moving *AT. */
static int short_options(struct parse *p, char *const **at, struct err *e)
{
	const char *word = **at;

	for (const char *c = word + 1; *c; c++) {
		const struct cli_option *o = find_letter(p, *c);

		if (!o && *c == 'h') {
			p->help = true;
			return 0;
		}
		if (!o)
			return err_set(e, ERR_USAGE, 0, "unknown shorthand flag: '%c' in %s", *c,
				       word);
		if (o->type == CLI_BOOL && c[1] != '=') {
			if (take(p, o, "true", e) < 0)
				return -1;
			continue;
		}
		if (c[1])
			return take(p, o, c + (c[1] == '=' ? 2 : 1), e);
		if (!(*at)[1])
			return err_set(e, ERR_USAGE, 0, "flag needs an argument: '%c' in %s", *c,
				       word);
		return take(p, o, *++*at, e);
	}
	return 0;
}

static int positional(struct parse *p, const char *word, struct err *e)
{
	return arena_strv_push(p->arena, &p->argv, &p->argc, word) < 0 ? fail_oom(e) : 0;
}

static int rest(struct parse *p, char *const *argv, struct err *e)
{
	for (; *argv; argv++)
		if (positional(p, *argv, e) < 0)
			return -1;
	return 0;
}

int cli_parse(struct parse *p, char *const *argv, struct err *e)
{
	for (; *argv && !p->help; argv++) {
		const char *word = *argv;

		if (word[0] != '-' || !word[1]) {
			if (p->stop_at_arg)
				return rest(p, argv, e);
			if (positional(p, word, e) < 0)
				return -1;
		} else if (str_eq(word, "--")) {
			return rest(p, argv + 1, e);
		} else if ((word[1] == '-' ? long_option(p, &argv, e)
					   : short_options(p, &argv, e)) < 0) {
			return -1;
		}
	}
	return 0;
}
