/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of `linux`. */
#include "oci/runtime-config-internal.h"

static void put_flag(json_t *obj, const char *key, const struct oci_flag *f)
{
	if (f->set)
		oci_put(obj, key, json_boolean(f->value));
}

/* Puts the object PART where it has fields, and drops it otherwise. */
static void put_part(json_t *obj, const char *key, json_t *part)
{
	if (json_object_size(part))
		oci_put(obj, key, part);
	else
		json_decref(part);
}

json_t *oci_id_maps_json(const struct oci_id_maps *m)
{
	json_t *list = m->n ? json_array() : NULL;

	for (size_t i = 0; i < m->n; i++) {
		json_t *j = json_object();

		oci_put(j, "containerID", json_integer(m->v[i].container_id));
		oci_put(j, "hostID", json_integer(m->v[i].host_id));
		oci_put(j, "size", json_integer(m->v[i].size));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *device_rules_json(const struct oci_resources *r)
{
	json_t *list = r->n_devices ? json_array() : NULL;

	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];
		char type[2] = {d->type, '\0'}, access[4];
		json_t *j = json_object();
		size_t n = 0;

		if (d->read)
			access[n++] = 'r';
		if (d->write)
			access[n++] = 'w';
		if (d->mknod)
			access[n++] = 'm';
		access[n] = '\0';
		oci_put(j, "allow", json_boolean(d->allow));
		if (d->type != 'a')
			oci_put(j, "type", json_string(type));
		if (d->major >= 0)
			oci_put(j, "major", json_integer(d->major));
		if (d->minor >= 0)
			oci_put(j, "minor", json_integer(d->minor));
		oci_put(j, "access", json_string(access));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *memory_json(const struct oci_memory *m)
{
	json_t *j = json_object();

	oci_put_int(j, "limit", &m->limit);
	oci_put_int(j, "reservation", &m->reservation);
	oci_put_int(j, "swap", &m->swap);
	oci_put_int(j, "kernel", &m->kernel);
	oci_put_int(j, "kernelTCP", &m->kernel_tcp);
	oci_put_int(j, "swappiness", &m->swappiness);
	put_flag(j, "disableOOMKiller", &m->disable_oom_killer);
	put_flag(j, "useHierarchy", &m->use_hierarchy);
	put_flag(j, "checkBeforeUpdate", &m->check_before_update);
	return j;
}

static json_t *cpu_json(const struct oci_cpu *c)
{
	json_t *j = json_object();

	oci_put_int(j, "shares", &c->shares);
	oci_put_int(j, "quota", &c->quota);
	oci_put_int(j, "burst", &c->burst);
	oci_put_int(j, "period", &c->period);
	oci_put_int(j, "realtimeRuntime", &c->realtime_runtime);
	oci_put_int(j, "realtimePeriod", &c->realtime_period);
	oci_put_int(j, "idle", &c->idle);
	oci_put(j, "cpus", oci_str_json(c->cpus));
	oci_put(j, "mems", oci_str_json(c->mems));
	return j;
}

static json_t *blkio_list_json(const struct oci_blkio_list *l, bool rates)
{
	json_t *list = l->n ? json_array() : NULL;

	for (size_t i = 0; i < l->n; i++) {
		json_t *j = json_object();

		oci_put(j, "major", json_integer(l->v[i].major));
		oci_put(j, "minor", json_integer(l->v[i].minor));
		oci_put_int(j, "weight", &l->v[i].weight);
		oci_put_int(j, "leafWeight", &l->v[i].leaf_weight);
		if (rates)
			oci_put(j, "rate", json_integer((json_int_t)l->v[i].rate));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *blkio_json(const struct oci_blkio *b)
{
	json_t *j = json_object();

	oci_put_int(j, "weight", &b->weight);
	oci_put_int(j, "leafWeight", &b->leaf_weight);
	oci_put(j, "weightDevice", blkio_list_json(&b->weight_device, false));
	oci_put(j, "throttleReadBpsDevice", blkio_list_json(&b->read_bps, true));
	oci_put(j, "throttleWriteBpsDevice", blkio_list_json(&b->write_bps, true));
	oci_put(j, "throttleReadIOPSDevice", blkio_list_json(&b->read_iops, true));
	oci_put(j, "throttleWriteIOPSDevice", blkio_list_json(&b->write_iops, true));
	return j;
}

static json_t *hugepages_json(const struct oci_resources *r)
{
	json_t *list = r->n_hugepages ? json_array() : NULL;

	for (size_t i = 0; i < r->n_hugepages; i++) {
		json_t *j = json_object();

		oci_put(j, "pageSize", oci_str_json(r->hugepages[i].page_size));
		oci_put(j, "limit", json_integer((json_int_t)r->hugepages[i].limit));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *network_json(const struct oci_resources *r)
{
	json_t *j = json_object(), *list;

	oci_put_int(j, "classID", &r->net_classid);
	if (!r->n_net_prios)
		return j;
	list = json_array();
	for (size_t i = 0; i < r->n_net_prios; i++) {
		json_t *p = json_object();

		oci_put(p, "name", oci_str_json(r->net_prios[i].name));
		oci_put(p, "priority", json_integer(r->net_prios[i].priority));
		json_array_append_new(list, p);
	}
	oci_put(j, "priorities", list);
	return j;
}

static json_t *rdma_json(const struct oci_resources *r)
{
	json_t *j = json_object();

	for (size_t i = 0; i < r->n_rdma; i++) {
		json_t *d = json_object();

		oci_put_int(d, "hcaHandles", &r->rdma[i].handles);
		oci_put_int(d, "hcaObjects", &r->rdma[i].objects);
		oci_put(j, r->rdma[i].device, d);
	}
	return j;
}

json_t *oci_resources_json(const struct oci_resources *r)
{
	json_t *j = json_object(), *pids = json_object();

	oci_put(j, "devices", device_rules_json(r));
	put_part(j, "memory", memory_json(&r->memory));
	put_part(j, "cpu", cpu_json(&r->cpu));
	oci_put_int(pids, "limit", &r->pids_limit);
	put_part(j, "pids", pids);
	put_part(j, "blockIO", blkio_json(&r->blkio));
	oci_put(j, "hugepageLimits", hugepages_json(r));
	put_part(j, "network", network_json(r));
	put_part(j, "rdma", rdma_json(r));
	oci_put(j, "unified", oci_map_json(&r->unified));
	return j;
}

static json_t *namespaces_json(const struct oci_linux *l)
{
	json_t *list = json_array();

	for (enum oci_ns i = 0; i < OCI_NS_N; i++) {
		json_t *j;

		if (!l->ns[i].present)
			continue;
		j = json_object();
		oci_put(j, "type", oci_str_json(oci_ns_name(i)));
		oci_put(j, "path", oci_str_json(l->ns[i].path));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *devices_json(const struct oci_linux *l)
{
	json_t *list = l->n_devices ? json_array() : NULL;

	for (size_t i = 0; i < l->n_devices; i++) {
		const struct oci_device *d = &l->devices[i];
		char type[2] = {d->type, '\0'};
		json_t *j = json_object();

		oci_put(j, "type", json_string(type));
		oci_put(j, "path", oci_str_json(d->path));
		if (d->type != 'p') {
			oci_put(j, "major", json_integer(d->major));
			oci_put(j, "minor", json_integer(d->minor));
		}
		oci_put_int(j, "fileMode", &d->file_mode);
		oci_put_int(j, "uid", &d->uid);
		oci_put_int(j, "gid", &d->gid);
		json_array_append_new(list, j);
	}
	return list;
}

static void put_offset(json_t *obj, const char *key, const struct oci_time_offset *o)
{
	json_t *j;

	if (!o->set)
		return;
	j = json_object();
	oci_put(j, "secs", json_integer(o->secs));
	oci_put(j, "nanosecs", json_integer(o->nanosecs));
	oci_put(obj, key, j);
}

static json_t *intel_rdt_json(const struct oci_intel_rdt *r)
{
	json_t *j = json_object();

	oci_put(j, "closID", oci_str_json(r->clos_id));
	oci_put(j, "l3CacheSchema", oci_str_json(r->l3));
	oci_put(j, "memBwSchema", oci_str_json(r->mem_bw));
	oci_put(j, "schemata", oci_strv_json((const char *const *)r->schemata));
	return j;
}

json_t *oci_linux_json(const struct oci_linux *l)
{
	json_t *j = json_object(), *offsets = json_object();

	oci_put(j, "uidMappings", oci_id_maps_json(&l->uid_maps));
	oci_put(j, "gidMappings", oci_id_maps_json(&l->gid_maps));
	put_offset(offsets, "monotonic", &l->monotonic);
	put_offset(offsets, "boottime", &l->boottime);
	put_part(j, "timeOffsets", offsets);
	oci_put(j, "cgroupsPath", oci_str_json(l->cgroups_path));
	put_part(j, "resources", oci_resources_json(&l->resources));
	oci_put(j, "namespaces", namespaces_json(l));
	oci_put(j, "devices", devices_json(l));
	oci_put(j, "sysctl", oci_map_json(&l->sysctl));
	if (l->has_seccomp)
		oci_put(j, "seccomp", oci_seccomp_json(&l->seccomp));
	oci_put(j, "rootfsPropagation", oci_str_json(l->rootfs_propagation));
	oci_put(j, "maskedPaths", oci_strv_json((const char *const *)l->masked_paths));
	oci_put(j, "readonlyPaths", oci_strv_json((const char *const *)l->readonly_paths));
	oci_put(j, "mountLabel", oci_str_json(l->mount_label));
	if (l->has_intel_rdt)
		oci_put(j, "intelRdt", intel_rdt_json(&l->intel_rdt));
	if (l->personality_32bit)
		oci_put(j, "personality", json_pack("{s:s}", "domain", "LINUX32"));
	return j;
}
