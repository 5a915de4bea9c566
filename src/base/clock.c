/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * (int64_t)NUM_NS_PER_S + t.tv_nsec;
}

int64_t clock_now(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

const char *clock_format(int64_t ns, char out[CLOCK_TEXT_SIZE])
{
	int64_t s = ns / (int64_t)NUM_NS_PER_S, frac = ns % (int64_t)NUM_NS_PER_S;
	time_t t;
	struct tm tm;
	size_t n;

	if (frac < 0) {
		frac += (int64_t)NUM_NS_PER_S;
		s--;
	}
	t = (time_t)s;
	gmtime_r(&t, &tm);
	n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (frac) {
		n += (size_t)snprintf(out + n, CLOCK_TEXT_SIZE - n, ".%09lld", (long long)frac);
		while (out[n - 1] == '0')
			n--;
	}
	snprintf(out + n, CLOCK_TEXT_SIZE - n, "Z");
	return out;
}

/* Reads exactly N digits and advances *S; -1 where they are not there. */
static int take(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool expect(const char **s, char c)
{
	if (toupper((unsigned char)**s) != c)
		return false;
	(*s)++;
	return true;
}

/* The zone's offset in seconds, or INT32_MIN. */
static int32_t take_zone(const char **s)
{
	int sign, h, m;

	if (expect(s, 'Z'))
		return 0;
	if (**s != '+' && **s != '-')
		return INT32_MIN;
	sign = *(*s)++ == '-' ? -1 : 1;
	h = take(s, 2);
	if (h < 0 || !expect(s, ':'))
		return INT32_MIN;
	m = take(s, 2);
	return m < 0 || h > 23 || m > 59 ? INT32_MIN : sign * (h * 3600 + m * 60);
}

int clock_parse(const char *s, int64_t *ret_ns)
{
	struct tm tm = {0};
	int64_t frac = 0, total;
	int32_t zone;
	int day;

	tm.tm_year = take(&s, 4) - 1900;
	if (!expect(&s, '-'))
		return -EINVAL;
	tm.tm_mon = take(&s, 2) - 1;
	if (!expect(&s, '-'))
		return -EINVAL;
	tm.tm_mday = take(&s, 2);
	if (!expect(&s, 'T'))
		return -EINVAL;
	tm.tm_hour = take(&s, 2);
	if (!expect(&s, ':'))
		return -EINVAL;
	tm.tm_min = take(&s, 2);
	if (!expect(&s, ':'))
		return -EINVAL;
	tm.tm_sec = take(&s, 2);
	if (*s == '.') {
		int64_t scale = (int64_t)NUM_NS_PER_S / 10;

		if (!isdigit((unsigned char)s[1]))
			return -EINVAL;
		for (s++; isdigit((unsigned char)*s); s++, scale /= 10)
			frac += (*s - '0') * scale;
	}
	zone = take_zone(&s);
	if (zone == INT32_MIN || *s || tm.tm_year < -1900 || tm.tm_mon < 0 || tm.tm_mon > 11 ||
	    tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
	    tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 59)
		return -EINVAL;
	day = tm.tm_mday;
	total = (int64_t)timegm(&tm) - zone;
	if (tm.tm_mday != day) /* the month has no such day */
		return -EINVAL;
	if (__builtin_mul_overflow(total, (int64_t)NUM_NS_PER_S, &total) ||
	    __builtin_add_overflow(total, frac, &total))
		return -ERANGE;
	*ret_ns = total;
	return 0;
}

const char *clock_human(int64_t ns, char out[CLOCK_TEXT_SIZE])
{
	int64_t s = ns / (int64_t)NUM_NS_PER_S, m = s / 60, h = (m + 30) / 60;

	if (s < 1)
		snprintf(out, CLOCK_TEXT_SIZE, "Less than a second");
	else if (s == 1)
		snprintf(out, CLOCK_TEXT_SIZE, "1 second");
	else if (s < 60)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld seconds", (long long)s);
	else if (m == 1)
		snprintf(out, CLOCK_TEXT_SIZE, "About a minute");
	else if (m < 60)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld minutes", (long long)m);
	else if (h == 1)
		snprintf(out, CLOCK_TEXT_SIZE, "About an hour");
	else if (h < 48)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld hours", (long long)h);
	else if (h < 24 * 7 * 2)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld days", (long long)(h / 24));
	else if (h < 24 * 30 * 2)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld weeks", (long long)(h / 24 / 7));
	else if (h < 24 * 365 * 2)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld months", (long long)(h / 24 / 30));
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld years", (long long)(h / 24 / 365));
	return out;
}
