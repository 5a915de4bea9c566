/* SPDX-License-Identifier: Apache-2.0 */
/* moby: daemon/list.go. Values of one name are alternatives, except labels, which must all match;
 * all names must match. A name is a regular expression, as for Docker (POSIX's extended ones). */
#include "cli/ps-filter.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/filter.h"
#include "cli/output.h"
#include "engine/engine.h"
#include "store/image-store.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { PATTERNS_MAX = 64 };

/* A port filter: "80", "80/udp", "80-90/tcp". */
struct ports {
	unsigned first, last;
	const char *proto; /* NULL: any of tcp, udp, sctp; Docker takes tcp */
};

struct ps_filter {
	const char *const *status, *const *health, *const *label, *const *network, *const *volume;
	regex_t name[PATTERNS_MAX], id[PATTERNS_MAX];
	size_t n_name, n_id;
	int64_t *exited;
	size_t n_exited;
	const char *const *ancestor;
	const char **image_ids; /* what they are */
	size_t n_ancestor;
	int64_t before, since; /* when those were made; 0: no such filter */
	struct ports *publish, *expose;
	size_t n_publish, n_expose;
	bool tasks_only;
};

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

/* ---- values ---- */

static int compile(regex_t *out, size_t *n, const char *const *values, struct err *e)
{
	for (size_t i = 0; values[i]; i++) {
		if (*n == PATTERNS_MAX)
			return err_set(e, ERR_LIMIT, 0, "more than %d names to filter by",
				       PATTERNS_MAX);
		if (regcomp(&out[*n], values[i], REG_EXTENDED | REG_NOSUB) != 0)
			return err_set(e, ERR_INVALID, 0, "invalid filter: '%s' is no pattern",
				       values[i]);
		(*n)++;
	}
	return 0;
}

static int check_words(const char *const *values, const char *const *allowed, const char *name,
		       struct err *e)
{
	for (size_t i = 0; values[i]; i++)
		if (!strv_has(allowed, values[i]))
			return str_eq(name, "health")
				       ? err_set(e, ERR_INVALID, 0,
						 "unrecognised filter value for health: %s",
						 values[i])
				       : err_set(e, ERR_INVALID, 0, "invalid filter '%s=%s'", name,
						 values[i]);
	return 0;
}

static int read_exited(struct cli_context *c, struct ps_filter *f, const char *const *values,
		       struct err *e)
{
	f->exited = arena_array(&c->arena, strv_len(values) + 1, sizeof(*f->exited));
	if (!f->exited)
		return fail_oom(e);
	for (size_t i = 0; values[i]; i++)
		if (num_i64(values[i], INT32_MIN, INT32_MAX, &f->exited[f->n_exited++]) < 0)
			return err_set(e, ERR_INVALID, 0, "parsing \"%s\": invalid syntax",
				       values[i]);
	return 0;
}

static int read_ports(struct cli_context *c, const char *const *values, struct ports **ret,
		      size_t *ret_n, struct err *e)
{
	*ret = arena_array(&c->arena, strv_len(values) + 1, sizeof(**ret));
	if (!*ret)
		return fail_oom(e);
	for (size_t i = 0; values[i]; i++) {
		const char *proto, *last;
		const char *range = str_cut(&c->arena, values[i], '/', &proto);
		const char *first = range ? str_cut(&c->arena, range, '-', &last) : NULL;
		uint64_t from, to;

		if (!first)
			return fail_oom(e);
		if (num_u64(first, 1, 65535, &from) < 0 ||
		    num_u64(last ? last : first, 1, 65535, &to) < 0 || to < from)
			return err_set(e, ERR_INVALID, 0,
				       "while looking up containers: invalid port '%s'", values[i]);
		(*ret)[(*ret_n)++] = (struct ports){.first = (unsigned)from,
						    .last = (unsigned)to,
						    .proto = proto ? proto : "tcp"};
	}
	return 0;
}

static int read_task(struct ps_filter *f, const char *const *values, struct err *e)
{
	for (size_t i = 0; values[i]; i++) {
		bool on;

		if (num_bool(values[i], &on) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid filter 'is-task=[%s]'",
				       values[i]);
		f->tasks_only = on;
	}
	return 0;
}

