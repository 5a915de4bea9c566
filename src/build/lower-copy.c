/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD: where each source comes from. */
#include "base/mode.h"
#include "base/num.h"
#include "base/str.h"
#include "build/lower-internal.h"
#include "build/url.h"
#include "oci/digest.h"

/* One instruction while it is lowered. */
struct copying {
	struct lowering *l;
	struct lower_stage *s;
	const struct df_instruction *in;
	struct copy_params p;
	struct copy_source *sources;
	size_t inputs[GRAPH_INPUTS_MAX];
	size_t n_inputs;
	const char *said;     /* the sources, as the history has them */
	const char *contents; /* here-documents in it */
	const char *checksum;
	bool unpack_given, unpack;
};

/* The number of the input that is VERTEX. */
static int input_of(struct copying *k, size_t vertex, uint64_t *ret)
{
	for (size_t i = 1; i < k->n_inputs; i++)
		if (k->inputs[i] == vertex) {
			*ret = i;
			return 0;
		}
	if (k->n_inputs == GRAPH_INPUTS_MAX)
		return err_set(k->l->e, ERR_LIMIT, 0, "%s: too many sources",
			       df_kind_name(k->in->kind));
	k->inputs[k->n_inputs] = vertex;
	*ret = k->n_inputs++;
	return 0;
}

static bool is_http(const char *s)
{
	return str_after(s, "http://") || str_after(s, "https://");
}

/* Whether S is a repository: by its scheme, or http with a path that ends with ".git". */
static bool is_git(const char *s)
{
	size_t n = strcspn(s, "#?");

	if (str_after(s, "git://") || str_after(s, "ssh://") || str_after(s, "git@"))
		return true;
	return is_http(s) && n > 4 && memcmp(s + n - 4, ".git", 4) == 0;
}

static int add_vertex(struct copying *k, const struct vertex *what, struct copy_source *src)
{
	struct vertex v = *what;
	size_t at;

	v.line = k->in->at.first;
	if (!v.params || !v.name)
		return k->l->e->class ? -1 : lower_no_memory(k->l);
	if (graph_add(&k->l->out->graph, &v, &at, k->l->e) < 0)
		return -1;
	return input_of(k, at, &src->input);
}

/* URL#REF:FOLDER */
static int git_source(struct copying *k, const char *text, struct copy_source *src)
{
	struct arena *a = k->l->arena;
	const char *fragment = NULL, *subdir = NULL;
	struct git_params p = {.checksum = k->checksum,
			       .keep_git_dir = df_flag_on(k->in, "keep-git-dir")};

	if (!k->p.add)
		return err_set(k->l->e, ERR_INVALID, 0,
			       "COPY %s: ADD takes repositories, COPY does not", text);
	p.url = str_cut(a, text, '#', &fragment);
	p.ref = str_cut(a, fragment ? fragment : "", ':', &subdir);
	if (!p.url || !p.ref)
		return lower_no_memory(k->l);
	p.subdir = subdir ? subdir : "";
	src->path = "/";
	src->no_wildcards = true;
	return add_vertex(
		k,
		&(struct vertex){.type = OP_GIT,
				 .params = git_params_write(&p, a, k->l->e),
				 .name = arena_printf(a, "git %s", url_shown(k->l->arena, text))},
		src);
}

static int http_source(struct copying *k, const char *text, struct copy_source *src)
{
	struct http_params p = {.checksum = k->checksum};
	struct http_aside aside = {.user_password = ""};
	struct vertex v = {.type = OP_HTTP, .no_cache = !*k->checksum};
	struct digest digest;

	if (!k->p.add)
		return err_set(k->l->e, ERR_INVALID, 0, "COPY %s: ADD takes URLs, COPY does not",
			       url_shown(k->l->arena, text));
	if (*k->checksum && digest_parse(k->checksum, &digest, k->l->e) < 0)
		return -1;
	if (url_split(k->l->arena, text, &p.url, &aside.user_password) < 0 ||
	    url_filename(k->l->arena, p.url, &p.filename) < 0)
		return lower_no_memory(k->l);
	src->path = arena_printf(k->l->arena, "/%s", p.filename);
	src->no_wildcards = true;
	src->unpack = k->unpack_given && k->unpack;
	if (!src->path)
		return lower_no_memory(k->l);
	v.name = url_shown(k->l->arena, text);
	v.params = http_params_write(&p, k->l->arena, k->l->e);
	if (*aside.user_password)
		v.aside = http_aside_write(&aside, k->l->arena, k->l->e);
	return *aside.user_password && !v.aside ? -1 : add_vertex(k, &v, src);
}

/* A path, in the context or in what --from names. */
static int path_source(struct copying *k, const char *text, struct copy_source *src)
{
	const char *from = df_flag(k->in, "from");
	size_t vertex;

	if ((from ? lower_source(k->l, from, &vertex) : lower_local(k->l, "context", &vertex)) < 0)
		return -1;
	src->unpack = k->unpack_given ? k->unpack : k->p.add;
	/* "/./" of --parents has a meaning and is left; not so at the start, where it is "here". */
	while (k->p.parents && text[0] == '.' && text[1] == '/')
		text += 2;
	src->path = k->p.parents ? arena_printf(k->l->arena, "%s%s", *text == '/' ? "" : "/", text)
				 : str_path_clean(k->l->arena, text);
	return src->path ? input_of(k, vertex, &src->input) : lower_no_memory(k->l);
}

