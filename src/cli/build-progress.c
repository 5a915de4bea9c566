/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build-progress.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/build-screen.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL_LINES = 10, LINE_MAX_BYTES = 1 << 26 };

/* One vertex as it is shown. */
struct shown {
	unsigned number; /* 0: not shown yet */
	int64_t started;
	struct buf part; /* of a line that has not ended */
	char *tail[TAIL_LINES];
	size_t n_tail;
	bool explained;
};

struct build_progress {
	FILE *out;
	enum progress_mode mode;
	const struct graph *g;
	struct shown *v;
	unsigned next;
	struct build_screen *screen; /* PROGRESS_TTY, until its end */
	ssize_t last;                /* the vertex that the last line was of; -1: none */
};

struct build_progress *build_progress_new(FILE *out, int fd, enum progress_mode mode)
{
	struct build_progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->screen = mode == PROGRESS_TTY ? build_screen_new(out, fd) : NULL;
	if (mode == PROGRESS_TTY && !p->screen)
		return free(p), NULL;
	p->out = out;
	p->mode = mode;
	p->last = -1;
	return p;
}

void build_progress_free(struct build_progress *p)
{
	for (size_t i = 0; p->v && i < p->g->n; i++) {
		buf_done(&p->v[i].part);
		for (size_t k = 0; k < TAIL_LINES; k++)
			free(p->v[i].tail[k]);
	}
	free(p->v);
	if (p->screen)
		build_screen_free(p->screen);
	free(p);
}

int build_progress_graph(struct build_progress *p, const struct graph *g)
{
	p->v = calloc(g->n + 1, sizeof(*p->v));
	if (!p->v)
		return -1;
	p->g = g;
	for (size_t i = 0; i < g->n; i++)
		p->v[i].part = BUF_INIT(LINE_MAX_BYTES);
	if (p->screen)
		build_screen_expect(p->screen, p->next + g->n);
	return 0;
}

void build_progress_note(struct build_progress *p, const char *name, const char *line, int64_t ns)
{
	unsigned n = ++p->next;

	if (p->screen)
		build_screen_note(p->screen, name, line, ns);
	if (p->mode != PROGRESS_PLAIN)
		return;
	fprintf(p->out, "#%u %s\n", n, name);
	if (line)
		fprintf(p->out, "#%u %s\n", n, line);
	fprintf(p->out, "#%u DONE %.1fs\n\n", n, (double)ns / (double)NUM_NS_PER_S);
	fflush(p->out);
}

/* ---- plain ---- */

/* Its name, where the line before was of another step. */
static struct shown *turn_to(struct build_progress *p, const struct solve_event *ev)
{
	struct shown *s = &p->v[ev->vertex];
	bool fresh = !s->number;

	if (fresh)
		s->number = ++p->next;
	if (p->last != (ssize_t)ev->vertex) {
		if (p->last >= 0)
			fputc('\n', p->out);
		fprintf(p->out, fresh ? "#%u %s\n" : "#%u ...%s\n", s->number,
			fresh ? ev->v->name : "");
	}
	p->last = (ssize_t)ev->vertex;
	return s;
}

static void step_over(struct build_progress *p)
{
	fputc('\n', p->out);
	p->last = -1;
}

static void keep_line(struct shown *s, const char *line, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy)
		return;
	memcpy(copy, line, n);
	copy[n] = '\0';
	if (s->n_tail == TAIL_LINES) {
		free(s->tail[0]);
		memmove(&s->tail[0], &s->tail[1], (TAIL_LINES - 1) * sizeof(s->tail[0]));
		s->n_tail--;
	}
	s->tail[s->n_tail++] = copy;
}

/* BuildKit's four significant digits in five columns: "0.123", "12.34". */
static void format_seconds(int64_t ns, char out[16])
{
	snprintf(out, 16, "%.5f", (double)MAX(ns, 0) / (double)NUM_NS_PER_S);
	out[5] = '\0';
}

