/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a plan, and why:
 *   namespaces  joins before anything that they decide; the cgroup before its namespace
 *   root        with hooks that see the mounts from outside (prestart, createRuntime,
 *               createContainer) it is attached at its own path and pivoted after them; without
 *               such hooks it is pivoted at once, and the host's tree is gone early (but in a
 *               user namespace: see pivots_late)
 *   mounts      as the configuration orders them, then devices, which lie in a mount
 *   hooks       of the host, then createContainer, then the late pivot
 *               (without detached mounts the pivot comes last of all)
 *   terminal, names, sysctls, read-only, masks: nothing writes below them any more
 *   process     limits, directory, capabilities, user
 *   exec        loads the seccomp filter and executes */
#include "runtime/plan-build-internal.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/caps.h"
#include "kernel/mount-stash.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "runtime/root-mount.h"
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>

/* The kernel's view of enum oci_ns. */
static const struct ns_type *ns_of(enum oci_ns ns)
{
	return ns_find(oci_ns_name(ns));
}

static bool is_new(const struct runtime_config *c, enum oci_ns ns)
{
	return c->linux_.ns[ns].present && !c->linux_.ns[ns].path;
}

/* The types that are new; the user namespace aside. */
static uint64_t new_types(const struct runtime_config *c)
{
	uint64_t flags = 0;

	for (enum oci_ns i = 0; i < OCI_NS_N; i++)
		if (is_new(c, i) && i != OCI_NS_CGROUP && i != OCI_NS_TIME && i != OCI_NS_USER)
			flags |= ns_of(i)->flag;
	return flags;
}

uint64_t plan_clone_flags(const struct runtime_config *c)
{
	if (userns_is_late(c))
		return 0;
	return new_types(c) | (is_new(c, OCI_NS_USER) ? CLONE_NEWUSER : 0);
}

