/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of templates: recursive descent after Go's text/template/parse. Variables are
 * resolved to slots while parsing: the slot of a variable is its depth in the stack of variables
 * that are alive, so that the evaluator needs no names. */
#include "template/template-internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define VARS_MAX 256

struct parser {
	struct lexer lex;
	struct token tok; /* one token of lookahead */
	struct template *t;
	const char *vars[VARS_MAX];
	size_t n_vars;
	unsigned depth, range_depth;
	struct err *e;
};

static void advance(struct parser *p)
{
	p->tok = lexer_next(&p->lex);
}

static int fail_oom(struct parser *p)
{
	return err_set(p->e, ERR_LIMIT, 0, "template: out of memory");
}

static char *token_text(struct parser *p, struct token tok)
{
	return arena_strndup(&p->t->arena, p->t->src + tok.start, tok.end - tok.start);
}

static bool token_is(const struct parser *p, const char *word)
{
	size_t n = p->tok.end - p->tok.start;

	return p->tok.kind == TOK_IDENT && strlen(word) == n &&
	       memcmp(p->t->src + p->tok.start, word, n) == 0;
}

static int unexpected(struct parser *p, const char *context)
{
	int n = (int)MIN(p->tok.end - p->tok.start, 20U);

	if (p->tok.kind == TOK_ERROR)
		return -1;
	if (p->tok.kind == TOK_EOF)
		return lexer_fail(&p->lex, p->tok.start, "unexpected EOF");
	return lexer_fail(&p->lex, p->tok.start, "unexpected \"%.*s\" in %s", n,
			  p->t->src + p->tok.start, context);
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
	struct node *n = arena_alloc(&p->t->arena, sizeof(*n));

	if (!n) {
		(void)fail_oom(p);
		return NULL;
	}
	n->kind = kind;
	n->pos = n->start = p->tok.start;
	n->end = p->tok.end;
	return n;
}

static void skip_space(struct parser *p)
{
	while (p->tok.kind == TOK_SPACE)
		advance(p);
}

/* Parsing goes as deep as the source nests; the stack does not. */
static int deeper(struct parser *p)
{
	if (++p->depth <= TEMPLATE_DEPTH_MAX)
		return 0;
	return err_set(p->e, ERR_LIMIT, 0, "template: nested deeper than %d", TEMPLATE_DEPTH_MAX);
}

static int note_field(struct parser *p, const char *name)
{
	struct template *t = p->t;

	if (strv_has(t->fields, name))
		return 0;
	return arena_strv_push(&t->arena, &t->fields, &t->n_fields, name) < 0 ? fail_oom(p) : 0;
}

/* -- operands -------------------------------------------------------------------------------- */

static struct node *literal(struct parser *p, json_t *value)
{
	struct node *n;

	if (!value || json_array_append_new(p->t->literals, value) < 0) {
		(void)fail_oom(p);
		return NULL;
	}
	n = node_new(p, NODE_LITERAL);
	if (!n)
		return NULL;
	n->value = value;
	advance(p);
	return n;
}

static struct node *parse_number(struct parser *p)
{
	json_t *value = NULL;

	if (template_number(p->t->src + p->tok.start, p->tok.end - p->tok.start, &value) < 0) {
		(void)lexer_fail(&p->lex, p->tok.start, "bad number syntax: \"%.*s\"",
				 (int)MIN(p->tok.end - p->tok.start, 40U),
				 p->t->src + p->tok.start);
		return NULL;
	}
	return literal(p, value);
}

static struct node *parse_string(struct parser *p)
{
	size_t n = p->tok.end - p->tok.start - 2;
	const char *src = p->t->src + p->tok.start + 1;
	_cleanup_(buf_done) struct buf out = BUF_INIT(TEMPLATE_SOURCE_MAX * 4);
	json_t *value = NULL;
	int r;

	if (p->tok.kind == TOK_RAW)
		return literal(p, json_stringn_nocheck(src, n));
	r = template_unquote(src, n, p->tok.kind == TOK_CHAR, &out);
	if (r < 0) {
		(void)lexer_fail(&p->lex, p->tok.start, "%s: %.*s",
				 p->tok.kind == TOK_CHAR ? "malformed character constant"
							 : "invalid syntax",
				 (int)MIN(n + 2, 40U), src - 1);
		return NULL;
	}
	value = p->tok.kind == TOK_CHAR ? json_integer(r)
					: json_stringn_nocheck(buf_str(&out), out.len);
	return literal(p, value);
}

