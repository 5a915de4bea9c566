/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of `RUN --mount=type=cache`: <root>/build/mounts/<SHA-256 of the identifier>/ has
 * "data" with its lock "data.lock", the same as "data-N" for builds that share with nobody, and
 * "id", the identifier itself. Whoever uses a folder holds its lock, shared or not. */
#ifndef KOGGE_STORE_BUILD_MOUNTS_H
#define KOGGE_STORE_BUILD_MOUNTS_H

#include "store/build-cache.h"

/* The type of such records. */
#define BUILD_MOUNT_TYPE "exec.cachemount"

/* The folder of the cache ID, made where it is missing: a descriptor, or -1 with E set. */
int build_mount_dir(struct store *s, const char *id, struct err *e);

/* Notes that the folder whose lock is LOCK is used now. */
void build_mount_touch(int lock);

/* What is there, as records for `builder du`: type BUILD_MOUNT_TYPE, id the first 25 characters of
 * the folder's name, size what it takes on the disk, in_use while a build holds it. In A; least
 * recently used first. */
int build_mount_list(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		     struct err *e);

/* Removes what the cache whose folder's name begins with ID holds: 1, or 0 where a build uses it or
 * it is gone. */
int build_mount_remove(struct store *s, const char *id, struct err *e);

#endif
