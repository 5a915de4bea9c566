/* SPDX-License-Identifier: Apache-2.0 */
/* epoll holds the pointer of each source. What one epoll_wait returned lies in PENDING until it is
 * dispatched; loop_remove strikes a source out of it, so that a callback may remove any other
 * source, and free it, while events for it are still waiting. */
#include "base/loop.h"

#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum kind { KIND_FD = 1, KIND_TIMER, KIND_SIGNALS };

enum { SIGNALS_BATCH = 8 };

int loop_init(struct loop *l)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	*l = LOOP_INIT;
	l->epoll = fd;
	return 0;
}

void loop_done(struct loop *l)
{
	fd_close(&l->epoll);
}

static int watch(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

/* Adds a source with its descriptor; closes that where it fails and is the source's own. */
static int add(struct loop *l, struct loop_source *s, enum kind kind, uint32_t events)
{
	int r;

	s->kind = kind;
	r = watch(l, s, events);
	if (r == 0)
		return 0;
	if (kind == KIND_FD)
		s->fd = -1;
	else
		fd_close(&s->fd);
	return r;
}

int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fn fn)
{
	s->fd = fd;
	s->fn = fn;
	return add(l, s, KIND_FD, events);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add_timer(struct loop *l, struct loop_source *s, loop_fn fn)
{
	s->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	s->fn = fn;
	return s->fd < 0 ? -errno : add(l, s, KIND_TIMER, EPOLLIN);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000)};
}

int loop_timer_set(struct loop_source *s, uint64_t after_ns, uint64_t every_ns)
{
	struct itimerspec t = {.it_value = timespec_of(after_ns),
			       .it_interval = timespec_of(after_ns ? every_ns : 0)};

	return timerfd_settime(s->fd, 0, &t, NULL) < 0 ? -errno : 0;
}

int loop_add_signals(struct loop *l, struct loop_source *s, const int *signals, size_t n,
		     loop_fn fn)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		if (sigaddset(&set, signals[i]) < 0)
			return -EINVAL;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->fn = fn;
	return s->fd < 0 ? -errno : add(l, s, KIND_SIGNALS, EPOLLIN);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	for (int i = 0; i < l->n_pending; i++)
		if (l->pending[i].data.ptr == s)
			l->pending[i].data.ptr = NULL;
	if (s->kind == KIND_FD)
		s->fd = -1;
	else
		fd_close(&s->fd);
}

/* Whether the callback of entry I, just made, left its source in the loop. */
static bool still_there(const struct loop *l, int i)
{
	return l->pending[i].data.ptr != NULL;
}

/* One call per signal. Returns the number of calls. */
static int dispatch_signals(struct loop *l, int i, struct loop_source *s)
{
	struct signalfd_siginfo info[SIGNALS_BATCH];
	ssize_t n = read(s->fd, info, sizeof(info));
	int calls = 0;

	for (ssize_t at = 0; n > 0 && at < n / (ssize_t)sizeof(*info); at++) {
		if (!still_there(l, i))
			break;
		s->fn(l, s, info[at].ssi_signo);
		calls++;
	}
	return calls;
}

static int dispatch_timer(struct loop *l, struct loop_source *s)
{
	uint64_t n = 0;

	/* Nothing to read where the timer was set again after it fired. */
	if (read(s->fd, &n, sizeof(n)) != (ssize_t)sizeof(n) || n == 0)
		return 0;
	s->fn(l, s, (uint32_t)MIN(n, (uint64_t)UINT32_MAX));
	return 1;
}

static int dispatch(struct loop *l, int i)
{
	struct loop_source *s = l->pending[i].data.ptr;

	if (!s)
		return 0;
	switch ((enum kind)s->kind) {
	case KIND_SIGNALS:
		return dispatch_signals(l, i, s);
	case KIND_TIMER:
		return dispatch_timer(l, s);
	case KIND_FD:
		break;
	}
	s->fn(l, s, l->pending[i].events);
	return 1;
}

int loop_step(struct loop *l, int timeout_ms)
{
	int n = epoll_wait(l->epoll, l->pending, LOOP_BATCH, timeout_ms), calls = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	l->n_pending = n;
	for (int i = 0; i < n; i++)
		calls += dispatch(l, i);
	l->n_pending = 0;
	return calls;
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int r = loop_step(l, -1);

		if (r < 0)
			return r;
	}
	return l->result;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}
