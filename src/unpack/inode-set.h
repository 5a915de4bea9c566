/* SPDX-License-Identifier: Apache-2.0 */
/* A set of inode numbers: open addressing in a table of powers of two. */
#ifndef KOGGE_UNPACK_INODE_SET_H
#define KOGGE_UNPACK_INODE_SET_H

#include "base/macro.h"

struct inode_set {
	uint64_t *slots; /* 0: free */
	size_t n;
	size_t cap;
};

void inode_set_done(struct inode_set *s);

/* 0 or -ENOMEM. INO is not 0. */
int inode_set_add(struct inode_set *s, uint64_t ino);

/* Whether INO was added. */
bool inode_set_has(const struct inode_set *s, uint64_t ino);

#endif
