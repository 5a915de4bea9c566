/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that need neither variables nor images. */
#include "base/str.h"
#include "dockerfile/lint-internal.h"

#include <ctype.h>
#include <strings.h>

enum word_case { CASE_MIXED, CASE_LOWER, CASE_UPPER };

static enum word_case case_of(const char *s)
{
	bool lower = true, upper = true;

	for (; *s; s++) {
		lower = lower && !isupper((unsigned char)*s);
		upper = upper && !islower((unsigned char)*s);
	}
	return lower ? CASE_LOWER : upper ? CASE_UPPER : CASE_MIXED;
}

static int instruction_case(struct linter *l)
{
	size_t lower = 0, upper = 0;
	enum word_case most;

	for (size_t i = l->d->n_global; i < l->d->n; i++) {
		enum word_case c = case_of(l->d->instructions[i].word);

		lower += c == CASE_LOWER;
		upper += c == CASE_UPPER;
	}
	most = lower > upper ? CASE_LOWER : CASE_UPPER;
	for (size_t i = l->d->n_global; i < l->d->n; i++) {
		const struct df_instruction *in = &l->d->instructions[i];

		lint_enter(l, in);
		if (case_of(in->word) != most &&
		    lint_warn(l, RULE_CONSISTENT_INSTRUCTION_CASING, in->at,
			      "'%s' is not written in %s letters like most instructions here",
			      in->word, most == CASE_LOWER ? "small" : "capital") < 0)
			return -1;
	}
	return 0;
}

static int from_case(struct linter *l, const struct df_instruction *in)
{
	enum word_case from = case_of(in->word);

	if (in->n_args != 3)
		return 0;
	if (case_of(in->args[2]) != CASE_LOWER &&
	    lint_warn(l, RULE_STAGE_NAME_CASING, in->at,
		      "Stage name '%s' should be in small letters", in->args[2]) < 0)
		return -1;
	if (from == CASE_MIXED || case_of(in->args[1]) == from)
		return 0;
	return lint_warn(l, RULE_FROM_AS_CASING, in->at, "'%s' and '%s' are not in the same case",
			 in->args[1], in->word);
}

/* The last comment before an ARG or a named stage is about it, or about nothing. */
static int description(struct linter *l, const struct df_instruction *in, const char *stage)
{
	size_t n = strv_len(in->comments);
	const char *word;

	if (!n || (!stage && !in->n_pairs))
		return 0;
	word = str_cut(l->arena, in->comments[n - 1], ' ', &(const char *){NULL});
	if (!word || str_eq0(word, stage))
		return 0;
	for (size_t i = 0; i < in->n_pairs; i++)
		if (str_eq(word, in->pairs[i].key))
			return 0;
	return lint_warn(l, RULE_INVALID_DEFINITION_DESCRIPTION, in->at,
			 "The comment before %s should be: # %s DESCRIPTION",
			 df_kind_name(in->kind),
			 stage             ? stage
			 : in->n_pairs > 1 ? "ARG_NAME"
					   : in->pairs[0].key);
}

static int stage_names(struct linter *l)
{
	const struct df_stage *s = l->d->stages;

	for (size_t i = 0; i < l->d->n_stages; i++) {
		if (!s[i].name)
			continue;
		lint_enter(l, s[i].from);
		if (description(l, s[i].from, s[i].name) < 0)
			return -1;
		if ((str_eq(s[i].name, "scratch") || str_eq(s[i].name, "context")) &&
		    lint_warn(l, RULE_RESERVED_STAGE_NAME, s[i].from->at,
			      "A stage should not have the reserved name '%s'", s[i].name) < 0)
			return -1;
		for (size_t k = 0; k < i; k++) {
			if (!str_eq0(s[k].name, s[i].name))
				continue;
			if (lint_warn(l, RULE_DUPLICATE_STAGE_NAME, s[i].from->at,
				      "Another stage has the name '%s', too", s[i].name) < 0)
				return -1;
			break;
		}
	}
	return 0;
}

static int one(struct linter *l, const struct df_instruction *in)
{
	lint_enter(l, in);
	if (in->kind == DF_MAINTAINER &&
	    lint_warn(l, RULE_MAINTAINER_DEPRECATED, in->at,
		      "MAINTAINER is deprecated: LABEL org.opencontainers.image.authors=...") < 0)
		return -1;
	if (in->kind == DF_FROM && from_case(l, in) < 0)
		return -1;
	return in->kind == DF_ARG ? description(l, in, NULL) : 0;
}

int lint_syntax(struct linter *l)
{
	for (size_t i = 0; i < l->d->n_empty_continuations; i++)
		if (lint_warn(l, RULE_NO_EMPTY_CONTINUATION, l->d->empty_continuations[i],
			      "Empty continuation line") < 0)
			return -1;
	for (size_t i = 0; i < l->d->n; i++)
		if (one(l, &l->d->instructions[i]) < 0)
			return -1;
	return stage_names(l) < 0 ? -1 : instruction_case(l);
}
