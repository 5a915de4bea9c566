/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of `linux`, and of sysctls, which belong to namespaces. */
#include "oci/runtime-config-internal.h"

#include "base/num.h"
#include "base/str.h"

static int check_maps(const char *name, const struct oci_id_maps *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct oci_id_map *a = &m->v[i];

		if (!a->size || (uint64_t)a->container_id + a->size > UINT32_MAX ||
		    (uint64_t)a->host_id + a->size > UINT32_MAX)
			return oci_bad(e, "linux.%s[%zu]: size %u is out of range", name, i,
				       a->size);
		for (size_t k = 0; k < i; k++) {
			const struct oci_id_map *b = &m->v[k];

			if ((a->container_id < (uint64_t)b->container_id + b->size &&
			     b->container_id < (uint64_t)a->container_id + a->size) ||
			    (a->host_id < (uint64_t)b->host_id + b->size &&
			     b->host_id < (uint64_t)a->host_id + a->size))
				return oci_bad(e, "linux.%s[%zu]: overlaps with [%zu]", name, i, k);
		}
	}
	return 0;
}

static int check_userns(const struct oci_linux *l, struct err *e)
{
	const struct oci_namespace *user = &l->ns[OCI_NS_USER];
	bool maps = l->uid_maps.n || l->gid_maps.n;

	if (maps && !user->present)
		return oci_bad(e, "linux.uidMappings: need a user namespace");
	if (maps && user->path)
		return oci_bad(e, "linux.uidMappings: the user namespace '%s' has its own",
			       user->path);
	if (user->present && !user->path && (!l->uid_maps.n || !l->gid_maps.n))
		return oci_bad(e, "linux.uidMappings: a new user namespace needs uidMappings and "
				  "gidMappings");
	if (check_maps("uidMappings", &l->uid_maps, e) < 0)
		return -1;
	return check_maps("gidMappings", &l->gid_maps, e);
}

/* The namespace that keeps the sysctl KEY from the host, or OCI_NS_N where none does. */
static enum oci_ns sysctl_ns(const char *key)
{
	static const char *const ipc[] = {
		"kernel.msgmax",      "kernel.msgmnb",          "kernel.msgmni",
		"kernel.sem",         "kernel.shmall",          "kernel.shmmax",
		"kernel.shmmni",      "kernel.shm_rmid_forced", "kernel.msg_next_id",
		"kernel.sem_next_id", "kernel.shm_next_id",     NULL};

	if (str_after(key, "net."))
		return OCI_NS_NETWORK;
	if (str_after(key, "fs.mqueue.") || strv_has(ipc, key))
		return OCI_NS_IPC;
	if (str_eq(key, "kernel.hostname") || str_eq(key, "kernel.domainname"))
		return OCI_NS_UTS;
	if (str_after(key, "user."))
		return OCI_NS_USER;
	return OCI_NS_N;
}

/* As sysctl(8), the first separator decides which one '.' and '/' are. */
static void sysctl_key(const char *key, char *out, size_t n)
{
	size_t i;
	bool slashes = key[strcspn(key, "./")] == '/';

	for (i = 0; key[i] && i + 1 < n; i++)
		out[i] = !slashes ? key[i] : key[i] == '/' ? '.' : key[i] == '.' ? '/' : key[i];
	out[i] = '\0';
}

enum oci_ns oci_sysctl_ns(const char *key)
{
	char plain[256];

	sysctl_key(key, plain, sizeof(plain));
	return sysctl_ns(plain);
}

int oci_check_sysctls(const struct runtime_config *c, struct err *e)
{
	for (size_t i = 0; i < c->linux_.sysctl.n; i++) {
		const struct oci_pair *p = &c->linux_.sysctl.v[i];
		char key[256];
		enum oci_ns ns;

		sysctl_key(p->key, key, sizeof(key));
		ns = sysctl_ns(key);
		if (strstr(p->key, ".."))
			return oci_bad(e, "linux.sysctl.%s: malformed name", p->key);
		if (strpbrk(p->value, "\n"))
			return oci_bad(e, "linux.sysctl.%s: a line break in the value", p->key);
		if (ns == OCI_NS_N)
			return oci_bad(e,
				       "linux.sysctl.%s: belongs to no namespace, so it would "
				       "change the host",
				       p->key);
		if (!c->linux_.ns[ns].present)
			return oci_bad(e, "linux.sysctl.%s: needs a %s namespace of its own",
				       p->key, oci_ns_name(ns));
		if (ns == OCI_NS_UTS && str_eq(key, "kernel.hostname") && c->hostname &&
		    !str_eq(c->hostname, p->value))
			return oci_bad(e, "linux.sysctl.%s: differs from hostname '%s'", p->key,
				       c->hostname);
	}
	return 0;
}

static int check_paths(const char *name, const char *const *paths, struct err *e)
{
	for (size_t i = 0; paths && paths[i]; i++)
		if (!oci_is_absolute(paths[i]))
			return oci_bad(e, "linux.%s[%zu]: '%s' is not an absolute path", name, i,
				       paths[i]);
	return 0;
}

static int check_devices(const struct oci_linux *l, struct err *e)
{
	for (size_t i = 0; i < l->n_devices; i++) {
		const struct oci_device *d = &l->devices[i];

		if (!oci_is_absolute(d->path))
			return oci_bad(e, "linux.devices[%zu].path: '%s' is not an absolute path",
				       i, d->path);
		if (d->type != 'p' && (d->major < 0 || d->minor < 0))
			return oci_bad(e, "linux.devices[%zu]: '%s' has no major and minor number",
				       i, d->path);
	}
	return 0;
}

