/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has printed, read from its log (monitor/log.h), and what it prints. */
#ifndef KOGGE_ENGINE_CONTAINER_LOGS_H
#define KOGGE_ENGINE_CONTAINER_LOGS_H

#include "engine/engine.h"
#include "monitor/log.h"

/* Gets each record in the order of the log: lines, or parts of long ones. Non-zero ends the
 * reading. */
typedef int (*logs_fn)(void *arg, const struct log_record *r, struct err *e);

struct logs_opts {
	bool follow;
	int64_t tail;         /* lines; -1: all */
	int64_t since, until; /* Unix nanoseconds; 0: none */
	logs_fn fn;
	void (*idle)(void *arg); /* called whenever all that is there has been given; may be NULL */
	void *arg;               /* of both */
};

/* Calls o->fn for what O asks for; with o->follow until the container ends. What it returned, or 0,
 * or -1 with E set: ERR_NOT_FOUND, ERR_UNSUPPORTED where the log driver keeps nothing that could be
 * read. */
int container_logs(struct engine *en, const char *ref, const struct logs_opts *o, struct err *e);

/* Attaches the descriptors of A to the running container REF: returns when it ended, or its user
 * left (RET->detached). RET->lost_kb: kilobytes of output that this client was too slow for. */
int container_attach(struct engine *en, const char *ref, const struct attach_opts *a,
		     struct container_exit *ret, struct err *e);

#endif
