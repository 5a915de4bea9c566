/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build-screen.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/tty.h"

#include <stdlib.h>
#include <string.h>

enum {
	COLUMNS = 80, /* where the terminal does not say */
	ROWS = 24,
	COLUMNS_MAX = 1000,
	TAIL = 6,
	TEXT_MAX = 4096,
	DRAWING_MAX = 1 << 20,
	EVERY_MS = 100,
};

#define BLUE   "\033[34m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define NORMAL "\033[0m"

/* A line with what belongs to it. */
struct item {
	char *name, *sub;
	size_t vertex;
	enum step_state state;
	int64_t started, ended; /* Unix nanoseconds */
	char *tail[TAIL];
	size_t n_tail;
	struct buf part; /* of a line that has not ended */
};

struct build_screen {
	FILE *out;
	int fd;
	struct item *items;
	size_t n, cap, expected;
	int64_t began, drawn; /* Unix nanoseconds; monotonic */
	unsigned rows;        /* of the last drawing */
	bool plain;           /* without colours */
	struct buf text;
};

struct build_screen *build_screen_new(FILE *out, int fd)
{
	struct build_screen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->out = out;
	s->fd = fd;
	s->began = clock_now();
	s->plain = !str_empty(getenv("NO_COLOR"));
	s->text = BUF_INIT(DRAWING_MAX);
	return s;
}

static void item_done(struct item *i)
{
	free(i->name);
	free(i->sub);
	for (size_t k = 0; k < TAIL; k++)
		free(i->tail[k]);
	buf_done(&i->part);
}

void build_screen_free(struct build_screen *s)
{
	for (size_t i = 0; i < s->n; i++)
		item_done(&s->items[i]);
	free(s->items);
	buf_done(&s->text);
	free(s);
}

/* ---- what is known ---- */

static struct item *add_item(struct build_screen *s, const char *name, size_t vertex)
{
	struct item *i;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct item *items = realloc(s->items, cap * sizeof(*items));

		if (!items)
			return NULL;
		s->items = items;
		s->cap = cap;
	}
	i = &s->items[s->n];
	*i = (struct item){.name = strdup(name), .vertex = vertex, .part = BUF_INIT(TEXT_MAX)};
	if (!i->name)
		return NULL;
	s->n++;
	return i;
}

static struct item *find_item(struct build_screen *s, const struct solve_event *ev)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->items[i].vertex == ev->vertex)
			return &s->items[i];
	return NULL;
}

void build_screen_note(struct build_screen *s, const char *name, const char *line, int64_t ns)
{
	struct item *i = add_item(s, name, SIZE_MAX);

	if (!i)
		return;
	i->sub = line ? strdup(line) : NULL;
	i->ended = clock_now();
	i->started = i->ended - ns;
	i->state = STEP_DONE;
	build_screen_tick(s);
}

void build_screen_expect(struct build_screen *s, size_t steps)
{
	s->expected = steps;
}

/* The last lines, each of what is printable: what comes before a carriage return is written over.
 */
static void keep_line(struct item *i)
{
	char *copy, *last;

	while (i->part.len > 0 && i->part.data[i->part.len - 1] == '\r')
		i->part.len--;
	copy = strndup(buf_str(&i->part), i->part.len);
	buf_clear(&i->part);
	if (!copy)
		return;
	last = strrchr(copy, '\r');
	if (last)
		memmove(copy, last + 1, strlen(last));
	if (i->n_tail == TAIL) {
		free(i->tail[0]);
		memmove(&i->tail[0], &i->tail[1], (TAIL - 1) * sizeof(i->tail[0]));
		i->n_tail--;
	}
	i->tail[i->n_tail++] = copy;
}

static void take_log(struct item *i, const char *data, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (data[k] == '\n')
			keep_line(i);
		else if (i->part.len < TEXT_MAX - 1 && data[k])
			(void)buf_putc(&i->part, data[k]);
}

static void take_state(struct build_screen *s, const struct solve_event *ev)
{
	struct item *i = find_item(s, ev);

	/* What never began is not shown. */
	if (ev->state < STEP_RUNNING || (!i && ev->state == STEP_CANCELLED))
		return;
	if (!i)
		i = add_item(s, ev->v->name, ev->vertex);
	if (!i)
		return;
	i->state = ev->state;
	i->started = ev->started ? ev->started : i->started ? i->started : clock_now();
	if (ev->state != STEP_RUNNING)
		i->ended = ev->ended ? ev->ended : clock_now();
}

void build_screen_event(struct build_screen *s, const struct solve_event *ev)
{
	struct item *i;

	if (ev->kind == SOLVE_STATE)
		take_state(s, ev);
	i = find_item(s, ev);
	if (i && ev->kind == SOLVE_LOG)
		take_log(i, ev->data, ev->n);
	if (i && ev->kind == SOLVE_PROGRESS) {
		char size[32];

		free(i->sub);
		if (asprintf(&i->sub, "%s: %s%s", ev->id, num_human_size((double)ev->current, size),
			     ev->done ? " done" : "") < 0)
			i->sub = NULL;
	}
	build_screen_tick(s);
}

/* ---- drawing ---- */

/* Of one drawing. */
struct canvas {
	struct build_screen *s;
	unsigned columns, rows; /* of the terminal */
	unsigned drawn;
};

