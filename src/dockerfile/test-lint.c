/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "dockerfile/lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *const *base_env(void *arg, const char *image)
{
	static const char *const env[] = {"FROM_BASE=1", "PATH=/bin", NULL};

	return str_eq(image, "known") ? env : NULL;
}

static bool is_image(void *arg, const char *name)
{
	return *name && !strchr("-.:/", name[strlen(name) - 1]);
}

static bool ignored(void *arg, const char *path)
{
	return str_eq(path, "secret.txt");
}

static const struct df_lint_opts opts = {.platform = "linux/amd64",
					 .target_platform = "linux/amd64",
					 .base_env = base_env,
					 .is_image = is_image,
					 .ignored = ignored};

/* "Rule:line Rule:line", or "error:line". */
static void found(const char *text, const struct df_lint_opts *o, struct buf *out)
{
	_cleanup_(dockerfile_done) struct dockerfile d = DOCKERFILE_INIT;
	_cleanup_(df_lint_done) struct df_lint l = DF_LINT_INIT;
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, strlen(text), &d, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	if (df_lint_run(&d, o, &l, &e) < 0) {
		assert_int_equal(buf_printf(out, "error:%u", l.failed_at.first), 0);
		return;
	}
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(buf_printf(out, "%s%s:%u", i ? " " : "",
					    df_rule_info(l.warnings[i].rule)->name,
					    l.warnings[i].at.first),
				 0);
}

static void each_rule_finds_what_it_is_for(void **state)
{
	static const struct {
		const char *text, *found;
	} table[] = {
		{"FROM known\nRUN x", ""},
		{"FROM known\nRUN a \\\n\n b", "NoEmptyContinuation:3"},
		{"FROM known AS Big", "StageNameCasing:1"},
		{"FROM known as b", "FromAsCasing:1"},
		{"from known as b", ""},
		{"FROM known\nRun a\nRUN b", "ConsistentInstructionCasing:2"},
		{"FROM known\nrun a", "ConsistentInstructionCasing:2"},
		{"FROM known AS a\nFROM known AS a", "DuplicateStageName:2"},
		{"FROM known AS scratch", "ReservedStageName:1"},
		{"FROM known\nCMD a b", "JSONArgsRecommended:2"},
		{"FROM known\nSHELL [\"/bin/sh\"]\nCMD a b", ""},
		{"FROM known\nMAINTAINER me", "MaintainerDeprecated:2"},
		{"FROM known:$V", "UndefinedArgInFrom:1 InvalidDefaultArgInFrom:1"},
		{"ARG V\nFROM known:$V", "InvalidDefaultArgInFrom:2"},
		{"ARG V=1\nFROM known:$V", ""},
		{"FROM known\nWORKDIR a\nWORKDIR b", "WorkdirRelativePath:2"},
		{"FROM known\nWORKDIR /a\nWORKDIR b", ""},
		{"FROM known\nCOPY $X /", "UndefinedVar:2"},
		{"FROM known\nARG X\nCOPY $X /", ""},
		{"FROM known\nENV X=1\nCOPY $X /", ""},
		{"FROM known\nCOPY $FROM_BASE /", ""},
		{"FROM unknown\nCOPY $X /", ""},
		{"FROM scratch\nCOPY $X /", "UndefinedVar:2"},
		{"FROM known\nENV A=1 B=$A", "UndefinedVar:2"},
		{"FROM known AS a\nENV X=1\nFROM a\nCOPY $X /", ""},
		{"FROM known AS a\nCOPY $X /\nFROM known", "UndefinedVar:2"},
		{"FROM known\nCMD [\"a\"]\nCMD [\"b\"]", "MultipleInstructionsDisallowed:2"},
		{"FROM known\nENV a b", "LegacyKeyValueFormat:2"},
		{"FROM --platform=$TARGETPLATFORM known", "RedundantTargetPlatform:1"},
		{"FROM --platform=$BUILDPLATFORM known", ""},
		{"FROM --platform=linux/arm64 known", "FromPlatformFlagConstDisallowed:1"},
		{"FROM --platform=linux/arm64 known AS build-arm64", ""},
		{"FROM known\nENV API_KEY=x", "SecretsUsedInArgOrEnv:2"},
		{"FROM known\nARG token", "SecretsUsedInArgOrEnv:2"},
		{"FROM known\nENV PUBLIC_KEY=x MONKEY=y", ""},
		{"FROM known\nCOPY secret.txt a /", "CopyIgnoredFile:2"},
		{"FROM known\nEXPOSE 80/TCP", "ExposeProtoCasing:2"},
		{"FROM known\nEXPOSE 127.0.0.1:80:80", "ExposeInvalidFormat:2"},
		{"# what\nFROM known AS a", ""},
		{"# check=experimental=all\n# what\nFROM known AS a",
		 "InvalidDefinitionDescription:3"},
		{"# check=experimental=all\n# a builds\nFROM known AS a", ""},
		{"# check=skip=StageNameCasing,FromAsCasing\nFROM known as B", ""},
		{"# check=skip=all\nFROM known as B", ""},
		{"FROM known\n# check=skip=LegacyKeyValueFormat\nENV a b\nENV c d",
		 "LegacyKeyValueFormat:4"},
		{"FROM known\n# check=skip=all // why\nENV KEY=x", ""},
		{"FROM known\nCOPY --chmod=789 a /", "error:2"},
		{"FROM known\nCOPY --chmod=0755 a /\nCOPY --chmod=u+x a /", ""},
		{"FROM known\nCOPY --from=$A a /", "error:2"},
		{"FROM known\nCOPY ${X:?} /", "error:2"},
		{"FROM known\nCOPY --from=7 a /", "error:2"},
		{"FROM known AS a\nCOPY --from=b a /\nFROM known AS b\nCOPY --from=a / /",
		 "error:2"},
		{"# check=nonsense\nFROM known", "error:0"},
		{"FROM known\nCOPY <<EOF /x\n$Y\nEOF", "UndefinedVar:2"},
		{"FROM known\nCOPY <<'EOF' /x\n$Y\nEOF", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(buf_done) struct buf out = BUF_INIT(4096);

		found(table[i].text, &opts, &out);
		if (!str_eq(buf_str(&out), table[i].found))
			fail_msg("%s\n -> '%s', expected '%s'", table[i].text, buf_str(&out),
				 table[i].found);
	}
}

static void only_what_the_target_needs_is_checked(void **state)
{
	static const char *const needs[] = {"COPY --from=a / /", "COPY --from=0 / /",
					    "RUN --mount=from=a,target=/m x"};
	struct df_lint_opts o = opts;
	_cleanup_(buf_done) struct buf out = BUF_INIT(4096), text = BUF_INIT(4096);

	o.target = "b";
	found("FROM known AS a\nCOPY $X /\nFROM known AS b", &o, &out);
	assert_string_equal(buf_str(&out), "");
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		buf_clear(&out);
		buf_clear(&text);
		assert_int_equal(buf_printf(&text,
					    "FROM known AS a\nCOPY $X /\nFROM known AS b\n%s",
					    needs[i]),
				 0);
		found(buf_str(&text), &o, &out);
		assert_string_equal(buf_str(&out), "UndefinedVar:2");
	}
}

