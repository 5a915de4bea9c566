/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include "base/clock.h"
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define S ((int64_t)NUM_NS_PER_S)

static void times_are_read_in_all_of_dockers_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"1700000000", 1700000000 * S},
		{"1700000000.5", 1700000000 * S + S / 2},
		{"2023-11-14T22:13:20Z", 1700000000 * S},
		{"2023-11-14T22:13:20", 1700000000 * S},
		{"2023-11-14T22:13", 1699999980 * S},
		{"2023-11-14T22", 1699999200 * S},
		{"2023-11-14", 1699920000 * S},
		{"2023-11-15T00:13:20+02:00", 1700000000 * S},
	};
	struct err e = ERR_INIT;
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(filter_time("until", cases[i].text, &ns, &e), 0);
		assert_int_equal(ns, cases[i].ns);
	}
	assert_int_equal(filter_time("until", "1h", &ns, &e), 0);
	assert_true(clock_now() - ns >= 3600 * S && clock_now() - ns < 3700 * S);
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {"", "x", "1.", ".5", "1.x", "-1", "99999999999999999"};
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(filter_time("until", cases[i], &ns, &e), -1);
		assert_non_null(strstr(e.msg, "invalid filter 'until=["));
	}
}

static void labels_match_by_key_or_by_key_and_value(void **state)
{
	static const char *const key[] = {"a", NULL}, *const both[] = {"a=1", "b", NULL};
	static const char *const other[] = {"a=2", NULL};
	json_t *labels = json_pack("{s:s, s:s}", "a", "1", "b", "");

	assert_true(filter_has_labels(labels, key));
	assert_true(filter_has_labels(labels, both));
	assert_false(filter_has_labels(labels, other));
	assert_true(filter_has_labels(NULL, NULL));
	assert_false(filter_has_labels(NULL, key));
	assert_false(filter_lacks_labels(labels, key));
	assert_true(filter_lacks_labels(labels, other));
	json_decref(labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_in_all_of_dockers_forms),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(labels_match_by_key_or_by_key_and_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
