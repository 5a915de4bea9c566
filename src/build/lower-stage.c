/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions one by one: what they do to the configuration, and the line of the history that
 * BuildKit writes for them (dockerfile2llb). */
#include "base/num.h"
#include "base/str.h"
#include "build/lower-internal.h"
#include "build/url.h"
#include "kernel/sig.h"

#include <ctype.h>
#include <strings.h>

/* ---- what all share ---- */

const char *lower_expand(struct lowering *l, struct lower_stage *s, const char *text,
			 unsigned flags)
{
	struct expander x = {.arena = l->arena,
			     .escape = flags & EXPAND_NO_QUOTES ? '\\' : l->d->escape,
			     .flags = flags,
			     .get = scope_get,
			     .arg = &s->env};

	return expand_word(&x, text, l->e);
}

int lower_commit(struct lowering *l, struct lower_stage *s, const char *text, ssize_t vertex)
{
	struct lower_history *h;

	if (!text)
		return lower_no_memory(l);
	if (s->n_history == s->room_history) {
		size_t room = s->room_history ? s->room_history * 2 : 16;

		h = arena_array(l->arena, room, sizeof(*h));
		if (!h)
			return lower_no_memory(l);
		if (s->n_history)
			memcpy(h, s->history, s->n_history * sizeof(*h));
		s->history = h;
		s->room_history = room;
	}
	s->history[s->n_history++] =
		(struct lower_history){.h = {.created_by = text,
					     .comment = "buildkit.dockerfile.v0",
					     .empty_layer = vertex < 0},
				       .vertex = vertex};
	return 0;
}

static bool no_cache(const struct lowering *l, const struct lower_stage *s)
{
	if (l->o->no_cache)
		return true;
	for (const char *const *f = l->o->no_cache_filter; f && *f; f++)
		if (s->df->name && strcasecmp(*f, s->df->name) == 0)
			return true;
	return false;
}

/* The instruction as it is shown: its name in capitals, variables that are set replaced. */
static const char *shown(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	struct expander x = {.arena = l->arena,
			     .escape = l->d->escape,
			     .flags = EXPAND_RAW_QUOTES | EXPAND_KEEP_UNSET,
			     .get = scope_get,
			     .arg = &s->env};
	struct err ignored = ERR_INIT;
	const char *text = expand_word(&x, in->text, &ignored);

	text = text ? text : in->text;
	return arena_printf(l->arena, "%s%s", df_kind_name(in->kind), text + strcspn(text, " \t"));
}

int lower_step(struct lowering *l, struct lower_stage *s, const struct lower_command *c,
	       struct vertex *v)
{
	const char *text = shown(l, s, c->in), *stage = *s->name ? s->name : "0";
	int width = 1;
	size_t at;

	for (unsigned n = s->total; n >= 10; n /= 10)
		width++;
	s->index++;
	if (text && (c->in->kind == DF_ADD || c->in->kind == DF_COPY))
		text = url_shown(l->arena, text);
	v->name = arena_printf(l->arena, "[%s%s%*u/%u] %s%s", s->name, *s->name ? " " : "", width,
			       s->index, s->total, c->trigger ? "ONBUILD " : "", text ? text : "");
	v->slot = arena_printf(l->arena, "%s:%s:%u", l->o->project ? l->o->project : "", stage,
			       s->index);
	v->line = c->trigger ? s->df->from->at.first : c->in->at.first;
	v->no_cache = no_cache(l, s);
	if (!v->name || !v->slot || !v->params)
		return l->e->class ? -1 : lower_no_memory(l);
	if (graph_add(&l->out->graph, v, &at, l->e) < 0)
		return -1;
	s->vertex = at;
	return 0;
}

const char **lower_shell(struct lowering *l, struct lower_stage *s, const char *const *args)
{
	static const char *const usual[] = {"/bin/sh", "-c", NULL};
	const char *const *shell = s->config.run.shell && *s->config.run.shell
					   ? (const char *const *)s->config.run.shell
					   : usual;
	const char *text = str_join(l->arena, args, " "), **v = NULL;
	size_t n = 0;

	for (; text && *shell; shell++)
		if (arena_strv_push(l->arena, &v, &n, arena_strdup(l->arena, *shell)) < 0)
			text = NULL;
	if (!text || arena_strv_push(l->arena, &v, &n, text) < 0) {
		lower_no_memory(l);
		return NULL;
	}
	return v;
}

