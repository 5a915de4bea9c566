/* SPDX-License-Identifier: Apache-2.0 */
/* Variables and quotes in the words of a Dockerfile, as BuildKit reads them (Dockerfile reference,
 * "Environment replacement"): $name, ${name}, ${name:-word}, ${name-word}, :+ +, :? ?, # ## % %%,
 * / //, single and double quotes, the escape character. Pure functions. */
#ifndef KOGGE_DOCKERFILE_EXPAND_H
#define KOGGE_DOCKERFILE_EXPAND_H

#include "base/arena.h"
#include "base/err.h"

enum expand_flags {
	EXPAND_RAW_QUOTES = 1 << 0,  /* quotes are recognised and kept */
	EXPAND_RAW_ESCAPES = 1 << 1, /* so are escape characters */
	EXPAND_NO_QUOTES = 1 << 2,   /* a quote is a character like any other */
	EXPAND_KEEP_UNSET = 1 << 3   /* a variable that is not set stays as it is written */
};

struct expander {
	struct arena *arena; /* for the results */
	char escape;         /* '\\' or '`' */
	unsigned flags;
	/* The value of NAME, borrowed until the end of the expansion; NULL where it is not set. */
	const char *(*get)(void *arg, const char *name);
	void *arg;
};

/* What is refused as too large or too deep: the result, and ${a:-${b:-...}}. */
#define EXPAND_RESULT_MAX ((size_t)16 << 20)
#define EXPAND_DEPTH_MAX  64

/* WORD with its variables and without its quotes. NULL with E set (ERR_INVALID, ERR_LIMIT). */
const char *expand_word(const struct expander *x, const char *word, struct err *e);

/* The same, and split into words at white space that is not quoted; blanks that a variable brings
 * in split too. NULL-terminated, in the arena. RET_N may be NULL. */
const char **expand_words(const struct expander *x, const char *text, size_t *ret_n, struct err *e);

#endif