static bool is_done(const struct item *i)
{
	return i->state != STEP_RUNNING;
}

/* TEXT in at most N columns, without control characters. Returns how many it takes; wide characters
 * are counted as one. */
static unsigned put_text(struct buf *out, const char *text, unsigned n)
{
	unsigned used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c & 0xc0) == 0x80) { /* goes on with a character */
			if (used > 0)
				(void)buf_putc(out, *text);
			continue;
		}
		/* Colours and movements of the cursor. */
		if (c == 0x1b && text[1] == '[') {
			text += 2 + strspn(text + 2, "0123456789;:?<=> !\"#$%&'()*+,-./");
			if (!*text)
				break;
			continue;
		}
		if (used == n)
			break;
		(void)buf_putc(out, c < 0x20 || c == 0x7f ? ' ' : *text);
		used++;
	}
	return used;
}

static void put_row(struct canvas *k, const char *colour, const char *text, int64_t ns)
{
	struct buf *out = &k->s->text;
	char time[32] = "";
	unsigned width, used;

	if (ns >= 0)
		snprintf(time, sizeof(time), " %.1fs", (double)ns / (double)NUM_NS_PER_S);
	width = k->columns - MIN(k->columns, (unsigned)strlen(time) + 1);
	if (colour && !k->s->plain)
		(void)buf_puts(out, colour);
	used = put_text(out, text, width);
	(void)buf_printf(out, "%*s%s", (int)(width - used), "", time);
	if (colour && !k->s->plain)
		(void)buf_puts(out, NORMAL);
	(void)buf_puts(out, "\033[K\n");
	k->drawn++;
}

static void put_item(struct canvas *k, const struct item *i, int64_t now)
{
	static const char *const words[] = {[STEP_CACHED] = "CACHED ",
					    [STEP_FAILED] = "ERROR ",
					    [STEP_CANCELLED] = "CANCELED "};
	const char *word =
		(size_t)i->state < ARRAY_SIZE(words) && words[i->state] ? words[i->state] : "";
	const char *colour = i->state == STEP_FAILED      ? RED
			     : i->state == STEP_CANCELLED ? YELLOW
			     : is_done(i)                 ? BLUE
							  : NULL;
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), " => %s%s", word, i->name);
	put_row(k, colour, text, (is_done(i) ? i->ended : now) - i->started);
	if (i->sub) {
		snprintf(text, sizeof(text), " => => %s", i->sub);
		put_row(k, colour, text, -1);
	}
	for (size_t n = 0; !is_done(i) && n < i->n_tail; n++) {
		snprintf(text, sizeof(text), " => => # %s", i->tail[n]);
		put_row(k, NULL, text, -1);
	}
}

static unsigned rows_of(const struct item *i)
{
	return 1 + (i->sub ? 1 : 0) + (is_done(i) ? 0 : (unsigned)i->n_tail);
}

/* Where the screen is too small, what was done first is left out. */
static size_t first_shown(const struct canvas *k)
{
	unsigned rows = 2; /* the first one, and the one where the cursor is */
	size_t from = k->s->n;

	while (from > 0 && rows + rows_of(&k->s->items[from - 1]) <= k->rows)
		rows += rows_of(&k->s->items[--from]);
	return MIN(from, k->s->n ? k->s->n - 1 : 0);
}

static void measure(struct canvas *k)
{
	struct winsize w = {.ws_row = 0};

	if (tty_get_size(k->s->fd, &w) < 0)
		w = (struct winsize){.ws_row = 0};
	k->columns = w.ws_col ? MIN((unsigned)w.ws_col, (unsigned)COLUMNS_MAX) : COLUMNS;
	k->rows = w.ws_row ? w.ws_row : ROWS;
}

/* WORD: "" or " FINISHED". With LAST nothing is left out. */
static void draw(struct build_screen *s, const char *word, bool last)
{
	struct canvas k = {.s = s};
	int64_t now = clock_now();
	size_t done = 0;
	char head[128];

	measure(&k);
	for (size_t i = 0; i < s->n; i++)
		done += is_done(&s->items[i]);
	buf_clear(&s->text);
	(void)buf_puts(&s->text, "\033[?25l\r");
	if (s->rows > 0)
		(void)buf_printf(&s->text, "\033[%uA", s->rows);
	snprintf(head, sizeof(head), "[+] Building %.1fs (%zu/%zu)%s",
		 (double)(now - s->began) / (double)NUM_NS_PER_S, done, MAX(s->expected, s->n),
		 word);
	put_row(&k, *word ? BLUE : NULL, head, -1);
	for (size_t i = last ? 0 : first_shown(&k); i < s->n; i++)
		put_item(&k, &s->items[i], now);
	(void)buf_puts(&s->text, "\033[J\033[?25h");
	fwrite(s->text.data, 1, s->text.len, s->out);
	fflush(s->out);
	s->rows = k.drawn;
	s->drawn = clock_monotonic();
}

void build_screen_tick(struct build_screen *s)
{
	if (clock_monotonic() - s->drawn >= EVERY_MS * INT64_C(1000000))
		draw(s, "", false);
}

void build_screen_end(struct build_screen *s, bool finished)
{
	draw(s, finished ? " FINISHED" : "", true);
	s->rows = 0;
}
