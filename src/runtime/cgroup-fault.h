/* SPDX-License-Identifier: Apache-2.0 */
/* Why a cgroup could not be made or limited, in the words of the configuration. */
#ifndef KOGGE_RUNTIME_CGROUP_FAULT_H
#define KOGGE_RUNTIME_CGROUP_FAULT_H

#include "base/err.h"
#include "kernel/cgroup.h"
#include "oci/runtime-config.h"

/* Sets E for the failure R (negative errno) of cgroup_create or cgroup_set: the path of the field
 * in config.json that asked for it, the controller, where its delegation stops, and what to do.
 * WHAT says what was done, for failures that no field caused. Returns -1. */
int runtime_cgroup_fail(int r, const struct cgroup_fault *f, const struct oci_resources *res,
			const char *what, struct err *e);

#endif
