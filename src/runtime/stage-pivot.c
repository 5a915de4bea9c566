/* SPDX-License-Identifier: Apache-2.0 */
/* From the host's root to the container's. With PLAN_PIVOT_MOVE, for a root that cannot be pivoted
 * away from (an initramfs), the container's root covers "/" of the mount namespace, so that exec
 * arrives there too, and chroot enters it. Below it the host's tree is still mounted, which a
 * process with CAP_SYS_CHROOT can reach: what is mounted on that tree is taken off before, above
 * all its proc and sysfs, which are masked nowhere (runc: msMoveRoot). */
#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "runtime/stage-internal.h"

#include <errno.h>
#include <fcntl.h>

/* Takes off what is mounted at PATH of the old root; where the user namespace may not, covers it.
 */
static int hide(const struct proc_mount *m)
{
	_cleanup_(fd_close) int at =
		path_open_host(m->target, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0);
	int r;

	/* A file, or covered by another mount that has gone already. */
	if (at < 0)
		return 0;
	r = mount_detach(at);
	if (r != -EINVAL && r != -EPERM)
		return r;
	if (!str_eq(m->fstype, "proc") && !str_eq(m->fstype, "sysfs"))
		return 0;
	return mount_classic(at, "tmpfs", "tmpfs", MS_RDONLY, "size=0");
}

/* ID of the container's root in the table, and of the root of the mount namespace: the first is the
 * last that covers "/", the second the first there. */
static void find_roots(const struct proc_mount *v, size_t n, int *ret_new, int *ret_old)
{
	*ret_new = *ret_old = -1;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(v[i].target, "/"))
			continue;
		if (*ret_old < 0)
			*ret_old = v[i].id;
		*ret_new = v[i].id;
	}
}

static int hide_host(void)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	int r, new, old;
	struct proc_mount *v;
	size_t n;

	r = proc < 0 ? proc : proc_read_mounts(proc, PROC_SELF, &a, &v, &n);
	if (r < 0)
		return r;
	find_roots(v, n, &new, &old);
	/* A detached mount takes along what is mounted on it. /proc is the last: by it descriptors
	 * are named. */
	for (size_t i = 0; r >= 0 && i < 2 * n; i++) {
		const struct proc_mount *m = &v[i % n];

		if (m->parent == old && m->id != new && !str_eq(m->target, "/") &&
		    str_eq(m->target, "/proc") == (i >= n))
			r = hide(m);
	}
	return r;
}

static int move_root(const struct stage *st, bool elsewhere)
{
	_cleanup_(fd_close) int top = elsewhere ? path_open_host("/", O_PATH | O_DIRECTORY, 0) : -1;
	int r = top >= 0 ? mount_move(st->root, top) : elsewhere ? top : 0;

	if (r >= 0)
		r = hide_host();
	return r < 0 ? r : mount_chroot(st->root);
}

int stage_pivot(struct stage *st, const struct plan_step *s, struct err *e)
{
	int r;

	if (s->flags & PLAN_PIVOT_MOVE)
		r = move_root(st, s->flags & PLAN_PIVOT_ELSEWHERE);
	else
		r = s->flags & PLAN_PIVOT_CHROOT ? mount_chroot(st->root) : mount_pivot(st->root);
	if (r < 0)
		err_errno(e, r, "changing to the container's root");
	if (r == -EINVAL && !s->flags)
		return err_hint(
			e, "is the root directory of the host a mount point? In an initramfs it "
			   "is none (--no-pivot of kogge-runtime), in a chroot it becomes one by "
			   "`mount --bind DIR DIR` before chroot");
	if (r < 0)
		return -1;
	st->pivoted = true;
	return 0;
}