static void build_arguments_and_target_are_respected(void **state)
{
	static const char *const args[] = {"V=-", "X=1", NULL};
	struct df_lint_opts o = opts;
	_cleanup_(buf_done) struct buf out = BUF_INIT(4096);

	o.build_args = args;
	o.target = "a";
	found("ARG V=1\nFROM known:$V AS a\nARG X\nCOPY $X /\nFROM known AS b\nCOPY $Z /", &o,
	      &out);
	assert_string_equal(buf_str(&out), "");
	o.target = "c";
	found("FROM known AS a", &o, &out);
	assert_string_equal(buf_str(&out), "error:0");
}

static void ignore_files_are_read_as_dockers(void **state)
{
	static const struct {
		const char *file, *path;
		bool out;
	} table[] = {
		{"", "a", false},
		{"a", "a", true},
		{"a", "a/b/c", true},
		{"a", "ab", false},
		{"a", "x/a", false},
		{"/a/", "a", true},
		{"./a/../b", "b", true},
		{"../a", "a", false},
		{"# a\n#a", "a", false},
		{" a ", "a", true},
		{"*", "a", true},
		{"*.c", "x.c", true},
		{"*.c", "d/x.c", false},
		{"*/x.c", "d/x.c", true},
		{"**/x.c", "x.c", true},
		{"**/x.c", "a/b/x.c", true},
		{"**/x.c", "a/bx.c", false},
		{"**.c", "a/b.c", true},
		{"a/**", "a/b", true},
		{"a/**/z", "a/z", true},
		{"a/**/z", "a/b/c/z", true},
		{"a/**/z", "a/bz", false},
		{"a?", "ab", true},
		{"a?", "a/", false},
		{"[a-c]x", "bx", true},
		{"[^a-c]x", "bx", false},
		{"\\*", "*", true},
		{"\\*", "a", false},
		{"*\n!keep", "keep", false},
		{"*\n!keep", "keep/x", false},
		{"a\n!a/b\na/b/c", "a/b", false},
		{"a\n!a/b\na/b/c", "a/b/c", true},
		{"!a\na", "a", true},
		{"*a*b*c", "xaxbxc", true},
		{"*a*b*c", "xaxbx", false},
		{"**/*.md\n!README.md", "docs/x.md", true},
		{"**/*.md\n!README.md", "README.md", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(ignore_done) struct ignore ig = IGNORE_INIT;
		struct err e = ERR_INIT;

		if (ignore_parse(table[i].file, strlen(table[i].file), &ig, &e) < 0)
			fail_msg("%s: %s", table[i].file, e.msg);
		if (ignore_matches(&ig, table[i].path) != table[i].out)
			fail_msg("%s: %s", table[i].file, table[i].path);
	}
}

static void malformed_ignore_files_are_refused(void **state)
{
	static const char *const bad[] = {"!", "[", "[a", "[]", "a\\", "[a-]"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(ignore_done) struct ignore ig = IGNORE_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(ignore_parse(bad[i], strlen(bad[i]), &ig, &e), -1);
		assert_non_null(strstr(e.msg, "line 1"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_finds_what_it_is_for),
		cmocka_unit_test(only_what_the_target_needs_is_checked),
		cmocka_unit_test(build_arguments_and_target_are_respected),
		cmocka_unit_test(ignore_files_are_read_as_dockers),
		cmocka_unit_test(malformed_ignore_files_are_refused),
	};

	return cmocka_run_group_tests_name("dockerfile-lint", tests, NULL, NULL);
}