const char *lower_path(struct lowering *l, struct lower_stage *s, const char *path)
{
	const char *dir = s->config.run.working_dir ? s->config.run.working_dir : "/";
	const char *clean;
	size_t n = strlen(path);
	bool folder = !n || path[n - 1] == '/' || str_eq(path, ".") || str_ends(path, "/.");

	if (*path != '/')
		path = arena_printf(l->arena, "%s/%s", dir, path);
	clean = path ? str_path_clean(l->arena, path) : NULL;
	if (clean && folder && clean[1])
		clean = arena_printf(l->arena, "%s/", clean);
	if (!clean)
		lower_no_memory(l);
	return clean;
}

/* ---- text as Go prints it ---- */

/* fmt's %q of a string. */
static int put_quoted(struct buf *out, const char *s)
{
	static const char plain[] = "\a\b\f\n\r\t\v\\\"", letter[] = "abfnrtv\\\"";
	int r = buf_putc(out, '"');

	for (; *s; s++) {
		const char *at = strchr(plain, *s);

		if (at)
			r |= buf_putc(out, '\\') | buf_putc(out, letter[at - plain]);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			r |= buf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			r |= buf_putc(out, *s);
	}
	return r | buf_putc(out, '"');
}

/* "NAME [...]" of a list: %q, or %v. */
static const char *list_text(struct lowering *l, const char *name, const char *const *v,
			     bool quoted)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(DOCKERFILE_SIZE_MAX * 4);
	int r = buf_printf(&out, "%s [", name);

	for (size_t i = 0; v && v[i]; i++) {
		if (i)
			r |= buf_putc(&out, ' ');
		r |= quoted ? put_quoted(&out, v[i]) : buf_puts(&out, v[i]);
	}
	r |= buf_putc(&out, ']');
	return r < 0 ? NULL : arena_strdup(l->arena, buf_str(&out));
}

/* time.Duration's String. */
static int put_duration(struct buf *out, int64_t ns)
{
	int64_t s = ns / (int64_t)NUM_NS_PER_S, rest = ns % (int64_t)NUM_NS_PER_S;
	int64_t unit = (int64_t)NUM_NS_PER_S;
	const char *name = "s";
	char fraction[16];
	int n;

	if (ns > 0 && s == 0) {
		unit = ns >= 1000000 ? 1000000 : ns >= 1000 ? 1000 : 1;
		name = unit == 1000000 ? "ms" : unit == 1000 ? "\xc2\xb5s" : "ns";
		s = ns / unit;
		rest = ns % unit;
	}
	if (s >= 3600)
		(void)buf_printf(out, "%lldh", (long long)(s / 3600));
	if (s >= 60 && unit == (int64_t)NUM_NS_PER_S)
		(void)buf_printf(out, "%lldm", (long long)(s / 60 % 60));
	(void)buf_printf(out, "%lld", (long long)(unit == (int64_t)NUM_NS_PER_S ? s % 60 : s));
	for (n = 0; unit > 1; unit /= 10)
		fraction[n++] = (char)('0' + rest / (unit / 10) % 10);
	while (n && fraction[n - 1] == '0')
		n--;
	return n ? buf_printf(out, ".%.*s%s", n, fraction, name) : buf_puts(out, name);
}

/* ---- ARG ENV LABEL ---- */

static int arg(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char *text = "ARG";

	for (size_t i = 0; i < in->n_pairs; i++) {
		const struct df_pair *p = &in->pairs[i];
		const char *value =
			l->o->build_args ? strv_env_get(l->o->build_args, p->key) : NULL;

		if (!value && p->value) {
			value = lower_expand(l, s, p->value, 0);
			if (!value)
				return -1;
		}
		if (!value)
			value = scope_get(&l->global, p->key);
		text = arena_printf(l->arena, "%s %s%s%s", text, p->key, value ? "=" : "",
				    value ? value : "");
		if (!text || (value && scope_set(&s->env, p->key, value) < 0) ||
		    scope_set(&s->args, p->key, value ? value : "") < 0)
			return lower_no_memory(l);
	}
	return lower_commit(l, s, text, -1);
}

