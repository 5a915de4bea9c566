/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container-view.h"
#include "cli/output.h"
#include "cli/ps-filter.h"
#include "cli/verbs.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine.h"

#include <string.h>

struct opts {
	bool all, latest, no_trunc, quiet, size;
	int64_t last;
	const char *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct opts init = {.last = -1};
static const struct cli_option options[] = {
	{"all", 'a', CLI_BOOL, O(all), "Show all containers (else those that run)"},
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches", "filter",
	 .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"last", 'n', CLI_INT, O(last), "Show the N containers made last, in every state",
	 .default_text = "-1"},
	{"latest", 'l', CLI_BOOL, O(latest), "Show the container made last, in every state"},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Cut nothing short"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Only print container IDs"},
	{"size", 's', CLI_BOOL, O(size), "Tell what containers take on the disk"},
	{NULL},
};

static const char *const headers[] = {
	"ID",        "CONTAINER ID", "Image",        "IMAGE",         "Command", "COMMAND",
	"CreatedAt", "CREATED AT",   "RunningFor",   "CREATED",       "Status",  "STATUS",
	"State",     "STATE",        "Ports",        "PORTS",         "Names",   "NAMES",
	"Size",      "SIZE",         "Labels",       "LABELS",        "Mounts",  "MOUNTS",
	"Networks",  "NETWORKS",     "LocalVolumes", "LOCAL VOLUMES", NULL};

static json_t *label(const json_t *self, const char *const *args, struct err *e)
{
	json_t *v = json_object_get(json_object_get(self, ".labels"), args[0]);

	return v ? json_incref(v) : json_string("");
}

/* -- the list -------------------------------------------------------------------------------- */

static const char *format_of(struct cli_context *c, const struct opts *o)
{
	static const char plain[] = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t"
				    "{{.Status}}\t{{.Ports}}\t{{.Names}}";

	return o->size ? arena_printf(&c->arena, "%s\t{{.Size}}", plain) : plain;
}

struct lister {
	struct cli_context *c;
	const struct opts *o;
	const struct ps_filter *filter;
	struct listing_run run;
	bool brief;   /* the plain table of all that run, or of all */
	bool size;    /* asked for, or by the format */
	int64_t left; /* containers that may be shown; 0: as many as there are */
};

static bool enough(struct lister *l)
{
	return l->left > 0 && --l->left == 0;
}

/* Without the detour by an object of all columns and a template: there may be many. */
static int show_line(void *arg, const struct container_brief *b, struct err *e)
{
	struct lister *l = arg;
	const char *line = container_line(l->c, b, l->o->no_trunc, l->o->quiet);

	if (!line)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	return listing_put_line(&l->run, line, e) < 0 ? -1 : enough(l);
}

/* Row by row: memory for one, however many there are. */
static int show(void *arg, json_t *container, struct err *e)
{
	struct lister *l = arg;
	_cleanup_(json_unref) json_t *row = NULL;

	if (!ps_filter_match(l->filter, container))
		return 0;
	row = container_row(l->c, container, l->o->no_trunc, e);
	if (!row)
		return -1;
	if (!l->size)
		(void)json_object_set_new(row, "Size", json_string("0B"));
	return listing_put(&l->run, row, e) < 0 ? -1 : enough(l);
}

/* As in Docker, a template that shows the size asks for it; {{json .}} shows all. */
static bool shows_size(const struct lister *l)
{
	const struct template *t = l->run.template;

	return l->o->size || str_eq0(l->o->format, "{{json .}}") ||
	       (t && strv_has(template_fields(t), "Size"));
}

/* As in Docker, a template that cannot be is refused also where no container is there to show. */
static int try_format(struct lister *l, struct err *e)
{
	_cleanup_(json_unref) json_t *row = json_pack("{s:n, s:{}}", "Platform", ".labels");
	_cleanup_(buf_done) struct buf out = BUF_INIT(LISTING_LINE_MAX);
	const struct template_data d = {
		.value = row, .struct_type = l->run.l->struct_type, .methods = l->run.l->methods};

	for (size_t i = 0; headers[i]; i += 2)
		(void)json_object_set_new(row, headers[i], json_string(""));
	if (!l->run.template || str_empty(l->o->format) ||
	    template_execute(l->run.template, &d, &out, e) == 0)
		return 0;
	return err_wrap(e, "failed to execute template");
}

static int list(struct lister *l, const struct listing *how, struct err *e)
{
	const struct opts *o = l->o;
	bool all = o->all || o->latest || o->last > 0 || ps_filter_wants_all(l->filter);
	unsigned flags = all ? CONTAINER_LIST_ALL : 0;
	int r;

	l->brief = !o->size && o->filter.n == 0 && str_empty(o->format);
	l->run = LISTING_RUN_INIT(l->c, how);
	l->left = o->latest ? 1 : MAX(o->last, (int64_t)0);
	r = listing_begin(&l->run, o->format, o->quiet, e);
	l->size = shows_size(l);
	flags |= l->size ? CONTAINER_LIST_SIZE : 0;
	if (r == 0)
		r = try_format(l, e);
	if (r == 0 && l->brief)
		r = container_brief_each(l->c->engine, all, show_line, l, e);
	else if (r == 0)
		r = container_list_each(l->c->engine, flags, show, l, e);
	if (r >= 0)
		listing_end(&l->run);
	listing_run_done(&l->run);
	return r;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	static const struct template_method methods[] = {{"Label", 1, label}, {NULL}};
	static const char *const skip[] = {".labels", NULL};
	const struct opts *o = a->opts;
	const struct listing how = {.struct_type = "*formatter.ContainerContext",
				    .headers = headers,
				    .default_format = format_of(c, o),
				    .quiet_format = "{{.ID}}",
				    .methods = methods,
				    .json_skip = skip};
	_cleanup_(ps_filter_done) struct ps_filter *f = ps_filter_new(c, &o->filter, e);
	struct lister l = {.c = c, .o = o, .filter = f};

	return !f || list(&l, &how, e) < 0;
}

#define PS                                                                                         \
	.usage = "[OPTIONS]", .summary = "List containers",                                        \
	.aliases = "container ls,container list,container ps,ps", .options = options,              \
	.opts_size = sizeof(struct opts), .opts_init = &init, .run = run

const struct cli_command cli_ps = {.name = "ps", .flags = CLI_COMMON, PS};
const struct cli_command cli_container_ls = {.name = "ls", .also = "list,ps", PS};
