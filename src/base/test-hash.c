/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* FIPS 180-4's examples. */
static void sha256_gives_the_standards_examples(void **state)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex("", 0, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_hex("abc", 3, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_digest_in_pieces_and_forked_is_the_same(void **state)
{
	unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
	struct sha256 h, copy;
	char hex[SHA256_HEX_SIZE], whole[SHA256_HEX_SIZE];

	sha256_hex("hello world", 11, whole);
	sha256_init(&h);
	sha256_add(&h, "hello ", 6);
	copy = h;
	sha256_add(&h, "world", 5);
	sha256_end(&h, a);
	hex_encode(a, sizeof(a), hex);
	assert_string_equal(hex, whole);
	sha256_add(&copy, "world", 5);
	sha256_end(&copy, b);
	assert_memory_equal(a, b, sizeof(a));
}

static void hex_takes_only_lower_case_of_the_right_length(void **state)
{
	unsigned char out[2];

	assert_true(hex_decode("0aff", out, 2));
	assert_int_equal(out[0], 0x0a);
	assert_int_equal(out[1], 0xff);
	assert_false(hex_decode("0AFF", out, 2));
	assert_false(hex_decode("0aff0", out, 2));
	assert_false(hex_decode("0af", out, 2));
	assert_false(hex_decode("0ag0", out, 2));
}

static void identifiers_are_64_digits_and_never_alike(void **state)
{
	char a[ID_SIZE], b[ID_SIZE];

	assert_int_equal(id_new(a), 0);
	assert_int_equal(id_new(b), 0);
	assert_string_not_equal(a, b);
	assert_true(id_is_full(a));
	assert_true(strspn(a, "0123456789") < 12);
	assert_true(id_is_prefix("0123456789ab"));
	assert_false(id_is_prefix(""));
	assert_false(id_is_prefix("xyz"));
	assert_false(id_is_prefix("ABC"));
	assert_false(id_is_full("abc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_standards_examples),
		cmocka_unit_test(a_digest_in_pieces_and_forked_is_the_same),
		cmocka_unit_test(hex_takes_only_lower_case_of_the_right_length),
		cmocka_unit_test(identifiers_are_64_digits_and_never_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
