/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same in every layout: which controllers a set of limits needs, creating, joining
 * and removing. */
#include "kernel/cgroup-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_NS 500000

void cgroup_done(struct cgroup *cg)
{
	for (size_t i = 0; cg->host && i < cg->host->n; i++)
		fd_close(&cg->dir[i]);
	cg->host = NULL;
}

int cgroup_dir(const struct cgroup *cg, uint32_t controller)
{
	int i = cg->host ? cgroup_find(cg->host, controller) : -1;

	return i < 0 ? -1 : cg->dir[i];
}

/* Sets HOST and PATH, with no directory open. */
static int cgroup_init(struct cgroup *cg, const struct cgroup_host *host, const char *path)
{
	while (*path == '/')
		path++;
	if (!*path)
		return -EINVAL;
	if (strlen(path) >= CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	for (const char *p = path; p; p = strchr(p, '/')) {
		size_t n;

		p += *p == '/';
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return -EINVAL;
	}
	*cg = (struct cgroup){.host = host};
	snprintf(cg->path, sizeof(cg->path), "%s", path);
	for (size_t i = 0; i < CGROUP_HIERARCHIES_MAX; i++)
		cg->dir[i] = -1;
	return 0;
}

static bool is_everything(const struct cgroup_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 &&
	       d->access == (CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD);
}

/* Whether the rules end in "everything", with nothing denied behind it. */
static bool allows_all(const struct cgroup_limits *l)
{
	for (size_t i = l->n_devices; i > 0 && l->devices[i - 1].allow; i--)
		if (is_everything(&l->devices[i - 1]))
			return true;
	return false;
}

static bool needs_io(const struct cgroup_limits *l)
{
	return l->io_weight || l->io_leaf_weight || l->io_weight_device.n || l->io_read_bps.n ||
	       l->io_leaf_weight_device.n || l->io_write_bps.n || l->io_read_iops.n ||
	       l->io_write_iops.n;
}

static bool needs_cpu(const struct cgroup_limits *l)
{
	return l->cpu_shares || l->cpu_quota || l->cpu_period || l->has_cpu_burst ||
	       l->has_cpu_idle || l->cpu_rt_runtime || l->cpu_rt_period;
}

static bool needs_memory(const struct cgroup_limits *l)
{
	return l->memory || l->memory_swap || l->memory_reservation || l->has_swappiness ||
	       l->oom_kill_disable || l->memory_kernel || l->memory_kernel_tcp;
}

/* The controllers of version 2 behind the keys of LIMITS->unified. */
static uint32_t needs_unified(const struct cgroup_host *host, const struct cgroup_limits *l)
{
	int unified = cgroup_find(host, CGROUP_UNIFIED);
	uint32_t bits = CGROUP_UNIFIED;

	for (size_t i = 0; unified >= 0 && i < l->n_unified; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(l->unified[i].key, "."),
			 l->unified[i].key);
		bits |= cgroup_controllers_parse(name) & host->h[unified].controllers;
	}
	return bits;
}

uint32_t cgroup_limits_need(const struct cgroup_host *host, const struct cgroup_limits *l)
{
	uint32_t bits = 0;

	bits |= needs_memory(l) ? CGROUP_MEMORY : 0;
	bits |= needs_cpu(l) ? CGROUP_CPU : 0;
	bits |= !str_empty(l->cpuset_cpus) || !str_empty(l->cpuset_mems) ? CGROUP_CPUSET : 0;
	bits |= l->pids ? CGROUP_PIDS : 0;
	bits |= needs_io(l) ? CGROUP_IO : 0;
	bits |= l->n_hugetlb ? CGROUP_HUGETLB : 0;
	bits |= l->n_rdma ? CGROUP_RDMA : 0;
	bits |= l->has_net_classid ? CGROUP_NET_CLS : 0;
	bits |= l->n_netprio ? CGROUP_NET_PRIO : 0;
	bits |= l->n_devices && !allows_all(l) ? CGROUP_DEVICES : 0;
	bits |= l->n_unified ? needs_unified(host, l) : 0;
	return bits;
}

