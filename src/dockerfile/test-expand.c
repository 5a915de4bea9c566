/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/str.h"
#include "dockerfile/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *get(void *arg, const char *name)
{
	static const char *const env[] = {"HOME=/root/u",
					  "EMPTY=",
					  "TWO=a b",
					  "FILE=dir/a.tar.gz",
					  "DOTS=x.y.z",
					  "LINES=a\nb",
					  "UMLAUT=\xc3\xa4\xc3\xb6x",
					  "STAR=a*b",
					  "1=one",
					  NULL};

	return strv_env_get(env, name);
}

struct expected {
	const char *in;
	const char *out; /* NULL: refused */
};

static void check_all(const struct expected *table, size_t n, unsigned flags)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(arena_done) struct arena a = ARENA_INIT;
		struct expander x = {.arena = &a, .escape = '\\', .flags = flags, .get = get};
		struct err e = ERR_INIT;
		const char *out = expand_word(&x, table[i].in, &e);

		if (!str_eq0(out, table[i].out))
			fail_msg("%s -> %s, expected %s (%s)", table[i].in, out ? out : "(refused)",
				 table[i].out ? table[i].out : "(refused)", e.msg);
		assert_int_equal(out == NULL, e.class != ERR_NONE);
	}
}

static void variables_become_their_values(void **state)
{
	static const struct expected table[] = {
		{"", ""},
		{"plain", "plain"},
		{"$HOME", "/root/u"},
		{"${HOME}", "/root/u"},
		{"a${HOME}b", "a/root/ub"},
		{"$HOME/x", "/root/u/x"},
		{"$UNSET", ""},
		{"$", "$"},
		{"a$ b", "a$ b"},
		{"$.x", "$.x"},
		{"$1x", "onex"},
		{"\\$HOME", "$HOME"},
		{"\\\\$HOME", "\\/root/u"},
		{"'$HOME'", "$HOME"},
		{"\"$HOME\"", "/root/u"},
		{"\"\\$HOME\"", "$HOME"},
		{"\"a\\b\"", "a\\b"},
		{"\"a\\\"b\"", "a\"b"},
		{"a\\b", "ab"},
		{"'a\\b'", "a\\b"},
		{"it''s", "its"},
		{"trailing\\", "trailing"},
		{"'open", NULL},
		{"\"open", NULL},
		{"${HOME", NULL},
		{"${}", NULL},
		{"${{HOME}}", NULL},
		{"${:x}", NULL},
		{"${HOME!x}", NULL},
		{"${HOME:x}", NULL},
		{"${HOME:", NULL},
		{"${HOME:#x}", NULL},
	};

	check_all(table, ARRAY_SIZE(table), 0);
}

static void what_depends_on_being_set(void **state)
{
	static const struct expected table[] = {
		{"${UNSET:-x}", "x"},
		{"${EMPTY:-x}", "x"},
		{"${HOME:-x}", "/root/u"},
		{"${UNSET-x}", "x"},
		{"${EMPTY-x}", ""},
		{"${UNSET:+x}", ""},
		{"${EMPTY:+x}", ""},
		{"${HOME:+x}", "x"},
		{"${EMPTY+x}", "x"},
		{"${UNSET:-$HOME}", "/root/u"},
		{"${UNSET:-${EMPTY:-deep}}", "deep"},
		{"${UNSET:-'a}b'}", "a}b"},
		{"${UNSET:-a\\}b}", "a}b"},
		{"${UNSET:?}", NULL},
		{"${UNSET:?say so}", NULL},
		{"${EMPTY:?}", NULL},
		{"${EMPTY?}", ""},
		{"${UNSET?}", NULL},
		{"${HOME:?}", "/root/u"},
	};

	check_all(table, ARRAY_SIZE(table), 0);
}

