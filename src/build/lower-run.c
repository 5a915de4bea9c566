/* SPDX-License-Identifier: Apache-2.0 */
/* RUN: its command, its mounts, and what it may. */
#include "base/num.h"
#include "base/str.h"
#include "build/lower-internal.h"

#include <strings.h>

/* One instruction while it is lowered. */
struct running {
	struct lowering *l;
	struct lower_stage *s;
	const struct df_instruction *in;
	struct run_params p;
	struct run_mount *mounts;
	size_t inputs[GRAPH_INPUTS_MAX];
	size_t n_inputs;
	unsigned n_ssh; /* mounts of agents so far */
};

/* ---- --mount ---- */

/* The fields of one. */
struct mount_fields {
	struct run_mount m;
	const char *from; /* NULL: not given */
	bool rw, ro;
};

static int mount_flag(struct running *k, const char *key, const char *value, bool *ret)
{
	*ret = true;
	if (!value || num_bool(value, ret) == 0)
		return 0;
	return err_set(k->l->e, ERR_INVALID, 0, "--mount: %s=%s: expecting true or false", key,
		       value);
}

static int mount_number(struct running *k, const char *key, const char *value, uint64_t *ret)
{
	unsigned mode = 0;
	int r = -1;

	if (value && str_eq(key, "mode")) {
		r = num_mode(value, &mode);
		*ret = mode;
	} else if (value && str_eq(key, "size"))
		r = num_size(value, ret);
	else if (value)
		r = num_u64(value, 0, UINT32_MAX - 1, ret);
	return r < 0 ? err_set(k->l->e, ERR_INVALID, 0, "--mount: %s=%s: no valid number", key,
			       value ? value : "")
		     : 0;
}

/* Where the text of KEY goes; NULL where it is none. */
static const char **mount_text(struct mount_fields *f, const char *key)
{
	const struct {
		const char *key;
		const char **at;
	} table[] = {{"type", &f->m.type},          {"from", &f->from},
		     {"source", &f->m.source},      {"src", &f->m.source},
		     {"target", &f->m.target},      {"dst", &f->m.target},
		     {"destination", &f->m.target}, {"id", &f->m.id},
		     {"sharing", &f->m.sharing},    {"env", &f->m.env}};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (str_eq(table[i].key, key))
			return table[i].at;
	return NULL;
}

static int mount_unknown(struct running *k, const char *key)
{
	static const char *const keys[] = {"type",     "from",      "source", "target", "readonly",
					   "ro",       "readwrite", "rw",     "id",     "sharing",
					   "required", "mode",      "uid",    "gid",    "size",
					   "env",      NULL};
	const char *near = str_nearest(key, keys);

	err_set(k->l->e, ERR_INVALID, 0, "--mount: no option '%s'", key);
	return near ? err_hint(k->l->e, "did you mean %s?", near) : -1;
}

static int mount_field(struct running *k, const char *field, struct mount_fields *f)
{
	const char *value = NULL, *key = str_cut(k->l->arena, field, '=', &value);
	const char **text;
	char *lower;

	if (!key)
		return lower_no_memory(k->l);
	lower = (char *)(uintptr_t)key;
	for (; *lower; lower++)
		*lower = *lower >= 'A' && *lower <= 'Z' ? (char)(*lower | 0x20) : *lower;
	text = mount_text(f, key);
	if (text) {
		if (!value)
			return err_set(k->l->e, ERR_INVALID, 0, "--mount: %s needs a value", key);
		*text = value;
		return 0;
	}
	if (str_eq(key, "readonly") || str_eq(key, "ro"))
		return mount_flag(k, key, value, &f->ro);
	if (str_eq(key, "readwrite") || str_eq(key, "rw"))
		return mount_flag(k, key, value, &f->rw);
	if (str_eq(key, "required"))
		return mount_flag(k, key, value, &f->m.required);
	if (str_eq(key, "mode")) {
		f->m.has_mode = true;
		return mount_number(k, key, value, &f->m.mode);
	}
	if (str_eq(key, "uid") || str_eq(key, "gid"))
		return mount_number(k, key, value, *key == 'u' ? &f->m.uid : &f->m.gid);
	if (str_eq(key, "size"))
		return mount_number(k, key, value, &f->m.size);
	return mount_unknown(k, key);
}