/* When the one container was made that VALUES names. */
static int read_created(struct engine *en, const char *const *values, const char *name,
			int64_t *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *all = NULL;
	char id[ID_SIZE];
	json_t *row;
	size_t i;

	if (!values[0])
		return 0;
	if (values[1])
		return err_set(e, ERR_INVALID, 0, "invalid filter '%s': only one may be given",
			       name);
	if (container_resolve(en, values[0], id, e) < 0)
		return -1;
	all = container_list(en, true, false, e);
	json_array_foreach (all, i, row)
		if (str_eq0(json_string_value(json_object_get(row, "Id")), id))
			*ret = json_integer_value(json_object_get(row, "Created"));
	return all ? 0 : -1;
}

/* What is no image matches what a container was made of by that name. */
static int read_ancestors(struct cli_context *c, struct ps_filter *f, struct err *e)
{
	f->n_ancestor = strv_len(f->ancestor);
	f->image_ids = arena_array(&c->arena, f->n_ancestor + 1, sizeof(*f->image_ids));
	if (!f->image_ids)
		return fail_oom(e);
	for (size_t i = 0; i < f->n_ancestor; i++) {
		_cleanup_(image_done) struct image img = IMAGE_INIT;
		struct err ignored = ERR_INIT;

		if (image_resolve(cli_store(c, e), f->ancestor[i], 0, &img, &ignored) == 0)
			f->image_ids[i] = arena_strdup(&c->arena, img.id);
	}
	return 0;
}

/* Never NULL: without memory the arena fails the next step. */
static const char *const *values_of(struct cli_context *c, const struct cli_list *l,
				    const char *name)
{
	static const char *const none[] = {NULL};
	const char *const *v = filter_values(c, l, name);

	return v ? v : none;
}

static int fill(struct cli_context *c, const struct cli_list *l, struct ps_filter *f, struct err *e)
{
	static const char *const states[] = {"created", "restarting", "running", "removing",
					     "paused",  "exited",     "dead",    NULL};
	static const char *const health[] = {"starting", "healthy", "unhealthy", "none", NULL};
	struct engine *en = cli_engine(c, e);

	f->status = values_of(c, l, "status");
	f->health = values_of(c, l, "health");
	f->label = values_of(c, l, "label");
	f->network = values_of(c, l, "network");
	f->volume = values_of(c, l, "volume");
	f->ancestor = values_of(c, l, "ancestor");
	if (!en)
		return -1;
	if (check_words(f->status, states, "status", e) < 0 ||
	    check_words(f->health, health, "health", e) < 0 ||
	    compile(f->name, &f->n_name, values_of(c, l, "name"), e) < 0 ||
	    compile(f->id, &f->n_id, values_of(c, l, "id"), e) < 0 ||
	    read_exited(c, f, values_of(c, l, "exited"), e) < 0 ||
	    read_ports(c, values_of(c, l, "publish"), &f->publish, &f->n_publish, e) < 0 ||
	    read_ports(c, values_of(c, l, "expose"), &f->expose, &f->n_expose, e) < 0 ||
	    read_task(f, values_of(c, l, "is-task"), e) < 0 ||
	    read_created(en, values_of(c, l, "before"), "before", &f->before, e) < 0 ||
	    read_created(en, values_of(c, l, "since"), "since", &f->since, e) < 0)
		return -1;
	return read_ancestors(c, f, e);
}

struct ps_filter *ps_filter_new(struct cli_context *c, const struct cli_list *filters,
				struct err *e)
{
	static const char *const allowed[] = {"ancestor",  "before",  "exited", "id",
					      "isolation", "label",   "name",   "status",
					      "health",    "since",   "volume", "network",
					      "is-task",   "publish", "expose", NULL};
	struct ps_filter *f = arena_alloc(&c->arena, sizeof(*f));

	if (!f) {
		(void)fail_oom(e);
		return NULL;
	}
	if (filter_allow(filters, allowed, e) == 0 && fill(c, filters, f, e) == 0)
		return f;
	ps_filter_done(&f);
	return NULL;
}

