/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reads digits of BASE from *S on and advances it. -EINVAL where there is none. */
static int digits(const char **s, unsigned base, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;
	bool over = false;

	for (; *p >= '0' && (unsigned)(*p - '0') < base; p++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			over = true;
	}
	if (p == *s)
		return -EINVAL;
	*s = p;
	*ret = v;
	return over ? -ERANGE : 0;
}

int num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = digits(&s, 10, &v);

	if (*s)
		return -EINVAL;
	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = num_u64(s, 0, UINT32_MAX, &v);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int num_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v, bound = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	int64_t out;
	int r = num_u64(s + negative, 0, bound, &v);

	if (r < 0)
		return r;
	out = negative ? (int64_t)(0 - v) : (int64_t)v;
	if (out < min || out > max)
		return -ERANGE;
	*ret = out;
	return 0;
}

int num_mode(const char *s, unsigned *ret)
{
	uint64_t v;
	int r = digits(&s, 8, &v);

	if (*s)
		return -EINVAL;
	if (r < 0 || v > 07777)
		return -ERANGE;
	*ret = (unsigned)v;
	return 0;
}

/* Reads "digits[.digits]" as units of 10^-9 and advances *S. */
static int fixed9(const char **s, uint64_t *ret_whole, uint64_t *ret_nano)
{
	const char *start = *s;
	uint64_t scale = 100000000;
	int r = 0;

	*ret_whole = *ret_nano = 0;
	if (isdigit((unsigned char)**s))
		r = digits(s, 10, ret_whole);
	if (r < 0)
		return r;
	if (**s == '.') {
		if (*s == start && !isdigit((unsigned char)(*s)[1]))
			return -EINVAL;
		for ((*s)++; isdigit((unsigned char)**s); (*s)++, scale /= 10)
			*ret_nano += (uint64_t)(**s - '0') * scale;
	}
	return *s == start ? -EINVAL : 0;
}

int num_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "bkmgtp";
	uint64_t whole, nano, bytes;
	unsigned power = 0;
	int r = fixed9(&s, &whole, &nano);

	if (r < 0)
		return r;
	if (*s == ' ' && s[1])
		s++;
	if (*s) {
		const char *unit = strchr(units, tolower((unsigned char)*s));

		if (!unit)
			return -EINVAL;
		power = (unsigned)(unit - units);
		s++;
		if (power > 0 && tolower((unsigned char)*s) == 'i')
			s++;
		if (power > 0 && tolower((unsigned char)*s) == 'b')
			s++;
	}
	if (*s)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, UINT64_C(1) << (10 * power), &bytes))
		return -ERANGE;
	bytes += (uint64_t)((long double)nano / 1e9L * (long double)(UINT64_C(1) << (10 * power)));
	if (bytes > INT64_MAX)
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}

int num_cpus(const char *s, int64_t *ret_nano)
{
	uint64_t whole, nano;
	int r = fixed9(&s, &whole, &nano);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	if (whole > INT64_MAX / NUM_NS_PER_S - 1)
		return -ERANGE;
	*ret_nano = (int64_t)(whole * NUM_NS_PER_S + nano);
	return 0;
}

static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{"ns", 1},
	{"us", 1000},
	{"\xc2\xb5s", 1000},
	{"ms", 1000000},
	{"s", NUM_NS_PER_S},
	{"m", 60 * NUM_NS_PER_S},
	{"h", 3600 * NUM_NS_PER_S},
};

/* The unit that starts S: the longest that matches and is not followed by a letter. */
static uint64_t duration_unit(const char **s)
{
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		size_t n = strlen(duration_units[i].name);

		if (strncmp(*s, duration_units[i].name, n) == 0 &&
		    !isalpha((unsigned char)(*s)[n])) {
			*s += n;
			return duration_units[i].ns;
		}
	}
	return 0;
}

int num_duration(const char *s, int64_t *ret_ns)
{
	bool negative = *s == '-';
	uint64_t total = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		uint64_t whole, nano, unit, part;
		int r = fixed9(&s, &whole, &nano);

		if (r < 0)
			return r;
		unit = duration_unit(&s);
		if (!unit)
			return -EINVAL;
		if (__builtin_mul_overflow(whole, unit, &part))
			return -ERANGE;
		part += (uint64_t)((long double)nano * (long double)unit / 1e9L);
		if (__builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return -ERANGE;
	}
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

int num_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

/* The next range of a list: 1, with *S at what follows, 0 for the last one, or a negative errno. */
static int next_range(const char **s, uint32_t max, uint64_t *ret_first, uint64_t *ret_last)
{
	int r = digits(s, 10, ret_first);

	*ret_last = *ret_first;
	if (r == 0 && **s == '-') {
		++*s;
		r = digits(s, 10, ret_last);
	}
	if (r < 0)
		return r;
	if (*ret_last < *ret_first)
		return -EINVAL;
	if (*ret_last > max)
		return -ERANGE;
	if (!**s)
		return 0;
	return *(*s)++ == ',' ? 1 : -EINVAL;
}

int num_list_check(const char *s, uint32_t max)
{
	uint64_t first, last;
	int r;

	do {
		r = next_range(&s, max, &first, &last);
	} while (r > 0);
	return r;
}

static bool list_has(const char *s, uint32_t max, uint64_t n)
{
	uint64_t first, last;
	int r;

	do {
		r = next_range(&s, max, &first, &last);
		if (r >= 0 && n >= first && n <= last)
			return true;
	} while (r > 0);
	return false;
}

bool num_list_within(const char *s, const char *all, uint32_t max)
{
	uint64_t first, last;
	int r;

	do {
		r = next_range(&s, max, &first, &last);
		for (uint64_t n = first; r >= 0 && n <= last; n++)
			if (!list_has(all, max, n))
				return false;
	} while (r > 0);
	return r == 0;
}

static const char *human(double v, double base, const char *const *units, const char *fmt,
			 char out[32])
{
	size_t i = 0;

	while (v >= base && units[i + 1]) {
		v /= base;
		i++;
	}
	snprintf(out, 32, fmt, v, units[i]);
	return out;
}

static const char *const size_units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", NULL};

const char *num_human_size(double bytes, char out[32])
{
	return human(bytes, 1000.0, size_units, "%.3g%s", out);
}

const char *num_human_size4(double bytes, char out[32])
{
	return human(bytes, 1000.0, size_units, "%.4g%s", out);
}

const char *num_bytes_size(double bytes, char out[32])
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB", "TiB",
					    "PiB", "EiB", "ZiB", "YiB", NULL};

	return human(bytes, 1024.0, units, "%.4g%s", out);
}
