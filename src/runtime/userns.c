/* SPDX-License-Identifier: Apache-2.0 */
/* user_namespaces(7): whoever has CAP_SETUID and CAP_SETGID outside writes any map; everybody else
 * one line that maps the own ID, for groups after denying setgroups. What lies between, the
 * subordinate IDs of /etc/subuid, is the matter of newuidmap(1) and newgidmap(1), which are setuid
 * root, check these files, and write. */
#include "runtime/userns.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* One of the two maps, and how it is written. */
struct map_kind {
	const char *field;  /* for messages */
	const char *helper; /* the program that may write it, by its absolute path */
	const char *list;   /* where that looks */
	int (*write)(int proc, pid_t pid, const struct proc_idmap *map, size_t n);
	bool groups;
};

static const struct map_kind uid_kind = {"linux.uidMappings", "/usr/bin/newuidmap", "/etc/subuid",
					 proc_write_uid_map, false};
static const struct map_kind gid_kind = {"linux.gidMappings", "/usr/bin/newgidmap", "/etc/subgid",
					 proc_write_gid_map, true};

bool userns_is_late(const struct runtime_config *c)
{
	const struct oci_namespace *ns = c->linux_.ns;
	bool joins = false;

	for (enum oci_ns i = 0; i < OCI_NS_N; i++)
		joins |= ns[i].path != NULL;
	return ns[OCI_NS_USER].present && joins;
}

bool userns_forks(const struct runtime_config *c)
{
	return userns_is_late(c) && c->linux_.ns[OCI_NS_PID].present;
}

static const struct proc_idmap *convert(struct arena *a, const struct oci_id_maps *m)
{
	struct proc_idmap *v = arena_array(a, m->n, sizeof(*v));

	for (size_t i = 0; v && i < m->n; i++)
		v[i] = (struct proc_idmap){m->v[i].container_id, m->v[i].host_id, m->v[i].size};
	return v;
}

/* The command line of the helper: its name, the PID, three numbers for each range. */
static const char **helper_args(struct arena *a, const struct map_kind *k, pid_t pid,
				const struct oci_id_maps *m)
{
	const char **argv = arena_array(a, m->n * 3 + 3, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	argv[n++] = k->helper;
	argv[n++] = arena_printf(a, "%d", pid);
	for (size_t i = 0; i < m->n; i++) {
		argv[n++] = arena_printf(a, "%u", m->v[i].container_id);
		argv[n++] = arena_printf(a, "%u", m->v[i].host_id);
		argv[n++] = arena_printf(a, "%u", m->v[i].size);
	}
	argv[n] = NULL;
	return argv;
}

static int run_helper(const struct map_kind *k, const char *const *argv, int *ret_status)
{
	_cleanup_(fd_close) int exe = path_open_host(k->helper, O_PATH, 0);
	_cleanup_(process_done) struct process p = PROCESS_INIT;
	struct process_spawn s = PROCESS_SPAWN_INIT;
	const int fds[] = {-1, -1, STDERR_FILENO};
	int r;

	if (exe < 0)
		return exe;
	s.exe = exe;
	s.argv = argv;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	r = process_spawn(&s, &p);
	return r < 0 ? r : process_wait(&p, ret_status);
}

static int by_helper(struct arena *a, const struct map_kind *k, pid_t pid,
		     const struct oci_id_maps *m, struct err *e)
{
	const char **argv = helper_args(a, k, pid, m);
	int status = 0, r = argv ? run_helper(k, argv, &status) : -ENOMEM;

	if (r == -ENOENT) {
		err_set(e, ERR_DENIED, 0,
			"config.json: %s: only root may map other IDs than the own", k->field);
		return err_hint(e, "install %s (package uidmap), or map the own ID alone",
				k->helper);
	}
	if (r < 0)
		return err_errno(e, r, "running %s", k->helper);
	if (status) {
		err_set(e, ERR_DENIED, 0, "config.json: %s: %s ended with %d", k->field, k->helper,
			status);
		return err_hint(e, "the IDs must be the user's own or those in %s", k->list);
	}
	return 0;
}

/* The map of the caller's own ID, which it may write itself. */
static bool is_own(const struct map_kind *k, const struct oci_id_maps *m)
{
	return m->n == 1 && m->v[0].size == 1 &&
	       m->v[0].host_id == (k->groups ? getegid() : geteuid());
}

static int write_map(struct arena *a, const struct map_kind *k, int proc, pid_t pid,
		     const struct oci_id_maps *m, struct err *e)
{
	const struct proc_idmap *v = convert(a, m);
	int r = v ? k->write(proc, pid, v, m->n) : -ENOMEM;

	if (r == -EPERM && k->groups && is_own(k, m)) {
		r = proc_deny_setgroups(proc, pid);
		if (r >= 0)
			r = k->write(proc, pid, v, m->n);
	}
	if (r == -EPERM)
		return by_helper(a, k, pid, m, e);
	return r < 0 ? err_errno(e, r, "config.json: %s: writing the map", k->field) : 0;
}

int userns_write_maps(const struct runtime_config *c, int proc, pid_t pid, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;

	if (write_map(&a, &uid_kind, proc, pid, &c->linux_.uid_maps, e) < 0)
		return -1;
	return write_map(&a, &gid_kind, proc, pid, &c->linux_.gid_maps, e);
}

int userns_new(const struct runtime_config *c, struct err *e)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(process_kill) struct process p = PROCESS_INIT;
	int ns;

	if (proc < 0)
		return err_errno(e, proc, "opening /proc");
	p.pid = ns_fork(CLONE_NEWUSER, -1, &p.pidfd);
	if (p.pid == 0) {
		/* Only keeps the namespace until it is opened */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	if (p.pid < 0)
		return err_errno(e, p.pid, "making a user namespace");
	if (userns_write_maps(c, proc, p.pid, e) < 0)
		return -1;
	ns = ns_open(proc, p.pid, CLONE_NEWUSER);
	return ns < 0 ? err_errno(e, ns, "opening the new user namespace") : ns;
}
