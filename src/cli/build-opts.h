/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of `build`, as the parser stores them. */
#ifndef KOGGE_CLI_BUILD_OPTS_H
#define KOGGE_CLI_BUILD_OPTS_H

#include "cli/cli.h"

/* All of them; what was not given is NULL, 0 or empty. */
struct build_opts {
	const char *file, *target, *platform, *call, *network, *progress, *iidfile, *metadata_file;
	const char *cgroup_parent;
	bool check, quiet, no_cache, pull, explain, verify_reproducible, force_rm, rm, squash, load;
	int64_t memory, memory_swap, shm_size, cpu_shares, cpu_period, cpu_quota;
	const char *cpuset_cpus, *cpuset_mems;
	struct cli_list args, tags, labels, secrets, ssh, add_host, ulimits, outputs, contexts;
	struct cli_list annotations, no_cache_filter, allow, cache_from, cache_to;
	struct cli_list security_opt;
};

/* Builds. Returns the exit code. */
int build_make(struct cli_context *c, const struct build_opts *o, const char *context,
	       struct err *e);

#endif
