/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a vertex is SHA-256 over the compact JSON array
 *
 *	[TYPE, PARAMS, [DIGEST OF INPUT 0, ...]]
 *
 * with PARAMS as the object itself, its keys sorted at every depth. So a vertex's digest stands for
 * everything below it, and two vertices with equal digests are one. */
#include "build/graph.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>

#define GRAPH_VERSION 1

void graph_done(struct graph *g)
{
	arena_done(&g->arena);
	*g = GRAPH_INIT;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "the build graph is too large");
}

/* ---- digests ---- */

static json_t *vertex_key_json(const struct graph *g, const struct vertex *v, json_t *params)
{
	json_t *j = json_array(), *inputs = json_array();
	int r = json_array_append_new(j, json_string(v->type)) | json_array_append(j, params);

	for (size_t i = 0; i < v->n_inputs; i++)
		r |= json_array_append_new(inputs, json_string(g->v[v->inputs[i]].digest.text));
	r |= json_array_append_new(j, inputs);
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* V's parameters in their canonical form (in the graph's arena) and its digest. */
static int vertex_digest(struct graph *g, struct vertex *v, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(GRAPH_SIZE_MAX);
	_cleanup_(json_unref) json_t *key = NULL;
	_cleanup_(json_unref) json_t *params =
		json_parse(v->params, strlen(v->params), "parameters", e);

	if (!params)
		return err_wrap(e, "a vertex of type '%s'", v->type);
	if (!json_is_object(params))
		return err_set(e, ERR_INVALID, 0,
			       "a vertex of type '%s': its parameters are no "
			       "object",
			       v->type);
	key = vertex_key_json(g, v, params);
	if (!key || json_write(params, JSON_SORT_KEYS, &text) < 0)
		return no_memory(e);
	v->params = arena_strdup(&g->arena, buf_str(&text));
	buf_clear(&text);
	if (!v->params || json_write(key, JSON_SORT_KEYS, &text) < 0)
		return no_memory(e);
	digest_of(buf_str(&text), text.len, &v->digest);
	return 0;
}

/* ---- the index by digest: open addressing, twice the room ---- */

static size_t index_hash(const struct digest *d)
{
	size_t h = 0;

	for (size_t i = 0; i < 16; i++)
		h = h * 31 + (unsigned char)d->text[7 + i];
	return h;
}

/* The slot of D: where it is, or where it would go. */
static size_t *index_slot(const struct graph *g, const struct digest *d)
{
	size_t at = index_hash(d) % g->n_index;

	while (g->index[at] && !digest_eq(&g->v[g->index[at] - 1].digest, d))
		at = (at + 1) % g->n_index;
	return &g->index[at];
}

static int graph_grow(struct graph *g, struct err *e)
{
	size_t room = g->room ? g->room * 2 : 32;
	struct vertex *v;

	if (g->n < g->room)
		return 0;
	if (room > GRAPH_VERTICES_MAX * 2)
		return err_set(e, ERR_LIMIT, 0, "more than %zu vertices", GRAPH_VERTICES_MAX);
	v = arena_array(&g->arena, room, sizeof(*v));
	g->index = arena_array(&g->arena, room * 2, sizeof(*g->index));
	if (!v || !g->index)
		return no_memory(e);
	if (g->n)
		memcpy(v, g->v, g->n * sizeof(*v));
	g->v = v;
	g->room = room;
	g->n_index = room * 2;
	for (size_t i = 0; i < g->n; i++)
		*index_slot(g, &g->v[i].digest) = i + 1;
	return 0;
}

/* ---- adding ---- */

static int vertex_check(const struct graph *g, const struct vertex *v, struct err *e)
{
	if (str_empty(v->type))
		return err_set(e, ERR_INVALID, 0, "a vertex without a type");
	if (v->n_inputs > GRAPH_INPUTS_MAX)
		return err_set(e, ERR_LIMIT, 0, "a vertex of type '%s' has more than %zu inputs",
			       v->type, GRAPH_INPUTS_MAX);
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i] >= g->n)
			return err_set(e, ERR_INVALID, 0,
				       "a vertex of type '%s' has an input that is not there",
				       v->type);
	return 0;
}

