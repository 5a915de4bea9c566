/* SPDX-License-Identifier: Apache-2.0 */
/* `search`: Docker Hub by its search, other registries by their catalog. */
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/pull.h"
#include "cli/verbs.h"

#include <string.h>

enum { TEXT_MAX = 45, LIMIT_MAX = 100 };

struct opts {
	bool no_trunc;
	int64_t limit;
	const char *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches (e.g. \"stars=3\")", "filter",
	 .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"limit", 0, CLI_INT, O(limit), "How many results at most"},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Do not shorten descriptions"},
	{NULL},
};

static const char *const headers[] = {"Name",        "NAME",      "Description", "DESCRIPTION",
				      "StarCount",   "STARS",     "IsOfficial",  "OFFICIAL",
				      "IsAutomated", "AUTOMATED", NULL};

/* What is looked for, and what was found. */
struct search {
	struct cli_context *c;
	const struct opts *o;
	int official, automated; /* -1: any */
	uint64_t stars;          /* at least */
	json_t *rows;
};

static int read_bool(const struct search *s, const char *name, int *ret, struct err *e)
{
	const char *const *v = filter_values(s->c, &s->o->filter, name);
	bool on;

	*ret = -1;
	if (!v)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (!v[0])
		return 0;
	if (num_bool(v[0], &on) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid filter '%s=[%s]'", name, v[0]);
	*ret = on;
	return 0;
}

static int read_filters(struct search *s, struct err *e)
{
	static const char *const allowed[] = {"is-automated", "is-official", "stars", NULL};
	const char *const *stars = filter_values(s->c, &s->o->filter, "stars");

	if (!stars)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (filter_allow(&s->o->filter, allowed, e) < 0 ||
	    read_bool(s, "is-official", &s->official, e) < 0 ||
	    read_bool(s, "is-automated", &s->automated, e) < 0)
		return -1;
	for (; *stars; stars++) {
		uint64_t n;

		if (num_u64(*stars, 0, UINT64_MAX, &n) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid filter 'stars=[%s]'", *stars);
		s->stars = n > s->stars ? n : s->stars;
	}
	return 0;
}

/* What registries say is printed as far as it is printable. */
static char *printable(struct cli_context *c, const char *text)
{
	char *copy = arena_strdup(&c->arena, text);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return copy;
}

/* One result; J has what Docker Hub says of it, or is NULL. */
static int add(struct search *s, const char *name, const json_t *j, struct err *e)
{
	const char *said = json_string_value(json_object_get(j, "description"));
	const char *text = printable(s->c, said ? said : "");
	int64_t stars = json_integer_value(json_object_get(j, "star_count"));
	bool official = json_is_true(json_object_get(j, "is_official"));
	bool automated = json_is_true(json_object_get(j, "is_automated"));
	json_t *row;

	if ((s->official >= 0 && s->official != official) ||
	    (s->automated >= 0 && s->automated != automated) || stars < 0 ||
	    (uint64_t)stars < s->stars)
		return 0;
	if (text && !s->o->no_trunc)
		text = text_cut(&s->c->arena, text, TEXT_MAX);
	row = json_pack("{s:s, s:s?, s:o, s:s, s:s}", "Name", name, "Description", text,
			"StarCount", json_sprintf("%lld", (long long)stars), "IsOfficial",
			official ? "[OK]" : "", "IsAutomated", automated ? "[OK]" : "");
	return json_array_append_new(s->rows, row) < 0 ? err_set(e, ERR_LIMIT, 0, "out of memory")
						       : 0;
}

static bool is_name(const char *s)
{
	struct reference r;

	return s && reference_parse(s, &r, NULL) == 0;
}

static int search_hub(struct search *s, struct remote *r, const char *term, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	json_t *row;
	size_t i;

	if (remote_search(r, term, (int)s->o->limit, &doc, e) < 0)
		return -1;
	j = json_parse(doc.data, doc.n, "what the search found", e);
	if (!j)
		return -1;
	json_array_foreach (json_object_get(j, "results"), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (is_name(name) && add(s, name, row, e) < 0)
			return -1;
	}
	return 0;
}

static int search_catalog(struct search *s, struct remote *r, const struct reference *ref,
			  struct err *e)
{
	struct arena *a = &s->c->arena;
	const char **names = NULL;

	if (remote_catalog(r, a, &names, e) < 0)
		return e->class == ERR_NOT_FOUND || e->class == ERR_DENIED
			       ? err_wrap(e, "%s offers no search, nor its catalog", ref->domain)
			       : -1;
	for (; names && *names && json_array_size(s->rows) < (size_t)s->o->limit; names++) {
		const char *name = arena_printf(a, "%s/%s", ref->domain, *names);

		if (strstr(*names, ref->path) && is_name(*names) && name &&
		    add(s, name, NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* Docker Hub has a search of its own; other registries a catalog. */
static int look(struct search *s, const char *term, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	struct reference ref;
	bool hub;

	if (reference_parse(term, &ref, e) < 0)
		return -1;
	hub = str_eq(ref.domain, "docker.io");
	if (hub)
		snprintf(ref.domain, sizeof(ref.domain), "index.docker.io");
	if (registry_open_bare(s->c, &ref, &r, e) < 0)
		return -1;
	return hub ? search_hub(s, &r, term, e) : search_catalog(s, &r, &ref, e);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(json_unref) json_t *rows = json_array();
	struct search s = {.c = c, .o = o, .rows = rows};
	const struct listing list = {
		.struct_type = "*formatter.searchContext",
		.headers = headers,
		.default_format = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"};

	if (o->limit < 1 || o->limit > LIMIT_MAX)
		return err_set(e, ERR_INVALID, 0, "Limit %lld is outside the range of [1, %d]",
			       (long long)o->limit, LIMIT_MAX),
		       1;
	return read_filters(&s, e) < 0 || look(&s, a->argv[0], e) < 0 ||
	       listing_print(c, &list, o->format, false, rows, e) < 0;
}

static const struct opts defaults = {.limit = 25};

const struct cli_command cli_search = {.name = "search",
				       .usage = "[OPTIONS] TERM",
				       .summary = "Search Docker Hub, or a registry's catalog "
						  "(HOST/TERM), for images",
				       .min_args = 1,
				       .max_args = 1,
				       .options = options,
				       .opts_size = sizeof(struct opts),
				       .opts_init = &defaults,
				       .run = run};
