/* SPDX-License-Identifier: Apache-2.0 */
/* A full copy of a tree: data (shared by reflink where the file system can), holes, hard links,
 * owners, modes, times, extended attributes, devices. */
#ifndef KOGGE_STORE_TREE_COPY_H
#define KOGGE_STORE_TREE_COPY_H

#include "base/err.h"

/* Copies everything below FROM into the empty directory TO, and FROM's attributes to TO. What was
 * made before an error stays. */
int tree_copy(int from, int to, struct err *e);

#endif
