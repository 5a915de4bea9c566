/* SPDX-License-Identifier: Apache-2.0 */
/* What lists print: tables with aligned columns, --format, and quiet lists. */
#ifndef KOGGE_CLI_OUTPUT_H
#define KOGGE_CLI_OUTPUT_H

#include "cli/cli.h"
#include "template/template.h"

/* A table as Go's text/tabwriter with a minimum width of 10 (Docker uses 10, then 3 blanks
 * between columns): lines of cells. Cells are copied. */
struct table {
	struct arena arena;
	const char **cells; /* row by row; rows end with NULL */
	size_t n;
};

#define TABLE_INIT ((struct table){.arena = ARENA_INIT})

void table_done(struct table *t);

/* Adds a line whose cells are separated by tabs. 0, or -1 when out of memory. */
int table_line(struct table *t, const char *line);

/* Prints the lines: each column as wide as its widest cell and 3 more (at least 10 wide), the last
 * cell of a line as it is. */
void table_print(const struct table *t, FILE *to);

/* The same with columns of at least LEAST. */
void table_print_wide(const struct table *t, size_t least, FILE *to);

/* What a list can show. Rows are JSON objects with the names of columns as keys. */
struct listing {
	const char *struct_type;    /* for messages: "*formatter.imageContext" */
	const char *const *headers; /* pairs: field, header; ends with NULL */
	const char *default_format; /* of the table: "{{.ID}}\t{{.Size}}" */
	const char *quiet_format;   /* for -q */
	const struct template_method *methods;
	const char *const *json_skip; /* fields that --format json leaves out; or NULL */
};

/* Prints ROWS (an array) in FORMAT: NULL or "table": the default table; "table T"; "json" or
 * "raw"-less templates: one line each. QUIET as Docker: alone it takes the quiet format. */
int listing_print(struct cli_context *c, const struct listing *l, const char *format, bool quiet,
		  json_t *rows, struct err *e);

/* The same row by row, where the rows need not be there all at once: begin, put each, end. What a
 * table shows comes at the end, whole. */
#define LISTING_LINE_MAX ((size_t)64 << 20)

struct listing_run {
	struct cli_context *c;
	const struct listing *l;
	struct template *template; /* NULL: JSON */
	bool tabled;
	struct table table;
	struct buf line;
};

#define LISTING_RUN_INIT(context, listing)                                                         \
	((struct listing_run){.c = (context),                                                      \
			      .l = (listing),                                                      \
			      .table = TABLE_INIT,                                                 \
			      .line = BUF_INIT(LISTING_LINE_MAX)})

int listing_begin(struct listing_run *r, const char *format, bool quiet, struct err *e);
/* ROW is borrowed; with JSON it loses what is not shown. */
int listing_put(struct listing_run *r, json_t *row, struct err *e);
/* A row that the caller has put together as the format says; not with JSON. */
int listing_put_line(struct listing_run *r, const char *line, struct err *e);
void listing_end(struct listing_run *r);
void listing_run_done(struct listing_run *r);

/* Executes the template FORMAT ("json" is {{json .}}) on one object and prints a line: for
 * `info` and `version`. STRUCT_TYPE and MAPS as in struct template_data. */
int format_print(struct cli_context *c, const char *format, json_t *object, const char *struct_type,
		 const char *const *maps, struct err *e);

/* Prints an array of objects as `inspect` does: with four blanks of indent, or by FORMAT for each;
 * a field that the struct lacks is looked up as in raw JSON, as Docker does. Returns the
 * exit code, with E set where it is not 0. */
enum { CLI_BAD_TEMPLATE = 64 };
int inspect_print(struct cli_context *c, const char *format, json_t *objects, struct err *e);

/* TEXT (UTF-8) with at most MAX characters, of which the last is an ellipsis where there were more;
 * in A or TEXT itself. NULL when out of memory. */
const char *text_cut(struct arena *a, const char *text, size_t max);

/* -- small things ----------------------------------------------------------------------------- */

/* --filter: "name=value". */
int filter_check(const char *value, struct err *e);

/* The values given for NAME, NULL-terminated in the arena (an empty vector where there are none).
 * NULL when out of memory. */
const char *const *filter_values(struct cli_context *c, const struct cli_list *filters,
				 const char *name);

/* -1 with E ("invalid filter 'x'") where a filter has a name that ALLOWED lacks. */
int filter_allow(const struct cli_list *filters, const char *const *allowed, struct err *e);

/* Asks TEXT on the output and reads an answer from the input: true for yes. A verb that was not
 * wanted then ends with 0, as Docker's do. */
bool cli_confirm(struct cli_context *c, const char *text);

/* Prints "Error response" lines of a verb with several arguments: "kogge: message". */
void cli_complain(struct cli_context *c, const struct err *e);

#endif
