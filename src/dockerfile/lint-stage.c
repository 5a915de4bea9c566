/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of the stages that the target needs, with the variables as they are there. */
#include "base/mode.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/lint-internal.h"

#include <ctype.h>
#include <strings.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What a stage hands on to one that is built from it. */
struct stage_state {
	struct scope env;
	struct scope declared; /* names of its ARGs */
	bool base_known;       /* else a variable may come from the base image */
	bool workdir, shell;   /* was set in this file */
	bool needed;
};

struct stages {
	struct linter *l;
	const struct scope *global;
	const char *const *bases;
	struct stage_state *v;
};

/* One stage while its instructions are gone through. */
struct walk {
	struct stages *all;
	struct linter *l;
	struct stage_state *s;
	const struct df_instruction *in;
	const struct df_instruction *last[DF_KIND_N]; /* of each kind, in this stage */
};

/* ---- which stages are needed ---- */

/* The stage that NAME means, among the first N; -1 where it is none. The last one of a name. */
static ssize_t find_stage(const struct dockerfile *d, const char *name, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (d->stages[i].name && strcasecmp(d->stages[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

/* The same for --from, which may be a stage's number. */
static ssize_t find_source(const struct dockerfile *d, const char *name)
{
	ssize_t at = find_stage(d, name, d->n_stages);
	size_t n = 0;

	if (at >= 0 || !*name)
		return at;
	for (const char *p = name; *p; p++) {
		if (!isdigit((unsigned char)*p) || n > d->n_stages)
			return -1;
		n = n * 10 + (size_t)(*p - '0');
	}
	return (ssize_t)n;
}

/* "from=" of a --mount; NULL where there is none. */
static const char *mount_from(struct arena *a, const char *mount)
{
	const char **fields = str_split(a, mount, ',', NULL);

	for (; fields && *fields; fields++) {
		const char *from = str_after(*fields, "from=");

		if (from)
			return from;
	}
	return NULL;
}

static int need_source(struct stages *s, size_t i, const char *from)
{
	ssize_t at = from ? find_source(s->l->d, from) : -1;

	if (from && strchr(from, '$'))
		return err_set(
			s->l->e, ERR_INVALID, 0,
			"from=%s: variables are not expanded here; FROM %s AS NAME, and name "
			"that stage",
			from, from);
	if (at < 0)
		return 0;
	if ((size_t)at >= s->l->d->n_stages)
		return err_set(s->l->e, ERR_INVALID, 0, "from=%s: there are %zu stages, from 0",
			       from, s->l->d->n_stages);
	if ((size_t)at >= i)
		return err_set(s->l->e, ERR_INVALID, 0,
			       "from=%s: a stage can use only stages that stand before it", from);
	s->v[at].needed = true;
	return 0;
}

static int need_sources(struct stages *s, size_t i)
{
	const struct dockerfile *d = s->l->d;
	const struct df_instruction *in = &d->instructions[d->stages[i].first];
	const struct df_instruction *end = in + d->stages[i].n;

	for (; in < end; in++) {
		s->l->out->failed_at = in->at;
		if (in->kind == DF_COPY && need_source(s, i, df_flag(in, "from")) < 0)
			return -1;
		for (size_t k = 0; in->kind == DF_RUN && k < in->n_flags; k++)
			if (str_eq(in->flags[k].name, "mount") &&
			    need_source(s, i, mount_from(s->l->arena, in->flags[k].value)) < 0)
				return -1;
	}
	return 0;
}

static int find_needed(struct stages *s)
{
	const struct dockerfile *d = s->l->d;
	const char *target = s->l->o->target;
	ssize_t at = target ? find_source(d, target) : 0;

	s->l->out->failed_at = (struct df_range){0, 0};
	if (at < 0 || (size_t)at >= d->n_stages)
		return err_set(s->l->e, ERR_INVALID, 0, "target stage \"%s\" could not be found",
			       target);
	for (size_t i = 0; i < d->n_stages; i++)
		s->v[i].needed = !target || i == (size_t)at;
	for (size_t i = d->n_stages; i-- > 0;) {
		ssize_t base = find_stage(d, s->bases[i], i);

		if (!s->v[i].needed)
			continue;
		if (base >= 0)
			s->v[base].needed = true;
		if (need_sources(s, i) < 0)
			return -1;
	}
	return 0;
}

/* ---- variables ---- */

static int undefined(struct walk *w, const struct names_seen *seen)
{
	for (size_t i = 0; i < seen->unset.n; i++) {
		const char *name = seen->unset.names[i], *near;

		if (!w->s->base_known || scope_get(&w->s->declared, name))
			continue;
		near = str_nearest(name, w->s->env.names);
		if (lint_warn(w->l, RULE_UNDEFINED_VAR, w->in->at,
			      "The variable '$%s' is used and not defined%s%s%s", name,
			      near ? " (did you mean $" : "", near ? near : "",
			      near ? "?)" : "") < 0)
			return -1;
	}
	return 0;
}

static const char *expand(struct walk *w, const char *text, unsigned flags)
{
	struct names_seen seen;
	struct expander x = lint_expander(w->l, &w->s->env, &seen);
	const char *value;

	x.flags = flags;
	if (flags & EXPAND_NO_QUOTES)
		x.escape = '\\';
	value = expand_word(&x, text, w->l->e);
	return value && undefined(w, &seen) == 0 ? value : NULL;
}

static int expand_all(struct walk *w, const char *const *v)
{
	for (; v && *v; v++)
		if (!expand(w, *v, 0))
			return -1;
	return 0;
}

/* Whether NAME has one of WORDS, or is one, cut at "_". */
static bool has_word(const char *name, const char *const *words)
{
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "_");

		for (size_t i = 0; words[i]; i++)
			if (strlen(words[i]) == n && strncasecmp(p, words[i], n) == 0)
				return true;
		p += n + (p[n] == '_');
	}
	return false;
}

static int no_secret(struct walk *w, const char *name)
{
	static const char *const secret[] = {"apikey", "auth",     "credential", "credentials",
					     "key",    "password", "pword",      "passwd",
					     "secret", "token",    NULL};
	static const char *const harmless[] = {"public", "file", "version", NULL};

	if (!has_word(name, secret) || has_word(name, harmless))
		return 0;
	return lint_warn(w->l, RULE_SECRETS_USED_IN_ARG_OR_ENV, w->in->at,
			 "%s \"%s\" stays readable in the image: use RUN --mount=type=secret",
			 df_kind_name(w->in->kind), name);
}

/* ---- instructions ---- */

static int declare(struct walk *w, const struct df_pair *p)
{
	const char *value = w->l->o->build_args ? strv_env_get(w->l->o->build_args, p->key) : NULL;
	struct scope global = *w->all->global;

	if (no_secret(w, p->key) < 0)
		return -1;
	if (!value && p->value) {
		value = expand(w, p->value, 0);
		if (!value)
			return -1;
	}
	if (!value)
		value = scope_get(&global, p->key);
	if ((value && scope_set(&w->s->env, p->key, value) < 0) ||
	    scope_set(&w->s->declared, p->key, "") < 0)
		return df_no_memory(w->l->e);
	return 0;
}

/* All values are expanded before the first is set. */
static int environment(struct walk *w)
{
	const struct df_instruction *in = w->in;
	const char **v = arena_array(w->l->arena, in->n_pairs * 2, sizeof(*v));

	if (!v)
		return df_no_memory(w->l->e);
	for (size_t i = 0; i < in->n_pairs; i++) {
		v[2 * i] = expand(w, in->pairs[i].key, 0);
		v[2 * i + 1] = v[2 * i] ? expand(w, in->pairs[i].value, 0) : NULL;
		if (!v[2 * i + 1])
			return -1;
	}
	if (in->pairs[0].legacy && lint_warn(w->l, RULE_LEGACY_KEY_VALUE_FORMAT, in->at,
					     "\"%s key=value\" instead of the old \"%s key value\"",
					     in->word, in->word) < 0)
		return -1;
	for (size_t i = 0; in->kind == DF_ENV && i < in->n_pairs; i++) {
		if (no_secret(w, v[2 * i]) < 0)
			return -1;
		if (scope_set(&w->s->env, v[2 * i], v[2 * i + 1]) < 0)
			return df_no_memory(w->l->e);
	}
	return 0;
}

static int ports(struct walk *w)
{
	for (size_t i = 0; i < w->in->n_args; i++) {
		const char *port = expand(w, w->in->args[i], 0), *proto;

		if (!port)
			return -1;
		proto = strchr(port, '/');
		for (const char *p = proto; p && *p; p++)
			if (isupper((unsigned char)*p)) {
				if (lint_warn(w->l, RULE_EXPOSE_PROTO_CASING, w->in->at,
					      "The protocol of '%s' should be in small letters",
					      port) < 0)
					return -1;
				break;
			}
		if (strchr(port, ':') &&
		    lint_warn(w->l, RULE_EXPOSE_INVALID_FORMAT, w->in->at,
			      "EXPOSE names no addresses and no ports of the host: '%s'", port) < 0)
			return -1;
	}
	return 0;
}

static bool is_remote(const char *source)
{
	return strstr(source, "://") || str_after(source, "git@");
}

static int sources(struct walk *w)
{
	const struct df_instruction *in = w->in;
	bool from_context = !df_flag(in, "from") && w->l->o->ignored;

	for (size_t i = 0; i < in->n_args; i++) {
		struct df_heredoc mark;
		const char *path;
		int r = in->json ? 0 : df_heredoc_mark(w->l->arena, in->args[i], &mark, w->l->e);

		if (r < 0)
			return -1;
		path = r ? "" : expand(w, in->args[i], 0);
		if (!path)
			return -1;
		if (r || i + 1 == in->n_args || !from_context || is_remote(path) ||
		    !w->l->o->ignored(w->l->o->arg, path))
			continue;
		if (lint_warn(w->l, RULE_COPY_IGNORED_FILE, in->at,
			      "%s of '%s', which .dockerignore leaves out", df_kind_name(in->kind),
			      path) < 0)
			return -1;
	}
	return 0;
}

static int check_mode(const char *mode, struct err *e)
{
	mode_t any = 0;

	if (!*mode || mode_change(mode, false, &any) == 0)
		return 0;
	return err_set(e, ERR_INVALID, 0,
		       "--chmod=%s: neither an octal number up to 07777 nor as \"u=rwX,go+r\"",
		       mode);
}

static int copy(struct walk *w)
{
	const struct df_instruction *in = w->in;

	for (size_t i = 0; i < in->n_flags; i++) {
		const char *value =
			str_eq(in->flags[i].name, "from") ? "" : expand(w, in->flags[i].value, 0);

		if (!value ||
		    (str_eq(in->flags[i].name, "chmod") && check_mode(value, w->l->e) < 0))
			return -1;
	}
	for (size_t i = 0; i < in->n_heredocs; i++)
		if (in->heredocs[i].expand && !expand(w, in->heredocs[i].content, EXPAND_NO_QUOTES))
			return -1;
	return sources(w);
}

static int mounts(struct walk *w)
{
	for (size_t i = 0; i < w->in->n_flags; i++)
		if (str_eq(w->in->flags[i].name, "mount") && !expand(w, w->in->flags[i].value, 0))
			return -1;
	return 0;
}

static int workdir(struct walk *w)
{
	const char *path = expand(w, w->in->args[0], 0);
	bool first = !w->s->workdir;

	w->s->workdir = true;
	if (!path)
		return -1;
	if (!first || *path == '/')
		return 0;
	return lint_warn(w->l, RULE_WORKDIR_RELATIVE_PATH, w->in->at,
			 "The relative path \"%s\" means another directory when the base image "
			 "changes its own",
			 path);
}

/* CMD, ENTRYPOINT, HEALTHCHECK: the last one of a stage counts. */
static int single(struct walk *w)
{
	const struct df_instruction *in = w->in, *before = w->last[in->kind];

	w->last[in->kind] = in;
	if (before && lint_warn(w->l, RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, before->at,
				"This %s has no effect: another one of the same stage follows",
				before->word) < 0)
		return -1;
	if (in->kind == DF_HEALTHCHECK || in->json || w->s->shell || !in->n_args)
		return 0;
	return lint_warn(w->l, RULE_JSON_ARGS_RECOMMENDED, in->at,
			 "%s in JSON form gets its signals: [\"program\", \"argument\"]", in->word);
}

static int one(struct walk *w)
{
	switch (w->in->kind) {
	case DF_ARG:
		for (size_t i = 0; i < w->in->n_pairs; i++)
			if (declare(w, &w->in->pairs[i]) < 0)
				return -1;
		return 0;
	case DF_ENV:
	case DF_LABEL:
		return environment(w);
	case DF_ADD:
	case DF_COPY:
		return copy(w);
	case DF_RUN:
		return mounts(w);
	case DF_EXPOSE:
		return ports(w);
	case DF_WORKDIR:
		return workdir(w);
	case DF_USER:
	case DF_VOLUME:
	case DF_STOPSIGNAL:
		return expand_all(w, w->in->args);
	case DF_CMD:
	case DF_ENTRYPOINT:
	case DF_HEALTHCHECK:
		return single(w);
	case DF_SHELL:
		w->s->shell = true;
		return 0;
	default:
		return 0;
	}
}

/* What the stage starts with. */
static int begin(struct stages *s, size_t i)
{
	ssize_t base = find_stage(s->l->d, s->bases[i], i);
	struct stage_state *st = &s->v[i];
	const char *const *env;

	st->env = st->declared = (struct scope){.arena = s->l->arena};
	if (base >= 0) {
		st->base_known = s->v[base].base_known;
		st->workdir = s->v[base].workdir;
		st->shell = s->v[base].shell;
		if (scope_copy(&s->v[base].env, &st->env) < 0 ||
		    scope_copy(&s->v[base].declared, &st->declared) < 0)
			return df_no_memory(s->l->e);
		return 0;
	}
	st->base_known = strcasecmp(s->bases[i], "scratch") == 0;
	env = st->base_known ? NULL : s->l->o->base_env(s->l->o->arg, s->bases[i]);
	st->base_known |= env != NULL;
	if (scope_set(&st->env, "PATH", DEFAULT_PATH) < 0 || scope_set_env(&st->env, env) < 0)
		return df_no_memory(s->l->e);
	return 0;
}

static int check_stage(struct stages *s, size_t i)
{
	const struct df_stage *st = &s->l->d->stages[i];
	struct walk w = {.all = s, .l = s->l, .s = &s->v[i]};

	if (begin(s, i) < 0)
		return -1;
	for (size_t k = 0; k < st->n; k++) {
		w.in = &s->l->d->instructions[st->first + k];
		lint_enter(s->l, w.in);
		if (one(&w) < 0)
			return -1;
	}
	return 0;
}

int lint_stages(struct linter *l, const struct scope *global, const char *const *bases)
{
	struct stages s = {.l = l, .global = global, .bases = bases};

	s.v = arena_array(l->arena, l->d->n_stages, sizeof(*s.v));
	if (!s.v)
		return df_no_memory(l->e);
	if (find_needed(&s) < 0)
		return -1;
	for (size_t i = 0; i < l->d->n_stages; i++)
		if (s.v[i].needed && check_stage(&s, i) < 0)
			return -1;
	return 0;
}
