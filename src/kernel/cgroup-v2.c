/* SPDX-License-Identifier: Apache-2.0 */
/* Version 2: one hierarchy. A controller works in a directory when every level above has it in
 * cgroup.subtree_control; it is switched on from the top down, once, and stays on. A directory
 * that hands a controller down must hold no process itself (cgroup-v2.rst, "No Internal Process
 * Constraint"); the real root is exempt, the root of a container's cgroup namespace is not, so
 * there the processes move into a leaf beside ours. */
#include "kernel/cgroup-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDED_DOWN                                                                                \
	(CGROUP_CPU | CGROUP_CPUSET | CGROUP_MEMORY | CGROUP_PIDS | CGROUP_IO | CGROUP_HUGETLB |   \
	 CGROUP_RDMA | CGROUP_MISC)

/* ---- directories --------------------------------------------------------------------------- */

static uint32_t handed_down(int dir)
{
	char text[256];

	if (cgroup_read(dir, "cgroup.subtree_control", text, sizeof(text)) <= 0)
		return 0;
	return cgroup_controllers_parse(text) & HANDED_DOWN;
}

/* Moves the processes of the hierarchy's root, which is not the machine's, into a leaf. */
static int evacuate(int root)
{
	_cleanup_(fd_close) int leaf = -1;
	char text[4096];

	if (mkdirat(root, CGROUP_HOST_LEAF, 0755) < 0 && errno != EEXIST)
		return -errno;
	leaf = openat(root, CGROUP_HOST_LEAF, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (leaf < 0)
		return -errno;
	for (int round = 0; round < 16; round++) {
		if (cgroup_read(root, "cgroup.procs", text, sizeof(text)) <= 0)
			return 0;
		for (char *line = text, *end; line && *line; line = end) {
			end = strchr(line, '\n');
			if (end)
				*end++ = '\0';
			cgroup_write(leaf, "cgroup.procs", line, NULL);
		}
	}
	return -EBUSY;
}

static int hand_down_one(int dir, bool is_root, uint32_t bit, struct cgroup_fault *fault)
{
	const char *name = cgroup_controller_name(CGROUP_V2, bit);
	char text[40];
	int r;

	snprintf(text, sizeof(text), "+%s", name);
	r = cgroup_write(dir, "cgroup.subtree_control", text, fault);
	if (r == -EBUSY && is_root && evacuate(dir) == 0)
		r = cgroup_write(dir, "cgroup.subtree_control", text, fault);
	if (r == -ENOENT)
		r = -ENODEV; /* the level above does not offer it */
	if (r < 0 && fault)
		snprintf(fault->controller, sizeof(fault->controller), "%s", name);
	return r;
}

/* Makes DIR hand down BITS to its children. */
static int hand_down(int dir, bool is_root, uint32_t bits, struct cgroup_fault *fault)
{
	uint32_t missing = bits & ~handed_down(dir);
	int r = 0;

	for (uint32_t bit = 1; r == 0 && bit <= missing; bit <<= 1)
		if (missing & bit)
			r = hand_down_one(dir, is_root, bit, fault);
	return r;
}

/* Opens the directory NAME of DIR, which it makes where it is missing. */
static int enter(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Hands BITS down from the root to the parent of PATH. */
static int hand_down_path(const struct cgroup_hierarchy *h, const char *path, uint32_t bits,
			  struct cgroup_fault *fault)
{
	_cleanup_(fd_close) int dir =
		openat(h->base, *h->prefix ? h->prefix : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char part[CGROUP_PATH_MAX];
	const char *start = path;
	int r = dir < 0 ? -errno : hand_down(dir, true, bits, fault);

	for (const char *slash; r == 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		next = enter(dir, part);
		if (next < 0)
			return next;
		fd_close(&dir);
		dir = next;
		/* Of what is delegated to an ordinary user the top may hold its processes, too */
		r = hand_down(dir, geteuid() != 0, bits, fault);
	}
	/* PATH is behind the level that did not hand it down */
	if (r < 0 && fault)
		snprintf(fault->stop, sizeof(fault->stop), "/%.*s",
			 path == start ? 0 : (int)(path - start) - 1, start);
	return r;
}

/* The usual case: the parent is there and hands down all of BITS. */
static bool parent_ready(const struct cgroup_hierarchy *h, const char *path, uint32_t bits)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(fd_close) int dir = -1;
	char parent[CGROUP_PATH_MAX] = ".";

	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	dir = cgroup_tree_open(h, parent);
	return dir >= 0 && (!bits || (handed_down(dir) & bits) == bits);
}

int cgroup_v2_make(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault)
{
	int i = cgroup_find(cg->host, CGROUP_UNIFIED);
	const struct cgroup_hierarchy *h = i < 0 ? NULL : &cg->host->h[i];
	uint32_t bits;
	int r = 0;

	if (!h)
		return -ENODEV;
	bits = need & h->controllers & HANDED_DOWN;
	if (bits && !parent_ready(h, cg->path, bits))
		r = hand_down_path(h, cg->path, bits, fault);
	if (r == 0 && cg->dir[i] < 0)
		r = cgroup_tree_make(cg, (size_t)i);
	return r;
}

/* ---- limits -------------------------------------------------------------------------------- */

/* What a limit of memory and swap together means for swap alone (version 2 counts it apart): -1
 * unlimited, 0 leave, a limit of nothing as INT64_MIN. As in runc's
 * ConvertMemorySwapToCgroupV2Value. */
static int swap_alone(const struct cgroup_limits *l, int64_t *ret)
{
	if (l->memory == -1 && l->memory_swap == 0)
		*ret = -1;
	else if (l->memory_swap <= 0 || l->memory == -1)
		*ret = l->memory_swap;
	else if (l->memory <= 0 || l->memory_swap < l->memory)
		return -EINVAL;
	else
		*ret = l->memory_swap == l->memory ? INT64_MIN : l->memory_swap - l->memory;
	return 0;
}

static int refuse(struct cgroup_fault *f, const char *file, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return cgroup_fail(f, -EOPNOTSUPP, file, text);
}

static int set_memory(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int64_t swap = 0;
	int r = swap_alone(l, &swap);

	if (r < 0) {
		refuse(f, "memory.swap.max", l->memory_swap);
		return r;
	}
	if (l->oom_kill_disable)
		return refuse(f, "memory.oom_control", 1);
	if (l->memory_kernel)
		return refuse(f, "memory.kmem.limit_in_bytes", l->memory_kernel);
	if (l->memory_kernel_tcp)
		return refuse(f, "memory.kmem.tcp.limit_in_bytes", l->memory_kernel_tcp);
	if (l->has_swappiness)
		return refuse(f, "memory.swappiness", (int64_t)l->swappiness);
	r = cgroup_check_usage(dir, l, "memory.current", f);
	if (r == 0 && swap && !(swap == -1 && !cgroup_file_exists(dir, "memory.swap.max")))
		r = cgroup_write_max(dir, "memory.swap.max", swap == INT64_MIN ? 0 : swap, f);
	if (r == 0 && l->memory)
		r = cgroup_write_max(dir, "memory.max", l->memory, f);
	if (r == 0 && l->memory_reservation)
		r = cgroup_write_max(dir, "memory.low", l->memory_reservation, f);
	return r;
}

/* Shares of 2..262144 with 1024 in the middle, to a weight of 1..10000 with 100 in the middle: the
 * quadratic through these three points, as runc and crun compute it. */
static uint64_t weight_of_shares(uint64_t shares)
{
	double l, exponent;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
	return (uint64_t)ceil(pow(10, exponent));
}

static int set_cpu(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	struct cgroup_pair pair = {.file_a = "cpu.max", .file_b = "cpu.max.burst"};
	uint64_t period = l->cpu_period ? l->cpu_period : 100000;
	int r = 0;

	if (l->cpu_rt_runtime || l->cpu_rt_period)
		return refuse(f, "cpu.rt_runtime_us", l->cpu_rt_runtime);
	if (l->has_cpu_idle)
		r = cgroup_write_i64(dir, "cpu.idle", l->cpu_idle, f);
	if (r == 0 && l->cpu_shares && !(l->has_cpu_idle && l->cpu_idle))
		r = cgroup_write_i64(dir, "cpu.weight", (int64_t)weight_of_shares(l->cpu_shares),
				     f);
	if (l->cpu_quota > 0)
		snprintf(pair.a, sizeof(pair.a), "%" PRId64 " %" PRIu64, l->cpu_quota, period);
	else if (l->cpu_quota || l->cpu_period)
		snprintf(pair.a, sizeof(pair.a), "max %" PRIu64, period);
	if (l->has_cpu_burst)
		snprintf(pair.b, sizeof(pair.b), "%" PRIu64, l->cpu_burst);
	return r < 0 ? r : cgroup_write_pair(dir, &pair, f);
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

/* 10..1000 to 1..10000, linear. */
static uint64_t weight_of_blkio(uint64_t weight)
{
	return weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static int set_io_weight(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	bool bfq = cgroup_file_exists(dir, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";
	char text[64];
	int r = 0;

	if (l->io_leaf_weight)
		return refuse(f, "blkio.leaf_weight", l->io_leaf_weight);
	if (l->io_leaf_weight_device.n)
		return refuse(f, "blkio.leaf_weight_device",
			      (int64_t)l->io_leaf_weight_device.v[0].value);
	if (l->io_weight) {
		snprintf(text, sizeof(text), "default %" PRIu64,
			 bfq ? l->io_weight : weight_of_blkio(l->io_weight));
		r = cgroup_write(dir, file, text, f);
	}
	for (size_t i = 0; r == 0 && i < l->io_weight_device.n; i++) {
		const struct cgroup_blkdev *d = &l->io_weight_device.v[i];

		snprintf(text, sizeof(text), "%u:%u %" PRIu64, d->major, d->minor,
			 bfq ? d->value : weight_of_blkio(d->value));
		r = cgroup_write(dir, file, text, f);
	}
	return r;
}

static int set_io(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	const struct {
		const char *key;
		const struct cgroup_blkdevs *list;
	} rates[] = {{"rbps", &l->io_read_bps},
		     {"wbps", &l->io_write_bps},
		     {"riops", &l->io_read_iops},
		     {"wiops", &l->io_write_iops}};
	int r = set_io_weight(dir, l, f);

	for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
		for (size_t i = 0; r == 0 && i < rates[k].list->n; i++) {
			const struct cgroup_blkdev *d = &rates[k].list->v[i];
			char text[80];

			/* 0 lifts a rate, as on version 1. */
			if (d->value)
				snprintf(text, sizeof(text), "%u:%u %s=%" PRIu64, d->major,
					 d->minor, rates[k].key, d->value);
			else
				snprintf(text, sizeof(text), "%u:%u %s=max", d->major, d->minor,
					 rates[k].key);
			r = cgroup_write(dir, "io.max", text, f);
		}
	}
	return r;
}

static int set_hugetlb(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_hugetlb; i++) {
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%.20s.max", l->hugetlb[i].page_size);
		r = cgroup_write_i64(dir, file, (int64_t)l->hugetlb[i].limit, f);
	}
	return r;
}

/* The key is a file name of this directory and never one of those that govern the tree. */
static bool key_is_sound(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot && dot != key && !strchr(key, '/') && !str_after(key, "cgroup.procs") &&
	       !str_after(key, "cgroup.threads") && !str_after(key, "cgroup.subtree_control") &&
	       !str_after(key, "cgroup.type") && !str_after(key, "cgroup.kill");
}

static int set_unified(int dir, const struct cgroup_limits *l, struct cgroup_fault *f)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_unified; i++) {
		const struct cgroup_unified *u = &l->unified[i];

		if (!key_is_sound(u->key))
			return cgroup_fail(f, -EINVAL, u->key, u->value);
		r = cgroup_write(dir, u->key, u->value, f);
	}
	return r;
}

int cgroup_v2_set(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *l,
		  struct cgroup_fault *f)
{
	int dir = cgroup_dir(cg, CGROUP_UNIFIED);

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
		return cgroup_devices_attach(dir, l->devices, l->n_devices, f);
	case CGROUP_RDMA:
		return cgroup_set_rdma(dir, l, f);
	case CGROUP_UNIFIED:
		return set_unified(dir, l, f);
	default:
		return 0; /* a key of `unified` asked for the controller; it is written with them */
	}
}

