/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of exec. */
#ifndef KOGGE_RUNTIME_EXEC_INTERNAL_H
#define KOGGE_RUNTIME_EXEC_INTERNAL_H

#include "runtime/cgroup-setup.h"
#include "runtime/exec.h"
#include "runtime/plan-build.h"

/* How a process gets into the namespaces of its target. */
enum exec_way {
	EXEC_BORN,   /* born in the PID namespace, joins the others by the pidfd */
	EXEC_FORKED, /* joins all by the pidfd and goes on in a child: the caller alone may not
			enter the PID namespace (a user namespace has to be joined first) */
	EXEC_FILES,  /* as EXEC_BORN, by the files of /proc: before Linux 5.8 */
};

/* What an exec's plan is built from. */
struct exec_plan {
	const struct runtime_exec *x;
	const struct runtime_cgroup *cgroup; /* NULL: not joined */
	bool in_cgroup2;                     /* born in the cgroup of version 2 */
	enum exec_way way;
	uint64_t join; /* CLONE_NEW... in which the target is elsewhere */
	int proc;      /* the caller's procfs */
};

/* Builds the plan; PLAN must be PLAN_INIT and needs plan_done also after a failure. */
int exec_plan_build(const struct exec_plan *in, struct plan *plan, struct err *e);

/* Opens the cgroups that X names. *RET is NULL where it names none or the machine has none. */
int exec_cgroup_open(const struct runtime_exec *x, struct runtime_cgroup **ret, struct err *e);

/* Puts the cgroup in which the target itself is, below the container's, in the place of C's
 * directory of version 2: a container that has cgroups of its own keeps no process in its top one
 * (cgroup-v2.rst, "No Internal Process Constraint"). */
int exec_cgroup_of_target(const struct runtime_exec *x, int proc, struct runtime_cgroup *c,
			  struct err *e);

#endif
