/* SPDX-License-Identifier: Apache-2.0 */
/* The walk by hand below a root; private to base/path*.c. */
#ifndef KOGGE_BASE_PATH_INTERNAL_H
#define KOGGE_BASE_PATH_INTERNAL_H

#include "base/path.h"

/* What the walk does about a component that is missing. */
enum path_make {
	PATH_MAKE_NONE, /* -ENOENT */
	PATH_MAKE_DIRS, /* make each as a directory */
	PATH_MAKE_FILE, /* as PATH_MAKE_DIRS, the last one as an empty regular file */
};

/* One request to the walk. */
struct path_walk_request {
	const char *rel;
	int oflags;
	unsigned flags; /* enum path_flags */
	enum path_make make;
	mode_t mode; /* of what is made */
};

/* Resolves as openat2 with RESOLVE_IN_ROOT (or RESOLVE_BENEATH) and RESOLVE_NO_MAGICLINKS would.
 * -EAGAIN where somebody moved a directory meanwhile. */
int path_walk(int root, const struct path_walk_request *q);

/* The id of the mount that FD is on, or a negative errno. */
int64_t path_mount_id(int fd);

/* Whether openat2 is to be tried. */
bool path_have_openat2(void);

/* openat2 with O_CLOEXEC. Returns a descriptor or a negative errno. */
int path_openat2(int dir, const char *rel, int oflags, mode_t mode, uint64_t resolve);

#endif
