/* SPDX-License-Identifier: Apache-2.0 */
/* A small event loop on epoll: descriptors, processes (pidfd), timers (timerfd), signals
 * (signalfd). A source is embedded in the caller's own struct; the loop allocates nothing. One
 * loop belongs to one thread. Functions return 0 or a negative errno. */
#ifndef KOGGE_BASE_LOOP_H
#define KOGGE_BASE_LOOP_H

#include "base/macro.h"

#include <sys/epoll.h>

struct loop;
struct loop_source;

/* EVENTS are EPOLLIN, ... for descriptors and pidfds; for a timer the number of expirations; for
 * signals the signal's number. May add, change and remove any source, also its own. */
typedef void (*loop_fn)(struct loop *l, struct loop_source *s, uint32_t events);

struct loop_source {
	int fd;
	unsigned kind; /* private to the loop */
	loop_fn fn;
	void *data; /* the caller's */
};

#define LOOP_SOURCE_INIT ((struct loop_source){.fd = -1})

/* How many events one epoll_wait takes at most. */
enum { LOOP_BATCH = 16 };

struct loop {
	int epoll;
	bool stopped;
	int result;
	int n_pending; /* events of this round that are not dispatched yet */
	struct epoll_event pending[LOOP_BATCH];
};

#define LOOP_INIT ((struct loop){.epoll = -1})

/* Makes the epoll descriptor (close-on-exec). */
int loop_init(struct loop *l);

/* Closes the loop's own descriptor. Sources must have been removed where they own one. */
void loop_done(struct loop *l);

/* Watches FD (borrowed: loop_remove does not close it) for EVENTS, level-triggered. A pidfd is
 * such a descriptor, readable (EPOLLIN) when the process has ended. Regular files: -EPERM. */
int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fn fn);

/* Changes what is waited for; 0 pauses all but EPOLLERR and EPOLLHUP. */
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);

/* A timer on CLOCK_BOOTTIME, disarmed; its descriptor belongs to the source. */
int loop_add_timer(struct loop *l, struct loop_source *s, loop_fn fn);

/* Fires once after AFTER_NS (0 disarms), then every EVERY_NS where that is not 0. */
int loop_timer_set(struct loop_source *s, uint64_t after_ns, uint64_t every_ns);

/* Blocks the N signals in this thread and delivers them through the loop, one call per signal;
 * the descriptor belongs to the source. */
int loop_add_signals(struct loop *l, struct loop_source *s, const int *signals, size_t n,
		     loop_fn fn);

/* Takes the source out; closes the descriptor of a timer or signal source. Accepts a source that
 * was never added (fd -1). */
void loop_remove(struct loop *l, struct loop_source *s);

/* Waits at most TIMEOUT_MS (-1: for ever) and dispatches what happened. Returns the number of
 * calls made, 0 after the time. */
int loop_step(struct loop *l, int timeout_ms);

/* Steps until loop_stop; returns its RESULT. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int result);

#endif
