/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with the standard alphabet and padding (RFC 4648, 4). */
#ifndef KOGGE_BASE_BASE64_H
#define KOGGE_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* What N bytes take, with the NUL; and what a text of N characters stands for at most. */
#define BASE64_SIZE(n)  (((n) + 2) / 3 * 4 + 1)
#define BASE64_BYTES(n) ((n) / 4 * 3 + 3)

/* Writes the N bytes of DATA to OUT, which has BASE64_SIZE(N). */
void base64_encode(const void *data, size_t n, char *out);

/* Reads the string S, which ends at its padding, into OUT, which has BASE64_BYTES(strlen(S)). The
 * number of bytes, or -EINVAL. */
ssize_t base64_decode(const char *s, char *out);

#endif
