/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void repository_names_are_those_of_the_specification(void **state)
{
	static const char *const good[] = {"a", "a/b", "a0/b-c/d__e.f_g", "a---b",
					   "library/debian"};
	static const char *const bad[] = {"",      "A",   "a/", "/a",   "a//b",  "..",
					  "a/..",  "_a",  "a_", "a..b", "a___b", "a/_tags",
					  "a%2fb", "a b", "a.", "-a"};
	char text[300];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!name_is_repository(good[i]))
			fail_msg("refuses '%s'", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (name_is_repository(bad[i]))
			fail_msg("takes '%s'", bad[i]);
	memset(text, 'a', sizeof(text));
	text[255] = '\0';
	assert_true(name_is_repository(text));
	text[255] = 'a';
	text[256] = '\0';
	assert_false(name_is_repository(text));
}

static void tags_have_at_most_128_characters(void **state)
{
	char text[130];

	memset(text, 'x', sizeof(text));
	text[128] = '\0';
	assert_true(name_is_tag(text));
	text[128] = 'x';
	text[129] = '\0';
	assert_false(name_is_tag(text));
	assert_true(name_is_tag("_A.b-9"));
	assert_false(name_is_tag(".a"));
	assert_false(name_is_tag("-a"));
	assert_false(name_is_tag("a/b"));
	assert_false(name_is_tag(""));
}

static void upload_names_are_uuids(void **state)
{
	assert_true(name_is_upload("0123abcd-0123-4abc-89ab-0123456789ab"));
	assert_false(name_is_upload("0123ABCD-0123-4abc-89ab-0123456789ab"));
	assert_false(name_is_upload("../3abcd-0123-4abc-89ab-0123456789ab"));
	assert_false(name_is_upload("0123abcd-0123-4abc-89ab-0123456789ab.state"));
	assert_false(name_is_upload(""));
}

static struct route route(const char *path)
{
	struct route r;

	route_parse(path, strlen(path), &r);
	return r;
}

static void paths_are_taken_apart_from_their_end(void **state)
{
	struct route r = route("/v2/a/blobs/uploads/tags/list");

	assert_int_equal(r.endpoint, ENDPOINT_TAGS);
	assert_string_equal(r.repository, "a/blobs/uploads");
	r = route("/v2/manifests/manifests/manifests");
	assert_int_equal(r.endpoint, ENDPOINT_MANIFEST);
	assert_string_equal(r.repository, "manifests");
	assert_string_equal(r.reference, "manifests");
	r = route("/v2/a/b/blobs/sha256%3Aab");
	assert_int_equal(r.endpoint, ENDPOINT_BLOB);
	assert_string_equal(r.repository, "a/b");
	assert_string_equal(r.reference, "sha256:ab");
	assert_int_equal(route("/v2/a/blobs/uploads/").endpoint, ENDPOINT_UPLOADS);
	assert_int_equal(route("/v2/a/blobs/uploads").endpoint, ENDPOINT_UPLOADS);
	assert_int_equal(route("/v2/a/blobs/uploads/x").endpoint, ENDPOINT_UPLOAD);
	assert_int_equal(route("/v2").endpoint, ENDPOINT_BASE);
	assert_int_equal(route("/v2/").endpoint, ENDPOINT_BASE);
	assert_int_equal(route("/v2/_catalog").endpoint, ENDPOINT_CATALOG);
	assert_int_equal(route("/v1/").endpoint, ENDPOINT_NONE);
	assert_int_equal(route("/v2x").endpoint, ENDPOINT_NONE);
	assert_int_equal(route("").endpoint, ENDPOINT_NONE);
}

static void encoded_slashes_and_climbing_names_are_no_names(void **state)
{
	assert_true(route("/v2/../blobs/sha256:ab").bad_name);
	assert_true(route("/v2/a%2fb/blobs/sha256:ab").bad_name);
	assert_true(route("/v2/a/../b/tags/list").bad_name);
	assert_true(route("/v2//tags/list").bad_name);
	assert_int_equal(route("/v2/a/blobs/..%2f..").endpoint, ENDPOINT_NONE);
	assert_int_equal(route("/v2/a/blobs/%00").endpoint, ENDPOINT_NONE);
	assert_int_equal(route("/v2/a/blobs/%").endpoint, ENDPOINT_NONE);
}

