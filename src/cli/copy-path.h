/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of `cp`, with the semantics of Docker's client (moby pkg/archive copy.go), for both
 * sides alike: a path below a root, which is the container's or the host's. Text decides only what
 * was asked for ("x/", "x/."); what is there is found below the descriptor of the root, where every
 * link stays (E14). */
#ifndef KOGGE_CLI_COPY_PATH_H
#define KOGGE_CLI_COPY_PATH_H

#include "base/arena.h"
#include "base/err.h"

#include <sys/stat.h>

/* PATH, absolute (BASE stands before it where it is not), cleaned as text; a '/' or "/." at its end
 * is kept. NULL when out of memory. */
const char *copy_path_clean(struct arena *a, const char *base, const char *path);

/* What is to be copied. */
struct copy_source {
	int fd; /* O_PATH */
	struct stat st;
	const char *name; /* in the archive; ".": a directory's content alone */
};

#define COPY_SOURCE_INIT ((struct copy_source){.fd = -1})

void copy_source_done(struct copy_source *s);

/* Finds PATH (cleaned). A link at its end is copied itself, unless FOLLOW or a slash at the end
 * says otherwise. Returns 0 or a negative errno. Strings live in A. */
int copy_source_find(struct arena *a, int root, const char *path, bool follow,
		     struct copy_source *ret);

/* Where it is to go. */
struct copy_target {
	const char *path; /* with links at its end followed */
	bool exists, is_dir;
	struct stat st;
};

/* Finds what is at PATH (cleaned), following links at its end; nothing there is no error. Returns
 * 0 or a negative errno: -ELOOP. */
int copy_target_find(struct arena *a, int root, const char *path, struct copy_target *ret);

/* Where the archive of SRC is unpacked and what its entries are called there so that TARGET becomes
 * what was asked for: archive.PrepareArchiveCopy. ERR_INVALID with Docker's words where a directory
 * would have to become a file, or the other way round. */
int copy_prepare(struct arena *a, const struct copy_source *src, const struct copy_target *target,
		 const char **ret_dir, const char **ret_name, struct err *e);

#endif
