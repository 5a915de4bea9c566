/* SPDX-License-Identifier: Apache-2.0 */
/* COPY --parents (Docker's documentation, "Dockerfile reference", "COPY --parents"): a source is a
 * pattern, as in .dockerignore, of what is copied out of a folder, the root of the tree or what is
 * in front of "/./"; the folders that it is in come with it. */
#include "base/str.h"
#include "engine/build-copy-internal.h"

#include <errno.h>
#include <string.h>

static bool has_wildcards(const char *s)
{
	return strpbrk(s, "*?[\\") != NULL;
}

/* The folders in front of the first wildcard, or the whole path. */
static const char *literal_part(struct arena *a, const char *pattern)
{
	size_t end = strcspn(pattern, "*?[\\");

	while (pattern[end] && end > 0 && pattern[end - 1] != '/')
		end--;
	if (pattern[end] && end > 0)
		end--;
	return arena_strndup(a, pattern, end);
}

/* The pattern is no line of a file: neither a comment nor an exception. */
static int parse(struct build_parents *p, struct err *e)
{
	const char *line = strchr("#!", p->pattern[0]) && p->pattern[0]
				   ? arena_printf(&p->only.arena, "\\%s", p->pattern)
				   : p->pattern;

	if (!line)
		return err_errno(e, ENOMEM, "reading --parents");
	if (ignore_parse(line, strlen(line), &p->only, e) < 0)
		return err_wrap(e, "--parents: '%s'", p->pattern);
	return 0;
}

int build_parents_read(const char *text, struct arena *a, struct build_parents *ret, struct err *e)
{
	const char *cut = strstr(text, "/./");
	const char *from = arena_strndup(a, text, cut ? (size_t)(cut - text) : 0);
	const char *pattern = str_path_clean(a, cut ? cut + 2 : text);

	*ret = (struct build_parents){.only = IGNORE_INIT};
	if (!from || !pattern)
		return err_errno(e, ENOMEM, "reading --parents");
	ret->from = *from ? from : "/";
	ret->pattern = pattern + 1;
	ret->wild = has_wildcards(ret->pattern);
	ret->literal = literal_part(a, ret->pattern);
	if (!ret->literal)
		return err_errno(e, ENOMEM, "reading --parents");
	return parse(ret, e);
}

void build_parents_done(struct build_parents *p)
{
	ignore_done(&p->only);
}

bool build_parents_hides(const struct build_parents *p, const char *path, bool *ret_enter)
{
	size_t n = strlen(path), m = strlen(p->literal);
	bool above = strncmp(p->literal, path, n) == 0 && (p->literal[n] == '/' || n >= m);
	bool below = strncmp(p->literal, path, m) == 0 && (path[m] == '/' || m == 0);

	*ret_enter = true;
	if (!*path || !*p->pattern || ignore_matches(&p->only, path))
		return false;
	*ret_enter = above || below;
	return true;
}
