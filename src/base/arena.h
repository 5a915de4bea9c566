/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: memory that is released all at once. A parsed document owns one, and its strings and
 * arrays live in it. Allocation returns zeroed memory, or NULL when out of memory or past the
 * maximum. Not shared between threads. */
#ifndef KOGGE_BASE_ARENA_H
#define KOGGE_BASE_ARENA_H

#include "base/macro.h"

#include <stdarg.h>

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t total; /* bytes handed out */
	size_t max;   /* refuse beyond this; 0 means ARENA_MAX_DEFAULT */
};

#define ARENA_MAX_DEFAULT ((size_t)64 << 20)
#define ARENA_INIT        ((struct arena){.head = NULL})

void arena_done(struct arena *a);

/* N zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);

/* An array of N elements of SIZE bytes, with the multiplication checked. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Copies of a string, of its first N bytes, and formatted ones. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) _printf_(2, 0);

/* Appends STR (borrowed) to the NULL-terminated vector *V of *N strings, which lives in the arena
 * and may move. Returns 0 or -ENOMEM. Start with *V = NULL and *N = 0. */
int arena_strv_push(struct arena *a, const char ***v, size_t *n, const char *str);

#endif
