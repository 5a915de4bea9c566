/* SPDX-License-Identifier: Apache-2.0 */
/* Telling events, and reading them.
 *
 * A reader holds the journal open and reads it to its end, then waits by inotify for its directory
 * to change. Where the name stands for another file by then, the journal was rotated: what is left
 * of the old one is read, then the new one from its start. A line without a line feed is one that
 * is being written: its rest comes with the next read. */
#include "engine/event.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "monitor/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16 };

#define NS_PER_MS INT64_C(1000000)

/* -- telling ---------------------------------------------------------------------------------- */

static int put_extra(struct buf *out, const char *const *extra)
{
	int r = 0;

	for (size_t i = 0; extra && extra[i] && r == 0; i += 2)
		r = journal_put_attribute(out, extra[i], extra[i + 1] ? extra[i + 1] : "");
	return r;
}

/* A label may not pass for one of the names that Docker sets after it. */
static bool is_set_later(const char *key, const char *const *extra)
{
	if (str_eq(key, "image") || str_eq(key, "name"))
		return true;
	for (size_t i = 0; extra && extra[i]; i += 2)
		if (str_eq(key, extra[i]))
			return true;
	return false;
}

int event_container_attributes(const struct container *c, const char *const *extra, struct buf *out)
{
	const struct container_spec *s = &c->spec;
	int r = put_extra(out, extra);

	for (size_t i = 0; i < s->n_labels && r == 0; i++)
		if (!is_set_later(s->labels[i].key, extra))
			r = journal_put_attribute(out, s->labels[i].key, s->labels[i].value);
	if (r == 0)
		r = journal_put_attribute(out, "image", s->image ? s->image : "");
	return r == 0 ? journal_put_attribute(out, "name", c->name ? c->name : "") : r;
}

void event_container(struct engine *en, const struct container *c, const char *action,
		     const char *const *extra)
{
	_cleanup_(buf_done) struct buf attributes = BUF_INIT(JOURNAL_LINE_MAX / 2);
	struct journal_event ev = {
		.type = EVENT_CONTAINER,
		.action = action,
		.id = c->id,
		.from = c->spec.image,
	};

	if (event_container_attributes(c, extra, &attributes) == 0)
		ev.attributes = buf_str(&attributes);
	journal_write(&en->journal, &ev);
}

void event_container_killed(struct engine *en, const struct container *c, int signo)
{
	char number[16];
	const char *const extra[] = {"signal", number, NULL};

	snprintf(number, sizeof(number), "%d", signo);
	event_container(en, c, "kill", extra);
}

void event_container_died(struct engine *en, const struct container *c)
{
	int64_t ran = c->started && c->finished > c->started ? c->finished - c->started : 0;
	char code[16], seconds[32];
	const char *const extra[] = {"execDuration", seconds, "exitCode", code, NULL};

	snprintf(code, sizeof(code), "%d", c->exit_code);
	snprintf(seconds, sizeof(seconds), "%lld", (long long)(ran / (1000 * NS_PER_MS)));
	event_container(en, c, "die", extra);
}

void event_object(struct engine *en, const char *type, const char *action, const char *id,
		  const char *const *extra)
{
	_cleanup_(buf_done) struct buf attributes = BUF_INIT(JOURNAL_LINE_MAX / 2);
	struct journal_event ev = {.type = type, .action = action, .id = id};
	bool named = !str_eq(type, EVENT_IMAGE) || !*id;

	for (size_t i = 0; extra && extra[i]; i += 2)
		named = named || str_eq(extra[i], "name");
	if (put_extra(&attributes, extra) == 0 &&
	    (named || journal_put_attribute(&attributes, "name", id) == 0))
		ev.attributes = buf_str(&attributes);
	journal_write(&en->journal, &ev);
}

