/* SPDX-License-Identifier: Apache-2.0 */
/* Tells others by web hook what happened to manifests and tags, in the form of Docker's registry
 * (distribution/docs: "Notifications"). Nothing that happens waits for it. */
#ifndef KOGGE_REGISTRY_EVENTS_H
#define KOGGE_REGISTRY_EVENTS_H

#include "registry/registry.h"
#include "registry/webhook.h"

/* What is told; a set. */
enum event_action { EVENT_PUSH = 1 << 0, EVENT_PULL = 1 << 1, EVENT_DELETE = 1 << 2 };

/* Who is told. Strings are borrowed. */
struct event_sink {
	struct webhook_url url;
	const char *repositories;  /* a pattern (access.h) */
	const char *authorization; /* a header's value, or NULL */
	unsigned actions;          /* enum event_action */
	uint32_t queue;            /* events that wait at most; of more some are lost */
};

struct events;

/* Begins a thread for each sink, with what the storage has kept for it. The storage and the sinks
 * must live as long. NULL with E set. */
struct events *events_new(struct storage *storage, const struct event_sink *sinks, size_t n,
			  struct err *e);

/* Ends it and frees V, which may be NULL; what was not told by then is kept in the storage. -1 with
 * E set (or NULL) where that failed: then it is lost. */
int events_end(struct events *v, struct err *e);

/* Notes that ACTION was done by R with its manifest D (NULL: only its tag) of the type TYPE (NULL:
 * not known). V may be NULL. */
void events_note(struct events *v, const struct request *r, enum event_action action,
		 const struct content_digest *d, const char *type);

/* How many were told, and how many were lost because too many waited. */
void events_count(struct events *v, uint64_t *ret_told, uint64_t *ret_lost);

#endif
