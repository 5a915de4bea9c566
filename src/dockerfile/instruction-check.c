/* SPDX-License-Identifier: Apache-2.0 */
/* What each instruction allows: its flags, and how many arguments of which form. What depends on
 * the value of a variable is not known here and not checked. */
#include "base/num.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/text.h"

#include <strings.h>

/* ---- flags ---- */

enum flag_type { FLAG_STRING, FLAG_SWITCH, FLAG_STRINGS };

struct flag_rule {
	const char *name;
	enum flag_type type;
};

static const struct flag_rule no_flags[] = {{NULL}};
static const struct flag_rule add_flags[] = {{"chown"},
					     {"chmod"},
					     {"link", FLAG_SWITCH},
					     {"keep-git-dir", FLAG_SWITCH},
					     {"checksum"},
					     {"unpack", FLAG_SWITCH},
					     {"exclude", FLAG_STRINGS},
					     {NULL}};
static const struct flag_rule copy_flags[] = {{"chown"},
					      {"chmod"},
					      {"from"},
					      {"link", FLAG_SWITCH},
					      {"exclude", FLAG_STRINGS},
					      {"parents", FLAG_SWITCH},
					      {NULL}};
static const struct flag_rule from_flags[] = {{"platform"}, {NULL}};
static const struct flag_rule run_flags[] = {
	{"mount", FLAG_STRINGS}, {"network"}, {"security"}, {"device", FLAG_STRINGS}, {NULL}};
static const struct flag_rule health_flags[] = {{"interval"},       {"timeout"}, {"start-period"},
						{"start-interval"}, {"retries"}, {NULL}};

static const struct flag_rule *rules_of(enum df_kind kind)
{
	switch (kind) {
	case DF_ADD:
		return add_flags;
	case DF_COPY:
		return copy_flags;
	case DF_FROM:
		return from_flags;
	case DF_RUN:
		return run_flags;
	case DF_HEALTHCHECK:
		return health_flags;
	default:
		return no_flags;
	}
}

static const char *nearest_flag(const struct flag_rule *rules, const char *name)
{
	const char *table[16] = {NULL};

	for (size_t i = 0; rules[i].name && i + 1 < ARRAY_SIZE(table); i++)
		table[i] = rules[i].name;
	return str_nearest(name, table);
}

static const struct flag_rule *find_flag(const struct df_instruction *in, const char *name,
					 struct err *e)
{
	const struct flag_rule *rules = rules_of(in->kind);
	const char *near = nearest_flag(rules, name);

	for (; rules->name; rules++)
		if (str_eq(rules->name, name))
			return rules;
	err_set(e, ERR_INVALID, 0, "%s has no flag --%s", df_kind_name(in->kind), name);
	if (near)
		err_hint(e, "did you mean --%s?", near);
	return NULL;
}

static int switch_value(struct df_flag *f, struct err *e)
{
	if (!f->value || strcasecmp(f->value, "true") == 0)
		f->value = "true";
	else if (strcasecmp(f->value, "false") == 0)
		f->value = "false";
	else
		return err_set(e, ERR_INVALID, 0, "--%s=%s: expecting true or false", f->name,
			       f->value);
	return 0;
}

static int add_flag(struct arena *a, struct df_instruction *in, struct df_flag *f, const char *text,
		    struct err *e)
{
	const struct flag_rule *rule;

	f->name = str_cut(a, text + 2, '=', &f->value);
	if (!f->name)
		return df_no_memory(e);
	rule = find_flag(in, f->name, e);
	if (!rule)
		return -1;
	if (rule->type != FLAG_STRINGS && df_flag(in, f->name))
		return err_set(e, ERR_INVALID, 0, "--%s is given twice", f->name);
	if (rule->type == FLAG_SWITCH)
		return switch_value(f, e);
	if (!f->value)
		return err_set(e, ERR_INVALID, 0, "--%s needs a value: --%s=VALUE", f->name,
			       f->name);
	return 0;
}

static int check_flags(struct arena *a, struct df_instruction *in, const char *const *texts,
		       struct err *e)
{
	struct df_flag *v = arena_array(a, strv_len(texts) + 1, sizeof(*v));

	if (!v)
		return df_no_memory(e);
	in->flags = v;
	for (size_t i = 0; texts[i]; i++) {
		if (add_flag(a, in, &v[i], texts[i], e) < 0)
			return -1;
		in->n_flags++;
	}
	return 0;
}

const char *df_flag(const struct df_instruction *in, const char *name)
{
	for (size_t i = in->n_flags; i-- > 0;)
		if (str_eq(in->flags[i].name, name))
			return in->flags[i].value;
	return NULL;
}

bool df_flag_on(const struct df_instruction *in, const char *name)
{
	return str_eq0(df_flag(in, name), "true");
}

/* ---- arguments ---- */

static int few(const struct df_instruction *in, const char *count, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "%s requires %s", df_kind_name(in->kind), count);
}

