/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between a container's tree and its image's. */
#ifndef KOGGE_STORE_SNAPSHOT_DIFF_H
#define KOGGE_STORE_SNAPSHOT_DIFF_H

#include "store/store-internal.h"

/* Tells SINK what TREE has that BELOW, the image's whole tree (-1 for an empty one), has not, and
 * the other way round; parents before children. UPPER: TREE is the upper directory of an overlay on
 * BELOW, else the whole tree. Both can be read, and are borrowed. */
int snapshot_diff(int tree, int below, bool upper, struct snapshot_change_sink *sink,
		  struct err *e);

#endif
