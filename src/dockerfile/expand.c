/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/expand.h"

#include "base/buf.h"
#include "dockerfile/pattern.h"
#include "dockerfile/text.h"

#include <string.h>

/* The words that come of a text, where they are wanted. */
struct words {
	struct buf now;
	const char **v;
	size_t n;
	bool in_word;
};

struct walk {
	const struct expander *x;
	const char *text; /* all of it, for messages */
	const char *p;    /* what comes next */
	unsigned flags;   /* the expander's, and what a part of it changes */
	unsigned depth;
	struct words *words; /* NULL: not wanted */
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "the value becomes too large");
}

static int missing(const struct walk *w, const char *what)
{
	return err_set(w->e, ERR_INVALID, 0, "%s is missing in \"%s\"", what, w->text);
}

/* ---- words ---- */

static int words_end(struct words *s, struct arena *a)
{
	const char *word;

	if (!s->now.len)
		return 0;
	word = arena_strndup(a, buf_str(&s->now), s->now.len);
	buf_clear(&s->now);
	s->in_word = false;
	return word ? arena_strv_push(a, &s->v, &s->n, word) : -1;
}

/* Adds text in which white space ends a word, or, with WHOLE, none does. */
static int words_add(const struct walk *w, const char *text, size_t n, bool whole)
{
	struct words *s = w->words;
	const char *end = text + n;

	if (!s)
		return 0;
	if (whole) {
		s->in_word = true;
		return buf_put(&s->now, text, n);
	}
	while (text < end) {
		size_t space = text_space(text);

		if (space && words_end(s, w->x->arena) < 0)
			return -1;
		if (!space && buf_putc(&s->now, *text) < 0)
			return -1;
		text += space ? space : 1;
	}
	return 0;
}

/* ---- names and values ---- */

static bool is_special(char c)
{
	return c && strchr("@*#?-$!0", c);
}

/* A variable's name: digits, one special character, or letters, digits and "_". Moves on. */
static const char *take_name(struct walk *w)
{
	const char *start = w->p;
	uint32_t c;
	size_t n;

	if (text_is_digit(*w->p)) {
		while (text_is_digit(*w->p))
			w->p++;
	} else if (is_special(*w->p)) {
		w->p++;
	} else {
		while ((n = text_char(w->p, &c)) > 0 &&
		       (text_is_letter(c) || c == '_' || (c < 0x80 && text_is_digit((char)c))))
			w->p += n;
	}
	return arena_strndup(w->x->arena, start, (size_t)(w->p - start));
}

static const char *get(const struct walk *w, const char *name)
{
	return w->x->get ? w->x->get(w->x->arg, name) : NULL;
}

static int expand_until(struct walk *w, char stop, struct buf *out);

/* What stands up to STOP, expanded, as a string in the arena. */
static const char *take_part(struct walk *w, char stop, bool raw)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(EXPAND_RESULT_MAX);
	struct words *words = w->words;
	unsigned flags = w->flags;
	const char *s = NULL;

	if (++w->depth > EXPAND_DEPTH_MAX) {
		err_set(w->e, ERR_LIMIT, 0, "more than %d substitutions inside each other",
			EXPAND_DEPTH_MAX);
		return NULL;
	}
	w->words = NULL;
	w->flags = (flags & ~(unsigned)EXPAND_RAW_ESCAPES) | (raw ? EXPAND_RAW_ESCAPES : 0U);
	if (expand_until(w, stop, &out) == 0) {
		s = arena_strndup(w->x->arena, buf_str(&out), out.len);
		if (!s)
			no_memory(w->e);
	}
	w->words = words;
	w->flags = flags;
	w->depth--;
	return s;
}

/* One ${name<op>...}: what is known when the value is to be found. */
struct substitution {
	const char *name;
	const char *value; /* NULL: not set */
	char op[3];        /* "-", ":-", "#", ... */
	const char *word;
};

static const char *required(const struct walk *w, const struct substitution *s, bool colon)
{
	if (s->value && (*s->value || !colon))
		return s->value;
	err_set(w->e, ERR_INVALID, 0, "%s: %s", s->name,
		*s->word   ? s->word
		: s->value ? "is not allowed to be empty"
			   : "is not allowed to be unset");
	return NULL;
}

