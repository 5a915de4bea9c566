/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of `linux.resources` (runtime-spec config-linux.md, "Control groups"). */
#include "oci/runtime-config-internal.h"

#include "base/str.h"

static int read_access(const struct json_reader *r, struct oci_device_rule *d, struct err *e)
{
	const char *access = "rwm";

	if (json_read_str(r, "access", &access, e) < 0)
		return -1;
	for (const char *s = access; *s; s++) {
		if (!strchr("rwm", *s))
			return json_read_fail(r, "access", ERR_INVALID, e,
					      "'%s' has other letters than r, w and m", access);
		d->read |= *s == 'r';
		d->write |= *s == 'w';
		d->mknod |= *s == 'm';
	}
	return 0;
}

static int read_device_rule(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_device_rule *d = elem;
	const char *type = "a";

	d->major = d->minor = -1;
	if (json_read_bool(r, "allow", &d->allow, e) < 0 ||
	    json_read_str(r, "type", &type, e) < 0 ||
	    json_read_i64(r, "major", -1, UINT32_MAX, &d->major, e) < 0 ||
	    json_read_i64(r, "minor", -1, UINT32_MAX, &d->minor, e) < 0)
		return -1;
	if (!*type)
		type = "a";
	if (!strchr("abc", *type) || type[1])
		return json_read_fail(r, "type", ERR_INVALID, e, "'%s' is not a, b or c", type);
	d->type = *type;
	return read_access(r, d, e);
}

static int read_memory(const struct json_reader *res, struct oci_memory *m, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(res, "memory", &r, e);

	if (n <= 0)
		return n;
	if (oci_read_int(&r, "limit", -1, INT64_MAX, &m->limit, e) < 0 ||
	    oci_read_int(&r, "reservation", -1, INT64_MAX, &m->reservation, e) < 0 ||
	    oci_read_int(&r, "swap", -1, INT64_MAX, &m->swap, e) < 0 ||
	    oci_read_int(&r, "kernel", -1, INT64_MAX, &m->kernel, e) < 0 ||
	    oci_read_int(&r, "kernelTCP", -1, INT64_MAX, &m->kernel_tcp, e) < 0)
		return -1;
	if (oci_read_int(&r, "swappiness", 0, 100, &m->swappiness, e) < 0 ||
	    oci_read_flag(&r, "disableOOMKiller", &m->disable_oom_killer, e) < 0 ||
	    oci_read_flag(&r, "useHierarchy", &m->use_hierarchy, e) < 0)
		return -1;
	return oci_read_flag(&r, "checkBeforeUpdate", &m->check_before_update, e);
}

static int read_cpu(const struct json_reader *res, struct oci_cpu *c, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(res, "cpu", &r, e);

	if (n <= 0)
		return n;
	if (oci_read_int(&r, "shares", 0, INT64_MAX, &c->shares, e) < 0 ||
	    oci_read_int(&r, "quota", -1, INT64_MAX, &c->quota, e) < 0 ||
	    oci_read_int(&r, "burst", 0, INT64_MAX, &c->burst, e) < 0 ||
	    oci_read_int(&r, "period", 0, INT64_MAX, &c->period, e) < 0 ||
	    oci_read_int(&r, "realtimeRuntime", -1, INT64_MAX, &c->realtime_runtime, e) < 0)
		return -1;
	if (oci_read_int(&r, "realtimePeriod", 0, INT64_MAX, &c->realtime_period, e) < 0 ||
	    oci_read_int(&r, "idle", 0, 1, &c->idle, e) < 0 ||
	    json_read_str(&r, "cpus", &c->cpus, e) < 0)
		return -1;
	return json_read_str(&r, "mems", &c->mems, e);
}

static int read_blkio_device(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_blkio_device *d = elem;

	if (json_read_i64(r, "major", 0, UINT32_MAX, &d->major, e) < 0 ||
	    json_read_i64(r, "minor", 0, UINT32_MAX, &d->minor, e) < 0 ||
	    oci_read_int(r, "weight", 0, 1000, &d->weight, e) < 0 ||
	    oci_read_int(r, "leafWeight", 0, 1000, &d->leaf_weight, e) < 0)
		return -1;
	return oci_read_u64(r, "rate", &d->rate, e);
}

