/* SPDX-License-Identifier: Apache-2.0 */
/* The lexer of templates, after Go's text/template/parse: text up to "{{", then the tokens of an
 * action up to "}}". A trim marker "{{- " takes the blanks off the end of the text before, " -}}"
 * off the start of the text after. Comments vanish here. Bytes from 0x80 on count as letters, so
 * that names in any script work and nothing has to decode UTF-8. */
#include "template/template-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_alnum(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static char peek(const struct lexer *l, uint32_t ahead)
{
	return l->pos + ahead < l->n ? l->src[l->pos + ahead] : '\0';
}

static bool at(const struct lexer *l, uint32_t pos, const char *s)
{
	size_t n = strlen(s);

	return l->n - pos >= n && memcmp(l->src + pos, s, n) == 0;
}

int lexer_fail(const struct lexer *l, uint32_t pos, const char *fmt, ...)
{
	uint32_t line = 1;
	char msg[512];
	va_list ap;

	for (uint32_t i = 0; i < pos && i < l->n; i++)
		line += l->src[i] == '\n';
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return err_set(l->e, ERR_INVALID, 0, "template: :%u: %s", line, msg);
}

static struct token token(struct lexer *l, enum token_kind kind, uint32_t start)
{
	return (struct token){.kind = kind, .start = start, .end = l->pos};
}

static struct token fail(struct lexer *l, const char *msg)
{
	(void)lexer_fail(l, l->pos, "%s", msg);
	return token(l, TOK_ERROR, l->pos);
}

/* Whether a right delimiter stands here, with its trim marker or without. */
static bool at_right(const struct lexer *l, bool *ret_trim)
{
	*ret_trim = is_blank(peek(l, 0)) && l->pos < l->n && at(l, l->pos + 1, "-}}");
	return *ret_trim || at(l, l->pos, "}}");
}

static uint32_t find(const struct lexer *l, uint32_t from, const char *s)
{
	const char *p = from < l->n ? memmem(l->src + from, l->n - from, s, strlen(s)) : NULL;

	return p ? (uint32_t)(p - l->src) : l->n;
}

/* Behind "{{" at the start of a comment: skips to behind "}}". */
static int skip_comment(struct lexer *l)
{
	uint32_t close = find(l, l->pos + 2, "*/");
	bool trim;

	if (close >= l->n)
		return fail(l, "unclosed comment"), -1;
	l->pos = close + 2;
	if (!at_right(l, &trim))
		return fail(l, "comment ends before closing delimiter"), -1;
	l->pos += trim ? 4 : 2;
	l->trim_next = trim;
	return 0;
}

/* At "{{": enters the action, or skips a comment. */
static struct token lex_left(struct lexer *l)
{
	uint32_t start = l->pos;
	uint32_t marker = 0;

	l->pos += 2;
	if (peek(l, 0) == '-' && is_blank(peek(l, 1)))
		marker = 2;
	if (at(l, MIN(l->pos + marker, l->n), "/*")) {
		l->pos += marker;
		return token(l, skip_comment(l) < 0 ? TOK_ERROR : TOK_COMMENT, start);
	}
	l->pos += marker;
	l->in_action = true;
	l->parens = 0;
	return token(l, TOK_LEFT, start);
}

static struct token lex_text(struct lexer *l)
{
	uint32_t start, end, left;

	if (l->trim_next) {
		while (is_blank(peek(l, 0)) && l->pos < l->n)
			l->pos++;
		l->trim_next = false;
	}
	start = l->pos;
	left = end = find(l, start, "{{");
	if (left + 3 < l->n && l->src[left + 2] == '-' && is_blank(l->src[left + 3]))
		while (end > start && is_blank(l->src[end - 1]))
			end--;
	l->pos = left;
	if (end > start)
		return (struct token){.kind = TOK_TEXT, .start = start, .end = end};
	return l->pos < l->n ? lex_left(l) : token(l, TOK_EOF, l->pos);
}

static struct token lex_quoted(struct lexer *l, char quote, enum token_kind kind)
{
	uint32_t start = l->pos++;

	for (; l->pos < l->n && l->src[l->pos] != quote; l->pos++) {
		if (l->src[l->pos] == '\n' && kind != TOK_RAW)
			break;
		if (l->src[l->pos] == '\\' && kind != TOK_RAW && l->pos + 1 < l->n)
			l->pos++;
	}
	if (l->pos >= l->n || l->src[l->pos] != quote)
		return fail(l, kind == TOK_RAW    ? "unterminated raw quoted string"
			       : kind == TOK_CHAR ? "unterminated character constant"
						  : "unterminated quoted string");
	l->pos++;
	return token(l, kind, start);
}