static const char *trimmed(const struct walk *w, const struct substitution *s)
{
	bool longest = *s->word == *s->op;

	return pattern_trim(w->x->arena, s->value ? s->value : "", s->word + longest,
			    *s->op == '%' ? PATTERN_SUFFIX : PATTERN_PREFIX, longest, w->e);
}

/* ${name op word}; W stands behind the operator. */
static const char *with_word(struct walk *w, struct substitution *s)
{
	bool colon = s->op[0] == ':', set;
	char op = s->op[colon];

	s->word = take_part(w, '}', op == '#' || op == '%');
	if (!s->word)
		return NULL;
	if (!s->value && (w->flags & EXPAND_KEEP_UNSET))
		return arena_printf(w->x->arena, "${%s%s%s}", s->name, s->op, s->word);
	set = s->value && (*s->value || !colon);
	switch (op) {
	case '-':
		return set ? s->value : s->word;
	case '+':
		return set ? s->word : "";
	case '?':
		return required(w, s, colon);
	default:
		return trimmed(w, s);
	}
}

/* ${name/pattern/text} and ${name//pattern/text}; W stands behind the first slash. */
static const char *replaced(struct walk *w, const struct substitution *s)
{
	bool all = *w->p == '/';
	const char *pattern, *text;

	w->p += all;
	pattern = take_part(w, '/', true);
	text = pattern ? take_part(w, '}', true) : NULL;
	if (!text)
		return NULL;
	if (!s->value && (w->flags & EXPAND_KEEP_UNSET))
		return arena_printf(w->x->arena, "${%s/%s/%s}", s->name, pattern, text);
	return pattern_replace(w->x->arena, s->value ? s->value : "", pattern, text, all, w->e);
}

/* Behind "${". */
static const char *braced(struct walk *w)
{
	struct substitution s = {.name = NULL};

	if (*w->p == '{' || *w->p == '}' || *w->p == ':') {
		err_set(w->e, ERR_INVALID, 0, "bad substitution in \"%s\": \"${\" needs a name",
			w->text);
		return NULL;
	}
	s.name = take_name(w);
	if (!s.name)
		return NULL;
	s.value = get(w, s.name);
	if (*w->p == '}') {
		w->p++;
		return s.value || !(w->flags & EXPAND_KEEP_UNSET)
			       ? (s.value ? s.value : "")
			       : arena_printf(w->x->arena, "${%s}", s.name);
	}
	if (*w->p == '/') {
		w->p++;
		return replaced(w, &s);
	}
	for (size_t i = 0; i < 2 && *w->p; i++) {
		s.op[i] = *w->p++;
		if (s.op[i] != ':')
			break;
	}
	if (!*s.op) {
		missing(w, "the closing '}'");
		return NULL;
	}
	if (!strchr("-+?#%", s.op[s.op[0] == ':']) || !s.op[s.op[0] == ':'] ||
	    (s.op[0] == ':' && (s.op[1] == '#' || s.op[1] == '%'))) {
		err_set(w->e, ERR_INVALID, 0, "unsupported modifier (%s) in substitution", s.op);
		return NULL;
	}
	return with_word(w, &s);
}

/* At "$". */
static const char *dollar(struct walk *w)
{
	const char *name, *value;

	w->p++;
	if (*w->p == '{') {
		w->p++;
		return braced(w);
	}
	name = take_name(w);
	if (!name || !*name)
		return name ? "$" : NULL;
	value = get(w, name);
	if (!value && (w->flags & EXPAND_KEEP_UNSET))
		return arena_printf(w->x->arena, "$%s", name);
	return value ? value : "";
}

/* ---- quotes ---- */

static int single_quoted(struct walk *w, struct buf *out)
{
	const char *end = strchr(w->p + 1, '\'');
	size_t raw = w->flags & EXPAND_RAW_QUOTES ? 1 : 0;
	const char *start = w->p + 1 - raw;

	if (!end)
		return missing(w, "the closing single quote");
	w->p = end + 1;
	return buf_put(out, start, (size_t)(end - start) + raw);
}

/* In double quotes the escape character escapes a quote, "$" and itself, and stays before all
 * else. */
