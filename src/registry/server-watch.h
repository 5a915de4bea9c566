/* SPDX-License-Identifier: Apache-2.0 */
/* Ends connections that take too long to say what they want, however steadily they trickle. */
#ifndef KOGGE_REGISTRY_SERVER_WATCH_H
#define KOGGE_REGISTRY_SERVER_WATCH_H

#include "base/err.h"

struct watch;
struct watched;

/* Watches with a thread of its own: a connection has SECONDS for the head of each request. NULL
 * with E set. */
struct watch *watch_new(unsigned seconds, struct err *e);

/* Ends the thread and frees W; NULL is allowed. No connection is watched any more then. */
void watch_free(struct watch *w);

/* Begins to watch the connection FD; NULL when out of memory, which the others allow. */
struct watched *watch_add(struct watch *w, int fd);

/* The head of a request is there (BUSY), or its answer was sent. */
void watch_set(struct watch *w, struct watched *c, bool busy);

/* The connection ends: before its descriptor is closed. */
void watch_remove(struct watch *w, struct watched *c);

#endif
