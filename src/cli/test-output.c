/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"
#include "cli/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static char text[4096];

/* A stream into TEXT. */
static FILE *capture(void)
{
	memset(text, 0, sizeof(text));
	return fmemopen(text, sizeof(text) - 1, "w");
}

static const char *const headers[] = {"ID", "IMAGE ID", "Tag", "TAG", "Label", "LABEL", NULL};

static const struct listing list = {.struct_type = "*formatter.imageContext",
				    .headers = headers,
				    .default_format = "{{.ID}}\t{{.Tag}}",
				    .quiet_format = "{{.ID}}"};

static const char *print(const char *format, bool quiet)
{
	struct cli_context c = {.arena = ARENA_INIT, .out = capture()};
	json_t *rows = json_pack("[{s:s, s:s}, {s:s, s:s}]", "ID", "ef96f4b39c39", "Tag",
				 "a-very-long-tag", "ID", "1", "Tag", "<b>");
	static struct err e;
	int r;

	e = ERR_INIT;
	r = listing_print(&c, &list, format, quiet, rows, &e);
	fclose(c.out);
	json_decref(rows);
	arena_done(&c.arena);
	return r < 0 ? e.msg : text;
}

static void tables_are_aligned_as_tabwriter_does(void **state)
{
	assert_string_equal(print(NULL, false), "IMAGE ID       TAG\n"
						"ef96f4b39c39   a-very-long-tag\n"
						"1              <b>\n");
	assert_string_equal(print("table {{.Tag}}\\t{{.ID | upper}}", false),
			    "TAG               IMAGE ID\n"
			    "a-very-long-tag   EF96F4B39C39\n"
			    "<b>               1\n");
}

static void columns_are_at_least_ten_wide(void **state)
{
	struct table t = TABLE_INIT;
	FILE *f = capture();

	assert_int_equal(table_line(&t, "A\tB\tC"), 0);
	assert_int_equal(table_line(&t, "1\t\t3"), 0);
	table_print(&t, f);
	fclose(f);
	table_done(&t);
	assert_string_equal(text, "A         B         C\n1                   3\n");
}

static void formats_print_lines(void **state)
{
	assert_string_equal(print("{{.Tag}}", false), "a-very-long-tag\n<b>\n");
	assert_string_equal(print(NULL, true), "ef96f4b39c39\n1\n");
	assert_string_equal(print("json", false),
			    "{\"ID\":\"ef96f4b39c39\",\"Tag\":\"a-very-long-tag\"}\n"
			    "{\"ID\":\"1\",\"Tag\":\"\\u003cb\\u003e\"}\n");
}

static void a_wrong_field_is_told_as_docker_does(void **state)
{
	assert_string_equal(
		print("{{.Foo}}", false),
		"template parsing error: template: :1:2: executing \"\" at <.Foo>: can't "
		"evaluate field Foo in type *formatter.imageContext");
}

static void help_wraps_as_pflag_does(void **state)
{
	static const struct cli_option options[] = {
		{"memory", 'm', CLI_BYTES, 0, "Memory limit"},
		{"add-host", 0, CLI_LIST, 0, "Add a custom host-to-IP mapping (host:ip)"},
		{"memory-reservation-and-more", 0, CLI_BYTES, 0,
		 "one two three four five six seven eight nine ten eleven twelve",
		 .default_text = "1"},
		{"hidden", 0, CLI_BOOL, 0, "", .flags = CLI_HIDDEN},
		{NULL},
	};
	FILE *f = capture();

	cli_help_options(options, 80, f);
	fclose(f);
	assert_string_equal(
		text, "      --add-host list                       Add a custom host-to-IP\n"
		      "                                            mapping (host:ip)\n"
		      "  -m, --memory bytes                        Memory limit\n"
		      "      --memory-reservation-and-more bytes   one two three four five six\n"
		      "                                            seven eight nine ten eleven\n"
		      "                                            twelve (default 1)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_aligned_as_tabwriter_does),
		cmocka_unit_test(columns_are_at_least_ten_wide),
		cmocka_unit_test(formats_print_lines),
		cmocka_unit_test(a_wrong_field_is_told_as_docker_does),
		cmocka_unit_test(help_wraps_as_pflag_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
