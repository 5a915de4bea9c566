/* SPDX-License-Identifier: Apache-2.0 */
/* What kogge-remote gives up before it hears of a server. */
#ifndef KOGGE_REMOTE_CONFINE_H
#define KOGGE_REMOTE_CONFINE_H

#include "base/err.h"

/* No capability, no new privileges, no core with credentials in it; no program is executed and no
 * child made but threads; of files only those of libraries, name service and certificates are read
 * and none changed (where the kernel has Landlock); sockets of the Internet and of the name service
 * alone. Before threads are started. */
int remote_confine(struct err *e);

#endif
