/* SPDX-License-Identifier: Apache-2.0 */
/* Times: nanoseconds since 1970 in UTC as int64_t (years 1678 to 2262), RFC 3339 as text. */
#ifndef KOGGE_BASE_CLOCK_H
#define KOGGE_BASE_CLOCK_H

#include "base/macro.h"

#define CLOCK_TEXT_SIZE 40

/* The wall clock, for what is shown and stored. */
int64_t clock_now(void);

/* CLOCK_MONOTONIC, for durations and time-outs. */
int64_t clock_monotonic(void);

/* RFC 3339 in UTC with as many digits of the fraction as Go prints (trailing zeros cut):
 * "2026-11-22T19:25:08.5Z". Returns OUT. */
const char *clock_format(int64_t ns, char out[CLOCK_TEXT_SIZE]);

/* Parses RFC 3339 with fraction and zone. Returns 0, -EINVAL or -ERANGE. */
int clock_parse(const char *s, int64_t *ret_ns);

/* go-units' HumanDuration: "Less than a second", "5 minutes", "2 weeks". OUT has room for 40
 * bytes. Returns OUT. */
const char *clock_human(int64_t ns, char out[CLOCK_TEXT_SIZE]);

#endif
