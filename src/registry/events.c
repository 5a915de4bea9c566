/* SPDX-License-Identifier: Apache-2.0 */
/* Each sink has a queue of bounded length in memory and a thread that sends its head until that is
 * taken, so that order holds; between attempts it waits 1, 2, 4 ... 60 seconds. Whoever notes an
 * event only appends to queues. What waits when the server ends is kept in the storage, and the
 * next server begins with it. */
#include "registry/events.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "registry/access.h"
#include "registry/event-spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define TYPE         "application/vnd.docker.distribution.events.v1+json"
#define POST_SECONDS 10
#define WAIT_MAX_NS  (60 * (int64_t)NUM_NS_PER_S)
#define EVENT_MAX    ((size_t)8192)

struct event {
	struct event *next;
	size_t n;
	char text[];
};

struct queue {
	struct events *events;
	const struct event_sink *sink;
	pthread_t thread;
	pthread_cond_t change;
	struct event *first, **end;
	size_t n;
	bool sending; /* the first one is on its way */
	bool started;
};

struct events {
	struct storage *storage;
	pthread_mutex_t mutex;
	uint64_t told, lost;
	bool ends;
	size_t n;
	struct queue queues[];
};

/* Under the mutex. */
static void drop_first(struct queue *q)
{
	struct event *first = q->first;

	q->first = first->next;
	if (!q->first)
		q->end = &q->first;
	q->n--;
	free(first);
}

/* Under the mutex: waits NS nanoseconds, or until it ends. */
static void wait_ns(struct queue *q, int64_t ns)
{
	int64_t until = clock_monotonic() + ns;
	const struct timespec t = {.tv_sec = (time_t)(until / (int64_t)NUM_NS_PER_S),
				   .tv_nsec = (long)(until % (int64_t)NUM_NS_PER_S)};

	while (!q->events->ends &&
	       pthread_cond_timedwait(&q->change, &q->events->mutex, &t) != ETIMEDOUT)
		continue;
}

/* Under the mutex, which it gives up meanwhile; whether the first event was taken. */
static bool send_first(struct queue *q)
{
	const struct webhook_body body = {.type = TYPE,
					  .authorization = q->sink->authorization,
					  .data = q->first->text,
					  .n = q->first->n};
	int k;

	q->sending = true;
	pthread_mutex_unlock(&q->events->mutex);
	k = webhook_post(&q->sink->url, &body, POST_SECONDS, NULL);
	pthread_mutex_lock(&q->events->mutex);
	q->sending = false;
	return k == 0;
}

static void *run(void *arg)
{
	struct queue *q = arg;
	struct events *v = q->events;
	int64_t pause = (int64_t)NUM_NS_PER_S;

	pthread_mutex_lock(&v->mutex);
	while (!v->ends) {
		if (!q->first) {
			pthread_cond_wait(&q->change, &v->mutex);
		} else if (send_first(q)) {
			v->told++;
			drop_first(q);
			pause = (int64_t)NUM_NS_PER_S;
		} else {
			wait_ns(q, pause);
			pause = MIN(2 * pause, WAIT_MAX_NS);
		}
	}
	pthread_mutex_unlock(&v->mutex);
	return NULL;
}

/* Under the mutex. */
static void append(struct queue *q, const char *text, size_t n)
{
	struct event *event = malloc(sizeof(*event) + n);

	/* The first one may be on its way; then the newest is the one that has no place. */
	if (event && q->n >= q->sink->queue) {
		q->events->lost++;
		if (q->sending) {
			free(event);
			return;
		}
		drop_first(q);
	}
	if (!event)
		return;
	event->next = NULL;
	event->n = n;
	memcpy(event->text, text, n);
	*q->end = event;
	q->end = &event->next;
	q->n++;
	pthread_cond_signal(&q->change);
}

static void kept(void *arg, const char *text, size_t n)
{
	append(arg, text, n);
}

static int start(struct queue *q, struct err *e)
{
	pthread_condattr_t attr;
	int k;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->change, &attr);
	pthread_condattr_destroy(&attr);
	q->end = &q->first;
	if (event_spool_take(q->events->storage, &q->sink->url, kept, q, e) < 0)
		return -1;
	k = pthread_create(&q->thread, NULL, run, q);
	q->started = k == 0;
	return k ? err_errno(e, k, "telling of events") : 0;
}

struct events *events_new(struct storage *storage, const struct event_sink *sinks, size_t n,
			  struct err *e)
{
	struct events *v = calloc(1, sizeof(*v) + n * sizeof(v->queues[0]));

