/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of `linux` (runtime-spec config-linux.md) but for resources and seccomp. */
#include "oci/runtime-config-internal.h"

#include "base/str.h"

static int read_id_map(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_id_map *m = elem;

	if (oci_read_u32(r, "containerID", &m->container_id, e) < 0 ||
	    oci_read_u32(r, "hostID", &m->host_id, e) < 0)
		return -1;
	return oci_read_u32(r, "size", &m->size, e);
}

int oci_read_id_maps(const struct json_reader *r, const char *key, struct oci_id_maps *ret,
		     struct err *e)
{
	return oci_read_list(r, key, OCI_ELEM(ret->v, read_id_map), &ret->v, &ret->n, e);
}

static int read_namespace(const struct json_reader *r, struct oci_linux *l, struct err *e)
{
	const char *type = NULL, *path = NULL;

	if (oci_need_str(r, "type", &type, e) < 0 || json_read_str(r, "path", &path, e) < 0)
		return -1;
	for (enum oci_ns i = 0; i < OCI_NS_N; i++) {
		if (!str_eq(type, oci_ns_name(i)))
			continue;
		if (l->ns[i].present)
			return json_read_fail(r, "type", ERR_INVALID, e, "'%s' is given twice",
					      type);
		l->ns[i].present = true;
		l->ns[i].path = str_empty(path) ? NULL : path;
		return 0;
	}
	return json_read_fail(r, "type", ERR_INVALID, e, "there is no namespace '%s'", type);
}

static int read_namespaces(const struct json_reader *r, struct oci_linux *l, struct err *e)
{
	struct json_reader elem;
	size_t n;

	if (json_read_array(r, "namespaces", 64, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (json_read_elem(r, "namespaces", i, &elem, e) < 0 ||
		    read_namespace(&elem, l, e) < 0)
			return -1;
	return 0;
}

static int read_device(const struct json_reader *r, void *elem, struct err *e)
{
	struct oci_device *d = elem;
	const char *type = NULL;

	if (oci_need_str(r, "type", &type, e) < 0 || oci_need_str(r, "path", &d->path, e) < 0 ||
	    json_read_i64(r, "major", -1, UINT32_MAX, &d->major, e) < 0 ||
	    json_read_i64(r, "minor", -1, UINT32_MAX, &d->minor, e) < 0 ||
	    oci_read_int(r, "fileMode", 0, UINT32_MAX, &d->file_mode, e) < 0 ||
	    oci_read_int(r, "uid", 0, UINT32_MAX - 1, &d->uid, e) < 0 ||
	    oci_read_int(r, "gid", 0, UINT32_MAX - 1, &d->gid, e) < 0)
		return -1;
	if (!*type || !strchr("cubp", *type) || type[1])
		return json_read_fail(r, "type", ERR_INVALID, e, "'%s' is not c, b, u or p", type);
	d->type = *type == 'u' ? 'c' : *type;
	return 0;
}

static int read_time_offset(const struct json_reader *offsets, const char *clock,
			    struct oci_time_offset *ret, struct err *e)
{
	struct json_reader r;
	uint64_t nanosecs = 0;
	int n = json_read_obj(offsets, clock, &r, e);

	if (n <= 0)
		return n;
	ret->set = true;
	if (json_read_i64(&r, "secs", INT64_MIN, INT64_MAX, &ret->secs, e) < 0 ||
	    json_read_u64(&r, "nanosecs", 999999999, &nanosecs, e) < 0)
		return -1;
	ret->nanosecs = (uint32_t)nanosecs;
	return 0;
}

static int read_time_offsets(const struct json_reader *linux_, struct oci_linux *l, struct err *e)
{
	struct json_reader r;
	int n = json_read_obj(linux_, "timeOffsets", &r, e);

	if (n <= 0)
		return n;
	if (read_time_offset(&r, "monotonic", &l->monotonic, e) < 0)
		return -1;
	return read_time_offset(&r, "boottime", &l->boottime, e);
}

static int read_personality(const struct json_reader *linux_, struct oci_linux *l, struct err *e)
{
	struct json_reader r;
	const char *domain = NULL;
	int n = json_read_obj(linux_, "personality", &r, e);

	if (n <= 0)
		return n;
	if (oci_need_str(&r, "domain", &domain, e) < 0)
		return -1;
	if (!str_eq(domain, "LINUX") && !str_eq(domain, "LINUX32"))
		return json_read_fail(&r, "domain", ERR_INVALID, e, "'%s' is not LINUX or LINUX32",
				      domain);
	l->personality_32bit = str_eq(domain, "LINUX32");
	return 0;
}

static int read_intel_rdt(const struct json_reader *r, struct oci_linux *l, struct err *e)
{
	struct oci_intel_rdt *i = &l->intel_rdt;
	struct json_reader part;
	int n = json_read_obj(r, "intelRdt", &part, e);

	l->has_intel_rdt = n > 0;
	if (n <= 0)
		return n;
	if (json_read_str(&part, "closID", &i->clos_id, e) < 0 ||
	    json_read_str(&part, "l3CacheSchema", &i->l3, e) < 0 ||
	    json_read_str(&part, "memBwSchema", &i->mem_bw, e) < 0)
		return -1;
	return json_read_strv(&part, "schemata", &i->schemata, NULL, e) < 0 ? -1 : 0;
}

static int read_parts(const struct json_reader *r, struct oci_linux *l, struct err *e)
{
	struct json_reader part;
	int n;

	if (read_time_offsets(r, l, e) < 0 || read_personality(r, l, e) < 0 ||
	    read_intel_rdt(r, l, e) < 0)
		return -1;
	n = json_read_obj(r, "resources", &part, e);
	if (n < 0 || (n > 0 && oci_read_resources(&part, &l->resources, e) < 0))
		return -1;
	n = json_read_obj(r, "seccomp", &part, e);
	if (n <= 0)
		return n;
	l->has_seccomp = true;
	return oci_read_seccomp(&part, &l->seccomp, e);
}

int oci_read_linux(const struct json_reader *r, struct oci_linux *l, struct err *e)
{
	if (read_namespaces(r, l, e) < 0 ||
	    oci_read_id_maps(r, "uidMappings", &l->uid_maps, e) < 0 ||
	    oci_read_id_maps(r, "gidMappings", &l->gid_maps, e) < 0 ||
	    oci_read_list(r, "devices", OCI_ELEM(l->devices, read_device), &l->devices,
			  &l->n_devices, e) < 0 ||
	    json_read_str(r, "cgroupsPath", &l->cgroups_path, e) < 0 ||
	    oci_read_map(r, "sysctl", &l->sysctl, e) < 0)
		return -1;
	if (json_read_str(r, "rootfsPropagation", &l->rootfs_propagation, e) < 0 ||
	    json_read_strv(r, "maskedPaths", &l->masked_paths, NULL, e) < 0 ||
	    json_read_strv(r, "readonlyPaths", &l->readonly_paths, NULL, e) < 0 ||
	    json_read_str(r, "mountLabel", &l->mount_label, e) < 0)
		return -1;
	return read_parts(r, l, e);
}