static void patterns_cut_and_replace(void **state)
{
	static const struct expected table[] = {
		{"${FILE#*/}", "a.tar.gz"},
		{"${FILE##*.}", "gz"},
		{"${FILE%.*}", "dir/a.tar"},
		{"${FILE%%.*}", "dir/a"},
		{"${FILE#nothing}", "dir/a.tar.gz"},
		{"${FILE#d?r}", "/a.tar.gz"},
		{"${STAR#a\\*}", "b"},
		{"${STAR%\\*b}", "a"},
		{"${STAR#a\\x}", NULL},
		{"${LINES#*b}", "a\nb"},
		{"${UMLAUT#?}", "\xc3\xb6x"},
		{"${UMLAUT%?x}", "\xc3\xa4"},
		{"${DOTS/./-}", "x-y.z"},
		{"${DOTS//./-}", "x-y-z"},
		{"${DOTS//?/-}", "-----"},
		{"${DOTS/*/all}", "all"},
		{"${DOTS//*/all}", "all"},
		{"${FILE/\\//:}", "dir:a.tar.gz"},
		{"${UNSET/a/b}", ""},
		{"${DOTS/x}", NULL},
		{"${DOTS/x/y", NULL},
	};

	check_all(table, ARRAY_SIZE(table), 0);
}

static void unset_variables_can_stay(void **state)
{
	static const struct expected table[] = {
		{"$UNSET", "$UNSET"},           {"${UNSET}", "${UNSET}"},
		{"${UNSET:-x}", "${UNSET:-x}"}, {"${UNSET/a/b}", "${UNSET/a/b}"},
		{"$HOME", "/root/u"},
	};

	check_all(table, ARRAY_SIZE(table), EXPAND_KEEP_UNSET);
}

static void quotes_can_stay(void **state)
{
	static const struct expected raw[] = {
		{"'a' \"b\"", "'a' \"b\""},
		{"\"\\\"\"", "\"\\\"\""},
		{"a\\ b", "a\\ b"},
		{"'$HOME'", "'$HOME'"},
	};
	static const struct expected none[] = {{"it's $HOME", "it's /root/u"}};

	check_all(raw, ARRAY_SIZE(raw), EXPAND_RAW_QUOTES | EXPAND_RAW_ESCAPES);
	check_all(none, ARRAY_SIZE(none), EXPAND_NO_QUOTES);
}

static void words_are_split_where_nothing_is_quoted(void **state)
{
	static const struct {
		const char *in, *out; /* joined by '|' */
	} table[] = {
		{"", ""},
		{"  a  b ", "a|b"},
		{"$TWO c", "a|b|c"},
		{"'$TWO' c", "$TWO|c"},
		{"\"$TWO\" c", "a b|c"},
		{"x$TWO", "xa|b"},
		{"a\\ b c", "a b|c"},
		{"\"\" a", "a"},
		{"a ${UNSET:-b c} d", "a|b|c|d"},
		{"a\xc2\xa0"
		 "b",
		 "a|b"},
		{"<< EOF x", "<< EOF|x"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(arena_done) struct arena a = ARENA_INIT;
		struct expander x = {.arena = &a, .escape = '\\', .get = get};
		size_t n;
		const char **v = expand_words(&x, table[i].in, &n, NULL);

		assert_non_null(v);
		assert_int_equal(strv_len(v), n);
		assert_string_equal(str_join(&a, v, "|"), table[i].out);
	}
}

static void what_never_ends_is_refused(void **state)
{
	_cleanup_(buf_done) struct buf deep = BUF_INIT(4096);
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct expander x = {.arena = &a, .escape = '\\', .get = get};
	struct err e = ERR_INIT;

	for (size_t i = 0; i <= EXPAND_DEPTH_MAX; i++)
		assert_int_equal(buf_puts(&deep, "${UNSET:-"), 0);
	for (size_t i = 0; i <= EXPAND_DEPTH_MAX; i++)
		assert_int_equal(buf_putc(&deep, '}'), 0);
	assert_null(expand_word(&x, buf_str(&deep), &e));
	assert_int_equal(e.class, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_become_their_values),
		cmocka_unit_test(what_depends_on_being_set),
		cmocka_unit_test(patterns_cut_and_replace),
		cmocka_unit_test(unset_variables_can_stay),
		cmocka_unit_test(quotes_can_stay),
		cmocka_unit_test(words_are_split_where_nothing_is_quoted),
		cmocka_unit_test(what_never_ends_is_refused),
	};

	return cmocka_run_group_tests_name("dockerfile-expand", tests, NULL, NULL);
}