static int mount_input(struct running *k, size_t vertex, uint64_t *ret)
{
	if (k->n_inputs == GRAPH_INPUTS_MAX)
		return err_set(k->l->e, ERR_LIMIT, 0, "RUN: too many mounts");
	k->inputs[k->n_inputs] = vertex;
	*ret = k->n_inputs++;
	return 0;
}

/* Bind and cache: what is shown, and where. */
static int mount_files(struct running *k, struct mount_fields *f)
{
	bool cache = str_eq(f->m.type, "cache");
	size_t vertex;

	f->m.readonly = cache ? f->ro : !f->rw;
	if (str_empty(f->m.target))
		return err_set(k->l->e, ERR_INVALID, 0, "--mount=type=%s needs target=", f->m.type);
	if (cache && str_empty(f->m.id))
		f->m.id = str_path_clean(k->l->arena, f->m.target);
	if (cache && f->m.sharing && !str_eq(f->m.sharing, "shared") &&
	    !str_eq(f->m.sharing, "private") && !str_eq(f->m.sharing, "locked"))
		return err_set(k->l->e, ERR_INVALID, 0,
			       "--mount: sharing=%s: shared, private or locked", f->m.sharing);
	if (cache && !f->m.sharing)
		f->m.sharing = "shared";
	if (cache && !f->m.has_mode)
		f->m.mode = 0755;
	f->m.source = str_path_clean(k->l->arena, f->m.source ? f->m.source : "/");
	if (!f->m.source || (cache && !f->m.id))
		return lower_no_memory(k->l);
	if (cache && (!f->from || str_eq(f->from, "scratch")))
		return 0;
	if ((f->from ? lower_source(k->l, f->from, &vertex)
		     : lower_local(k->l, "context", &vertex)) < 0)
		return -1;
	return mount_input(k, vertex, &f->m.input);
}

static int mount_secret(struct running *k, struct mount_fields *f)
{
	const char *slash;

	if (str_empty(f->m.id) && f->m.source)
		f->m.id = f->m.source;
	if (str_empty(f->m.id) && f->m.target) {
		slash = strrchr(f->m.target, '/');
		f->m.id = slash ? slash + 1 : f->m.target;
	}
	if (str_empty(f->m.id))
		return err_set(k->l->e, ERR_INVALID, 0, "--mount=type=secret needs id=");
	if (str_empty(f->m.target) && str_empty(f->m.env))
		f->m.target = arena_printf(k->l->arena, "/run/secrets/%s", f->m.id);
	if (!f->m.has_mode)
		f->m.mode = 0400;
	f->m.source = "";
	return 0;
}

static int mount_ssh(struct running *k, struct mount_fields *f)
{
	f->m.id = str_empty(f->m.id) ? "default" : f->m.id;
	f->m.mode = f->m.has_mode ? f->m.mode : 0600;
	if (str_empty(f->m.target))
		f->m.target = arena_printf(k->l->arena, "/run/buildkit/ssh_agent.%u", k->n_ssh);
	k->n_ssh++;
	return f->m.target ? 0 : lower_no_memory(k->l);
}

static int mount_kind(struct running *k, struct mount_fields *f)
{
	static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh", NULL};
	const char *near;

	if (str_eq(f->m.type, "bind") || str_eq(f->m.type, "cache"))
		return mount_files(k, f);
	if (str_eq(f->m.type, "secret"))
		return mount_secret(k, f);
	if (str_eq(f->m.type, "ssh"))
		return mount_ssh(k, f);
	if (str_eq(f->m.type, "tmpfs") && !str_empty(f->m.target))
		return 0;
	if (str_eq(f->m.type, "tmpfs"))
		return err_set(k->l->e, ERR_INVALID, 0, "--mount=type=tmpfs needs target=");
	near = str_nearest(f->m.type, types);
	err_set(k->l->e, ERR_INVALID, 0, "--mount: no type '%s'", f->m.type);
	return near ? err_hint(k->l->e, "did you mean %s?", near) : -1;
}

