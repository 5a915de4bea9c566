/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to containers that exist: stop, pause, rename, change of limits. REF as in
 * engine/engine.h. Each tells its events. */
#ifndef KOGGE_ENGINE_CONTAINER_CONTROL_H
#define KOGGE_ENGINE_CONTAINER_CONTROL_H

#include "engine/container-spec.h"
#include "engine/engine.h"

#include <limits.h>

/* How a container is to be stopped. */
struct stop_opts {
	int signal;  /* 0: the container's stop signal, else SIGTERM */
	int timeout; /* seconds until SIGKILL, -1 for ever; STOP_TIMEOUT_DEFAULT: the container's */
	/* Called, where not NULL, with a sentence for the user where the signal cannot have any
	 * effect. */
	void (*notice)(void *arg, const char *text);
	void *arg;
};

#define STOP_TIMEOUT_DEFAULT INT_MIN

/* Asks PID 1 of a running container to end by its stop signal, and after the time-out by SIGKILL;
 * returns when its end is done. One that does not run is no error. Where PID 1 neither handles the
 * signal nor can receive it, waiting is for nothing: then the time-out is only kept where OPTS
 * names one. */
int container_stop(struct engine *en, const char *ref, const struct stop_opts *opts, struct err *e);

/* container_stop, then a start in the background; one that does not run is only started. A
 * container that removes itself stays for this time. */
int container_restart(struct engine *en, const char *ref, const struct stop_opts *opts,
		      struct err *e);

/* Freezes all processes of a running container. ERR_CONFLICT where it does not run or is paused
 * already. */
int container_pause(struct engine *en, const char *ref, struct err *e);
/* Lets them go on. ERR_CONFLICT where it is not paused. */
int container_unpause(struct engine *en, const char *ref, struct err *e);

/* Gives it another name, with or without a leading slash. ERR_INVALID for a name that is none,
 * ERR_CONFLICT where it is taken. */
int container_rename(struct engine *en, const char *ref, const char *name, struct err *e);

/* What `update` changes: fields that were not given stay as they are. */
struct update_spec {
	bool has_memory, has_memory_swap, has_memory_reservation, has_cpu_shares, has_cpu_period,
		has_cpu_quota, has_nano_cpus, has_pids, has_blkio_weight, has_cpuset_cpus,
		has_cpuset_mems;
	int64_t memory, memory_swap, memory_reservation; /* bytes; swap -1: unlimited */
	int64_t cpu_shares, cpu_period, cpu_quota, nano_cpus, pids;
	int64_t blkio_weight;
	const char *cpuset_cpus, *cpuset_mems;
	bool has_restart;
	struct spec_restart restart;
};

/* Changes limits and restart policy of a container, of one that runs at once. */
int container_update(struct engine *en, const char *ref, const struct update_spec *u,
		     struct err *e);

#endif
