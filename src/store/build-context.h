/* SPDX-License-Identifier: Apache-2.0 */
/* A build context that comes as an archive. */
#ifndef KOGGE_STORE_BUILD_CONTEXT_H
#define KOGGE_STORE_BUILD_CONTEXT_H

#include "base/err.h"
#include "store/snapshot.h"

struct store;

/* Unpacks the archive in the file FD (borrowed; plain or compressed) by kogge-unpack into a
 * directory of its own, which goes with this process, or with snapshot_layer_abort(ID). Names mean
 * nothing but themselves: there are no whiteouts. Returns the directory, owned by the caller; -1
 * with E set, and nothing is left. */
int build_context_unpack(struct store *s, int fd, char ret_id[SNAPSHOT_ID_SIZE], struct err *e);

#endif
