/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of what a process carries: limits, priorities, labels, directory, identity. */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "kernel/caps.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "kernel/seccomp-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPU_NUMBER_MAX 65535U

enum { IOPRIO_CLASS_SHIFT = 13, IOPRIO_WHO_PROCESS = 1 }; /* linux/ioprio.h */

int stage_rlimit(struct stage *st, const struct plan_step *s, struct err *e)
{
	bool room = s->flags & PLAN_RLIMIT_ROOM;
	uint64_t soft = s->num[1], hard = 0;
	int r = room ? rlimit_get(0, (int)s->num[0], &soft, &hard) : 0;

	if (r == 0 && (!room || hard < s->num[2]))
		r = rlimit_set(0, (int)s->num[0], soft, s->num[2]);
	if (r < 0)
		return err_errno(e, r, "setting %s to %llu:%llu", rlimit_name((int)s->num[0]),
				 (unsigned long long)s->num[1], (unsigned long long)s->num[2]);
	return 0;
}

int stage_oom_score(struct stage *st, const struct plan_step *s, struct err *e)
{
	int proc = stage_proc(st), adj = (int)(int64_t)s->num[0];
	int r = proc < 0 ? proc : proc_write_oom_score_adj(proc, PROC_SELF, adj);

	return r < 0 ? err_errno(e, r, "setting oom_score_adj to %d", adj) : 0;
}

int stage_personality(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (personality((unsigned long)s->num[0]) < 0)
		return err_errno(e, errno, "setting the personality");
	return 0;
}

int stage_io_priority(struct stage *st, const struct plan_step *s, struct err *e)
{
	long value = (long)(s->num[0] << IOPRIO_CLASS_SHIFT | s->num[1]);

	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) < 0)
		return err_errno(e, errno, "setting the I/O priority");
	return 0;
}

int stage_scheduler(struct stage *st, const struct plan_step *s, struct err *e)
{
	/* struct sched_attr of linux/sched/types.h, its first version */
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = 48,
		  .policy = (uint32_t)s->num[0],
		  .nice = (int32_t)(int64_t)s->num[1],
		  .priority = (uint32_t)s->num[2],
		  .flags = s->num[3],
		  .runtime = s->num[4],
		  .deadline = s->num[5],
		  .period = s->num[6]};

	if (syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		return err_errno(e, errno, "setting the scheduler");
	return 0;
}

/* The digits at *S, which moves behind them. */
static unsigned take_number(const char **s)
{
	unsigned v = 0;

	for (; **s >= '0' && **s <= '9' && v <= CPU_NUMBER_MAX; (*s)++)
		v = v * 10 + (unsigned)(**s - '0');
	return v;
}

/* One "A" or "A-B" of a list of CPUs, which was checked before; returns where it ends. */
static const char *add_cpus(const char *s, unsigned char *mask)
{
	const char *start = s;
	unsigned first = take_number(&s), last = first;

	if (*s == '-') {
		s++;
		last = take_number(&s);
	}
	for (; first <= last && first <= CPU_NUMBER_MAX; first++)
		mask[first / 8] |= (unsigned char)(1U << (first % 8));
	/* What is no list ends here */
	return *s == ',' ? s + 1 : s == start ? s + strlen(s) : s;
}

int stage_affinity(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(freep) unsigned long *mask = calloc(CPU_NUMBER_MAX / 8 + 1, 1);
	const char *list = s->str[0].data;

	if (!mask)
		return err_errno(e, ENOMEM, "setting the CPU affinity");
	while (*list)
		list = add_cpus(list, (unsigned char *)mask);
	if (syscall(SYS_sched_setaffinity, 0, CPU_NUMBER_MAX / 8 + 1, mask) < 0)
		return err_errno(e, errno, "setting the CPU affinity '%s'", s->str[0].data);
	return 0;
}

int stage_umask(struct stage *st, const struct plan_step *s, struct err *e)
{
	umask((mode_t)s->num[0]);
	return 0;
}

int stage_label(struct stage *st, const struct plan_step *s, struct err *e)
{
	int proc = stage_proc(st);
	int r = proc < 0 ? proc
			 : proc_write_exec_label(proc, (enum proc_lsm)s->num[0], s->str[0].data);

	return r < 0 ? err_errno(e, r, "setting the security label '%s'", s->str[0].data) : 0;
}

