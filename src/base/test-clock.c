/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void times_survive_being_written_and_read(void **state)
{
	static const struct {
		const char *in;
		int64_t ns;
		const char *out;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
		{"2026-11-22T19:25:08.5Z", INT64_C(1795375508500000000), "2026-11-22T19:25:08.5Z"},
		{"2024-02-29T12:00:00.123456789+02:00", INT64_C(1709200800123456789),
		 "2024-02-29T10:00:00.123456789Z"},
		{"1969-12-31T23:59:59.75Z", -250000000, "1969-12-31T23:59:59.75Z"},
		{"2026-01-01T00:00:00.1234567891Z", INT64_C(1767225600123456789),
		 "2026-01-01T00:00:00.123456789Z"},
	};
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t ns = 1;

		assert_int_equal(clock_parse(good[i].in, &ns), 0);
		assert_int_equal(ns, good[i].ns);
		assert_string_equal(clock_format(ns, text), good[i].out);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "2026",
					  "2026-11-22",
					  "2026-11-22T19:25:08",
					  "2026-13-01T00:00:00Z",
					  "2026-02-30T00:00:00Z",
					  "2025-02-29T00:00:00Z",
					  "2026-11-22T24:00:00Z",
					  "2026-11-22T19:60:00Z",
					  "2026-11-22T19:25:60Z",
					  "2026-11-22T19:25:08.Z",
					  "2026-11-22T19:25:08Zx",
					  "2026-11-22 19:25:08Z",
					  "2026-11-22T19:25:08+2:00",
					  "-026-11-22T19:25:08Z"};
	int64_t ns = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(clock_parse(bad[i], &ns), -EINVAL);
		assert_int_equal(ns, 77);
	}
	assert_int_equal(clock_parse("9999-01-01T00:00:00Z", &ns), -ERANGE);
	assert_int_equal(clock_parse("0001-01-01T00:00:00Z", &ns), -ERANGE);
}

static void durations_read_as_dockers(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} good[] = {
		{0, "Less than a second"}, {1, "1 second"},           {45, "45 seconds"},
		{61, "About a minute"},    {180, "3 minutes"},        {3600, "About an hour"},
		{3 * 3600, "3 hours"},     {3 * 86400, "3 days"},     {15 * 86400, "2 weeks"},
		{70 * 86400, "2 months"},  {800 * 86400L, "2 years"},
	};
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_string_equal(clock_human(good[i].seconds * 1000000000, text), good[i].text);
}

static void the_clocks_go_forwards(void **state)
{
	int64_t a = clock_monotonic(), b = clock_monotonic();

	assert_true(b >= a);
	assert_true(clock_now() > INT64_C(1700000000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_survive_being_written_and_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(durations_read_as_dockers),
		cmocka_unit_test(the_clocks_go_forwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