/* -ENODEV with the name of the first controller of NEED that the machine lacks. */
static int check_controllers(const struct cgroup_host *host, uint32_t need,
			     struct cgroup_fault *fault)
{
	uint32_t missing = need & ~cgroup_host_controllers(host);

	if (!missing)
		return 0;
	if (fault)
		snprintf(fault->controller, sizeof(fault->controller), "%s",
			 cgroup_controller_name(host->mode, missing & -missing));
	return -ENODEV;
}

/* Writes the limits of every controller in NEED; the keys of `unified` come last. */
static int apply(struct cgroup *cg, uint32_t need, const struct cgroup_limits *limits,
		 struct cgroup_fault *fault)
{
	for (uint32_t bit = 1; need && bit <= CGROUP_UNIFIED; bit <<= 1) {
		int r;

		if (!(need & bit))
			continue;
		r = cg->host->ops->set(cg, bit, limits, fault);
		if (r < 0 && fault && !*fault->controller)
			snprintf(fault->controller, sizeof(fault->controller), "%s",
				 cgroup_controller_name(cg->host->mode, bit));
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_create(const struct cgroup_host *host, const char *path,
		  const struct cgroup_limits *limits, struct cgroup *ret,
		  struct cgroup_fault *fault)
{
	uint32_t wanted = cgroup_limits_need(host, limits);
	uint32_t need = wanted | limits->need | host->ops->base_need;
	struct cgroup cg;
	int r;

	if (fault)
		*fault = (struct cgroup_fault){0};
	r = check_controllers(host, wanted, fault);
	if (r == 0)
		r = cgroup_init(&cg, host, path);
	if (r < 0)
		return r;
	for (size_t i = 0; limits->adopt && i < host->n; i++)
		cg.dir[i] = MAX(cgroup_tree_open(&host->h[i], cg.path), -1);
	r = host->ops->make(&cg, need & cgroup_host_controllers(host), fault);
	if (r == 0)
		r = apply(&cg, wanted, limits, fault);
	if (r < 0) {
		/* Never remove what turned out to be another's. */
		for (size_t i = 0; i < host->n; i++)
			if (cg.dir[i] >= 0 && !limits->adopt)
				cgroup_tree_remove(&host->h[i], cg.path);
		cgroup_done(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

int cgroup_open(const struct cgroup_host *host, const char *path, struct cgroup *ret)
{
	struct cgroup cg;
	bool any = false;
	int r = cgroup_init(&cg, host, path);

	if (r < 0)
		return r;
	for (size_t i = 0; i < host->n; i++) {
		cg.dir[i] = cgroup_tree_open(&host->h[i], cg.path);
		any |= cg.dir[i] >= 0;
	}
	if (!any)
		return -ENOENT;
	*ret = cg;
	return 0;
}

/* Moves all processes of CG into the directories that were just made for it. */
static int attach_all(const struct cgroup *cg)
{
	_cleanup_(freep) pid_t *pids = NULL;
	size_t n = 0;
	int r = cgroup_pids(cg, &pids, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = cgroup_attach(cg, pids[i]);
		if (r == -ESRCH)
			r = 0;
	}
	return r;
}

int cgroup_set(struct cgroup *cg, const struct cgroup_limits *limits, struct cgroup_fault *fault)
{
	uint32_t need = cgroup_limits_need(cg->host, limits);
	bool grown = false;
	int r;

	if (fault)
		*fault = (struct cgroup_fault){0};
	r = check_controllers(cg->host, need, fault);
	if (r < 0)
		return r;
	if (limits->n_devices && cgroup_dir(cg, CGROUP_DEVICES) >= 0)
		need |= CGROUP_DEVICES;
	for (size_t i = 0; i < cg->host->n; i++)
		grown |= (cg->host->h[i].controllers & need) && cg->dir[i] < 0;
	r = cg->host->ops->make(cg, need, fault);
	if (r == 0)
		r = apply(cg, need, limits, fault);
	/* The limits stand before the processes come under them. */
	return r == 0 && grown ? attach_all(cg) : r;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	return cgroup_dir(cg, CGROUP_UNIFIED);
}

int cgroup_join_fds(const struct cgroup *cg, bool unified, int *ret)
{
	int n = 0;

	for (size_t i = 0; cg->host && i < cg->host->n; i++) {
		bool v2 = cg->host->h[i].controllers & CGROUP_UNIFIED;

		if (cg->dir[i] < 0 || (v2 && !unified))
			continue;
		ret[n] = openat(cg->dir[i], v2 ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
		if (ret[n] < 0) {
			int r = -errno;

			while (n > 0)
				fd_close(&ret[--n]);
			return r;
		}
		n++;
	}
	return n;
}

int cgroup_attach(const struct cgroup *cg, pid_t pid)
{
	for (size_t i = 0; cg->host && i < cg->host->n; i++) {
		int r = cg->dir[i] < 0 ? 0
				       : cgroup_write_i64(cg->dir[i], "cgroup.procs", pid, NULL);

		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_kill(const struct cgroup *cg)
{
	return cg->host ? cg->host->ops->kill(cg) : -ENOENT;
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms)
{
	return cg->host ? cg->host->ops->freeze(cg, frozen, timeout_ms) : -ENOENT;
}

int cgroup_frozen(const struct cgroup *cg)
{
	int v2 = cgroup_dir(cg, CGROUP_UNIFIED), v1 = cgroup_dir(cg, CGROUP_FREEZER);
	char state[32];
	ssize_t n = v2 >= 0 ? cgroup_read(v2, "cgroup.freeze", state, sizeof(state))
			    : cgroup_read(v1, "freezer.state", state, sizeof(state));

	if (n < 0)
		return (int)n;
	return v2 >= 0 ? str_eq(state, "1") : !str_eq(state, "THAWED");
}

ssize_t cgroup_read_file(const struct cgroup *cg, uint32_t controller, const char *file, char *out,
			 size_t n)
{
	int dir = cgroup_dir(cg, controller);

	return dir < 0 ? -ENOENT : cgroup_read(dir, file, out, n);
}

int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret)
{
	struct cgroup_stats s;

	if (!cg->host)
		return -ENODEV;
	memset(&s, 0xff, sizeof(s));
	cg->host->ops->stats(cg, &s);
	*ret = s;
	return 0;
}

static int remove_everywhere(const struct cgroup_host *host, const char *path)
{
	int result = 0;

	for (size_t i = 0; i < host->n; i++) {
		int r = cgroup_tree_remove(&host->h[i], path);

		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

int cgroup_destroy(const struct cgroup_host *host, const char *path, int timeout_ms)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_NS};
	int64_t deadline = clock_monotonic() + (int64_t)MAX(timeout_ms, 0) * 1000000;
	struct cgroup cg;
	int r = cgroup_init(&cg, host, path);

	if (r < 0)
		return r;
	r = remove_everywhere(host, cg.path);
	while (r == -EBUSY) {
		_cleanup_(cgroup_done) struct cgroup left = CGROUP_INIT;

		r = cgroup_open(host, cg.path, &left);
		if (r == -ENOENT)
			return 0;
		if (r < 0)
			return r;
		cgroup_kill(&left);
		cgroup_wait_ends(&left, deadline);
		r = remove_everywhere(host, cg.path);
		/* The last process has ended and is being taken out of the cgroup: version 1 has
		 * no event for that, and it is a matter of microseconds. */
		if (r == -EBUSY && clock_monotonic() >= deadline)
			return r;
		if (r == -EBUSY)
			nanosleep(&step, NULL);
	}
	return r;
}