/* -- filters ---------------------------------------------------------------------------------- */

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* moby's ExactMatch and FuzzyMatch: PREFIX also takes what starts with a value. */
static bool any_of(const char *const *values, const char *s, bool prefix)
{
	for (size_t i = 0; values && values[i]; i++)
		if (str_eq(values[i], s) || (prefix && str_after(s, values[i])))
			return true;
	return !values || !values[0];
}

/* "health_status", "exec_create" and "exec_start" stand for all that begin so. */
static bool action_matches(const char *const *values, const char *action)
{
	static const char *const fuzzy[] = {"health_status", "exec_create", "exec_start", NULL};
	bool prefix = false;

	for (size_t i = 0; values && values[i]; i++)
		prefix = prefix || strv_has(fuzzy, values[i]);
	return any_of(values, action, prefix);
}

static bool labels_match(const char *const *values, const json_t *attributes)
{
	for (size_t i = 0; values && values[i]; i++) {
		const char *eq = strchr(values[i], '=');
		const char *key, *s;
		bool found = false;
		json_t *v;

		json_object_foreach ((json_t *)(uintptr_t)attributes, key, v) {
			size_t n = eq ? (size_t)(eq - values[i]) : strlen(values[i]);

			s = json_string_value(v);
			found = found || (strlen(key) == n && memcmp(key, values[i], n) == 0 &&
					  (!eq || (s && str_eq(s, eq + 1))));
		}
		if (!found)
			return false;
	}
	return true;
}

/* The reference without its tag: a colon after the last slash. */
static bool image_is(const char *const *values, const char *s)
{
	const char *slash = strrchr(s, '/');
	const char *colon = strchr(slash ? slash : s, ':');
	char bare[512];

	if (any_of(values, s, false))
		return true;
	if (!colon || (size_t)(colon - s) >= sizeof(bare))
		return false;
	snprintf(bare, sizeof(bare), "%.*s", (int)(colon - s), s);
	return any_of(values, bare, false);
}

bool event_matches(const struct event_query *q, const json_t *event)
{
	const json_t *actor = json_object_get(event, "Actor");
	const json_t *attributes = json_object_get(actor, "Attributes");
	const char *type = text(event, "Type"), *id = text(actor, "ID");
	const char *name = text(attributes, "name");
	const char *image = text(attributes, str_eq(type, EVENT_IMAGE) ? "name" : "image");

	return any_of(q->type, type, false) && action_matches(q->event, text(event, "Action")) &&
	       any_of(q->scope, text(event, "scope"), false) &&
	       (any_of(q->daemon, id, true) || any_of(q->daemon, name, true)) &&
	       (any_of(q->container, id, true) || any_of(q->container, name, true)) &&
	       (any_of(q->volume, id, true) || any_of(q->volume, name, true)) &&
	       (any_of(q->network, id, true) || any_of(q->network, name, true)) &&
	       (image_is(q->image, id) || image_is(q->image, image)) &&
	       labels_match(q->label, attributes);
}

/* -- reading ---------------------------------------------------------------------------------- */

struct reader {
	const struct event_query *q;
	event_fn fn;
	void (*idle)(void *arg);
	void *arg;
	int dir, watch, file;
	struct buf line; /* what has no line feed yet */
	bool skip;       /* the rest of a line that is too long */
};

static void reader_done(struct reader *r)
{
	fd_close(&r->dir);
	fd_close(&r->watch);
	fd_close(&r->file);
	buf_done(&r->line);
}

static int give(struct reader *r, const char *line, size_t n, struct err *e)
{
	_cleanup_(json_unref) json_t *event = json_parse(line, n, "an event", NULL);
	int64_t at = json_integer_value(json_object_get(event, "timeNano"));

	if (!json_is_object(event) || (r->q->since && at < r->q->since) ||
	    (r->q->until && at > r->q->until) || !event_matches(r->q, event))
		return 0;
	return r->fn(r->arg, event, e);
}

