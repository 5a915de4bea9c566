/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction: its name decides in which of a few forms its arguments are read. */
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/text.h"

#include <strings.h>

enum form {
	FORM_WORDS,   /* words */
	FORM_LIST,    /* a JSON array, or words */
	FORM_COMMAND, /* a JSON array, or one string for the shell */
	FORM_STRING,  /* one string */
	FORM_PAIRS,   /* key=value ..., or key value */
	FORM_NAMES,   /* name or name=value ... */
	FORM_HEALTH,  /* CMD or NONE, then as FORM_COMMAND */
	FORM_TRIGGER  /* another instruction */
};

static const enum form forms[] = {
	[DF_ADD] = FORM_LIST,     [DF_ARG] = FORM_NAMES,          [DF_CMD] = FORM_COMMAND,
	[DF_COPY] = FORM_LIST,    [DF_ENTRYPOINT] = FORM_COMMAND, [DF_ENV] = FORM_PAIRS,
	[DF_EXPOSE] = FORM_WORDS, [DF_FROM] = FORM_WORDS,         [DF_HEALTHCHECK] = FORM_HEALTH,
	[DF_LABEL] = FORM_PAIRS,  [DF_MAINTAINER] = FORM_STRING,  [DF_ONBUILD] = FORM_TRIGGER,
	[DF_RUN] = FORM_COMMAND,  [DF_SHELL] = FORM_COMMAND,      [DF_STOPSIGNAL] = FORM_STRING,
	[DF_USER] = FORM_STRING,  [DF_VOLUME] = FORM_LIST,        [DF_WORKDIR] = FORM_STRING,
};

static const char *const names[] = {"ADD",        "ARG",     "CMD",     "COPY",        "ENTRYPOINT",
				    "ENV",        "EXPOSE",  "FROM",    "HEALTHCHECK", "LABEL",
				    "MAINTAINER", "ONBUILD", "RUN",     "SHELL",       "STOPSIGNAL",
				    "USER",       "VOLUME",  "WORKDIR", NULL};

const char *df_kind_name(enum df_kind kind)
{
	return kind < DF_KIND_N ? names[kind] : "";
}

static int find_kind(const char *word, enum df_kind *ret, struct err *e)
{
	char upper[32] = "";
	const char *near;

	for (size_t i = 0; names[i]; i++)
		if (strcasecmp(word, names[i]) == 0) {
			*ret = (enum df_kind)i;
			return 0;
		}
	for (size_t i = 0; word[i] && i + 1 < sizeof(upper); i++)
		upper[i] = word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] & ~0x20) : word[i];
	near = str_nearest(upper, names);
	err_set(e, ERR_INVALID, 0, "unknown instruction: %.64s", word);
	return near ? err_hint(e, "did you mean %s?", near) : -1;
}

/* ---- forms ---- */

static int set_args(struct df_instruction *in, const char **v)
{
	in->args = v;
	in->n_args = strv_len(v);
	return 0;
}

static int one_string(struct arena *a, const char *s, struct df_instruction *in, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	if (*s && arena_strv_push(a, &v, &n, s) < 0)
		return df_no_memory(e);
	v = v ? v : arena_array(a, 1, sizeof(*v));
	return v ? set_args(in, v) : df_no_memory(e);
}

/* A JSON array; else words, or with WHOLE one string. */
static int maybe_json(struct arena *a, const char *s, bool whole, struct df_instruction *in,
		      struct err *e)
{
	const char **v;
	int r = words_json(a, s, &v, e);

	if (r < 0)
		return -1;
	in->json = r > 0;
	if (r == 0 && whole)
		return one_string(a, s, in, e);
	if (r == 0 && words_plain(a, s, &v, e) < 0)
		return -1;
	return set_args(in, v);
}

static int health(struct arena *a, const char *s, struct df_instruction *in, struct err *e)
{
	const char *end = s, **v = NULL;
	struct df_instruction rest = {.kind = DF_CMD};
	size_t n = 0;

	while (*end && !text_space(end))
		end++;
	s = arena_strndup(a, s, (size_t)(end - s));
	if (!s)
		return df_no_memory(e);
	if (!*s)
		return one_string(a, "", in, e);
	if (maybe_json(a, text_skip_space(end), true, &rest, e) < 0)
		return -1;
	in->json = rest.json;
	if (arena_strv_push(a, &v, &n, s) < 0)
		return df_no_memory(e);
	for (size_t i = 0; i < rest.n_args; i++)
		if (arena_strv_push(a, &v, &n, rest.args[i]) < 0)
			return df_no_memory(e);
	return set_args(in, v);
}

