/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/lint.h"

#include "base/num.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/lint-internal.h"

#include <stdarg.h>

static const struct df_rule_info rules[] = {
	[RULE_NO_EMPTY_CONTINUATION] =
		{"NoEmptyContinuation",
		 "An instruction that goes on over several lines has no empty "
		 "line in it",
		 "no-empty-continuation"},
	[RULE_STAGE_NAME_CASING] = {"StageNameCasing", "Stages have names in small letters",
				    "stage-name-casing"},
	[RULE_FROM_AS_CASING] = {"FromAsCasing", "FROM and AS are written in the same case",
				 "from-as-casing"},
	[RULE_CONSISTENT_INSTRUCTION_CASING] = {"ConsistentInstructionCasing",
						"All instructions are written in the same case",
						"consistent-instruction-casing"},
	[RULE_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", "No two stages have the same name",
				       "duplicate-stage-name"},
	[RULE_RESERVED_STAGE_NAME] =
		{"ReservedStageName",
		 "\"scratch\" and \"context\" mean something else than a stage",
		 "reserved-stage-name"},
	[RULE_JSON_ARGS_RECOMMENDED] = {"JSONArgsRecommended",
					"CMD and ENTRYPOINT in JSON form: a shell in between does "
					"not hand signals on",
					"json-args-recommended"},
	[RULE_MAINTAINER_DEPRECATED] = {"MaintainerDeprecated",
					"A label names the author, not MAINTAINER",
					"maintainer-deprecated"},
	[RULE_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom",
					"FROM uses arguments that an ARG before it declares",
					"undefined-arg-in-from"},
	[RULE_WORKDIR_RELATIVE_PATH] =
		{"WorkdirRelativePath",
		 "The first WORKDIR is absolute, so that it does not depend on "
		 "the base image",
		 "workdir-relative-path"},
	[RULE_UNDEFINED_VAR] = {"UndefinedVar", "Variables are defined before they are used",
				"undefined-var"},
	[RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED] = {"MultipleInstructionsDisallowed",
						   "Of several CMD, ENTRYPOINT or HEALTHCHECK in a "
						   "stage only the last one counts",
						   "multiple-instructions-disallowed"},
	[RULE_LEGACY_KEY_VALUE_FORMAT] = {"LegacyKeyValueFormat",
					  "name=value, not the old form with a blank",
					  "legacy-key-value-format"},
	[RULE_REDUNDANT_TARGET_PLATFORM] = {"RedundantTargetPlatform",
					    "$TARGETPLATFORM is what FROM uses anyway",
					    "redundant-target-platform"},
	[RULE_SECRETS_USED_IN_ARG_OR_ENV] = {"SecretsUsedInArgOrEnv",
					     "Arguments and variables stay readable in the image: "
					     "secrets are mounted instead",
					     "secrets-used-in-arg-or-env"},
	[RULE_INVALID_DEFAULT_ARG_IN_FROM] =
		{"InvalidDefaultArgInFrom",
		 "The defaults of the arguments alone give FROM a valid "
		 "image name",
		 "invalid-default-arg-in-from"},
	[RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED] =
		{"FromPlatformFlagConstDisallowed",
		 "FROM --platform does not name one platform for "
		 "all builds",
		 "from-platform-flag-const-disallowed"},
	[RULE_COPY_IGNORED_FILE] = {"CopyIgnoredFile",
				    "What .dockerignore leaves out cannot be copied",
				    "copy-ignored-file"},
	[RULE_INVALID_DEFINITION_DESCRIPTION] = {"InvalidDefinitionDescription",
						 "A comment right before an argument or a stage "
						 "describes it: # NAME DESCRIPTION",
						 "invalid-definition-description", true},
	[RULE_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing",
				      "EXPOSE writes the protocol in small letters",
				      "expose-proto-casing"},
	[RULE_EXPOSE_INVALID_FORMAT] = {"ExposeInvalidFormat",
					"EXPOSE names ports of the container only",
					"expose-invalid-format"},
};

const struct df_rule_info *df_rule_info(enum df_rule rule)
{
	return rule < RULE_N ? &rules[rule] : NULL;
}

/* ---- which rules hold ---- */

static void set_rules(struct arena *a, const char *list, bool *all, bool set[RULE_N])
{
	const char **names = str_split(a, list, ',', NULL);

	*all |= str_eq(list, "all");
	for (; names && *names; names++) {
		const char *name = words_trim(a, *names);

		for (size_t i = 0; name && i < RULE_N; i++)
			set[i] |= str_eq(name, rules[i].name);
	}
}

