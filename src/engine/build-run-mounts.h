/* SPDX-License-Identifier: Apache-2.0 */
/* RUN --mount: from what the Dockerfile says to descriptors. */
#ifndef KOGGE_ENGINE_BUILD_RUN_MOUNTS_H
#define KOGGE_ENGINE_BUILD_RUN_MOUNTS_H

#include "engine/build-op-internal.h"
#include "engine/build-run.h"

struct build_mount_source;

/* The mounts of one step, open. */
struct build_mounts {
	struct build_run_mount *v;
	size_t n;
	const char **env; /* secrets as variables */
	size_t n_env;
	struct build_mount_source *sources; /* what has to be closed */
	size_t n_sources;
};

/* Opens the mounts of P. Waits for cache mounts with sharing=locked. Strings live in A. RET is to
 * be closed also after a failure. ERR_NOT_FOUND for secrets and agents that are required and were
 * not given, ERR_HOSTILE for sources that lead out of their tree. */
int build_mounts_open(struct engine *en, const struct build_step *s, const struct run_params *p,
		      struct arena *a, struct build_mounts *ret, struct err *e);

void build_mounts_done(struct build_mounts *m);

#endif
