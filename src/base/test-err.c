/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void a_message_grows_from_the_inside_out(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(err_errno(&e, -ENOENT, "opening '%s'", "x"), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_int_equal(e.errnum, ENOENT);
	err_wrap(&e, "mounting '%s'", "/data");
	err_hint(&e, "make it first");
	assert_string_equal(e.msg, "mounting '/data': opening 'x': no such file or directory"
				   " (make it first)");
	assert_int_equal(e.class, ERR_NOT_FOUND);
}

static void a_long_message_is_cut_not_overrun(void **state)
{
	struct err e = ERR_INIT;
	char text[3 * ERR_MSG_MAX];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_IO, EIO, "%s", text);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
	err_wrap(&e, "%s", text);
	err_hint(&e, "%s", text);
	assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
}

static void no_struct_is_no_crash(void **state)
{
	assert_int_equal(err_set(NULL, ERR_IO, 0, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	assert_int_equal(err_hint(NULL, "x"), -1);
}

static void exit_codes_are_dockers(void **state)
{
	struct err e = ERR_INIT;

	for (int class = ERR_INVALID; class < ERR_CLASS_N; class ++) {
		int want = class == ERR_NOT_EXEC ? 126 : class == ERR_NO_PROGRAM ? 127 : 125;

		e.class = (enum err_class) class;
		assert_int_equal(err_exit_code(&e), want);
		assert_non_null(err_class_name(e.class));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_grows_from_the_inside_out),
		cmocka_unit_test(a_long_message_is_cut_not_overrun),
		cmocka_unit_test(no_struct_is_no_crash),
		cmocka_unit_test(exit_codes_are_dockers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
