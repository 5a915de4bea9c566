/* SPDX-License-Identifier: Apache-2.0 */
/* A failure names a file of a controller, or a controller alone. The field is found by the file;
 * without one it is the first field of the configuration that needs the controller. */
#include "runtime/cgroup-fault.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>

enum { FIELD_SIZE = 160 };

/* The files of both versions and the field below linux.resources that is written there. */
static const struct {
	const char *file, *field;
} fields[] = {
	{"memory.limit_in_bytes", "memory.limit"},
	{"memory.max", "memory.limit"},
	{"memory.usage_in_bytes", "memory.limit"},
	{"memory.current", "memory.limit"},
	{"memory.memsw.limit_in_bytes", "memory.swap"},
	{"memory.swap.max", "memory.swap"},
	{"memory.soft_limit_in_bytes", "memory.reservation"},
	{"memory.low", "memory.reservation"},
	{"memory.kmem.limit_in_bytes", "memory.kernel"},
	{"memory.kmem.tcp.limit_in_bytes", "memory.kernelTCP"},
	{"memory.swappiness", "memory.swappiness"},
	{"memory.oom_control", "memory.disableOOMKiller"},
	{"cpu.shares", "cpu.shares"},
	{"cpu.weight", "cpu.shares"},
	{"cpu.cfs_quota_us", "cpu.quota"},
	{"cpu.max", "cpu.quota"},
	{"cpu.cfs_period_us", "cpu.period"},
	{"cpu.cfs_burst_us", "cpu.burst"},
	{"cpu.max.burst", "cpu.burst"},
	{"cpu.rt_runtime_us", "cpu.realtimeRuntime"},
	{"cpu.rt_period_us", "cpu.realtimePeriod"},
	{"cpu.idle", "cpu.idle"},
	{"cpuset.cpus", "cpu.cpus"},
	{"cpuset.mems", "cpu.mems"},
	{"pids.max", "pids.limit"},
	{"blkio.weight", "blockIO.weight"},
	{"blkio.bfq.weight", "blockIO.weight"},
	{"io.weight", "blockIO.weight"},
	{"io.bfq.weight", "blockIO.weight"},
	{"blkio.leaf_weight", "blockIO.leafWeight"},
	{"blkio.weight_device", "blockIO.weightDevice"},
	{"blkio.bfq.weight_device", "blockIO.weightDevice"},
	{"blkio.leaf_weight_device", "blockIO.weightDevice"},
	{"blkio.throttle.read_bps_device", "blockIO.throttleReadBpsDevice"},
	{"blkio.throttle.write_bps_device", "blockIO.throttleWriteBpsDevice"},
	{"blkio.throttle.read_iops_device", "blockIO.throttleReadIOPSDevice"},
	{"blkio.throttle.write_iops_device", "blockIO.throttleWriteIOPSDevice"},
	{"devices.allow", "devices"},
	{"devices.deny", "devices"},
	{"net_cls.classid", "network.classID"},
	{"net_prio.ifpriomap", "network.priorities"},
	{"rdma.max", "rdma"},
};

/* The fields that share io.max, by what was written. */
static const char *io_field(const char *value)
{
	static const char *const keys[][2] = {{" rbps=", "blockIO.throttleReadBpsDevice"},
					      {" wbps=", "blockIO.throttleWriteBpsDevice"},
					      {" riops=", "blockIO.throttleReadIOPSDevice"},
					      {" wiops=", "blockIO.throttleWriteIOPSDevice"}};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strstr(value, keys[i][0]))
			return keys[i][1];
	return "blockIO";
}

static const char *memory_field(const struct oci_memory *m)
{
	return m->limit.set                ? "memory.limit"
	       : m->swap.set               ? "memory.swap"
	       : m->reservation.set        ? "memory.reservation"
	       : m->swappiness.set         ? "memory.swappiness"
	       : m->disable_oom_killer.set ? "memory.disableOOMKiller"
	       : m->kernel.set             ? "memory.kernel"
	       : m->kernel_tcp.set         ? "memory.kernelTCP"
					   : NULL;
}

static const char *cpu_field(const struct oci_cpu *c)
{
	return c->shares.set             ? "cpu.shares"
	       : c->quota.set            ? "cpu.quota"
	       : c->period.set           ? "cpu.period"
	       : c->burst.set            ? "cpu.burst"
	       : c->idle.set             ? "cpu.idle"
	       : c->realtime_runtime.set ? "cpu.realtimeRuntime"
	       : c->realtime_period.set  ? "cpu.realtimePeriod"
					 : NULL;
}

static const char *io_first(const struct oci_blkio *b)
{
	return b->weight.set        ? "blockIO.weight"
	       : b->leaf_weight.set ? "blockIO.leafWeight"
	       : b->weight_device.n ? "blockIO.weightDevice"
	       : b->read_bps.n      ? "blockIO.throttleReadBpsDevice"
	       : b->write_bps.n     ? "blockIO.throttleWriteBpsDevice"
	       : b->read_iops.n     ? "blockIO.throttleReadIOPSDevice"
	       : b->write_iops.n    ? "blockIO.throttleWriteIOPSDevice"
				    : NULL;
}

