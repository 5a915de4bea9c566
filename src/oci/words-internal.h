/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a Dockerfile line: cutting at blanks outside of quotes, then quotes, escapes and
 * variables (BuildKit's shell/lex.go). Results live in the arena; NULL where E is set. */
#ifndef KOGGE_OCI_WORDS_INTERNAL_H
#define KOGGE_OCI_WORDS_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"

/* The words of LINE with their quotes still on, NULL-terminated. */
const char **words_split(struct arena *a, const char *line, struct err *e);

/* WORD without quotes and escapes, $name, ${name}, ${name:-word} and ${name:+word} replaced from
 * ENV ("KEY=value" strings, NULL-terminated, or NULL). */
const char *words_expand(struct arena *a, const char *word, const char *const *env, struct err *e);

#endif
