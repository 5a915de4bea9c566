/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container-each.h"
#include "cli/output.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "engine/container-control.h"
#include "engine/spec-life.h"

#include <stdio.h>

struct opts {
	int64_t blkio_weight, cpu_period, cpu_quota, cpu_shares, cpus, memory, memory_reservation;
	int64_t memory_swap, pids_limit;
	const char *cpuset_cpus, *cpuset_mems, *restart;
	struct update_spec spec; /* filled by run */
};

#define O(field) offsetof(struct opts, field)

static int check_restart(const char *value, struct err *e)
{
	struct spec_restart ignored;

	return spec_restart_parse(value, &ignored, e);
}

static const struct cli_option options[] = {
	{"blkio-weight", 0, CLI_UINT16, O(blkio_weight),
	 "Relative weight of its block I/O (10 to 1000, 0: none)", .default_text = "0"},
	{"cpu-period", 0, CLI_INT, O(cpu_period), "Period of the CPU quota (microseconds)"},
	{"cpu-quota", 0, CLI_INT, O(cpu_quota), "CPU time in a period (microseconds)"},
	{"cpu-rt-period", 0, CLI_INT, 0, "Period of real-time scheduling (not yet)",
	 .flags = CLI_LATER},
	{"cpu-rt-runtime", 0, CLI_INT, 0, "Real-time scheduling in a period (not yet)",
	 .flags = CLI_LATER},
	{"cpu-shares", 'c', CLI_INT, O(cpu_shares), "Relative weight of its CPU time"},
	{"cpus", 0, CLI_DECIMAL, O(cpus), "Number of CPUs"},
	{"cpuset-cpus", 0, CLI_STRING, O(cpuset_cpus), "CPUs that it may use (0-3, 0,1)"},
	{"cpuset-mems", 0, CLI_STRING, O(cpuset_mems), "Memory nodes that it may use (0-3, 0,1)"},
	{"memory", 'm', CLI_BYTES, O(memory), "Memory limit"},
	{"memory-reservation", 0, CLI_BYTES, O(memory_reservation), "Soft memory limit"},
	{"memory-swap", 0, CLI_BYTES, O(memory_swap),
	 "Limit of memory and swap together: '-1' for unlimited swap", .flags = CLI_MINUS_ONE},
	{"pids-limit", 0, CLI_INT, O(pids_limit), "Most processes (-1 for unlimited)"},
	{"restart", 0, CLI_STRING, O(restart), "When to start it again after it ended",
	 .flags = CLI_MEANING, .check = check_restart},
	{NULL},
};

static void fill(const struct cli_args *a, struct opts *o)
{
	o->spec = (struct update_spec){
		.has_memory = cli_given(a, "memory"),
		.has_memory_swap = cli_given(a, "memory-swap"),
		.has_memory_reservation = cli_given(a, "memory-reservation"),
		.has_cpu_shares = cli_given(a, "cpu-shares"),
		.has_cpu_period = cli_given(a, "cpu-period"),
		.has_cpu_quota = cli_given(a, "cpu-quota"),
		.has_nano_cpus = cli_given(a, "cpus"),
		.has_pids = cli_given(a, "pids-limit"),
		.has_blkio_weight = cli_given(a, "blkio-weight"),
		.has_cpuset_cpus = cli_given(a, "cpuset-cpus"),
		.has_cpuset_mems = cli_given(a, "cpuset-mems"),
		.memory = o->memory,
		.memory_swap = o->memory_swap,
		.memory_reservation = o->memory_reservation,
		.cpu_shares = o->cpu_shares,
		.cpu_period = o->cpu_period,
		.cpu_quota = o->cpu_quota,
		.nano_cpus = o->cpus,
		.pids = o->pids_limit,
		.blkio_weight = o->blkio_weight,
		.cpuset_cpus = o->cpuset_cpus,
		.cpuset_mems = o->cpuset_mems,
		.has_restart = cli_given(a, "restart"),
	};
	if (o->restart)
		(void)spec_restart_parse(o->restart, &o->spec.restart, NULL);
}

static int check(const struct opts *o, struct err *e)
{
	const struct update_spec *u = &o->spec;

	if (u->has_blkio_weight && u->blkio_weight &&
	    (u->blkio_weight < 10 || u->blkio_weight > 1000))
		return err_set(e, ERR_INVALID, 0,
			       "range of blkio weight is from 10 to 1000, and 0 to disable");
	if (u->cpu_shares < 0 || u->pids < -1 || u->cpu_period < 0)
		return err_set(e, ERR_INVALID, 0, "a limit may not be negative");
	return run_check_cpuset(o->cpuset_cpus, o->cpuset_mems, e);
}

static int update_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		      struct err *e)
{
	const struct opts *o = opts;

	if (container_update(en, ref, &o->spec, e) < 0)
		return e->class == ERR_NOT_FOUND ? -1
						 : err_wrap(e, "cannot update container %s", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct opts *o = a->opts;
	bool any = false;

	for (size_t i = 0; options[i].name; i++)
		any = any || a->given[i];
	if (!any)
		return err_set(e, ERR_INVALID, 0,
			       "you must provide one or more flags when using this command"),
		       1;
	fill(a, o);
	return check(o, e) < 0 ? 1 : container_each(c, a, update_one, e);
}

#define UPDATE                                                                                     \
	.name = "update", .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                           \
	.summary = "Change the limits of containers", .aliases = "container update,update",        \
	.min_args = 1, .max_args = -1, .options = options, .opts_size = sizeof(struct opts),       \
	.run = run

const struct cli_command cli_update = {UPDATE};
const struct cli_command cli_container_update = {UPDATE};
