/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain table of `ps` shows of a container is kept beside its document, as a few lines of
 * text (docs/formats/kogge-db.md): to read hundreds of documents takes longer than all the rest. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BRIEF_MAX = 1 << 22, PAUSED = 1 << 0, RESTARTING = 1 << 1 };

/* Docker's status line. HEALTH is "", or what follows the time. */
void container_status_text(const struct container *c, const char *health, char out[96])
{
	char age[CLOCK_TEXT_SIZE];
	int64_t now = clock_now();

	if (c->state == ENGINE_RUNNING && c->restarting)
		snprintf(out, 96, "Restarting (%d) %s ago", c->exit_code,
			 clock_human(now - c->finished, age));
	else if (c->state == ENGINE_RUNNING)
		snprintf(out, 96, "Up %s%s", clock_human(now - c->started, age),
			 c->paused ? " (Paused)" : health);
	else if (c->state == ENGINE_EXITED)
		snprintf(out, 96, "Exited (%d) %s ago", c->exit_code,
			 clock_human(now - c->finished, age));
	else
		snprintf(out, 96, "Created");
}

/* As the daemon of Docker has them: in one text, with quotation marks around an argument that has
 * blanks. */
void container_command_text(const struct container *c, struct buf *out)
{
	const char *const *parts[] = {c->spec.entrypoint, c->spec.cmd};
	size_t n = 0;

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (size_t i = 0; parts[p] && parts[p][i]; i++, n++) {
			const char *mark = n && strchr(parts[p][i], ' ') ? "'" : "";

			(void)buf_printf(out, "%s%s%s%s", n ? " " : "", mark, parts[p][i], mark);
		}
}

/* ---- the text ---- */

int container_brief_write(const struct container *c, struct buf *out)
{
	const struct container_spec *s = &c->spec;
	unsigned flags = (c->paused ? PAUSED : 0) | (c->restarting ? RESTARTING : 0);

	if (spec_health_on(&s->health) || s->exposed || s->n_ports || s->publish_all ||
	    strchr(s->image, '\n'))
		return 0;
	if (buf_printf(out, "%" PRId64 " %" PRId64 " %d %u\n%s\n", c->started, c->finished,
		       c->exit_code, flags, s->image) < 0)
		return -1;
	container_command_text(c, out);
	return 1;
}

/* Takes the number before the character END; the rest, or NULL. */
static char *take_number(char *at, char end, int64_t max, int64_t *ret)
{
	char *to = at ? strchr(at, end) : NULL;

	if (!to)
		return NULL;
	*to = 0;
	return num_i64(at, 0, max, ret) < 0 ? NULL : to + 1;
}

/* TEXT is cut up, and what is read points into it. */
static bool read_text(char *text, struct container *c, struct container_brief *b)
{
	int64_t code, flags;
	char *at = take_number(text, ' ', INT64_MAX, &c->started);

	at = take_number(at, ' ', INT64_MAX, &c->finished);
	at = take_number(at, ' ', 255, &code);
	at = take_number(at, '\n', UINT32_MAX, &flags);
	if (!at)
		return false;
	c->exit_code = (int)code;
	c->paused = flags & PAUSED;
	c->restarting = flags & RESTARTING;
	b->image = at;
	at = strchr(at, '\n');
	if (!at)
		return false;
	*at = 0;
	b->command = at + 1;
	return true;
}

/* ---- the list ---- */

struct brief_list {
	struct engine *en;
	bool all;
	container_brief_fn fn;
	void *arg;
};

static int show(const struct brief_list *l, const struct container *c, const char *health,
		struct container_brief *b, struct err *e)
{
	char status[96];

	container_status_text(c, health, status);
	b->id = c->id;
	b->status = status;
	b->created = c->created;
	return l->fn(l->arg, b, e);
}

/* RET tells whether the row's text was enough, and its container is what the row says. */
static int show_text(const struct brief_list *l, const struct container_row *row, bool *ret,
		     struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct container c = {.state = (enum engine_state)row->state, .created = row->created};
	struct container_brief b = {.name = row->name, .ports = ""};
	char *text = row->brief ? arena_strdup(&a, row->brief) : NULL;

	if (!text || !read_text(text, &c, &b) ||
	    (c.state == ENGINE_RUNNING && !container_held(l->en, row->id)))
		return 0;
	*ret = true;
	memcpy(c.id, row->id, sizeof(c.id));
	return show(l, &c, "", &b, e);
}

static int show_document(const struct brief_list *l, const struct container_row *row, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(buf_done) struct buf ports = BUF_INIT(BRIEF_MAX), command = BUF_INIT(BRIEF_MAX);
	int r = container_listed(l->en, row, l->all, &c, e);

	if (r <= 0)
		return r;
	container_command_text(&c, &command);
	container_ports_text(l->en, &c, &ports);
	return show(l, &c, container_health_word(l->en, &c),
		    &(struct container_brief){.name = c.name,
					      .image = c.spec.image,
					      .command = buf_str(&command),
					      .ports = buf_str(&ports)},
		    e);
}

static int list_one(void *arg, const struct container_row *row, struct err *e)
{
	const struct brief_list *l = arg;
	bool done = false;
	int r = show_text(l, row, &done, e);

	return done ? r : show_document(l, row, e);
}

int container_brief_each(struct engine *en, bool all, container_brief_fn fn, void *arg,
			 struct err *e)
{
	struct brief_list l = {.en = en, .all = all, .fn = fn, .arg = arg};

	if (engine_reconcile(en, e) < 0)
		return -1;
	return all ? container_row_each(en->store, list_one, &l, e)
		   : container_row_each_running(en->store, list_one, &l, e);
}