/* All values are expanded before the first is set. */
static int env_or_label(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char **v = arena_array(l->arena, in->n_pairs * 2 + 1, sizeof(*v));
	const char *text = df_kind_name(in->kind);

	if (!v)
		return lower_no_memory(l);
	for (size_t i = 0; i < in->n_pairs; i++) {
		v[2 * i] = lower_expand(l, s, in->pairs[i].key, 0);
		v[2 * i + 1] = v[2 * i] ? lower_expand(l, s, in->pairs[i].value, 0) : NULL;
		if (!v[2 * i + 1])
			return -1;
	}
	for (size_t i = 0; i < in->n_pairs; i++) {
		const char *key = v[2 * i], *value = v[2 * i + 1];

		text = arena_printf(l->arena, "%s %s=%s", text, key, value);
		if (!text || (in->kind == DF_ENV && scope_set(&s->env, key, value) < 0))
			return lower_no_memory(l);
		if ((in->kind == DF_ENV ? image_run_set_env(&s->config, key, value, l->e)
					: image_run_set_label(&s->config, key, value, l->e)) < 0)
			return -1;
	}
	return lower_commit(l, s, text, -1);
}

/* ---- CMD ENTRYPOINT SHELL ---- */

static const char **arguments(struct lowering *l, struct lower_stage *s,
			      const struct df_instruction *in)
{
	const char **v;

	if (!in->json && in->n_args)
		return lower_shell(l, s, in->args);
	v = arena_array(l->arena, in->n_args + 1, sizeof(*v));
	for (size_t i = 0; v && i < in->n_args; i++) {
		v[i] = arena_strdup(l->arena, in->args[i]);
		if (!v[i])
			v = NULL;
	}
	if (!v)
		lower_no_memory(l);
	return v;
}

static int command(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char **v = arguments(l, s, in);

	if (!v)
		return -1;
	if (in->kind == DF_CMD) {
		s->config.run.cmd = v;
		s->config.run.args_escaped = true;
		s->cmd_set = true;
	} else {
		s->config.run.entrypoint = v;
		if (!s->cmd_set)
			s->config.run.cmd = NULL;
	}
	return lower_commit(l, s, list_text(l, df_kind_name(in->kind), v, true), -1);
}

static int shell(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const struct df_instruction exec = {.args = in->args, .n_args = in->n_args, .json = true};
	const char **v = arguments(l, s, &exec);

	if (!v)
		return -1;
	s->config.run.shell = v;
	return lower_commit(l, s, list_text(l, "SHELL", v, false), -1);
}

/* ---- HEALTHCHECK ---- */

static int health_flag(struct lowering *l, const struct df_instruction *in, const char *name,
		       int64_t *ret)
{
	const char *value = df_flag(in, name);

	*ret = 0;
	if (!value || num_duration(value, ret) == 0)
		return 0;
	return err_set(l->e, ERR_INVALID, 0, "HEALTHCHECK --%s=%s: no duration", name, value);
}

/* fmt's %q of a small number, which is a rune to it. */
static int put_rune(struct buf *out, unsigned n)
{
	static const char letter[] = "abtnvfr";

	if (n >= 7 && n <= 13)
		return buf_printf(out, "'\\%c'", letter[n - 7]);
	if (n < 0x20 || n == 0x7f)
		return buf_printf(out, "'\\x%02x'", n);
	if (n < 0x7f)
		return buf_printf(out, "'%s%c'", n == '\'' || n == '\\' ? "\\" : "", (int)n);
	return buf_printf(out, "'\\u%04x'", n);
}

static const char *health_text(struct lowering *l, const struct image_health *h)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(DOCKERFILE_SIZE_MAX * 4);
	const char *test = list_text(l, "", (const char *const *)h->test, true);
	const int64_t times[] = {h->interval, h->timeout, h->start_period, h->start_interval};
	int r = test ? buf_printf(&out, "HEALTHCHECK &{%s", test + 1) : -1;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (i == 3 && !times[i])
			continue;
		r |= buf_puts(&out, " \"") | put_duration(&out, times[i]) | buf_putc(&out, '"');
	}
	r |= buf_putc(&out, ' ') | put_rune(&out, (unsigned)h->retries) | buf_putc(&out, '}');
	return r < 0 ? NULL : arena_strdup(l->arena, buf_str(&out));
}

