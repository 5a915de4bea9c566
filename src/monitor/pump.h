/* SPDX-License-Identifier: Apache-2.0 */
/* A pump moves bytes from one descriptor to another without ever blocking its process, and tells
 * the event loop which single event it waits for. Pipes are spliced: no byte passes through the
 * process. It is driven by poll(2): ask pump_poll, wait, call pump_run. */
#ifndef KOGGE_MONITOR_PUMP_H
#define KOGGE_MONITOR_PUMP_H

#include "base/macro.h"

#include <poll.h>

enum pump_state {
	PUMP_IDLE,       /* nothing to move: not connected */
	PUMP_WAIT_READ,  /* the source is empty */
	PUMP_WAIT_WRITE, /* the target is full */
	PUMP_EOF,        /* the source ended; all of it was written */
	PUMP_BROKEN,     /* the target broke and the source was closed with it */
};

enum pump_flags {
	PUMP_CLOSE_TO = 1 << 0,   /* close the target when the source ends */
	PUMP_CLOSE_FROM = 1 << 1, /* close the source when the target breaks; else drain it */
};

struct pump {
	int from, to; /* owned; -1 after they were closed */
	unsigned flags;
	enum pump_state state;
	bool spliced;
	bool broke; /* the target broke at some time */
	char *data; /* where splicing is not possible: bytes read and not yet written */
	size_t at, n;
};

#define PUMP_INIT ((struct pump){.from = -1, .to = -1})

/* Takes both descriptors. FROM is read only when it is ready, so it may block. TO must not block
 * where it is a pipe or terminal: give it O_NONBLOCK, or a description of its own where it is
 * shared (fd_reopen). TO may be -1: the source is drained to nowhere. */
void pump_init_take(struct pump *p, int from, int to, unsigned flags);

/* Closes what is left and frees. */
void pump_done(struct pump *p);

/* Whether the pump waits for something; fills *RET with the event. */
bool pump_poll(const struct pump *p, struct pollfd *ret);

/* Moves as much as it can now. Returns the new state. */
enum pump_state pump_run(struct pump *p);

/* Gives the target up (its owner is gone): the source is drained to nowhere, or closed with
 * PUMP_CLOSE_FROM. */
void pump_drop_target(struct pump *p);

#endif