static int content_source(struct copying *k, const struct df_heredoc *h, struct copy_source *src)
{
	const char *data = h->content;

	if (h->expand)
		data = lower_expand(k->l, k->s, data, EXPAND_NO_QUOTES);
	if (!data)
		return -1;
	src->path = h->name;
	src->data = data;
	k->contents = arena_printf(k->l->arena, "%s <<%s", k->contents, h->name);
	return k->contents ? 0 : lower_no_memory(k->l);
}

static int one_source(struct copying *k, const char *word, struct copy_source *src)
{
	const char *text = lower_expand(k->l, k->s, word, 0);

	if (!text)
		return -1;
	k->said = arena_printf(k->l->arena, "%s %s", k->said, url_shown(k->l->arena, text));
	if (!k->said)
		return lower_no_memory(k->l);
	if (is_git(text))
		return git_source(k, text, src);
	return is_http(text) ? http_source(k, text, src) : path_source(k, text, src);
}

/* Here-documents come last, as BuildKit has them. */
static int all_sources(struct copying *k)
{
	const struct df_instruction *in = k->in;
	bool *content = arena_array(k->l->arena, in->n_args + 1, sizeof(*content));
	size_t n = 0, h = 0;

	k->sources = arena_array(k->l->arena, in->n_args + 1, sizeof(*k->sources));
	if (!k->sources || !content)
		return lower_no_memory(k->l);
	for (size_t i = 0; i + 1 < in->n_args; i++) {
		struct df_heredoc mark;
		int r = in->json ? 0 : df_heredoc_mark(k->l->arena, in->args[i], &mark, k->l->e);

		if (r < 0)
			return -1;
		content[i] = r > 0 && h < in->n_heredocs;
		h += content[i];
		if (!content[i] && one_source(k, in->args[i], &k->sources[n++]) < 0)
			return -1;
	}
	for (size_t i = 0; i < h; i++)
		if (content_source(k, &in->heredocs[i], &k->sources[n++]) < 0)
			return -1;
	k->p.sources = k->sources;
	k->p.n_sources = n;
	return 0;
}

static const char *flag_value(struct copying *k, const char *name)
{
	const char *value = df_flag(k->in, name);

	return value ? lower_expand(k->l, k->s, value, 0) : "";
}

static int check_mode(struct copying *k)
{
	mode_t any = 0;

	if (!*k->p.chmod || mode_change(k->p.chmod, false, &any) == 0)
		return 0;
	return err_set(k->l->e, ERR_INVALID, 0,
		       "--chmod=%s: neither an octal number up to 07777 nor as \"u=rwX,go+r\"",
		       k->p.chmod);
}

static int check_checksum(struct copying *k)
{
	const char *source;

	if (!*k->checksum)
		return 0;
	if (k->in->n_args != 2)
		return err_set(k->l->e, ERR_INVALID, 0, "--checksum is for one source");
	source = lower_expand(k->l, k->s, k->in->args[0], 0);
	if (!source)
		return -1;
	if (!is_http(source) && !is_git(source))
		return err_set(k->l->e, ERR_INVALID, 0,
			       "--checksum is for URLs and repositories, not for '%s'", source);
	return 0;
}

static int read_flags(struct copying *k)
{
	const char **exclude = NULL;
	size_t n = 0;

	k->p.chown = flag_value(k, "chown");
	k->p.chmod = k->p.chown ? flag_value(k, "chmod") : NULL;
	k->checksum = k->p.chmod ? flag_value(k, "checksum") : NULL;
	if (!k->checksum || check_mode(k) < 0 || check_checksum(k) < 0)
		return -1;
	for (size_t i = 0; i < k->in->n_flags; i++) {
		const char *value;

		if (!str_eq(k->in->flags[i].name, "exclude"))
			continue;
		value = lower_expand(k->l, k->s, k->in->flags[i].value, 0);
		if (!value)
			return -1;
		if (arena_strv_push(k->l->arena, &exclude, &n, value) < 0)
			return lower_no_memory(k->l);
	}
	k->p.exclude = exclude;
	k->p.link = df_flag_on(k->in, "link");
	k->p.parents = df_flag_on(k->in, "parents");
	k->unpack_given = df_flag(k->in, "unpack") != NULL;
	k->unpack = df_flag_on(k->in, "unpack");
	return 0;
}

static const char *history_text(const struct copying *k, const char *dest)
{
	return arena_printf(k->l->arena, "%s%s%s%s%s%s%s%s %s # buildkit",
			    k->p.add ? "ADD" : "COPY", k->p.parents ? " --parents" : "",
			    *k->p.chown ? " --chown=" : "", k->p.chown,
			    *k->p.chmod ? " --chmod=" : "", k->p.chmod, k->said, k->contents, dest);
}

int lower_copy(struct lowering *l, struct lower_stage *s, const struct lower_command *c)
{
	struct copying k = {.l = l,
			    .s = s,
			    .in = c->in,
			    .p = {.add = c->in->kind == DF_ADD, .epoch = l->out->epoch},
			    .n_inputs = 1,
			    .said = "",
			    .contents = ""};
	struct vertex v = {.type = OP_COPY, .inputs = k.inputs};
	const char *dest = lower_expand(l, s, c->in->args[c->in->n_args - 1], 0);

	if (!dest || read_flags(&k) < 0 || all_sources(&k) < 0)
		return -1;
	k.p.dest = lower_path(l, s, dest);
	if (!k.p.dest)
		return -1;
	k.inputs[0] = s->vertex;
	v.n_inputs = k.n_inputs;
	v.params = copy_params_write(&k.p, l->arena, l->e);
	if (lower_step(l, s, c, &v) < 0)
		return -1;
	return lower_commit(l, s, history_text(&k, dest), (ssize_t)s->vertex);
}
