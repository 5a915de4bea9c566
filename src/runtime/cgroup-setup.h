/* SPDX-License-Identifier: Apache-2.0 */
/* From a configuration's resources to a container's cgroup. */
#ifndef KOGGE_RUNTIME_CGROUP_SETUP_H
#define KOGGE_RUNTIME_CGROUP_SETUP_H

#include "runtime/container.h"

struct arena;

/* The path of the container's cgroup below each hierarchy's root, without a leading '/': the
 * option, config's cgroupsPath, or "kogge/ID", for an ordinary user below its own cgroup. A string
 * in A, or NULL with E set. */
const char *runtime_cgroup_path(const struct runtime_opts *o, struct arena *a, struct err *e);

/* An object without a cgroup yet, with the layout of the machine: KNOWN, whose descriptors are
 * borrowed, or NULL: it is looked for. */
int runtime_cgroup_new(const struct cgroup_host *known, struct runtime_cgroup **ret, struct err *e);
void runtime_cgroup_free(struct runtime_cgroup *c);
DEFINE_FREEP(struct runtime_cgroup, runtime_cgroup_free)

/* runtime_cgroup_create: none was made, because the caller may not and nothing needs it. */
enum { RUNTIME_CGROUP_NONE = 1 };

/* Makes the cgroup PATH with config's limits. On failure nothing of it is left. An ordinary user,
 * and root of a user namespace, has no say about devices, and goes without a cgroup where it may
 * not make one and no limit is asked for. */
int runtime_cgroup_create(struct runtime_cgroup *c, const struct runtime_opts *o, const char *path,
			  struct err *e);

/* Sets the limits in RES, and only these, for the open cgroup of C. An empty device list leaves the
 * devices alone; another one replaces them. */
int runtime_cgroup_update(struct runtime_cgroup *c, const struct oci_resources *res, struct err *e);

/* Kills what runs in the cgroup PATH and removes it; an absent one is no error. KNOWN as for
 * runtime_cgroup_new. */
int runtime_cgroup_destroy(const struct cgroup_host *known, const char *path, struct err *e);

#endif
