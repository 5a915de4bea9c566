/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/image-view.h"
#include "engine/engine.h"
#include "engine/network.h"

#include <string.h>

enum { ID_SHORT = 12 };

struct opts {
	bool quiet, no_trunc;
	const char *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches (e.g. \"driver=bridge\")",
	 "filter", .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Cut nothing short"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Only print IDs"},
	{NULL},
};

static const char *const headers[] = {"ID",     "NETWORK ID", "Name",       "NAME",     "Driver",
				      "DRIVER", "Scope",      "SCOPE",      "IPv4",     "IPV4",
				      "IPv6",   "IPV6",       "Internal",   "INTERNAL", "Labels",
				      "LABELS", "CreatedAt",  "CREATED AT", NULL};

struct filters {
	int dangling; /* -1: any */
	const char *const *driver, *const *id, *const *label, *const *name, *const *scope,
										    *const *type;
};

static int read_filters(struct cli_context *c, const struct cli_list *l, struct filters *ret,
			struct err *e)
{
	static const char *const allowed[] = {"dangling", "driver", "id",   "label",
					      "name",     "scope",  "type", NULL};
	const char *const *dangling = filter_values(c, l, "dangling");
	bool on;

	if (filter_allow(l, allowed, e) < 0)
		return -1;
	ret->driver = filter_values(c, l, "driver");
	ret->id = filter_values(c, l, "id");
	ret->label = filter_values(c, l, "label");
	ret->name = filter_values(c, l, "name");
	ret->scope = filter_values(c, l, "scope");
	ret->type = filter_values(c, l, "type");
	if (!dangling || !ret->driver || !ret->id || !ret->label || !ret->name || !ret->scope ||
	    !ret->type)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; ret->type[i]; i++)
		if (!str_eq(ret->type[i], "custom") && !str_eq(ret->type[i], "builtin"))
			return err_set(e, ERR_INVALID, 0, "invalid filter: 'type'='%s'",
				       ret->type[i]);
	ret->dangling = -1;
	if (!dangling[0])
		return 0;
	if (num_bool(dangling[0], &on) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid filter 'dangling=[%s]'", dangling[0]);
	ret->dangling = on;
	return 0;
}

/* Docker's match of names and IDs: a part is enough. */
static bool has_part(const char *s, const char *const *parts)
{
	for (size_t i = 0; parts[i]; i++)
		if (strstr(s, parts[i]))
			return true;
	return !parts[0];
}

static bool one_of(const char *s, const char *const *words)
{
	return !words[0] || strv_has(words, s);
}

static const char *text(const json_t *n, const char *key)
{
	const char *s = json_string_value(json_object_get(n, key));

	return s ? s : "";
}

static bool matches(const struct filters *f, const json_t *n)
{
	static const char *const three[] = {"bridge", "host", "none", NULL};
	bool builtin = strv_has(three, text(n, "Name"));
	bool dangling = !builtin && !json_is_true(json_object_get(n, "InUse"));

	return (f->dangling < 0 || f->dangling == dangling) &&
	       one_of(text(n, "Driver"), f->driver) && one_of(text(n, "Scope"), f->scope) &&
	       one_of(builtin ? "builtin" : "custom", f->type) && has_part(text(n, "Id"), f->id) &&
	       has_part(text(n, "Name"), f->name) &&
	       filter_has_labels(json_object_get(n, "Labels"), f->label);
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

static const char *word(const json_t *n, const char *key)
{
	return json_is_true(json_object_get(n, key)) ? "true" : "false";
}

static json_t *row(struct cli_context *c, const json_t *n, bool no_trunc)
{
	const char *id = text(n, "Id");
	char at[64];

	return json_pack(
		"{s:s, s:s%, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "Driver", text(n, "Driver"),
		"ID", id, no_trunc ? strlen(id) : MIN(strlen(id), (size_t)ID_SHORT), "IPv4",
		word(n, "EnableIPv4"), "IPv6", word(n, "EnableIPv6"), "Internal",
		word(n, "Internal"), "Labels", joined_labels(c, json_object_get(n, "Labels")),
		"Name", text(n, "Name"), "Scope", text(n, "Scope"), "CreatedAt",
		time_show_at(json_integer_value(json_object_get(n, "CreatedNano")), at), ".labels",
		json_object_get(n, "Labels"));
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
	const struct listing list = {.struct_type = "*formatter.networkContext",
				     .headers = headers,
				     .default_format =
					     "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
				     .quiet_format = "{{.ID}}",
				     .methods = methods,
				     .json_skip = skip};
	_cleanup_(json_unref) json_t *rows = json_array();
	_cleanup_(json_unref) json_t *networks = NULL;
	struct filters f;
	struct engine *en;
	json_t *n;
	size_t i;

	if (read_filters(c, &o->filter, &f, e) < 0)
		return 1;
	en = cli_engine(c, e);
	networks = en ? network_list(en, e) : NULL;
	json_array_foreach (networks, i, n)
		if (matches(&f, n))
			(void)json_array_append_new(rows, row(c, n, o->no_trunc));
	return !networks || listing_print(c, &list, o->format, o->quiet, rows, e) < 0;
}

const struct cli_command cli_network_ls = {.name = "ls",
					   .also = "list",
					   .usage = "[OPTIONS]",
					   .summary = "List networks",
					   .aliases = "network ls,network list",
					   .options = options,
					   .opts_size = sizeof(struct opts),
					   .run = run};
