/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/arena.h"

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

char *str_cut(struct arena *a, const char *s, char c, const char **ret_rest)
{
	const char *at = strchr(s, c);

	*ret_rest = at ? at + 1 : NULL;
	return at ? arena_strndup(a, s, (size_t)(at - s)) : arena_strdup(a, s);
}

const char **str_split(struct arena *a, const char *s, char c, size_t *ret_n)
{
	const char **v = NULL;
	size_t n = 0;

	do {
		char *part = str_cut(a, s, c, &s);

		if (!part || arena_strv_push(a, &v, &n, part) < 0)
			return NULL;
	} while (s);
	if (ret_n)
		*ret_n = n;
	return v;
}

char *str_join(struct arena *a, const char *const *v, const char *sep)
{
	size_t n = 0, sep_n = strlen(sep);
	char *s, *at;

	for (size_t i = 0; v && v[i]; i++)
		n += strlen(v[i]) + sep_n;
	s = at = arena_alloc(a, n + 1);
	if (!s)
		return NULL;
	for (size_t i = 0; v && v[i]; i++) {
		size_t len = strlen(v[i]);

		if (i) {
			memcpy(at, sep, sep_n);
			at += sep_n;
		}
		memcpy(at, v[i], len);
		at += len;
	}
	*at = '\0';
	return s;
}

size_t strv_len(const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

bool strv_has(const char *const *v, const char *s)
{
	for (size_t i = 0; v && v[i]; i++)
		if (str_eq(v[i], s))
			return true;
	return false;
}

const char *strv_env_get(const char *const *env, const char *key)
{
	size_t n = strlen(key);
	const char *found = NULL;

	for (size_t i = 0; env && env[i]; i++)
		if (strncmp(env[i], key, n) == 0 && env[i][n] == '=')
			found = env[i] + n + 1;
	return found;
}

/* Edits from A to B: a letter more, less, another, or two that changed places. For words of up to
 * 31 bytes; longer ones are never near. */
static unsigned distance(const char *a, const char *b)
{
	enum { WORD_MAX = 31 };
	unsigned rows[3][WORD_MAX + 1]; /* of the last three letters of A, in turn */
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			if (i == 0) {
				row[j] = (unsigned)j;
				continue;
			}
			row[j] =
				MIN(up[j - 1] + (a[i - 1] != b[j - 1]), MIN(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *table)
{
	unsigned best = (unsigned)strlen(word) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; table && table[i]; i++) {
		unsigned d = distance(word, table[i]);

		if (d < best || (d == best && !found)) {
			best = d;
			found = table[i];
		}
	}
	return found;
}

char *str_path_clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2), *to = out;

	while (out && *(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (to > out && *--to != '/')
				;
		} else if (n != 1 || path[0] != '.') {
			*to++ = '/';
			memcpy(to, path, n);
			to += n;
		}
		path += n;
	}
	if (out && to == out)
		*to++ = '/';
	if (out)
		*to = '\0';
	return out;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int str_natural_cmp(const char *a, const char *b)
{
	while (*a && *b) {
		size_t za, zb, na, nb;
		int r;

		if (is_digit(*a) != is_digit(*b))
			return is_digit(*a) ? -1 : 1;
		if (!is_digit(*a)) {
			if (*a != *b)
				return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
			a++;
			b++;
			continue;
		}
		za = strspn(a, "0");
		zb = strspn(b, "0");
		na = strspn(a + za, "0123456789");
		nb = strspn(b + zb, "0123456789");
		r = na != nb ? (na < nb ? -1 : 1) : strncmp(a + za, b + zb, na);
		if (r == 0 && za != zb)
			r = za < zb ? -1 : 1;
		if (r)
			return r;
		a += za + na;
		b += zb + nb;
	}
	return (*a != 0) - (*b != 0);
}
