/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of volumes share. */
#ifndef KOGGE_STORE_VOLUME_INTERNAL_H
#define KOGGE_STORE_VOLUME_INTERNAL_H

#include "base/err.h"

struct store;

/* The descriptor of <root>/volumes, borrowed; made at the first call. -1 with E. */
int volume_dir(struct store *s, struct err *e);

#endif
