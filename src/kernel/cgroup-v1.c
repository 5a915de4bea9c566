/* SPDX-License-Identifier: Apache-2.0 */
/* Version 1: one hierarchy per controller or group of controllers, and a directory of ours only in
 * those that a container needs. Limits take effect in the order in which they are written; where
 * the kernel holds one below another the pair is written in whichever order it accepts. */
#include "kernel/cgroup-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FREEZE_STEP_NS 200000

/* ---- directories --------------------------------------------------------------------------- */

/* Copies the file FILE of the cpuset DIR's parent where DIR's is empty. */
static int inherit(int parent, int dir, const char *file)
{
	char text[4096];
	ssize_t n = cgroup_read(dir, file, text, sizeof(text));

	if (n != 0)
		return n < 0 ? (int)n : 0;
	n = cgroup_read(parent, file, text, sizeof(text));
	return n < 0 ? (int)n : cgroup_write(dir, file, text, NULL);
}

/* A new cpuset has no CPUs and no memory nodes, and nothing can join it: every level that is new
 * takes those of the level above. */
static int inherit_cpuset(const struct cgroup_hierarchy *h, const char *path)
{
	_cleanup_(fd_close) int parent =
		openat(h->base, *h->prefix ? h->prefix : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char part[CGROUP_PATH_MAX];
	int r = parent < 0 ? -errno : 0;

	for (const char *p = path; r == 0 && p; p = strchr(p, '/')) {
		int dir;

		p += *p == '/';
		snprintf(part, sizeof(part), "%.*s", (int)strcspn(p, "/"), p);
		dir = openat(parent, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return -errno;
		r = inherit(parent, dir, "cpuset.cpus");
		if (r == 0)
			r = inherit(parent, dir, "cpuset.mems");
		fd_close(&parent);
		parent = dir;
	}
	return r;
}

int cgroup_v1_make(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault)
{
	for (size_t i = 0; i < cg->host->n; i++) {
		const struct cgroup_hierarchy *h = &cg->host->h[i];
		int r = 0;

		if (cg->dir[i] >= 0 || !(h->controllers & need) ||
		    (h->controllers & CGROUP_UNIFIED))
			continue;
		r = cgroup_tree_make(cg, i);
		if (r == 0 && (h->controllers & CGROUP_CPUSET))
			r = inherit_cpuset(h, cg->path);
		if (r < 0 && fault)
			snprintf(fault->controller, sizeof(fault->controller), "%.31s", h->name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- limits -------------------------------------------------------------------------------- */

/* Linux took the limit of kernel memory away again (5.16): the file says so to who writes. */
static int set_kernel_memory(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	if (l->memory_kernel)
		r = cgroup_write_i64(dir, "memory.kmem.limit_in_bytes", l->memory_kernel, f);
	if (r == 0 && l->memory_kernel_tcp)
		r = cgroup_write_i64(dir, "memory.kmem.tcp.limit_in_bytes", l->memory_kernel_tcp,
				     f);
	return r;
}

static int set_memory(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	struct cgroup_pair pair = {.file_a = "memory.limit_in_bytes",
				   .file_b = "memory.memsw.limit_in_bytes"};
	int64_t swap = l->memory_swap;
	int r;

	/* No limit of memory and nothing said of swap means none of both, as in runc; where the
	 * kernel does not count swap there is nothing to say. */
	if (l->memory == -1 && swap == 0 && cgroup_file_exists(dir, pair.file_b))
		swap = -1;
	if (l->memory)
		snprintf(pair.a, sizeof(pair.a), "%" PRId64, l->memory);
	if (swap)
		snprintf(pair.b, sizeof(pair.b), "%" PRId64, swap);
	r = cgroup_check_usage(dir, l, "memory.usage_in_bytes", f);
	if (r == 0)
		r = cgroup_write_pair(dir, &pair, f);
	if (r == 0 && l->memory_reservation)
		r = cgroup_write_i64(dir, "memory.soft_limit_in_bytes", l->memory_reservation, f);
	if (r == 0 && l->has_swappiness)
		r = cgroup_write_i64(dir, "memory.swappiness", (int64_t)l->swappiness, f);
	if (r == 0 && l->oom_kill_disable)
		r = cgroup_write(dir, "memory.oom_control", "1", f);
	return r == 0 ? set_kernel_memory(dir, l, f) : r;
}

static int set_rt(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	struct cgroup_pair pair = {.file_a = "cpu.rt_period_us", .file_b = "cpu.rt_runtime_us"};

	if (l->cpu_rt_period)
		snprintf(pair.a, sizeof(pair.a), "%" PRIu64, l->cpu_rt_period);
	if (l->cpu_rt_runtime)
		snprintf(pair.b, sizeof(pair.b), "%" PRId64, l->cpu_rt_runtime);
	return cgroup_write_pair(dir, &pair, f);
}

static int set_cpu(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	struct cgroup_pair pair = {.file_a = "cpu.cfs_period_us", .file_b = "cpu.cfs_quota_us"};
	int r = 0;

	if (l->has_cpu_idle)
		r = cgroup_write_i64(dir, "cpu.idle", l->cpu_idle, f);
	/* An idle group takes no shares. */
	if (r == 0 && l->cpu_shares && !(l->has_cpu_idle && l->cpu_idle))
		r = cgroup_write_i64(dir, "cpu.shares", (int64_t)l->cpu_shares, f);
	if (l->cpu_period)
		snprintf(pair.a, sizeof(pair.a), "%" PRIu64, l->cpu_period);
	if (l->cpu_quota)
		snprintf(pair.b, sizeof(pair.b), "%" PRId64, l->cpu_quota);
	if (r == 0)
		r = cgroup_write_pair(dir, &pair, f);
	if (r == 0 && l->has_cpu_burst)
		r = cgroup_write_i64(dir, "cpu.cfs_burst_us", (int64_t)l->cpu_burst, f);
	return r == 0 ? set_rt(dir, l, f) : r;
}

static int set_cpuset(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	if (!str_empty(l->cpuset_cpus))
		r = cgroup_write(dir, "cpuset.cpus", l->cpuset_cpus, f);
	if (r == 0 && !str_empty(l->cpuset_mems))
		r = cgroup_write(dir, "cpuset.mems", l->cpuset_mems, f);
	return r;
}

static int write_blkdevs(int dir, const char *file, const struct cgroup_blkdevs *list,
			 struct cgroup_fault *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%u:%u %" PRIu64, list->v[i].major, list->v[i].minor,
			 list->v[i].value);
		r = cgroup_write(dir, file, text, f);
	}
	return r;
}

static int set_io(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	bool bfq = !cgroup_file_exists(dir, "blkio.weight") &&
		   cgroup_file_exists(dir, "blkio.bfq.weight");
	int r = 0;

	if (l->io_weight)
		r = cgroup_write_i64(dir, bfq ? "blkio.bfq.weight" : "blkio.weight", l->io_weight,
				     f);
	if (r == 0 && l->io_leaf_weight)
		r = cgroup_write_i64(dir, "blkio.leaf_weight", l->io_leaf_weight, f);
	if (r == 0)
		r = write_blkdevs(dir, bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
				  &l->io_weight_device, f);
	if (r == 0)
		r = write_blkdevs(dir, "blkio.leaf_weight_device", &l->io_leaf_weight_device, f);
	if (r == 0)
		r = write_blkdevs(dir, "blkio.throttle.read_bps_device", &l->io_read_bps, f);
	if (r == 0)
		r = write_blkdevs(dir, "blkio.throttle.write_bps_device", &l->io_write_bps, f);
	if (r == 0)
		r = write_blkdevs(dir, "blkio.throttle.read_iops_device", &l->io_read_iops, f);
	if (r == 0)
		r = write_blkdevs(dir, "blkio.throttle.write_iops_device", &l->io_write_iops, f);
	return r;
}

static int set_hugetlb(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_hugetlb; i++) {
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%.20s.limit_in_bytes",
			 l->hugetlb[i].page_size);
		r = cgroup_write_i64(dir, file, (int64_t)l->hugetlb[i].limit, f);
	}
	return r;
}

static int set_netprio(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_netprio; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%.40s %u", l->netprio[i].device,
			 l->netprio[i].priority);
		r = cgroup_write(dir, "net_prio.ifpriomap", text, f);
	}
	return r;
}

