/* SPDX-License-Identifier: Apache-2.0 */
/* What running containers use, and which processes they have. */
#ifndef KOGGE_ENGINE_CONTAINER_STATS_H
#define KOGGE_ENGINE_CONTAINER_STATS_H

#include "engine/engine.h"

/* One look at a container. Zeroes (and running unset) for one that does not run. Where it has no
 * cgroup that counts a figure (docs/design/0013), the figure is the sum of its living processes. */
struct container_figures {
	char id[ID_SIZE];
	char name[129];
	bool running;
	int64_t at;      /* CLOCK_MONOTONIC, nanoseconds, when the processor time was read */
	uint64_t cpu_ns; /* processor time since its start */
	uint64_t memory; /* bytes, without the page cache that nothing uses now */
	uint64_t memory_limit;
	uint64_t received, sent; /* bytes on its network interfaces */
	uint64_t read, written;  /* bytes from and to block devices */
	uint64_t pids;
};

/* Fills RET for the container REF. */
int container_figures(struct engine *en, const char *ref, struct container_figures *ret,
		      struct err *e);

/* Docker's `top`: {"Titles": [...], "Processes": [[...], ...]} from the host's ps with ARGS
 * (NULL-terminated; none: -ef), only the processes of the container. ERR_CONFLICT where it does
 * not run. A reference owned by the caller, or NULL with E set. */
json_t *container_top(struct engine *en, const char *ref, const char *const *args, struct err *e);

#endif
