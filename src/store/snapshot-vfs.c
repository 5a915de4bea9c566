/* SPDX-License-Identifier: Apache-2.0 */
/* Whole directories: <id>/fs is a full copy of the parent with the layer applied. Works on every
 * file system; costs space and time. A copy is made as <id>/tmp and renamed, so that `fs` is whole
 * where it exists. */
#include "store/store-internal.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "store/snapshot-diff.h"
#include "store/tree-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int vfs_probe(int dir, struct err *e)
{
	return 0;
}

static int vfs_copy(int home, int dir, const char *parent, struct err *e)
{
	_cleanup_(fd_close) int to = -1;
	_cleanup_(fd_close) int from = -1;

	if (mkdirat(home, "tmp", 0755) < 0)
		return err_errno(e, errno, "making the directory of a snapshot");
	to = path_open_own(home, "tmp", O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return err_errno(e, to, "opening the directory of a snapshot");
	if (!parent)
		return fchmod(to, 0755) < 0 ? err_errno(e, errno, "setting up a snapshot") : 0;
	from = snapshot_open_dir(dir, parent, "fs", O_RDONLY);
	if (from == -ENOENT)
		return err_set(e, ERR_CORRUPT, 0, "the directory of layer %s is missing", parent);
	if (from < 0)
		return err_errno(e, from, "opening the directory of layer %s", parent);
	return tree_copy(from, to, e);
}

/* Makes <id>/fs as a copy of PARENT and opens it. */
static int vfs_make(int dir, const char *id, const char *parent, struct err *e)
{
	_cleanup_(fd_close) int home = -1;
	int fd;

	if (mkdirat(dir, id, 0700) < 0 && errno != EEXIST)
		return err_errno(e, errno, "making the directory of a snapshot");
	home = snapshot_open_dir(dir, id, NULL, O_RDONLY);
	if (home < 0)
		return err_errno(e, home, "opening the directory of a snapshot");
	fd = path_remove_tree(home, "tmp");
	if (fd < 0)
		return err_errno(e, fd, "removing an unfinished copy");
	if (vfs_copy(home, dir, parent, e) < 0 || FAILPOINT("store.snapshot.create", e) < 0)
		return -1;
	if (renameat(home, "tmp", home, "fs") < 0)
		return err_errno(e, errno, "keeping a snapshot");
	fd = path_open_own(home, "fs", O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? err_errno(e, fd, "opening the directory of a snapshot") : fd;
}

static int vfs_layer(int dir, const char *id, const char *parent, struct err *e)
{
	return vfs_make(dir, id, parent, e);
}

static int vfs_mounts(int dir, const char *id, const char *const *chain, size_t n,
		      struct snapshot_mounts *m, struct err *e)
{
	const char *parent = n > 0 ? chain[0] : NULL;

	m->read_only = !id;
	if (!id && !parent)
		return err_set(e, ERR_UNSUPPORTED, 0, "an image without layers has nothing to see");
	m->root = snapshot_open_dir(dir, id ? id : parent, "fs", O_PATH);
	if (m->root == -ENOENT && id)
		m->root = vfs_make(dir, id, parent, e);
	else if (m->root == -ENOENT)
		return err_set(e, ERR_CORRUPT, 0, "the directory of layer %s is missing", parent);
	else if (m->root < 0)
		return err_errno(e, m->root, "opening the directory of a snapshot");
	if (m->root < 0)
		return -1;
	if (parent) { /* for changes */
		m->lower = calloc(1, sizeof(*m->lower));
		if (!m->lower)
			return err_errno(e, ENOMEM, "describing a snapshot");
		m->lower[0] = snapshot_open_dir(dir, parent, "fs", O_RDONLY);
		m->n_lower = 1;
	}
	return 0;
}

static int vfs_changes(int dir, const char *id, const struct snapshot_mounts *m,
		       struct snapshot_change_sink *sink, struct err *e)
{
	return snapshot_diff(m->root, m->n_lower > 0 ? m->lower[0] : -1, false, sink, e);
}

const struct snapshot_driver snapshot_vfs = {
	.name = "vfs",
	.whiteouts_kept = false,
	.probe = vfs_probe,
	.layer = vfs_layer,
	.mounts = vfs_mounts,
	.changes = vfs_changes,
};