/* ---- processes ----------------------------------------------------------------------------- */

int cgroup_v2_freeze(const struct cgroup *cg, bool frozen, int timeout_ms)
{
	int64_t deadline = clock_monotonic() + (int64_t)MAX(timeout_ms, 0) * 1000000;
	_cleanup_(fd_close) int events = -1;
	int dir = cgroup_dir(cg, CGROUP_UNIFIED);
	int r;

	if (dir < 0)
		return -ENODEV;
	events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (events < 0)
		return -errno;
	r = cgroup_write(dir, "cgroup.freeze", frozen ? "1" : "0", NULL);
	while (r == 0) {
		struct pollfd p = {.fd = events, .events = POLLPRI};
		int64_t now = clock_monotonic();
		char text[128];
		ssize_t n = pread(events, text, sizeof(text) - 1, 0);

		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (strstr(text, frozen ? "frozen 1" : "frozen 0"))
			return 0;
		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((deadline - now) / 1000000 + 1)) < 0 && errno != EINTR)
			return -errno;
	}
	return r;
}

int cgroup_v2_kill(const struct cgroup *cg)
{
	int dir = cgroup_dir(cg, CGROUP_UNIFIED);
	int r = dir < 0 ? -ENODEV : cgroup_write(dir, "cgroup.kill", "1", NULL);

	if (r != -EOPNOTSUPP)
		return r;
	/* Before 5.14: a frozen process of version 2 takes SIGKILL. */
	cgroup_v2_freeze(cg, true, 100);
	r = cgroup_signal_all(cg);
	cgroup_v2_freeze(cg, false, 0);
	return r;
}

