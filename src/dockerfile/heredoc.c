/* SPDX-License-Identifier: Apache-2.0 */
/* Here-documents of RUN, COPY and ADD (Dockerfile reference, "Here-Documents"). */
#include "base/buf.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/expand.h"
#include "dockerfile/text.h"

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

/* The name behind "<<": one word; quotes around it, or a part of it, mean that the content is not
 * expanded. */
static int mark_name(struct arena *a, const char *text, struct df_heredoc *ret, struct err *e)
{
	struct expander x = {.arena = a, .escape = '\\', .flags = EXPAND_KEEP_UNSET};
	const char **words, **raw;
	struct err ignored = ERR_INIT;
	size_t n, n_raw;

	words = expand_words(&x, text, &n, &ignored);
	x.flags |= EXPAND_RAW_QUOTES;
	raw = words ? expand_words(&x, text, &n_raw, &ignored) : NULL;
	if (!raw)
		return ignored.class == ERR_LIMIT ? df_no_memory(e) : 0;
	if (n != 1 || n_raw != 1)
		return 0;
	ret->name = words[0];
	ret->expand = count_quotes(words[0]) == count_quotes(raw[0]);
	return 1;
}

int df_heredoc_mark(struct arena *a, const char *word, struct df_heredoc *ret, struct err *e)
{
	*ret = (struct df_heredoc){.fd = 0};
	for (; text_is_digit(*word); word++)
		ret->fd = ret->fd < 1000 ? ret->fd * 10 + (unsigned)(*word - '0') : ret->fd;
	if (word[0] != '<' || word[1] != '<')
		return 0;
	word += 2;
	ret->chomp = *word == '-';
	word = text_skip_space(word + ret->chomp);
	return !*word || strchr(word, '<') ? 0 : mark_name(a, word, ret, e);
}

/* The length of a line without its end. */
static size_t bare(const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	return n;
}

/* The lines up to the one that closes H. */
static int read_content(struct lines *s, struct df_heredoc *h, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(DOCKERFILE_SIZE_MAX);
	const char *line;
	size_t n, name_n = strlen(h->name);

	while ((line = lines_raw(s, &n))) {
		while (h->chomp && n > 0 && *line == '\t') {
			line++;
			n--;
		}
		if (bare(line, n) == name_n && memcmp(line, h->name, name_n) == 0) {
			h->content = arena_strndup(s->arena, buf_str(&out), out.len);
			return h->content ? 0 : df_no_memory(e);
		}
		if (buf_put(&out, line, n) < 0)
			return df_no_memory(e);
	}
	return err_set(e, ERR_INVALID, 0, "the here-document <<%s is not closed by a line '%s'",
		       h->name, h->name);
}

/* The instruction that may have here-documents: IN, or what it triggers. */
static bool may_have(const struct df_instruction *in)
{
	if (in->kind == DF_ONBUILD && in->trigger)
		in = in->trigger;
	return (in->kind == DF_RUN || in->kind == DF_COPY || in->kind == DF_ADD) && !in->json;
}

int heredocs_read(struct lines *s, struct df_instruction *in, struct err *e)
{
	struct expander x = {.arena = s->arena,
			     .escape = '\\',
			     .flags = EXPAND_RAW_QUOTES | EXPAND_RAW_ESCAPES | EXPAND_KEEP_UNSET};
	struct df_heredoc *docs;
	const char **words;
	size_t n;

	if (!may_have(in) || !strstr(in->text, "<<"))
		return 0;
	words = expand_words(&x, in->text, &n, NULL);
	if (!words)
		return 0; /* quotes that are not closed: the shell will say so */
	docs = arena_array(s->arena, n + 1, sizeof(*docs));
	if (!docs)
		return df_no_memory(e);
	in->heredocs = docs;
	for (size_t i = 0; i < n; i++) {
		int r = df_heredoc_mark(s->arena, words[i], &docs[in->n_heredocs], e);

		if (r < 0 || (r > 0 && read_content(s, &docs[in->n_heredocs], e) < 0))
			return -1;
		in->n_heredocs += r > 0;
	}
	return 0;
}
