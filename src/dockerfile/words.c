/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/text.h"

const char *words_trim(struct arena *a, const char *s)
{
	const char *end, *p;

	s = text_skip_space(s);
	for (p = end = s; *p;) {
		size_t n = text_space(p);

		p += n ? n : 1;
		end = n ? end : p;
	}
	return arena_strndup(a, s, (size_t)(end - s));
}

static int push(struct arena *a, const char ***v, size_t *n, const char *s, size_t len,
		struct err *e)
{
	const char *copy = arena_strndup(a, s, len);

	return copy && arena_strv_push(a, v, n, copy) == 0 ? 0 : df_no_memory(e);
}

/* An empty vector is one that has its end. */
static int finish(struct arena *a, const char **v, const char ***ret, struct err *e)
{
	*ret = v ? v : arena_array(a, 1, sizeof(*v));
	return *ret ? 0 : df_no_memory(e);
}

/* The end of the word at S. */
static const char *word_end(const char *s, char escape)
{
	char quote = 0;

	for (; *s && (quote || !text_space(s)); s++) {
		if (*s == escape && quote != '\'' && s[1])
			s++;
		else if (quote ? *s == quote : *s == '\'' || *s == '"')
			quote = quote ? 0 : *s;
	}
	return s;
}

int words_quoted(struct arena *a, const char *s, char escape, const char ***ret, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	for (s = text_skip_space(s); *s; s = text_skip_space(s)) {
		const char *end = word_end(s, escape);
		/* An escape character at the very end escapes nothing and goes. */
		bool dangling = !*end && end[-1] == escape && (end - s < 2 || end[-2] != escape);

		if (end - s > dangling && push(a, &v, &n, s, (size_t)(end - s) - dangling, e) < 0)
			return -1;
		s = end;
	}
	return finish(a, v, ret, e);
}

int words_plain(struct arena *a, const char *s, const char ***ret, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	while (*s) {
		const char *end = s;

		while (*end && !text_is_blank(*end))
			end++;
		if (end > s && push(a, &v, &n, s, (size_t)(end - s), e) < 0)
			return -1;
		for (s = end; text_is_blank(*s);)
			s++;
	}
	return finish(a, v, ret, e);
}

/* One flag without its quotes and escape characters, into OUT. Returns its end. */
static const char *flag(const char *s, char escape, struct buf *out)
{
	char quote = 0;
	int r = 0;

	for (; r == 0 && *s && (quote || !text_space(s)); s++) {
		if (quote ? *s == quote : *s == '\'' || *s == '"')
			quote = quote ? 0 : *s;
		else if (*s != escape)
			r = buf_putc(out, *s);
		else if (s[1])
			r = buf_putc(out, *++s);
	}
	return r < 0 ? NULL : s;
}

int words_flags(struct arena *a, const char *s, char escape, const char ***ret,
		const char **ret_rest, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(DOCKERFILE_SIZE_MAX);
	const char **v = NULL;
	size_t n = 0;

	for (s = text_skip_space(s); s[0] == '-' && s[1] == '-'; s = text_skip_space(s)) {
		buf_clear(&out);
		s = flag(s, escape, &out);
		if (!s)
			return df_no_memory(e);
		if (str_eq(buf_str(&out), "--"))
			break;
		if (push(a, &v, &n, buf_str(&out), out.len, e) < 0)
			return -1;
	}
	*ret_rest = words_trim(a, s);
	return *ret_rest ? finish(a, v, ret, e) : df_no_memory(e);
}

int words_json(struct arena *a, const char *s, const char ***ret, struct err *e)
{
	_cleanup_(json_unref) json_t *array = NULL;
	const char **v = NULL;
	json_t *item;
	size_t i, n = 0;

	s = text_skip_space(s);
	if (*s != '[')
		return 0;
	array = json_loads(s, 0, NULL);
	if (!array)
		return 0; /* the shell may well understand it */
	json_array_foreach (array, i, item) {
		if (!json_is_string(item))
			return err_set(e, ERR_INVALID, 0,
				       "an argument in JSON form is an array of strings only: %s",
				       s);
		if (push(a, &v, &n, json_string_value(item), json_string_length(item), e) < 0)
			return -1;
	}
	return finish(a, v, ret, e) < 0 ? -1 : 1;
}
