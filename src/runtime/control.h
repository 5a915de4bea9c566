/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to a container that runs, through its cgroup: freezing, signals to all of it,
 * limits, and who is in it. Nothing of it is recorded: the kernel is asked, so that a verb that is
 * killed leaves no state that says otherwise. STATE is one that was read (runtime/state.h). */
#ifndef KOGGE_RUNTIME_CONTROL_H
#define KOGGE_RUNTIME_CONTROL_H

#include "base/err.h"
#include "runtime/cgroup-setup.h"
#include "runtime/state.h"

#include <sys/types.h>

/* As container_state_refresh, and running or paused as the kernel has it. */
int runtime_refresh(struct container_state *s, int *ret_pidfd, struct err *e);

/* Opens the container's cgroup. *RET is NULL where it has none or the machine has none; an absent
 * one is ERR_NOT_FOUND. */
int runtime_cgroup_open(const struct container_state *s, struct runtime_cgroup **ret,
			struct err *e);

/* Stops all processes (FROZEN), or lets them go on, and waits until that has happened.
 * ERR_UNSUPPORTED where there is no freezer. */
int runtime_freeze(const struct container_state *s, bool frozen, struct err *e);

/* Sends SIGNO to every process of the cgroup and below it. Returns 1, or 0 where there is no
 * cgroup, and nothing was sent. */
int runtime_signal_all(const struct container_state *s, int signo, struct err *e);

/* Sets what R holds, and only that: an empty device list leaves the devices alone. On failure some
 * of it may be set. */
int runtime_update(const struct container_state *s, const struct oci_resources *r, struct err *e);

/* Kills what runs in the cgroup that a container ID of CONFIG (NULL: not known) would have, and
 * removes it: for a forced delete where the state cannot be read. */
int runtime_remove_unknown(const char *id, const struct runtime_config *config, struct err *e);

/* The processes in the cgroup and below it, as the caller's PID namespace counts; *RET is heap
 * memory owned by the caller. */
int runtime_pids(const struct container_state *s, pid_t **ret, size_t *ret_n, struct err *e);

#endif
