/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what happened to containers, images and volumes, as `kogge events` shows it. Told by the
 * process that did it, right after it is true; kept in the journal of the run root
 * (monitor/journal.h), from where any process reads it. Telling never fails: an event that cannot
 * be written is lost. */
#ifndef KOGGE_ENGINE_EVENT_H
#define KOGGE_ENGINE_EVENT_H

#include "base/err.h"

#include <jansson.h>

struct buf;
struct container;
struct engine;

/* -- telling ---------------------------------------------------------------------------------- */

#define EVENT_CONTAINER "container"
#define EVENT_IMAGE     "image"
#define EVENT_VOLUME    "volume"
#define EVENT_NETWORK   "network"
#define EVENT_BUILDER   "builder"

/* Tells that ACTION happened to the container C: "create", "start", "attach", "die", "destroy",
 * "kill", "stop", "pause", "exec_create: ls" (docs/formats/events.md has all). The attributes are
 * its labels, "image" and "name", and EXTRA: pairs of key and value that end with NULL, or NULL. */
void event_container(struct engine *en, const struct container *c, const char *action,
		     const char *const *extra);

/* "kill" with the signal's number. */
void event_container_killed(struct engine *en, const struct container *c, int signo);

/* "die" with exitCode and execDuration of C, as its fields have them now. */
void event_container_died(struct engine *en, const struct container *c);

/* The same attributes as members of a JSON object without braces, for a program that tells its
 * events without the engine (struct journal_event). 0 or a negative errno. */
int event_container_attributes(const struct container *c, const char *const *extra,
			       struct buf *out);

/* Tells that ACTION happened to what ID names: for an image its ID or reference, for a volume its
 * name. EXTRA as above. An image has the attribute "name" (its reference, else its ID). */
void event_object(struct engine *en, const char *type, const char *action, const char *id,
		  const char *const *extra);

/* -- reading ---------------------------------------------------------------------------------- */

/* Which events. Vectors are NULL-terminated or NULL (all); values of one are alternatives, except
 * labels, which must all match; the vectors must all match. */
struct event_query {
	int64_t since; /* Unix nanoseconds; 0: only what happens from now on */
	int64_t until; /* Unix nanoseconds; 0: for ever */
	const char *const *type,
		*const *event, *const *container,
				       *const *image,
					       *const *volume,
						       *const *network,
							       *const *label,
								       *const *scope,
									       *const *daemon;
};

/* Gets each event, oldest first, as Docker's JSON: Type, Action, Actor{ID, Attributes}, scope,
 * time, timeNano, and status, id, from where Docker has them. Borrowed. Non-zero ends the reading.
 */
typedef int (*event_fn)(void *arg, const json_t *event, struct err *e);

/* Calls FN for the events of Q: those of the past (from q->since), and then those that come, until
 * q->until, for which it waits. IDLE, which may be NULL, is called whenever all that is there has
 * been given: before it waits (to flush an output). Returns what FN returned, 0 at q->until, -1
 * with E set. Lines that are damaged are left out. */
int event_follow(struct engine *en, const struct event_query *q, event_fn fn,
		 void (*idle)(void *arg), void *arg, struct err *e);

/* Whether the event matches Q (its times apart). */
bool event_matches(const struct event_query *q, const json_t *event);

#endif
