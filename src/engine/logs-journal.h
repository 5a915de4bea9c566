/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the journald driver has logged, by journalctl(1) of the host: its JSON form
 * (systemd's "Journal Export Formats"), one object on each line. */
#ifndef KOGGE_ENGINE_LOGS_JOURNAL_H
#define KOGGE_ENGINE_LOGS_JOURNAL_H

#include "base/buf.h"
#include "engine/container-logs.h"

#include <jansson.h>

/* Calls o->fn for the records of container ID. With o->follow and SOCK (the monitor's, -1 for none)
 * goes on until ENDED tells that the container has ended. What o->fn returned, or -1 with E;
 * ERR_UNSUPPORTED where there is no journalctl. */
int logs_journal(const char *id, const struct logs_opts *o, int sock, bool (*ended)(int sock),
		 struct err *e);

/* Turns DOC, a line of journalctl's, into RET, whose data points into TEXT. -EINVAL where it is no
 * record with a message; -ENOMEM. */
int logs_journal_record(const json_t *doc, struct buf *text, struct log_record *ret);

#endif
