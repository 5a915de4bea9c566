/* SPDX-License-Identifier: Apache-2.0 */
/* Global arguments, and what each FROM names. */
#include "base/num.h"
#include "base/str.h"
#include "build/lower-internal.h"
#include "oci/platform.h"

static const char *global_expand(struct lowering *l, const char *text)
{
	struct expander x = {
		.arena = l->arena, .escape = l->d->escape, .get = scope_get, .arg = &l->global};

	return expand_word(&x, text, l->e);
}

static int set_platform(struct lowering *l, const char *prefix, const struct platform *p)
{
	char text[PLATFORM_TEXT_SIZE];
	const char *const values[] = {platform_text(p, text), p->os, p->architecture, p->variant};
	static const char *const names[] = {"PLATFORM", "OS", "ARCH", "VARIANT"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = arena_printf(l->arena, "%s%s", prefix, names[i]);
		const char *value = arena_strdup(l->arena, values[i]);
		const char *given =
			name && l->o->build_args ? strv_env_get(l->o->build_args, name) : NULL;

		if (!name || !value || scope_set(&l->global, name, given ? given : value) < 0)
			return lower_no_memory(l);
	}
	return 0;
}

static int predefined(struct lowering *l)
{
	const struct df_stage *last = &l->d->stages[l->d->n_stages - 1];
	const char *stage = l->o->target ? l->o->target : last->name ? last->name : "default";

	if (set_platform(l, "BUILD", &l->o->build_platform) < 0 ||
	    set_platform(l, "TARGET", &l->o->platform) < 0)
		return -1;
	return scope_set(&l->global, "TARGETSTAGE", stage) < 0 ? lower_no_memory(l) : 0;
}

static int global_arguments(struct lowering *l)
{
	for (size_t i = 0; i < l->d->n_global; i++) {
		const struct df_instruction *in = &l->d->instructions[i];

		for (size_t k = 0; k < in->n_pairs; k++) {
			const struct df_pair *p = &in->pairs[k];
			const char *value =
				l->o->build_args ? strv_env_get(l->o->build_args, p->key) : NULL;

			l->out->failed_at = in->at;
			if (!value && p->value)
				value = global_expand(l, p->value);
			if (!value && p->value)
				return -1;
			if (value && scope_set(&l->global, p->key, value) < 0)
				return lower_no_memory(l);
		}
	}
	return 0;
}

/* SOURCE_DATE_EPOCH, of --build-arg or a global ARG. */
static int epoch(struct lowering *l)
{
	const char *value =
		l->o->build_args ? strv_env_get(l->o->build_args, "SOURCE_DATE_EPOCH") : NULL;
	int64_t n;

	if (!value)
		value = scope_get(&l->global, "SOURCE_DATE_EPOCH");
	if (str_empty(value))
		return 0;
	if (num_i64(value, 0, INT64_MAX / (int64_t)NUM_NS_PER_S, &n) < 0)
		return err_set(l->e, ERR_INVALID, 0, "SOURCE_DATE_EPOCH=%s: no number of seconds",
			       value);
	l->out->epoch = n;
	return 0;
}

static int stage_platform(struct lowering *l, struct lower_stage *s)
{
	char text[PLATFORM_TEXT_SIZE];
	struct platform p = l->o->platform;
	const char *value;

	if (s->df->platform) {
		value = global_expand(l, s->df->platform);
		if (!value)
			return -1;
		if (!*value)
			return err_set(l->e, ERR_INVALID, 0, "FROM --platform=%s is empty",
				       s->df->platform);
		if (platform_parse(value, &p, l->e) < 0)
			return -1;
	}
	s->platform = arena_strdup(l->arena, platform_text(&p, text));
	return s->platform ? 0 : lower_no_memory(l);
}

static int stage_from(struct lowering *l, size_t i)
{
	struct lower_stage *s = &l->stages[i];

	s->df = &l->d->stages[i];
	l->out->failed_at = s->df->from->at;
	s->base = global_expand(l, s->df->base);
	if (!s->base)
		return -1;
	if (!*s->base)
		return err_set(l->e, ERR_INVALID, 0, "the image of FROM (%s) is empty",
			       s->df->base);
	s->base_stage = lower_find(l, s->base, i);
	s->name = s->df->name           ? s->df->name
		  : l->d->n_stages == 1 ? ""
					: arena_printf(l->arena, "stage-%zu", i);
	if (l->d->n_stages == 1)
		s->name = "";
	if (!s->name)
		return lower_no_memory(l);
	return stage_platform(l, s);
}

int lower_from(struct lowering *l)
{
	if (predefined(l) < 0 || global_arguments(l) < 0 || epoch(l) < 0)
		return -1;
	for (size_t i = 0; i < l->d->n_stages; i++)
		if (stage_from(l, i) < 0)
			return -1;
	return 0;
}
