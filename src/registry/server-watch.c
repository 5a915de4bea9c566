/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd ends a connection that is silent; one that sends a byte now and then lives for
 * ever. Here each has a time at which it began to wait for the head of a request. Every second
 * those that have waited for too long are shut down, on which libmicrohttpd closes them. Who
 * removes a connection holds the mutex, so that no descriptor is shut down that is another one by
 * now. */
#include "registry/server-watch.h"

#include "base/clock.h"
#include "base/num.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

struct watched {
	struct watched *before, *after;
	int fd;
	int64_t since;
	bool busy, ended;
};

struct watch {
	pthread_mutex_t mutex;
	pthread_cond_t end;
	pthread_t thread;
	struct watched *first;
	int64_t limit;
	bool ends;
};

static void sweep(struct watch *w, int64_t now)
{
	for (struct watched *c = w->first; c; c = c->after)
		if (!c->busy && !c->ended && now - c->since > w->limit) {
			shutdown(c->fd, SHUT_RDWR);
			c->ended = true;
		}
}

static void *run(void *arg)
{
	struct watch *w = arg;
	struct timespec until;

	pthread_mutex_lock(&w->mutex);
	while (!w->ends) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		if (pthread_cond_timedwait(&w->end, &w->mutex, &until) == ETIMEDOUT)
			sweep(w, clock_monotonic());
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

struct watch *watch_new(unsigned seconds, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w) {
		err_errno(e, ENOMEM, "watching connections");
		return NULL;
	}
	w->limit = (int64_t)seconds * (int64_t)NUM_NS_PER_S;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->end, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&w->mutex, NULL);
	r = pthread_create(&w->thread, NULL, run, w);
	if (r == 0)
		return w;
	err_errno(e, r, "watching connections");
	free(w);
	return NULL;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->ends = true;
	pthread_cond_signal(&w->end);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->end);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}

struct watched *watch_add(struct watch *w, int fd)
{
	struct watched *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	c->since = clock_monotonic();
	pthread_mutex_lock(&w->mutex);
	c->after = w->first;
	if (c->after)
		c->after->before = c;
	w->first = c;
	pthread_mutex_unlock(&w->mutex);
	return c;
}

void watch_set(struct watch *w, struct watched *c, bool busy)
{
	if (!c)
		return;
	pthread_mutex_lock(&w->mutex);
	c->busy = busy;
	c->since = clock_monotonic();
	pthread_mutex_unlock(&w->mutex);
}

void watch_remove(struct watch *w, struct watched *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&w->mutex);
	if (c->before)
		c->before->after = c->after;
	else
		w->first = c->after;
	if (c->after)
		c->after->before = c->before;
	pthread_mutex_unlock(&w->mutex);
	free(c);
}
