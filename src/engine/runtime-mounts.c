/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a container, its masked and its read-only paths. */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "kernel/mount-stash.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOUNTS_FIXED = 16, CPUS_MAX = 4096 };

#define SHM_SIZE_DEFAULT (UINT64_C(64) << 20)

struct list {
	struct runtime_config *c;
	const struct container_spec *spec;
	size_t cap;
	bool failed;
};

/* Whether the user's own mounts are instead of that at DEST: at the same place, or over /dev. */
static bool is_covered(const struct container_spec *s, const char *dest)
{
	for (size_t i = 0; i < s->n_tmpfs; i++)
		if (str_eq(s->tmpfs[i].dest, dest))
			return true;
	for (size_t i = 0; i < s->n_points; i++)
		if (str_eq(s->points[i].target, dest) ||
		    (str_eq(s->points[i].target, "/dev") && str_after(dest, "/dev/")))
			return true;
	return false;
}

/* Appends a mount; OPTIONS are separated by commas. */
static void add_any(struct list *l, const char *dest, const char *type, const char *source,
		    const char *options)
{
	struct runtime_config *c = l->c;

	if (c->n_mounts == l->cap) {
		l->failed = true;
		return;
	}
	c->mounts[c->n_mounts] = (struct oci_mount){
		.destination = dest,
		.type = type,
		.source = source,
		.options = str_split(&c->arena, options, ',', NULL),
	};
	if (!c->mounts[c->n_mounts++].options)
		l->failed = true;
}

/* One of ours, unless the user has another there. */
static void add(struct list *l, const char *dest, const char *type, const char *source,
		const char *options)
{
	if (!is_covered(l->spec, dest))
		add_any(l, dest, type, source, options);
}

/* A mount can only be cloned in the mount namespace that has it: a child that shares our
 * descriptors enters NS and leaves the clone of FD in our table. */
int mount_clone_in(int ns, int fd)
{
	_cleanup_(fd_close) int read_end = -1;
	int ends[2], mnt = -ECHILD, r = fd_pipe(ends);
	pid_t pid;

	if (r < 0)
		return r;
	read_end = ends[0];
	pid = ns_fork(CLONE_FILES, -1, NULL);
	if (pid == 0) {
		r = ns_join(ns, CLONE_NEWNS);
		if (r >= 0)
			r = mount_clone(fd, false);
		(void)!write(ends[1], &r, sizeof(r));
		_exit(0);
	}
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	fd_close(&ends[1]);
	if (pid < 0)
		return pid;
	r = (int)fd_read_full(read_end, &mnt, sizeof(mnt));
	return r == sizeof(mnt) ? mnt : -ECHILD;
}

/* Another container's /dev/shm, found below its root and held by a descriptor: its own tree may
 * have links in the way. */
static const char *shm_of(struct start_facts *f, struct arena *a, const char *ref, struct err *e)
{
	_cleanup_(fd_close) int proc = -1, root = -1, dir = -1, ns = -1;
	int pid, shm;

	if (container_pid_of(f->en, ref, &pid, e) < 0)
		return NULL;
	proc = proc_open(PROC_PID_ONLY);
	root = proc < 0 ? proc : proc_open_magic(proc, pid, "root", O_PATH | O_DIRECTORY);
	dir = root < 0 ? root : path_open(root, "dev/shm", O_PATH | O_DIRECTORY, 0);
	ns = dir < 0 ? dir : ns_open(proc, pid, CLONE_NEWNS);
	shm = ns < 0 ? ns : mount_clone_in(ns, dir);
	if (shm < 0) {
		err_errno(e, shm, "finding /dev/shm of container %s", ref);
		return NULL;
	}
	f->shared_shm = shm;
	return arena_printf(a, "/proc/self/fd/%d", shm);
}