static void print_line(struct build_progress *p, const struct solve_event *ev, const char *line,
		       size_t n)
{
	struct shown *s = turn_to(p, ev);
	char t[16];

	if (n > 0 && line[n - 1] == '\r')
		n--;
	format_seconds(s->started ? clock_now() - s->started : 0, t);
	fprintf(p->out, "#%u %s ", s->number, t);
	fwrite(line, 1, n, p->out);
	fputc('\n', p->out);
	keep_line(s, line, n);
}

static void plain_log(struct build_progress *p, const struct solve_event *ev)
{
	struct buf *part = &p->v[ev->vertex].part;
	const char *data = ev->data, *end = data + ev->n, *eol;

	while (data < end && (eol = memchr(data, '\n', (size_t)(end - data)))) {
		if (part->len > 0) {
			(void)buf_put(part, data, (size_t)(eol - data));
			print_line(p, ev, part->data, part->len);
			buf_clear(part);
		} else {
			print_line(p, ev, data, (size_t)(eol - data));
		}
		data = eol + 1;
	}
	if (data < end)
		(void)buf_put(part, data, (size_t)(end - data));
}

static void flush_part(struct build_progress *p, const struct solve_event *ev)
{
	struct buf *part = &p->v[ev->vertex].part;

	if (part->len > 0)
		print_line(p, ev, part->data, part->len);
	buf_clear(part);
}

static void plain_end(struct build_progress *p, const struct solve_event *ev)
{
	struct shown *s;

	flush_part(p, ev);
	s = turn_to(p, ev);
	switch (ev->state) {
	case STEP_CACHED:
		fprintf(p->out, "#%u CACHED\n", s->number);
		break;
	case STEP_FAILED:
		fprintf(p->out, "#%u ERROR: %s\n", s->number, ev->err ? ev->err->msg : "");
		break;
	case STEP_CANCELLED:
		fprintf(p->out, "#%u CANCELED\n", s->number);
		break;
	default:
		fprintf(p->out, "#%u DONE %.1fs\n", s->number,
			ev->ended && ev->started
				? (double)(ev->ended - ev->started) / (double)NUM_NS_PER_S
				: 0.0);
	}
	step_over(p);
}

static void plain_state(struct build_progress *p, const struct solve_event *ev)
{
	switch (ev->state) {
	case STEP_RUNNING:
		p->v[ev->vertex].started = ev->started ? ev->started : clock_now();
		turn_to(p, ev);
		break;
	case STEP_CANCELLED:
		/* What never began is not shown. */
		if (p->v[ev->vertex].number)
			plain_end(p, ev);
		break;
	case STEP_DONE:
	case STEP_CACHED:
	case STEP_FAILED:
		plain_end(p, ev);
		break;
	default:
		break;
	}
}

static void plain_explain(struct build_progress *p, const struct solve_event *ev)
{
	const char *line = ev->data, *eol;
	struct shown *s = turn_to(p, ev);

	for (; *line; line = *eol ? eol + 1 : eol) {
		eol = strchrnul(line, '\n');
		fprintf(p->out, "#%u because %.*s\n", s->number, (int)(eol - line), line);
	}
}

static void plain_progress(struct build_progress *p, const struct solve_event *ev)
{
	char size[32];

	if (!ev->done)
		return;
	turn_to(p, ev);
	fprintf(p->out, "#%u %s: %s done\n", p->v[ev->vertex].number, ev->id,
		num_human_size((double)ev->current, size));
}

/* ---- rawjson (buildkit: client.SolveStatus) ---- */

static void put_json(struct build_progress *p, json_t *doc)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(LINE_MAX_BYTES);

	if (doc && json_write(doc, 0, &text) == 0)
		fprintf(p->out, "%s\n", buf_str(&text));
	json_decref(doc);
}

static json_t *json_time(int64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	return ns ? json_string(clock_format(ns, text)) : json_null();
}

