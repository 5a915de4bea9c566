/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup-setup.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/ns.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "runtime/cgroup-fault.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { DESTROY_TIMEOUT_MS = 10000 };

/* Devices that every container may use, after config's rules (runtime-spec config-linux.md,
 * "Default Devices"; the mknod rules are those of runc: a node alone opens nothing). */
static const struct cgroup_device default_devices[] = {
	{true, 'c', -1, -1, CGROUP_MKNOD},
	{true, 'b', -1, -1, CGROUP_MKNOD},
	{true, 'c', 1, 3, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* null */
	{true, 'c', 1, 5, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* zero */
	{true, 'c', 1, 7, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* full */
	{true, 'c', 1, 8, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* random */
	{true, 'c', 1, 9, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* urandom */
	{true, 'c', 5, 0, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* tty */
	{true, 'c', 5, 2, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD},    /* ptmx */
	{true, 'c', 136, -1, CGROUP_READ | CGROUP_WRITE | CGROUP_MKNOD}, /* pts */
};

/* Where an ordinary user's cgroups start with version 2 alone: in its own one, which may be
 * delegated to it. Its processes may have moved aside into a leaf (kernel/cgroup-v2.c). ""
 * elsewhere. */
static const char *user_base(struct arena *a)
{
	_cleanup_(fd_close) int proc = geteuid() == 0 ? -1 : proc_open(0);
	struct proc_cgroup *lines;
	const char *leaf, *path;
	size_t n = 0;

	if (proc < 0 || proc_read_cgroup(proc, PROC_SELF, a, &lines, &n) < 0 || n != 1 ||
	    *lines[0].controllers)
		return "";
	path = lines[0].path + strspn(lines[0].path, "/");
	leaf = strstr(path, "/" CGROUP_HOST_LEAF);
	if (leaf && !leaf[strlen("/" CGROUP_HOST_LEAF)])
		path = arena_strndup(a, path, (size_t)(leaf - path));
	return path && *path ? arena_printf(a, "%s/", path) : "";
}

const char *runtime_cgroup_path(const struct runtime_opts *o, struct arena *a, struct err *e)
{
	const char *wanted = o->cgroup_path ? o->cgroup_path : o->config->linux_.cgroups_path;
	char *path;

	if (str_empty(wanted))
		path = arena_printf(a, "%skogge/%s", user_base(a), o->id);
	else
		path = arena_strdup(a, wanted + strspn(wanted, "/"));
	if (!path)
		err_errno(e, ENOMEM, "naming the cgroup");
	else if (!*path)
		err_set(e, ERR_INVALID, 0, "linux.cgroupsPath: '%s' is the root cgroup", wanted);
	return path && *path ? path : NULL;
}

int runtime_cgroup_new(const struct cgroup_host *known, struct runtime_cgroup **ret, struct err *e)
{
	struct runtime_cgroup *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_errno(e, ENOMEM, "looking for cgroups");
	c->host = known ? *known : CGROUP_HOST_INIT;
	c->borrowed = known;
	c->cg = CGROUP_INIT;
	r = known ? 0 : cgroup_host_open(&c->host);
	if (r < 0) {
		free(c);
		return err_errno(e, r, "looking for cgroups");
	}
	*ret = c;
	return 0;
}

void runtime_cgroup_free(struct runtime_cgroup *c)
{
	if (!c)
		return;
	if (c->cg.host)
		cgroup_done(&c->cg);
	if (!c->borrowed)
		cgroup_host_done(&c->host);
	free(c);
}

static int64_t value(const struct oci_int *i)
{
	return i->set ? i->value : 0;
}

/* What of a list's entries is meant. */
enum blk_value { BLK_RATE, BLK_WEIGHT, BLK_LEAF_WEIGHT };

static struct cgroup_blkdevs convert_blkdevs(struct arena *a, const struct oci_blkio_list *l,
					     enum blk_value which)
{
	struct cgroup_blkdev *v = arena_array(a, l->n, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v && i < l->n; i++) {
		const struct oci_blkio_device *d = &l->v[i];
		const struct oci_int *weight = which == BLK_WEIGHT ? &d->weight : &d->leaf_weight;

		if (which != BLK_RATE && !weight->set)
			continue;
		v[n++] = (struct cgroup_blkdev){
			.major = (uint32_t)d->major,
			.minor = (uint32_t)d->minor,
			.value = which == BLK_RATE ? d->rate : (uint64_t)weight->value};
	}
	return (struct cgroup_blkdevs){.v = v, .n = n};
}

static void convert_memory(const struct oci_memory *m, struct cgroup_limits *l)
{
	l->memory = value(&m->limit);
	l->memory_swap = value(&m->swap);
	l->memory_reservation = value(&m->reservation);
	l->has_swappiness = m->swappiness.set;
	l->swappiness = (uint64_t)value(&m->swappiness);
	l->oom_kill_disable = m->disable_oom_killer.set && m->disable_oom_killer.value;
	l->memory_kernel = value(&m->kernel);
	l->memory_kernel_tcp = value(&m->kernel_tcp);
	l->memory_check = m->check_before_update.set && m->check_before_update.value;
}

static void convert_cpu(const struct oci_cpu *c, struct cgroup_limits *l)
{
	l->cpu_shares = (uint64_t)value(&c->shares);
	l->cpu_quota = value(&c->quota);
	l->cpu_period = (uint64_t)value(&c->period);
	l->has_cpu_burst = c->burst.set;
	l->cpu_burst = (uint64_t)value(&c->burst);
	l->has_cpu_idle = c->idle.set;
	l->cpu_idle = value(&c->idle);
	l->cpu_rt_runtime = value(&c->realtime_runtime);
	l->cpu_rt_period = (uint64_t)value(&c->realtime_period);
	l->cpuset_cpus = c->cpus;
	l->cpuset_mems = c->mems;
}

static void convert_blkio(struct arena *a, const struct oci_blkio *b, struct cgroup_limits *l)
{
	l->io_weight = (uint16_t)value(&b->weight);
	l->io_leaf_weight = (uint16_t)value(&b->leaf_weight);
	l->io_weight_device = convert_blkdevs(a, &b->weight_device, BLK_WEIGHT);
	l->io_leaf_weight_device = convert_blkdevs(a, &b->weight_device, BLK_LEAF_WEIGHT);
	l->io_read_bps = convert_blkdevs(a, &b->read_bps, BLK_RATE);
	l->io_write_bps = convert_blkdevs(a, &b->write_bps, BLK_RATE);
	l->io_read_iops = convert_blkdevs(a, &b->read_iops, BLK_RATE);
	l->io_write_iops = convert_blkdevs(a, &b->write_iops, BLK_RATE);
}

static int convert_devices(struct arena *a, const struct oci_resources *r, struct cgroup_limits *l)
{
	size_t n = r->n_devices + ARRAY_SIZE(default_devices);
	struct cgroup_device *v = arena_array(a, n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];

		v[i] = (struct cgroup_device){.allow = d->allow,
					      .type = d->type,
					      .major = d->major,
					      .minor = d->minor,
					      .access = (uint8_t)((d->read ? CGROUP_READ : 0) |
								  (d->write ? CGROUP_WRITE : 0) |
								  (d->mknod ? CGROUP_MKNOD : 0))};
	}
	memcpy(v + r->n_devices, default_devices, sizeof(default_devices));
	l->devices = v;
	l->n_devices = n;
	return 0;
}

/* Lists of network and RDMA devices, which have names. */
static int convert_devices_of_names(struct arena *a, const struct oci_resources *r,
				    struct cgroup_limits *l)
{
	struct cgroup_netprio *prio = arena_array(a, r->n_net_prios, sizeof(*prio));
	struct cgroup_rdma *rdma = arena_array(a, r->n_rdma, sizeof(*rdma));

	if (!prio || !rdma)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_net_prios; i++)
		prio[i] = (struct cgroup_netprio){.device = r->net_prios[i].name,
						  .priority = r->net_prios[i].priority};
	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma *d = &r->rdma[i];

		rdma[i] = (struct cgroup_rdma){.device = d->device,
					       .handles = d->handles.set ? d->handles.value : -1,
					       .objects = d->objects.set ? d->objects.value : -1};
	}
	l->netprio = prio;
	l->n_netprio = r->n_net_prios;
	l->rdma = rdma;
	l->n_rdma = r->n_rdma;
	l->has_net_classid = r->net_classid.set;
	l->net_classid = (uint32_t)value(&r->net_classid);
	return 0;
}

static int convert_lists(struct arena *a, const struct oci_resources *r, struct cgroup_limits *l)
{
	struct cgroup_hugetlb *huge = arena_array(a, r->n_hugepages, sizeof(*huge));
	struct cgroup_unified *unified = arena_array(a, r->unified.n, sizeof(*unified));

	if (!huge || !unified)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_hugepages; i++)
		huge[i] = (struct cgroup_hugetlb){.page_size = r->hugepages[i].page_size,
						  .limit = r->hugepages[i].limit};
	for (size_t i = 0; i < r->unified.n; i++)
		unified[i] = (struct cgroup_unified){.key = r->unified.v[i].key,
						     .value = r->unified.v[i].value};
	l->hugetlb = huge;
	l->n_hugetlb = r->n_hugepages;
	l->unified = unified;
	l->n_unified = r->unified.n;
	return convert_devices_of_names(a, r, l);
}

static int convert(struct arena *a, const struct oci_resources *res, bool devices,
		   struct cgroup_limits *l)
{
	int r;

	*l = (struct cgroup_limits){.pids = value(&res->pids_limit)};
	convert_memory(&res->memory, l);
	convert_cpu(&res->cpu, l);
	convert_blkio(a, &res->blkio, l);
	r = devices ? convert_devices(a, res, l) : 0;
	return r < 0 ? r : convert_lists(a, res, l);
}

static bool is_rootless(void)
{
	_cleanup_(fd_close) int proc = geteuid() == 0 ? proc_open(0) : -1;

	return geteuid() != 0 || (proc >= 0 && ns_is_nested(proc));
}

static int create(struct runtime_cgroup *c, struct cgroup_limits *limits, const char *path,
		  struct cgroup_fault *fault)
{
	int r = cgroup_create(&c->host, path, limits, &c->cg, fault);

	if ((r != -EACCES && r != -EPERM && r != -EROFS) || !is_rootless())
		return r;
	limits->n_devices = 0;
	r = cgroup_create(&c->host, path, limits, &c->cg, fault);
	if (r < 0 && !cgroup_limits_need(&c->host, limits))
		return RUNTIME_CGROUP_NONE;
	return r;
}

int runtime_cgroup_create(struct runtime_cgroup *c, const struct runtime_opts *o, const char *path,
			  struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct cgroup_fault fault = {.controller = ""};
	const struct oci_resources *res = &o->config->linux_.resources;
	struct cgroup_limits limits;
	int r = convert(&a, res, true, &limits);

	/* Who names the cgroup in the configuration (Docker, containerd, Podman) reads its figures,
	 * and that of whatever cgroup the process is in where it has none of its own */
	if (!o->cgroup_path && !str_empty(o->config->linux_.cgroups_path))
		limits.need = CGROUP_NEED_ALL;
	limits.adopt = o->systemd_cgroup;
	if (r >= 0)
		r = create(c, &limits, path, &fault);
	return r < 0 ? runtime_cgroup_fail(r, &fault, res, "making the cgroup", e) : r;
}

int runtime_cgroup_update(struct runtime_cgroup *c, const struct oci_resources *res, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct cgroup_fault fault = {.controller = ""};
	struct cgroup_limits limits;
	int r = convert(&a, res, res->n_devices > 0, &limits);

	if (r >= 0)
		r = cgroup_set(&c->cg, &limits, &fault);
	return r < 0 ? runtime_cgroup_fail(r, &fault, res, "changing the limits", e) : 0;
}

int runtime_cgroup_destroy(const struct cgroup_host *known, const char *path, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	if (runtime_cgroup_new(known, &c, e) < 0)
		return -1;
	if (c->host.mode == CGROUP_NONE)
		return 0;
	r = cgroup_destroy(&c->host, path, DESTROY_TIMEOUT_MS);
	return r < 0 ? err_errno(e, r, "removing the cgroup '%s'", path) : 0;
}
