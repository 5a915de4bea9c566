/* SPDX-License-Identifier: Apache-2.0 */
/* The root file system of a container, as a detached mount: the host's mount table does not grow.
 */
#include "base/fd.h"
#include "base/path.h"
#include "engine/mount-internal.h"
#include "kernel/mount-stash.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>

/* The last close of an overlay syncs the whole file system below it, and somebody waits for that.
 * What --rm takes away anyway needs no sync: "volatile". Linux before 5.10 does not know it, and
 * every kernel refuses to mount the directories once more while the mark of the first time is in
 * its part of the work directory. */
static int mount_overlay(struct mount_overlay *o, bool volatile_)
{
	int fd;

	if (!volatile_)
		return mount_overlay_new(o);
	o->n_params++;
	fd = mount_overlay_new(o);
	if (fd != -EINVAL)
		return fd;
	path_remove_tree(o->work, "work");
	o->n_params--;
	return mount_overlay_new(o);
}

/* On kernels without detached mounts this process goes into a mount namespace of its own, in which
 * the overlay is mounted on the directory of its work directory: the host's table does not grow
 * here either. Whatever this process starts finds the mount there. */
static int overlay_here(const struct mount_overlay *o)
{
	static const struct mount_change from_host = {.propagation = MS_SLAVE};
	_cleanup_(fd_close) int at = -1, top = -1;
	int r = ns_unshare(CLONE_NEWNS);

	if (r < 0)
		return r;
	top = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	r = top < 0 ? top : mount_set(top, &from_host, true);
	if (r == 0 && o->upper < 0)
		return mount_overlay_attach(o, -1);
	at = r < 0 ? r : path_mkdirs(o->work, "root", 0700, PATH_NO_SYMLINKS);
	return at < 0 ? at : mount_overlay_attach(o, at);
}

static int make_overlay(struct mount_overlay *o, bool volatile_)
{
	int fd = mount_overlay(o, volatile_);

	if (fd != -ENOSYS || !mount_is_classic())
		return fd;
	/* The mark of the attempt. */
	if (volatile_)
		path_remove_tree(o->work, "work");
	return overlay_here(o);
}

/* There a directory is given as it is: what is made of it is made by path, and read-only where it
 * is mounted (kernel/mount-stash.h). */
static int clone_dir(int dir)
{
	int fd = mount_clone(dir, false);

	if (fd != -ENOSYS)
		return fd;
	fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

int mount_snapshot(const struct snapshot_mounts *m, bool volatile_, struct err *e)
{
	struct mount_param params[16];
	struct mount_overlay o = {.params = params,
				  .lower = m->lower,
				  .n_lower = m->n_lower,
				  .upper = m->upper,
				  .work = m->work,
				  .attr = m->read_only ? MOUNT_ATTR_RDONLY : 0};
	const struct mount_change ro = {.set = MOUNT_ATTR_RDONLY};
	int fd, r = 0;

	for (size_t i = 0; m->opts && m->opts[i] && o.n_params + 1 < ARRAY_SIZE(params); i += 2)
		params[o.n_params++] =
			(struct mount_param){.key = m->opts[i], .value = m->opts[i + 1]};
	params[o.n_params] = (struct mount_param){.key = "volatile"};
	fd = m->overlay ? make_overlay(&o, volatile_ && m->upper >= 0) : clone_dir(m->root);
	if (fd >= 0 && !m->overlay && m->read_only && !mount_is_classic())
		r = mount_set(fd, &ro, false);
	if (r < 0) {
		fd_close(&fd);
		fd = r;
	}
	return fd < 0 ? err_errno(e, fd, "mounting a snapshot") : fd;
}

int container_mount_rootfs(struct engine *en, const struct container *c, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	int fd;

	if (snapshot_mounts(en->store, c->snapshot, &m, e) < 0)
		return -1;
	fd = mount_snapshot(&m, c->spec.auto_remove, e);
	return fd < 0 ? err_wrap(e, "the root file system of container %.12s", c->id) : fd;
}
