/* SPDX-License-Identifier: Apache-2.0 */
/* Go's text/template, as far as `--format` needs it, over JSON values. Written after the package's
 * documentation (pkg.go.dev/text/template) and Docker's functions (docker/cli templates package):
 *
 *   {{.A.B}} pipelines, parentheses, $variables, if / else if / else, with, range (element, index,
 *   else, break, continue), comments, {{- trim -}}, literals; and or not eq ne lt le gt ge len
 *   index slice print printf println html js urlquery; json split join title lower upper pad
 *   truncate
 *
 * define, template, block and call are refused by name. A JSON object is a map to the template
 * unless the caller says that it is a struct: a missing key of a map prints "<no value>", a
 * missing field of a struct is an error.
 *
 * Limits: source 64 KiB, nesting 64, TEMPLATE_STEPS_MAX nodes executed, TEMPLATE_OUTPUT_MAX bytes
 * written; passing one is ERR_LIMIT. Templates come from the user, data from anywhere; a parsed
 * template is immutable and may be executed many times. */
#ifndef KOGGE_TEMPLATE_TEMPLATE_H
#define KOGGE_TEMPLATE_TEMPLATE_H

#include "base/err.h"

#include <jansson.h>

struct buf;
struct template;

#define TEMPLATE_SOURCE_MAX ((size_t)64 << 10)
#define TEMPLATE_OUTPUT_MAX ((size_t)64 << 20)
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define TEMPLATE_STEPS_MAX 20000 /* a fuzzer has better to do than to count */
#else
#define TEMPLATE_STEPS_MAX 2000000
#endif
#define TEMPLATE_DEPTH_MAX 64

/* Parses SOURCE of N bytes. NULL with E set (ERR_INVALID) in Go's words, "template: :1: unclosed
 * action". */
struct template *template_parse(const char *source, size_t n, struct err *e);
void template_free(struct template *t);
DEFINE_FREEP(struct template, template_free)

/* What a template may call on a struct: {{.Label "name"}}. Returns a new reference, or NULL with
 * E set. SELF is the object, ARGS holds n_args strings. */
struct template_method {
	const char *name;
	size_t n_args;
	json_t *(*call)(const json_t *self, const char *const *args, struct err *e);
};

/* How the data is to be seen. */
struct template_data {
	json_t *value; /* borrowed; what {{.}} is */

	/* The Go type of the top object where the data stands for structs
	 * ("*formatter.imageContext"): a missing field is then an error that names it. NULL: every
	 * object is a map. */
	const char *struct_type;

	/* Where the data stands for structs: the names of the fields whose objects are maps
	 * nevertheless ("Labels"). NULL-terminated, or NULL. */
	const char *const *maps;

	/* Ends with a row without a name; or NULL. */
	const struct template_method *methods;

	uint64_t steps_max;    /* 0: TEMPLATE_STEPS_MAX */
	bool missing_is_error; /* Go's option "missingkey=error" */
	bool headers; /* the functions json, join, upper, ... leave their argument as it is: for
		       * the header line of a table */
};

/* Executes T over DATA and appends what it writes to OUT. -1 with E set in Go's words
 * ("template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type T"). */
int template_execute(const struct template *t, const struct template_data *data, struct buf *out,
		     struct err *e);

/* The names of the fields that T reads ("Size" for {{.Size}} and {{$.Size}}), each once, in order
 * of appearance, for tables whose columns cost something. NULL-terminated, valid as long as T. */
const char *const *template_fields(const struct template *t);

#endif