static int check_copy(struct arena *a, struct df_instruction *in, struct err *e)
{
	struct df_heredoc mark;
	int r;

	if (in->n_args < 2)
		return few(in, "a source and a destination", e);
	r = df_heredoc_mark(a, in->args[in->n_args - 1], &mark, e);
	if (r > 0)
		return err_set(e, ERR_INVALID, 0,
			       "the destination of %s cannot be a here-document (%s)",
			       df_kind_name(in->kind), in->args[in->n_args - 1]);
	return r;
}

static int check_stage_name(const char *s, struct err *e)
{
	bool good = (*s | 0x20) >= 'a' && (*s | 0x20) <= 'z';

	for (const char *p = s; good && *p; p++)
		good = ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || text_is_digit(*p) ||
		       *p == '-' || *p == '_' || *p == '.';
	if (good)
		return 0;
	return err_set(
		e, ERR_INVALID, 0,
		"invalid name for build stage: \"%s\" (a letter first, then letters, digits, "
		"'-', '_' and '.')",
		s);
}

static int check_from(const struct df_instruction *in, struct err *e)
{
	if (in->n_args == 3 && strcasecmp(in->args[1], "as") == 0)
		return check_stage_name(in->args[2], e);
	if (in->n_args == 1)
		return 0;
	return err_set(e, ERR_INVALID, 0, "FROM requires an image, or an image and \"AS name\"");
}

static int check_trigger(const struct df_instruction *in, struct err *e)
{
	if (!in->trigger)
		return few(in, "an instruction", e);
	if (in->trigger->kind == DF_ONBUILD || in->trigger->kind == DF_FROM ||
	    in->trigger->kind == DF_MAINTAINER)
		return err_set(e, ERR_INVALID, 0, "%s cannot be triggered by ONBUILD",
			       df_kind_name(in->trigger->kind));
	return 0;
}

static int check_interval(const struct df_instruction *in, const char *name, struct err *e)
{
	const char *s = df_flag(in, name);
	int64_t ns = 0;

	if (str_empty(s) || str_eq(s, "0"))
		return 0;
	if (num_duration(s, &ns) < 0)
		return err_set(e, ERR_INVALID, 0, "--%s=%s: not a duration such as 30s or 1m30s",
			       name, s);
	if (ns != 0 && ns < 1000000)
		return err_set(e, ERR_INVALID, 0, "--%s=%s: less than 1ms", name, s);
	return 0;
}

static int check_health(const struct df_instruction *in, struct err *e)
{
	static const char *const intervals[] = {"interval", "timeout", "start-period",
						"start-interval"};
	const char *retries = df_flag(in, "retries");
	int64_t n;

	if (in->n_args == 0)
		return few(in, "CMD and a command, or NONE", e);
	if (strcasecmp(in->args[0], "none") == 0)
		return in->n_args == 1
			       ? 0
			       : err_set(e, ERR_INVALID, 0, "HEALTHCHECK NONE takes no arguments");
	if (strcasecmp(in->args[0], "cmd") != 0)
		return err_set(e, ERR_INVALID, 0, "HEALTHCHECK %s: expecting CMD or NONE",
			       in->args[0]);
	if (in->n_args == 1)
		return err_set(e, ERR_INVALID, 0, "HEALTHCHECK CMD has no command");
	for (size_t i = 0; i < ARRAY_SIZE(intervals); i++)
		if (check_interval(in, intervals[i], e) < 0)
			return -1;
	if (!str_empty(retries) && num_i64(retries, 0, INT32_MAX, &n) < 0)
		return err_set(e, ERR_INVALID, 0, "--retries=%s: not a number from 0", retries);
	return 0;
}

static int check_volumes(const struct df_instruction *in, struct err *e)
{
	if (in->n_args == 0)
		return few(in, "at least one path", e);
	for (size_t i = 0; i < in->n_args; i++)
		if (!*text_skip_space(in->args[i]))
			return err_set(e, ERR_INVALID, 0, "VOLUME with an empty path");
	return 0;
}

static int check_arguments(struct arena *a, struct df_instruction *in, struct err *e)
{
	switch (in->kind) {
	case DF_ADD:
	case DF_COPY:
		return check_copy(a, in, e);
	case DF_FROM:
		return check_from(in, e);
	case DF_ONBUILD:
		return check_trigger(in, e);
	case DF_HEALTHCHECK:
		return check_health(in, e);
	case DF_VOLUME:
		return check_volumes(in, e);
	case DF_ARG:
	case DF_ENV:
	case DF_LABEL:
		return in->n_pairs ? 0 : few(in, "at least one argument", e);
	case DF_EXPOSE:
		return in->n_args ? 0 : few(in, "at least one port", e);
	case DF_SHELL:
		return in->json && in->n_args
			       ? 0
			       : few(in, "an array of strings: SHELL [\"executable\", \"-c\"]", e);
	case DF_MAINTAINER:
	case DF_STOPSIGNAL:
	case DF_USER:
	case DF_WORKDIR:
		return in->n_args ? 0 : few(in, "exactly one argument", e);
	default:
		return 0;
	}
}

int instruction_check(struct arena *a, struct df_instruction *in, const char *const *flags,
		      struct err *e)
{
	return check_flags(a, in, flags, e) < 0 ? -1 : check_arguments(a, in, e);
}
