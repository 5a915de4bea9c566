/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas, buffers and what strings do with them. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void arena_memory_is_zeroed_and_aligned(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;

	for (size_t n = 0; n < 3000; n += 7) {
		unsigned char *p = arena_alloc(&a, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
}

static void arena_refuses_more_than_its_maximum(void **state)
{
	_cleanup_(arena_done) struct arena a = {.max = 1000};

	assert_non_null(arena_alloc(&a, 900));
	assert_null(arena_alloc(&a, 200));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_non_null(arena_alloc(&a, 10));
}

static void arena_strings_and_vectors(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **v = NULL;
	size_t n = 0;

	assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	for (int i = 0; i < 100; i++)
		assert_int_equal(arena_strv_push(&a, &v, &n, arena_printf(&a, "%d", i)), 0);
	assert_int_equal(n, 100);
	assert_int_equal(strv_len(v), 100);
	assert_string_equal(v[99], "99");
	assert_true(strv_has(v, "42"));
	assert_false(strv_has(v, "100"));
	assert_false(strv_has(NULL, "1"));
}

static void buf_stops_at_its_maximum_and_stays_whole(void **state)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(8);

	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_puts(&b, "12345"), 0);
	assert_int_equal(buf_puts(&b, "6789"), -EMSGSIZE);
	assert_int_equal(buf_printf(&b, "%d", 6789), -EMSGSIZE);
	assert_string_equal(buf_str(&b), "12345");
	assert_int_equal(buf_printf(&b, "%d", 678), 0);
	assert_string_equal(buf_str(&b), "12345678");
	assert_int_equal(buf_putc(&b, 'x'), -EMSGSIZE);
	assert_int_equal(b.len, 8);
	buf_clear(&b);
	assert_int_equal(buf_put(&b, "a\0b", 3), 0);
	assert_int_equal(b.len, 3);
}

static void buf_is_taken_with_its_end(void **state)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(100);
	_cleanup_(freep) char *empty = buf_take(&b), *s = NULL;

	assert_string_equal(empty, "");
	assert_int_equal(buf_puts(&b, "hello"), 0);
	s = buf_take(&b);
	assert_string_equal(s, "hello");
	assert_int_equal(b.len, 0);
	assert_null(b.data);
}

static void strings_are_cut_split_and_joined(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char *rest, **v;
	size_t n;

	assert_string_equal(str_cut(&a, "key=a=b", '=', &rest), "key");
	assert_string_equal(rest, "a=b");
	assert_string_equal(str_cut(&a, "key", '=', &rest), "key");
	assert_null(rest);
	v = str_split(&a, "a,,b,", ',', &n);
	assert_int_equal(n, 4);
	assert_string_equal(v[1], "");
	assert_string_equal(v[3], "");
	assert_null(v[4]);
	assert_string_equal(str_join(&a, v, "+"), "a++b+");
	assert_int_equal((str_split(&a, "", ',', &n), n), 1);
	assert_string_equal(str_after("prefix-x", "prefix-"), "x");
	assert_null(str_after("pre", "prefix"));
	assert_true(str_natural_cmp("n2", "n10") < 0);
	assert_true(str_natural_cmp("n10", "n2") > 0);
	assert_true(str_natural_cmp("n1", "n01") < 0);
	assert_true(str_natural_cmp("n9", "na") < 0);
	assert_true(str_natural_cmp("n", "n0") < 0);
	assert_true(str_natural_cmp("a1b2", "a1b2") == 0);
	assert_true(str_ends("a.json", ".json"));
	assert_false(str_ends("on", ".json"));
	assert_true(str_eq0(NULL, NULL));
	assert_false(str_eq0(NULL, ""));
}

static void the_last_variable_of_a_name_wins(void **state)
{
	static const char *const env[] = {"A=1", "AB=2", "A=3", "A", NULL};

	assert_string_equal(strv_env_get(env, "A"), "3");
	assert_null(strv_env_get(env, "B"));
	assert_null(strv_env_get(NULL, "A"));
}

static void a_typing_error_finds_its_word(void **state)
{
	static const char *const words[] = {"build", "images", "run", "start", NULL};

	assert_string_equal(str_nearest("imagse", words), "images");
	assert_string_equal(str_nearest("rn", words), "run");
	assert_null(str_nearest("completely", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_memory_is_zeroed_and_aligned),
		cmocka_unit_test(arena_refuses_more_than_its_maximum),
		cmocka_unit_test(arena_strings_and_vectors),
		cmocka_unit_test(buf_stops_at_its_maximum_and_stays_whole),
		cmocka_unit_test(buf_is_taken_with_its_end),
		cmocka_unit_test(strings_are_cut_split_and_joined),
		cmocka_unit_test(the_last_variable_of_a_name_wins),
		cmocka_unit_test(a_typing_error_finds_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