void ps_filter_done(struct ps_filter **f)
{
	for (size_t i = 0; *f && i < (*f)->n_name; i++)
		regfree(&(*f)->name[i]);
	for (size_t i = 0; *f && i < (*f)->n_id; i++)
		regfree(&(*f)->id[i]);
	*f = NULL;
}

bool ps_filter_wants_all(const struct ps_filter *f)
{
	return f->status[0] != NULL;
}

/* ---- matching ---- */

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

static bool pattern_matches(const regex_t *v, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (regexec(&v[i], s, 0, NULL, 0) == 0)
			return true;
	return n == 0;
}

/* Docker's names begin with a slash, and match with and without it. */
static bool name_matches(const struct ps_filter *f, const json_t *row)
{
	const char *name = json_string_value(json_array_get(json_object_get(row, "Names"), 0));
	char slashed[160];

	(void)snprintf(slashed, sizeof(slashed), "/%s", name ? name : "");
	return pattern_matches(f->name, f->n_name, slashed + 1) ||
	       pattern_matches(f->name, f->n_name, slashed);
}

static bool exit_matches(const struct ps_filter *f, const json_t *row)
{
	json_int_t code = json_integer_value(json_object_get(row, "ExitCode"));

	if (f->n_exited && !str_eq(text(row, "State"), "exited"))
		return false;
	for (size_t i = 0; i < f->n_exited; i++)
		if (f->exited[i] == code)
			return true;
	return f->n_exited == 0;
}

static bool ancestor_matches(const struct ps_filter *f, const json_t *row)
{
	for (size_t i = 0; i < f->n_ancestor; i++)
		if (str_eq(text(row, "Image"), f->ancestor[i]) ||
		    (f->image_ids[i] && str_eq(text(row, "ImageID"), f->image_ids[i])))
			return true;
	return f->n_ancestor == 0;
}

static bool listed(const char *const *values, const json_t *have)
{
	const char *s = json_string_value(have);
	json_t *one;
	size_t i;

	if (!values[0])
		return true;
	if (s)
		return strv_has(values, s);
	json_array_foreach (have, i, one)
		if (json_string_value(one) && strv_has(values, json_string_value(one)))
			return true;
	return false;
}

/* HAVE: an array of "80/tcp". */
static bool port_matches(const struct ports *want, size_t n, const json_t *have)
{
	json_t *one;
	size_t i;

	json_array_foreach (have, i, one) {
		const char *s = json_string_value(one);
		const char *slash = s ? strchr(s, '/') : NULL;
		char digits[16];
		uint64_t port;

		(void)snprintf(digits, sizeof(digits), "%.*s", slash ? (int)(slash - s) : 0,
			       s ? s : "");
		for (size_t k = 0; num_u64(digits, 1, 65535, &port) == 0 && k < n; k++)
			if (port >= want[k].first && port <= want[k].last &&
			    str_eq(want[k].proto, slash + 1))
				return true;
	}
	return n == 0;
}

static bool times_match(const struct ps_filter *f, const json_t *row)
{
	json_int_t created = json_integer_value(json_object_get(row, "Created"));

	return (!f->before || created < f->before) && (!f->since || created > f->since);
}

bool ps_filter_match(const struct ps_filter *f, const json_t *row)
{
	if (f->status[0] && !strv_has(f->status, text(row, "State")))
		return false;
	if (f->health[0] && !strv_has(f->health, text(row, "Health")))
		return false;
	return !f->tasks_only && pattern_matches(f->id, f->n_id, text(row, "Id")) &&
	       name_matches(f, row) && exit_matches(f, row) && ancestor_matches(f, row) &&
	       times_match(f, row) && filter_has_labels(json_object_get(row, "Labels"), f->label) &&
	       listed(f->network, json_object_get(row, "Networks")) &&
	       (listed(f->volume, json_object_get(row, "Mounts")) ||
		listed(f->volume, json_object_get(row, "Destinations"))) &&
	       port_matches(f->publish, f->n_publish, json_object_get(row, "PublishedPorts")) &&
	       port_matches(f->expose, f->n_expose, json_object_get(row, "ExposedPorts"));
}
