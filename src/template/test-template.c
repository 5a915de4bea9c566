/* SPDX-License-Identifier: Apache-2.0 */
/* The expected texts are what Docker 28's client printed for the same templates. */
#include "template/template.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char document[] =
	"{\"Id\":\"sha256:ef96\",\"RepoTags\":[\"bb:1\",\"bb:2\"],\"Size\":1982328,\"Os\":"
	"\"linux\","
	"\"Ratio\":0.1,\"Big\":1e21,\"Flag\":true,\"Off\":false,\"Nothing\":null,\"Empty\":[],"
	"\"Config\":{\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"x\":\"y\",\"a.b\":\"c\"},"
	"\"Volumes\":null},"
	"\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\"},{\"Type\":\"tmpfs\",\"Source\":\"\"}]}";

enum world { MAPS, STRICT_MAPS, STRUCTS, HEADERS };

static json_t *label(const json_t *self, const char *const *args, struct err *e)
{
	const json_t *labels = json_object_get(json_object_get(self, "Config"), "Labels");
	json_t *v = json_object_get(labels, args[0]);

	return v ? json_incref(v) : json_string("");
}

/* What SOURCE gives, or its error message. */
static const char *run(enum world world, const char *source, struct buf *out)
{
	static const char *const maps[] = {"Labels", NULL};
	static const struct template_method methods[] = {{"Label", 1, label}, {NULL}};
	static struct err e;
	_cleanup_(template_freep) struct template *t = template_parse(source, strlen(source), &e);
	struct template_data data = {.missing_is_error = world == STRICT_MAPS,
				     .headers = world == HEADERS};
	int r;

	buf_clear(out);
	if (!t)
		return e.msg;
	if (world == STRUCTS) {
		data.struct_type = "*formatter.imageContext";
		data.maps = maps;
		data.methods = methods;
	}
	data.value = json_loads(document, 0, NULL);
	r = template_execute(t, &data, out, &e);
	json_decref(data.value);
	return r < 0 ? e.msg : buf_str(out);
}

struct row {
	const char *source, *expected;
};

static void check(enum world world, const struct row *rows, size_t n)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(1 << 24);

	for (size_t i = 0; i < n; i++) {
		const char *got = run(world, rows[i].source, &out);

		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("%s\n  gave     %s\n  expected %s", rows[i].source, got,
				 rows[i].expected);
	}
}

static void values_print_as_in_go(void **state)
{
	static const struct row rows[] = {
		{"a{{.Id}}b", "asha256:ef96b"},
		{"{{.Size}} {{.Ratio}} {{.Big}} {{.Flag}}", "1982328 0.1 1e+21 true"},
		{"{{.RepoTags}}", "[bb:1 bb:2]"},
		{"{{.Config.Labels}}", "map[a.b:c x:y]"},
		{"{{.Config.Labels.foo}}", "<no value>"},
		{"{{.A.B}}", "<no value>"},
		{"{{json .Config}}", "{\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"x\":\"y\",\"a.b\":"
				     "\"c\"},\"Volumes\":null}"},
		{"{{json .Os}}", "\"linux\""},
		{"{{println .RepoTags 1 \"a\" true nil}}", "[bb:1 bb:2] 1 a true <nil>\n"},
		{"{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"},
		{"{{`raw\\n`}}{{\"a\\tb\\u00e4\\x41\"}}{{'a'}} {{0x1F}} {{1_000}} {{1e3}} {{-5}}",
		 "raw\\na\tb\xc3\xa4"
		 "A97 31 1000 1000 -5"},
	};

	check(MAPS, rows, ARRAY_SIZE(rows));
}

static void control_structures_work(void **state)
{
	static const struct row rows[] = {
		{"{{range .RepoTags}}<{{.}}>{{end}}", "<bb:1><bb:2>"},
		{"{{range $i, $t := .RepoTags}}{{$i}}={{$t}} {{end}}", "0=bb:1 1=bb:2 "},
		{"{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a.b=c;x=y;"},
		{"{{range .Empty}}x{{else}}none{{end}}", "none"},
		{"{{range .RepoTags}}{{if eq . \"bb:2\"}}{{break}}{{end}}{{.}}{{end}}", "bb:1"},
		{"{{range .RepoTags}}{{if eq . \"bb:1\"}}{{continue}}{{end}}{{.}}{{end}}", "bb:2"},
		{"{{range 3}}{{.}}{{end}}", "012"},
		{"{{if .Flag}}a{{else}}b{{end}}{{if .Off}}c{{else if .Size}}d{{else}}e{{end}}",
		 "ad"},
		{"{{with .Config}}{{index .Env 0}}{{end}}{{with .Nothing}}x{{else}}y{{end}}",
		 "A=1y"},
		{"{{$x := .Os}}{{if true}}{{$x = \"b\"}}{{end}}{{$x}}{{$.Os}}", "blinux"},
		{"a {{- /* c */ -}} b {{- .Os -}}  c", "ablinuxc"},
		{"a {{/* c */}} b", "a  b"},
		{"{{with $x := .Size}}{{$x}}{{end}}", "1982328"},
		{"{{range .Mounts}}{{if eq .Type \"bind\"}}{{.Source}}{{end}}{{end}}", "/a"},
		{"{{(index .Mounts 1).Type}}", "tmpfs"},
	};

	check(MAPS, rows, ARRAY_SIZE(rows));
}

