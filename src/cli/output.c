/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define OUTPUT_MAX   LISTING_LINE_MAX
#define COLUMN_MIN   10
#define COLUMN_SPACE 3

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

void cli_complain(struct cli_context *c, const struct err *e)
{
	fprintf(c->err, "%s: %s\n", c->program, e->msg);
}

/* -- templates ------------------------------------------------------------------------------- */

static struct template *parse_format(const char *format, struct err *e)
{
	struct template *t = template_parse(format, strlen(format), e);

	if (!t)
		(void)err_wrap(e, "template parsing error");
	return t;
}

int format_print(struct cli_context *c, const char *format, json_t *object, const char *struct_type,
		 const char *const *maps, struct err *e)
{
	const char *source = str_eq(format, "json") ? "{{json .}}" : format;
	_cleanup_(template_freep) struct template *t = parse_format(source, e);
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	struct template_data d = {.value = object, .struct_type = struct_type, .maps = maps};

	if (!t)
		return -1;
	if (template_execute(t, &d, &out, e) < 0)
		return err_wrap(e, "template parsing error");
	fprintf(c->out, "%s\n", buf_str(&out));
	return 0;
}

/* The fields of Docker's objects that are maps in Go. */
static const char *const inspect_maps[] = {
	"Labels",     "ExposedPorts", "Volumes",     "Networks", "Ports",
	"Data",       "Sysctls",      "Annotations", "Tmpfs",    "PortBindings",
	"StorageOpt", "Options",      "DriverOpts",  NULL};

/* Forgets what came after the first N bytes. */
static void cut_back(struct buf *out, size_t n)
{
	if (out->data)
		out->data[n] = '\0';
	out->len = n;
}

/* First as structs, then as raw JSON. */
static int inspect_one(const struct template *t, json_t *object, struct buf *out, struct err *e)
{
	struct template_data d = {
		.value = object, .struct_type = "container", .maps = inspect_maps};
	size_t before = out->len;

	if (template_execute(t, &d, out, e) == 0)
		return 0;
	cut_back(out, before);
	d = (struct template_data){.value = object, .missing_is_error = true};
	*e = ERR_INIT;
	if (template_execute(t, &d, out, e) == 0)
		return 0;
	cut_back(out, before);
	return err_wrap(e, "template parsing error");
}

static int inspect_whole(struct cli_context *c, json_t *objects, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);

	if (json_array_size(objects) == 0) {
		fputs("[]\n", c->out);
		return 0;
	}
	if (json_write(objects, JSON_INDENT(4), &out) < 0)
		return fail_oom(e);
	fprintf(c->out, "%s\n", buf_str(&out));
	return 0;
}

int inspect_print(struct cli_context *c, const char *format, json_t *objects, struct err *e)
{
	_cleanup_(template_freep) struct template *t = NULL;
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	json_t *object;
	size_t i;
	int r = 0;

	if (str_empty(format))
		return inspect_whole(c, objects, e) < 0;
	t = parse_format(str_eq(format, "json") ? "{{json .}}" : format, e);
	if (!t)
		return CLI_BAD_TEMPLATE;
	json_array_foreach (objects, i, object) {
		r = inspect_one(t, object, &out, e);
		if (r < 0 || buf_putc(&out, '\n') < 0)
			break;
	}
	if (r < 0)
		(void)buf_putc(&out, '\n');
	fputs(buf_str(&out), c->out);
	return r < 0;
}

/* -- tables ---------------------------------------------------------------------------------- */

void table_done(struct table *t)
{
	arena_done(&t->arena);
}

int table_line(struct table *t, const char *line)
{
	for (;;) {
		size_t n = strcspn(line, "\t");
		char *cell = arena_strndup(&t->arena, line, n);

		if (!cell || arena_strv_push(&t->arena, &t->cells, &t->n, cell) < 0)
			return -1;
		line += n;
		if (!*line++)
			break;
	}
	return arena_strv_push(&t->arena, &t->cells, &t->n, NULL);
}

