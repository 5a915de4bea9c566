/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of systemd as a log: its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
#ifndef KOGGE_MONITOR_LOG_JOURNAL_H
#define KOGGE_MONITOR_LOG_JOURNAL_H

#include "monitor/log.h"

/* Sends R with the fields that Docker gives it. *SOCK is opened where it is negative. 0 or a
 * negative errno: the record is lost. */
int log_journal_send(int *sock, const struct log_config *c, const struct log_record *r);

#endif
