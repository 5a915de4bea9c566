/* SPDX-License-Identifier: Apache-2.0 */
/* What a container changed: diff and commit. The writable layer is compared on the disk, beside the
 * container, which may run. */
#include "engine/container-tree.h"

#include "engine/engine-internal.h"

/* What a start makes for its mounts where the image lacks it, and Docker keeps in a layer of its
 * own (daemon/initlayer). */
const char *const container_made_for_mounts[] = {
	"/.dockerenv", "/dev",       "/dev/console",  "/dev/mqueue",    "/dev/pts",
	"/dev/shm",    "/etc/hosts", "/etc/hostname", "/etc/mtab",      "/etc/resolv.conf",
	"/proc",       "/sys",       "/sys/fs",       "/sys/fs/cgroup", NULL};

int container_diff(struct engine *en, const char *ref, snapshot_change_fn fn, void *arg,
		   struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	char id[ID_SIZE];

	if (container_resolve(en, ref, id, e) < 0 || container_load(en, id, &c, e) < 0)
		return -1;
	return snapshot_changes(en->store, c.snapshot, container_made_for_mounts, fn, arg, e);
}