static int one_mount(struct running *k, const char *raw, struct run_mount *ret)
{
	struct mount_fields f = {.m = {.type = "bind"}};
	const char *text = lower_expand(k->l, k->s, raw, 0);
	const char **fields = text ? str_split(k->l->arena, text, ',', NULL) : NULL;
	const char **written = str_split(k->l->arena, raw, ',', NULL);

	if (!text)
		return -1;
	if (!fields || !written)
		return lower_no_memory(k->l);
	for (; *fields; fields++)
		if (mount_field(k, *fields, &f) < 0)
			return -1;
	for (; *written; written++)
		if (str_after(*written, "from=") && strchr(*written, '$'))
			f.from = str_after(*written, "from=");
	if (mount_kind(k, &f) < 0)
		return -1;
	if (!str_empty(f.m.target)) {
		f.m.target = lower_path(k->l, k->s, f.m.target);
		if (!f.m.target)
			return -1;
		if (str_eq(f.m.target, "/"))
			return err_set(k->l->e, ERR_INVALID, 0, "--mount: the target is /");
	}
	*ret = f.m;
	return 0;
}

static int all_mounts(struct running *k)
{
	/* One more for a here-document. */
	k->mounts = arena_array(k->l->arena, k->in->n_flags + 1, sizeof(*k->mounts));
	k->p.mounts = k->mounts;
	if (!k->mounts)
		return lower_no_memory(k->l);
	for (size_t i = 0; i < k->in->n_flags; i++)
		if (str_eq(k->in->flags[i].name, "mount") &&
		    one_mount(k, k->in->flags[i].value, &k->mounts[k->p.n_mounts++]) < 0)
			return -1;
	return 0;
}

/* ---- the command ---- */

/* A single here-document that is the whole command: a script of its own where it starts with #!,
 * else the shell's text. Returns the arguments to go on with; *RET_SHELL whether the shell comes
 * in front. */
static const char *single_heredoc(struct running *k)
{
	const struct df_heredoc *h = &k->in->heredocs[0];

	if (!str_after(h->content, "#!"))
		return h->content;
	k->mounts[k->p.n_mounts++] =
		(struct run_mount){.type = "file",
				   .target = arena_printf(k->l->arena, "/dev/pipes/%s", h->name),
				   .data = h->content,
				   .readonly = true,
				   .has_mode = true,
				   .mode = 0755};
	return k->mounts[k->p.n_mounts - 1].target;
}

/* The text that the shell gets, with the here-documents behind it as it wants them. */
static const char *shell_text(struct running *k)
{
	const char *text = k->in->n_args ? k->in->args[0] : "";
	struct df_heredoc mark;
	int r;

	if (!k->in->n_heredocs)
		return text;
	r = df_heredoc_mark(k->l->arena, text, &mark, k->l->e);
	if (r < 0)
		return NULL;
	if (r > 0)
		return single_heredoc(k);
	for (size_t i = 0; text && i < k->in->n_heredocs; i++)
		text = arena_printf(k->l->arena, "%s\n%s%s", text, k->in->heredocs[i].content,
				    k->in->heredocs[i].name);
	return text;
}

static int command(struct running *k)
{
	const char *text, *one[2] = {NULL};

	if (k->in->json || (!k->in->n_args && !k->in->n_heredocs)) {
		k->p.args = k->in->args;
		return 0;
	}
	text = shell_text(k);
	if (!text)
		return k->l->e->class ? -1 : lower_no_memory(k->l);
	one[0] = text;
	k->p.args = lower_shell(k->l, k->s, one);
	return k->p.args ? 0 : -1;
}

/* ---- the rest ---- */

static int environment(struct running *k)
{
	const struct scope *s = &k->s->env;
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const char *value = s->values[i];

		value = arena_printf(k->l->arena, "%s=%s", s->names[i], value ? value : "");
		if (!value || arena_strv_push(k->l->arena, &v, &n, value) < 0)
			return lower_no_memory(k->l);
	}
	k->p.env = v;
	return 0;
}

/* "|2 A=1 B=2 " before the command where ARGs were declared. */
static const char *args_text(struct running *k)
{
	const struct scope *s = &k->s->args;
	const char *text = "";

	for (size_t i = 0; text && i < s->n; i++) {
		const char *value = scope_get(&k->s->env, s->names[i]);

		value = value ? value : s->values[i];
		text = arena_printf(k->l->arena, "%s%s=%s ", text, s->names[i], value ? value : "");
	}
	return text && s->n ? arena_printf(k->l->arena, "|%zu %s", s->n, text) : text;
}

