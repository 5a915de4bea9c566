/* SPDX-License-Identifier: Apache-2.0 */
/* The agent that decides about system calls of a container (config-linux.md, "The Container
 * Process State"). */
#ifndef KOGGE_RUNTIME_LISTENER_H
#define KOGGE_RUNTIME_LISTENER_H

#include "base/err.h"
#include "base/seccomp-profile.h"

#include <sys/types.h>

/* Sends the descriptor LISTENER (borrowed) of the process PID to the agent at P->listener_path,
 * with the container's state, which is the JSON text STATE. Returns 0, or -1 with E set. */
int runtime_listener_send(const struct seccomp_profile *p, const char *state, pid_t pid,
			  int listener, struct err *e);

#endif
