/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void changed(const char *text, mode_t old, bool dir, mode_t wanted)
{
	mode_t mode = old;

	if (mode_change(text, dir, &mode) < 0 || mode != wanted)
		fail_msg("%s of %04o (%d): %04o, wanted %04o", text, (unsigned)old, dir,
			 (unsigned)mode, (unsigned)wanted);
}

/* What chmod(1) of GNU coreutils makes of the same under the mask 022. */
static void modes_are_changed_as_chmod_does(void **state)
{
	changed("644", 0777, false, 0644);
	changed("04755", 0, false, 04755);
	changed("u+x", 0644, false, 0744);
	changed("+x", 0644, false, 0755);
	changed("+w", 0444, false, 0644);
	changed("a+w", 0444, false, 0666);
	changed("-w", 0666, false, 0466);
	changed("u=rwX,go=rX", 0600, false, 0644);
	changed("u=rwX,go=rX", 0700, false, 0755);
	changed("u=rwX,go=rX", 0600, true, 0755);
	changed("go=", 0777, false, 0700);
	changed("=", 0777, false, 0);
	changed("o=u,g-w", 0760, false, 0747);
	changed("g=u", 0741, false, 0771);
	changed("u+s,g+s,+t", 0755, false, 07755);
	changed("u-s", 04755, false, 0755);
	changed("ug+rw-x+X", 0110, false, 0660);
	changed("a=r,u+w", 0777, false, 0644);
}

static void what_is_no_mode_is_refused(void **state)
{
	static const char *const bad[] = {"",     "u",    "x",     "u+q",  "u+x;", "888",  "10000",
					  "u+x,", "+x,,", "0644x", "u +x", "u+ug", ",u+x", "-1x"};
	mode_t mode;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mode = 0123;
		if (mode_change(bad[i], false, &mode) != -EINVAL || mode != 0123)
			fail_msg("'%s' is taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_are_changed_as_chmod_does),
		cmocka_unit_test(what_is_no_mode_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