/* Whether the kernel sees the current directory below the root: getcwd of a directory outside
 * fails or starts with "(unreachable)" (CVE-2024-21626). */
static int check_inside(const char *path, struct err *e)
{
	char cwd[4096];
	long n = syscall(SYS_getcwd, cwd, sizeof(cwd));

	if (n < 0 && errno == ERANGE)
		return 0; /* deeper than the buffer, so below the root */
	if (n < 0 || cwd[0] != '/')
		return err_set(e, ERR_HOSTILE, n < 0 ? errno : 0,
			       "entering '%s': the directory is outside of the container", path);
	return 0;
}

int stage_cwd(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].data;
	_cleanup_(fd_close) int dir = -1;
	int r;

	if (s->flags & PLAN_CWD_MAKE) {
		dir = path_mkdirs(st->root, path, 0755, 0);
		return dir < 0 ? err_errno(e, dir, "making the directory '%s'", path) : 0;
	}
	if (!(s->flags & PLAN_CWD_TRY) && !st->cwd_denied)
		return 0;
	dir = path_open(st->root, path, O_PATH | O_DIRECTORY, 0);
	r = dir < 0 ? dir : fchdir(dir) < 0 ? -errno : 0;
	st->cwd_denied = r == -EACCES || r == -EPERM;
	if (st->cwd_denied && s->flags & PLAN_CWD_TRY)
		return 0;
	if (r < 0)
		return err_errno(e, r, "entering the working directory '%s'", path);
	return check_inside(path, e);
}

int stage_caps_bound(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r = caps_limit_bounding(s->num[0]);

	return r < 0 ? err_errno(e, r, "limiting the capabilities") : 0;
}

static int set_groups(const struct plan_step *s)
{
	size_t n = s->str[0].len / sizeof(gid_t);
	_cleanup_(freep) gid_t *groups = calloc(n + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	memcpy(groups, s->str[0].data, n * sizeof(*groups));
	if (syscall(SYS_setgroups, n, groups) < 0)
		return -errno;
	return 0;
}

int stage_user(struct stage *st, const struct plan_step *s, struct err *e)
{
	uid_t uid = (uid_t)s->num[0];
	gid_t gid = (gid_t)s->num[1];
	int r = s->flags & PLAN_USER_KEEP ? caps_keep(true) : 0;

	if (r >= 0)
		r = set_groups(s);
	/* A user namespace without the right to setgroups has no groups to set */
	if (r == -EPERM && !s->str[0].len)
		r = 0;
	if (r < 0)
		return err_errno(e, r, "setting the groups");
	if (setresgid(gid, gid, gid) < 0)
		return err_errno(e, errno, "becoming group %u", gid);
	if (setresuid(uid, uid, uid) < 0)
		return err_errno(e, errno, "becoming user %u", uid);
	return 0;
}

/* To load a filter without no_new_privs takes CAP_SYS_ADMIN. It stays, where it is there, until
 * the exec takes it away: what a program may do follows from its file, the bounding, inheritable
 * and ambient sets, and not from what was permitted before. */
static uint64_t kept_for_filter(const struct plan_step *s)
{
	uint64_t now;

	if (!(s->flags & PLAN_CAPS_LOAD_FILTER) || caps_get_permitted(&now) < 0)
		return 0;
	return now & CAPS_BIT(CAP_SYS_ADMIN);
}

int stage_caps(struct stage *st, const struct plan_step *s, struct err *e)
{
	uint64_t kept = kept_for_filter(s);
	int r = caps_set(s->num[0] | kept, s->num[1] | kept, s->num[2]);

	if (r >= 0)
		r = caps_set_ambient(s->num[3]);
	return r < 0 ? err_errno(e, r, "setting the capabilities") : 0;
}

int stage_no_new_privs(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, errno, "setting no_new_privs");
	return 0;
}

int stage_load_filter(const struct stage *st, struct plan_blob filter, uint64_t flags,
		      struct err *e)
{
	int r;

	if (flags & PLAN_FILTER_NOTIFY)
		return stage_load_notifier(st, filter, flags, e);
	r = seccomp_filter_load(filter.data, filter.len, (unsigned)flags, NULL);
	return r < 0 ? err_errno(e, r, "loading the seccomp filter") : 0;
}

int stage_seccomp(struct stage *st, const struct plan_step *s, struct err *e)
{
	return stage_load_filter(st, s->str[0], s->num[0], e);
}
