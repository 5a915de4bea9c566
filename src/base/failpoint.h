/* SPDX-License-Identifier: Apache-2.0 */
/* Failpoints: named places where a test makes the program fail, die or wait. Without the
 * environment variable KOGGE_FAILPOINTS a failpoint costs one predictable branch; in a build with
 * -Dfailpoints=false nothing.
 *
 * KOGGE_FAILPOINTS = name=action{,name=action}; action is
 *     error(ERRNO)   fail with that errno: a name (EIO, ENOSPC, ...) or a number; error = EIO
 *     kill           SIGKILL to the own process
 *     exit(N)        _exit with that status
 *     delay(MS)      wait that many milliseconds, then go on
 *     off            nothing
 * followed by nothing or by
 *     *COUNT         only the first COUNT times
 *     @NTH           only from the NTH time on (1 is the first); before *COUNT where both are given
 * A name that ends in '*' stands for all that begin so. Counts are per process. A value that cannot
 * be parsed ends the program at its start with status 125, so that a test never passes by a typo.
 *
 * The names are "area.object.place" ("store.blob.before_rename"). Safe after clone. */
#ifndef KOGGE_BASE_FAILPOINT_H
#define KOGGE_BASE_FAILPOINT_H

#include "base/macro.h"

struct err;

#ifdef KOGGE_FAILPOINTS

/* Set once before main from the environment; the documented exception to "no globals". */
extern bool failpoint_armed;

/* 0, or the negative errno to fail with. */
int failpoint_hit(const char *name);

/* 0, or -1 with E set. */
int failpoint_hit_err(const char *name, struct err *e);

/* For functions that return a negative errno:  r = FAILPOINT_ERRNO("a.b.c"); if (r < 0) ... */
#define FAILPOINT_ERRNO(name) (__builtin_expect(failpoint_armed, 0) ? failpoint_hit(name) : 0)

/* For functions that take an err:  if (FAILPOINT("a.b.c", e) < 0) return -1; */
#define FAILPOINT(name, e) (__builtin_expect(failpoint_armed, 0) ? failpoint_hit_err(name, e) : 0)

#else
#define FAILPOINT_ERRNO(name) 0
#define FAILPOINT(name, e)    ((void)(e), 0)
#endif

/* Replaces what is armed by SPEC (NULL: nothing); for tests. 0 or -EINVAL. */
int failpoint_set(const char *spec);

#endif
