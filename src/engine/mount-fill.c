/* SPDX-License-Identifier: Apache-2.0 */
/* A new volume gets what the image has at its place, with owner, mode, attributes and links: when
 * the container is made, as Docker does. The image's layers are mounted detached for it, and the
 * place is resolved inside of them: no link of the image leads out. */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "kernel/mount.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The image's own root, mounted when the first volume needs it. */
static int open_image(struct engine *en, const char *chain, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;

	if (snapshot_mounts_chain(en->store, chain, &m, e) < 0)
		return -1;
	return mount_snapshot(&m, false, e);
}

/* A volume whose options name a folder of the host is filled like any other, but there is no place
 * beside it: what is broken off stays as it is. A tmpfs is gone before the container starts. */
static int fill_volume(struct engine *en, const char *name, int from, struct err *e)
{
	_cleanup_(fd_close) int mnt = -1, to = -1;
	int r = volume_is_mounted(en, name, e);

	if (r == 0)
		return volume_fill(en->store, name, from, e) < 0 ? -1 : 0;
	mnt = r < 0 ? -1 : volume_source(en, name, e);
	if (mnt < 0)
		return -1;
	to = path_open_own(mnt, ".", O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return err_errno(e, to, "opening the volume '%s'", name);
	return volume_fill_dir(to, from, e) < 0 ? err_wrap(e, "filling the volume '%s'", name) : 0;
}

static int fill_one(struct engine *en, const struct spec_mount *m, int image, struct err *e)
{
	_cleanup_(fd_close) int at = path_open(image, m->target, O_PATH, 0), from = -1;
	struct stat st;

	if (at == -ENOENT || at == -ENOTDIR)
		return 0;
	if (at < 0 || fstat(at, &st) < 0)
		return err_errno(e, at < 0 ? at : errno, "looking at '%s' in the image", m->target);
	if (!S_ISDIR(st.st_mode))
		return m->anonymous ? err_set(e, ERR_INVALID, 0,
					      "cannot mount volume over existing file, file "
					      "exists %s",
					      m->target)
				    : 0;
	from = path_open_own(at, ".", O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return err_errno(e, from, "reading '%s' of the image", m->target);
	return fill_volume(en, m->source, from, e);
}

/* Whether the volume is one to fill, and empty. */
static int wants(struct engine *en, const struct spec_mount *m, struct err *e)
{
	int r;

	if (m->type != SPEC_MOUNT_VOLUME || m->no_copy || m->subpath)
		return 0;
	r = volume_is_mounted(en, m->source, e);
	if (r != 0)
		return r;
	return volume_is_empty(en->store, m->source, e);
}

int mount_points_fill(struct engine *en, const struct container *c, const char *chain,
		      struct err *e)
{
	_cleanup_(fd_close) int image = -1;

	for (size_t i = 0; i < c->spec.n_points && chain; i++) {
		const struct spec_mount *m = &c->spec.points[i];
		int r = wants(en, m, e);

		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		if (image < 0)
			image = open_image(en, chain, e);
		if (image < 0 || fill_one(en, m, image, e) < 0)
			return -1;
	}
	return 0;
}
