/* SPDX-License-Identifier: Apache-2.0 */
/* The digests of a context's files, remembered from build to build (docs/formats/build-hashes.md):
 * a file whose inode, size, time of change and time of modification are as they were is not read
 * again. A file that was changed just before it was read is never remembered, since a second change
 * in the same tick of the clock would not be seen. */
#ifndef KOGGE_ENGINE_BUILD_HASHES_H
#define KOGGE_ENGINE_BUILD_HASHES_H

#include "base/err.h"
#include "base/hash.h"

#include <sys/stat.h>

struct build_hashes;

/* Reads what is remembered of the tree whose root is the descriptor TREE from the folder DIR of the
 * store (borrowed, as is TREE). What cannot be read is forgotten. NULL when out of memory. */
struct build_hashes *build_hashes_open(int dir, int tree);

/* Writes what is new, and frees; errors are of no consequence. Accepts NULL. */
void build_hashes_close(struct build_hashes *h);

/* The digest of the regular file FD (O_PATH, borrowed) with the attributes ST: of what it holds
 * and, where it has any, of the extended attributes that a copy takes along; of a folder of the
 * latter alone, zeros for none. H may be NULL. */
int build_hashes_get(struct build_hashes *h, int fd, const struct stat *st,
		     unsigned char ret[SHA256_SIZE], struct err *e);

#endif
