/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of github.com/distribution/reference, by hand instead of by regular expressions:
 *
 *	domain     := host [ ":" digits ]
 *	host       := component *( "." component ) | "[" 1*( hex | ":" ) "]"
 *	component  := alnum [ *( alnum | "-" ) alnum ]
 *	path       := element *( "/" element )
 *	element    := 1*lowernum *( separator 1*lowernum )
 *	separator  := "." | "_" | "__" | 1*"-"
 *	tag        := word 0*127( word | "." | "-" )		word: alnum or "_"
 *
 * Normalisation (ParseNormalizedNamed) splits the domain off first: what stands before the first
 * "/" is one only if it is "localhost", contains "." or ":", or has a capital letter. If it then
 * does not fit the grammar of a domain (it has a "_"), Docker takes all of it as the path and the
 * domain stays empty; so do we. */
#include "oci/reference.h"

#include "base/id.h"
#include "base/str.h"

#include <stdio.h>

#define DEFAULT_DOMAIN  "docker.io"
#define LEGACY_DOMAIN   "index.docker.io"
#define OFFICIAL_PREFIX "library/"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lowernum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_lowernum(c) || is_upper(c);
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(char c)
{
	return is_alnum(c) || c == '_';
}

/* A part of a string. */
struct span {
	const char *s;
	size_t n;
};

static bool span_has(struct span t, const char *any)
{
	for (size_t i = 0; i < t.n; i++) {
		if (strchr(any, t.s[i]))
			return true;
	}
	return false;
}

static bool span_has_upper(struct span t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (is_upper(t.s[i]))
			return true;
	}
	return false;
}

static bool span_is(struct span t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.s, s, t.n) == 0;
}

static bool is_port(struct span t)
{
	for (size_t i = 0; i < t.n; i++) {
		if (!is_digit(t.s[i]))
			return false;
	}
	return t.n > 0;
}

static bool is_ipv6(struct span t)
{
	if (t.n < 3 || t.s[0] != '[' || t.s[t.n - 1] != ']')
		return false;
	for (size_t i = 1; i < t.n - 1; i++) {
		if (!is_hex(t.s[i]) && t.s[i] != ':')
			return false;
	}
	return true;
}

static bool is_host_name(struct span t)
{
	for (size_t i = 0; i < t.n; i++) {
		bool edge = i == 0 || i == t.n - 1 || t.s[i - 1] == '.' || t.s[i + 1] == '.';

		if (t.s[i] == '.' ? edge : !is_alnum(t.s[i]) && (t.s[i] != '-' || edge))
			return false;
	}
	return t.n > 0;
}

static bool is_domain(struct span t)
{
	size_t host = t.n;

	if (t.n && t.s[0] == '[') {
		const char *end = memchr(t.s, ']', t.n);

		host = end ? (size_t)(end - t.s) + 1 : t.n;
	} else {
		const char *colon = memchr(t.s, ':', t.n);

		host = colon ? (size_t)(colon - t.s) : t.n;
	}
	if (host < t.n &&
	    (t.s[host] != ':' || !is_port((struct span){t.s + host + 1, t.n - host - 1})))
		return false;
	t.n = host;
	return t.n && t.s[0] == '[' ? is_ipv6(t) : is_host_name(t);
}

/* The length of the separator at the start of T; 0 where there is none. */
static size_t separator_length(struct span t)
{
	size_t n = 0;

	if (t.n && t.s[0] == '.')
		return 1;
	if (t.n && t.s[0] == '_')
		return t.n > 1 && t.s[1] == '_' ? 2 : 1;
	while (n < t.n && t.s[n] == '-')
		n++;
	return n;
}

static bool is_path(struct span t)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;

		while (i < t.n && is_lowernum(t.s[i]))
			i++;
		if (i == start)
			return false;
		if (i == t.n)
			return true;
		if (t.s[i] == '/') {
			i++;
			continue;
		}
		start = i;
		i += separator_length((struct span){t.s + i, t.n - i});
		if (i == start)
			return false;
	}
}

