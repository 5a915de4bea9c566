/* SPDX-License-Identifier: Apache-2.0 */
/* Characters as Go sees them, since BuildKit's reader of Dockerfiles is written in Go and its
 * notions of a blank and a letter decide where words end. Text is UTF-8; a byte that belongs to no
 * character counts as one of its own. */
#ifndef KOGGE_DOCKERFILE_TEXT_H
#define KOGGE_DOCKERFILE_TEXT_H

#include "base/macro.h"

/* The bytes of the character at P (1 to 4; 0 at the end of the string); *RET gets its code point,
 * or the byte where it is no UTF-8. */
size_t text_char(const char *p, uint32_t *ret);

#define TEXT_CHAR_MAX 4

/* Writes the character C as UTF-8; returns its bytes. */
size_t text_put(char out[TEXT_CHAR_MAX], uint32_t c);

/* The bytes of the white space (Unicode's White_Space) at P, 0 where there is none. */
size_t text_space(const char *p);

/* Behind the white space that P starts with. */
const char *text_skip_space(const char *p);

/* Whether the code point is a letter. Exact for ASCII; beyond it everything that is not known to be
 * a blank, punctuation, a symbol or a picture counts, so that no table of Unicode is needed. */
bool text_is_letter(uint32_t c);

/* The blank characters at which an instruction's words are split: no others than these. */
static inline bool text_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

/* ASCII's. */
static inline bool text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

#endif
