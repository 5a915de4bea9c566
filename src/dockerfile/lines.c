/* SPDX-License-Identifier: Apache-2.0 */
/* Lines become instructions: comments and blank lines go, an escape character at a line's end
 * joins the next one to it, and the comments at the very top may be directives (Dockerfile
 * reference, "Format" and "Parser directives"). */
#include "base/buf.h"
#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/text.h"

#include <strings.h>

const char *lines_raw(struct lines *s, size_t *ret_n)
{
	const char *start = s->p, *end;

	if (start == s->end)
		return NULL;
	end = memchr(start, '\n', (size_t)(s->end - start));
	s->p = end ? end + 1 : s->end;
	s->line++;
	*ret_n = (size_t)(s->p - start);
	return start;
}

/* The next line as a string without its end; *RET is NULL at the end of the file. */
static int next_line(struct lines *s, const char **ret, struct err *e)
{
	size_t n;
	const char *line = lines_raw(s, &n);

	*ret = NULL;
	if (!line)
		return 0;
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	*ret = arena_strndup(s->arena, line, n);
	return *ret ? 0 : df_no_memory(e);
}

/* ---- directives ---- */

static int set_escape(struct lines *s, const char *value, struct err *e)
{
	if (!str_eq(value, "\\") && !str_eq(value, "`"))
		return err_set(e, ERR_INVALID, 0,
			       "escape=%s: the escape character can be \\ or ` only", value);
	s->escape = *value;
	s->escape_given = true;
	return 0;
}

static int set_directive(struct lines *s, const char *name, const char *value, struct err *e)
{
	const char **slot = strcasecmp(name, "syntax") == 0 ? &s->syntax : &s->check;
	bool escape = strcasecmp(name, "escape") == 0;

	if (escape ? s->escape_given : *slot != NULL)
		return err_set(e, ERR_INVALID, 0, "the parser directive '%s' is given twice", name);
	if (escape)
		return set_escape(s, value, e);
	*slot = value;
	return 0;
}

/* Whether COMMENT ("# name = value") is a directive: 1, and it is taken; 0; -1 with E set. */
static int take_directive(struct lines *s, const char *comment, struct err *e)
{
	const char *name = text_skip_space(comment + 1), *end = name, *value;

	while ((*end | 0x20) >= 'a' && (*end | 0x20) <= 'z')
		end++;
	while (end > name &&
	       (text_is_digit(*end) || ((*end | 0x20) >= 'a' && (*end | 0x20) <= 'z')))
		end++;
	value = text_skip_space(end);
	name = arena_strndup(s->arena, name, (size_t)(end - name));
	if (!name)
		return df_no_memory(e);
	if (*value != '=' || (strcasecmp(name, "syntax") != 0 && strcasecmp(name, "check") != 0 &&
			      strcasecmp(name, "escape") != 0))
		return 0;
	value = words_trim(s->arena, value + 1);
	if (!value)
		return df_no_memory(e);
	if (!*value)
		return 0;
	return set_directive(s, name, value, e) < 0 ? -1 : 1;
}

/* A line that starts with "#". */
static int take_comment(struct lines *s, const char *line, struct err *e)
{
	const char *text;

	if (s->directives) {
		int r = take_directive(s, line, e);

		if (r != 0)
			return r < 0 ? -1 : 0;
		s->directives = false;
	}
	text = words_trim(s->arena, line + 1);
	if (!text)
		return df_no_memory(e);
	if (!*text) {
		s->comments = NULL;
		s->n_comments = 0;
		return 0;
	}
	return arena_strv_push(s->arena, &s->comments, &s->n_comments, text) < 0 ? df_no_memory(e)
										 : 0;
}

/* ---- instructions ---- */

/* Where the escape character stands that joins the next line to LINE, or NULL: the last character
 * but blanks, and not escaped itself. */
static const char *continuation(const struct lines *s, const char *line)
{
	const char *end = line + strlen(line);

	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end == line || end[-1] != s->escape)
		return NULL;
	return end - 1 > line && end[-2] == s->escape ? NULL : end - 1;
}

/* Appends the lines that continue the one in TEXT. */
static int continue_line(struct lines *s, struct buf *text, struct logical_line *ret, struct err *e)
{
	for (bool more = true; more;) {
		const char *line, *start, *joint;

		if (next_line(s, &line, e) < 0)
			return -1;
		if (!line)
			return 0;
		start = text_skip_space(line);
		if (!*start || *start == '#') {
			if (!*start && !ret->empty)
				ret->empty = s->line;
			continue;
		}
		joint = continuation(s, line);
		more = joint != NULL;
		if (buf_put(text, line, joint ? (size_t)(joint - line) : strlen(line)) < 0)
			return df_no_memory(e);
	}
	return 0;
}

/* The first line of an instruction. */
static int start_line(struct lines *s, const char *line, struct logical_line *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(DOCKERFILE_SIZE_MAX);
	const char *joint = continuation(s, line);

	s->directives = false;
	ret->at.first = s->line;
	if (buf_put(&text, line, joint ? (size_t)(joint - line) : strlen(line)) < 0)
		return df_no_memory(e);
	if (joint && continue_line(s, &text, ret, e) < 0)
		return -1;
	ret->at.last = s->line;
	ret->text = arena_strndup(s->arena, buf_str(&text), text.len);
	return ret->text ? 0 : df_no_memory(e);
}

int lines_next(struct lines *s, struct logical_line *ret, struct err *e)
{
	const char *line;

	*ret = (struct logical_line){.text = NULL};
	for (;;) {
		if (next_line(s, &line, e) < 0)
			return -1;
		if (!line)
			return 0;
		line = text_skip_space(line);
		if (*line && *line != '#')
			return start_line(s, line, ret, e);
		if (*line == '#' && take_comment(s, line, e) < 0)
			return -1;
		s->directives &= *line == '#';
	}
}