/* ---- figures ------------------------------------------------------------------------------- */

void cgroup_v2_stats(const struct cgroup *cg, struct cgroup_stats *s)
{
	int dir = cgroup_dir(cg, CGROUP_UNIFIED);
	const struct cgroup_key stat[] = {{"inactive_file", &s->memory_cache, 1}};
	const struct cgroup_key events[] = {{"oom_kill", &s->oom_kills, 1}};
	const struct cgroup_key cpu[] = {{"usage_usec", &s->cpu_usage_ns, 1000},
					 {"user_usec", &s->cpu_user_ns, 1000},
					 {"system_usec", &s->cpu_system_ns, 1000},
					 {"throttled_usec", &s->cpu_throttled_ns, 1000}};

	if (dir < 0)
		return;
	cgroup_read_keys(dir, "cpu.stat", cpu, ARRAY_SIZE(cpu));
	cgroup_read_u64(dir, "memory.current", &s->memory_current);
	cgroup_read_u64(dir, "memory.peak", &s->memory_peak);
	cgroup_read_u64(dir, "memory.max", &s->memory_limit);
	cgroup_read_keys(dir, "memory.stat", stat, 1);
	cgroup_read_keys(dir, "memory.events", events, 1);
	cgroup_read_u64(dir, "pids.current", &s->pids);
	cgroup_read_u64(dir, "pids.max", &s->pids_limit);
}

const struct cgroup_ops cgroup_v2_ops = {
	.base_need = CGROUP_UNIFIED,
	.make = cgroup_v2_make,
	.set = cgroup_v2_set,
	.kill = cgroup_v2_kill,
	.freeze = cgroup_v2_freeze,
	.stats = cgroup_v2_stats,
};
