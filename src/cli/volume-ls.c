/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/volume.h"

#include <regex.h>
#include <string.h>

struct opts {
	bool quiet, cluster;
	const char *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"cluster", 0, CLI_BOOL, O(cluster), "Show cluster volumes (there are none)",
	 .flags = CLI_HIDDEN},
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches (e.g. \"dangling=true\")",
	 "filter", .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Only print names"},
	{NULL},
};

static const char *const headers[] = {
	"Name",         "VOLUME NAME", "Driver",     "DRIVER", "Scope",  "SCOPE",  "Availability",
	"AVAILABILITY", "Mountpoint",  "MOUNTPOINT", "Links",  "LINKS",  "Size",   "SIZE",
	"Labels",       "LABELS",      "Group",      "GROUP",  "Status", "STATUS", NULL};

struct filters {
	int dangling; /* -1: any */
	const char *const *driver, *const *label, *const *name;
};

static int read_filters(struct cli_context *c, const struct cli_list *l, struct filters *ret,
			struct err *e)
{
	static const char *const allowed[] = {"dangling", "driver", "label", "name", NULL};
	const char *const *dangling;
	bool on;

	if (filter_allow(l, allowed, e) < 0)
		return -1;
	dangling = filter_values(c, l, "dangling");
	ret->driver = filter_values(c, l, "driver");
	ret->label = filter_values(c, l, "label");
	ret->name = filter_values(c, l, "name");
	if (!dangling || !ret->driver || !ret->label || !ret->name)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	ret->dangling = -1;
	if (!dangling[0])
		return 0;
	if (num_bool(dangling[0], &on) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid filter 'dangling=[%s]'", dangling[0]);
	ret->dangling = on;
	return 0;
}

/* A name is a regular expression, as for Docker. */
static bool name_matches(const char *name, const char *const *patterns)
{
	for (size_t i = 0; patterns[i]; i++) {
		regex_t re;
		bool found;

		if (str_eq(name, patterns[i]))
			return true;
		if (regcomp(&re, patterns[i], REG_EXTENDED | REG_NOSUB) != 0)
			continue;
		found = regexec(&re, name, 0, NULL, 0) == 0;
		regfree(&re);
		if (found)
			return true;
	}
	return !patterns[0];
}

static bool matches(const struct filters *f, const json_t *v)
{
	const char *driver = json_string_value(json_object_get(v, "Driver"));
	bool dangling = json_integer_value(json_object_get(v, "Links")) == 0;

	return (f->dangling < 0 || f->dangling == dangling) &&
	       (!f->driver[0] || strv_has(f->driver, driver)) &&
	       filter_has_labels(json_object_get(v, "Labels"), f->label) &&
	       name_matches(json_string_value(json_object_get(v, "Name")), f->name);
}

static int compare_rows(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return str_natural_cmp(json_string_value(json_object_get(*x, "Name")),
			       json_string_value(json_object_get(*y, "Name")));
}

/* ROWS in the order of names; the references move. */
static json_t *sorted(struct cli_context *c, const json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **v = arena_array(&c->arena, n + 1, sizeof(*v));
	json_t *out = json_array();

	for (size_t i = 0; v && i < n; i++)
		v[i] = json_array_get(rows, i);
	if (v)
		qsort(v, n, sizeof(*v), compare_rows);
	for (size_t i = 0; v && i < n; i++)
		(void)json_array_append(out, v[i]);
	return out;
}

static const char *joined_labels(struct cli_context *c, const json_t *labels)
{
	const char *out = "", *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)labels, key, value)
		out = arena_printf(&c->arena, "%s%s%s=%s", out ? out : "", out && *out ? "," : "",
				   key, json_string_value(value));
	return out;
}

static json_t *row(struct cli_context *c, const json_t *v)
{
	return json_pack("{s:s, s:O, s:s, s:s, s:s, s:O, s:O, s:s, s:s, s:s, s:O}", "Availability",
			 "N/A", "Driver", json_object_get(v, "Driver"), "Group", "N/A", "Labels",
			 joined_labels(c, json_object_get(v, "Labels")), "Links", "N/A",
			 "Mountpoint", json_object_get(v, "Mountpoint"), "Name",
			 json_object_get(v, "Name"), "Scope", "local", "Size", "N/A", "Status",
			 "N/A", ".labels", json_object_get(v, "Labels"));
}

static json_t *label(const json_t *self, const char *const *args, struct err *e)
{
	json_t *v = json_object_get(json_object_get(self, ".labels"), args[0]);

	return v ? json_incref(v) : json_string("");
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	static const struct template_method methods[] = {{"Label", 1, label}, {NULL}};
	static const char *const skip[] = {".labels", NULL};
	const struct opts *o = a->opts;
	const struct listing list = {.struct_type = "*formatter.volumeContext",
				     .headers = headers,
				     .default_format = "{{.Driver}}\t{{.Name}}",
				     .quiet_format = "{{.Name}}",
				     .methods = methods,
				     .json_skip = skip};
	_cleanup_(json_unref) json_t *rows = json_array(), *in_order = NULL;
	_cleanup_(json_unref) json_t *volumes = NULL;
	struct filters f;
	struct engine *en;
	json_t *v;
	size_t i;

	if (read_filters(c, &o->filter, &f, e) < 0)
		return 1;
	en = o->cluster ? NULL : cli_engine(c, e);
	volumes = o->cluster ? json_array() : en ? volume_list(en, false, e) : NULL;
	json_array_foreach (volumes, i, v)
		if (matches(&f, v))
			(void)json_array_append_new(rows, row(c, v));
	in_order = sorted(c, rows);
	return !volumes || listing_print(c, &list, o->format, o->quiet, in_order, e) < 0;
}

const struct cli_command cli_volume_ls = {.name = "ls",
					  .also = "list",
					  .usage = "[OPTIONS]",
					  .summary = "List volumes",
					  .aliases = "volume ls,volume list",
					  .options = options,
					  .opts_size = sizeof(struct opts),
					  .run = run};
