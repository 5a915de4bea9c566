/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that `spec` prints: as `runc spec` of runc 1.1. */
#include "oci/runtime-config-internal.h"

#include "base/str.h"

#include <errno.h>
#include <sys/resource.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct {
	const char *destination, *type, *source;
	const char *const *options;
} default_mounts[] = {
	{"/proc", "proc", "proc", NULL},
	{"/dev", "tmpfs", "tmpfs", OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k")},
	{"/dev/pts", "devpts", "devpts",
	 OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")},
	{"/dev/shm", "tmpfs", "shm",
	 OPTIONS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")},
	{"/dev/mqueue", "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev")},
	{"/sys", "sysfs", "sysfs", OPTIONS("nosuid", "noexec", "nodev", "ro")},
	{"/sys/fs/cgroup", "cgroup", "cgroup",
	 OPTIONS("nosuid", "noexec", "nodev", "relatime", "ro")},
};

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/sys/firmware",
	"/proc/scsi",
	NULL,
};

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* A copy of a vector of constants; the strings are not copied. NULL when out of memory. */
static const char **copy_strv(struct arena *a, const char *const *v)
{
	size_t n = strv_len(v);
	const char **copy = arena_array(a, n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = v[i];
	return copy;
}

int runtime_config_default_mounts(struct runtime_config *c, struct err *e)
{
	const size_t n = ARRAY_SIZE(default_mounts);

	c->mounts = arena_array(&c->arena, n, sizeof(*c->mounts));
	if (!c->mounts)
		return err_errno(e, ENOMEM, "making the default mounts");
	for (size_t i = 0; i < n; i++) {
		c->mounts[i] = (struct oci_mount){.destination = default_mounts[i].destination,
						  .type = default_mounts[i].type,
						  .source = default_mounts[i].source};
		if (!default_mounts[i].options)
			continue;
		c->mounts[i].options = copy_strv(&c->arena, default_mounts[i].options);
		if (!c->mounts[i].options)
			return err_errno(e, ENOMEM, "making the default mounts");
	}
	c->n_mounts = n;
	return 0;
}

int runtime_config_default_paths(struct runtime_config *c, struct err *e)
{
	c->linux_.masked_paths = copy_strv(&c->arena, masked_paths);
	c->linux_.readonly_paths = copy_strv(&c->arena, readonly_paths);
	if (!c->linux_.masked_paths || !c->linux_.readonly_paths)
		return err_errno(e, ENOMEM, "making the default paths");
	return 0;
}

static int default_process(struct runtime_config *c)
{
	/* CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE */
	const uint64_t caps = UINT64_C(1) << 5 | UINT64_C(1) << 10 | UINT64_C(1) << 29;
	struct oci_process *p = &c->process;

	c->has_process = true;
	p->terminal = true;
	p->args = copy_strv(&c->arena, OPTIONS("sh"));
	p->env = copy_strv(
		&c->arena,
		OPTIONS("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"TERM=xterm"));
	p->cwd = "/";
	p->has_caps = true;
	p->caps = (struct oci_caps){.bounding = caps, .effective = caps, .permitted = caps};
	p->rlimits = arena_array(&c->arena, 1, sizeof(*p->rlimits));
	if (!p->args || !p->env || !p->rlimits)
		return -ENOMEM;
	p->rlimits[0] = (struct oci_rlimit){.resource = RLIMIT_NOFILE, .soft = 1024, .hard = 1024};
	p->n_rlimits = 1;
	p->no_new_privileges = true;
	return 0;
}

static int default_linux(struct runtime_config *c)
{
	static const enum oci_ns namespaces[] = {OCI_NS_PID, OCI_NS_NETWORK, OCI_NS_IPC,
						 OCI_NS_UTS, OCI_NS_MOUNT,   OCI_NS_CGROUP};
	struct oci_linux *l = &c->linux_;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		l->ns[namespaces[i]].present = true;
	l->resources.devices = arena_array(&c->arena, 1, sizeof(*l->resources.devices));
	if (!l->resources.devices)
		return -ENOMEM;
	l->resources.devices[0] = (struct oci_device_rule){
		.type = 'a', .major = -1, .minor = -1, .read = true, .write = true, .mknod = true};
	l->resources.n_devices = 1;
	return 0;
}

/* As runc's ToRootless: one mapping, no network namespace, nothing that needs the host's root. */
static int make_rootless(struct runtime_config *c, uint32_t uid, uint32_t gid)
{
	struct oci_linux *l = &c->linux_;
	struct oci_id_map *maps = arena_array(&c->arena, 2, sizeof(*maps));

	if (!maps)
		return -ENOMEM;
	maps[0] = (struct oci_id_map){.host_id = uid, .size = 1};
	maps[1] = (struct oci_id_map){.host_id = gid, .size = 1};
	l->ns[OCI_NS_USER].present = true;
	l->ns[OCI_NS_NETWORK].present = false;
	l->uid_maps = (struct oci_id_maps){.v = &maps[0], .n = 1};
	l->gid_maps = (struct oci_id_maps){.v = &maps[1], .n = 1};
	l->resources = (struct oci_resources){.n_devices = 0};
	for (size_t i = 0; i < c->n_mounts; i++) {
		struct oci_mount *m = &c->mounts[i];

		if (str_eq(m->destination, "/dev/pts"))
			m->options = copy_strv(&c->arena, OPTIONS("nosuid", "noexec", "newinstance",
								  "ptmxmode=0666", "mode=0620"));
		if (!str_eq(m->destination, "/sys"))
			continue;
		m->type = "none";
		m->source = "/sys";
		m->options =
			copy_strv(&c->arena, OPTIONS("rbind", "nosuid", "noexec", "nodev", "ro"));
	}
	return 0;
}

int runtime_config_default(bool rootless, uint32_t uid, uint32_t gid, struct runtime_config *ret,
			   struct err *e)
{
	ret->root_path = "rootfs";
	ret->root_readonly = true;
	ret->hostname = "kogge";
	if (runtime_config_default_mounts(ret, e) < 0 || runtime_config_default_paths(ret, e) < 0)
		return -1;
	if (default_process(ret) < 0 || default_linux(ret) < 0 ||
	    (rootless && make_rootless(ret, uid, gid) < 0))
		return err_errno(e, ENOMEM, "making the default configuration");
	return 0;
}
