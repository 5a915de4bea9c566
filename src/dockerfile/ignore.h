/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore: which files of a context are left out (Docker's documentation, "Build context",
 * ".dockerignore files"). One pattern a line: "*" and "?" within one name, "**" over any number of
 * them, "[a-z]" and "[^a-z]", "\" before a character that means itself, "!" for exceptions, "#" for
 * comments; the last line that matches a path or a folder above it decides. Pure. */
#ifndef KOGGE_DOCKERFILE_IGNORE_H
#define KOGGE_DOCKERFILE_IGNORE_H

#include "base/arena.h"
#include "base/err.h"

/* More text or patterns than these are refused. */
#define IGNORE_SIZE_MAX     ((size_t)16 << 20)
#define IGNORE_PATTERNS_MAX 100000

struct ignore_pattern {
	const char *text; /* cleaned, without the slash at its start */
	bool except;      /* "!" */
	bool plain;       /* no special characters: compared as it is */
};

struct ignore {
	struct arena arena;
	const struct ignore_pattern *patterns;
	size_t n;
	bool exceptions; /* there are some */
	bool everything; /* a pattern leaves out all there is: *, ** */
};

#define IGNORE_INIT ((struct ignore){.arena = ARENA_INIT})

/* Reads the N bytes of TEXT. -1 with E set where a pattern is malformed; ignore_done is due in any
 * case. */
int ignore_parse(const char *text, size_t n, struct ignore *ret, struct err *e);
void ignore_done(struct ignore *i);

/* Whether PATH ("a/b", relative to the context, cleaned) is left out, itself or because of a folder
 * above it. */
bool ignore_matches(const struct ignore *i, const char *path);

#endif