static int health(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	struct image_health h = {.test = NULL};
	const char *retries = df_flag(in, "retries"), **v = NULL;
	bool none = in->n_args && strcasecmp(in->args[0], "NONE") == 0;
	size_t n = 0;

	if (arena_strv_push(l->arena, &v, &n, none ? "NONE" : in->json ? "CMD" : "CMD-SHELL") < 0)
		return lower_no_memory(l);
	for (size_t i = 1; !none && i < in->n_args; i++) {
		const char *word = arena_strdup(l->arena, in->args[i]);

		if (!word || arena_strv_push(l->arena, &v, &n, word) < 0)
			return lower_no_memory(l);
	}
	h.test = v;
	if (health_flag(l, in, "interval", &h.interval) < 0 ||
	    health_flag(l, in, "timeout", &h.timeout) < 0 ||
	    health_flag(l, in, "start-period", &h.start_period) < 0 ||
	    health_flag(l, in, "start-interval", &h.start_interval) < 0)
		return -1;
	if (retries && num_i64(retries, 0, INT32_MAX, &h.retries) < 0)
		return err_set(l->e, ERR_INVALID, 0, "HEALTHCHECK --retries=%s: no number",
			       retries);
	s->config.run.has_health = true;
	s->config.run.health = h;
	return lower_commit(l, s, health_text(l, &h), -1);
}

/* ---- EXPOSE VOLUME ---- */

/* "8000-8002/udp" as one port each, in V. */
static int port_range(struct lowering *l, const char *spec, const char ***v, size_t *n)
{
	const char *colon = strrchr(spec, ':'), *rest = NULL, *last = NULL, *first;
	char proto[8] = "tcp";
	uint64_t from, to;

	first = str_cut(l->arena, colon ? colon + 1 : spec, '/', &rest);
	for (size_t i = 0; rest && i < sizeof(proto); i++)
		proto[i] = (char)(i + 1 < sizeof(proto) ? tolower((unsigned char)rest[i]) : 0);
	first = first ? str_cut(l->arena, first, '-', &last) : NULL;
	if (!first)
		return lower_no_memory(l);
	if (!str_eq(proto, "tcp") && !str_eq(proto, "udp") && !str_eq(proto, "sctp"))
		return err_set(l->e, ERR_INVALID, 0, "EXPOSE %s: no protocol '%s'", spec, rest);
	if (num_u64(first, 0, 65535, &from) < 0 ||
	    num_u64(last ? last : first, 0, 65535, &to) < 0 || to < from)
		return err_set(l->e, ERR_INVALID, 0, "EXPOSE %s: no port, and no range of ports",
			       spec);
	for (; from <= to; from++) {
		const char *port =
			arena_printf(l->arena, "%llu/%s", (unsigned long long)from, proto);

		if (!port || arena_strv_push(l->arena, v, n, port) < 0)
			return lower_no_memory(l);
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int expose(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(DOCKERFILE_SIZE_MAX);
	const char **v = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < in->n_args; i++) {
		const char *spec = lower_expand(l, s, in->args[i], 0);

		if (!spec || port_range(l, spec, &v, &n) < 0)
			return -1;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_text);
	r = buf_puts(&out, "EXPOSE map[");
	for (size_t i = 0; i < n; i++)
		if (!i || !str_eq(v[i], v[i - 1]))
			r |= buf_printf(&out, "%s%s:{}", i ? " " : "", v[i]);
	r |= buf_putc(&out, ']');
	if (image_config_set_add(&s->config, &s->config.run.exposed_ports, v, n, l->e) < 0)
		return -1;
	return r < 0 ? lower_no_memory(l)
		     : lower_commit(l, s, arena_strdup(l->arena, buf_str(&out)), -1);
}

static int volume(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < in->n_args; i++) {
		const char *path = lower_expand(l, s, in->args[i], 0);

		if (!path)
			return -1;
		if (!*path)
			return err_set(l->e, ERR_INVALID, 0, "VOLUME: an empty path");
		if (arena_strv_push(l->arena, &v, &n, path) < 0)
			return lower_no_memory(l);
	}
	if (image_config_set_add(&s->config, &s->config.run.volumes, v, n, l->e) < 0)
		return -1;
	return lower_commit(l, s, list_text(l, "VOLUME", v, false), -1);
}