static void functions_do_what_gos_do(void **state)
{
	static const struct row rows[] = {
		{"{{upper .Os}} {{.Os | title}} {{lower \"AB\"}}", "LINUX Linux ab"},
		{"{{join .RepoTags \",\"}} {{split .Id \":\"}} {{len .RepoTags}}{{len .Os}}",
		 "bb:1,bb:2 [sha256 ef96] 25"},
		{"{{index .RepoTags 1}} {{index .Config.Labels \"a.b\"}}", "bb:2 c"},
		{"{{slice .Id 0 3}} {{slice .RepoTags 1}}", "sha [bb:2]"},
		{"{{pad .Os 1 2}}| {{truncate .Os 3}} {{truncate .Os 30}}", " linux  | lin linux"},
		{"{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge 1 2}}",
		 "true true true true true false"},
		{"{{and 1 0 2}} {{or 0 \"\" 3}} {{not 0}} {{and true .Os}}", "0 3 true linux"},
		{"{{printf \"%d|%5d|%-5d|%05d|%x|%s|%q|%v|%t\" 1 2 3 4 255 \"a\" \"b\" .RepoTags "
		 "true}}",
		 "1|    2|3    |00004|ff|a|\"b\"|[bb:1 bb:2]|true"},
		{"{{printf \"%d\" \"a\"}} {{printf \"%d\"}} {{printf \"a\" 1}} {{printf \"%\"}}",
		 "%!d(string=a) %!d(MISSING) a%!(EXTRA int=1) %!(NOVERB)"},
		{"{{printf \"%.2f %6.1f %e\" 1.5 2.25 1000.0}}", "1.50    2.2 1.000000e+03"},
		{"{{printf \"%T %T %c\" 1 \"a\" 65}}", "int string A"},
		{"{{html \"<a>\"}} {{urlquery \"a b&\"}} {{js \"'\"}}", "&lt;a&gt; a+b%26 \\'"},
	};

	check(MAPS, rows, ARRAY_SIZE(rows));
}

static void parse_errors_are_gos(void **state)
{
	static const struct row rows[] = {
		{"{{", "template: :1: unclosed action"},
		{"a\n{{foo}}", "template: :2: function \"foo\" not defined"},
		{"{{if}}", "template: :1: missing value for if"},
		{"{{range}}", "template: :1: missing value for range"},
		{"{{end}}", "template: :1: unexpected {{end}}"},
		{"{{else}}", "template: :1: unexpected {{else}}"},
		{"{{if .A}}", "template: :1: unexpected EOF"},
		{"{{$x}}", "template: :1: undefined variable \"$x\""},
		{"{{\"abc}}", "template: :1: unterminated quoted string"},
		{"{{'ab'}}", "template: :1: malformed character constant: 'ab'"},
		{"{{break}}", "template: :1: {{break}} outside {{range}}"},
		{"{{()}}", "template: :1: missing value for parenthesized pipeline"},
		{"{{(.Id}}", "template: :1: unclosed left paren"},
		{"{{.Id)}}", "template: :1: unexpected right paren"},
		{"{{.Id | foo", "template: :1: function \"foo\" not defined"},
		{"{{}}", "template: :1: missing value for command"},
		{"{{define \"x\"}}", "template: :1: {{define}} is not supported here"},
	};

	check(MAPS, rows, ARRAY_SIZE(rows));
}