int lint_config_read(struct arena *a, const char *text, struct lint_config *c, struct err *e)
{
	const char *comment, *options = str_cut(a, text, ' ', &comment);
	const char **parts = options ? str_split(a, options, ';', NULL) : NULL;

	if (!parts)
		return df_no_memory(e);
	for (; *parts; parts++) {
		const char *value, *key = str_cut(a, *parts, '=', &value);

		key = key ? words_trim(a, key) : NULL;
		value = value ? words_trim(a, value) : NULL;
		if (key && !*key && !value)
			continue;
		if (!key || !value)
			return err_set(e, ERR_INVALID, 0, "check=%s: '%s' is not key=value", text,
				       *parts);
		if (str_eq(key, "skip"))
			set_rules(a, value, &c->skip_all, c->skip);
		else if (str_eq(key, "experimental"))
			set_rules(a, value, &c->experimental_all, c->experimental);
		else if (!str_eq(key, "error") || num_bool(value, &c->is_error) < 0)
			return err_set(e, ERR_INVALID, 0,
				       "check=%s: '%s' is none of skip=RULES, error=true and "
				       "experimental=RULES",
				       text, *parts);
	}
	return 0;
}

void lint_enter(struct linter *l, const struct df_instruction *in)
{
	l->here = l->config;
	l->out->failed_at = in->at;
	for (size_t i = 0; in->comments && in->comments[i]; i++) {
		const char *text = str_after(in->comments[i], "check=");
		struct lint_config more = l->config;

		if (text && lint_config_read(l->arena, text, &more, NULL) == 0) {
			l->here = more;
			return;
		}
	}
}

static bool is_on(const struct lint_config *c, enum df_rule rule)
{
	if (rules[rule].experimental)
		return c->experimental_all || c->experimental[rule];
	return !c->skip_all && !c->skip[rule];
}

int lint_warn(struct linter *l, enum df_rule rule, struct df_range at, const char *fmt, ...)
{
	struct df_warning *w;
	va_list ap;

	if (!is_on(&l->here, rule))
		return 0;
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 16;

		w = arena_array(l->arena, room, sizeof(*w));
		if (!w)
			return df_no_memory(l->e);
		if (l->n)
			memcpy(w, l->warnings, l->n * sizeof(*w));
		l->warnings = w;
		l->room = room;
	}
	w = &l->warnings[l->n];
	va_start(ap, fmt);
	*w = (struct df_warning){rule, arena_vprintf(l->arena, fmt, ap), at};
	va_end(ap);
	if (!w->message)
		return df_no_memory(l->e);
	l->n++;
	return 0;
}

/* ---- variables ---- */

static const char *get_and_note(void *arg, const char *name)
{
	struct names_seen *seen = arg;
	const char *value = scope_get(seen->scope, name);

	(void)scope_set(value ? &seen->set : &seen->unset, name, "");
	return value;
}

struct expander lint_expander(struct linter *l, struct scope *s, struct names_seen *seen)
{
	*seen = (struct names_seen){
		.scope = s, .set = {.arena = l->arena}, .unset = {.arena = l->arena}};
	return (struct expander){
		.arena = l->arena, .escape = l->d->escape, .get = get_and_note, .arg = seen};
}

/* ---- all of it ---- */

static int by_line(const void *a, const void *b)
{
	const struct df_warning *x = a, *y = b;

	if (x->at.first != y->at.first)
		return x->at.first < y->at.first ? -1 : 1;
	return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : strcmp(x->message, y->message);
}

static int configure(struct linter *l)
{
	const char *given = NULL;

	if (l->o->build_args)
		given = strv_env_get(l->o->build_args, "BUILDKIT_DOCKERFILE_CHECK");
	given = given ? given : l->d->check;
	if (given && lint_config_read(l->arena, given, &l->config, l->e) < 0)
		return -1;
	l->here = l->config;
	return 0;
}

int df_lint_run(const struct dockerfile *d, const struct df_lint_opts *o, struct df_lint *ret,
		struct err *e)
{
	struct linter l = {.d = d, .o = o, .out = ret, .arena = &ret->arena, .e = e};
	struct scope global = {.arena = &ret->arena};
	const char **bases;

	*ret = DF_LINT_INIT;
	ret->arena.max = (size_t)512 << 20;
	if (configure(&l) < 0 || lint_syntax(&l) < 0 || lint_from(&l, &global, &bases) < 0 ||
	    lint_stages(&l, &global, bases) < 0)
		return -1;
	if (l.n)
		qsort(l.warnings, l.n, sizeof(*l.warnings), by_line);
	ret->warnings = l.warnings;
	ret->n = l.n;
	ret->is_error = l.config.is_error;
	return 0;
}

void df_lint_done(struct df_lint *l)
{
	arena_done(&l->arena);
	*l = DF_LINT_INIT;
}