static size_t runes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

#define COLUMNS_MAX 64

/* Like tabwriter, a column is a block of consecutive lines that have a cell there which a tab
 * ends; lists have the same cells in every line, so one block is enough. */
void table_print_wide(const struct table *t, size_t least, FILE *to)
{
	size_t width[COLUMNS_MAX] = {0}, column = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->cells[i]) {
			column = 0;
			continue;
		}
		if (t->cells[i + 1] && column < COLUMNS_MAX)
			width[column] = MAX(width[column], runes(t->cells[i]) + COLUMN_SPACE);
		column++;
	}
	column = 0;
	for (size_t i = 0; i < t->n; i++) {
		size_t n;

		if (!t->cells[i]) {
			fputc('\n', to);
			column = 0;
			continue;
		}
		fputs(t->cells[i], to);
		n = column < COLUMNS_MAX ? MAX(width[column], least) : 0;
		if (t->cells[i + 1])
			fprintf(to, "%*s", (int)(n - MIN(n, runes(t->cells[i]))), "");
		column++;
	}
}

void table_print(const struct table *t, FILE *to)
{
	table_print_wide(t, COLUMN_MIN, to);
}

/* -- lists ----------------------------------------------------------------------------------- */

/* "{{.ID}}\t{{.Size}}" on the command line has a backslash and a t. */
static char *unescape(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s), *w = out;

	for (; out && *s; s++) {
		if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n'))
			*w++ = *++s == 't' ? '\t' : '\n';
		else
			*w++ = *s;
	}
	if (out)
		*w = '\0';
	return out;
}

static int put_row(const struct template *t, const struct listing *l, json_t *row, bool header,
		   struct buf *out, struct err *e)
{
	struct template_data d = {.value = row,
				  .struct_type = header ? NULL : l->struct_type,
				  .methods = header ? NULL : l->methods,
				  .headers = header};

	if (template_execute(t, &d, out, e) < 0)
		return err_wrap(e, "template parsing error");
	return 0;
}

static json_t *header_row(const struct listing *l)
{
	json_t *row = json_object();

	for (size_t i = 0; l->headers[i]; i += 2)
		(void)json_object_set_new(row, l->headers[i], json_string(l->headers[i + 1]));
	return row;
}

/* {{.Label "x"}} in a header line is the label's name in Docker; here the word LABEL. */
static json_t *header_label(const json_t *self, const char *const *args, struct err *e)
{
	return json_string(args[0]);
}

static int put_header(const struct template *t, const struct listing *l, struct buf *out,
		      struct err *e)
{
	static const struct template_method label[] = {{"Label", 1, header_label}, {NULL}};
	_cleanup_(json_unref) json_t *row = header_row(l);
	struct template_data d = {
		.value = row, .struct_type = "header", .methods = label, .headers = true};

	if (template_execute(t, &d, out, e) == 0)
		return 0;
	buf_clear(out);
	d.struct_type = NULL;
	d.methods = NULL;
	return template_execute(t, &d, out, e) < 0 ? err_wrap(e, "template parsing error") : 0;
}

/* Go's encoding/json escapes what HTML minds; only strings can hold it. */
static void put_escaped(const char *s, FILE *to)
{
	for (; *s; s++) {
		if (strchr("<>&", *s))
			fprintf(to, "\\u%04x", (unsigned)*s);
		else
			fputc(*s, to);
	}
	fputc('\n', to);
}

static int put_json(struct listing_run *r, json_t *row, struct err *e)
{
	for (size_t k = 0; r->l->json_skip && r->l->json_skip[k]; k++)
		(void)json_object_del(row, r->l->json_skip[k]);
	if (json_write(row, JSON_COMPACT | JSON_SORT_KEYS, &r->line) < 0)
		return fail_oom(e);
	put_escaped(buf_str(&r->line), r->c->out);
	return 0;
}

