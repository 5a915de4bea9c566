/* SPDX-License-Identifier: Apache-2.0 */
/* What tells of the registry itself: health, readiness and metrics. */
#include "base/fd.h"
#include "base/str.h"
#include "registry/events.h"
#include "registry/registry-internal.h"

static void text(struct request *r, unsigned status)
{
	reply_status(r, status);
	reply_header(r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
}

/* Ready is who can read its storage. */
static void health_end(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct err e = ERR_INIT;
	struct storage_stat st;
	bool ready = s->ops->stat(s, "kogge-registry", &st, &e) == 0 || e.class == ERR_NOT_FOUND;

	text(r, ready ? 200 : 503);
	if (buf_puts(&r->reply.body, ready ? "ok\n" : "the storage cannot be read\n") < 0)
		reply_status(r, 500);
}

/* Prometheus' text format. */
static void metrics_end(struct request *r)
{
	struct registry *g = r->registry;
	struct buf *b = &r->reply.body;
	int k;

	text(r, 200);
	k = buf_puts(b, "# HELP kogge_registry_requests_total Requests that were answered.\n"
			"# TYPE kogge_registry_requests_total counter\n");
	for (unsigned i = 2; i <= 5 && k == 0; i++)
		k = buf_printf(b, "kogge_registry_requests_total{status=\"%uxx\"} %llu\n", i,
			       (unsigned long long)g->requests[i]);
	if (k == 0)
		k = buf_printf(b,
			       "# HELP kogge_registry_received_bytes_total Bytes of bodies that "
			       "came.\n"
			       "# TYPE kogge_registry_received_bytes_total counter\n"
			       "kogge_registry_received_bytes_total %llu\n"
			       "# HELP kogge_registry_sent_bytes_total Bytes of bodies that were "
			       "sent.\n"
			       "# TYPE kogge_registry_sent_bytes_total counter\n"
			       "kogge_registry_sent_bytes_total %llu\n",
			       (unsigned long long)g->received, (unsigned long long)g->sent);
	if (k == 0 && g->events) {
		uint64_t told, lost;

		events_count(g->events, &told, &lost);
		k = buf_printf(b,
			       "# HELP kogge_registry_events_total Events by web hook.\n"
			       "# TYPE kogge_registry_events_total counter\n"
			       "kogge_registry_events_total{end=\"told\"} %llu\n"
			       "kogge_registry_events_total{end=\"lost\"} %llu\n",
			       (unsigned long long)told, (unsigned long long)lost);
	}
	if (k < 0)
		reply_status(r, 500);
}

const struct endpoint_ops endpoint_health = {.end = health_end};
const struct endpoint_ops endpoint_metrics = {.end = metrics_end};
