/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image-export.h"

#include "base/fd.h"
#include "base/path.h"
#include "codec/sink.h"
#include "engine/engine-internal.h"
#include "engine/mount-internal.h"
#include "store/image-transfer.h"
#include "store/snapshot.h"
#include "store/tree-tar.h"

#include <fcntl.h>

enum { TAR_END = 1024 };

struct export
{
	struct engine *en;
	struct sink *out;
};

/* While the image cannot be collected. */
static int export_held(void *arg, struct content_sink *blobs, const struct image *img,
		       struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	static const char nothing[TAR_END];
	const struct export *x = arg;
	const struct tree_tar_opts opts = {.flags = 0};
	_cleanup_(fd_close) int root = -1;

	(void)blobs;
	if (!img->chain)
		return sink_write(x->out, nothing, sizeof(nothing), e);
	if (snapshot_mounts_chain(x->en->store, img->chain, &m, e) < 0)
		return -1;
	root = mount_snapshot(&m, false, e);
	return root < 0 ? -1 : tree_tar_write(root, &opts, x->out, e);
}

int image_export(struct engine *en, const char *id, struct sink *out, struct err *e)
{
	struct export x = {en, out};

	return image_read(en->store, id, export_held, &x, e) < 0
		       ? err_wrap(e, "exporting image %.19s", id)
		       : 0;
}