static int read_blkio(const struct json_reader *res, struct oci_blkio *b, struct err *e)
{
	const struct {
		const char *key;
		struct oci_blkio_list *list;
	} lists[] = {
		{"weightDevice", &b->weight_device},
		{"throttleReadBpsDevice", &b->read_bps},
		{"throttleWriteBpsDevice", &b->write_bps},
		{"throttleReadIOPSDevice", &b->read_iops},
		{"throttleWriteIOPSDevice", &b->write_iops},
	};
	struct json_reader r;
	int n = json_read_obj(res, "blockIO", &r, e);

	if (n <= 0)
		return n;
	if (oci_read_int(&r, "weight", 0, 1000, &b->weight, e) < 0 ||
	    oci_read_int(&r, "leafWeight", 0, 1000, &b->leaf_weight, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (oci_read_list(&r, lists[i].key, OCI_ELEM(lists[i].list->v, read_blkio_device),
				  &lists[i].list->v, &lists[i].list->n, e) < 0)
			return -1;
	return 0;
}

static int read_hugepage(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_hugepage *h = elem;

	if (oci_need_str(r, "pageSize", &h->page_size, e) < 0)
		return -1;
	if (!*h->page_size || strchr(h->page_size, '/'))
		return json_read_fail(r, "pageSize", ERR_INVALID, e, "'%s' is no size",
				      h->page_size);
	return oci_read_u64(r, "limit", &h->limit, e);
}

static int read_net_prio(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_net_prio *p = elem;

	if (oci_need_str(r, "name", &p->name, e) < 0)
		return -1;
	return oci_read_u32(r, "priority", &p->priority, e);
}

static int read_network(const struct json_reader *res, struct oci_resources *o, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(res, "network", &r, e);

	if (n <= 0)
		return n;
	if (oci_read_int(&r, "classID", 0, UINT32_MAX, &o->net_classid, e) < 0)
		return -1;
	return oci_read_list(&r, "priorities", OCI_ELEM(o->net_prios, read_net_prio), &o->net_prios,
			     &o->n_net_prios, e);
}

static int read_rdma(const struct json_reader *res, struct oci_resources *o, struct err *e)
{
	struct json_reader map, r;
	const char *name;
	json_t *value;
	int n = json_read_obj(res, "rdma", &map, e);

	if (n <= 0)
		return n;
	o->rdma = arena_array(res->arena, json_object_size(map.obj), sizeof(*o->rdma));
	if (!o->rdma)
		return json_read_fail(res, "rdma", ERR_LIMIT, e, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)map.obj, name, value) {
		struct oci_rdma *d = &o->rdma[o->n_rdma];

		n = json_read_obj(&map, name, &r, e);
		if (n < 0 ||
		    (n > 0 && (oci_read_int(&r, "hcaHandles", 0, INT32_MAX, &d->handles, e) < 0 ||
			       oci_read_int(&r, "hcaObjects", 0, INT32_MAX, &d->objects, e) < 0)))
			return -1;
		d->device = arena_strdup(res->arena, name);
		if (!d->device)
			return json_read_fail(res, "rdma", ERR_LIMIT, e, "out of memory");
		o->n_rdma++;
	}
	return 0;
}

static int read_pids(const struct json_reader *res, struct oci_int *ret, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(res, "pids", &r, e);

	return n > 0 ? oci_read_int(&r, "limit", -1, INT64_MAX, ret, e) : n;
}

int oci_read_resources(const struct json_reader *r, struct oci_resources *o, struct err *e)
{
	if (oci_read_list(r, "devices", OCI_ELEM(o->devices, read_device_rule), &o->devices,
			  &o->n_devices, e) < 0 ||
	    read_memory(r, &o->memory, e) < 0 || read_cpu(r, &o->cpu, e) < 0 ||
	    read_pids(r, &o->pids_limit, e) < 0 || read_blkio(r, &o->blkio, e) < 0)
		return -1;
	if (oci_read_list(r, "hugepageLimits", OCI_ELEM(o->hugepages, read_hugepage), &o->hugepages,
			  &o->n_hugepages, e) < 0 ||
	    read_network(r, o, e) < 0 || read_rdma(r, o, e) < 0)
		return -1;
	return oci_read_map(r, "unified", &o->unified, e);
}
