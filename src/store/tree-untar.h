/* SPDX-License-Identifier: Apache-2.0 */
/* An archive into a directory that is in use, as `cp` does it: by kogge-unpack, confined
 * (UNPACK_COPY of unpack/unpack.h has the rules). */
#ifndef KOGGE_STORE_TREE_UNTAR_H
#define KOGGE_STORE_TREE_UNTAR_H

#include "unpack/unpack.h"

struct sink;

struct tree_untar {
	/* A detached mount, given away: the root for every name and link. Borrowed. */
	int mount;
	/* Where in it names start; NULL: at its root. */
	const char *prefix;
	enum unpack_owner owner;
	uint32_t uid, gid;
};

/* Unpacks what can be read from FD: a tar archive, plain or compressed. */
int tree_untar_fd(const struct tree_untar *u, int fd, struct err *e);

/* Unpacks what WRITE, called once with ARG, writes to its sink. */
int tree_untar_from(const struct tree_untar *u,
		    int (*write)(void *arg, struct sink *out, struct err *e), void *arg,
		    struct err *e);

#endif