/* What may follow a word: Go's atTerminator. */
static bool at_end_of_word(const struct lexer *l)
{
	bool trim;

	return l->pos >= l->n || is_blank(peek(l, 0)) || strchr(".,|:=()", peek(l, 0)) ||
	       at_right(l, &trim);
}

static struct token lex_word(struct lexer *l, enum token_kind kind)
{
	uint32_t start = l->pos++;

	while (l->pos < l->n && is_alnum(l->src[l->pos]))
		l->pos++;
	if (!at_end_of_word(l)) {
		(void)lexer_fail(l, l->pos, "bad character U+%04X '%c'",
				 (unsigned)(unsigned char)peek(l, 0), peek(l, 0));
		return token(l, TOK_ERROR, start);
	}
	return token(l, kind, start);
}

static struct token lex_number(struct lexer *l)
{
	uint32_t start = l->pos++;

	while (l->pos < l->n && (is_alnum(l->src[l->pos]) || l->src[l->pos] == '.' ||
				 ((l->src[l->pos] == '+' || l->src[l->pos] == '-') &&
				  strchr("eEpP", l->src[l->pos - 1]))))
		l->pos++;
	return token(l, TOK_NUMBER, start);
}

static struct token lex_dot(struct lexer *l)
{
	uint32_t start = l->pos;
	char next = peek(l, 1);

	if (next >= '0' && next <= '9')
		return lex_number(l);
	if (is_alnum(next))
		return lex_word(l, TOK_FIELD);
	l->pos++;
	return token(l, TOK_DOT, start);
}

static struct token lex_one(struct lexer *l, enum token_kind kind, uint32_t n)
{
	uint32_t start = l->pos;

	l->pos += n;
	return token(l, kind, start);
}

static struct token lex_paren(struct lexer *l, char c)
{
	if (c == '(') {
		l->parens++;
		return lex_one(l, TOK_LPAREN, 1);
	}
	if (l->parens == 0)
		return fail(l, "unexpected right paren");
	l->parens--;
	return lex_one(l, TOK_RPAREN, 1);
}

static struct token lex_other(struct lexer *l, char c)
{
	if (c == ':' && peek(l, 1) == '=')
		return lex_one(l, TOK_DECLARE, 2);
	if (c == ':')
		return fail(l, "expected :=");
	if (c == '"')
		return lex_quoted(l, '"', TOK_STRING);
	if (c == '\'')
		return lex_quoted(l, '\'', TOK_CHAR);
	if (c == '`')
		return lex_quoted(l, '`', TOK_RAW);
	if (c == '$')
		return lex_word(l, TOK_VARIABLE);
	if (c == '.')
		return lex_dot(l);
	if (c == '+' || c == '-' || (c >= '0' && c <= '9'))
		return lex_number(l);
	if (is_alnum(c))
		return lex_word(l, TOK_IDENT);
	(void)lexer_fail(l, l->pos, "unrecognized character in action: U+%04X '%c'",
			 (unsigned)(unsigned char)c, c >= ' ' && c < 127 ? c : '?');
	return token(l, TOK_ERROR, l->pos);
}

static struct token lex_action(struct lexer *l)
{
	uint32_t start = l->pos;
	bool trim;

	if (at_right(l, &trim)) {
		if (l->parens)
			return fail(l, "unclosed left paren");
		l->pos += trim ? 4 : 2;
		l->trim_next = trim;
		l->in_action = false;
		return token(l, TOK_RIGHT, start);
	}
	if (l->pos >= l->n)
		return fail(l, "unclosed action");
	if (is_blank(peek(l, 0))) {
		while (is_blank(peek(l, 0)) && l->pos < l->n && !at_right(l, &trim))
			l->pos++;
		return token(l, TOK_SPACE, start);
	}
	switch (peek(l, 0)) {
	case '|':
		return lex_one(l, TOK_PIPE, 1);
	case ',':
		return lex_one(l, TOK_COMMA, 1);
	case '=':
		return lex_one(l, TOK_ASSIGN, 1);
	case '(':
	case ')':
		return lex_paren(l, peek(l, 0));
	default:
		return lex_other(l, peek(l, 0));
	}
}

struct token lexer_next(struct lexer *l)
{
	struct token t;

	do
		t = l->in_action ? lex_action(l) : lex_text(l);
	while (t.kind == TOK_COMMENT);
	return t;
}