static struct node *parse_variable(struct parser *p)
{
	char *name = token_text(p, p->tok);
	struct node *n;

	if (!name) {
		(void)fail_oom(p);
		return NULL;
	}
	for (size_t i = p->n_vars; i > 0; i--) {
		if (!str_eq(p->vars[i - 1], name))
			continue;
		n = node_new(p, NODE_VARIABLE);
		if (n)
			n->slots[0] = i - 1;
		advance(p);
		return n;
	}
	(void)lexer_fail(&p->lex, p->tok.start, "undefined variable \"%s\"", name);
	return NULL;
}

static struct node *parse_ident(struct parser *p)
{
	size_t len = p->tok.end - p->tok.start;
	struct node *n;

	if (token_is(p, "true"))
		return literal(p, json_true());
	if (token_is(p, "false"))
		return literal(p, json_false());
	n = node_new(p, token_is(p, "nil") ? NODE_NIL : NODE_FUNCTION);
	if (n && n->kind == NODE_FUNCTION) {
		n->function = function_find(p->t->src + p->tok.start, len);
		if (!n->function) {
			(void)lexer_fail(&p->lex, p->tok.start, "function \"%.*s\" not defined",
					 (int)MIN(len, 60U), p->t->src + p->tok.start);
			return NULL;
		}
	}
	advance(p);
	return n;
}

static struct node *parse_pipeline(struct parser *p, const char *context, enum token_kind end);

static struct node *parse_paren(struct parser *p)
{
	struct node *n;
	uint32_t start = p->tok.start;

	if (deeper(p) < 0)
		return NULL;
	advance(p);
	n = parse_pipeline(p, "parenthesized pipeline", TOK_RPAREN);
	p->depth--;
	if (n)
		n->pos = n->start = start;
	return n;
}

static struct node *parse_term(struct parser *p)
{
	struct node *n;

	switch (p->tok.kind) {
	case TOK_IDENT:
		return parse_ident(p);
	case TOK_VARIABLE:
		return parse_variable(p);
	case TOK_NUMBER:
		return parse_number(p);
	case TOK_STRING:
	case TOK_RAW:
	case TOK_CHAR:
		return parse_string(p);
	case TOK_LPAREN:
		return parse_paren(p);
	case TOK_DOT:
	case TOK_FIELD:
		n = node_new(p, p->tok.kind == TOK_DOT ? NODE_DOT : NODE_FIELD);
		if (n && n->kind == NODE_DOT)
			advance(p);
		return n; /* the fields are read by parse_operand */
	default:
		(void)unexpected(p, "operand");
		return NULL;
	}
}

static bool starts_term(enum token_kind k)
{
	return k == TOK_IDENT || k == TOK_VARIABLE || k == TOK_NUMBER || k == TOK_STRING ||
	       k == TOK_RAW || k == TOK_CHAR || k == TOK_LPAREN || k == TOK_DOT || k == TOK_FIELD;
}

/* Makes N what the fields that follow turn it into. */
static struct node *start_chain(struct parser *p, struct node *n)
{
	struct node *chain;

	if (n->kind == NODE_FIELD || n->kind == NODE_VARIABLE)
		return n;
	if (n->kind != NODE_PIPE) {
		(void)lexer_fail(&p->lex, p->tok.start, "unexpected . after term \"%.*s\"",
				 (int)MIN(n->end - n->start, 40U), p->t->src + n->start);
		return NULL;
	}
	chain = node_new(p, NODE_CHAIN);
	if (chain) {
		chain->pipe = n;
		chain->start = n->start;
	}
	return chain;
}

/* A term and the ".Field"s that stick to it. */
static struct node *parse_operand(struct parser *p)
{
	struct node *n = parse_term(p);
	bool first = n && n->kind == NODE_FIELD;

