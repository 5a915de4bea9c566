/* SPDX-License-Identifier: Apache-2.0 */
/* The names of mount options (mount(8), runtime-spec "Linux mount options") and what they mean to
 * the kernel: one table. */
#ifndef KOGGE_KERNEL_MOUNT_OPTION_H
#define KOGGE_KERNEL_MOUNT_OPTION_H

#include "base/macro.h"

enum mount_bits {
	MOUNT_BIND = 1 << 0,
	MOUNT_RBIND = 1 << 1, /* implies MOUNT_BIND */
	MOUNT_REMOUNT = 1 << 2,
	MOUNT_TMPCOPYUP = 1 << 3, /* fill a tmpfs with what its mount point held */
	MOUNT_IDMAP = 1 << 4,
	MOUNT_RIDMAP = 1 << 5, /* implies MOUNT_IDMAP */
};

/* What a list of options adds up to. Later options win. */
struct mount_options {
	uint64_t set, clear;         /* MOUNT_ATTR_* of this mount */
	uint64_t rec_set, rec_clear; /* MOUNT_ATTR_* of this mount and all below */
	uint64_t propagation;        /* MS_PRIVATE, ... or 0 */
	bool rec_propagation;
	unsigned bits;     /* enum mount_bits */
	unsigned sb_set;   /* MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, MS_SILENT, */
	unsigned sb_clear; /* MS_POSIXACL, MS_I_VERSION: of the file system, not the mount */
};

/* Adds the option NAME. Returns true where the table knows it, false where it must be for the file
 * system itself ("size=64m", "mode=755"). */
bool mount_option_add(struct mount_options *o, const char *name);

/* Writes the file-system wide flags as the keys that fsconfig takes ("sync", "dirsync", ...) into
 * KEYS, at most MOUNT_SB_KEYS_MAX; returns how many. */
#define MOUNT_SB_KEYS_MAX 8
size_t mount_option_sb_keys(const struct mount_options *o, const char *keys[MOUNT_SB_KEYS_MAX]);

/* The I-th name of the table, NULL after the last: for `features` output and tests. */
const char *mount_option_name(size_t i);

/* MOUNT_ATTR_* as MS_* for the classic mount(2). */
unsigned long mount_attr_to_ms(uint64_t attr);

#endif