static void queries_are_decoded(void **state)
{
	char out[16];

	assert_true(query_get("a=1&digest=x%3Ay+z", "digest", 0, out, sizeof(out)));
	assert_string_equal(out, "x:y z");
	assert_true(query_get("tag=1&tag=2", "tag", 1, out, sizeof(out)));
	assert_string_equal(out, "2");
	assert_false(query_get("tag=1&tag=2", "tag", 2, out, sizeof(out)));
	assert_false(query_get("tagx=1", "tag", 0, out, sizeof(out)));
	assert_false(query_get("a=0123456789abcdefg", "a", 0, out, sizeof(out)));
	assert_false(query_get("a=%zz", "a", 0, out, sizeof(out)));
	assert_false(query_get(NULL, "a", 0, out, sizeof(out)));
	assert_true(query_get("a", "a", 0, out, sizeof(out)));
	assert_string_equal(out, "");
}

static void content_ranges_are_whole_numbers_in_order(void **state)
{
	uint64_t a, b;

	assert_true(range_parse_content("5-9", &a, &b));
	assert_int_equal(a, 5);
	assert_int_equal(b, 9);
	assert_true(range_parse_content("bytes 0-0/1", &a, &b));
	assert_true(range_parse_content("bytes 0-0/*", &a, &b));
	assert_false(range_parse_content("9-5", &a, &b));
	assert_false(range_parse_content("-5", &a, &b));
	assert_false(range_parse_content("0-", &a, &b));
	assert_false(range_parse_content("0-5x", &a, &b));
	assert_false(range_parse_content("bytes 0-5/5", &a, &b));
	assert_false(range_parse_content("0-99999999999999999999999", &a, &b));
}

static void ranges_are_cut_to_the_object(void **state)
{
	uint64_t at, n;

	assert_int_equal(range_parse("bytes=2-3", 10, &at, &n), RANGE_PART);
	assert_int_equal(at, 2);
	assert_int_equal(n, 2);
	assert_int_equal(range_parse("bytes=2-", 10, &at, &n), RANGE_PART);
	assert_int_equal(n, 8);
	assert_int_equal(range_parse("bytes=-20", 10, &at, &n), RANGE_PART);
	assert_int_equal(at, 0);
	assert_int_equal(n, 10);
	assert_int_equal(range_parse("bytes=0-99", 10, &at, &n), RANGE_PART);
	assert_int_equal(n, 10);
	assert_int_equal(range_parse("bytes=10-", 10, &at, &n), RANGE_BEYOND);
	assert_int_equal(range_parse("bytes=-0", 10, &at, &n), RANGE_BEYOND);
	assert_int_equal(range_parse("bytes=3-2", 10, &at, &n), RANGE_WHOLE);
	assert_int_equal(range_parse("bytes=0-1,3-4", 10, &at, &n), RANGE_WHOLE);
	assert_int_equal(range_parse("lines=0-1", 10, &at, &n), RANGE_WHOLE);
	assert_int_equal(range_parse(NULL, 10, &at, &n), RANGE_WHOLE);
}

static void digests_of_both_algorithms_are_read(void **state)
{
	struct content_digest d, same;
	struct err e = ERR_INIT;
	char upper[80];

	content_digest_of(CONTENT_SHA256, "", 0, &d);
	assert_string_equal(
		d.text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(content_digest_parse(d.text, &same, &e), 0);
	assert_true(content_digest_eq(&d, &same));
	content_digest_of(CONTENT_SHA512, "", 0, &d);
	assert_int_equal(content_digest_parse(d.text, &same, &e), 0);
	assert_int_equal(same.algorithm, CONTENT_SHA512);
	snprintf(upper, sizeof(upper), "sha256:%064d", 0);
	upper[10] = 'A';
	assert_int_equal(content_digest_parse(upper, &d, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
	assert_int_equal(content_digest_parse("sha256:../../x", &d, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
	assert_int_equal(content_digest_parse("md5:abcd", &d, &e), -1);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repository_names_are_those_of_the_specification),
		cmocka_unit_test(tags_have_at_most_128_characters),
		cmocka_unit_test(upload_names_are_uuids),
		cmocka_unit_test(paths_are_taken_apart_from_their_end),
		cmocka_unit_test(encoded_slashes_and_climbing_names_are_no_names),
		cmocka_unit_test(queries_are_decoded),
		cmocka_unit_test(content_ranges_are_whole_numbers_in_order),
		cmocka_unit_test(ranges_are_cut_to_the_object),
		cmocka_unit_test(digests_of_both_algorithms_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
