/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_MIN = 4096 - 64 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(max_align_t) char data[];
};

void arena_done(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	a->head = NULL;
	a->total = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	const size_t max = a->max ? a->max : ARENA_MAX_DEFAULT;
	struct arena_block *b = a->head;
	void *p;

	if (n > max || a->total > max - n)
		return NULL;
	n = (MAX(n, (size_t)1) + align - 1) / align * align;
	if (!b || b->cap - b->used < n) {
		size_t cap = MAX(n, (size_t)BLOCK_MIN);

		b = malloc(sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->used = 0;
		b->cap = cap;
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += n;
	a->total += n;
	return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *s = NULL;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n >= 0)
		s = arena_alloc(a, (size_t)n + 1);
	if (s)
		vsnprintf(s, (size_t)n + 1, fmt, ap);
	return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

int arena_strv_push(struct arena *a, const char ***v, size_t *n, const char *str)
{
	/* The capacity follows from the length: 8, then powers of two. */
	bool full = *v == NULL || (*n + 1 >= 8 && ((*n + 1) & *n) == 0);

	if (full) {
		size_t cap = MAX((size_t)8, (*n + 1) * 2);
		const char **bigger = arena_array(a, cap, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (*n)
			memcpy(bigger, *v, *n * sizeof(*bigger));
		*v = bigger;
	}
	(*v)[(*n)++] = str;
	(*v)[*n] = NULL;
	return 0;
}
