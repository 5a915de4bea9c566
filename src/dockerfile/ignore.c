/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerfile/ignore.h"

#include "base/str.h"
#include "dockerfile/dockerfile-internal.h"
#include "dockerfile/text.h"

/* ---- patterns ---- */

/* "[...]" at P: its end behind the bracket, NULL where it is malformed. Where RET_IN is set,
 * whether C is one of its characters. */
static const char *class_end(const char *p, uint32_t c, bool *ret_in)
{
	bool in = false, negated = p[1] == '^';
	uint32_t low, high;

	p += 1 + negated;
	for (bool first = true; *p != ']' || first; first = false) {
		if (*p == '\\')
			p++;
		if (!*p || (*p == ']' && p[-1] != '\\'))
			return NULL;
		p += text_char(p, &low);
		high = low;
		if (*p == '-') {
			p++;
			if (*p == '\\')
				p++;
			if (!*p || (*p == ']' && p[-1] != '\\'))
				return NULL;
			p += text_char(p, &high);
		}
		in |= c >= low && c <= high;
	}
	if (ret_in)
		*ret_in = in != negated;
	return p + 1;
}

static bool is_well_formed(const char *p)
{
	while (*p) {
		if (*p == '[') {
			p = class_end(p, 0, NULL);
			if (!p)
				return false;
			continue;
		}
		if (*p == '\\' && !*++p)
			return false;
		p++;
	}
	return true;
}

/* Whether one character of TEXT matches the head of PATTERN; both move on. */
static bool match_one(const char **pattern, const char **text)
{
	uint32_t c, want;
	size_t n = text_char(*text, &c);
	const char *p = *pattern;
	bool good;

	if (*p == '[') {
		p = class_end(p, c, &good);
		good = good && c != '/';
	} else if (*p == '?') {
		p++;
		good = c != '/';
	} else {
		p += *p == '\\';
		p += text_char(p, &want);
		good = c == want;
	}
	*pattern = p;
	*text += n;
	return good && n > 0;
}

/* Where a star stood and what it has taken so far. */
struct retry {
	const char *pattern, *text;
	bool names; /* only whole names, "**" with a slash behind it */
};

/* Takes one character more, or one name more. */
static bool take_more(struct retry *r)
{
	if (!r->pattern || !*r->text)
		return false;
	r->text++;
	while (r->names && r->text[-1] != '/')
		if (!*r->text++)
			return false;
	return true;
}

/* At "**" in *PATTERN: behind it. */
static struct retry any_depth(const char **pattern, const char *text)
{
	struct retry r = {.text = text};

	while (**pattern == '*')
		++*pattern;
	r.names = **pattern == '/';
	*pattern += r.names;
	r.pattern = *pattern;
	return r;
}

/* PATTERN over all of TEXT. Each kind of star needs only its last occurrence to be tried again, so
 * that the time is at most (pattern x text x text). */
static bool match(const char *pattern, const char *text)
{
	struct retry star = {.pattern = NULL}, deep = {.pattern = NULL};

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			deep = any_depth(&pattern, text);
			star.pattern = NULL;
		} else if (*pattern == '*') {
			star = (struct retry){.pattern = ++pattern, .text = text};
		} else if (!*pattern && !*text) {
			return true;
		} else if (!*pattern || !*text || !match_one(&pattern, &text)) {
			if (star.pattern && *star.text != '/' && take_more(&star)) {
				pattern = star.pattern;
				text = star.text;
			} else if (take_more(&deep)) {
				pattern = deep.pattern;
				text = deep.text;
				star.pattern = NULL;
			} else {
				return false;
			}
		}
	}
}

/* ---- the file ---- */

/* One line: 1 and *RET set, 0 where it says nothing, -1 with E set. */
static int read_line(struct arena *a, const char *line, struct ignore_pattern *ret, struct err *e)
{
	const char *s = words_trim(a, line);

	if (!s)
		return df_no_memory(e);
	*ret = (struct ignore_pattern){.except = *s == '!'};
	if (!*s || *line == '#' || str_after(s, "../"))
		return 0;
	s = words_trim(a, s + ret->except);
	if (s && ret->except && !*s)
		return err_set(e, ERR_INVALID, 0, "\"!\" alone is no pattern");
	s = s ? str_path_clean(a, s) : NULL;
	if (!s)
		return df_no_memory(e);
	ret->text = s + 1;
	ret->plain = !strpbrk(s, "*?[\\");
	if (!*ret->text)
		return 0; /* the context itself cannot be left out */
	return is_well_formed(s)
		       ? 1
		       : err_set(e, ERR_INVALID, 0, "the pattern '%s' is malformed", line);
}

static int count_lines(const char *text, size_t n, size_t *ret, struct err *e)
{
	*ret = 1;
	for (size_t i = 0; i < n; i++)
		*ret += text[i] == '\n';
	if (n > IGNORE_SIZE_MAX || *ret > IGNORE_PATTERNS_MAX || memchr(text, 0, n))
		return err_set(e, ERR_LIMIT, 0,
			       "at most %d lines of text with %zu MiB together can be read",
			       IGNORE_PATTERNS_MAX, IGNORE_SIZE_MAX >> 20);
	return 0;
}

static int read_lines(const char *text, size_t n, struct ignore *ret, struct ignore_pattern *v,
		      struct err *e)
{
	const char *end = text + n;
	unsigned line = 0;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const char *copy =
			arena_strndup(&ret->arena, text, (size_t)((eol ? eol : end) - text));
		int r = copy ? read_line(&ret->arena, copy, &v[ret->n], e) : df_no_memory(e);

		line++;
		if (r < 0)
			return err_wrap(e, "line %u", line);
		text = eol ? eol + 1 : end;
		if (!r)
			continue;
		ret->exceptions |= v[ret->n].except;
		ret->everything |= !v[ret->n].except &&
				   (str_eq(v[ret->n].text, "*") || str_eq(v[ret->n].text, "**") ||
				    str_eq(v[ret->n].text, "**/*"));
		ret->n++;
	}
	return 0;
}

int ignore_parse(const char *text, size_t n, struct ignore *ret, struct err *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct ignore_pattern *v;
	size_t lines;

	*ret = IGNORE_INIT;
	if (n >= 3 && memcmp(text, bom, 3) == 0) {
		text += 3;
		n -= 3;
	}
	if (count_lines(text, n, &lines, e) < 0)
		return -1;
	v = arena_array(&ret->arena, lines, sizeof(*v));
	ret->patterns = v;
	return v ? read_lines(text, n, ret, v, e) : df_no_memory(e);
}

void ignore_done(struct ignore *i)
{
	arena_done(&i->arena);
	*i = IGNORE_INIT;
}

/* Whether P matches PATH or a folder above it. */
static bool matches(const struct ignore_pattern *p, const char *path, char *scratch)
{
	if (p->plain) {
		const char *rest = str_after(path, p->text);

		return rest && (!*rest || *rest == '/');
	}
	if (match(p->text, path))
		return true;
	for (size_t i = strlen(path); i-- > 0;) {
		if (path[i] != '/')
			continue;
		memcpy(scratch, path, i);
		scratch[i] = 0;
		if (match(p->text, scratch))
			return true;
	}
	return false;
}

bool ignore_matches(const struct ignore *i, const char *path)
{
	_cleanup_(freep) char *scratch = malloc(strlen(path) + 1);
	bool out = false;

	for (size_t k = 0; scratch && k < i->n; k++)
		if (i->patterns[k].except == out && matches(&i->patterns[k], path, scratch))
			out = !i->patterns[k].except;
	return out;
}