/* The first field that needs the controller, NULL where none does (a key of `unified`). */
static const char *by_controller(const struct oci_resources *res, uint32_t controller)
{
	switch (controller) {
	case CGROUP_MEMORY:
		return memory_field(&res->memory);
	case CGROUP_CPU:
		return cpu_field(&res->cpu);
	case CGROUP_CPUSET:
		return res->cpu.cpus ? "cpu.cpus" : res->cpu.mems ? "cpu.mems" : NULL;
	case CGROUP_PIDS:
		return res->pids_limit.set ? "pids.limit" : NULL;
	case CGROUP_IO:
		return io_first(&res->blkio);
	case CGROUP_HUGETLB:
		return res->n_hugepages ? "hugepageLimits" : NULL;
	case CGROUP_DEVICES:
		return "devices";
	case CGROUP_RDMA:
		return res->n_rdma ? "rdma" : NULL;
	case CGROUP_NET_CLS:
		return "network.classID";
	case CGROUP_NET_PRIO:
		return "network.priorities";
	default:
		return NULL;
	}
}

/* The key of `unified` that is the file, or that belongs to the controller. */
static const char *unified_key(const struct oci_resources *res, const struct cgroup_fault *f)
{
	for (size_t i = 0; i < res->unified.n; i++) {
		const char *key = res->unified.v[i].key, *rest = str_after(key, f->controller);

		if (str_eq(key, f->file) || (*f->controller && rest && *rest == '.'))
			return key;
	}
	return NULL;
}

static const char *plain_field(const struct cgroup_fault *f, const struct oci_resources *res)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (str_eq(fields[i].file, f->file))
			return fields[i].field;
	if (str_eq(f->file, "io.max"))
		return io_field(f->value);
	if (str_after(f->file, "hugetlb."))
		return "hugepageLimits";
	return by_controller(res, cgroup_controllers_parse(f->controller));
}

/* Writes "linux.resources.X" to OUT; "" where no field is to blame. */
static void find_field(const struct cgroup_fault *f, const struct oci_resources *res,
		       char out[FIELD_SIZE])
{
	const char *key = unified_key(res, f), *plain = plain_field(f, res);
	bool written = key && str_eq(key, f->file);

	out[0] = '\0';
	if (plain && !written)
		snprintf(out, FIELD_SIZE, "linux.resources.%s", plain);
	else if (key)
		snprintf(out, FIELD_SIZE, "linux.resources.unified.%.100s", key);
}

static bool is_denied(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

/* No controller here at all, or none below the cgroup F->stop. */
static int no_controller(int r, const struct cgroup_fault *f, const char *field, struct err *e)
{
	if (!*f->stop) {
		err_set(e, ERR_UNSUPPORTED, 0, "%s: this machine has no cgroup controller '%s'",
			field, f->controller);
		return err_hint(e,
				"leave the limit away, or enable it in the kernel's command line");
	}
	err_set(e, is_denied(r) ? ERR_DENIED : ERR_UNSUPPORTED, r == -ENODEV ? 0 : r,
		"%s: the cgroup controller '%s' is not delegated below '%s'", field, f->controller,
		f->stop);
	return err_hint(e,
			"leave the limit away, or have '+%s' written to cgroup.subtree_control "
			"there by who owns it; for a service of systemd that is Delegate=yes",
			f->controller);
}

/* The first field that needs any controller; rules for devices aside, which everybody has. */
static const char *first_limit(const struct oci_resources *res)
{
	for (uint32_t bit = 1; bit < CGROUP_NAMED; bit <<= 1) {
		const char *field = bit == CGROUP_DEVICES    ? NULL
				    : bit == CGROUP_NET_CLS  ? NULL
				    : bit == CGROUP_NET_PRIO ? NULL
							     : by_controller(res, bit);

		if (field)
			return field;
	}
	return res->unified.n ? "unified" : NULL;
}

/* No directory could be made: nothing is delegated here. */
static int denied(int r, const struct oci_resources *res, const char *what, struct err *e)
{
	const char *field = first_limit(res);

	if (!field)
		return err_errno(e, r, "%s", what);
	err_errno(e, r, "linux.resources.%s: %s", field, what);
	return err_hint(e,
			"limits need a cgroup that is delegated to the user: leave them away, or "
			"start by systemd-run --user --scope -p Delegate=yes");
}

int runtime_cgroup_fail(int r, const struct cgroup_fault *f, const struct oci_resources *res,
			const char *what, struct err *e)
{
	char field[FIELD_SIZE];

	find_field(f, res, field);
	if (!*field)
		snprintf(field, sizeof(field), "%s", what);
	if (*f->controller && (r == -ENODEV || *f->stop))
		return no_controller(r, f, field, e);
	if (r == -EOPNOTSUPP && *f->file)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "%s: the kernel has no file '%s' for it in the cgroup controller "
			       "'%s'",
			       field, f->file, f->controller);
	if (*f->file)
		return err_errno(e, r, "%s: writing '%s' to %s of the cgroup controller '%s'",
				 field, f->value, f->file, f->controller);
	if (is_denied(r))
		return denied(r, res, what, e);
	if (*f->controller)
		return err_errno(e, r, "%s (controller '%s')", what, f->controller);
	return err_errno(e, r, "%s", what);
}