/* The two files that take rules: opened when first needed, and written once for each rule. */
struct device_files {
	int dir, allow, deny;
};

static void device_files_done(struct device_files *d)
{
	fd_close(&d->allow);
	fd_close(&d->deny);
}

static int put_rule(struct device_files *d, bool allow, const char *rule, struct cgroup_fault *f)
{
	const char *file = allow ? "devices.allow" : "devices.deny";
	int *fd = allow ? &d->allow : &d->deny, r = 0;

	if (*fd < 0)
		*fd = r = cgroup_open_file(d->dir, file);
	if (r >= 0)
		r = cgroup_write_open(*fd, rule);
	return r < 0 ? cgroup_fail(f, r, file, rule) : 0;
}

static int write_rule(struct device_files *files, const struct cgroup_device *d, char type,
		      struct cgroup_fault *f)
{
	char major[24] = "*", minor[24] = "*", text[80];

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
		 d->access & CGROUP_READ ? "r" : "", d->access & CGROUP_WRITE ? "w" : "",
		 d->access & CGROUP_MKNOD ? "m" : "");
	return put_rule(files, d->allow, text, f);
}

/* The kernel takes 'a' for "everything", whatever stands behind it; so a rule for some devices of
 * both types is written as two. */
static int set_device(struct device_files *files, const struct cgroup_device *d,
		      struct cgroup_fault *f)
{
	bool everything = d->major < 0 && d->minor < 0 &&
			  d->access == (CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD);
	int r;

