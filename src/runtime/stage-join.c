/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a process that joins a running container. Until the join this process sees the host;
 * it is not dumpable, and its memory belongs to the host's user namespace, so that no process of
 * the container can trace it or reach its root and descriptors (CVE-2016-9962). */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The procfs of here serves for what is written later (labels): the container's own /proc may be
 * anything. After the join "/" is the root of its mount namespace. Without a pidfd the namespaces
 * are joined one by one, between two of these steps. */
int stage_join(struct stage *st, const struct plan_step *s, struct err *e)
{
	int pidfd = stage_fd(st, s, 0), root = stage_fd(st, s, 1), r;

	if (st->proc < 0)
		st->proc = proc_open(0);
	if (st->proc < 0)
		return err_errno(e, st->proc, "opening /proc");
	r = pidfd < 0 || !s->num[0] ? 0 : ns_join(pidfd, s->num[0]);
	if (r == -ESRCH)
		return err_set(e, ERR_CONFLICT, 0, "the container has ended");
	if (r < 0)
		return err_errno(e, r, "joining the container's namespaces (%#llx)",
				 (unsigned long long)s->num[0]);
	if (root >= 0 && r >= 0) {
		r = mount_chroot(root);
		if (r < 0)
			return err_errno(e, r, "changing to the container's root");
	}
	fd_close(&st->root);
	st->root = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	return st->root < 0 ? err_errno(e, st->root, "opening the container's root") : 0;
}

/* Goes on as a child that lies in the PID namespace just joined, and whose parent is the
 * runtime. */
int stage_fork(struct stage *st, const struct plan_step *s, struct err *e)
{
	struct stage_msg m = {.kind = STAGE_CHILD};
	int pidfd = -1, r;
	pid_t pid = ns_fork(CLONE_PARENT, -1, &pidfd);

	if (pid < 0)
		return err_errno(e, pid, "making a process in the container");
	if (pid == 0)
		return stage_wait_reply(st, STAGE_GO, e);
	m.arg = (uint32_t)pid;
	r = stage_send(st, &m, pidfd);
	_exit(r < 0 ? 1 : 0);
}
