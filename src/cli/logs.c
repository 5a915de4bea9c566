/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/container-logs.h"

#include <errno.h>
#include <time.h>

enum { OUTPUT_BUFFER = 64 * 1024 };

struct opts {
	bool details, follow, timestamps;
	const char *since, *until, *tail;
};

#define O(field) offsetof(struct opts, field)

static const struct opts init = {.tail = "all"};
static const struct cli_option options[] = {
	{"details", 0, CLI_BOOL, O(details), "Show the extra attributes that were logged"},
	{"follow", 'f', CLI_BOOL, O(follow), "Go on until the container ends"},
	{"since", 0, CLI_STRING, O(since),
	 "Only what came after this: a time, or how long ago (\"42m\")"},
	{"tail", 'n', CLI_STRING, O(tail), "So many lines from the end", .default_text = "\"all\""},
	{"timestamps", 't', CLI_BOOL, O(timestamps), "Show when each line came"},
	{"until", 0, CLI_STRING, O(until),
	 "Only what came before this: a time, or how long ago (\"42m\")"},
	{NULL},
};

struct printer {
	struct cli_context *c;
	bool timestamps, details, tty;
	bool open[3]; /* a line of that stream has begun */
};

/* Docker's RFC 3339 with all nine digits. */
static void print_time(FILE *out, int64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	fprintf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (long long)(ns % 1000000000));
}

static int print_record(void *arg, const struct log_record *r, struct err *e)
{
	struct printer *p = arg;
	FILE *out = r->stream == 2 && !p->tty ? p->c->err : p->c->out;

	if (!p->open[r->stream]) {
		if (p->timestamps)
			print_time(out, r->time);
		if (p->details)
			fputc(' ', out);
	}
	/* Nobody else uses them. */
	fwrite_unlocked(r->data, 1, r->n, out);
	if (!r->partial)
		fputc_unlocked('\n', out);
	p->open[r->stream] = r->partial;
	return ferror_unlocked(out) ? err_errno(e, errno, "writing the log") : 0;
}

static void flush(void *arg)
{
	struct printer *p = arg;

	fflush(p->c->out);
	fflush(p->c->err);
}

static int fill(const struct opts *o, struct logs_opts *ret, struct err *e)
{
	uint64_t tail;

	*ret = (struct logs_opts){.follow = o->follow, .tail = -1};
	if (!str_empty(o->since) && filter_time("since", o->since, &ret->since, e) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid value for \"since\": %s", o->since);
	if (!str_empty(o->until) && filter_time("until", o->until, &ret->until, e) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid value for \"until\": %s", o->until);
	/* As Docker: what is no number is all. */
	if (num_u64(o->tail, 0, INT64_MAX, &tail) == 0)
		ret->tail = (int64_t)tail;
	return 0;
}

static bool has_tty(struct engine *en, const char *ref)
{
	struct err ignored = ERR_INIT;
	_cleanup_(json_unref) json_t *j = container_inspect(en, ref, false, &ignored);

	return json_is_true(json_object_get(json_object_get(j, "Config"), "Tty"));
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct printer p = {.c = c, .timestamps = o->timestamps, .details = o->details};
	struct engine *en = cli_engine(c, e);
	struct logs_opts logs;

	if (!en || fill(o, &logs, e) < 0)
		return 1;
	p.tty = has_tty(en, a->argv[0]);
	(void)setvbuf(c->out, NULL, _IOFBF, OUTPUT_BUFFER);
	logs.fn = print_record;
	logs.idle = flush;
	logs.arg = &p;
	return container_logs(en, a->argv[0], &logs, e) < 0;
}

#define LOGS                                                                                       \
	.name = "logs", .usage = "[OPTIONS] CONTAINER",                                            \
	.summary = "Show what a container printed", .aliases = "container logs,logs",              \
	.min_args = 1, .max_args = 1, .options = options, .opts_size = sizeof(struct opts),        \
	.opts_init = &init, .run = run

const struct cli_command cli_logs = {LOGS};
const struct cli_command cli_container_logs = {LOGS};
