/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static json_t *parse(const char *text, struct err *e)
{
	return json_parse(text, strlen(text), "the text", e);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "{",
					  "{} {}",
					  "{\"a\":1,\"a\":2}",
					  "[1,]",
					  "\"\xff\"",
					  "{\"a\":\"\\u0000\"}",
					  "nul",
					  "{'a':1}",
					  "01"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		assert_null(parse(bad[i], &e));
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void depth_has_a_limit(void **state)
{
	char text[2 * (JSON_DEPTH_MAX + 1)];
	_cleanup_(json_unref) json_t *j = NULL;
	struct err e = ERR_INIT;

	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(json_parse(text, sizeof(text), "x", &e));
	assert_int_equal(e.class, ERR_LIMIT);
	j = json_parse(text + 1, sizeof(text) - 2, "x", &e);
	assert_non_null(j);
}

static void a_wrong_field_is_named_by_its_path(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	struct json_reader root, linux_, device;
	struct err e = ERR_INIT;
	const char *s = "old";
	bool b;
	size_t n;

	j = parse("{\"linux\":{\"devices\":[{\"type\":3}],\"flag\":\"x\"},\"n\":null}", &e);
	assert_int_equal(json_reader_init(&root, j, "config.json", &a, &e), 0);
	assert_int_equal(json_read_str(&root, "n", &s, &e), 0);
	assert_int_equal(json_read_str(&root, "absent", &s, &e), 0);
	assert_string_equal(s, "old");
	assert_int_equal(json_read_obj(&root, "linux", &linux_, &e), 1);
	assert_int_equal(json_read_bool(&linux_, "flag", &b, &e), -1);
	assert_string_equal(e.msg, "config.json: linux.flag: is not true or false");
	assert_int_equal(json_read_array(&linux_, "devices", 10, &n, &e), 1);
	assert_int_equal(json_read_elem(&linux_, "devices", 0, &device, &e), 1);
	assert_int_equal(json_read_str(&device, "type", &s, &e), -1);
	assert_string_equal(e.msg, "config.json: linux.devices[0].type: is not a string");
	assert_int_equal(json_read_array(&linux_, "devices", 0, &n, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
}

static void integers_have_ranges(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	struct json_reader r;
	struct err e = ERR_INIT;
	uint64_t u = 5;
	int64_t i = 5;

	j = parse("{\"neg\":-1,\"big\":2000,\"text\":\"1\",\"real\":1.5}", &e);
	assert_non_null(j);
	assert_int_equal(json_reader_init(&r, j, "x", &a, &e), 0);
	assert_int_equal(json_read_u64(&r, "big", 1000, &u, &e), -1);
	assert_int_equal(json_read_u64(&r, "neg", UINT64_MAX, &u, &e), -1);
	assert_int_equal(json_read_u64(&r, "real", UINT64_MAX, &u, &e), -1);
	assert_int_equal(json_read_u64(&r, "text", UINT64_MAX, &u, &e), -1);
	assert_int_equal(json_read_i64(&r, "neg", 0, 10, &i, &e), -1);
	assert_int_equal(i, 5);
	assert_int_equal(u, 5);
	assert_int_equal(json_read_u64(&r, "big", UINT64_MAX, &u, &e), 1);
	assert_int_equal(u, 2000);
}

static void largest_signed_integers_stay_exact(void **state)
{
	_cleanup_(json_unref) json_t *j = NULL;
	struct err e = ERR_INIT;

	j = parse("[9223372036854775807, -9223372036854775808]", &e);
	assert_true(json_integer_value(json_array_get(j, 0)) == INT64_MAX);
	assert_true(json_integer_value(json_array_get(j, 1)) == INT64_MIN);
}

static void writing_keeps_order_and_slashes(void **state)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(1000);
	_cleanup_(json_unref) json_t *j = NULL;
	struct err e = ERR_INIT;

	j = parse("{\"z\": \"/a\", \"a\": [1, 2]}", &e);
	assert_int_equal(json_write(j, 0, &b), 0);
	assert_string_equal(buf_str(&b), "{\"z\":\"/a\",\"a\":[1,2]}");
	b.max = b.len;
	assert_true(json_write(j, 0, &b) < 0);
}

static void vectors_of_strings(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	struct json_reader r;
	struct err e = ERR_INIT;
	const char **v = NULL;
	size_t n;

	j = parse("{\"v\":[\"a\",\"b\"],\"bad\":[\"a\",1]}", &e);
	assert_int_equal(json_reader_init(&r, j, "x", &a, &e), 0);
	assert_int_equal(json_read_strv(&r, "v", &v, &n, &e), 1);
	assert_int_equal(n, 2);
	assert_string_equal(v[1], "b");
	assert_null(v[2]);
	assert_int_equal(json_read_strv(&r, "bad", &v, &n, &e), -1);
}

static void what_is_no_utf8_is_replaced_byte_for_byte(void **state)
{
	static const char *const rows[][2] = {
		{"plain", "plain"},
		{"", ""},
		{"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3"},
		{"a\x99z", "a\xef\xbf\xbdz"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *j = json_text(rows[i][0]);

		assert_string_equal(json_string_value(j), rows[i][1]);
		json_decref(j);
	}
	assert_int_equal(json_put_text(o, "k\x99", "v\x99"), 0);
	assert_string_equal(json_string_value(json_object_get(o, "k\xef\xbf\xbd")),
			    "v\xef\xbf\xbd");
	json_decref(o);
}

static void objects_are_sorted_by_their_keys(void **state)
{
	json_t *o = json_sorted(json_pack("{s:i, s:i, s:i}", "b", 1, "c", 2, "a", 3)), *v;
	const char *key;
	char next = 'a';

	json_object_foreach (o, key, v)
		assert_int_equal(key[0], next++);
	assert_int_equal(next, 'd');
	json_decref(o);
	assert_null(json_sorted(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(a_wrong_field_is_named_by_its_path),
		cmocka_unit_test(integers_have_ranges),
		cmocka_unit_test(largest_signed_integers_stay_exact),
		cmocka_unit_test(writing_keeps_order_and_slashes),
		cmocka_unit_test(vectors_of_strings),
		cmocka_unit_test(what_is_no_utf8_is_replaced_byte_for_byte),
		cmocka_unit_test(objects_are_sorted_by_their_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