	if (!n || p->tok.kind != TOK_FIELD)
		return n;
	n = start_chain(p, n);
	for (; n && p->tok.kind == TOK_FIELD; advance(p)) {
		char *name = arena_strndup(&p->t->arena, p->t->src + p->tok.start + 1,
					   p->tok.end - p->tok.start - 1);

		if (!name || arena_strv_push(&p->t->arena, &n->names, &n->n_names, name) < 0) {
			(void)fail_oom(p);
			return NULL;
		}
		if ((first || (n->kind == NODE_VARIABLE && n->slots[0] == 0)) && n->n_names == 1 &&
		    note_field(p, name) < 0)
			return NULL;
		if (n->n_names == (n->kind == NODE_FIELD ? 2 : 1)) /* where Go's parser points */
			n->pos = p->tok.start;
		n->end = p->tok.end;
	}
	return n;
}

/* -- commands and pipelines ------------------------------------------------------------------- */

static struct node *parse_command(struct parser *p)
{
	struct node *cmd, **tail;

	skip_space(p);
	cmd = node_new(p, NODE_COMMAND);
	if (!cmd)
		return NULL;
	tail = &cmd->first;
	for (;;) {
		struct node *n;

		skip_space(p);
		if (!starts_term(p->tok.kind))
			break;
		n = parse_operand(p);
		if (!n)
			return NULL;
		*tail = n;
		tail = &n->next;
		cmd->end = n->end;
		if (p->tok.kind != TOK_SPACE)
			break;
	}
	if (p->tok.kind == TOK_ERROR)
		return NULL;
	if (!cmd->first) {
		(void)unexpected(p, "command");
		return NULL;
	}
	return cmd;
}

static int declare(struct parser *p, struct node *pipe, char *name)
{
	if (p->n_vars >= VARS_MAX)
		return err_set(p->e, ERR_LIMIT, 0, "template: more than %d variables", VARS_MAX);
	p->vars[p->n_vars] = name;
	pipe->slots[pipe->n_slots++] = p->n_vars++;
	p->t->n_slots = MAX(p->t->n_slots, p->n_vars);
	return 0;
}

static int bind(struct parser *p, struct node *pipe, char **names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t v = p->n_vars;

		if (!pipe->assign) {
			if (declare(p, pipe, names[i]) < 0)
				return -1;
			continue;
		}
		while (v > 0 && !str_eq(p->vars[v - 1], names[i]))
			v--;
		if (v == 0)
			return lexer_fail(&p->lex, p->tok.start, "undefined variable \"%s\"",
					  names[i]);
		pipe->slots[pipe->n_slots++] = v - 1;
	}
	return 0;
}

/* At a variable: reads "$x :=", "$x =" or, in a range, "$i, $x :=". Where it is none of them the
 * lexer goes back. */
static int parse_declarations(struct parser *p, struct node *pipe, bool range)
{
	struct lexer saved_lex = p->lex;
	struct token saved_tok = p->tok;
	char *names[2];
	size_t n = 0;

	while (p->tok.kind == TOK_VARIABLE && n < 2) {
		names[n] = token_text(p, p->tok);
		if (!names[n++])
			return fail_oom(p);
		advance(p);
		skip_space(p);
		if (p->tok.kind == TOK_DECLARE || p->tok.kind == TOK_ASSIGN) {
			pipe->assign = p->tok.kind == TOK_ASSIGN;
			advance(p);
			skip_space(p);
			return bind(p, pipe, names, n);
		}
		if (p->tok.kind != TOK_COMMA)
			break;
		if (!range || n == 2)
			return lexer_fail(&p->lex, p->tok.start, "too many declarations in %s",
					  range ? "range" : "command");
		advance(p);
		skip_space(p);
	}
	p->lex = saved_lex;
	p->tok = saved_tok;
	return 0;
}

/* Whether a command may follow a "|": it calls something. */
static int check_stage(struct parser *p, const struct node *cmd, bool first)
{
	enum node_kind k = cmd->first->kind;

	if (first || (k != NODE_LITERAL && k != NODE_DOT && k != NODE_NIL))
		return 0;
	return lexer_fail(&p->lex, cmd->start, "non executable command in pipeline stage 2");
}

/* Reads commands up to END, which is taken. */
static int parse_commands(struct parser *p, struct node *pipe, const char *context,
			  enum token_kind end)
{
	struct node **tail = &pipe->first;

