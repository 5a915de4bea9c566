/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration to a plan. Everything of the host that the container gets (bind sources,
 * root, devices, cgroup directories) is opened here, and nothing of the container is looked at. */
#ifndef KOGGE_RUNTIME_PLAN_BUILD_H
#define KOGGE_RUNTIME_PLAN_BUILD_H

#include "runtime/container.h"
#include "runtime/plan.h"

/* What a plan is built from. */
struct plan_input {
	const struct runtime_opts *o;
	const struct runtime_config *config;
	bool no_clones; /* no detached mounts can be made here: the stage makes all */
	bool in_userns; /* the runtime is in a user namespace: no device nodes */
	const struct runtime_cgroup *cgroup;  /* NULL: the container gets none of its own */
	bool in_cgroup2;                      /* it was cloned into its cgroup of version 2 */
	bool wait;                            /* stop before exec (create) */
	int listen_fd;                        /* for `start` by another process, or -1 */
	const char *create_json, *start_json; /* state for createContainer and startContainer */
	int state_fd; /* the filter is kept in its file CONTAINER_FILTER_FILE; -1: not */
};

/* Builds the plan of a container's first process. PLAN must be PLAN_INIT and needs plan_done also
 * after a failure. Returns 0, or -1 with E set. */
int plan_build(const struct plan_input *in, struct plan *plan, struct err *e);

/* The namespaces (CLONE_NEW...) that clone3 makes for CONFIG; none where the user namespace is
 * entered late (runtime/userns.h). The cgroup namespace is made by a
 * step, after the join: its root is the cgroup of that moment; the time namespace too, because its
 * offsets must be set before anybody is in it. */
uint64_t plan_clone_flags(const struct runtime_config *config);

/* Whether a rule of P asks its listener. */
bool plan_filter_notifies(const struct seccomp_profile *p);

#endif
