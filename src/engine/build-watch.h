/* SPDX-License-Identifier: Apache-2.0 */
/* What a killed build leaves running. The steps of a build are children of the building process,
 * and the kernel does not end them with it: a small process of our own, which no signal of the
 * terminal reaches, knows the cgroups of all steps and ends them when its pipe to the builder
 * breaks. */
#ifndef KOGGE_ENGINE_BUILD_WATCH_H
#define KOGGE_ENGINE_BUILD_WATCH_H

#include "base/err.h"

struct build_watch;
struct engine;

/* Starts the watcher. To be made before the first step. */
int build_watch_new(struct engine *en, struct build_watch **ret, struct err *e);

/* Ends it; steps that it still knows are killed by it. Accepts NULL. */
void build_watch_free(struct build_watch *w);
DEFINE_FREEP(struct build_watch, build_watch_free)

/* From here on the step ID (its run directory's name) with the cgroup CGROUP goes with us. */
int build_watch_add(struct build_watch *w, const char *id, const char *cgroup, struct err *e);

/* The step has ended, and nothing is left of it. */
void build_watch_remove(struct build_watch *w, const char *id);

/* The folder in the run directory in which the steps have theirs. */
#define BUILD_RUN_DIR "builds"

#endif
