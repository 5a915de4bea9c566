/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the checks share. */
#ifndef KOGGE_DOCKERFILE_LINT_INTERNAL_H
#define KOGGE_DOCKERFILE_LINT_INTERNAL_H

#include "dockerfile/expand.h"
#include "dockerfile/lint.h"
#include "dockerfile/scope.h"

/* Which rules are off or, experimental ones, on. */
struct lint_config {
	bool skip_all, experimental_all, is_error;
	bool skip[RULE_N], experimental[RULE_N];
};

struct linter {
	const struct dockerfile *d;
	const struct df_lint_opts *o;
	struct df_lint *out;
	struct arena *arena;
	struct df_warning *warnings;
	size_t n, room;
	struct lint_config config; /* the file's */
	struct lint_config here;   /* with what a comment before the instruction adds */
	struct err *e;
};

/* Adds "skip=A,B;error=true;experimental=all", up to a blank, to C. -1 with E set. */
int lint_config_read(struct arena *a, const char *text, struct lint_config *c, struct err *e);

/* Makes IN the instruction that warnings are about: its comments may switch rules. */
void lint_enter(struct linter *l, const struct df_instruction *in);

/* One warning, unless the rule is off. -1 with E set when out of memory. */
int lint_warn(struct linter *l, enum df_rule rule, struct df_range at, const char *fmt, ...)
	_printf_(4, 5);

/* lint-syntax.c: what the text alone says. */
int lint_syntax(struct linter *l);

/* lint-from.c: global arguments and FROM lines. GLOBAL gets the global arguments' values, BASES the
 * base of each stage, expanded. */
int lint_from(struct linter *l, struct scope *global, const char ***ret_bases);

/* lint-stage.c: the instructions of every stage that the target needs. */
int lint_stages(struct linter *l, const struct scope *global, const char *const *bases);

/* What expanding a word found. */
struct names_seen {
	struct scope *scope;
	struct scope set, unset; /* names; the values are "" */
};

/* An expander over S that remembers in SEEN what it was asked for. */
struct expander lint_expander(struct linter *l, struct scope *s, struct names_seen *seen);

#endif
