/* SPDX-License-Identifier: Apache-2.0 */
/* Between the lexer, the parser and the evaluator of templates. */
#ifndef KOGGE_TEMPLATE_INTERNAL_H
#define KOGGE_TEMPLATE_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "template/template.h"

/* -- lexer ----------------------------------------------------------------------------------- */

enum token_kind {
	TOK_ERROR, /* the lexer's err is set */
	TOK_EOF,
	TOK_TEXT,
	TOK_COMMENT, /* never leaves the lexer */
	TOK_LEFT,    /* {{ */
	TOK_RIGHT,   /* }} */
	TOK_SPACE,
	TOK_FIELD, /* .Name */
	TOK_DOT,
	TOK_VARIABLE, /* $ or $name */
	TOK_IDENT,    /* a function, a keyword, true, false or nil */
	TOK_NUMBER,
	TOK_CHAR,
	TOK_STRING,
	TOK_RAW, /* `string` */
	TOK_PIPE,
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_COMMA,
	TOK_DECLARE, /* := */
	TOK_ASSIGN   /* = */
};

struct token {
	enum token_kind kind;
	uint32_t start, end; /* in the source */
};

struct lexer {
	const char *src;
	uint32_t n, pos;
	uint32_t parens;
	bool in_action, trim_next; /* trim_next: the text that follows loses its leading blanks */
	struct err *e;
};

/* The next token. After TOK_ERROR or TOK_EOF there is no more. */
struct token lexer_next(struct lexer *l);

/* Sets E to "template: :LINE: <formatted>" for the position. Returns -1. */
int lexer_fail(const struct lexer *l, uint32_t pos, const char *fmt, ...) _printf_(3, 4);

/* -- tree ------------------------------------------------------------------------------------ */

enum node_kind {
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_BREAK,
	NODE_CONTINUE,
	NODE_PIPE,
	NODE_COMMAND,
	NODE_FIELD,    /* .A.B */
	NODE_VARIABLE, /* $x.A.B */
	NODE_CHAIN,    /* (pipe).A.B */
	NODE_DOT,
	NODE_NIL,
	NODE_LITERAL,
	NODE_FUNCTION
};

struct function;

struct node {
	enum node_kind kind;
	uint32_t pos;        /* where errors point */
	uint32_t start, end; /* the source that errors quote */
	struct node *next;   /* in a list */

	struct node *pipe;         /* ACTION, IF, WITH, RANGE, CHAIN */
	struct node *body, *other; /* IF, WITH, RANGE: lists */
	struct node *first;        /* PIPE: commands; COMMAND: operands */
	const char **names;        /* FIELD, VARIABLE, CHAIN: the fields */
	size_t n_names;
	size_t slots[2]; /* PIPE: declared or assigned variables; VARIABLE: slots[0] */
	uint8_t n_slots;
	bool assign;   /* PIPE: = rather than := */
	json_t *value; /* LITERAL; owned by the template */
	const struct function *function;
};

struct template
{
	struct arena arena;
	const char *src;
	uint32_t n;
	struct node *list;
	size_t n_slots;      /* variables alive at once, $ included */
	json_t *literals;    /* an array that keeps the literals alive */
	const char **fields; /* see template_fields */
	size_t n_fields;
};

/* Reads a number of N bytes as Go writes them in source. *RET gets a reference. -EINVAL. */
int template_number(const char *s, size_t n, json_t **ret);

/* Undoes the escapes of a Go string or (ONE) rune literal without its quotes. Appends to OUT.
 * Returns 0, with ONE the rune, or a negative errno. */
int template_unquote(const char *s, size_t n, bool one, struct buf *out);

/* Appends the rune C as UTF-8. */
int template_put_rune(struct buf *out, uint32_t c);

/* -- values ---------------------------------------------------------------------------------- */

/* What an expression yields: a reference, or NULL for "no value" (an absent key). */
struct value {
	json_t *j;
	bool map; /* an object that is a map even where objects are structs */
};

#define VALUE_NONE ((struct value){.j = NULL})

void value_done(struct value *v);
bool value_true(const struct value *v, bool structs);

/* The Go name of its type, for messages. */
const char *value_type(const struct value *v);

/* Appends V as fmt.Print does. 0 or a negative errno. */
int value_print(const struct value *v, const struct template_data *d, struct buf *out);

/* A new object's keys in order, as a heap array of borrowed strings; NULL when out of memory or
 * empty. */
const char **value_sorted_keys(json_t *object, size_t *ret_n);

/* The shortest text of D that reads back as D, as Go's %v prints it. */
void value_print_real(double d, char out[40]);

/* -- execution ------------------------------------------------------------------------------- */

struct exec {
	const struct template *t;
	const struct template_data *data;
	struct buf *out;
	struct err *e;
	struct value *slots;
	uint64_t work; /* nodes executed and bytes made: bounded */
	bool structs;
};

/* Counts one step, or N bytes made (32 of them are a step). -1 with E set past the limit. */
int exec_step(struct exec *x);
int exec_work(struct exec *x, uint64_t n);

/* Sets E to "template: :LINE:COL: executing \"\" at <source>: <formatted>". Returns -1. */
int exec_fail(struct exec *x, const struct node *at, const char *fmt, ...) _printf_(3, 4);

/* -- functions ------------------------------------------------------------------------------- */

/* A call: ARGS are borrowed, RET gets a new reference. -1 with the message in E, which the
 * evaluator wraps with "error calling NAME: ". */
struct call {
	struct exec *x;
	const struct value *args;
	size_t n;
};

struct function {
	const char *name;
	int8_t min, max;   /* arguments; max -1: any number */
	bool lazy;         /* and, or: the evaluator does it itself */
	const char *types; /* per argument: s string, i integer, v anything; the last repeats */
	int (*run)(const struct call *c, struct value *ret, struct err *e);
	bool in_headers; /* gives back its first argument in the header line of a table */
};

/* NULL where there is no such function. */
const struct function *function_find(const char *name, size_t n);

/* fmt.Sprintf(args[0], args[1:]...) into OUT. */
int template_printf(const struct call *c, struct buf *out, struct err *e);

#define TEMPLATE_STRING_MAX ((size_t)16 << 20)

#endif
