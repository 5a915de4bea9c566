/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/layer-lines.h"

#include "base/clock.h"
#include "base/num.h"
#include "kernel/tty.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 50, WIDE = 110, EVERY_MS = 100 };

#define WORDS (REMOTE_ELSEWHERE + 1)

const char *const layer_words_pull[WORDS] = {
	[REMOTE_LAYER] = "Pulling fs layer", [REMOTE_PRESENT] = "Already exists",
	[REMOTE_LOADING] = "Downloading",    [REMOTE_COME] = "Download complete",
	[REMOTE_LOADED] = "Pull complete",
};

const char *const layer_words_push[WORDS] = {
	[REMOTE_LAYER] = "Preparing",
	[REMOTE_PRESENT] = "Layer already exists",
	[REMOTE_PUSHING] = "Pushing",
	[REMOTE_PUSHED] = "Pushed",
	[REMOTE_ELSEWHERE] = "Mounted from another repository",
};

/* One call of layer_lines_step. */
struct call {
	const struct digest *layer;
	enum remote_step step;
	int64_t n, size;
};

static bool is_bytes(enum remote_step step)
{
	return step == REMOTE_LOADING || step == REMOTE_PUSHING;
}

/* "[=====>     ]  1.2MB/5.4MB", the bar where there is room for it. */
static void put_bytes(struct layer_lines *l, unsigned columns, const struct call *c)
{
	const int64_t n = c->n, size = c->size;
	char have[32], all[32];

	if (columns > WIDE && size > 0) {
		int filled = (int)(MIN(n, size) * BAR / size);

		fputs(" [", l->out);
		for (int i = 0; i < BAR; i++)
			fputc(i < filled ? '=' : i == filled ? '>' : ' ', l->out);
		fputc(']', l->out);
	}
	num_human_size((double)n, have);
	if (size > 0)
		fprintf(l->out, " %8s/%s", have, num_human_size((double)size, all));
	else
		fprintf(l->out, " %8s", have);
}

static struct layer_line *find(struct layer_lines *l, const struct digest *layer)
{
	for (size_t i = 0; i < l->n; i++)
		if (digest_eq(&l->lines[i].layer, layer))
			return &l->lines[i];
	return NULL;
}

/* A new line at the end. NULL when out of memory: it is then not shown. */
static struct layer_line *append(struct layer_lines *l, const struct digest *layer)
{
	struct layer_line *v = realloc(l->lines, (l->n + 1) * sizeof(*v));

	if (!v)
		return NULL;
	l->lines = v;
	v[l->n] = (struct layer_line){.layer = *layer};
	fputc('\n', l->out);
	return &v[l->n++];
}

static void draw(struct layer_lines *l, const struct winsize *w, const struct call *c)
{
	struct layer_line *v = find(l, c->layer);
	bool again = v && v->step == c->step && is_bytes(c->step);
	size_t up;

	if (again && c->n < c->size && clock_monotonic() - v->drawn < EVERY_MS * INT64_C(1000000))
		return;
	if (!v)
		v = append(l, c->layer);
	if (!v)
		return;
	v->step = c->step;
	v->drawn = clock_monotonic();
	up = l->n - (size_t)(v - l->lines);
	if (w->ws_row && up >= w->ws_row)
		return; /* it is no longer on the screen */
	fprintf(l->out, "\033[%zuA\r\033[K%.12s: %s", up, digest_hex(c->layer), l->words[c->step]);
	if (is_bytes(c->step))
		put_bytes(l, w->ws_col, c);
	fprintf(l->out, "\033[%zuB\r", up);
}

void layer_lines_step(void *arg, const struct digest *layer, enum remote_step step, int64_t n,
		      int64_t size)
{
	const struct call c = {layer, step, n, size};
	struct layer_lines *l = arg;
	struct winsize w;

	if (!l->out || (size_t)step >= WORDS || !l->words[step])
		return;
	if (isatty(fileno(l->out)) == 1 && tty_get_size(fileno(l->out), &w) == 0)
		draw(l, &w, &c);
	else if (!is_bytes(step))
		fprintf(l->out, "%.12s: %s\n", digest_hex(layer), l->words[step]);
	else
		return;
	fflush(l->out);
}

void layer_lines_done(struct layer_lines *l)
{
	free(l->lines);
	l->lines = NULL;
	l->n = 0;
}