/* Gives the whole lines of N bytes. */
static int take(struct reader *r, const char *data, size_t n, struct err *e)
{
	while (n) {
		const char *end = memchr(data, '\n', n);
		size_t part = end ? (size_t)(end - data) : n;
		int stop = 0;

		if (!r->skip && buf_put(&r->line, data, part) < 0)
			r->skip = true;
		if (end && !r->skip && r->line.len)
			stop = give(r, r->line.data, r->line.len, e);
		if (end || r->skip)
			buf_clear(&r->line);
		if (end)
			r->skip = false;
		if (stop)
			return stop;
		data += part + (end ? 1 : 0);
		n -= part + (end ? 1 : 0);
	}
	return 0;
}

static int read_to_end(struct reader *r, int fd, struct err *e)
{
	char data[READ_SIZE];

	for (;;) {
		ssize_t n = fd < 0 ? 0 : read(fd, data, sizeof(data));
		int stop;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "reading events");
		if (n == 0)
			return 0;
		stop = take(r, data, (size_t)n, e);
		if (stop)
			return stop;
	}
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

static int open_events(struct engine *en, struct reader *r, struct err *e)
{
	char link[64];

	r->dir = path_mkdirs(store_run_fd(en->store), JOURNAL_DIR, 0700, PATH_NO_SYMLINKS);
	if (r->dir < 0)
		return err_errno(e, r->dir, "opening the journal of events");
	r->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", r->dir);
	if (r->watch < 0 ||
	    inotify_add_watch(r->watch, link, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_errno(e, errno, "watching the journal of events");
	return 0;
}

/* The past: the journal that was moved away, then the present one, which stays open at its end. */
static int read_past(struct reader *r, struct err *e)
{
	_cleanup_(fd_close) int old = -1;
	int stop = 0;

	r->file = path_open_own(r->dir, JOURNAL_FILE, O_RDONLY, 0);
	if (!r->q->since) {
		if (r->file >= 0)
			lseek(r->file, 0, SEEK_END);
		return 0;
	}
	old = path_open_own(r->dir, JOURNAL_OLD, O_RDONLY, 0);
	if (!same_file(old, r->file))
		stop = read_to_end(r, old, e);
	return stop ? stop : read_to_end(r, r->file, e);
}

static int read_new(struct reader *r, struct err *e)
{
	_cleanup_(fd_close) int now = path_open_own(r->dir, JOURNAL_FILE, O_RDONLY, 0);
	int stop = read_to_end(r, r->file, e);

	if (stop || now < 0 || same_file(now, r->file))
		return stop;
	fd_close(&r->file);
	r->file = TAKE_FD(now);
	return read_to_end(r, r->file, e);
}

/* How long to wait, in milliseconds: -1 for ever, 0 where q->until is past. */
static int patience(const struct event_query *q)
{
	int64_t left = (q->until - clock_now() + NS_PER_MS - 1) / NS_PER_MS;

	if (!q->until)
		return -1;
	return left <= 0 ? 0 : (int)MIN(left, (int64_t)INT_MAX);
}

static void forget_changes(int watch)
{
	char changes[4096];

	while (read(watch, changes, sizeof(changes)) > 0)
		;
}

int event_follow(struct engine *en, const struct event_query *q, event_fn fn,
		 void (*idle)(void *arg), void *arg, struct err *e)
{
	_cleanup_(reader_done) struct reader r = {.q = q,
						  .fn = fn,
						  .idle = idle,
						  .arg = arg,
						  .dir = -1,
						  .watch = -1,
						  .file = -1,
						  .line = BUF_INIT(JOURNAL_LINE_MAX)};
	int stop = 0;

	if (open_events(en, &r, e) < 0)
		return -1;
	stop = read_past(&r, e);
	while (!stop) {
		struct pollfd f = {.fd = r.watch, .events = POLLIN};
		int wait = patience(q);

		if (idle)
			idle(arg);
		if (wait == 0)
			return 0;
		if (poll(&f, 1, wait) > 0)
			forget_changes(r.watch);
		stop = read_new(&r, e);
	}
	return stop;
}