static int double_quoted(struct walk *w, struct buf *out)
{
	bool raw = w->flags & EXPAND_RAW_QUOTES;
	int r = raw ? buf_putc(out, '"') : 0;

	for (w->p++; r == 0 && *w->p != '"';) {
		if (!*w->p)
			return missing(w, "the closing double quote");
		if (*w->p == '$') {
			const char *value = dollar(w);

			r = value ? buf_puts(out, value) : -1;
			continue;
		}
		if (*w->p == w->x->escape) {
			bool escapes = w->p[1] == '"' || w->p[1] == '$' || w->p[1] == w->x->escape;

			if (escapes && w->flags & EXPAND_RAW_ESCAPES)
				r = buf_putc(out, *w->p);
			w->p += escapes;
		}
		r = r < 0 ? r : buf_putc(out, *w->p++);
	}
	if (r < 0)
		return r;
	w->p++;
	return raw ? buf_putc(out, '"') : 0;
}

/* ---- all of it ---- */

/* The escape character outside of quotes: what follows is taken as it is. */
static int escaped(struct walk *w, struct buf *out)
{
	char s[2] = {*w->p, w->p[1]};
	size_t raw = w->flags & EXPAND_RAW_ESCAPES ? 1 : 0;
	const char *start = s + 1 - raw;
	size_t n = raw + (s[1] != 0);

	w->p += s[1] ? 2 : 1;
	return buf_put(out, start, n) < 0 ? -1 : words_add(w, start, n, true);
}

/* "<<" keeps the blanks behind it, so that "<< EOF" is one word. */
static int less_than(struct walk *w, struct buf *out)
{
	size_t n = 1;

	if (w->p[1] == '<')
		for (n = 2; w->p[n] == ' ' || w->p[n] == '\t' || w->p[n] == '\r';)
			n++;
	w->p += n;
	return buf_put(out, w->p - n, n) < 0 ? -1 : words_add(w, w->p - n, n, true);
}

static int one(struct walk *w, struct buf *out)
{
	bool quotes = !(w->flags & EXPAND_NO_QUOTES);
	size_t before = out->len;

	if (*w->p == '$') {
		const char *value = dollar(w);

		return !value || buf_puts(out, value) < 0
			       ? -1
			       : words_add(w, value, strlen(value), false);
	}
	if (*w->p == w->x->escape)
		return escaped(w, out);
	if (*w->p == '<')
		return less_than(w, out);
	if (quotes && (*w->p == '\'' || *w->p == '"')) {
		if ((*w->p == '"' ? double_quoted : single_quoted)(w, out) < 0)
			return -1;
		return words_add(w, out->data ? out->data + before : "", out->len - before, true);
	}
	before = text_space(w->p);
	before = before ? before : 1;
	w->p += before;
	return buf_put(out, w->p - before, before) < 0 ? -1
						       : words_add(w, w->p - before, before, false);
}

/* Up to STOP, which is taken too, or the end where STOP is 0. -1 with E set. */
static int expand_until(struct walk *w, char stop, struct buf *out)
{
	while (*w->p && (!stop || *w->p != stop))
		if (one(w, out) < 0)
			return w->e->class == ERR_NONE ? no_memory(w->e) : -1;
	if (!stop)
		return 0;
	if (*w->p != stop)
		return missing(w, stop == '}' ? "the closing '}'"
					      : "the second '/' of \"${name/a/b}\"");
	w->p++;
	return 0;
}

static int expand(const struct expander *x, const char *text, struct words *words, struct buf *out,
		  struct err *e)
{
	struct err own = ERR_INIT;
	struct walk w = {
		.x = x, .text = text, .p = text, .flags = x->flags, .words = words, .e = &own};

	if (expand_until(&w, 0, out) == 0)
		return 0;
	if (e)
		*e = own;
	return -1;
}

const char *expand_word(const struct expander *x, const char *word, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(EXPAND_RESULT_MAX);
	const char *s;

	if (expand(x, word, NULL, &out, e) < 0)
		return NULL;
	s = arena_strndup(x->arena, buf_str(&out), out.len);
	if (!s)
		no_memory(e);
	return s;
}

const char **expand_words(const struct expander *x, const char *text, size_t *ret_n, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(EXPAND_RESULT_MAX);
	struct words words = {.now = BUF_INIT(EXPAND_RESULT_MAX)};
	int r = expand(x, text, &words, &out, e);

	if (r == 0 && words_end(&words, x->arena) < 0)
		r = no_memory(e);
	if (r == 0 && !words.v) {
		words.v = arena_array(x->arena, 1, sizeof(*words.v));
		r = words.v ? 0 : no_memory(e);
	}
	buf_done(&words.now);
	if (r < 0)
		return NULL;
	if (ret_n)
		*ret_n = words.n;
	return words.v;
}