	if (d->type != 'a')
		return write_rule(files, d, d->type, f);
	if (everything)
		return put_rule(files, d->allow, "a", f);
	r = write_rule(files, d, 'b', f);
	return r < 0 ? r : write_rule(files, d, 'c', f);
}

static bool same(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->allow == b->allow && a->type == b->type && a->major == b->major &&
	       a->minor == b->minor && a->access == b->access;
}

static bool overlap(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return (a->type == b->type || a->type == 'a' || b->type == 'a') &&
	       (a->major == b->major || a->major < 0 || b->major < 0) &&
	       (a->minor == b->minor || a->minor < 0 || b->minor < 0);
}

/* Whether the rule AT says what stands already: it was said before, and nothing denied of it since.
 */
static bool stands(const struct cgroup_limits *l, size_t at)
{
	const struct cgroup_device *d = &l->devices[at];

	for (size_t i = at; d->allow && i-- > 0;) {
		if (same(&l->devices[i], d))
			return true;
		if (!l->devices[i].allow && overlap(&l->devices[i], d))
			return false;
	}
	return false;
}

static int set_devices(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	_cleanup_(device_files_done) struct device_files files = {
		.dir = dir, .allow = -1, .deny = -1};
	int r = put_rule(&files, false, "a", f);

	for (size_t i = 0; r == 0 && i < l->n_devices; i++)
		/* What is denied already needs no second word. */
		if ((l->devices[i].allow || i > 0) && !stands(l, i))
			r = set_device(&files, &l->devices[i], f);
	return r;
}

int cgroup_v1_set(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *l,
		  struct cgroup_fault *f)
{
	int dir = cgroup_dir(cg, controller);

	switch (controller) {
	case CGROUP_MEMORY:
		return set_memory(dir, l, f);
	case CGROUP_CPU:
		return set_cpu(dir, l, f);
	case CGROUP_CPUSET:
		return set_cpuset(dir, l, f);
	case CGROUP_PIDS:
		return cgroup_write_max(dir, "pids.max", l->pids, f);
	case CGROUP_IO:
		return set_io(dir, l, f);
	case CGROUP_HUGETLB:
		return set_hugetlb(dir, l, f);
	case CGROUP_DEVICES:
		return set_devices(dir, l, f);
	case CGROUP_RDMA:
		return cgroup_set_rdma(dir, l, f);
	case CGROUP_NET_CLS:
		return cgroup_write_i64(dir, "net_cls.classid", l->net_classid, f);
	case CGROUP_NET_PRIO:
		return set_netprio(dir, l, f);
	default:
		return -ENODEV;
	}
}