static int add_shm(struct start_facts *f, struct list *l, struct err *e)
{
	const struct container_spec *s = &f->c->spec;
	const char *source;

	switch (s->ipc.mode) {
	case SPEC_NS_NONE:
		return 0;
	case SPEC_NS_HOST:
		add(l, "/dev/shm", "bind", "/dev/shm", "rbind,rprivate,rw");
		return 0;
	case SPEC_NS_CONTAINER:
		source = shm_of(f, &l->c->arena, s->ipc.ref, e);
		if (!source)
			return -1;
		add(l, "/dev/shm", "bind", source, "rbind,rprivate,rw");
		return 0;
	default:
		add(l, "/dev/shm", "tmpfs", "shm",
		    arena_printf(
			    &l->c->arena, "nosuid,noexec,nodev,mode=1777,size=%llu",
			    (unsigned long long)(s->shm_size ? s->shm_size : SHM_SIZE_DEFAULT)));
		return 0;
	}
}

static void add_system(struct start_facts *f, struct list *l)
{
	bool all = f->c->spec.privileged;

	add(l, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	add(l, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	add(l, "/dev/pts", "devpts", "devpts",
	    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	if (all)
		add(l, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,rw");
	else
		add(l, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro");
	add(l, "/sys/fs/cgroup", "cgroup", "cgroup",
	    all ? "nosuid,noexec,nodev,relatime,rw" : "ro,nosuid,noexec,nodev,relatime");
	/* With the host's IPC namespace these are the host's queues, mounted there or not. */
	add(l, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
}

/* The files of the run directory, and kogge-init. */
static void add_files(struct start_facts *f, struct list *l)
{
	enum { RESOLV, HOSTNAME, HOSTS };
	static const char *const names[] = {
		[RESOLV] = "resolv.conf", [HOSTNAME] = "hostname", [HOSTS] = "hosts"};
	struct arena *a = &l->c->arena;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (i != HOSTNAME || !f->own_hostname)
			add(l, arena_printf(a, "/etc/%s", names[i]), "bind",
			    arena_printf(a, "%s/%s", f->run_dir, names[i]), "rbind,rprivate,rw");
	if (f->init)
		add(l, "/sbin/docker-init", "bind", f->init, "bind,ro,rprivate");
}

static void add_tmpfs(struct start_facts *f, struct list *l)
{
	const struct container_spec *s = &f->c->spec;

	for (size_t i = 0; i < s->n_tmpfs; i++)
		add_any(l, s->tmpfs[i].dest, "tmpfs", "tmpfs",
			arena_printf(&l->c->arena, "noexec,nosuid,nodev%s%s",
				     *s->tmpfs[i].options ? "," : "", s->tmpfs[i].options));
}

/* --mount type=tmpfs */
static void add_tmpfs_point(struct list *l, const struct spec_mount *m)
{
	struct arena *a = &l->c->arena;
	const char *size = "", *mode = "";

	if (m->tmpfs_size)
		size = arena_printf(a, ",size=%llu", (unsigned long long)m->tmpfs_size);
	if (m->tmpfs_mode)
		mode = arena_printf(a, ",mode=%o", m->tmpfs_mode);
	add_any(l, m->target, "tmpfs", "tmpfs",
		arena_printf(a, "noexec,nosuid,nodev%s%s%s", m->read_only ? ",ro" : "",
			     size ? size : "", mode ? mode : ""));
}

/* Read-only with all that is mounted below, unless it is to stay writable. Nothing else: what the
 * source itself does not allow stays so. */
static const char *access_of(const struct spec_mount *m)
{
	if (m->type == SPEC_MOUNT_IMAGE)
		return ",ro";
	if (!m->read_only)
		return "";
	/* As Docker: without mount_setattr what is mounted below keeps its flags */
	if (m->recursive == SPEC_RECURSIVE_ENABLED && mount_is_classic())
		return ",ro";
	return m->recursive == SPEC_RECURSIVE_WRITABLE || m->recursive == SPEC_RECURSIVE_DISABLED
		       ? ",ro"
		       : ",ro,rro";
}

static void add_points(struct start_facts *f, struct list *l)
{
	const struct container_spec *s = &f->c->spec;
	struct arena *a = &l->c->arena;

	for (size_t i = 0; i < s->n_points; i++) {
		const struct spec_mount *m = &s->points[i];
		bool alone = m->recursive == SPEC_RECURSIVE_DISABLED || m->type == SPEC_MOUNT_IMAGE;

		if (m->type == SPEC_MOUNT_TMPFS) {
			add_tmpfs_point(l, m);
			continue;
		}
		add_any(l, m->target, "bind",
			arena_printf(a, "/proc/self/fd/%d", f->sources.fds[i]),
			arena_printf(a, "%s,%s%s", alone ? "bind" : "rbind",
				     m->propagation ? m->propagation : "rprivate", access_of(m)));
	}
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1] && path[1] != '/';
	return n;
}

/* From FIRST on those nearer to the root come first, in their order otherwise, so that none hides
 * another. */
static void sort_mounts(struct runtime_config *c, size_t first)
{
	for (size_t i = first + 1; i < c->n_mounts; i++) {
		struct oci_mount m = c->mounts[i];
		size_t k = i;

		for (; k > first && depth(c->mounts[k - 1].destination) > depth(m.destination); k--)
			c->mounts[k] = c->mounts[k - 1];
		c->mounts[k] = m;
	}
}

/* Per processor: thermal_throttle tells what the host computes (GHSA-6fw5). */
static int add_throttle(struct runtime_config *c, const char ***v, size_t *n)
{
	_cleanup_(fd_close) int cpus =
		path_open_host("/sys/devices/system/cpu", O_PATH | O_DIRECTORY, 0);
	int r = 0;

	for (int i = 0; cpus >= 0 && i < CPUS_MAX && r == 0; i++) {
		char *path = arena_printf(&c->arena,
					  "/sys/devices/system/cpu/cpu%d/thermal_throttle", i);
		int fd = path ? path_open_own(cpus, path + strlen("/sys/devices/system/cpu/"),
					      O_PATH, 0)
			      : -1;

		if (fd < 0)
			break;
		close(fd);
		r = arena_strv_push(&c->arena, v, n, path);
	}
	return r;
}

const char *const runtime_masked_paths[] = {"/proc/acpi",
					    "/proc/asound",
					    "/proc/interrupts",
					    "/proc/kcore",
					    "/proc/keys",
					    "/proc/latency_stats",
					    "/proc/sched_debug",
					    "/proc/scsi",
					    "/proc/timer_list",
					    "/proc/timer_stats",
					    "/sys/devices/virtual/powercap",
					    "/sys/firmware",
					    NULL};

const char *const runtime_readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

static int put_paths(const struct container_spec *s, struct runtime_config *c, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;
	int r = 0;

	if (s->privileged || s->security.systempaths_unconfined)
		return 0;
	for (size_t i = 0; runtime_masked_paths[i] && r == 0; i++)
		r = arena_strv_push(&c->arena, &v, &n, runtime_masked_paths[i]);
	if (r == 0)
		r = add_throttle(c, &v, &n);
	if (r < 0)
		return err_set(e, ERR_LIMIT, -r, "listing the masked paths");
	c->linux_.masked_paths = v;
	c->linux_.readonly_paths = (const char **)(uintptr_t)runtime_readonly_paths;
	return 0;
}

int runtime_put_mounts(struct start_facts *f, struct runtime_config *ret, struct err *e)
{
	const struct container_spec *s = &f->c->spec;
	struct list l = {.c = ret, .spec = s, .cap = MOUNTS_FIXED + s->n_tmpfs + s->n_points};
	size_t first;

	ret->mounts = arena_array(&ret->arena, l.cap, sizeof(*ret->mounts));
	if (!ret->mounts)
		return err_set(e, ERR_LIMIT, ENOMEM, "listing the mounts");
	add_system(f, &l);
	if (add_shm(f, &l, e) < 0)
		return -1;
	first = ret->n_mounts;
	add_files(f, &l);
	add_tmpfs(f, &l);
	add_points(f, &l);
	sort_mounts(ret, first);
	if (l.failed)
		return err_set(e, ERR_LIMIT, ENOMEM, "listing the mounts");
	return put_paths(s, ret, e);
}