/* Whether FD is the namespace of this type that the runtime is in: 1, 0, or a negative errno. */
static int is_ours(int fd, const struct ns_type *t)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(fd_close) int own = proc < 0 ? proc : ns_open(proc, PROC_SELF, t->flag);
	struct stat a, b;

	if (own < 0)
		return own;
	if (fstat(fd, &a) < 0 || fstat(own, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A path may lead to the host's own namespace, and its sysctls are the host's. */
static int check_sysctls(const struct plan_builder *b, enum oci_ns ns, int fd, struct err *e)
{
	const struct oci_map *sysctl = &b->c->linux_.sysctl;

	for (size_t i = 0; i < sysctl->n; i++) {
		int r;

		if (oci_sysctl_ns(sysctl->v[i].key) != ns)
			continue;
		r = is_ours(fd, ns_of(ns));
		if (r < 0)
			return err_errno(e, r, "looking at the own %s namespace", oci_ns_name(ns));
		if (r > 0)
			return err_set(e, ERR_HOSTILE, 0,
				       "config.json: linux.sysctl.%s: the %s namespace that is "
				       "joined is the host's",
				       sysctl->v[i].key, oci_ns_name(ns));
	}
	return 0;
}

/* Opens the namespace of the type NS at its path, as a descriptor of the plan. */
static int open_namespace(struct plan_builder *b, enum oci_ns ns, uint32_t *ret, struct err *e)
{
	const struct ns_type *t = ns_of(ns);
	const char *path = b->c->linux_.ns[ns].path;
	int fd = path_open_host(path, O_RDONLY, 0);
	int r = fd < 0 ? fd : ns_check(fd, t->flag);

	if (r < 0) {
		fd_close(&fd);
		return err_errno(e, r,
				 "config.json: linux.namespaces: opening the %s namespace '%s'",
				 t->name, path);
	}
	*ret = plan_fd(b->plan, fd, true);
	return check_sysctls(b, ns, fd, e);
}

/* The descriptors of the namespaces that are joined, PLAN_NO_FD for the others. */
struct joins {
	uint32_t fd[OCI_NS_N];
};

static int open_joins(struct plan_builder *b, struct joins *ret, struct err *e)
{
	const struct oci_namespace *ns = b->c->linux_.ns;
	bool late = userns_is_late(b->c);

	for (enum oci_ns i = 0; i < OCI_NS_N; i++) {
		ret->fd[i] = PLAN_NO_FD;
		/* Into a PID namespace the stage was born, but see userns_forks */
		if (ns[i].path && (i != OCI_NS_PID || late) &&
		    open_namespace(b, i, &ret->fd[i], e) < 0)
			return -1;
	}
	if (late && !ns[OCI_NS_USER].path) {
		int fd = userns_new(b->c, e);

		if (fd < 0)
			return -1;
		ret->fd[OCI_NS_USER] = plan_fd(b->plan, fd, true);
	}
	return 0;
}

static void add_join(struct plan_builder *b, const struct joins *j, enum oci_ns ns, uint32_t flags)
{
	if (j->fd[ns] != PLAN_NO_FD)
		plan_add(b->plan, (struct plan_step){.op = PLAN_SETNS,
						     .flags = flags,
						     .num = {ns_of(ns)->flag},
						     .fd = {j->fd[ns]}});
}

/* All but the user namespace, in the order in which they must be joined. */
static void add_joins(struct plan_builder *b, const struct joins *j, uint32_t flags)
{
	for (size_t i = 0; i < NS_TYPE_N; i++)
		for (enum oci_ns ns = 0; ns < OCI_NS_N; ns++)
			if (ns_of(ns) == &ns_types[i] && ns != OCI_NS_USER)
				add_join(b, j, ns, flags);
}

/* A namespace that belongs to the host is joined before the user namespace, one that belongs to
 * that after it: which one is which, the kernel says. */
static void add_late(struct plan_builder *b, const struct joins *j)
{
	uint64_t types = new_types(b->c);

	add_joins(b, j, PLAN_SETNS_TRY);
	add_join(b, j, OCI_NS_USER, 0);
	add_joins(b, j, PLAN_SETNS_AGAIN);
	plan_step_num(b, PLAN_USERNS, 0, 0);
	if (types)
		plan_step_num(b, PLAN_UNSHARE, types, 0);
	if (userns_forks(b->c))
		plan_step_num(b, PLAN_FORK, 0, 0);
}

static int join_cgroup(struct plan_builder *b, struct err *e)
{
	int fds[CGROUP_HIERARCHIES_MAX], n;

	if (!b->in->cgroup)
		return 0;
	n = cgroup_join_fds(&b->in->cgroup->cg, !b->in->in_cgroup2, fds);
	if (n < 0)
		return err_errno(e, n, "opening the cgroup");
	for (int i = 0; i < n; i++)
		plan_add(b->plan, (struct plan_step){.op = PLAN_CGROUP_JOIN,
						     .fd = {plan_fd(b->plan, fds[i], true)}});
	return 0;
}

static void put_offset(struct plan_builder *b, const char *clock, const struct oci_time_offset *o)
{
	const char *line;

	if (!o->set)
		return;
	line = arena_printf(&b->arena, "%s %" PRId64 " %u\n", clock, o->secs, o->nanosecs);
	plan_step_str(b, PLAN_TIME_OFFSET, line ? line : "", NULL);
}

int plan_build_namespaces(struct plan_builder *b, struct err *e)
{
	const struct runtime_config *c = b->c;
	struct joins joins;

	if (join_cgroup(b, e) < 0 || open_joins(b, &joins, e) < 0)
		return -1;
	if (userns_is_late(c)) {
		add_late(b, &joins);
	} else {
		add_joins(b, &joins, 0);
		if (c->linux_.ns[OCI_NS_USER].present)
			plan_step_num(b, PLAN_USERNS, 0, 0);
	}
	plan_step_num(b, PLAN_SESSION, 0, 0);
	if (is_new(c, OCI_NS_CGROUP))
		plan_step_num(b, PLAN_UNSHARE, CLONE_NEWCGROUP, 0);
	if (is_new(c, OCI_NS_TIME)) {
		plan_step_num(b, PLAN_UNSHARE, CLONE_NEWTIME, 0);
		put_offset(b, "monotonic", &c->linux_.monotonic);
		put_offset(b, "boottime", &c->linux_.boottime);
	}
	if (!b->in->o->no_new_keyring) {
		const char *name = arena_printf(&b->arena, "_ses.%s", b->in->o->id);

		plan_step_str(b, PLAN_KEYRING, name, NULL);
	}
	if (is_new(c, OCI_NS_NETWORK))
		plan_step_num(b, PLAN_LOOPBACK, 0, 0);
	return 0;
}

/* Hooks that must see the container's mounts from outside. */
static bool has_early_hooks(const struct runtime_config *c)
{
	return c->hooks[OCI_HOOK_PRESTART].n || c->hooks[OCI_HOOK_CREATE_RUNTIME].n ||
	       c->hooks[OCI_HOOK_CREATE_CONTAINER].n;
}

/* Whether the old root must still be there when the mounts are made: for those hooks, and in a
 * user namespace, which may mount proc and sysfs only where it can see one already (the kernel's
 * mount_too_revealing). */
static bool pivots_late(const struct plan_builder *b)
{
	return has_early_hooks(b->c) || b->userns || b->classic || b->in_order;
}

static uint64_t root_propagation(const struct runtime_config *c)
{
	const char *p = c->linux_.rootfs_propagation;

	if (str_empty(p))
		return MS_SLAVE;
	p = p[0] == 'r' ? p + 1 : p;
	if (str_eq(p, "private"))
		return MS_PRIVATE;
	return str_eq(p, "unbindable") ? MS_UNBINDABLE : str_eq(p, "shared") ? MS_SHARED : MS_SLAVE;
}

/* root.path as a detached mount. A relative path starts at the bundle. */
static int clone_root(struct plan_builder *b, struct err *e)
{
	/* A shared root would propagate the container's mounts to the host's peer group. On its own
	 * place in the caller's namespace also a slave would: of what it is mounted on. */
	struct mount_change change = {.propagation =
					      root_mount_shared(b->c) ? MS_PRIVATE : MS_SLAVE};
	const char *path = b->c->root_path;
	_cleanup_(fd_close) int dir = -1;
	int mnt, r;

	if (str_empty(path))
		return err_set(e, ERR_INVALID, 0, "config.json: root.path: is missing");
	if (*path == '/')
		dir = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	else
		dir = path_open(b->in->o->bundle_fd, path, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return err_errno(e, dir, "opening the root file system '%s'", path);
	if (b->classic)
		return TAKE_FD(dir);
	mnt = mount_clone_peer(dir, true);
	r = mnt < 0 ? mnt : mount_set(mnt, &change, true);
	if (r < 0) {
		fd_close(&mnt);
		return err_errno(e, r, "mounting the root file system '%s'", path);
	}
	return mnt;
}

/* Where hooks outside, and who shares the mount namespace, expect the root: its own path. */
static const char *root_place(struct plan_builder *b)
{
	bool wanted = has_early_hooks(b->c) || root_mount_shared(b->c);
	const char *path = wanted ? root_mount_place(b->in->o, &b->arena) : NULL;

	return path ? path : "";
}

static void add_pivot(struct plan_builder *b)
{
	uint32_t flags = 0;

	if (root_mount_shared(b->c))
		flags = PLAN_PIVOT_CHROOT;
	else if (b->in->o->no_pivot)
		flags = PLAN_PIVOT_MOVE | (*root_place(b) ? PLAN_PIVOT_ELSEWHERE : 0);
	plan_add(b->plan, (struct plan_step){.op = PLAN_PIVOT, .flags = flags});
}

int plan_build_root(struct plan_builder *b, struct err *e)
{
	bool borrowed = b->in->o->rootfs_fd >= 0;
	int mnt = borrowed ? b->in->o->rootfs_fd : clone_root(b, e);

	if (mnt < 0)
		return -1;
	if (b->classic && root_mount_shared(b->c)) {
		fd_close(&mnt);
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "config.json: linux.namespaces: a shared mount namespace needs "
			       "root and a kernel with detached mounts (5.2)");
	}
	if (!root_mount_shared(b->c))
		plan_step_num(b, PLAN_PROPAGATION, MS_PRIVATE, 0);
	plan_add(b->plan, (struct plan_step){.op = PLAN_ROOT,
					     .flags = (b->classic ? PLAN_MOUNT_RAW : 0) |
						      (b->in_order ? PLAN_MOUNT_IN_ORDER : 0),
					     .str = {plan_str(root_place(b))},
					     .fd = {plan_fd(b->plan, mnt, !borrowed)}});
	if (!pivots_late(b))
		add_pivot(b);
	return 0;
}

static void add_hooks(struct plan_builder *b, enum oci_hook_point point)
{
	const char *state =
		point == OCI_HOOK_START_CONTAINER ? b->in->start_json : b->in->create_json;
	const struct oci_hooks *hooks = &b->c->hooks[point];

	for (size_t i = 0; i < hooks->n; i++) {
		const struct oci_hook *h = &hooks->v[i];
		struct plan_step s = {
			.op = PLAN_HOOK,
			.num = {h->timeout.set ? (uint64_t)h->timeout.value * 1000 : 0},
			.str = {plan_str(h->path), plan_strv(b, (const char *const *)h->args),
				plan_strv(b, (const char *const *)h->env), plan_str(state)}};

		plan_add(b->plan, s);
	}
}

static void build_early_hooks(struct plan_builder *b)
{
	if (!pivots_late(b))
		return;
	if (b->c->hooks[OCI_HOOK_PRESTART].n)
		plan_step_num(b, PLAN_SYNC, OCI_HOOK_PRESTART, 0);
	if (b->c->hooks[OCI_HOOK_CREATE_RUNTIME].n)
		plan_step_num(b, PLAN_SYNC, OCI_HOOK_CREATE_RUNTIME, 0);
	add_hooks(b, OCI_HOOK_CREATE_CONTAINER);
	if (!b->classic)
		add_pivot(b);
}

static void build_names(struct plan_builder *b)
{
	const struct oci_map *sysctl = &b->c->linux_.sysctl;

	if (!str_empty(b->c->hostname))
		plan_step_str(b, PLAN_HOSTNAME, b->c->hostname, NULL);
	if (!str_empty(b->c->domainname))
		plan_step_str(b, PLAN_DOMAINNAME, b->c->domainname, NULL);
	for (size_t i = 0; i < sysctl->n; i++)
		plan_step_str(b, PLAN_SYSCTL, sysctl->v[i].key, sysctl->v[i].value);
}

static void build_protection(struct plan_builder *b)
{
	const char *const *masked = (const char *const *)b->c->linux_.masked_paths;
	const char *const *readonly = (const char *const *)b->c->linux_.readonly_paths;
	uint64_t attr = b->c->root_readonly ? MOUNT_ATTR_RDONLY : 0;
	uint64_t propagation = root_propagation(b->c);

	if (attr || propagation != MS_SLAVE)
		plan_step_num(b, PLAN_ROOT_ATTR, attr, propagation == MS_SLAVE ? 0 : propagation);
	for (; readonly && *readonly; readonly++)
		plan_step_str(b, PLAN_READONLY, *readonly, NULL);
	for (; masked && *masked; masked++)
		plan_step_str(b, PLAN_MASK, *masked, NULL);
}

static int build_filesystem(struct plan_builder *b, struct err *e)
{
	const struct oci_process *p = &b->c->process;

	if (plan_build_root(b, e) < 0 || plan_build_mounts(b, e) < 0 ||
	    plan_build_devices(b, e) < 0)
		return -1;
	plan_add(b->plan, (struct plan_step){.op = PLAN_CWD,
					     .flags = PLAN_CWD_MAKE,
					     .str = {plan_str(p->cwd)}});
	build_early_hooks(b);
	if (p->terminal)
		plan_build_console(b, 0);
	build_names(b);
	build_protection(b);
	if (b->classic)
		add_pivot(b);
	return 0;
}

static void build_wait(struct plan_builder *b)
{
	const struct oci_process *p = &b->c->process;
	struct plan_blob env = plan_strv(b, (const char *const *)p->env);

	if (!b->in->wait)
		return;
	plan_add(b->plan, (struct plan_step){.op = PLAN_FIND, .str = {plan_str(p->args[0]), env}});
	plan_add(b->plan, (struct plan_step){.op = PLAN_WAIT,
					     .fd = {plan_fd(b->plan, b->in->listen_fd, false)}});
}

/* Hooks inside the container, which run what the image has: under the filter, which is else
 * loaded by the exec itself, so that it needs to allow nothing that the stage does. */
static void build_start_hooks(struct plan_builder *b)
{
	if (!b->c->hooks[OCI_HOOK_START_CONTAINER].n)
		return;
	if (b->filter.len) {
		if (b->c->process.no_new_privileges)
			plan_step_num(b, PLAN_NO_NEW_PRIVS, 0, 0);
		plan_add(b->plan, (struct plan_step){.op = PLAN_SECCOMP,
						     .num = {b->filter_flags},
						     .str = {b->filter}});
		b->filter = plan_str("");
	}
	add_hooks(b, OCI_HOOK_START_CONTAINER);
}

static int build(struct plan_builder *b, struct err *e)
{
	if (plan_build_namespaces(b, e) < 0 || build_filesystem(b, e) < 0)
		return -1;
	plan_build_process(b);
	build_wait(b);
	plan_build_nofile(b);
	build_start_hooks(b);
	plan_build_exec(b, b->in->o->block_signals ? PLAN_EXEC_BLOCKED : 0);
	return 0;
}

/* Whether mounts must be made by the stage in its own namespaces: the kernel has no detached ones,
 * or this process may not make any (an ordinary user, who is root in the container's user
 * namespace alone). */
static bool stage_mounts(void)
{
	uint64_t caps;

	return mount_is_classic() ||
	       (caps_get_permitted(&caps) >= 0 && !(caps & CAPS_BIT(CAP_SYS_ADMIN)));
}

/* Since Linux 6.8 mounts are listed by age, and the clones of binds are older than the file systems
 * of the stage. Only with binds, and in a mount namespace that the pivot will clear. */
static bool wants_order(const struct plan_input *in)
{
	const struct runtime_config *c = in->config;

	for (size_t i = 0; in->o->in_order && !root_mount_shared(c) && i < c->n_mounts; i++) {
		const char *const *options = (const char *const *)c->mounts[i].options;

		if (str_eq0(c->mounts[i].type, "bind") || strv_has(options, "bind") ||
		    strv_has(options, "rbind"))
			return true;
	}
	return false;
}

int plan_build(const struct plan_input *in, struct plan *plan, struct err *e)
{
	struct plan_builder b = {.in = in,
				 .c = in->config,
				 .plan = plan,
				 .userns = in->in_userns ||
					   in->config->linux_.ns[OCI_NS_USER].present,
				 .classic = in->no_clones || stage_mounts(),
				 .in_order = wants_order(in),
				 .userns_fd = -1,
				 .filter = plan_str("")};
	_cleanup_(buf_done) struct buf filter = BUF_INIT(PLAN_MAX);
	int r = plan_compile_filter(&b, &filter, e), end;

	if (r >= 0)
		r = plan_keep_filter(&b, e);
	if (r >= 0)
		r = build(&b, e);
	fd_close(&b.userns_fd);
	end = plan_end(plan);
	if (r >= 0 && end < 0)
		r = err_errno(e, end, "building the plan");
	arena_done(&b.arena);
	return r;
}