/* ---- processes ----------------------------------------------------------------------------- */

/* Version 1 has no event for it: the state is read again until it is what was asked for, and
 * FROZEN is written again because a process that was just forked may have escaped the round. */
static int v1_freeze(const struct cgroup *cg, bool frozen, int timeout_ms)
{
	const char *want = frozen ? "FROZEN" : "THAWED";
	const struct timespec step = {.tv_nsec = FREEZE_STEP_NS};
	int64_t deadline = clock_monotonic() + (int64_t)MAX(timeout_ms, 0) * 1000000;
	int dir = cgroup_dir(cg, CGROUP_FREEZER);

	if (dir < 0)
		return -ENODEV;
	for (;;) {
		char state[32] = "";
		int r = cgroup_write(dir, "freezer.state", want, NULL);

		if (r < 0)
			return r;
		if (cgroup_read(dir, "freezer.state", state, sizeof(state)) >= 0 &&
		    str_eq(state, want))
			return 0;
		if (clock_monotonic() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&step, NULL);
	}
}

/* Frozen processes cannot fork away from under the loop; the signal is delivered when they thaw. */
static int v1_kill(const struct cgroup *cg)
{
	bool frozen = v1_freeze(cg, true, 100) != -ENODEV;
	int r = cgroup_signal_all(cg);

	if (frozen)
		v1_freeze(cg, false, 100);
	return r;
}

/* ---- figures ------------------------------------------------------------------------------- */

void cgroup_v1_stats(const struct cgroup *cg, struct cgroup_stats *s)
{
	int memory = cgroup_dir(cg, CGROUP_MEMORY), acct = cgroup_dir(cg, CGROUP_CPUACCT);
	int cpu = cgroup_dir(cg, CGROUP_CPU), pids = cgroup_dir(cg, CGROUP_PIDS);
	const struct cgroup_key stat[] = {{"total_inactive_file", &s->memory_cache, 1}};
	const struct cgroup_key oom[] = {{"oom_kill", &s->oom_kills, 1}};
	const struct cgroup_key throttled[] = {{"throttled_time", &s->cpu_throttled_ns, 1}};

	if (memory >= 0) {
		cgroup_read_u64(memory, "memory.usage_in_bytes", &s->memory_current);
		cgroup_read_u64(memory, "memory.max_usage_in_bytes", &s->memory_peak);
		cgroup_read_u64(memory, "memory.limit_in_bytes", &s->memory_limit);
		cgroup_read_keys(memory, "memory.stat", stat, 1);
		cgroup_read_keys(memory, "memory.oom_control", oom, 1);
		/* The largest number of pages means no limit. */
		if (s->memory_limit >= (uint64_t)INT64_MAX / 4096 * 4096)
			s->memory_limit = UINT64_MAX;
	}
	if (acct >= 0) {
		cgroup_read_u64(acct, "cpuacct.usage", &s->cpu_usage_ns);
		cgroup_read_u64(acct, "cpuacct.usage_user", &s->cpu_user_ns);
		cgroup_read_u64(acct, "cpuacct.usage_sys", &s->cpu_system_ns);
	}
	if (cpu >= 0)
		cgroup_read_keys(cpu, "cpu.stat", throttled, 1);
	if (pids >= 0) {
		cgroup_read_u64(pids, "pids.current", &s->pids);
		cgroup_read_u64(pids, "pids.max", &s->pids_limit);
	}
}

const struct cgroup_ops cgroup_v1_ops = {
	.base_need = CGROUP_FREEZER,
	.make = cgroup_v1_make,
	.set = cgroup_v1_set,
	.kill = v1_kill,
	.freeze = v1_freeze,
	.stats = cgroup_v1_stats,
};
