/* SPDX-License-Identifier: Apache-2.0 */
/* What containers use, in Docker's table. A figure of CPU time is the difference of two looks, so
 * that the first table comes after FIRST_MS. */
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/container-stats.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_MS = 500, REFRESH_MS = 1000 };

struct opts {
	bool all, no_stream, no_trunc;
	const char *format;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"all", 'a', CLI_BOOL, O(all), "Show all containers (else those that run)"},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"no-stream", 0, CLI_BOOL, O(no_stream), "Print the figures once"},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Cut nothing short"},
	{NULL},
};

static const char *const headers[] = {"Container", "CONTAINER",
				      "ID",        "CONTAINER ID",
				      "Name",      "NAME",
				      "CPUPerc",   "CPU %",
				      "MemPerc",   "MEM %",
				      "NetIO",     "NET I/O",
				      "MemUsage",  "MEM USAGE / LIMIT",
				      "PIDs",      "PIDS",
				      "BlockIO",   "BLOCK I/O",
				      NULL};

/* One container with its last look. */
struct watched {
	const char *title; /* as the user named it, else its ID */
	struct container_figures last;
};

struct watch {
	struct cli_context *c;
	struct engine *en;
	const struct opts *o;
	const char *const *named; /* what to look at; or NULL: everything that runs */
	struct watched *v;
	size_t n, cap;
};

static double percent(double part, double whole)
{
	return whole > 0 ? part / whole * 100 : 0;
}

static const char *both(char out[80], const char *(*show)(double, char[32]), uint64_t a, uint64_t b)
{
	char x[32], y[32];

	(void)snprintf(out, 80, "%s / %s", show((double)a, x), show((double)b, y));
	return out;
}

static json_t *row_of(const struct watched *w, const struct container_figures *f, bool no_trunc)
{
	char cpu[32], mem[32], usage[80], net[80], block[80], pids[24];
	double ran = f->running && w->last.running && f->cpu_ns > w->last.cpu_ns
			     ? (double)(f->cpu_ns - w->last.cpu_ns)
			     : 0;
	size_t n = no_trunc ? strlen(f->id) : 12;

	(void)snprintf(cpu, sizeof(cpu), "%.2f%%", percent(ran, (double)(f->at - w->last.at)));
	(void)snprintf(mem, sizeof(mem), "%.2f%%",
		       percent((double)f->memory, (double)f->memory_limit));
	(void)snprintf(pids, sizeof(pids), "%llu", (unsigned long long)f->pids);
	return json_pack("{s:s%, s:s, s:s, s:s%, s:s, s:s, s:s, s:s, s:s}", "Container",
			 w->title ? w->title : f->id, w->title ? strlen(w->title) : n, "Name",
			 f->name, "CPUPerc", cpu, "ID", f->id, n, "MemUsage",
			 both(usage, num_bytes_size, f->memory, f->memory_limit), "MemPerc", mem,
			 "NetIO", both(net, num_human_size, f->received, f->sent), "BlockIO",
			 both(block, num_human_size, f->read, f->written), "PIDs", pids);
}

static struct watched *find(struct watch *w, const char *id)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->v[i].last.id, id))
			return &w->v[i];
	return NULL;
}

/* What is looked at now, as references; a new vector in the arena. */
static const char *const *list(struct watch *w, struct err *e)
{
	_cleanup_(json_unref) json_t *all = NULL;
	const char **v = NULL;
	size_t n = 0, i;
	json_t *one;

	if (w->named)
		return w->named;
	all = container_list(w->en, w->o->all, false, e);
	if (!all)
		return NULL;
	v = arena_array(&w->c->arena, json_array_size(all) + 1, sizeof(*v));
	json_array_foreach (all, i, one)
		if (v)
			v[n++] = arena_strdup(&w->c->arena,
					      json_string_value(json_object_get(one, "Id")));
	if (!v)
		(void)err_set(e, ERR_LIMIT, 0, "out of memory");
	return (const char *const *)v;
}

/* Looks at REF; its row goes into ROWS where there is one to be shown. */
static int look(struct watch *w, const char *ref, struct watched *now, json_t *rows, struct err *e)
{
	const struct watched *before;
	struct container_figures f;
	json_t *row;

	if (container_figures(w->en, ref, &f, e) < 0)
		return -1;
	before = find(w, f.id);
	*now = before ? *before : (struct watched){.title = w->named ? ref : NULL};
	if (!before)
		now->last = f;
	row = row_of(now, &f, w->o->no_trunc);
	now->last = f;
	if (rows && row && (f.running || w->o->all || w->named))
		(void)json_array_append(rows, row);
	json_decref(row);
	return 0;
}

/* One look at all. A container that is gone meanwhile is left out; STRICT: it is an error. */
static int look_all(struct watch *w, json_t *rows, bool strict, struct err *e)
{
	const char *const *refs = list(w, e);
	struct watched *v;
	size_t n = 0;

	if (!refs)
		return -1;
	v = calloc(strv_len(refs) + 1, sizeof(*v));
	for (size_t i = 0; v && refs[i]; i++) {
		struct err one = ERR_INIT;

		if (look(w, refs[i], &v[n], rows, &one) == 0) {
			n++;
		} else if (strict || one.class != ERR_NOT_FOUND) {
			free(v);
			*e = one;
			return -1;
		}
	}
	free(w->v);
	w->v = v;
	w->n = n;
	return v ? 0 : err_set(e, ERR_LIMIT, 0, "out of memory");
}

static int print(struct watch *w, json_t *rows, struct err *e)
{
	const struct listing l = {
		.struct_type = "*formatter.statsContext",
		.headers = headers,
		.default_format = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
				  "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
		.quiet_format = "{{.ID}}"};

	if (!w->o->no_stream && isatty(w->c->out_fd))
		fputs("\033[2J\033[H", w->c->out);
	return listing_print(w->c, &l, w->o->format, false, rows, e);
}

/* What one table needs lives no longer than it: this may go on for days. */
static int show_once(struct watch *w, struct err *e)
{
	_cleanup_(json_unref) json_t *rows = json_array();
	struct arena whole = w->c->arena;
	int r;

	w->c->arena = ARENA_INIT;
	r = look_all(w, rows, false, e);
	if (r == 0)
		r = print(w, rows, e);
	arena_done(&w->c->arena);
	w->c->arena = whole;
	fflush(w->c->out);
	return r;
}

static int serve(struct watch *w, struct err *e)
{
	int wait = FIRST_MS;

	if (look_all(w, NULL, true, e) < 0)
		return -1;
	do {
		(void)poll(NULL, 0, wait);
		wait = REFRESH_MS;
		if (show_once(w, e) < 0)
			return -1;
	} while (!w->o->no_stream && !ferror(w->c->out) && (!w->named || w->n > 0));
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct watch w = {.c = c, .o = a->opts, .named = a->argc ? a->argv : NULL};
	int r;

	w.en = cli_engine(c, e);
	if (!w.en)
		return 1;
	r = serve(&w, e);
	free(w.v);
	return r < 0;
}

#define STATS                                                                                      \
	.name = "stats", .usage = "[OPTIONS] [CONTAINER...]",                                      \
	.summary = "Show what containers use as they use it", .aliases = "container stats,stats",  \
	.max_args = -1, .options = options, .opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_stats = {STATS};
const struct cli_command cli_container_stats = {STATS};