static const char *copy_str(struct graph *g, const char *s, bool *failed)
{
	const char *copy = arena_strdup(&g->arena, s ? s : "");

	*failed |= !copy;
	return copy;
}

static int vertex_copy(struct graph *g, struct vertex *v, struct err *e)
{
	size_t *inputs = arena_array(&g->arena, v->n_inputs + 1, sizeof(*inputs));
	bool failed = !inputs;

	v->type = copy_str(g, v->type, &failed);
	v->name = copy_str(g, v->name, &failed);
	v->slot = copy_str(g, v->slot, &failed);
	if (v->aside)
		v->aside = copy_str(g, v->aside, &failed);
	if (failed)
		return no_memory(e);
	if (v->n_inputs)
		memcpy(inputs, v->inputs, v->n_inputs * sizeof(*inputs));
	v->inputs = inputs;
	return 0;
}

int graph_add(struct graph *g, const struct vertex *v, size_t *ret, struct err *e)
{
	struct vertex new = *v;
	size_t *slot;

	if (vertex_check(g, v, e) < 0 || vertex_digest(g, &new, e) < 0 || graph_grow(g, e) < 0)
		return -1;
	slot = index_slot(g, &new.digest);
	if (*slot) {
		*ret = *slot - 1;
		g->v[*ret].no_cache |= v->no_cache;
		return 0;
	}
	if (g->n == GRAPH_VERTICES_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %zu vertices", GRAPH_VERTICES_MAX);
	if (vertex_copy(g, &new, e) < 0)
		return -1;
	g->v[g->n] = new;
	*slot = ++g->n;
	*ret = g->n - 1;
	return 0;
}

bool *graph_needed(const struct graph *g, const size_t *targets, size_t n_targets, struct arena *a)
{
	bool *needed = arena_array(a, g->n + 1, sizeof(*needed));

	if (!needed)
		return NULL;
	for (size_t i = 0; i < n_targets; i++)
		needed[targets[i]] = true;
	for (size_t i = g->n; i-- > 0;)
		for (size_t k = 0; needed[i] && k < g->v[i].n_inputs; k++)
			needed[g->v[i].inputs[k]] = true;
	return needed;
}

/* ---- the document ---- */

static json_t *numbers_json(const size_t *v, size_t n)
{
	json_t *j = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= json_array_append_new(j, json_integer((json_int_t)v[i]));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static int set_text(json_t *j, const char *key, const char *value)
{
	return str_empty(value) ? 0 : json_object_set_new(j, key, json_string(value));
}

static json_t *object_json(const char *text)
{
	struct err ignored = ERR_INIT;

	return text ? json_parse(text, strlen(text), "parameters", &ignored) : NULL;
}

static json_t *vertex_json(const struct vertex *v)
{
	json_t *j = json_object();
	int r = set_text(j, "type", v->type);

	r |= json_object_set_new(j, "params", object_json(v->params));
	r |= json_object_set_new(j, "inputs", numbers_json(v->inputs, v->n_inputs));
	r |= set_text(j, "name", v->name) | set_text(j, "slot", v->slot);
	if (v->aside)
		r |= json_object_set_new(j, "aside", object_json(v->aside));
	if (v->line)
		r |= json_object_set_new(j, "line", json_integer(v->line));
	if (v->no_cache)
		r |= json_object_set_new(j, "noCache", json_true());
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

int graph_write(const struct graph *g, const size_t *targets, size_t n_targets, struct buf *out,
		struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_object();
	json_t *v = json_array();
	int r = json_object_set_new(j, "version", json_integer(GRAPH_VERSION));

	r |= json_object_set_new(j, "vertices", v);
	for (size_t i = 0; i < g->n; i++)
		r |= json_array_append_new(v, vertex_json(&g->v[i]));
	r |= json_object_set_new(j, "targets", numbers_json(targets, n_targets));
	if (r < 0 || json_write(j, JSON_SORT_KEYS, out) < 0)
		return no_memory(e);
	return 0;
}

/* ---- reading it ---- */

struct indices {
	const size_t *v;
	size_t n;
};

/* Indices of G's vertices, at most MAX. */
static int read_indices(struct graph *g, const json_t *j, size_t max, struct indices *ret,
			struct err *e)
{
	size_t n = json_array_size(j), *v;

	if (j && !json_is_array(j))
		return err_set(e, ERR_INVALID, 0, "build graph: expected an array of numbers");
	if (n > max)
		return err_set(e, ERR_LIMIT, 0, "build graph: more than %zu numbers", max);
	v = arena_array(&g->arena, n + 1, sizeof(*v));
	if (!v)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		const json_t *number = json_array_get(j, i);
		json_int_t value = json_integer_value(number);

		if (!json_is_integer(number) || value < 0 || (uint64_t)value >= g->n)
			return err_set(e, ERR_INVALID, 0,
				       "build graph: a vertex that is not there");
		v[i] = (size_t)value;
	}
	*ret = (struct indices){v, n};
	return 0;
}

/* An object's text in canonical form. */
static int read_object(struct arena *a, const json_t *j, const char **ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(GRAPH_SIZE_MAX);

	if (!json_is_object(j))
		return err_set(e, ERR_INVALID, 0, "build graph: parameters that are no object");
	if (json_write(j, JSON_SORT_KEYS, &text) < 0)
		return no_memory(e);
	*ret = arena_strdup(a, buf_str(&text));
	return *ret ? 0 : no_memory(e);
}

static int read_vertex(struct graph *g, const struct json_reader *r, struct err *e)
{
	struct vertex v = {.type = ""};
	const json_t *aside = json_object_get(r->obj, "aside");
	struct indices inputs;
	uint64_t line = 0;
	size_t at;

	if (json_read_str(r, "type", &v.type, e) < 0 || json_read_str(r, "name", &v.name, e) < 0 ||
	    json_read_str(r, "slot", &v.slot, e) < 0 ||
	    json_read_u64(r, "line", UINT32_MAX, &line, e) < 0 ||
	    json_read_bool(r, "noCache", &v.no_cache, e) < 0 ||
	    read_object(&g->arena, json_object_get(r->obj, "params"), &v.params, e) < 0 ||
	    (aside && read_object(&g->arena, aside, &v.aside, e) < 0) ||
	    read_indices(g, json_object_get(r->obj, "inputs"), GRAPH_INPUTS_MAX, &inputs, e) < 0)
		return -1;
	v.inputs = inputs.v;
	v.n_inputs = inputs.n;
	v.line = (unsigned)line;
	return graph_add(g, &v, &at, e);
}

static int read_document(const struct json_reader *r, struct graph *g, struct err *e)
{
	uint64_t version = 0;
	size_t n = 0;

	if (json_read_u64(r, "version", UINT32_MAX, &version, e) < 0)
		return -1;
	if (version != GRAPH_VERSION)
		return err_set(e, ERR_UNSUPPORTED, 0, "build graph: version %llu",
			       (unsigned long long)version);
	if (json_read_array(r, "vertices", GRAPH_VERTICES_MAX, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct json_reader v;
		size_t before = g->n;

		if (json_read_elem(r, "vertices", i, &v, e) < 0 || read_vertex(g, &v, e) < 0)
			return -1;
		if (g->n == before)
			return err_set(e, ERR_INVALID, 0, "build graph: the same vertex twice");
	}
	return 0;
}

int graph_parse(const char *data, size_t n, struct graph *ret, const size_t **ret_targets,
		size_t *ret_n_targets, struct err *e)
{
	_cleanup_(json_unref) json_t *j = NULL;
	struct indices targets;
	struct json_reader r;

	if (n > GRAPH_SIZE_MAX)
		return err_set(e, ERR_LIMIT, 0, "a build graph of more than %zu bytes",
			       GRAPH_SIZE_MAX);
	j = json_parse(data, n, "build graph", e);
	if (!j || json_reader_init(&r, j, "build graph", &ret->arena, e) < 0 ||
	    read_document(&r, ret, e) < 0)
		return -1;
	if (read_indices(ret, json_object_get(j, "targets"), GRAPH_VERTICES_MAX, &targets, e) < 0)
		return -1;
	*ret_targets = targets.v;
	*ret_n_targets = targets.n;
	return 0;
}