static int check_memory(const struct oci_memory *m, struct err *e)
{
	int64_t limit = m->limit.set ? m->limit.value : 0, swap = m->swap.set ? m->swap.value : 0;

	/* Swap is counted with memory (config-linux.md, "Memory") */
	if (swap > 0 && limit <= 0)
		return oci_bad(e,
			       "linux.resources.memory.swap: needs linux.resources.memory.limit, "
			       "which it contains");
	if (swap > 0 && swap < limit)
		return oci_bad(e,
			       "linux.resources.memory.swap: %lld is below the limit %lld, "
			       "which it contains",
			       (long long)swap, (long long)limit);
	return 0;
}

static int check_cpu(const struct oci_cpu *c, struct err *e)
{
	if (c->quota.set && c->quota.value > 0 && c->burst.set && c->burst.value > c->quota.value)
		return oci_bad(e, "linux.resources.cpu.burst: is above the quota");
	if (c->realtime_runtime.set && c->realtime_period.set &&
	    c->realtime_runtime.value > c->realtime_period.value)
		return oci_bad(e, "linux.resources.cpu.realtimeRuntime: is above the period");
	return 0;
}

static int check_cgroup(const struct oci_linux *l, struct err *e)
{
	const struct oci_cpu *cpu = &l->resources.cpu;

	if (cpu->cpus && *cpu->cpus && num_list_check(cpu->cpus, OCI_CPU_MAX) < 0)
		return oci_bad(e, "linux.resources.cpu.cpus: '%s' is no list of CPUs", cpu->cpus);
	if (cpu->mems && *cpu->mems && num_list_check(cpu->mems, OCI_CPU_MAX) < 0)
		return oci_bad(e, "linux.resources.cpu.mems: '%s' is no list of nodes", cpu->mems);
	if (check_memory(&l->resources.memory, e) < 0 || check_cpu(cpu, e) < 0)
		return -1;
	for (size_t i = 0; i < l->resources.unified.n; i++) {
		const char *key = l->resources.unified.v[i].key;

		if (!*key || strchr(key, '/') || *key == '.')
			return oci_bad(e, "linux.resources.unified: '%s' is no file name", key);
	}
	return 0;
}

/* Whoever writes the answer to a notification must be able to, and there must be somebody. */
static int check_seccomp(const struct seccomp_profile *p, struct err *e)
{
	bool notifies = false;

	if (p->default_action == SECCOMP_DO_NOTIFY)
		return oci_bad(e, "linux.seccomp.defaultAction: cannot be SCMP_ACT_NOTIFY");
	for (size_t i = 0; i < p->n_rules; i++) {
		if (p->rules[i].action != SECCOMP_DO_NOTIFY)
			continue;
		notifies = true;
		if (strv_has(p->rules[i].names, "write"))
			return oci_bad(e,
				       "linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY cannot be "
				       "used for write",
				       i);
	}
	if (notifies && str_empty(p->listener_path))
		return oci_bad(e, "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs it");
	if (!str_empty(p->listener_path) && !oci_is_absolute(p->listener_path))
		return oci_bad(e, "linux.seccomp.listenerPath: '%s' is not an absolute path",
			       p->listener_path);
	if (!str_empty(p->listener_metadata) && str_empty(p->listener_path))
		return oci_bad(e, "linux.seccomp.listenerMetadata: needs listenerPath");
	return 0;
}

/* The class is a directory beside the kernel's own. */
static int check_intel_rdt(const struct oci_intel_rdt *r, struct err *e)
{
	static const char *const taken[] = {".", "..", "info", "mon_data", "mon_groups", NULL};
	const char *id = r->clos_id;

	if (id && (!*id || strchr(id, '/') || strchr(id, '\n') || strv_has(taken, id)))
		return oci_bad(e, "linux.intelRdt.closID: '%s' is no name of a class", id);
	return 0;
}

int oci_check_linux(const struct oci_linux *l, struct err *e)
{
	static const char *const propagations[] = {"private",    "rprivate",    "slave",
						   "rslave",     "shared",      "rshared",
						   "unbindable", "runbindable", NULL};

	for (enum oci_ns i = 0; i < OCI_NS_N; i++)
		if (l->ns[i].path && !oci_is_absolute(l->ns[i].path))
			return oci_bad(e, "linux.namespaces: %s: '%s' is not an absolute path",
				       oci_ns_name(i), l->ns[i].path);
	if (!str_empty(l->rootfs_propagation) && !strv_has(propagations, l->rootfs_propagation))
		return oci_bad(e, "linux.rootfsPropagation: '%s' is not known",
			       l->rootfs_propagation);
	if ((l->monotonic.set || l->boottime.set) && !l->ns[OCI_NS_TIME].present)
		return oci_bad(e, "linux.timeOffsets: need a time namespace");
	if (l->has_intel_rdt && check_intel_rdt(&l->intel_rdt, e) < 0)
		return -1;
	if (l->has_seccomp && check_seccomp(&l->seccomp, e) < 0)
		return -1;
	if (check_userns(l, e) < 0 ||
	    check_paths("maskedPaths", (const char *const *)l->masked_paths, e) < 0 ||
	    check_paths("readonlyPaths", (const char *const *)l->readonly_paths, e) < 0 ||
	    check_devices(l, e) < 0)
		return -1;
	return check_cgroup(l, e);
}
