/* SPDX-License-Identifier: Apache-2.0 */
/* KOGGE_TRACE=timing prints each step to stderr as one line of blank-separated fields:
 *     kogge-trace <us since the start> <us since the previous step of this process>
 * <program>[<pid>] <step> The start is that of the first program of the chain: trace_env hands it
 * to children. Without the variable a TRACE costs one predictable branch. Safe after clone. */
#ifndef KOGGE_BASE_TRACE_H
#define KOGGE_BASE_TRACE_H

#include "base/macro.h"

/* Set once before main from the environment; the documented exception to "no globals". */
extern bool trace_on;

#define TRACE_ENV_SIZE 48

/* Names the step that has just been finished; printf-like. */
#define TRACE(...)                                                                                 \
	do {                                                                                       \
		if (__builtin_expect(trace_on, 0))                                                 \
			trace_step(__VA_ARGS__);                                                   \
	} while (0)

/* What TRACE calls. One write(2) per line. */
void trace_step(const char *fmt, ...) _printf_(1, 2);

/* "KOGGE_TRACE=timing@<ns>" for the environment of a child, or NULL where tracing is off. */
const char *trace_env(char out[TRACE_ENV_SIZE]);

#endif
