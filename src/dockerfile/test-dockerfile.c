/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "dockerfile/dockerfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void parse(const char *text, struct dockerfile *d)
{
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, strlen(text), d, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static void an_instruction_per_line(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;

	parse("# a comment\nFROM x\n\n  run a \\\n  b # no comment \\\n# a comment\n\n c\nCMD "
	      "[\"x\", \"y z\"]",
	      &d);
	assert_int_equal(d.n, 3);
	assert_string_equal(d.instructions[1].args[0], "a   b # no comment  c");
	assert_string_equal(d.instructions[1].word, "run");
	assert_int_equal(d.instructions[1].at.first, 4);
	assert_int_equal(d.instructions[1].at.last, 8);
	assert_int_equal(d.n_empty_continuations, 1);
	assert_true(d.instructions[2].json);
	assert_int_equal(d.instructions[2].n_args, 2);
	assert_string_equal(d.instructions[0].comments[0], "a comment");
}

static void directives_stand_at_the_top(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;

	parse("\xef\xbb\xbf# Syntax = docker/dockerfile:1 \n#escape=`\n# check=skip=all\nFROM "
	      "x\nRUN a `\n b\\",
	      &d);
	assert_string_equal(d.syntax, "docker/dockerfile:1");
	assert_string_equal(d.check, "skip=all");
	assert_int_equal(d.escape, '`');
	assert_string_equal(d.instructions[1].args[0], "a  b\\");
	dockerfile_done(&d);

	parse("# comment\n# escape=`\nFROM x\n", &d);
	assert_int_equal(d.escape, '\\');
}

static void stages_have_names_and_arguments_before_them(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;

	parse("ARG V=1 W\nFROM --platform=linux/amd64 a:$V as Base\nRUN x\nRUN y\nFROM base\n", &d);
	assert_int_equal(d.n_global, 1);
	assert_int_equal(d.n_stages, 2);
	assert_string_equal(d.stages[0].name, "base");
	assert_string_equal(d.stages[0].base, "a:$V");
	assert_string_equal(d.stages[0].platform, "linux/amd64");
	assert_int_equal(d.stages[0].n, 2);
	assert_int_equal(d.stages[0].first, 2);
	assert_null(d.stages[1].name);
	assert_int_equal(d.stages[1].n, 0);
	assert_string_equal(d.instructions[0].pairs[0].value, "1");
	assert_null(d.instructions[0].pairs[1].value);
}

static void pairs_are_cut_at_the_first_equals_sign(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;
	const struct df_pair *p;

	parse("FROM x\nENV a=b=c d='e f' g=h\\ i j=\"k\\\"l\"\nENV old  the whole rest \nLABEL \"a "
	      "b\"=c",
	      &d);
	p = d.instructions[1].pairs;
	assert_int_equal(d.instructions[1].n_pairs, 4);
	assert_string_equal(p[0].value, "b=c");
	assert_string_equal(p[1].value, "'e f'");
	assert_string_equal(p[2].value, "h\\ i");
	assert_string_equal(p[3].value, "\"k\\\"l\"");
	p = d.instructions[2].pairs;
	assert_true(p->legacy);
	assert_string_equal(p->key, "old");
	assert_string_equal(p->value, "the whole rest");
	assert_string_equal(d.instructions[3].pairs[0].key, "\"a b\"");
}

static void flags_come_before_the_arguments(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;
	const struct df_instruction *in;

	parse("FROM x\nCOPY --from=y --chown='a b' --link --parents=false -- a --b c\n"
	      "RUN --mount=type=cache,target=/x --mount=type=tmpfs,target=/y make\n",
	      &d);
	in = &d.instructions[1];
	assert_string_equal(df_flag(in, "from"), "y");
	assert_string_equal(df_flag(in, "chown"), "a b");
	assert_true(df_flag_on(in, "link"));
	assert_false(df_flag_on(in, "parents"));
	assert_int_equal(in->n_args, 3);
	assert_string_equal(in->args[1], "--b");
	assert_int_equal(d.instructions[2].n_flags, 2);
}

static void here_documents_belong_to_their_instruction(void **state)
{
	_cleanup_(dockerfile_done) struct dockerfile d;
	const struct df_instruction *in;

	parse("FROM x\nRUN <<EOF\n\ta $b\n  EOF\nEOF\nCOPY <<-'one' <<\"two\" "
	      "/d/\n\t\tx\n\tone\ny\ntwo\n"
	      "RUN 3<<A cat\nA\nRUN cat << 'E F'\nz\nE F\nRUN [\"<<EOF\"]\nONBUILD RUN "
	      "<<EOF\nt\nEOF\n",
	      &d);
	in = &d.instructions[1];
	assert_int_equal(in->n_heredocs, 1);
	assert_string_equal(in->heredocs[0].content, "\ta $b\n  EOF\n");
	assert_true(in->heredocs[0].expand);
	in = &d.instructions[2];
	assert_int_equal(in->n_heredocs, 2);
	assert_string_equal(in->heredocs[0].name, "one");
	assert_string_equal(in->heredocs[0].content, "x\n");
	assert_false(in->heredocs[0].expand);
	assert_string_equal(in->heredocs[1].content, "y\n");
	assert_int_equal(d.instructions[3].heredocs[0].fd, 3);
	assert_string_equal(d.instructions[4].heredocs[0].name, "E F");
	assert_int_equal(d.instructions[5].n_heredocs, 0);
	assert_int_equal(d.instructions[6].n_heredocs, 1);
	assert_int_equal(d.instructions[6].trigger->kind, DF_RUN);
}

static void mistakes_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} table[] = {
		{"", 0, "no instructions"},
		{"# only\n", 0, "no instructions"},
		{"RUN x", 1, "before any FROM"},
		{"ARG x\n", 0, "no FROM"},
		{"FROM x\n\nRNU y", 3, "unknown instruction: RNU (did you mean RUN?)"},
		{"FROM x as", 1, "AS name"},
		{"FROM x y z", 1, "AS name"},
		{"FROM x AS 1a", 1, "invalid name"},
		{"FROM x\nENV a", 2, "two arguments"},
		{"FROM x\nENV a=b c", 2, "without '='"},
		{"FROM x\nENV =b", 2, "blank"},
		{"FROM x\nENV", 2, "at least one"},
		{"FROM x\nCOPY a", 2, "a destination"},
		{"FROM x\nCOPY --form=y a b", 2, "did you mean --from?"},
		{"FROM x\nCOPY --from=a --from=b c d", 2, "twice"},
		{"FROM x\nCOPY --link=maybe c d", 2, "true or false"},
		{"FROM x\nCOPY --chown a b", 2, "needs a value"},
		{"FROM x\nCOPY a <<EOF\nEOF", 2, "destination"},
		{"FROM x\nRUN <<EOF\nabc", 2, "not closed"},
		{"FROM x\nRUN [\"a\", 1]", 2, "array of strings"},
		{"FROM x\nSHELL bash -c", 2, "array of strings"},
		{"FROM x\nONBUILD ONBUILD RUN x", 2, "ONBUILD"},
		{"FROM x\nONBUILD FROM y", 2, "FROM"},
		{"FROM x\nHEALTHCHECK NONE x", 2, "no arguments"},
		{"FROM x\nHEALTHCHECK WHAT x", 2, "CMD or NONE"},
		{"FROM x\nHEALTHCHECK --interval=1 CMD x", 2, "duration"},
		{"FROM x\nHEALTHCHECK --retries=-1 CMD x", 2, "number"},
		{"FROM x\nVOLUME [\" \"]", 2, "empty path"},
		{"FROM x\nUSER", 2, "exactly one"},
		{"# escape=x\nFROM x", 1, "escape"},
		{"# escape=`\n# escape=`\nFROM x", 2, "twice"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(dockerfile_done) struct dockerfile d;
		struct err e = ERR_INIT;

		assert_int_equal(dockerfile_parse(table[i].text, strlen(table[i].text), &d, &e),
				 -1);
		if (!strstr(e.msg, table[i].says) || d.failed_at.first != table[i].line)
			fail_msg("%s: '%s' at %u, expected '%s' at %u", table[i].text, e.msg,
				 d.failed_at.first, table[i].says, table[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instruction_per_line),
		cmocka_unit_test(directives_stand_at_the_top),
		cmocka_unit_test(stages_have_names_and_arguments_before_them),
		cmocka_unit_test(pairs_are_cut_at_the_first_equals_sign),
		cmocka_unit_test(flags_come_before_the_arguments),
		cmocka_unit_test(here_documents_belong_to_their_instruction),
		cmocka_unit_test(mistakes_are_refused_with_their_line),
	};

	return cmocka_run_group_tests_name("dockerfile", tests, NULL, NULL);
}
