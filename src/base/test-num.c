/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void size_takes_dockers_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},          {"32", 32},           {"32b", 32},
		{"32k", 32 << 10}, {"32KB", 32 << 10},   {"32Kib", 32 << 10},
		{"64m", 64 << 20}, {"1.5g", 3ULL << 29}, {"32 mb", 32 << 20},
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t v = 1;

		assert_int_equal(num_size(good[i].text, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
}

static void size_refuses_what_is_no_size(void **state)
{
	static const char *const bad[] = {"",
					  "m",
					  "-1",
					  "1x",
					  "1mm",
					  "1bb",
					  ".",
					  "1 ",
					  " 1",
					  "0x10",
					  "99999999999999999999",
					  "9999999p"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t v = 77;

		assert_true(num_size(bad[i], &v) < 0);
		assert_int_equal(v, 77);
	}
}

static void duration_reads_gos_form(void **state)
{
	int64_t v;

	assert_int_equal(num_duration("1h2m3.5s", &v), 0);
	assert_int_equal(v, INT64_C(3723500000000));
	assert_int_equal(num_duration("-250ms", &v), 0);
	assert_int_equal(v, -250000000);
	assert_int_equal(num_duration("3", &v), -EINVAL);
	assert_int_equal(num_duration("1x", &v), -EINVAL);
}

static void human_size_prints_as_docker(void **state)
{
	char out[32];

	assert_string_equal(num_human_size(0, out), "0B");
	assert_string_equal(num_human_size(1234567, out), "1.23MB");
	assert_string_equal(num_human_size(116e6, out), "116MB");
	assert_string_equal(num_bytes_size(512 << 20, out), "512MiB");
}

static void list_checks_ranges(void **state)
{
	assert_int_equal(num_list_check("0-3,7", 8), 0);
	assert_int_equal(num_list_check("3-1", 8), -EINVAL);
	assert_int_equal(num_list_check("0,", 8), -EINVAL);
	assert_int_equal(num_list_check("9", 8), -ERANGE);
	assert_true(num_list_within("1,3", "0-3", 8) && num_list_within("0-3", "0,1,2-3", 8));
	assert_false(num_list_within("1,4", "0-3", 8) || num_list_within("", "0-3", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_takes_dockers_units),
		cmocka_unit_test(size_refuses_what_is_no_size),
		cmocka_unit_test(duration_reads_gos_form),
		cmocka_unit_test(human_size_prints_as_docker),
		cmocka_unit_test(list_checks_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
