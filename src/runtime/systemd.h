/* SPDX-License-Identifier: Apache-2.0 */
/* A container's cgroup as a scope of systemd (--systemd-cgroup): systemd makes it, knows of it and
 * shows its figures; the limits are written into the files of the cgroup as ever, and told to
 * systemd, so that it does not take them back when it reads its configuration anew.
 *
 * linux.cgroupsPath is "SLICE:PREFIX:NAME", as runc has it. */
#ifndef KOGGE_RUNTIME_SYSTEMD_H
#define KOGGE_RUNTIME_SYSTEMD_H

#include "base/arena.h"
#include "base/err.h"
#include "kernel/cgroup.h"
#include "oci/runtime-config.h"

#include <sys/types.h>

/* A scope. Strings are in an arena or borrowed. */
struct systemd_scope {
	const char *slice; /* "system.slice" */
	const char *unit;  /* "docker-ID.scope" */
	const char *path;  /* its cgroup below each hierarchy's root, without a leading '/' */
};

/* The scope of a container: CGROUPS_PATH, or where that is empty "kogge-ID.scope" in system.slice
 * (of an ordinary user: user.slice). ERR_INVALID where it has another form; ERR_UNSUPPORTED where
 * no systemd runs. */
int systemd_scope_find(const char *cgroups_path, const char *id, struct arena *a,
		       struct systemd_scope *ret, struct err *e);

/* Makes the scope with the process PID in it and returns when it is there. */
int systemd_scope_start(const struct systemd_scope *s, pid_t pid, enum cgroup_mode mode,
			const struct oci_resources *res, struct err *e);

/* Tells systemd of changed limits of UNIT. */
int systemd_scope_update(const char *unit, enum cgroup_mode mode, const struct oci_resources *res,
			 struct err *e);

/* Stops UNIT, where it is still there. */
int systemd_scope_stop(const char *unit, struct err *e);

#endif
