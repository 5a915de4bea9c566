/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/words-internal.h"

#include "base/buf.h"
#include "base/str.h"

#include <ctype.h>

#define EXPANDED_MAX ((size_t)4 << 20)
#define NESTED_MAX   16

static const char **no_memory(struct err *e)
{
	err_set(e, ERR_LIMIT, 0, "out of memory");
	return NULL;
}

/* The end of the word at S: blanks inside quotes and after a backslash belong to it. */
static const char *word_end(const char *s)
{
	char quote = '\0';

	for (; *s; s++) {
		if (*s == '\\' && s[1] && quote != '\'')
			s++;
		else if (quote)
			quote = *s == quote ? '\0' : quote;
		else if (*s == '"' || *s == '\'')
			quote = *s;
		else if (isspace((unsigned char)*s))
			break;
	}
	return s;
}

const char **words_split(struct arena *a, const char *line, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	for (;;) {
		const char *end, *word;

		while (isspace((unsigned char)*line))
			line++;
		if (!*line)
			break;
		end = word_end(line);
		word = arena_strndup(a, line, (size_t)(end - line));
		if (!word || arena_strv_push(a, &v, &n, word) < 0)
			return no_memory(e);
		line = end;
	}
	if (!v)
		v = arena_array(a, 1, sizeof(*v));
	return v ? v : no_memory(e);
}

/* Where the expansion of one word stands. */
struct expansion {
	const char *s; /* what is left to read */
	const char *const *env;
	struct buf out;
	unsigned depth;
	struct arena *arena;
};

static int put(struct expansion *x, const char *data, size_t n, struct err *e)
{
	return buf_put(&x->out, data, n) < 0
		       ? err_set(e, ERR_LIMIT, 0, "a value is larger than %zu bytes", EXPANDED_MAX)
		       : 0;
}

static const char *nested(struct expansion *x, const char *word, struct err *e);

/* The text of "${name:-word}" after "${name", up to the brace that closes it, nested ones
 * counted. */
static const char *closing_brace(const char *s)
{
	unsigned depth = 1;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '$' && s[1] == '{')
			depth++;
		else if (*s == '}' && --depth == 0)
			return s;
	}
	return NULL;
}

static int put_braced(struct expansion *x, struct err *e)
{
	const char *end = closing_brace(x->s), *name, *word, *value;
	size_t n = 0;

	while (isalnum((unsigned char)x->s[n]) || x->s[n] == '_')
		n++;
	if (!end || !n)
		return err_set(e, ERR_INVALID, 0, "bad substitution in '${%.60s'", x->s);
	name = arena_strndup(x->arena, x->s, n);
	if (!name)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	value = strv_env_get(x->env, name);
	if (x->s[n] == ':' && (x->s[n + 1] == '-' || x->s[n + 1] == '+')) {
		bool want_set = x->s[n + 1] == '+';

		word = arena_strndup(x->arena, x->s + n + 2, (size_t)(end - x->s) - n - 2);
		if (!word)
			return err_set(e, ERR_LIMIT, 0, "out of memory");
		if (want_set ? !str_empty(value) : str_empty(value)) {
			value = nested(x, word, e);
			if (!value)
				return -1;
		} else if (want_set) {
			value = "";
		}
	} else if (x->s + n != end) {
		return err_set(e, ERR_INVALID, 0, "unsupported modifier in '${%.60s'", x->s);
	}
	x->s = end + 1;
	return value ? put(x, value, strlen(value), e) : 0;
}

/* At '$'. */
static int put_variable(struct expansion *x, struct err *e)
{
	const char *name, *value;
	size_t n = 0;

	x->s++;
	if (*x->s == '{') {
		x->s++;
		return put_braced(x, e);
	}
	if (isalpha((unsigned char)*x->s) || *x->s == '_') {
		while (isalnum((unsigned char)x->s[n]) || x->s[n] == '_')
			n++;
	}
	if (!n)
		return put(x, "$", 1, e);
	name = arena_strndup(x->arena, x->s, n);
	if (!name)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	x->s += n;
	value = strv_env_get(x->env, name);
	return value ? put(x, value, strlen(value), e) : 0;
}

static int put_single_quoted(struct expansion *x, struct err *e)
{
	const char *end = strchr(x->s + 1, '\'');
	int r;

	if (!end)
		return err_set(e, ERR_INVALID, 0, "a quote (') is not closed");
	r = put(x, x->s + 1, (size_t)(end - x->s - 1), e);
	x->s = end + 1;
	return r;
}

static int put_double_quoted(struct expansion *x, struct err *e)
{
	for (x->s++; *x->s != '"';) {
		int r;

		if (!*x->s)
			return err_set(e, ERR_INVALID, 0, "a quote (\") is not closed");
		if (*x->s == '$') {
			r = put_variable(x, e);
		} else {
			if (*x->s == '\\' && x->s[1] && strchr("\"$\\", x->s[1]))
				x->s++;
			r = put(x, x->s++, 1, e);
		}
		if (r < 0)
			return -1;
	}
	x->s++;
	return 0;
}

static int put_plain(struct expansion *x, struct err *e)
{
	if (*x->s == '\\') {
		x->s++;
		if (!*x->s)
			return 0;
	}
	return put(x, x->s++, 1, e);
}

static int expand(struct expansion *x, struct err *e)
{
	int r = 0;

	while (r == 0 && *x->s) {
		if (*x->s == '\'')
			r = put_single_quoted(x, e);
		else if (*x->s == '"')
			r = put_double_quoted(x, e);
		else if (*x->s == '$')
			r = put_variable(x, e);
		else
			r = put_plain(x, e);
	}
	return r;
}

/* Recursion is bounded by NESTED_MAX, for "${a:-${b:-...}}". */
static const char *expand_at(struct arena *a, const char *word, const char *const *env,
			     unsigned depth, struct err *e)
{
	struct expansion x = {
		.s = word, .env = env, .out = BUF_INIT(EXPANDED_MAX), .depth = depth, .arena = a};
	const char *out = NULL;

	if (depth > NESTED_MAX)
		err_set(e, ERR_LIMIT, 0, "substitutions nested deeper than %d", NESTED_MAX);
	else if (expand(&x, e) == 0)
		out = arena_strndup(a, buf_str(&x.out), x.out.len);
	buf_done(&x.out);
	return out;
}

static const char *nested(struct expansion *x, const char *word, struct err *e)
{
	return expand_at(x->arena, word, x->env, x->depth + 1, e);
}

const char *words_expand(struct arena *a, const char *word, const char *const *env, struct err *e)
{
	static const char *const none[] = {NULL};

	return expand_at(a, word, env ? env : none, 0, e);
}