	for (;;) {
		struct node *cmd;

		skip_space(p);
		if (p->tok.kind == end && !pipe->first)
			return lexer_fail(&p->lex, p->tok.start, "missing value for %s", context);
		if (p->tok.kind == TOK_ERROR)
			return -1;
		cmd = parse_command(p);
		if (!cmd || check_stage(p, cmd, tail == &pipe->first) < 0)
			return -1;
		*tail = cmd;
		tail = &cmd->next;
		pipe->end = p->tok.end;
		if (p->tok.kind == end) {
			advance(p);
			return 0;
		}
		if (p->tok.kind != TOK_PIPE)
			return unexpected(p, "operand");
		advance(p);
		skip_space(p);
		if (p->tok.kind == end)
			return lexer_fail(&p->lex, p->tok.start, "missing value for %s", context);
	}
}

static struct node *parse_pipeline(struct parser *p, const char *context, enum token_kind end)
{
	struct node *pipe;

	skip_space(p);
	pipe = node_new(p, NODE_PIPE);
	if (!pipe)
		return NULL;
	if (p->tok.kind == TOK_VARIABLE &&
	    parse_declarations(p, pipe, str_eq(context, "range")) < 0)
		return NULL;
	return parse_commands(p, pipe, context, end) < 0 ? NULL : pipe;
}

/* -- lists and control ------------------------------------------------------------------------ */

/* How a list ended. */
enum list_end { LIST_EOF, LIST_END, LIST_ELSE, LIST_FAILED };

static enum list_end parse_list(struct parser *p, struct node **ret);

static enum list_end close_list(struct parser *p, const char *word, enum list_end end)
{
	advance(p);
	skip_space(p);
	if (end == LIST_ELSE && (token_is(p, "if") || token_is(p, "with")))
		return LIST_ELSE;
	if (p->tok.kind != TOK_RIGHT) {
		(void)unexpected(p, word);
		return LIST_FAILED;
	}
	advance(p);
	return end;
}

static struct node *parse_control(struct parser *p, enum node_kind kind, const char *word);

/* Behind "{{else": a list up to {{end}}, or another if or with that shares the {{end}}. */
static int parse_else(struct parser *p, struct node *n)
{
	if (p->tok.kind == TOK_IDENT && (token_is(p, "if") || token_is(p, "with"))) {
		bool is_if = token_is(p, "if");

		if (n->kind != (is_if ? NODE_IF : NODE_WITH))
			return unexpected(p, "else");
		if (deeper(p) < 0)
			return -1;
		n->other = parse_control(p, n->kind, is_if ? "if" : "with");
		p->depth--;
		return n->other ? 0 : -1;
	}
	switch (parse_list(p, &n->other)) {
	case LIST_END:
		return 0;
	case LIST_ELSE:
		return lexer_fail(&p->lex, p->tok.start, "expected end; found {{else}}");
	case LIST_EOF:
		return lexer_fail(&p->lex, p->tok.start, "unexpected EOF");
	default:
		return -1;
	}
}

static int parse_body(struct parser *p, struct node *n)
{
	switch (parse_list(p, &n->body)) {
	case LIST_END:
		return 0;
	case LIST_ELSE:
		if (n->kind == NODE_RANGE)
			p->range_depth--;
		if (parse_else(p, n) < 0)
			return -1;
		if (n->kind == NODE_RANGE)
			p->range_depth++;
		return 0;
	case LIST_EOF:
		return lexer_fail(&p->lex, p->tok.start, "unexpected EOF");
	default:
		return -1;
	}
}

/* At the keyword of if, with or range. */
static struct node *parse_control(struct parser *p, enum node_kind kind, const char *word)
{
	struct node *n = node_new(p, kind);
	size_t vars = p->n_vars;
	int r;

	if (!n || deeper(p) < 0)
		return NULL;
	advance(p);
	n->pipe = parse_pipeline(p, word, TOK_RIGHT);
	if (!n->pipe)
		return NULL;
	p->range_depth += kind == NODE_RANGE;
	r = parse_body(p, n);
	p->range_depth -= kind == NODE_RANGE;
	p->n_vars = vars;
	p->depth--;
	return r < 0 ? NULL : n;
}

static struct node *parse_jump(struct parser *p, enum node_kind kind, const char *word)
{
	struct node *n = node_new(p, kind);

