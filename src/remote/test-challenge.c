/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/challenge.h"
#include "remote/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <string.h>

static int parse(const char *text, struct challenge *c)
{
	return challenge_parse(text, strlen(text), c, NULL);
}

static void bearer_has_its_parts(void **state)
{
	struct challenge c;

	assert_int_equal(
		parse("Bearer realm=\"https://a.b/t\",service=\"s\" , scope=\"x:y:z\"", &c), 0);
	assert_int_equal(c.scheme, CHALLENGE_BEARER);
	assert_string_equal(c.realm, "https://a.b/t");
	assert_string_equal(c.service, "s");
	assert_string_equal(c.scope, "x:y:z");
}

static void bearer_wins_over_basic(void **state)
{
	struct challenge c;

	assert_int_equal(parse("Basic realm=\"x\", Bearer realm=\"https://t\"", &c), 0);
	assert_int_equal(c.scheme, CHALLENGE_BEARER);
	assert_int_equal(parse("Digest realm=\"x\", qop=auth, Basic realm=y", &c), 0);
	assert_int_equal(c.scheme, CHALLENGE_BASIC);
}

static void malformed_ones_are_refused(void **state)
{
	static const char *const bad[] = {"Bearer", "Bearer realm=\"x", "\"",
					  "Bearer realm=\"a\nb\"", "Bearer service=x"};
	struct challenge c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &c), -1);
}

static void retry_after_is_bounded(void **state)
{
	assert_int_equal(retry_after_parse("12", 2, 60), 12);
	assert_int_equal(retry_after_parse("99999999999999", 14, 60), 60);
	assert_int_equal(retry_after_parse("Fri, 31 Dec", 11, 60), -1);
}

static void config_has_users_and_helpers(void **state)
{
	static const char text[] = "{\"auths\":{\"r:5000\":{\"auth\":\"bWU6c2VjcmV0\"}},"
				   "\"credHelpers\":{\"h\":\"x\"}}";
	struct arena a = ARENA_INIT;
	struct credentials c;

	assert_int_equal(credentials_parse(text, strlen(text), "r:5000", &a, &c, NULL), 0);
	assert_string_equal(c.user, "me");
	assert_string_equal(c.password, "secret");
	assert_null(c.helper);
	assert_int_equal(credentials_parse(text, strlen(text), "h", &a, &c, NULL), 0);
	assert_string_equal(c.helper, "x");
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bearer_has_its_parts),
		cmocka_unit_test(bearer_wins_over_basic),
		cmocka_unit_test(malformed_ones_are_refused),
		cmocka_unit_test(retry_after_is_bounded),
		cmocka_unit_test(config_has_users_and_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
