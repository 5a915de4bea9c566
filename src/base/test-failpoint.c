/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failpoint.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_count_limits_how_often_it_fails(void **state)
{
	assert_int_equal(failpoint_set("a.b=error(ENOSPC)*2"), 0);
	assert_int_equal(FAILPOINT_ERRNO("a.b"), -ENOSPC);
	assert_int_equal(FAILPOINT_ERRNO("a.c"), 0);
	assert_int_equal(FAILPOINT_ERRNO("a.b"), -ENOSPC);
	assert_int_equal(FAILPOINT_ERRNO("a.b"), 0);
	failpoint_set(NULL);
}

static void the_nth_hit_and_no_other_fails(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(failpoint_set("a.*=error@3*1"), 0);
	assert_int_equal(FAILPOINT("a.b", &e), 0);
	assert_int_equal(FAILPOINT("a.c", &e), 0);
	assert_int_equal(FAILPOINT("a.b", &e), -1);
	assert_int_equal(e.errnum, EIO);
	assert_int_equal(FAILPOINT("a.b", &e), 0);
	failpoint_set(NULL);
}

static void what_is_malformed_is_refused(void **state)
{
	static const char *const bad[] = {"a",      "a=",        "a=kil",   "a=error(EWHAT)",
					  "a=exit", "a=kill(3)", "a=off@0", "a=error(EIO",
					  "a=off*x"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(failpoint_set(bad[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_limits_how_often_it_fails),
		cmocka_unit_test(the_nth_hit_and_no_other_fails),
		cmocka_unit_test(what_is_malformed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
