/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the runtime configuration share for reading, and the tables of names. */
#include "oci/runtime-config-internal.h"

#include "base/cap-names.h"
#include "base/str.h"

#include <sys/resource.h>

int oci_read_list(const struct json_reader *r, const char *key, const struct oci_elem *kind,
		  void *ret, size_t *ret_n, struct err *e)
{
	struct json_reader elem;
	char *v;
	size_t n;

	if (json_read_array(r, key, OCI_LIST_MAX, &n, e) < 0)
		return -1;
	if (!n)
		return 0;
	v = arena_array(r->arena, n, kind->size);
	if (!v)
		return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (json_read_elem(r, key, i, &elem, e) < 0 ||
		    kind->fn(&elem, v + i * kind->size, e) < 0)
			return -1;
	*(void **)ret = v;
	*ret_n = n;
	return 0;
}

int oci_read_int(const struct json_reader *r, const char *key, int64_t min, int64_t max,
		 struct oci_int *ret, struct err *e)
{
	int n = json_read_i64(r, key, min, max, &ret->value, e);

	if (n > 0)
		ret->set = true;
	return n < 0 ? -1 : 0;
}

int oci_read_flag(const struct json_reader *r, const char *key, struct oci_flag *ret, struct err *e)
{
	int n = json_read_bool(r, key, &ret->value, e);

	if (n > 0)
		ret->set = true;
	return n < 0 ? -1 : 0;
}

int oci_read_u32(const struct json_reader *r, const char *key, uint32_t *ret, struct err *e)
{
	uint64_t v;
	int n = json_read_u64(r, key, UINT32_MAX, &v, e);

	if (n > 0)
		*ret = (uint32_t)v;
	return n;
}

int oci_read_u64(const struct json_reader *r, const char *key, uint64_t *ret, struct err *e)
{
	int64_t v;
	int n = json_read_i64(r, key, INT64_MIN, INT64_MAX, &v, e);

	if (n > 0)
		*ret = (uint64_t)v;
	return n;
}

int oci_read_map(const struct json_reader *r, const char *key, struct oci_map *ret, struct err *e)
{
	struct json_reader map;
	const char *name;
	json_t *value;
	int n = json_read_obj(r, key, &map, e);
	size_t i = 0;

	if (n <= 0)
		return n;
	ret->v = arena_array(r->arena, json_object_size(map.obj), sizeof(*ret->v));
	if (!ret->v)
		return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)map.obj, name, value) {
		struct oci_pair *p = &ret->v[i++];

		p->key = arena_strdup(r->arena, name);
		if (!p->key)
			return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
		p->value = "";
		if (json_read_str(&map, name, &p->value, e) < 0)
			return -1;
	}
	ret->n = i;
	return 0;
}

int oci_need_str(const struct json_reader *r, const char *key, const char **ret, struct err *e)
{
	int n = json_read_str(r, key, ret, e);

	if (n < 0)
		return -1;
	if (n == 0)
		return json_read_fail(r, key, ERR_INVALID, e, "is missing");
	return 0;
}

static const char *const hook_names[OCI_HOOK_N] = {
	[OCI_HOOK_PRESTART] = "prestart",
	[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
	[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
	[OCI_HOOK_START_CONTAINER] = "startContainer",
	[OCI_HOOK_POSTSTART] = "poststart",
	[OCI_HOOK_POSTSTOP] = "poststop",
};

static const char *const ns_names[OCI_NS_N] = {
	[OCI_NS_MOUNT] = "mount",   [OCI_NS_PID] = "pid",   [OCI_NS_NETWORK] = "network",
	[OCI_NS_IPC] = "ipc",       [OCI_NS_UTS] = "uts",   [OCI_NS_USER] = "user",
	[OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
};

static const char *const rlimit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
	[RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
	[RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
	[RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
	[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
	[RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
	[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
	[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

static int find(const char *const *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (table[i] && str_eq(table[i], name))
			return (int)i;
	return -1;
}

const char *oci_hook_name(enum oci_hook_point p)
{
	return (unsigned)p < OCI_HOOK_N ? hook_names[p] : NULL;
}

const char *oci_ns_name(enum oci_ns ns)
{
	return (unsigned)ns < OCI_NS_N ? ns_names[ns] : NULL;
}

const char *oci_rlimit_name(int resource)
{
	return resource >= 0 && resource < RLIM_NLIMITS ? rlimit_names[resource] : NULL;
}

int oci_rlimit_parse(const char *name)
{
	return find(rlimit_names, RLIM_NLIMITS, name);
}

const char *oci_cap_name(unsigned cap)
{
	return cap < CAP_NAMES_N ? cap_names[cap] : NULL;
}

int oci_cap_parse(const char *name)
{
	return find(cap_names, CAP_NAMES_N, name);
}