static bool is_tag_span(struct span t)
{
	if (!t.n || t.n > REFERENCE_TAG_MAX || !is_word(t.s[0]))
		return false;
	for (size_t i = 1; i < t.n; i++) {
		if (!is_word(t.s[i]) && t.s[i] != '.' && t.s[i] != '-')
			return false;
	}
	return true;
}

bool reference_is_tag(const char *s)
{
	return is_tag_span((struct span){s, strlen(s)});
}

/* The text of a reference in its parts, before they are checked. */
struct parts {
	struct span domain, path, tag;
	bool has_tag;
	const char *digest; /* or NULL */
	bool official;      /* "library/" goes before the path */
};

static void split_tail(const char *s, size_t n, struct parts *p)
{
	const char *at = memchr(s, '@', n);
	const char *colon;

	if (at) {
		p->digest = at + 1;
		n = (size_t)(at - s);
	}
	colon = memchr(s, ':', n);
	if (colon) {
		p->has_tag = true;
		p->tag = (struct span){colon + 1, (size_t)(s + n - colon - 1)};
		n = (size_t)(colon - s);
	}
	p->path = (struct span){s, n};
}

/* Whether what stands before the first "/" is read as a domain. */
static bool reads_as_domain(struct span head)
{
	return span_is(head, "localhost") || span_has(head, ".:") || span_has_upper(head);
}

/* splitDockerDomain. */
static void split(const char *s, struct parts *p)
{
	const char *slash = strchr(s, '/');
	struct span head = {s, slash ? (size_t)(slash - s) : 0};
	const char *rest = s;

	p->domain = (struct span){DEFAULT_DOMAIN, strlen(DEFAULT_DOMAIN)};
	if (slash && span_is(head, LEGACY_DOMAIN)) {
		rest = slash + 1;
	} else if (slash && reads_as_domain(head)) {
		p->domain = head;
		rest = slash + 1;
	}
	split_tail(rest, strlen(rest), p);
	p->official = span_is(p->domain, DEFAULT_DOMAIN) && !strchr(rest, '/');
}

static int bad_format(const char *s, struct err *e)
{
	return err_set(e, ERR_INVALID, 0, "invalid reference format: '%.300s'", s);
}

/* Where the only fault of the name is its case, says so as Docker does. */
static int bad_name(const char *s, const struct parts *p, struct err *e)
{
	if (span_has_upper(p->path))
		return err_set(e, ERR_INVALID, 0,
			       "invalid reference format: repository name (%s%.*s) must be "
			       "lowercase",
			       p->official ? OFFICIAL_PREFIX : "", (int)MIN(p->path.n, (size_t)300),
			       p->path.s);
	return bad_format(s, e);
}

/* Copies the path, with "library/" or a domain that is none before it. */
static int take_path(const struct parts *p, const char *lead, size_t n_lead, struct reference *r,
		     struct err *e)
{
	if (n_lead + p->path.n > REFERENCE_PATH_MAX)
		return err_set(e, ERR_INVALID, 0,
			       "repository name must not be more than %d characters",
			       REFERENCE_PATH_MAX);
	memcpy(r->path, lead, n_lead);
	memcpy(r->path + n_lead, p->path.s, p->path.n);
	return 0;
}

static int take_name(const char *s, const struct parts *p, struct reference *r, struct err *e)
{
	struct span whole = {p->domain.s, p->domain.n + 1 + p->path.n};

	if (is_domain(p->domain)) {
		if (p->domain.n > REFERENCE_DOMAIN_MAX || !is_path(p->path))
			return bad_name(s, p, e);
		memcpy(r->domain, p->domain.s, p->domain.n);
		return p->official ? take_path(p, OFFICIAL_PREFIX, strlen(OFFICIAL_PREFIX), r, e)
				   : take_path(p, "", 0, r, e);
	}
	/* Not a domain, so it was cut out of S, and the path follows it there. */
	if (!is_path(whole))
		return bad_name(s, p, e);
	return take_path(p, p->domain.s, p->domain.n + 1, r, e);
}

