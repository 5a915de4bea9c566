/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a process that joins a container:
 *   cgroups     of version 1, while the process still sees the host
 *   namespaces  all at once by the pidfd, where the kernel takes them in the right order; with
 *               EXEC_FORKED the PID namespace too, which a child then enters
 *   keyring, terminal
 *   process     exactly as for a container's first one (plan-build-process.c) */
#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/ns.h"
#include "kernel/proc.h"
#include "runtime/exec-internal.h"
#include "runtime/plan-build-internal.h"

#include <errno.h>
#include <fcntl.h>

static int join_cgroup(struct plan_builder *b, const struct exec_plan *in, struct err *e)
{
	int fds[CGROUP_HIERARCHIES_MAX], n;

	if (!in->cgroup)
		return 0;
	n = cgroup_join_fds(&in->cgroup->cg, !in->in_cgroup2, fds);
	if (n < 0)
		return err_errno(e, n, "opening the container's cgroup");
	for (int i = 0; i < n; i++)
		plan_add(b->plan, (struct plan_step){.op = PLAN_CGROUP_JOIN,
						     .fd = {plan_fd(b->plan, fds[i], true)}});
	return 0;
}

/* One step for each type, in the order of ns_types. */
static int join_files(struct plan_builder *b, const struct exec_plan *in, uint32_t root,
		      struct err *e)
{
	plan_add(b->plan, (struct plan_step){.op = PLAN_JOIN, .fd = {PLAN_NO_FD, PLAN_NO_FD}});
	for (size_t i = 0; i < NS_TYPE_N; i++) {
		const struct ns_type *t = &ns_types[i];
		int fd;

		if (!(in->join & t->flag) || t->flag == CLONE_NEWPID)
			continue;
		fd = ns_open(in->proc, in->x->pid, t->flag);
		if (fd < 0)
			return err_errno(e, fd, "opening the container's %s namespace", t->name);
		plan_add(b->plan, (struct plan_step){.op = PLAN_SETNS,
						     .num = {t->flag},
						     .fd = {plan_fd(b->plan, fd, true)}});
	}
	plan_add(b->plan, (struct plan_step){.op = PLAN_JOIN, .fd = {PLAN_NO_FD, root}});
	return 0;
}

/* The target's root, where entering its mount namespace is not enough; PLAN_NO_FD where it is. */
static int target_root(struct plan_builder *b, const struct exec_plan *in, uint32_t *ret,
		       struct err *e)
{
	int fd;

	*ret = PLAN_NO_FD;
	if (!in->x->shared_root && in->join & CLONE_NEWNS)
		return 0;
	fd = proc_open_magic(in->proc, in->x->pid, "root", O_PATH | O_DIRECTORY);
	if (fd < 0)
		return err_errno(e, fd, "opening the root of process %d", in->x->pid);
	*ret = plan_fd(b->plan, fd, true);
	return 0;
}

static int join(struct plan_builder *b, const struct exec_plan *in, struct err *e)
{
	uint64_t types = in->way == EXEC_FORKED ? in->join : in->join & ~(uint64_t)CLONE_NEWPID;
	uint32_t root;

	if (target_root(b, in, &root, e) < 0)
		return -1;
	if (in->way == EXEC_FILES) {
		if (join_files(b, in, root, e) < 0)
			return -1;
	} else {
		plan_add(b->plan,
			 (struct plan_step){.op = PLAN_JOIN,
					    .num = {types},
					    .fd = {plan_fd(b->plan, in->x->pidfd, false), root}});
	}
	if (in->way == EXEC_FORKED)
		plan_step_num(b, PLAN_FORK, 0, 0);
	plan_step_num(b, PLAN_SESSION, 0, 0);
	if (in->join & CLONE_NEWUSER)
		plan_step_num(b, PLAN_USERNS, 0, 0);
	return 0;
}

/* process.execCPUAffinity: the first list before the cgroup is entered, where it is not entered at
 * birth, the second one after it. */
static void add_affinity(struct plan_builder *b, const char *list)
{
	if (!str_empty(list))
		plan_step_str(b, PLAN_AFFINITY, list, NULL);
}

static int build(struct plan_builder *b, const struct exec_plan *in, struct err *e)
{
	const struct runtime_exec *x = in->x;

	if (!in->in_cgroup2)
		add_affinity(b, x->process->affinity.initial);
	if (join_cgroup(b, in, e) < 0)
		return -1;
	add_affinity(b, x->process->affinity.final);
	if (join(b, in, e) < 0)
		return -1;
	if (x->keyring_id) {
		const char *name = arena_printf(&b->arena, "_ses.%s", x->keyring_id);

		plan_step_str(b, PLAN_KEYRING, name ? name : "", NULL);
	}
	if (x->process->terminal)
		plan_build_console(b, PLAN_CONSOLE_ONLY);
	plan_build_process(b);
	plan_build_nofile(b);
	plan_build_exec(b, 0);
	return 0;
}

int exec_plan_build(const struct exec_plan *in, struct plan *plan, struct err *e)
{
	const struct runtime_exec *x = in->x;
	const struct runtime_config config = {
		.process = *x->process, .linux_ = {.personality_32bit = x->personality_32bit}};
	const struct runtime_opts opts = {.preserve = x->preserve, .n_preserve = x->n_preserve};
	const struct plan_input input = {.o = &opts, .config = &config};
	struct plan_builder b = {
		.in = &input,
		.c = &config,
		.plan = plan,
		.userns = in->join & CLONE_NEWUSER,
		.userns_fd = -1,
		.filter = {.data = x->seccomp, .len = (uint32_t)x->n_seccomp},
		.filter_flags = x->seccomp_flags | (x->listener_path ? PLAN_FILTER_NOTIFY : 0),
	};
	int r = build(&b, in, e), end = plan_end(plan);

	if (r >= 0 && end < 0)
		r = err_errno(e, end, "building the plan");
	arena_done(&b.arena);
	return r;
}
