/* SPDX-License-Identifier: Apache-2.0 */
/* The target's stage is lowered, and with it every stage that it needs, each once and where it is
 * first needed: a stage that nothing needs never becomes a vertex. Inputs so always come before
 * what uses them, and a cycle shows as a stage that has begun and is not done. */
#include "build/lower-internal.h"

#include "base/num.h"
#include "base/str.h"
#include "oci/reference.h"

#include <errno.h>
#include <strings.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int lower_no_memory(struct lowering *l)
{
	return err_set(l->e, ERR_LIMIT, ENOMEM, "the Dockerfile is too large");
}

/* ---- names ---- */

ssize_t lower_find(const struct lowering *l, const char *name, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (l->d->stages[i].name && strcasecmp(l->d->stages[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

/* --from and --target may be a number too; -2: one that no stage has. */
static ssize_t find_any(const struct lowering *l, const char *name)
{
	ssize_t at = lower_find(l, name, l->d->n_stages);
	uint64_t n;

	if (at >= 0 || num_u64(name, 0, UINT32_MAX, &n) < 0)
		return at;
	return n < l->d->n_stages ? (ssize_t)n : -2;
}

static const char *find_context(const struct lowering *l, const char *name)
{
	if (strcasecmp(name, "scratch") == 0 || strcasecmp(name, "context") == 0)
		return NULL;
	for (size_t i = 0; i < l->o->n_contexts; i++)
		if (strcasecmp(l->o->contexts[i].name, name) == 0)
			return l->o->contexts[i].value;
	return NULL;
}

/* The context that stands for an image's name, which may be given with or without its tag. */
static const char *find_image_context(const struct lowering *l, const char *name)
{
	const char *value = find_context(l, name);
	struct reference want, have;

	if (value || reference_parse_tagged(name, &want, NULL) < 0)
		return value;
	for (size_t i = 0; i < l->o->n_contexts; i++)
		if (reference_parse_tagged(l->o->contexts[i].name, &have, NULL) == 0 &&
		    reference_eq(&want, &have))
			return l->o->contexts[i].value;
	return NULL;
}

/* ---- vertices without inputs ---- */

static int add_source(struct lowering *l, const char *type, const char *params, const char *name,
		      size_t *ret)
{
	struct vertex v = {.type = type, .params = params, .name = name};

	if (!params || !name)
		return l->e->class ? -1 : lower_no_memory(l);
	return graph_add(&l->out->graph, &v, ret, l->e);
}

int lower_local(struct lowering *l, const char *name, size_t *ret)
{
	struct local_params p = {.name = name};

	return add_source(l, OP_LOCAL, local_params_write(&p, l->arena, l->e),
			  str_eq(name, "context")
				  ? "[internal] load build context"
				  : arena_printf(l->arena, "[context %s] load", name),
			  ret);
}

static int add_scratch(struct lowering *l, size_t *ret)
{
	return add_source(l, OP_SCRATCH, "{}", "[internal] scratch", ret);
}

/* NAME: how the step is shown. */
static int add_image(struct lowering *l, const char *ref, const char *platform,
		     struct lower_image *img, size_t *ret)
{
	struct image_params p = {.ref = ref, .id = img->id, .platform = platform};
	char canonical[REFERENCE_TEXT_SIZE];
	struct reference r;
	struct digest chain = DIGEST_NONE;

	if (!img->config.n_diff_ids)
		return add_scratch(l, ret);
	digest_chain(img->config.diff_ids, img->config.n_diff_ids, &chain);
	p.chain = chain.text;
	if (reference_parse_tagged(ref, &r, NULL) == 0)
		ref = reference_text(&r, canonical);
	return add_source(l, OP_IMAGE, image_params_write(&p, l->arena, l->e),
			  arena_printf(l->arena, "FROM %s", ref), ret);
}

/* The image of a --from that is no stage. */
static int source_image(struct lowering *l, const char *ref, size_t *ret)
{
	struct lower_image img = {.config = IMAGE_CONFIG_INIT};
	char platform[PLATFORM_TEXT_SIZE];
	int r;

	if (str_eq(ref, "scratch"))
		return add_scratch(l, ret);
	platform_text(&l->o->platform, platform);
	if (!l->o->resolve)
		return err_set(l->e, ERR_NOT_FOUND, 0, "no image '%s'", ref);
	r = l->o->resolve(l->o->arg, ref, platform, &img, l->e);
	if (r == 0)
		r = add_image(l, ref, platform, &img, ret);
	image_config_done(&img.config);
	return r;
}

int lower_source(struct lowering *l, const char *name, size_t *ret)
{
	ssize_t at;
	const char *context;

	if (strchr(name, '$'))
		return err_set(l->e, ERR_INVALID, 0,
			       "from=%s: variables are not expanded here; FROM %s AS NAME, and "
			       "name that stage",
			       name, name);
	at = find_any(l, name);
	if (at == -2)
		return err_set(l->e, ERR_INVALID, 0, "from=%s: there are %zu stages, from 0", name,
			       l->d->n_stages);
	if (at >= 0) {
		struct df_range here = l->out->failed_at;

		if (lower_stage(l, (size_t)at) < 0)
			return -1;
		l->out->failed_at = here;
		*ret = l->stages[at].vertex;
		return 0;
	}
	context = find_image_context(l, name);
	if (context && str_after(context, "docker-image://"))
		return source_image(l, str_after(context, "docker-image://"), ret);
	if (context)
		return lower_local(l, name, ret);
	return source_image(l, name, ret);
}

/* ---- what a stage starts from ---- */

static int copy_config(struct lowering *l, const struct image_config *from, struct image_config *to)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(IMAGE_CONFIG_SIZE_MAX * 2);

	if (image_config_write(from, &text, l->e) < 0)
		return -1;
	image_config_done(to);
	*to = IMAGE_CONFIG_INIT;
	return image_config_parse(buf_str(&text), text.len, to, l->e);
}

static int start_scratch(struct lowering *l, struct lower_stage *s)
{
	s->config.platform = l->o->platform;
	s->config.run.working_dir = "/";
	s->base_ref = s->base_id = "";
	return add_scratch(l, &s->vertex);
}

static int start_image(struct lowering *l, struct lower_stage *s, const char *ref)
{
	struct lower_image img = {.config = IMAGE_CONFIG_INIT};
	int r;

	if (!l->o->resolve)
		return err_set(l->e, ERR_NOT_FOUND, 0, "no image '%s'", ref);
	r = l->o->resolve(l->o->arg, ref, s->platform, &img, l->e);
	if (r == 0)
		r = add_image(l, ref, s->platform, &img, &s->vertex);
	s->config = img.config; /* its memory is ours from here */
	s->config.created = NULL;
	s->base_ref = arena_strdup(l->arena, ref);
	s->base_id = arena_strdup(l->arena, img.id);
	return r < 0 || (s->base_ref && s->base_id) ? r : lower_no_memory(l);
}

static int start_stage_base(struct lowering *l, struct lower_stage *s)
{
	struct lower_stage *b = &l->stages[s->base_stage];
	struct df_range here = l->out->failed_at;

	if (lower_stage(l, (size_t)s->base_stage) < 0)
		return -1;
	l->out->failed_at = here;
	s->vertex = b->vertex;
	s->platform = b->platform;
	s->base_ref = b->base_ref;
	s->base_id = b->base_id;
	if (copy_config(l, &b->config, &s->config) < 0)
		return -1;
	s->env = s->args = (struct scope){.arena = l->arena};
	if (scope_copy(&b->args, &s->args) < 0 || scope_copy(&b->env, &s->env) < 0)
		return lower_no_memory(l);
	s->history = arena_array(l->arena, b->n_history + 1, sizeof(*s->history));
	if (!s->history)
		return lower_no_memory(l);
	if (b->n_history)
		memcpy(s->history, b->history, b->n_history * sizeof(*s->history));
	s->n_history = s->room_history = b->n_history;
	return 0;
}

/* A context in place of an image: an image, or files. */
static int start_context(struct lowering *l, struct lower_stage *s, const char *value,
			 const char *name)
{
	const char *ref = str_after(value, "docker-image://");

	if (ref)
		return start_image(l, s, ref);
	if (start_scratch(l, s) < 0)
		return -1;
	return err_set(l->e, ERR_UNSUPPORTED, 0,
		       "FROM %s: the context '%s' is no image: COPY --from=%s takes files of it",
		       s->df->base, value, name);
}

static int start_base(struct lowering *l, struct lower_stage *s)
{
	const char *context = s->df->name ? find_context(l, s->df->name) : NULL;

	if (context)
		return start_context(l, s, context, s->df->name);
	if (s->base_stage >= 0)
		return start_stage_base(l, s);
	context = find_image_context(l, s->base);
	if (context)
		return start_context(l, s, context, s->base);
	return str_eq(s->base, "scratch") ? start_scratch(l, s) : start_image(l, s, s->base);
}

/* The environment as RUN and the expansion see it. */
static int start_env(struct lowering *l, struct lower_stage *s)
{
	if (!s->env.arena)
		s->env = s->args = (struct scope){.arena = l->arena};
	if ((!s->config.run.env || !strv_env_get(s->config.run.env, "PATH")) &&
	    image_config_push(&s->config, &s->config.run.env, DEFAULT_PATH, l->e) < 0)
		return -1;
	return scope_set_env(&s->env, s->config.run.env) < 0 ? lower_no_memory(l) : 0;
}

/* ---- triggers ---- */

static int add_trigger(struct lowering *l, struct lower_stage *s, const char *text)
{
	struct dockerfile *d;

	if (l->n_triggers == l->room_triggers)
		return err_set(l->e, ERR_LIMIT, 0, "more than %zu ONBUILD instructions",
			       l->room_triggers);
	d = &l->triggers[l->n_triggers++];
	*d = DOCKERFILE_INIT;
	text = arena_printf(l->arena, "FROM scratch\n%s\n", text);
	if (!text)
		return lower_no_memory(l);
	if (dockerfile_parse(text, strlen(text), d, l->e) < 0)
		return err_wrap(l->e, "ONBUILD of '%s'", s->base);
	if (d->n_stages != 1 || d->stages[0].n != 1)
		return err_set(l->e, ERR_INVALID, 0, "ONBUILD of '%s': not one instruction",
			       s->base);
	s->commands[s->n_commands++] =
		(struct lower_command){&d->instructions[d->stages[0].first], true};
	return 0;
}

/* The base's ONBUILD instructions come first; they are not handed on. */
static int start_commands(struct lowering *l, struct lower_stage *s)
{
	size_t n = strv_len(s->config.run.on_build);

	s->commands = arena_array(l->arena, n + s->df->n + 1, sizeof(*s->commands));
	if (!s->commands)
		return lower_no_memory(l);
	for (size_t i = 0; i < n; i++)
		if (add_trigger(l, s, s->config.run.on_build[i]) < 0)
			return -1;
	s->config.run.on_build = NULL;
	for (size_t i = 0; i < s->df->n; i++)
		s->commands[s->n_commands++] =
			(struct lower_command){&l->d->instructions[s->df->first + i], false};
	s->total = s->base_stage < 0 && !str_eq(s->base, "scratch") ? 1 : 0;
	s->index = s->total;
	for (size_t i = 0; i < s->n_commands; i++) {
		enum df_kind k = s->commands[i].in->kind;

		s->total += k == DF_ADD || k == DF_COPY || k == DF_RUN || k == DF_WORKDIR;
	}
	return 0;
}

/* The image's step gets its number when it is known. */
static int name_base(struct lowering *l, struct lower_stage *s)
{
	struct vertex *v = &l->out->graph.v[s->vertex];

	if (!s->index || !str_after(v->name, "FROM "))
		return 0;
	v->name = arena_printf(l->arena, "[%s%s1/%u] %s", s->name, *s->name ? " " : "", s->total,
			       v->name);
	return v->name ? 0 : lower_no_memory(l);
}

int lower_stage(struct lowering *l, size_t i)
{
	struct lower_stage *s = &l->stages[i];

	if (s->done)
		return 0;
	if (s->begun)
		return err_set(l->e, ERR_INVALID, 0,
			       "circular dependency: the stage '%s' needs "
			       "itself",
			       s->df->name ? s->df->name : s->name);
	s->begun = true;
	l->out->failed_at = s->df->from->at;
	if (start_base(l, s) < 0 || start_commands(l, s) < 0 || name_base(l, s) < 0 ||
	    start_env(l, s) < 0)
		return -1;
	for (size_t k = 0; k < s->n_commands; k++) {
		l->out->failed_at =
			s->commands[k].trigger ? s->df->from->at : s->commands[k].in->at;
		if (lower_command(l, s, &s->commands[k]) < 0)
			return -1;
	}
	s->done = true;
	return 0;
}

/* ---- the whole ---- */

static int find_target(struct lowering *l, size_t *ret)
{
	ssize_t at = l->o->target ? find_any(l, l->o->target) : (ssize_t)l->d->n_stages - 1;
	const char **names = NULL, *near;
	size_t n = 0;

	if (at >= 0) {
		*ret = (size_t)at;
		return 0;
	}
	l->out->failed_at = (struct df_range){0, 0};
	for (size_t i = 0; i < l->d->n_stages; i++)
		if (l->d->stages[i].name &&
		    arena_strv_push(l->arena, &names, &n, l->d->stages[i].name) < 0)
			return lower_no_memory(l);
	near = names ? str_nearest(l->o->target, names) : NULL;
	err_set(l->e, ERR_INVALID, 0, "target stage \"%s\" could not be found", l->o->target);
	return near ? err_hint(l->e, "did you mean %s?", near) : -1;
}

static int finish(struct lowering *l, struct lower_stage *s)
{
	struct lowered *out = l->out;

	for (size_t i = 0; i < l->o->n_labels; i++)
		if (image_run_set_label(&s->config, l->o->labels[i].key, l->o->labels[i].value,
					l->e) < 0)
			return -1;
	out->config = s->config;
	s->config = IMAGE_CONFIG_INIT;
	out->target = s->vertex;
	out->history = s->history;
	out->n_history = s->n_history;
	out->base = s->base_ref ? s->base_ref : "";
	out->base_id = s->base_id ? s->base_id : "";
	out->failed_at = (struct df_range){0, 0};
	return 0;
}

static int run(struct lowering *l)
{
	size_t target;

	if (l->d->n_stages == 0)
		return err_set(l->e, ERR_INVALID, 0, "the Dockerfile has no stage: no FROM");
	l->stages = arena_array(l->arena, l->d->n_stages, sizeof(*l->stages));
	l->room_triggers = 1000;
	l->triggers = arena_array(l->arena, l->room_triggers, sizeof(*l->triggers));
	if (!l->stages || !l->triggers)
		return lower_no_memory(l);
	if (lower_from(l) < 0 || find_target(l, &target) < 0 || lower_stage(l, target) < 0)
		return -1;
	return finish(l, &l->stages[target]);
}

int lower(const struct dockerfile *d, const struct lower_opts *o, struct lowered *ret,
	  struct err *e)
{
	struct err own = ERR_INIT;
	struct lowering l = {
		.d = d, .o = o, .out = ret, .arena = &ret->graph.arena, .e = e ? e : &own};
	int r;

	l.global = (struct scope){.arena = l.arena};
	r = run(&l);
	for (size_t i = 0; l.stages && i < d->n_stages; i++)
		image_config_done(&l.stages[i].config);
	for (size_t i = 0; i < l.n_triggers; i++)
		dockerfile_done(&l.triggers[i]);
	return r;
}

void lowered_done(struct lowered *l)
{
	graph_done(&l->graph);
	image_config_done(&l->config);
}
