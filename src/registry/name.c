/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/name.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>

static bool alnum_low(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The separators within a component: one dot, one or two underscores, any number of dashes. */
static size_t separator(const char *s)
{
	size_t n = strspn(s, "-");

	if (n > 0)
		return n;
	if (s[0] == '.')
		return 1;
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	return 0;
}

bool name_is_repository(const char *s)
{
	if (strnlen(s, NAME_MAX_LENGTH + 1) > NAME_MAX_LENGTH)
		return false;
	for (;;) {
		if (!alnum_low(*s))
			return false;
		while (alnum_low(*s))
			s++;
		if (!*s)
			return true;
		if (*s == '/') {
			s++;
			continue;
		}
		size_t n = separator(s);

		if (n == 0)
			return false;
		s += n;
	}
}

bool name_is_tag(const char *s)
{
	size_t n = strnlen(s, TAG_MAX_LENGTH + 1);

	if (n == 0 || n > TAG_MAX_LENGTH || *s == '.' || *s == '-')
		return false;
	for (; *s; s++)
		if (!(*s >= 'A' && *s <= 'Z') && !alnum_low(*s) && !strchr("._-", *s))
			return false;
	return true;
}

bool name_is_upload(const char *s)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strnlen(s, sizeof(form)) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
			return false;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool name_decode(const char *s, size_t n, bool plus, char *out)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			int high = i + 2 < n ? digit(s[i + 1]) : -1;
			int low = high >= 0 ? digit(s[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			if (!c || (c == '/' && !plus))
				return false;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		} else if (!c) {
			return false;
		}
		*out++ = c;
	}
	*out = '\0';
	return true;
}

/* The forms of a path behind its repository; the word that stands between name and reference. */
static const struct {
	const char *word;
	enum endpoint endpoint;
} forms[] = {
	{"/blobs/uploads/", ENDPOINT_UPLOAD},
	{"/manifests/", ENDPOINT_MANIFEST},
	{"/blobs/", ENDPOINT_BLOB},
	{"/referrers/", ENDPOINT_REFERRERS},
};

static bool fits(struct route *r, const char *path, size_t name, enum endpoint endpoint)
{
	r->endpoint = endpoint;
	r->bad_name = name == 0 || name > NAME_MAX_LENGTH;
	if (!r->bad_name) {
		memcpy(r->repository, path, name);
		r->repository[name] = '\0';
		r->bad_name = !name_is_repository(r->repository);
	}
	if (r->bad_name)
		r->repository[0] = '\0';
	return true;
}

static bool ends(const char *path, size_t n, const char *end, size_t *ret_before)
{
	size_t m = strlen(end);

	if (n < m || memcmp(path + n - m, end, m) != 0)
		return false;
	*ret_before = n - m;
	return true;
}

/* PATH is what follows "/v2/". */
static bool parse_named(const char *path, size_t n, struct route *r)
{
	size_t name, last = n;

	if (ends(path, n, "/tags/list", &name))
		return fits(r, path, name, ENDPOINT_TAGS);
	if (ends(path, n, "/blobs/uploads/", &name) || ends(path, n, "/blobs/uploads", &name))
		return fits(r, path, name, ENDPOINT_UPLOADS);
	while (last > 0 && path[last - 1] != '/')
		last--;
	if (n - last == 0 || n - last >= sizeof(r->reference) ||
	    !name_decode(path + last, n - last, false, r->reference))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (ends(path, last, forms[i].word, &name))
			return fits(r, path, name, forms[i].endpoint);
	return false;
}

void route_parse(const char *path, size_t n, struct route *ret)
{
	static const struct {
		const char *path;
		enum endpoint endpoint;
	} own[] = {
		{"/token", ENDPOINT_TOKEN},
		{"/healthz", ENDPOINT_HEALTH},
		{"/readyz", ENDPOINT_HEALTH},
		{"/metrics", ENDPOINT_METRICS},
	};

	*ret = (struct route){.endpoint = ENDPOINT_NONE};
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (n == strlen(own[i].path) && memcmp(path, own[i].path, n) == 0)
			ret->endpoint = own[i].endpoint;
	if (n < 3 || memcmp(path, "/v2", 3) != 0 || (n > 3 && path[3] != '/'))
		return;
	if (n <= 4) {
		ret->endpoint = ENDPOINT_BASE;
		return;
	}
	path += 4;
	n -= 4;
	if (n == strlen("_catalog") && memcmp(path, "_catalog", n) == 0)
		ret->endpoint = ENDPOINT_CATALOG;
	else if (!parse_named(path, n, ret))
		*ret = (struct route){.endpoint = ENDPOINT_NONE};
}

bool query_get(const char *query, const char *key, unsigned index, char *out, size_t n)
{
	size_t k = strlen(key);

	while (query && *query) {
		size_t m = strcspn(query, "&");
		bool found = m >= k && memcmp(query, key, k) == 0 && (m == k || query[k] == '=');

		if (found && index-- == 0) {
			size_t value = m == k ? k : k + 1;

			return m - value < n && name_decode(query + value, m - value, true, out);
		}
		query += query[m] ? m + 1 : m;
	}
	return false;
}

/* Digits at *S, at most 2^62. */
static bool number(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		v = v * 10 + (uint64_t)(**s - '0');
		if (v > UINT64_C(1) << 62)
			return false;
	}
	*ret = v;
	return true;
}

bool range_parse_content(const char *s, uint64_t *ret_start, uint64_t *ret_end)
{
	const char *after = str_after(s, "bytes ");
	uint64_t start, end, total;

	s = after ? after : s;
	if (!number(&s, &start) || *s++ != '-' || !number(&s, &end) || end < start)
		return false;
	if (after && *s == '/') {
		s++;
		if (*s == '*')
			s++;
		else if (!number(&s, &total) || end >= total)
			return false;
	}
	if (*s)
		return false;
	*ret_start = start;
	*ret_end = end;
	return true;
}

enum range_kind range_parse(const char *s, uint64_t size, uint64_t *ret_start, uint64_t *ret_n)
{
	uint64_t start, end = UINT64_MAX;

	s = s ? str_after(s, "bytes=") : NULL;
	if (!s)
		return RANGE_WHOLE;
	if (*s == '-') {
		s++;
		if (!number(&s, &end) || *s)
			return RANGE_WHOLE;
		if (end == 0 || size == 0)
			return RANGE_BEYOND;
		*ret_n = MIN(end, size);
		*ret_start = size - *ret_n;
		return RANGE_PART;
	}
	if (!number(&s, &start) || *s++ != '-')
		return RANGE_WHOLE;
	if (*s && (!number(&s, &end) || *s || end < start))
		return RANGE_WHOLE;
	if (start >= size)
		return RANGE_BEYOND;
	*ret_start = start;
	*ret_n = MIN(end, size - 1) - start + 1;
	return RANGE_PART;
}
