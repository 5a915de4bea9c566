/* SPDX-License-Identifier: Apache-2.0 */
/* The note is written before anything is attached. It holds the mount that the path is on at that
 * moment, so that a mount of the caller's at the same path is not taken for ours. */
#include "runtime/root-mount.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>

bool root_mount_shared(const struct runtime_config *c)
{
	const struct oci_namespace *ns = &c->linux_.ns[OCI_NS_MOUNT];

	return !ns->present || ns->path;
}

const char *root_mount_place(const struct runtime_opts *o, struct arena *a)
{
	const char *path = o->config->root_path;

	if (o->rootfs_fd >= 0 || str_empty(path))
		return NULL;
	if (*path == '/')
		return path;
	return o->bundle ? arena_printf(a, "%s/%s", o->bundle, path) : NULL;
}

static int open_place(const char *path, uint64_t *ret_id)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	int r = fd < 0 ? fd : mount_id(fd, ret_id);

	return r < 0 ? r : TAKE_FD(fd);
}

int root_mount_note(const struct runtime_opts *o, struct arena *a, struct container_state *s,
		    struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	const char *path;

	if (o->config->linux_.ns[OCI_NS_MOUNT].present)
		return 0;
	path = root_mount_place(o, a);
	if (!path)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "config.json: linux.namespaces: without a mount namespace the root "
			       "file system needs a path");
	fd = open_place(path, &s->root_below);
	if (fd < 0)
		return err_errno(e, fd, "opening the root file system '%s'", path);
	s->root_mount = path;
	return 0;
}

int root_mount_remove(const struct container_state *s, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	uint64_t id;
	int r;

	if (!s->root_mount)
		return 0;
	fd = open_place(s->root_mount, &id);
	if (fd == -ENOENT || (fd >= 0 && id == s->root_below))
		return 0;
	r = fd < 0 ? fd : mount_detach(fd);
	/* -EINVAL: no mount is there any more */
	if (r < 0 && r != -EINVAL)
		return err_errno(e, r, "unmounting '%s'", s->root_mount);
	return 0;
}
