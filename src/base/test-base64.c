/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include "base/macro.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, 10. */
static const char *const vectors[][2] = {{"", ""},
					 {"f", "Zg=="},
					 {"fo", "Zm8="},
					 {"foo", "Zm9v"},
					 {"foob", "Zm9vYg=="},
					 {"fooba", "Zm9vYmE="},
					 {"foobar", "Zm9vYmFy"},
					 {"\xfb\xff\xfe", "+//+"}};

static void vectors_hold_both_ways(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const char *plain = vectors[i][0], *text = vectors[i][1];
		char out[BASE64_SIZE(8)], back[BASE64_BYTES(16)];

		base64_encode(plain, strlen(plain), out);
		assert_string_equal(out, text);
		assert_int_equal(base64_decode(text, back), strlen(plain));
		assert_memory_equal(back, plain, strlen(plain));
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	char out[32];

	assert_int_equal(base64_decode("Zm9v!", out), -EINVAL);
	assert_int_equal(base64_decode("Zm 9v", out), -EINVAL);
	assert_int_equal(base64_decode("Zm-_", out), -EINVAL);
	assert_int_equal(base64_decode("====", out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_hold_both_ways),
					   cmocka_unit_test(what_is_no_base64_is_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
