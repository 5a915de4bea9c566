/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from strings: the whole string must be the number, no blanks, no sign where none is
 * meant, no octal. Return 0, -EINVAL (not a number) or -ERANGE. *RET is written only on
 * success. */
#ifndef KOGGE_BASE_NUM_H
#define KOGGE_BASE_NUM_H

#include "base/macro.h"

#define NUM_NS_PER_S UINT64_C(1000000000)

/* Decimal digits only. */
int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int num_u32(const char *s, uint32_t *ret);

/* An optional '-' and decimal digits. */
int num_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Octal digits, for file modes: at most 07777. */
int num_mode(const char *s, unsigned *ret);

/* Docker's sizes (github.com/docker/go-units, RAMInBytes): a decimal number with an optional
 * fraction and one of b k m g t p, also kb, kib, with powers of 1,024 and in either case. */
int num_size(const char *s, uint64_t *ret_bytes);

/* Docker's --cpus: a decimal fraction as a count of 10^-9 CPUs. */
int num_cpus(const char *s, int64_t *ret_nano);

/* Go's time.ParseDuration: "1h2m3.5s", units ns us ms s m h. In nanoseconds; may be negative. */
int num_duration(const char *s, int64_t *ret_ns);

/* true/false as Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False. */
int num_bool(const char *s, bool *ret);

/* A kernel list such as "0-3,7" (cpuset): checks the form, each number at most MAX. */
int num_list_check(const char *s, uint32_t max);

/* Whether S is such a list and each of its numbers is in the list ALL. */
bool num_list_within(const char *s, const char *all, uint32_t max);

/* Go-units' HumanSizeWithPrecision(bytes, 3) ("1.23kB", powers of 1,000), as docker prints
 * sizes. OUT has room for 32 bytes. Returns OUT. */
const char *num_human_size(double bytes, char out[32]);

/* The same with four digits, Go-units' HumanSize ("1.234kB"): df and prune. */
const char *num_human_size4(double bytes, char out[32]);

/* Go-units' BytesSize ("512MiB", powers of 1,024). */
const char *num_bytes_size(double bytes, char out[32]);

#endif
