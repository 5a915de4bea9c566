/* SPDX-License-Identifier: Apache-2.0 */
/* The wildcards of ${name#pattern}, ${name%pattern} and ${name/pattern/text}: "?" is one character,
 * "*" any number of them (neither takes a line feed), "\" takes the meaning from "*", "?" and "\".
 * There are no bracket expressions, as in BuildKit (Dockerfile reference, "Environment
 * replacement"). */
#ifndef KOGGE_DOCKERFILE_PATTERN_H
#define KOGGE_DOCKERFILE_PATTERN_H

#include "base/arena.h"
#include "base/err.h"

/* At which end something is cut off. */
enum pattern_end { PATTERN_PREFIX, PATTERN_SUFFIX };

/* VALUE without the shortest, or with LONGEST the longest, piece at its end that PATTERN matches.
 * The result lives in A. NULL with E set: a malformed pattern, or one whose matching would take too
 * long (ERR_LIMIT). */
const char *pattern_trim(struct arena *a, const char *value, const char *pattern,
			 enum pattern_end end, bool longest, struct err *e);

/* VALUE with the first match of PATTERN, or with ALL every one, replaced by TEXT. As above. */
const char *pattern_replace(struct arena *a, const char *value, const char *pattern,
			    const char *text, bool all, struct err *e);

#endif