static void raw_state(struct build_progress *p, const struct solve_event *ev)
{
	json_t *v = json_pack("{s:s, s:s}", "digest", ev->v->digest.text, "name", ev->v->name);
	json_t *inputs = json_array();

	if (ev->state < STEP_RUNNING || !v || !inputs) {
		json_decref(v);
		json_decref(inputs);
		return;
	}
	for (size_t i = 0; i < ev->v->n_inputs; i++)
		json_array_append_new(inputs, json_string(p->g->v[ev->v->inputs[i]].digest.text));
	json_object_set_new(v, "inputs", inputs);
	if (ev->started)
		json_object_set_new(v, "started", json_time(ev->started));
	if (ev->ended)
		json_object_set_new(v, "completed", json_time(ev->ended));
	if (ev->state == STEP_CACHED)
		json_object_set_new(v, "cached", json_true());
	if (ev->err && ev->state == STEP_FAILED)
		json_object_set_new(v, "error", json_string(ev->err->msg));
	put_json(p, json_pack("{s:[o]}", "vertexes", v));
}

static void raw_log(struct build_progress *p, const struct solve_event *ev)
{
	_cleanup_(freep) char *data = malloc(BASE64_SIZE(ev->n));

	if (data) {
		base64_encode(ev->data, ev->n, data);
		put_json(p, json_pack("{s:[{s:s, s:i, s:s, s:o}]}", "logs", "vertex",
				      ev->v->digest.text, "stream", ev->stream, "data", data,
				      "timestamp", json_time(clock_now())));
	}
	keep_line(&p->v[ev->vertex], ev->data, ev->n);
}

/* ---- all ---- */

static void plain_event(struct build_progress *p, const struct solve_event *ev)
{
	switch (ev->kind) {
	case SOLVE_STATE:
		plain_state(p, ev);
		break;
	case SOLVE_LOG:
		plain_log(p, ev);
		break;
	case SOLVE_PROGRESS:
		plain_progress(p, ev);
		break;
	case SOLVE_EXPLAIN:
		plain_explain(p, ev);
		break;
	}
}

/* The log of a step is kept for the case that it fails. */
static void screen_event(struct build_progress *p, const struct solve_event *ev)
{
	struct buf *log = &p->v[ev->vertex].part;

	if (ev->kind == SOLVE_LOG)
		(void)buf_put(log, ev->data, ev->n);
	if (ev->kind == SOLVE_STATE && (ev->state == STEP_DONE || ev->state == STEP_CACHED))
		buf_done(log);
	build_screen_event(p->screen, ev);
}

void build_progress_tick(void *arg)
{
	struct build_progress *p = arg;

	if (p->screen)
		build_screen_tick(p->screen);
}

void build_progress_end(struct build_progress *p, bool finished)
{
	if (!p->screen)
		return;
	build_screen_end(p->screen, finished);
	build_screen_free(p->screen);
	p->screen = NULL;
}

void build_progress_event(void *arg, const struct solve_event *ev)
{
	struct build_progress *p = arg;

	if (p->screen)
		screen_event(p, ev);
	else if (p->mode == PROGRESS_PLAIN)
		plain_event(p, ev);
	else if (ev->kind == SOLVE_LOG)
		p->mode == PROGRESS_RAWJSON ? raw_log(p, ev)
					    : keep_line(&p->v[ev->vertex], ev->data, ev->n);
	else if (ev->kind == SOLVE_STATE && p->mode == PROGRESS_RAWJSON)
		raw_state(p, ev);
	fflush(p->out);
}

void build_progress_failed(struct build_progress *p, size_t vertex)
{
	const struct shown *s = &p->v[vertex];

	build_progress_end(p, false);
	fprintf(p->out, "------\n > %s:\n", p->g->v[vertex].name);
	if (p->mode == PROGRESS_TTY && s->part.len > 0)
		fprintf(p->out, "%s%s", buf_str(&s->part),
			s->part.data[s->part.len - 1] == '\n' ? "" : "\n");
	for (size_t i = 0; i < s->n_tail; i++)
		fprintf(p->out, "%s\n", s->tail[i]);
	fputs("------\n", p->out);
}