	if (!n)
		return NULL;
	if (p->range_depth == 0) {
		(void)lexer_fail(&p->lex, p->tok.start, "{{%s}} outside {{range}}", word);
		return NULL;
	}
	advance(p);
	skip_space(p);
	if (p->tok.kind != TOK_RIGHT) {
		(void)unexpected(p, word);
		return NULL;
	}
	advance(p);
	return n;
}

static struct node *parse_plain(struct parser *p)
{
	struct node *n = node_new(p, NODE_ACTION);

	if (!n)
		return NULL;
	n->pipe = parse_pipeline(p, "command", TOK_RIGHT);
	return n->pipe ? n : NULL;
}

static struct node *parse_action(struct parser *p)
{
	static const char *const refused[] = {"define", "template", "block", NULL};

	if (token_is(p, "if"))
		return parse_control(p, NODE_IF, "if");
	if (token_is(p, "with"))
		return parse_control(p, NODE_WITH, "with");
	if (token_is(p, "range"))
		return parse_control(p, NODE_RANGE, "range");
	if (token_is(p, "break"))
		return parse_jump(p, NODE_BREAK, "break");
	if (token_is(p, "continue"))
		return parse_jump(p, NODE_CONTINUE, "continue");
	for (size_t i = 0; refused[i]; i++)
		if (token_is(p, refused[i])) {
			(void)lexer_fail(&p->lex, p->tok.start, "{{%s}} is not supported here",
					 refused[i]);
			return NULL;
		}
	return parse_plain(p);
}

static struct node *parse_text(struct parser *p)
{
	struct node *n = node_new(p, NODE_TEXT);

	advance(p);
	return n;
}

/* Texts and actions up to {{end}}, {{else}} or the end of the source. */
static enum list_end parse_list(struct parser *p, struct node **ret)
{
	struct node **tail = ret;
	enum list_end end = LIST_EOF;

	while (p->tok.kind != TOK_EOF) {
		struct node *n;

		if (p->tok.kind == TOK_ERROR)
			return LIST_FAILED;
		if (p->tok.kind == TOK_TEXT) {
			n = parse_text(p);
		} else {
			advance(p);
			skip_space(p);
			if (token_is(p, "end"))
				return close_list(p, "end", LIST_END);
			if (token_is(p, "else"))
				return close_list(p, "else", LIST_ELSE);
			n = parse_action(p);
		}
		if (!n)
			return LIST_FAILED;
		*tail = n;
		tail = &n->next;
	}
	return end;
}

static int parse_all(struct parser *p)
{
	enum list_end end;

	p->vars[p->n_vars++] = "$";
	p->t->n_slots = 1;
	advance(p);
	end = parse_list(p, &p->t->list);
	if (end == LIST_END || end == LIST_ELSE)
		return lexer_fail(&p->lex, p->tok.start, "unexpected {{%s}}",
				  end == LIST_END ? "end" : "else");
	return end == LIST_EOF ? 0 : -1;
}

struct template *template_parse(const char *source, size_t n, struct err *e)
{
	_cleanup_(template_freep) struct template *t = calloc(1, sizeof(*t));
	struct err own = ERR_INIT;
	struct parser p = {.t = t, .e = e ? e : &own};

	if (!t) {
		(void)fail_oom(&p);
		return NULL;
	}
	if (n > TEMPLATE_SOURCE_MAX) {
		(void)err_set(p.e, ERR_LIMIT, 0, "template: longer than %zu bytes",
			      TEMPLATE_SOURCE_MAX);
		return NULL;
	}
	t->n = (uint32_t)n;
	t->src = arena_strndup(&t->arena, source, n);
	t->literals = json_array();
	if (!t->src || !t->literals) {
		(void)fail_oom(&p);
		return NULL;
	}
	p.lex = (struct lexer){.src = t->src, .n = t->n, .e = p.e};
	p.e->class = ERR_NONE;
	return parse_all(&p) < 0 ? NULL : TAKE_PTR(t);
}

void template_free(struct template *t)
{
	if (!t)
		return;
	json_decref(t->literals);
	arena_done(&t->arena);
	free(t);
}

const char *const *template_fields(const struct template *t)
{
	static const char *const none[] = {NULL};

	return t->fields ? t->fields : none;
}