int listing_begin(struct listing_run *r, const char *format, bool quiet, struct err *e)
{
	bool table = str_empty(format) || str_eq(format, "table");
	const char *after = str_after(str_empty(format) ? "" : format, "table ");

	if (!table && (str_eq(format, "json") || str_eq(format, "{{json .}}")))
		return 0;
	if (quiet && table)
		format = r->l->quiet_format;
	else
		format = unescape(&r->c->arena, table   ? r->l->default_format
						: after ? after
							: format);
	if (!format)
		return fail_oom(e);
	r->template = parse_format(format, e);
	if (!r->template)
		return -1;
	r->tabled = (table && !quiet) || after;
	if (!r->tabled)
		return 0;
	if (put_header(r->template, r->l, &r->line, e) < 0)
		return -1;
	return table_line(&r->table, buf_str(&r->line)) < 0 ? fail_oom(e) : 0;
}

int listing_put_line(struct listing_run *r, const char *line, struct err *e)
{
	if (r->tabled)
		return table_line(&r->table, line) < 0 ? fail_oom(e) : 0;
	fputs(line, r->c->out);
	fputc('\n', r->c->out);
	return 0;
}

int listing_put(struct listing_run *r, json_t *row, struct err *e)
{
	buf_clear(&r->line);
	if (!r->template)
		return put_json(r, row, e);
	if (put_row(r->template, r->l, row, false, &r->line, e) < 0)
		return -1;
	return listing_put_line(r, buf_str(&r->line), e);
}

void listing_end(struct listing_run *r)
{
	if (r->tabled)
		table_print(&r->table, r->c->out);
}

void listing_run_done(struct listing_run *r)
{
	table_done(&r->table);
	buf_done(&r->line);
	template_freep(&r->template);
}

int listing_print(struct cli_context *c, const struct listing *l, const char *format, bool quiet,
		  json_t *rows, struct err *e)
{
	_cleanup_(listing_run_done) struct listing_run r = LISTING_RUN_INIT(c, l);
	json_t *row;
	size_t i;

	if (listing_begin(&r, format, quiet, e) < 0)
		return -1;
	json_array_foreach (rows, i, row)
		if (listing_put(&r, row, e) < 0)
			return -1;
	listing_end(&r);
	return 0;
}

/* -- filters, questions ------------------------------------------------------------------------ */

int filter_check(const char *value, struct err *e)
{
	if (strchr(value, '=') && value[0] != '=')
		return 0;
	return err_set(e, ERR_INVALID, 0, "bad format of filter (expected name=value)");
}

const char *const *filter_values(struct cli_context *c, const struct cli_list *filters,
				 const char *name)
{
	const char **v = arena_array(&c->arena, filters->n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v && i < filters->n; i++) {
		const char *after = str_after(filters->v[i], name);

		if (after && *after == '=')
			v[n++] = after + 1;
	}
	return (const char *const *)v;
}

int filter_allow(const struct cli_list *filters, const char *const *allowed, struct err *e)
{
	for (size_t i = 0; i < filters->n; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%.*s",
			       (int)MIN(strcspn(filters->v[i], "="), sizeof(name) - 1),
			       filters->v[i]);
		if (!strv_has(allowed, name))
			return err_set(e, ERR_INVALID, 0, "invalid filter '%s'", name);
	}
	return 0;
}

bool cli_confirm(struct cli_context *c, const char *text)
{
	char answer = 0, byte;

	fprintf(c->out, "%s [y/N] ", text);
	fflush(c->out);
	while (read(c->in_fd, &byte, 1) == 1 && byte != '\n')
		if (!answer && byte != ' ')
			answer = byte;
	return answer == 'y' || answer == 'Y';
}

const char *text_cut(struct arena *a, const char *text, size_t max)
{
	size_t n = 0, cut = 0;

	for (const char *p = text; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80 && n++ == max - 1)
			cut = (size_t)(p - text);
	return n <= max ? text : arena_printf(a, "%.*s…", (int)cut, text);
}
