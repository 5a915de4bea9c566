/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that run in the runtime's own namespaces (runtime-spec config.md, "POSIX-platform
 * Hooks"). */
#ifndef KOGGE_RUNTIME_HOOKS_H
#define KOGGE_RUNTIME_HOOKS_H

#include "base/err.h"
#include "oci/runtime-config.h"

/* Runs the hooks of POINT in order: each with exactly its own environment, in "/", the state's
 * JSON on stdin, our stderr, killed after its time-out. Stops at the first that fails, with E set
 * (ERR_INVALID). */
int runtime_hooks_run(const struct runtime_config *c, enum oci_hook_point point,
		      const char *state_json, struct err *e);

#endif
