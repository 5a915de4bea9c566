/* SPDX-License-Identifier: Apache-2.0 */
/* Modes of files as people write them. */
#ifndef KOGGE_BASE_MODE_H
#define KOGGE_BASE_MODE_H

#include <stdbool.h>
#include <sys/types.h>

/* Changes the 12 bits of *MODE, of a folder where DIR is true, as chmod(1) does with TEXT (POSIX:
 * "chmod", "Extended Description"): octal, or clauses such as "u=rwX,go+r". A clause without "who"
 * is for all that the file mode creation mask 022 leaves. -EINVAL where TEXT is none; *MODE is as
 * it was then. */
int mode_change(const char *text, bool dir, mode_t *mode);

#endif
