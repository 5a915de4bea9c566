/* SPDX-License-Identifier: Apache-2.0 */
/* Hybrid: controllers are on hierarchies of version 1, the unified hierarchy is mounted beside
 * them, perhaps with some controllers of its own. Every container has a directory in the unified
 * one, for cgroup.kill, cgroup.freeze and the CPU time that it counts without any controller; the
 * freezer of version 1 is not used. Each controller is set by the version that has it. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <stdio.h>

static bool is_on_v2(const struct cgroup_host *host, uint32_t controller)
{
	int i = cgroup_find(host, controller);

	return i < 0 || (host->h[i].controllers & CGROUP_UNIFIED);
}

static int hybrid_make(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault)
{
	int r = cgroup_v2_make(cg, need, fault);

	return r < 0 ? r : cgroup_v1_make(cg, need, fault);
}

static int hybrid_set(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *limits,
		      struct cgroup_fault *fault)
{
	if (is_on_v2(cg->host, controller))
		return cgroup_v2_set(cg, controller, limits, fault);
	return cgroup_v1_set(cg, controller, limits, fault);
}

/* Version 1 counts what version 2 does not, and where both do its figure stands. */
static void hybrid_stats(const struct cgroup *cg, struct cgroup_stats *ret)
{
	cgroup_v2_stats(cg, ret);
	cgroup_v1_stats(cg, ret);
}

const struct cgroup_ops cgroup_hybrid_ops = {
	.base_need = CGROUP_UNIFIED,
	.make = hybrid_make,
	.set = hybrid_set,
	.kill = cgroup_v2_kill,
	.freeze = cgroup_v2_freeze,
	.stats = hybrid_stats,
};
