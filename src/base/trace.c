/* SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool trace_on;

/* Of the first program of the chain, and of the previous step of this process; monotonic. */
static int64_t trace_start, trace_last;

__attribute__((constructor)) static void trace_init(void)
{
	const char *value = getenv("KOGGE_TRACE");
	const char *rest = value ? str_after(value, "timing") : NULL;

	if (!rest || (*rest && *rest != '@'))
		return;
	trace_on = true;
	trace_start = trace_last = clock_monotonic();
	if (*rest == '@')
		num_i64(rest + 1, 0, INT64_MAX, &trace_start);
}

void trace_step(const char *fmt, ...)
{
	int64_t now = clock_monotonic();
	int saved = errno;
	char line[512];
	va_list ap;
	int n = snprintf(line, sizeof(line), "kogge-trace %lld %lld %s[%d] ",
			 (long long)(now - trace_start) / 1000,
			 (long long)(now - trace_last) / 1000, program_invocation_short_name,
			 (int)getpid());

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(line))
		n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)n);
	trace_last = now;
	errno = saved;
}

const char *trace_env(char out[TRACE_ENV_SIZE])
{
	if (!trace_on)
		return NULL;
	snprintf(out, TRACE_ENV_SIZE, "KOGGE_TRACE=timing@%lld", (long long)trace_start);
	return out;
}
