/* SPDX-License-Identifier: Apache-2.0 */
/* Global arguments, and what FROM makes of them. */
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/lint-internal.h"

/* "os/architecture[/variant]" as the arguments that every Dockerfile has. */
static int set_platform(struct linter *l, struct scope *s, const char *prefix, const char *platform)
{
	static const char *const parts[] = {"OS", "ARCH", "VARIANT"};
	const char **v = str_split(l->arena, platform, '/', NULL);
	const char *name = arena_printf(l->arena, "%sPLATFORM", prefix);

	if (!v || !name || scope_set(s, name, platform) < 0)
		return df_no_memory(l->e);
	for (size_t i = 0, n = strv_len(v); i < ARRAY_SIZE(parts); i++) {
		name = arena_printf(l->arena, "%s%s", prefix, parts[i]);
		if (!name || scope_set(s, name, i < n ? v[i] : "") < 0)
			return df_no_memory(l->e);
	}
	return 0;
}

static int predefined(struct linter *l, struct scope *s, const char *const *overrides)
{
	const struct df_stage *last = &l->d->stages[l->d->n_stages - 1];
	const char *stage = l->o->target ? l->o->target : last->name ? last->name : "default";

	if (set_platform(l, s, "BUILD", l->o->platform) < 0 ||
	    set_platform(l, s, "TARGET", l->o->target_platform) < 0)
		return -1;
	if (scope_set(s, "TARGETSTAGE", stage) < 0)
		return df_no_memory(l->e);
	for (size_t i = 0; overrides && i < s->n; i++) {
		const char *given = strv_env_get(overrides, s->names[i]);

		s->values[i] = given ? given : s->values[i];
	}
	return 0;
}

/* Adds the ARGs before the first FROM. BUILD_ARGS may be NULL. */
static int global_arguments(struct linter *l, struct scope *s, const char *const *build_args)
{
	for (size_t i = 0; i < l->d->n_global; i++) {
		const struct df_instruction *in = &l->d->instructions[i];

		for (size_t k = 0; k < in->n_pairs; k++) {
			struct expander x = {.arena = l->arena,
					     .escape = l->d->escape,
					     .get = scope_get,
					     .arg = s};
			const char *value =
				build_args ? strv_env_get(build_args, in->pairs[k].key) : NULL;

			l->out->failed_at = in->at;
			if (!value && in->pairs[k].value)
				value = expand_word(&x, in->pairs[k].value, l->e);
			if (!value && in->pairs[k].value)
				return -1;
			if (value && scope_set(s, in->pairs[k].key, value) < 0)
				return df_no_memory(l->e);
		}
	}
	return 0;
}

/* With the arguments' defaults alone FROM must have a valid name. */
static int default_bases(struct linter *l)
{
	struct scope s = {.arena = l->arena};
	struct err ignored = ERR_INIT, *e = l->e;
	int r;

	l->e = &ignored;
	r = predefined(l, &s, l->o->build_args) < 0 ? -1 : global_arguments(l, &s, NULL);
	l->e = e;
	for (size_t i = 0; r == 0 && i < l->d->n_stages; i++) {
		const struct df_stage *st = &l->d->stages[i];
		struct expander x = {
			.arena = l->arena, .escape = l->d->escape, .get = scope_get, .arg = &s};
		const char *base = expand_word(&x, st->base, &ignored);

		if (!base)
			return 0;
		lint_enter(l, st->from);
		if (!l->o->is_image(l->o->arg, base) &&
		    lint_warn(l, RULE_INVALID_DEFAULT_ARG_IN_FROM, st->from->at,
			      "With the defaults of its arguments '%s' is no valid image name",
			      st->base) < 0)
			return -1;
	}
	return 0;
}

static bool is_declared(const struct linter *l, const char *name)
{
	for (size_t i = 0; i < l->d->n_global; i++)
		for (size_t k = 0; k < l->d->instructions[i].n_pairs; k++)
			if (str_eq(l->d->instructions[i].pairs[k].key, name))
				return true;
	return false;
}

static int undeclared(struct linter *l, const struct df_stage *st, const struct scope *global,
		      const struct names_seen *seen)
{
	for (size_t i = 0; i < seen->unset.n; i++) {
		const char *name = seen->unset.names[i], *near;

		if (is_declared(l, name))
			continue;
		near = str_nearest(name, global->names);
		if (lint_warn(l, RULE_UNDEFINED_ARG_IN_FROM, st->from->at,
			      "FROM uses the argument '%s', which no ARG before it declares%s%s%s",
			      name, near ? " (did you mean " : "", near ? near : "",
			      near ? "?)" : "") < 0)
			return -1;
	}
	return 0;
}

static int check_platform(struct linter *l, const struct df_stage *st, struct scope *global)
{
	struct names_seen seen;
	struct expander x = lint_expander(l, global, &seen);
	const char *platform = expand_word(&x, st->platform, l->e), *arch;

	if (!platform || undeclared(l, st, global, &seen) < 0)
		return -1;
	if (!*platform)
		return err_set(l->e, ERR_INVALID, 0, "FROM --platform=%s is empty", st->platform);
	if (seen.set.n == 1 && !seen.unset.n && str_eq(seen.set.names[0], "TARGETPLATFORM") &&
	    str_eq(platform, scope_get(global, "TARGETPLATFORM")))
		return lint_warn(l, RULE_REDUNDANT_TARGET_PLATFORM, st->from->at,
				 "--platform=%s is the default", st->platform);
	arch = strchr(platform, '/');
	if (seen.set.n || seen.unset.n || !arch ||
	    (st->name && (strstr(st->name, arch + 1) || strstr(st->name, "linux"))))
		return 0;
	return lint_warn(l, RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED, st->from->at,
			 "--platform should not be the constant '%s'", platform);
}

static const char *check_base(struct linter *l, const struct df_stage *st, struct scope *global)
{
	struct names_seen seen;
	struct expander x = lint_expander(l, global, &seen);
	const char *base;

	lint_enter(l, st->from);
	base = expand_word(&x, st->base, l->e);
	if (!base || undeclared(l, st, global, &seen) < 0)
		return NULL;
	if (!*base) {
		err_set(l->e, ERR_INVALID, 0, "the image of FROM (%s) is empty", st->base);
		return NULL;
	}
	return st->platform && check_platform(l, st, global) < 0 ? NULL : base;
}

int lint_from(struct linter *l, struct scope *global, const char ***ret_bases)
{
	const char **bases = NULL;
	size_t n = 0;

	if (default_bases(l) < 0 || predefined(l, global, l->o->build_args) < 0 ||
	    global_arguments(l, global, l->o->build_args) < 0)
		return -1;
	for (size_t i = 0; i < l->d->n_stages; i++) {
		const char *base = check_base(l, &l->d->stages[i], global);

		if (!base)
			return -1;
		if (arena_strv_push(l->arena, &bases, &n, base) < 0)
			return df_no_memory(l->e);
	}
	*ret_bases = bases;
	return 0;
}
