/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer that must state its maximum. Returns negative errnos: -ENOMEM, or
 * -EMSGSIZE where the maximum would be passed. */
#ifndef KOGGE_BASE_BUF_H
#define KOGGE_BASE_BUF_H

#include "base/macro.h"

struct buf {
	char *data; /* NULL while nothing was ever reserved; else has a NUL after len */
	size_t len;
	size_t cap;
	size_t max;
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_done(struct buf *b);

/* Sets the length to 0 and keeps the memory. */
void buf_clear(struct buf *b);

/* Makes room for N more bytes (and the NUL). */
int buf_reserve(struct buf *b, size_t n);

/* Append. What was there before a failure stays as it was. */
int buf_put(struct buf *b, const void *data, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);

/* The content as a string; "" for an empty buffer. Valid until the next change. */
const char *buf_str(const struct buf *b);

/* The content as a heap string owned by the caller, the buffer empty afterwards. NULL when out
 * of memory. */
char *buf_take(struct buf *b);

#endif
