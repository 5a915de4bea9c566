/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces of containers: their maps, and when they are entered. */
#ifndef KOGGE_RUNTIME_USERNS_H
#define KOGGE_RUNTIME_USERNS_H

#include "base/err.h"
#include "oci/runtime-config.h"

#include <sys/types.h>

/* Whether the user namespace is entered by the plan and not by clone3: it is joined, or others are
 * joined, which only who is outside of it may. All new namespaces are made after it then, so that
 * they belong to it, and the first process is a child of the stage where its PID namespace is new
 * or joined too (userns_forks). */
bool userns_is_late(const struct runtime_config *c);
bool userns_forks(const struct runtime_config *c);

/* Writes the maps of C for the process PID, which is in its new user namespace: itself, or where
 * that is not permitted by newuidmap and newgidmap. PROC is a procfs. Returns 0, or -1 with E
 * set. */
int userns_write_maps(const struct runtime_config *c, int proc, pid_t pid, struct err *e);

/* Makes a user namespace with the maps of C. Returns its descriptor, or -1 with E set. */
int userns_new(const struct runtime_config *c, struct err *e);

#endif