	if (!v) {
		err_errno(e, ENOMEM, "telling of events");
		return NULL;
	}
	v->storage = storage;
	pthread_mutex_init(&v->mutex, NULL);
	for (size_t i = 0; i < n; i++) {
		v->n++;
		v->queues[i].events = v;
		v->queues[i].sink = &sinks[i];
		if (start(&v->queues[i], e) < 0) {
			events_end(v, NULL);
			return NULL;
		}
	}
	return v;
}

/* Keeps what was not told. */
static int keep(struct queue *q, struct err *e)
{
	_cleanup_(buf_done) struct buf lines = BUF_INIT(EVENT_SPOOL_MAX);
	int r = 0;

	while (q->first && r == 0) {
		const struct event *first = q->first;

		if (lines.len + first->n + 1 > EVENT_SPOOL_MAX) {
			r = event_spool_put(q->events->storage, &q->sink->url, &lines, e);
			buf_clear(&lines);
		}
		if (r == 0 &&
		    (buf_put(&lines, first->text, first->n) < 0 || buf_putc(&lines, '\n') < 0))
			r = err_errno(e, ENOMEM, "keeping events");
		drop_first(q);
	}
	while (q->first)
		drop_first(q);
	return r < 0 || lines.len == 0
		       ? r
		       : event_spool_put(q->events->storage, &q->sink->url, &lines, e);
}

int events_end(struct events *v, struct err *e)
{
	int r = 0;

	if (!v)
		return 0;
	pthread_mutex_lock(&v->mutex);
	v->ends = true;
	for (size_t i = 0; i < v->n; i++)
		pthread_cond_broadcast(&v->queues[i].change);
	pthread_mutex_unlock(&v->mutex);
	for (size_t i = 0; i < v->n; i++) {
		struct queue *q = &v->queues[i];

		if (q->started)
			pthread_join(q->thread, NULL);
		if (keep(q, e) < 0)
			r = -1;
		pthread_cond_destroy(&q->change);
	}
	pthread_mutex_destroy(&v->mutex);
	free(v);
	return r;
}

static const char *event_name(enum event_action a)
{
	return a == EVENT_PUSH ? "push" : a == EVENT_PULL ? "pull" : "delete";
}

/* The document of one event; an empty buffer when out of memory. */
static void write_event(struct buf *out, const struct request *r, enum event_action action,
			const struct content_digest *d, const char *type)
{
	_cleanup_(json_unref) json_t *j = NULL;
	const char *reference = r->route.reference;
	const char *tag = name_is_tag(reference) ? reference : NULL;
	char now[CLOCK_TEXT_SIZE], id[33];
	unsigned char raw[16];

	if (random_bytes(raw, sizeof(raw)) < 0)
		return;
	hex_encode(raw, sizeof(raw), id);
	j = json_pack("{s[{ss ss ss s{ss ss* ss* ss*} s{ss ss} s{ss}}]}", "events", "id", id,
		      "timestamp", clock_format(clock_now(), now), "action", event_name(action),
		      "target", "repository", r->route.repository, "digest", d ? d->text : NULL,
		      "mediaType", type, "tag", tag, "request", "addr", r->client ? r->client : "",
		      "method",
		      action == EVENT_PUSH   ? "PUT"
		      : action == EVENT_PULL ? "GET"
					     : "DELETE",
		      "actor", "name", r->user);
	if (!j || json_write(j, 0, out) < 0)
		buf_clear(out);
}

void events_note(struct events *v, const struct request *r, enum event_action action,
		 const struct content_digest *d, const char *type)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(EVENT_MAX);

	for (size_t i = 0; v && i < v->n; i++) {
		struct queue *q = &v->queues[i];

		if (!(q->sink->actions & action) ||
		    !pattern_matches(q->sink->repositories, r->route.repository))
			continue;
		if (text.len == 0)
			write_event(&text, r, action, d, type);
		if (text.len == 0)
			return;
		pthread_mutex_lock(&v->mutex);
		append(q, buf_str(&text), text.len);
		pthread_mutex_unlock(&v->mutex);
	}
}

void events_count(struct events *v, uint64_t *ret_told, uint64_t *ret_lost)
{
	pthread_mutex_lock(&v->mutex);
	*ret_told = v->told;
	*ret_lost = v->lost;
	pthread_mutex_unlock(&v->mutex);
}
