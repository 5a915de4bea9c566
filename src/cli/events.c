/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct opts {
	const char *since, *until, *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches", "filter",
	 .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP_OBJECT},
	{"since", 0, CLI_STRING, O(since), "Begin with the events after this time"},
	{"until", 0, CLI_STRING, O(until), "End at this time"},
	{NULL},
};

enum { OUT_MAX = 16 << 20 };

struct printer {
	struct cli_context *c;
	const struct template *t; /* NULL: Docker's line */
	bool json;
	int *code; /* where a template that fails puts its own */
};

/* Go's "2006-01-02T15:04:05.000000000Z07:00" in the local zone. */
static void print_time(FILE *to, int64_t ns)
{
	time_t s = (time_t)(ns / (int64_t)NUM_NS_PER_S);
	char date[32], zone[16] = "+0000";
	struct tm tm;

	localtime_r(&s, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)strftime(zone, sizeof(zone), "%z", &tm);
	fprintf(to, "%s.%09lld", date, (long long)(ns % (int64_t)NUM_NS_PER_S));
	if (tm.tm_gmtoff == 0)
		fputs("Z ", to);
	else
		fprintf(to, "%.3s:%s ", zone, zone + 3);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int print_attributes(FILE *to, const json_t *attributes, struct err *e)
{
	size_t n = json_object_size(attributes), i = 0;
	const char **keys = calloc(n + 1, sizeof(*keys));
	const char *key;
	json_t *v;

	if (!keys)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)attributes, key, v)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_name);
	for (i = 0; i < n; i++) {
		const char *s = json_string_value(json_object_get(attributes, keys[i]));

		fprintf(to, "%s%s=%s", i ? ", " : " (", keys[i], s ? s : "");
	}
	if (n)
		fputc(')', to);
	free(keys);
	return 0;
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static int print_line(const struct printer *p, const json_t *event, struct err *e)
{
	const json_t *actor = json_object_get(event, "Actor");
	FILE *to = p->c->out;

	print_time(to, json_integer_value(json_object_get(event, "timeNano")));
	fprintf(to, "%s %s %s", text(event, "Type"), text(event, "Action"), text(actor, "ID"));
	if (print_attributes(to, json_object_get(actor, "Attributes"), e) < 0)
		return -1;
	fputc('\n', to);
	return 0;
}

static int print_json(const struct printer *p, const json_t *event, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUT_MAX);
	json_t *actor = json_object_get(event, "Actor");
	json_t *attributes = json_object_get(actor, "Attributes");

	if (attributes)
		(void)json_object_set_new(actor, "Attributes",
					  json_sorted(json_incref(attributes)));
	if (json_write(event, JSON_COMPACT, &out) < 0)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	fprintf(p->c->out, "%s\n", buf_str(&out));
	return 0;
}

/* Docker's templates name the fields of its struct. */
static json_t *fields_of(const json_t *event)
{
	return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?}", "Status",
			 json_object_get(event, "status"), "ID", json_object_get(event, "id"),
			 "From", json_object_get(event, "from"), "Type",
			 json_object_get(event, "Type"), "Action", json_object_get(event, "Action"),
			 "Actor", json_object_get(event, "Actor"), "Scope",
			 json_object_get(event, "scope"), "Time", json_object_get(event, "time"),
			 "TimeNano", json_object_get(event, "timeNano"));
}

static int print_template(const struct printer *p, const json_t *event, struct err *e)
{
	static const char *const maps[] = {"Attributes", NULL};
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUT_MAX);
	_cleanup_(json_unref) json_t *fields = fields_of(event);
	struct template_data d = {.value = fields, .struct_type = "events.Message", .maps = maps};

	if (!fields)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	if (template_execute(p->t, &d, &out, e) < 0) {
		*p->code = CLI_BAD_TEMPLATE;
		return -1;
	}
	fprintf(p->c->out, "%s\n", buf_str(&out));
	return 0;
}

static int print(void *arg, const json_t *event, struct err *e)
{
	const struct printer *p = arg;
	int r;

	if (p->json)
		r = print_json(p, event, e);
	else if (p->t)
		r = print_template(p, event, e);
	else
		r = print_line(p, event, e);
	if (r == 0 && ferror(p->c->out))
		return err_set(e, ERR_IO, 0, "writing the events");
	return r;
}

static void idle(void *arg)
{
	const struct printer *p = arg;

	fflush(p->c->out);
}

/* An unknown name is the daemon's "invalid filter" in Docker. */
static int fill_query(struct cli_context *c, const struct opts *o, struct event_query *q,
		      struct err *e)
{
	static const char *const allowed[] = {"config", "container", "daemon", "event",  "image",
					      "label",  "network",   "node",   "plugin", "scope",
					      "secret", "service",   "type",   "volume", NULL};
	const struct {
		const char *name;
		const char *const **to;
	} table[] = {
		{"type", &q->type},   {"event", &q->event},   {"container", &q->container},
		{"image", &q->image}, {"volume", &q->volume}, {"network", &q->network},
		{"label", &q->label}, {"scope", &q->scope},   {"daemon", &q->daemon},
	};

	if (filter_allow(&o->filter, allowed, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		*table[i].to = filter_values(c, &o->filter, table[i].name);
		if (!*table[i].to)
			return err_set(e, ERR_LIMIT, 0, "out of memory");
	}
	if ((o->since && filter_time("since", o->since, &q->since, e) < 0) ||
	    (o->until && filter_time("until", o->until, &q->until, e) < 0))
		return err_set(e, ERR_INVALID, 0,
			       "failed to parse value as time or duration: \"%s\"",
			       q->since ? o->until : o->since);
	if (q->since && q->until && q->since > q->until)
		return err_set(e, ERR_INVALID, 0,
			       "`since` time (%s) cannot be after `until` time (%s)", o->since,
			       o->until);
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct event_query q = {.since = 0};
	int code = 1;
	struct printer p = {.c = c,
			    .code = &code,
			    .json = !str_empty(o->format) &&
				    (str_eq(o->format, "json") || str_eq(o->format, "{{json .}}"))};
	_cleanup_(template_freep) struct template *t = NULL;
	struct engine *en = cli_engine(c, e);

	if (!en || fill_query(c, o, &q, e) < 0)
		return 1;
	if (!p.json && !str_empty(o->format)) {
		t = template_parse(o->format, strlen(o->format), e);
		if (!t)
			return CLI_BAD_TEMPLATE;
		p.t = t;
	}
	return event_follow(en, &q, print, idle, &p, e) < 0 ? code : 0;
}

#define EVENTS                                                                                     \
	.name = "events", .usage = "[OPTIONS]", .summary = "Show what happens as it happens",      \
	.aliases = "system events,events", .options = options, .opts_size = sizeof(struct opts),   \
	.run = run

const struct cli_command cli_events = {EVENTS};
const struct cli_command cli_system_events = {EVENTS};
