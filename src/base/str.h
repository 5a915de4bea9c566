/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: tests, cuts and vectors. Nothing here fails other than by memory. */
#ifndef KOGGE_BASE_STR_H
#define KOGGE_BASE_STR_H

#include "base/macro.h"

#include <string.h>

struct arena;

/* Neither may be NULL. */
static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* NULL equals only NULL. */
static inline bool str_eq0(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether S is NULL or "". */
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}

/* What follows PREFIX in S, or NULL where S does not start with it. */
const char *str_after(const char *s, const char *prefix);

/* Whether S ends with SUFFIX. */
bool str_ends(const char *s, const char *suffix);

/* As strcmp, but digits count as numbers and come before all else; of equal numbers the one with
 * less zeros is first. So Docker's client sorts names (sortorder.NaturalLess). */
int str_natural_cmp(const char *a, const char *b);

/* Cuts S at the first C: returns the part before as a copy in A and stores the rest (borrowed)
 * in *RET_REST, NULL where there is no C. NULL when out of memory. */
char *str_cut(struct arena *a, const char *s, char c, const char **ret_rest);

/* Splits S at each C into a NULL-terminated vector in A; "" gives one empty string. Stores the
 * count where RET_N is not NULL. NULL when out of memory. */
const char **str_split(struct arena *a, const char *s, char c, size_t *ret_n);

/* Joins a NULL-terminated vector with SEP. NULL when out of memory. */
char *str_join(struct arena *a, const char *const *v, const char *sep);

/* The strings in the vector; 0 for NULL. */
size_t strv_len(const char *const *v);

/* Whether the NULL-terminated vector (or NULL) holds S. */
bool strv_has(const char *const *v, const char *s);

/* The value of KEY in a vector of "KEY=value" strings, borrowed; NULL where it is not there. The
 * last one wins. */
const char *strv_env_get(const char *const *env, const char *key);

/* PATH as counted from the root, by its text alone: one slash before each name, "." left out, ".."
 * taken back and never above the root; "/" at least. For comparisons, not for opening: links are
 * not followed. In A; NULL when out of memory. */
char *str_path_clean(struct arena *a, const char *path);

/* The string of TABLE (NULL-terminated) nearest to WORD by edit distance, where it is near enough
 * to be what was meant; else NULL. For "did you mean". */
const char *str_nearest(const char *word, const char *const *table);

#endif
