/* SPDX-License-Identifier: Apache-2.0 */
/* Binds where the runtime can make no detached mounts (an old kernel, an ordinary user): the source
 * goes to the stage as it is, which makes the mount in its own namespace. The host's tree must
 * still be there then, so that the pivot comes after all mounts. */
#include "runtime/plan-build-internal.h"

#include "base/fd.h"

#include <fcntl.h>

int plan_bind_classic(struct plan_builder *b, const char *target, int fd,
		      const struct plan_bind *bind, struct err *e)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (bind->idmap) {
		fd_close(&own);
		return err_set(
			e, ERR_UNSUPPORTED, 0,
			"mounting '%s': identity maps need root and a kernel with mount_setattr",
			target);
	}
	plan_add(b->plan, (struct plan_step){.op = PLAN_MOUNT_TREE,
					     .flags = PLAN_MOUNT_RAW | bind->flags,
					     .num = {bind->own.set, bind->own.clear, bind->all.set,
						     bind->all.clear, bind->own.propagation,
						     bind->recursive},
					     .str = {plan_str(target)},
					     .fd = {plan_fd(b->plan, own, true)}});
	return 0;
}