/* ---- USER WORKDIR STOPSIGNAL MAINTAINER ONBUILD ---- */

/* The instruction's one string, expanded. */
static const char *single(struct lowering *l, struct lower_stage *s,
			  const struct df_instruction *in)
{
	return lower_expand(l, s, in->n_args ? in->args[0] : "", 0);
}

static int user(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char *name = single(l, s, in);

	if (!name)
		return -1;
	s->config.run.user = name;
	return lower_commit(l, s, arena_printf(l->arena, "USER %s", name), -1);
}

static int workdir(struct lowering *l, struct lower_stage *s, const struct lower_command *c)
{
	const char *path = single(l, s, c->in);
	struct mkdir_params p = {.mode = 0755, .epoch = l->out->epoch};
	struct vertex v = {.type = OP_MKDIR, .inputs = &s->vertex, .n_inputs = 1};
	char *dir;
	size_t n;

	path = path ? lower_path(l, s, path) : NULL;
	dir = path ? arena_strdup(l->arena, path) : NULL;
	if (!dir)
		return l->e->class ? -1 : lower_no_memory(l);
	n = strlen(dir);
	if (n > 1 && dir[n - 1] == '/')
		dir[n - 1] = '\0';
	s->config.run.working_dir = dir;
	if (dir[1]) {
		size_t below = s->vertex;

		p.path = dir;
		p.user = s->config.run.user;
		v.inputs = &below;
		v.params = mkdir_params_write(&p, l->arena, l->e);
		if (lower_step(l, s, c, &v) < 0)
			return -1;
	}
	return lower_commit(l, s, arena_printf(l->arena, "WORKDIR %s", dir),
			    dir[1] ? (ssize_t)s->vertex : -1);
}

static int stop_signal(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char *name = single(l, s, in);

	if (!name)
		return -1;
	if (sig_number(name) <= 0)
		return err_set(l->e, ERR_INVALID, 0, "STOPSIGNAL %s: no such signal", name);
	s->config.run.stop_signal = name;
	return lower_commit(l, s, arena_printf(l->arena, "STOPSIGNAL %s", name), -1);
}

static int maintainer(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	s->config.author = arena_strdup(l->arena, in->n_args ? in->args[0] : "");
	if (!s->config.author)
		return lower_no_memory(l);
	return lower_commit(l, s, arena_printf(l->arena, "MAINTAINER %s", s->config.author), -1);
}

/* The trigger as it is written, without ONBUILD. */
static int onbuild(struct lowering *l, struct lower_stage *s, const struct df_instruction *in)
{
	const char *text = in->trigger ? in->trigger->text : "";

	return image_config_push(&s->config, &s->config.run.on_build, text, l->e);
}

int lower_command(struct lowering *l, struct lower_stage *s, const struct lower_command *c)
{
	switch (c->in->kind) {
	case DF_ARG:
		return arg(l, s, c->in);
	case DF_ENV:
	case DF_LABEL:
		return env_or_label(l, s, c->in);
	case DF_CMD:
	case DF_ENTRYPOINT:
		return command(l, s, c->in);
	case DF_SHELL:
		return shell(l, s, c->in);
	case DF_HEALTHCHECK:
		return health(l, s, c->in);
	case DF_EXPOSE:
		return expose(l, s, c->in);
	case DF_VOLUME:
		return volume(l, s, c->in);
	case DF_USER:
		return user(l, s, c->in);
	case DF_WORKDIR:
		return workdir(l, s, c);
	case DF_STOPSIGNAL:
		return stop_signal(l, s, c->in);
	case DF_MAINTAINER:
		return maintainer(l, s, c->in);
	case DF_ONBUILD:
		return onbuild(l, s, c->in);
	case DF_COPY:
	case DF_ADD:
		return lower_copy(l, s, c);
	case DF_RUN:
		return lower_run(l, s, c);
	default:
		return err_set(l->e, ERR_INVALID, 0, "%s has no place here",
			       df_kind_name(c->in->kind));
	}
}
