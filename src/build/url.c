/* SPDX-License-Identifier: Apache-2.0 */
#include "build/url.h"

#include "base/arena.h"
#include "base/str.h"

#include <string.h>

#define UNNAMED "__unnamed__"

/* Where user and password are in the first URL of TEXT that has them: *RET_N characters without the
 * '@'; NULL where there are none. */
static const char *find_user(const char *text, size_t *ret_n)
{
	const char *at = text;

	while ((at = strstr(at, "://"))) {
		size_t n = strcspn(at += 3, "/?# \t\"',");

		while (n > 0 && at[n - 1] != '@')
			n--;
		if (n > 0)
			return *ret_n = n - 1, at;
	}
	return NULL;
}

const char *url_shown(struct arena *a, const char *text)
{
	const char *user, *shown = "";
	size_t n;

	while (shown && (user = find_user(text, &n))) {
		shown = arena_printf(a, "%s%.*s%s@", shown, (int)(user - text), text,
				     memchr(user, ':', n) ? "xxxxx:xxxxx" : "xxxxx");
		text = user + n + 1;
	}
	if (shown && *shown)
		shown = arena_printf(a, "%s%s", shown, text);
	return !shown ? "" : *shown ? shown : text;
}

static int digit(char c)
{
	const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | (c >= 'A' && c <= 'F' ? 0x20 : 0)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Percent-encoding, in place. What is none stays. */
static void decode(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		int high = *s == '%' ? digit(s[1]) : -1, low = high < 0 ? -1 : digit(s[2]);

		*to = low < 0 ? *s : (char)(high << 4 | low);
		s += low < 0 ? 0 : 2;
	}
	*to = '\0';
}

int url_split(struct arena *a, const char *text, const char **ret_url, const char **ret_user)
{
	size_t n = 0;
	const char *user = find_user(text, &n);
	char *decoded;

	*ret_url = user ? arena_printf(a, "%.*s%s", (int)(user - text), text, user + n + 1) : text;
	decoded = arena_strndup(a, user ? user : "", n);
	if (!*ret_url || !decoded)
		return -1;
	decode(decoded);
	*ret_user = decoded;
	return 0;
}

int url_filename(struct arena *a, const char *url, const char **ret)
{
	const char *path = strstr(url, "://") + 3;
	char *text, *base;
	size_t n;

	path += strcspn(path, "/?#");
	text = arena_strndup(a, path, strcspn(path, "?#"));
	if (!text)
		return -1;
	decode(text);
	for (n = strlen(text); n > 0 && text[n - 1] == '/';)
		text[--n] = '\0';
	base = strrchr(text, '/');
	base = base ? base + 1 : text;
	*ret = !*base || str_eq(base, ".") || str_eq(base, "..") ? UNNAMED : base;
	return 0;
}