/* Digests follow a wider grammar in references; what is wrong with them is told apart as there. */
static int take_digest(const char *s, const char *digest, struct reference *r, struct err *e)
{
	size_t n = 0;

	while (is_alnum(digest[n]) || (digest[n] && strchr("+._-", digest[n])))
		n++;
	if (!n || digest[n] != ':')
		return bad_format(s, e);
	for (size_t i = n + 1; digest[i]; i++) {
		if (!is_hex(digest[i]))
			return bad_format(s, e);
	}
	if (strlen(digest + n + 1) < 32)
		return bad_format(s, e);
	return digest_parse(digest, &r->digest, e);
}

int reference_parse(const char *s, struct reference *ret, struct err *e)
{
	struct reference r = {.domain = ""};
	struct parts p = {.digest = NULL};

	if (!*s)
		return err_set(e, ERR_INVALID, 0, "invalid reference format: the name is empty");
	if (id_is_full(s))
		return err_set(e, ERR_INVALID, 0,
			       "invalid repository name (%s), cannot specify 64-byte hexadecimal "
			       "strings",
			       s);
	split(s, &p);
	if (take_name(s, &p, &r, e) < 0)
		return -1;
	if (p.has_tag) {
		if (!is_tag_span(p.tag))
			return bad_format(s, e);
		memcpy(r.tag, p.tag.s, p.tag.n);
	}
	if (p.digest && take_digest(s, p.digest, &r, e) < 0)
		return -1;
	*ret = r;
	return 0;
}

int reference_parse_tagged(const char *s, struct reference *ret, struct err *e)
{
	if (reference_parse(s, ret, e) < 0)
		return -1;
	if (!ret->tag[0] && !digest_is_set(&ret->digest))
		memcpy(ret->tag, "latest", sizeof("latest"));
	return 0;
}

/* Without the default domain the path "quay.io/x" would name something else, and "library/" with 64
 * hexadecimal digits would be an ID: Docker shows them so, we keep the domain. */
static bool needs_domain(const char *path)
{
	const char *slash = strchr(path, '/'), *official = str_after(path, OFFICIAL_PREFIX);

	if (official && id_is_full(official))
		return true;
	return slash && reads_as_domain((struct span){path, (size_t)(slash - path)});
}

const char *reference_repository(const struct reference *r, bool familiar,
				 char out[REFERENCE_TEXT_SIZE])
{
	const char *domain = r->domain, *path = r->path, *rest;

	if (familiar && str_eq(domain, DEFAULT_DOMAIN) && !needs_domain(path)) {
		domain = "";
		rest = str_after(path, OFFICIAL_PREFIX);
		if (rest && !strchr(rest, '/'))
			path = rest;
	}
	snprintf(out, REFERENCE_TEXT_SIZE, "%s%s%s", domain, *domain ? "/" : "", path);
	return out;
}

static const char *put_tail(const struct reference *r, char out[REFERENCE_TEXT_SIZE])
{
	size_t n = strlen(out);

	snprintf(out + n, REFERENCE_TEXT_SIZE - n, "%s%s%s%s", r->tag[0] ? ":" : "", r->tag,
		 digest_is_set(&r->digest) ? "@" : "", r->digest.text);
	return out;
}

const char *reference_text(const struct reference *r, char out[REFERENCE_TEXT_SIZE])
{
	reference_repository(r, false, out);
	return put_tail(r, out);
}

const char *reference_familiar(const struct reference *r, char out[REFERENCE_TEXT_SIZE])
{
	reference_repository(r, true, out);
	return put_tail(r, out);
}

bool reference_eq(const struct reference *a, const struct reference *b)
{
	return str_eq(a->domain, b->domain) && str_eq(a->path, b->path) && str_eq(a->tag, b->tag) &&
	       digest_eq(&a->digest, &b->digest);
}

bool reference_maybe_id(const char *s, const char **ret_hex)
{
	const char *hex = str_after(s, "sha256:");

	if (!hex)
		hex = s;
	if (!id_is_prefix(hex))
		return false;
	*ret_hex = hex;
	return true;
}
