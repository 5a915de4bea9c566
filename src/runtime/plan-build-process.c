/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for `process`. */
#include "runtime/plan-build-internal.h"

#include "base/buf.h"
#include "base/str.h"
#include "kernel/proc.h"

#include <errno.h>
#include <sys/personality.h>
#include <sys/resource.h>

enum { UMASK_DEFAULT = 0022 };

void plan_step_str(struct plan_builder *b, enum plan_op op, const char *x, const char *y)
{
	plan_add(b->plan, (struct plan_step){.op = op, .str = {plan_str(x), plan_str(y)}});
}

void plan_step_num(struct plan_builder *b, enum plan_op op, uint64_t x, uint64_t y)
{
	plan_add(b->plan, (struct plan_step){.op = op, .num = {x, y}});
}

struct plan_blob plan_strv(struct plan_builder *b, const char *const *v)
{
	_cleanup_(buf_done) struct buf packed = BUF_INIT(PLAN_MAX);
	int r = plan_pack(v, &packed);
	char *copy = r < 0 ? NULL : arena_strndup(&b->arena, packed.data, packed.len);

	if (!copy) {
		if (!b->plan->error)
			b->plan->error = r < 0 ? -E2BIG : -ENOMEM;
		return plan_str("");
	}
	return (struct plan_blob){.data = copy, .len = (uint32_t)packed.len};
}

static void add_limits(struct plan_builder *b)
{
	const struct oci_process *p = &b->c->process;

	/* In a user namespace it cannot be lowered: the runtime does it from outside */
	if (p->oom_score_adj.set && !b->userns)
		plan_step_num(b, PLAN_OOM_SCORE, (uint64_t)p->oom_score_adj.value, 0);
	if (b->c->linux_.personality_32bit)
		plan_step_num(b, PLAN_PERSONALITY, PER_LINUX32, 0);
	if (p->io_priority.set)
		plan_step_num(b, PLAN_IO_PRIORITY, p->io_priority.class,
			      (uint64_t)p->io_priority.priority);
	if (p->scheduler.set) {
		const struct oci_scheduler *s = &p->scheduler;
		struct plan_step step = {.op = PLAN_SCHEDULER,
					 .num = {s->policy, (uint64_t)(int64_t)s->nice,
						 (uint64_t)s->priority, s->flags, s->runtime,
						 s->deadline, s->period}};

		plan_add(b->plan, step);
	}
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *l = &p->rlimits[i];

		plan_add(b->plan,
			 (struct plan_step){.op = PLAN_RLIMIT,
					    .flags = l->resource == RLIMIT_NOFILE ? PLAN_RLIMIT_ROOM
										  : 0,
					    .num = {(uint64_t)l->resource, l->soft, l->hard}});
	}
}

/* The stage itself needs descriptors until the end, and the right to raise a limit is gone by then:
 * before it the hard limit is raised, here both are lowered. */
void plan_build_nofile(struct plan_builder *b)
{
	const struct oci_process *p = &b->c->process;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *l = &p->rlimits[i];

		if (l->resource == RLIMIT_NOFILE)
			plan_add(b->plan,
				 (struct plan_step){.op = PLAN_RLIMIT,
						    .num = {RLIMIT_NOFILE, l->soft, l->hard}});
	}
}

static void add_label(struct plan_builder *b, enum proc_lsm lsm, const char *label)
{
	if (str_empty(label))
		return;
	plan_add(b->plan,
		 (struct plan_step){.op = PLAN_LABEL, .num = {lsm}, .str = {plan_str(label)}});
}

static void add_preserved(struct plan_builder *b)
{
	const struct runtime_opts *o = b->in->o;

	for (size_t i = 0; i < o->n_preserve; i++)
		plan_add(b->plan,
			 (struct plan_step){.op = PLAN_DUP,
					    .num = {3 + i},
					    .fd = {plan_fd(b->plan, o->preserve[i], false)}});
}

static void add_cwd(struct plan_builder *b, uint32_t flags)
{
	plan_add(b->plan, (struct plan_step){.op = PLAN_CWD,
					     .flags = flags,
					     .str = {plan_str(b->c->process.cwd)}});
}

static void add_user(struct plan_builder *b)
{
	const struct oci_user *u = &b->c->process.user;
	struct plan_blob gids = {.data = (const char *)u->gids,
				 .len = (uint32_t)(u->n_gids * sizeof(*u->gids))};

	if (!u->n_gids)
		gids.data = "";
	plan_add(b->plan, (struct plan_step){.op = PLAN_USER,
					     .flags = PLAN_USER_KEEP,
					     .num = {u->uid, u->gid},
					     .str = {gids}});
}

void plan_build_process(struct plan_builder *b)
{
	const struct oci_process *p = &b->c->process;
	const struct oci_caps *caps = &p->caps;
	int64_t mask = p->user.umask.set ? p->user.umask.value : UMASK_DEFAULT;

	add_limits(b);
	add_label(b, PROC_LSM_APPARMOR, p->apparmor_profile);
	add_label(b, PROC_LSM_SELINUX, p->selinux_label);
	add_preserved(b);
	/* As root first: the directory may be closed to the user; then again as the user, where the
	 * file system (NFS with squashed root) wants it the other way round */
	add_cwd(b, PLAN_CWD_TRY);
	plan_step_num(b, PLAN_UMASK, (uint64_t)mask, 0);
	plan_step_num(b, PLAN_CAPS_BOUND, caps->bounding, 0);
	add_user(b);
	add_cwd(b, 0);
	/* The kernel has nothing ambient that is not inheritable too; the configuration that runc
	 * writes asks for it all the same, and gets, as from runc, what can be had */
	plan_add(b->plan,
		 (struct plan_step){.op = PLAN_CAPS,
				    .flags = p->no_new_privileges ? 0 : PLAN_CAPS_LOAD_FILTER,
				    .num = {caps->effective, caps->permitted, caps->inheritable,
					    caps->ambient & caps->inheritable & caps->permitted}});
}

void plan_build_console(struct plan_builder *b, uint32_t flags)
{
	const struct oci_process *p = &b->c->process;

	plan_add(b->plan,
		 (struct plan_step){.op = PLAN_CONSOLE,
				    .flags = flags,
				    .num = {p->console_height, p->console_width, p->user.uid}});
}

void plan_build_exec(struct plan_builder *b, uint32_t flags)
{
	const struct oci_process *p = &b->c->process;
	struct plan_blob env = plan_strv(b, (const char *const *)p->env);

	if (p->no_new_privileges)
		plan_step_num(b, PLAN_NO_NEW_PRIVS, 0, 0);
	plan_add(b->plan, (struct plan_step){.op = PLAN_EXEC,
					     .flags = flags,
					     .num = {b->filter_flags},
					     .str = {plan_strv(b, (const char *const *)p->args),
						     env, b->filter}});
}
