/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of namespaces, cgroup and host names. */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "kernel/keyring.h"
#include "kernel/netdev.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int stage_setns(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct ns_type *type = ns_find_flag(s->num[0]);
	int r;

	if (s->flags & PLAN_SETNS_AGAIN && !(st->ns_denied & s->num[0]))
		return 0;
	r = ns_join(stage_fd(st, s, 0), s->num[0]);
	if (r == -EPERM && s->flags & PLAN_SETNS_TRY) {
		st->ns_denied |= s->num[0];
		return 0;
	}
	if (r < 0)
		return err_errno(e, r, "joining the %s namespace", type ? type->name : "?");
	return 0;
}

/* The maps were written before the plan was sent. */
int stage_userns(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno(e, errno, "becoming root of the user namespace");
	/* setgroups may be denied; then the groups are the caller's and mean nothing inside */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return err_errno(e, errno, "dropping groups in the user namespace");
	return 0;
}

int stage_cgroup_join(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r = fd_write_full(stage_fd(st, s, 0), "0", 1);

	return r < 0 ? err_errno(e, r, "joining the cgroup") : 0;
}

int stage_unshare(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r = ns_unshare(s->num[0]);

	return r < 0 ? err_errno(e, r, "making namespaces %#llx", (unsigned long long)s->num[0])
		     : 0;
}

int stage_time_offset(struct stage *st, const struct plan_step *s, struct err *e)
{
	int proc = stage_proc(st);
	/* A file of the process, which its thread's own directory has not */
	int r = proc < 0 ? proc : proc_write(proc, getpid(), "timens_offsets", s->str[0].data);

	return r < 0 ? err_errno(e, r, "setting the clock offsets") : 0;
}

int stage_session(struct stage *st, const struct plan_step *s, struct err *e)
{
	/* EPERM: already leads a session, as a process that was spawned in a new one */
	if (setsid() < 0 && errno != EPERM)
		return err_errno(e, errno, "making a session");
	return 0;
}

int stage_keyring(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r = keyring_join(s->str[0].data);

	/* Kernels without keys have nothing to hide */
	if (r < 0 && r != -ENOSYS)
		return err_errno(e, r, "joining the session keyring '%s'", s->str[0].data);
	return 0;
}

int stage_loopback(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r = netdev_lo_up();

	return r < 0 ? err_errno(e, r, "bringing the loopback device up") : 0;
}

int stage_hostname(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (sethostname(s->str[0].data, s->str[0].len) < 0)
		return err_errno(e, errno, "setting the host name '%s'", s->str[0].data);
	return 0;
}

int stage_domainname(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (setdomainname(s->str[0].data, s->str[0].len) < 0)
		return err_errno(e, errno, "setting the domain name '%s'", s->str[0].data);
	return 0;
}

int stage_sysctl(struct stage *st, const struct plan_step *s, struct err *e)
{
	int proc = stage_proc(st);
	int r = proc < 0 ? proc : proc_sysctl_write(proc, s->str[0].data, s->str[1].data);

	if (r < 0)
		return err_errno(e, r, "setting the sysctl '%s' to '%s'", s->str[0].data,
				 s->str[1].data);
	return 0;
}
