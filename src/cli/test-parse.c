/* SPDX-License-Identifier: Apache-2.0 */
/* The expected messages are those of Docker's client 28. */
#include "cli/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct opts {
	bool init, tty, interactive;
	const char *name;
	int64_t memory, number, cpus, time, weight;
	struct cli_list env, filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"init", 0, CLI_BOOL, O(init), ""},
	{"tty", 't', CLI_BOOL, O(tty), ""},
	{"interactive", 'i', CLI_BOOL, O(interactive), ""},
	{"name", 0, CLI_STRING, O(name), ""},
	{"memory", 'm', CLI_BYTES, O(memory), "", .flags = CLI_MINUS_ONE},
	{"number", 'n', CLI_INT, O(number), ""},
	{"weight", 0, CLI_UINT16, O(weight), ""},
	{"cpus", 0, CLI_DECIMAL, O(cpus), ""},
	{"time", 0, CLI_DURATION, O(time), ""},
	{"env", 'e', CLI_LIST, O(env), ""},
	{"publish", 'p', CLI_LIST, 0, "", .flags = CLI_LATER},
	{NULL},
};

struct result {
	struct arena arena;
	struct opts opts;
	uint8_t given[ARRAY_SIZE(options)];
	struct parse p;
	struct err e;
	int r;
};

static void parse(struct result *r, bool stop_at_arg, const char *const *argv)
{
	*r = (struct result){.e = ERR_INIT};
	r->p = (struct parse){.arena = &r->arena,
			      .options = options,
			      .opts = &r->opts,
			      .given = r->given,
			      .stop_at_arg = stop_at_arg};
	r->r = cli_parse(&r->p, (char *const *)(uintptr_t)argv, &r->e);
}

#define PARSE(r, stop, ...) parse(r, stop, (const char *const[]){__VA_ARGS__, NULL})

static void short_options_are_bundled(void **state)
{
	struct result r;

	PARSE(&r, true, "-itm64m", "-e", "A=1", "-eB=2", "-e=C=3", "image");
	assert_int_equal(r.r, 0);
	assert_true(r.opts.tty && r.opts.interactive);
	assert_int_equal(r.opts.memory, 64 << 20);
	assert_int_equal(r.opts.env.n, 3);
	assert_string_equal(r.opts.env.v[1], "B=2");
	assert_string_equal(r.opts.env.v[2], "C=3");
	assert_int_equal(r.p.argc, 1);
	arena_done(&r.arena);
}

static void values_have_their_types(void **state)
{
	struct result r;

	PARSE(&r, false, "--memory=-1", "--number", "-5", "--cpus=1.5", "--time", "1m",
	      "--init=false", "--weight=65535", "-t=true", "--name=");
	assert_int_equal(r.r, 0);
	assert_int_equal(r.opts.memory, -1);
	assert_int_equal(r.opts.number, -5);
	assert_int_equal(r.opts.cpus, 1500000000);
	assert_int_equal(r.opts.time, INT64_C(60000000000));
	assert_int_equal(r.opts.weight, 65535);
	assert_false(r.opts.init);
	assert_true(r.opts.tty);
	assert_string_equal(r.opts.name, "");
	arena_done(&r.arena);
}

static void options_end_where_they_should(void **state)
{
	struct result r;

	PARSE(&r, true, "--init", "image", "-t", "--", "x");
	assert_false(r.opts.tty);
	assert_int_equal(r.p.argc, 4);
	arena_done(&r.arena);
	PARSE(&r, false, "a", "-t", "--", "-i", "-");
	assert_true(r.opts.tty);
	assert_false(r.opts.interactive);
	assert_int_equal(r.p.argc, 3);
	assert_string_equal(r.p.argv[1], "-i");
	arena_done(&r.arena);
	PARSE(&r, false, "--help", "--nonsense");
	assert_int_equal(r.r, 0);
	assert_true(r.p.help);
	arena_done(&r.arena);
}

static void mistakes_are_told_in_pflags_words(void **state)
{
	static const struct {
		const char *word, *message;
	} rows[] = {
		{"--foo", "unknown flag: --foo"},
		{"--inits", "unknown flag: --inits (did you mean --init?)"},
		{"-Z", "unknown shorthand flag: 'Z' in -Z"},
		{"-iZ", "unknown shorthand flag: 'Z' in -iZ"},
		{"--memory", "flag needs an argument: --memory"},
		{"-m", "flag needs an argument: 'm' in -m"},
		{"--memory=abc",
		 "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'"},
		{"--memory=-5",
		 "invalid argument \"-5\" for \"-m, --memory\" flag: invalid size: '-5'"},
		{"--init=maybe", "invalid argument \"maybe\" for \"--init\" flag: "
				 "strconv.ParseBool: parsing \"maybe\": invalid syntax"},
		{"--weight=70000", "invalid argument \"70000\" for \"--weight\" flag: "
				   "strconv.ParseUint: parsing \"70000\": value out of range"},
		{"--number=x", "invalid argument \"x\" for \"-n, --number\" flag: "
			       "strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"--cpus=abc",
		 "invalid argument \"abc\" for \"--cpus\" flag: failed to parse abc as a "
		 "rational number"},
		{"-p80:80", "--publish is not supported by this version of kogge yet"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result r;

		PARSE(&r, false, rows[i].word);
		assert_int_equal(r.r, -1);
		assert_string_equal(r.e.msg, rows[i].message);
		arena_done(&r.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_options_are_bundled),
		cmocka_unit_test(values_have_their_types),
		cmocka_unit_test(options_end_where_they_should),
		cmocka_unit_test(mistakes_are_told_in_pflags_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
