/* SPDX-License-Identifier: Apache-2.0 */
/* The root of a container without a mount namespace of its own: it is attached at its own path in
 * the mount table that the container shares, and taken off by delete. */
#ifndef KOGGE_RUNTIME_ROOT_MOUNT_H
#define KOGGE_RUNTIME_ROOT_MOUNT_H

#include "base/arena.h"
#include "runtime/container.h"

/* Whether the container makes its mounts in a namespace that others are in too. */
bool root_mount_shared(const struct runtime_config *c);

/* The absolute path of root.path, in the arena or borrowed; NULL where there is none: no path, a
 * relative one without a bundle, a root by descriptor, no memory. */
const char *root_mount_place(const struct runtime_opts *o, struct arena *a);

/* Before the mount is made: notes in S where it will be, when that is the caller's own mount
 * table. Nothing for all other containers. */
int root_mount_note(const struct runtime_opts *o, struct arena *a, struct container_state *s,
		    struct err *e);

/* Takes off what was attached there since S was noted, and everything below. */
int root_mount_remove(const struct container_state *s, struct err *e);

#endif
