/* SPDX-License-Identifier: Apache-2.0 */
/* `update`: the limits in the row, and those of the cgroup where the container runs. The cgroup is
 * changed inside the transaction, so that a refused limit leaves the row as it was. */
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/str.h"
#include "engine/container-control.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "kernel/cgroup.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <sys/socket.h>

#define CPU_PERIOD   100000
#define NANO_CPUS    1000000000
#define MEMORY_LEAST ((int64_t)6 << 20)

/* Docker's rules for what fits together (moby: verifyContainerResources, UpdateContainer). */
static int check(const struct spec_resources *r, const struct update_spec *u, struct err *e)
{
	if (u->has_memory && u->memory && u->memory < MEMORY_LEAST)
		return err_set(e, ERR_INVALID, 0, "minimum memory limit allowed is 6MB");
	if (u->has_nano_cpus && (r->cpu_period || r->cpu_quota) && u->nano_cpus &&
	    (u->has_cpu_period || u->has_cpu_quota))
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: CPU period or quota and --cpus cannot be "
			       "specified at the same time");
	if (r->memory_swap > 0 && r->memory > (uint64_t)r->memory_swap)
		return err_set(
			e, ERR_CONFLICT, 0,
			u->has_memory_swap
				? "minimum memoryswap limit should be larger than memory limit, "
				  "see usage"
				: "memory limit should be smaller than already set memoryswap "
				  "limit, update the memoryswap at the same time");
	if (r->memory && r->memory_reservation > r->memory)
		return err_set(
			e, ERR_INVALID, 0,
			"minimum memory limit can not be less than memory reservation limit, "
			"see usage");
	return 0;
}

static void change_memory(struct spec_resources *r, const struct update_spec *u,
			  struct cgroup_limits *l)
{
	if (u->has_memory)
		r->memory = (uint64_t)u->memory;
	if (u->has_memory_swap)
		r->memory_swap = u->memory_swap;
	if (u->has_memory_reservation)
		r->memory_reservation = (uint64_t)u->memory_reservation;
	if (u->has_memory)
		l->memory = u->memory;
	/* Both are told: one may not pass the other on the way. */
	if ((u->has_memory || u->has_memory_swap) && r->memory)
		l->memory = (int64_t)r->memory;
	if (u->has_memory_swap)
		l->memory_swap = u->memory_swap;
	else if (u->has_memory && u->memory)
		l->memory_swap = r->memory_swap ? r->memory_swap : 2 * u->memory;
	l->memory_reservation = u->has_memory_reservation ? u->memory_reservation : 0;
}

static void change_cpu(struct spec_resources *r, const struct update_spec *u,
		       struct cgroup_limits *l)
{
	if (u->has_cpu_shares) {
		r->cpu_shares = (uint64_t)u->cpu_shares;
		l->cpu_shares = (uint64_t)u->cpu_shares;
	}
	if (u->has_nano_cpus) {
		r->nano_cpus = u->nano_cpus;
		r->cpu_period = r->cpu_quota = 0;
		l->cpu_period = CPU_PERIOD;
		l->cpu_quota = u->nano_cpus ? u->nano_cpus / (NANO_CPUS / CPU_PERIOD) : -1;
	}
	if (u->has_cpu_period) {
		r->cpu_period = u->cpu_period;
		l->cpu_period = (uint64_t)u->cpu_period;
	}
	if (u->has_cpu_quota) {
		r->cpu_quota = u->cpu_quota;
		l->cpu_quota = u->cpu_quota;
	}
	if (u->has_cpuset_cpus)
		r->cpuset_cpus = l->cpuset_cpus = u->cpuset_cpus;
	if (u->has_cpuset_mems)
		r->cpuset_mems = l->cpuset_mems = u->cpuset_mems;
}

static int set_live(const struct container *c, const struct cgroup_limits *l, struct err *e)
{
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	struct cgroup_fault f = {.controller = ""};
	int r;

	if (container_cgroup_open(c, &host, &cg, e) < 0)
		return -1;
	r = cgroup_set(&cg, l, &f);
	if (r == -ENODEV)
		return err_set(e, ERR_UNSUPPORTED, 0, "this machine has no cgroup controller '%s'",
			       f.controller);
	if (r < 0 && *f.file)
		return err_errno(e, r, "setting %s to '%s'", f.file, f.value);
	return r < 0 ? err_errno(e, r, "changing the limits of container %.12s", c->id) : 0;
}

static int change(struct container *c, void *arg, struct err *e)
{
	const struct update_spec *u = arg;
	struct spec_resources *r = &c->spec.resources;
	struct cgroup_limits l = {.need = 0};

	if (u->has_nano_cpus && u->nano_cpus && (r->cpu_period || r->cpu_quota) &&
	    !u->has_cpu_period)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflicting options: Nano CPUs cannot be updated as CPU period or "
			       "quota has already been set");
	if ((u->has_cpu_period || u->has_cpu_quota) && r->nano_cpus)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflicting options: CPU period or quota cannot be updated as "
			       "NanoCPUs has already been set");
	change_memory(r, u, &l);
	change_cpu(r, u, &l);
	if (u->has_restart && c->spec.auto_remove && u->restart.policy != SPEC_RESTART_NO)
		return err_set(e, ERR_CONFLICT, 0,
			       "restart policy cannot be updated because AutoRemove is enabled for "
			       "the container");
	if (u->has_restart)
		c->spec.restart = u->restart;
	if (u->has_pids)
		r->pids_limit = l.pids = u->pids ? u->pids : -1;
	if (u->has_blkio_weight)
		r->blkio_weight = l.io_weight = (uint16_t)u->blkio_weight;
	if (check(r, u, e) < 0)
		return -1;
	if (c->state == ENGINE_RUNNING && set_live(c, &l, e) < 0)
		return -1;
	return FAILPOINT("engine.update.applied", e);
}

/* Its monitor only has to know who waits for an exit that is no end: the row decides. */
static void tell_policy(struct engine *en, const char *id, const struct spec_restart *r)
{
	_cleanup_(fd_close) int run_dir = container_run_dir(en, id, false, NULL);
	_cleanup_(fd_close) int sock = run_dir < 0 ? -1 : monitor_connect(run_dir);
	struct monitor_msg m = {.type = MONITOR_POLICY};

	if (r->policy == SPEC_RESTART_ALWAYS || r->policy == SPEC_RESTART_UNLESS_STOPPED)
		m.a = MONITOR_RESTART_ALWAYS;
	else if (r->policy == SPEC_RESTART_ON_FAILURE)
		m.a = MONITOR_RESTART_ON_FAILURE;
	if (sock >= 0)
		(void)!send(sock, &m, sizeof(m), MSG_NOSIGNAL);
}

int container_update(struct engine *en, const char *ref, const struct update_spec *u, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct update_spec copy = *u;

	if (container_load_now(en, ref, &c, e) < 0 ||
	    container_change(en, c.id, change, &copy, e) < 0)
		return -1;
	if (u->has_restart && c.state == ENGINE_RUNNING)
		tell_policy(en, c.id, &u->restart);
	event_container(en, &c, "update", NULL);
	return 0;
}
