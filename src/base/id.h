/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: 256 random bits as 64 hexadecimal digits, as Docker's containers have. */
#ifndef KOGGE_BASE_ID_H
#define KOGGE_BASE_ID_H

#include "base/macro.h"

#define ID_SIZE       65 /* with the NUL */
#define ID_SHORT_SIZE 13

/* A new identifier. Never one whose first 12 digits are all decimal (such a short form could be
 * read as a number; Docker avoids it too). Returns 0 or a negative errno. */
int id_new(char ret[ID_SIZE]);

/* Whether S is 1 to 64 lower-case hexadecimal digits: an identifier or a prefix of one. */
bool id_is_prefix(const char *s);

/* Whether S is a whole identifier. */
bool id_is_full(const char *s);

/* N random bytes. Returns 0 or a negative errno. */
int random_bytes(void *data, size_t n);

#endif