static int one_of(struct running *k, const char *flag, const char *const *values, const char **ret)
{
	const char *value = df_flag(k->in, flag), *near;

	if (!value)
		return 0;
	for (size_t i = 0; values[i]; i++)
		if (str_eq(values[i], value)) {
			*ret = values[i];
			return 0;
		}
	near = str_nearest(value, values);
	err_set(k->l->e, ERR_INVALID, 0, "RUN --%s=%s: no such value", flag, value);
	return near ? err_hint(k->l->e, "did you mean %s?", near) : -1;
}

static int rights(struct running *k)
{
	static const char *const networks[] = {"default", "none", "host", NULL};
	static const char *const modes[] = {"sandbox", "insecure", NULL};
	const struct lower_opts *o = k->l->o;

	k->p.network = o->network ? o->network : "default";
	k->p.security = "sandbox";
	if (one_of(k, "network", networks, &k->p.network) < 0 ||
	    one_of(k, "security", modes, &k->p.security) < 0)
		return -1;
	if (str_eq(k->p.security, "insecure") && !o->allow_insecure)
		return err_set(k->l->e, ERR_DENIED, 0,
			       "RUN --security=insecure is not allowed (build with --allow "
			       "security.insecure)");
	if (str_eq0(df_flag(k->in, "network"), "host") && !o->allow_host &&
	    !str_eq0(o->network, "host"))
		return err_set(
			k->l->e, ERR_DENIED, 0,
			"RUN --network=host is not allowed (build with --allow network.host)");
	return 0;
}

static int devices(struct running *k)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < k->in->n_flags; i++) {
		const char *value;

		if (!str_eq(k->in->flags[i].name, "device"))
			continue;
		value = lower_expand(k->l, k->s, k->in->flags[i].value, 0);
		if (!value)
			return -1;
		if (arena_strv_push(k->l->arena, &v, &n, value) < 0)
			return lower_no_memory(k->l);
	}
	k->p.devices = v;
	return 0;
}

/* Proxies are for the network as it is here and never for the cache. */
static int aside(struct running *k, const char **ret)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "ftp_proxy",
					    "no_proxy",   "all_proxy",   NULL};
	struct run_aside p = {.proxy = NULL};
	const char **v = NULL;
	size_t n = 0;

	*ret = NULL;
	for (const char *const *a = k->l->o->build_args; a && *a; a++) {
		size_t len = strcspn(*a, "=");

		for (size_t i = 0; names[i]; i++)
			if (strlen(names[i]) == len && strncasecmp(names[i], *a, len) == 0 &&
			    arena_strv_push(k->l->arena, &v, &n, *a) < 0)
				return lower_no_memory(k->l);
	}
	if (!n)
		return 0;
	p.proxy = v;
	*ret = run_aside_write(&p, k->l->arena, k->l->e);
	return *ret ? 0 : -1;
}

static void settings(struct running *k)
{
	const struct lower_opts *o = k->l->o;

	k->p.cwd = k->s->config.run.working_dir ? k->s->config.run.working_dir : "/";
	k->p.user = k->s->config.run.user;
	k->p.extra_hosts = o->extra_hosts;
	k->p.hostname = o->hostname;
	k->p.ulimits = o->ulimits;
	k->p.cgroup_parent = o->cgroup_parent;
	k->p.shm_size = o->shm_size;
}

int lower_run(struct lowering *l, struct lower_stage *s, const struct lower_command *c)
{
	struct running k = {
		.l = l, .s = s, .in = c->in, .p = {.epoch = l->out->epoch}, .n_inputs = 1};
	struct vertex v = {.type = OP_RUN, .inputs = k.inputs};
	const char *args, *text;

	settings(&k);
	if (all_mounts(&k) < 0 || command(&k) < 0 || environment(&k) < 0 || rights(&k) < 0 ||
	    devices(&k) < 0 || aside(&k, &v.aside) < 0)
		return -1;
	k.inputs[0] = s->vertex;
	v.n_inputs = k.n_inputs;
	v.params = run_params_write(&k.p, l->arena, l->e);
	if (lower_step(l, s, c, &v) < 0)
		return -1;
	args = args_text(&k);
	text = str_join(l->arena, k.p.args, " ");
	if (!args || !text)
		return lower_no_memory(l);
	return lower_commit(l, s, arena_printf(l->arena, "RUN %s%s # buildkit", args, text),
			    (ssize_t)s->vertex);
}
