/* SPDX-License-Identifier: Apache-2.0 */
/* The ways that kernels differ in, one by one: for mount.c and for its tests. */
#ifndef KOGGE_KERNEL_MOUNT_INTERNAL_H
#define KOGGE_KERNEL_MOUNT_INTERNAL_H

#include "kernel/mount.h"

/* How an overlay learns of its directories. */
enum mount_overlay_way {
	MOUNT_OVERLAY_BY_FD,   /* fsconfig with descriptors (6.13; O_PATH from 6.15 on) */
	MOUNT_OVERLAY_BY_NAME, /* fsconfig, one lowerdir+ a layer (6.8) */
	MOUNT_OVERLAY_JOINED,  /* fsconfig, all layers in one string of 255 bytes (5.2) */
	MOUNT_OVERLAY_CLASSIC, /* mount(2), all layers in a page */
};

/* As mount_overlay_new, in this way and no other. */
int mount_overlay_by(const struct mount_overlay *o, enum mount_overlay_way way);

/* As mount_set, by mount(2). */
int mount_set_classic(int fd, const struct mount_change *c, bool recursive);

#endif