static int pair(struct arena *a, const char *word, struct df_pair *ret, struct err *e)
{
	ret->key = str_cut(a, word, '=', &ret->value);
	return ret->key ? 0 : df_no_memory(e);
}

/* "KEY the whole rest is the value": as it was before "=" came. */
static int legacy_pair(struct arena *a, const char *s, struct df_instruction *in, struct err *e)
{
	struct df_pair *p = arena_alloc(a, sizeof(*p));
	const char *end = s;

	while (*end && !text_is_blank(*end))
		end++;
	if (!*end)
		return err_set(e, ERR_INVALID, 0, "%s must have two arguments",
			       df_kind_name(in->kind));
	in->pairs = p;
	in->n_pairs = 1;
	if (!p)
		return df_no_memory(e);
	*p = (struct df_pair){.key = arena_strndup(a, s, (size_t)(end - s)), .legacy = true};
	while (text_is_blank(*end))
		end++;
	p->value = end;
	return p->key ? 0 : df_no_memory(e);
}

/* Pairs; where NAMES is set a name alone will do. */
static int pairs(struct arena *a, const char **words, bool names_too, struct df_instruction *in,
		 struct err *e)
{
	size_t n = strv_len(words);
	struct df_pair *v = arena_array(a, n + 1, sizeof(*v));

	if (!v)
		return df_no_memory(e);
	in->pairs = v;
	in->n_pairs = n;
	for (size_t i = 0; i < n; i++) {
		if (pair(a, words[i], &v[i], e) < 0)
			return -1;
		if (!v[i].value && !names_too)
			return err_set(e, ERR_INVALID, 0,
				       "%s has a word without '=', \"%s\": each must be name=value",
				       df_kind_name(in->kind), words[i]);
		if (!*v[i].key)
			return err_set(e, ERR_INVALID, 0, "%s names can not be blank",
				       df_kind_name(in->kind));
	}
	return 0;
}

static int read_pairs(struct arena *a, char escape, const char *s, struct df_instruction *in,
		      struct err *e)
{
	const char **words;

	if (words_quoted(a, s, escape, &words, e) < 0)
		return -1;
	if (in->kind != DF_ARG && words[0] && !strchr(words[0], '='))
		return legacy_pair(a, s, in, e);
	return pairs(a, words, in->kind == DF_ARG, in, e);
}

static int trigger(struct arena *a, char escape, const char *s, struct df_instruction *in,
		   struct err *e)
{
	struct df_instruction *t;

	if (!*s)
		return 0;
	t = arena_alloc(a, sizeof(*t));
	if (!t)
		return df_no_memory(e);
	if (instruction_parse(a, escape, s, t, e) < 0)
		return -1;
	in->trigger = t;
	return 0;
}

static int arguments(struct arena *a, char escape, const char *s, struct df_instruction *in,
		     struct err *e)
{
	const char **v;

	switch (forms[in->kind]) {
	case FORM_WORDS:
		return words_plain(a, s, &v, e) < 0 ? -1 : set_args(in, v);
	case FORM_LIST:
		return maybe_json(a, s, false, in, e);
	case FORM_COMMAND:
		return maybe_json(a, s, true, in, e);
	case FORM_PAIRS:
	case FORM_NAMES:
		return read_pairs(a, escape, s, in, e);
	case FORM_HEALTH:
		return health(a, s, in, e);
	case FORM_TRIGGER:
		return trigger(a, escape, s, in, e);
	default:
		return one_string(a, s, in, e);
	}
}

int instruction_parse(struct arena *a, char escape, const char *text, struct df_instruction *ret,
		      struct err *e)
{
	const char **flags, *rest, *end;

	*ret = (struct df_instruction){.text = words_trim(a, text)};
	if (!ret->text)
		return df_no_memory(e);
	for (end = ret->text; *end && !text_is_blank(*end);)
		end++;
	ret->word = arena_strndup(a, ret->text, (size_t)(end - ret->text));
	if (!ret->word)
		return df_no_memory(e);
	if (find_kind(ret->word, &ret->kind, e) < 0 ||
	    words_flags(a, end, escape, &flags, &rest, e) < 0 ||
	    arguments(a, escape, rest, ret, e) < 0)
		return -1;
	return instruction_check(a, ret, flags, e);
}