static void execution_errors_are_gos(void **state)
{
	static const struct row rows[] = {
		{"{{.Foo}}",
		 "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\""},
		{"{{.A.B}}",
		 "template: :1:4: executing \"\" at <.A.B>: map has no entry for key \"A\""},
		{"{{.Config.Foo}}", "template: :1:9: executing \"\" at <.Config.Foo>: map has no "
				    "entry for key \"Foo\""},
		{"{{.Id.Foo}}", "template: :1:5: executing \"\" at <.Id.Foo>: can't evaluate field "
				"Foo in type interface {}"},
		{"{{join .Id}}",
		 "template: :1:2: executing \"\" at <join>: wrong number of args for "
		 "join: want 2 got 1"},
		{"{{index .RepoTags 9}}", "template: :1:2: executing \"\" at <index .RepoTags 9>: "
					  "error calling index: index "
					  "out of range: 9"},
		{"{{.Id 3}}", "template: :1:2: executing \"\" at <.Id>: Id is not a method but has "
			      "arguments"},
		{"{{\"x\" 3}}", "template: :1:2: executing \"\" at <\"x\">: can't give argument to "
				"non-function \"x\""},
		{"{{len 3}}",
		 "template: :1:2: executing \"\" at <len 3>: error calling len: len of type int"},
		{"{{eq .Id 3}}", "template: :1:2: executing \"\" at <eq .Id 3>: error calling eq: "
				 "incompatible types for comparison"},
		{"{{lt 1 2 3}}", "template: :1:2: executing \"\" at <lt>: wrong number of args for "
				 "lt: want 2 got 3"},
		{"{{nil}}", "template: :1:2: executing \"\" at <nil>: nil is not a command"},
		{"{{printf}}",
		 "template: :1:2: executing \"\" at <printf>: wrong number of args for "
		 "printf: want at least 1 got 0"},
		{"{{upper 3}}", "template: :1:8: executing \"\" at <3>: expected string; found 3"},
		{"{{upper .RepoTags}}", "template: :1:8: executing \"\" at <.RepoTags>: wrong type "
					"for value; expected string; got []interface {}"},
	};

	check(STRICT_MAPS, rows, ARRAY_SIZE(rows));
}

static void structs_know_their_fields(void **state)
{
	static const struct row rows[] = {
		{"{{.Foo}}",
		 "template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in "
		 "type *formatter.imageContext"},
		{"{{.Config.Labels.foo}}", "<no value>"},
		{"{{index .Config.Labels \"q\"}}|", "|"},
		{"{{.Config}}", "{[A=1 B=2] map[a.b:c x:y] []}"},
		{"{{.Label \"x\"}}|{{.Label \"z\"}}", "y|"},
		{"{{with .Label \"x\"}}{{.}}{{end}}", "y"},
		{"{{.Id.Foo}}", "template: :1:5: executing \"\" at <.Id.Foo>: can't evaluate field "
				"Foo in type string"},
	};

	check(STRUCTS, rows, ARRAY_SIZE(rows));
}

static void functions_keep_headers_as_they_are(void **state)
{
	static const struct row rows[] = {
		{"{{upper .Os}} {{json .Os}} {{truncate .Os 2}} {{join .Os \"x\"}} {{pad .Os 1 1}}",
		 "linux linux linux linux linux"},
	};

	check(HEADERS, rows, ARRAY_SIZE(rows));
}

static void endless_work_is_stopped(void **state)
{
	static const struct row rows[] = {
		{"{{range 1000000000}}{{end}}", "template: it takes too many steps"},
		{"{{$x := \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}{{range 100}}{{$x = print $x \"\" "
		 "$x}}"
		 "{{end}}",
		 "template: a text is too long or nests too deep"},
	};

	check(MAPS, rows, ARRAY_SIZE(rows));
}

static void nesting_is_bounded(void **state)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(1 << 20), source = BUF_INIT(1 << 20);

	buf_puts(&source, "{{");
	for (int i = 0; i < 1000; i++)
		buf_putc(&source, '(');
	assert_string_equal(run(MAPS, buf_str(&source), &out), "template: nested deeper than 64");
}

static void fields_are_listed_once(void **state)
{
	static const char source[] = "{{.Size}}{{.Id}}{{.Size}}{{$.Os}}{{range .A.B}}{{end}}";
	_cleanup_(template_freep) struct template *t = template_parse(source, strlen(source), NULL);
	const char *const *f = template_fields(t);

	assert_string_equal(f[0], "Size");
	assert_string_equal(f[1], "Id");
	assert_string_equal(f[2], "Os");
	assert_string_equal(f[3], "A");
	assert_null(f[4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_print_as_in_go),
		cmocka_unit_test(control_structures_work),
		cmocka_unit_test(functions_do_what_gos_do),
		cmocka_unit_test(parse_errors_are_gos),
		cmocka_unit_test(execution_errors_are_gos),
		cmocka_unit_test(structs_know_their_fields),
		cmocka_unit_test(functions_keep_headers_as_they_are),
		cmocka_unit_test(endless_work_is_stopped),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(fields_are_listed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
