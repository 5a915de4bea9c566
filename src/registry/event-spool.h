/* SPDX-License-Identifier: Apache-2.0 */
/* Events that nobody took before the server ended: objects below "events" of the storage, until a
 * server that tells the same URL begins (docs/formats/registry-directory.md). */
#ifndef KOGGE_REGISTRY_EVENT_SPOOL_H
#define KOGGE_REGISTRY_EVENT_SPOOL_H

#include "base/buf.h"
#include "registry/storage.h"
#include "registry/webhook.h"

/* At most so much is put at once. */
#define EVENT_SPOOL_MAX ((size_t)1 << 20)

/* Keeps LINES (up to EVENT_SPOOL_MAX bytes, an event in each) for TO. What is put later is taken
 * later. */
int event_spool_put(struct storage *s, const struct webhook_url *to, const struct buf *lines,
		    struct err *e);

/* Gets one event, N bytes at TEXT that are not its own. */
typedef void event_spool_fn(void *arg, const char *text, size_t n);

/* Calls FN for each event that is kept for TO, in order, and forgets it. What cannot be read stays
 * where it is. */
int event_spool_take(struct storage *s, const struct webhook_url *to, event_spool_fn *fn, void *arg,
		     struct err *e);

#endif
