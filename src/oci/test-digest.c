/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEX   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define EMPTY "sha256:" HEX

static void digest_accepts_sha256(void **state)
{
	struct digest d, of;
	struct err e = ERR_INIT;

	assert_int_equal(digest_parse(EMPTY, &d, &e), 0);
	assert_string_equal(d.text, EMPTY);
	assert_string_equal(digest_hex(&d), HEX);
	digest_of("", 0, &of);
	assert_true(digest_eq(&d, &of));
	assert_true(digest_is_set(&d));
	d = DIGEST_NONE;
	assert_false(digest_is_set(&d));
	assert_string_equal(digest_hex(&d), "");
}

static void test_U22_digest_refuses_bad_grammar(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"sha256",
		"sha256:",
		":" HEX,
		HEX,
		"sha256:../../etc/passwd",
		"sha256:" HEX "0",
		"sha256:e3b0",
		"SHA256:" HEX,
		"sha256:" HEX "/..",
		"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
		"sha256:" HEX "\n",
		" " EMPTY,
		"sha256+:" HEX,
		"sha256::" HEX,
		"../sha256:" HEX};
	struct digest d;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (digest_parse(bad[i], &d, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void digest_says_that_other_algorithms_are_unsupported(void **state)
{
	struct digest d;
	struct err e = ERR_INIT;

	assert_int_equal(digest_parse("sha512:" HEX HEX, &d, &e), -1);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
	assert_true(
		digest_is_wellformed("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46"));
}

static void digest_chain_follows_the_specification(void **state)
{
	struct digest ids[2], one, two, step, parent = DIGEST_NONE;

	digest_of("a", 1, &ids[0]);
	digest_of("b", 1, &ids[1]);
	digest_chain(ids, 1, &one);
	assert_string_equal(one.text, ids[0].text);
	digest_chain(ids, 2, &two);
	digest_chain_next(&parent, &ids[0], &step);
	digest_chain_next(&step, &ids[1], &step);
	assert_string_equal(two.text, step.text);
	/* printf 'sha256:ca97...bb sha256:3e23...9d' | sha256sum */
	assert_string_equal(
		two.text,
		"sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_accepts_sha256),
		cmocka_unit_test(test_U22_digest_refuses_bad_grammar),
		cmocka_unit_test(digest_says_that_other_algorithms_are_unsupported),
		cmocka_unit_test(digest_chain_follows_the_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
