/* SPDX-License-Identifier: Apache-2.0 */
/* What lists: the base, the catalogue, tags and referrers. Every list is cut into pages of a
 * bounded size; "Link" leads to the next one. */
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "oci/media-type.h"
#include "registry/registry-internal.h"

#include <stdio.h>

#define CATALOG_MAX    1000  /* names in an answer */
#define TAGS_MAX       10000 /* tags in an answer, also where none were asked for by "n" */
#define TYPE_MAX       256   /* bytes of an artifactType that can be asked for */
#define REFERRERS_MAX  500   /* descriptors in an answer, and */
#define REFERRERS_SIZE ((size_t)4 << 20) /* their bytes */

static void base_end(struct request *r)
{
	reply_status(r, 200);
	reply_header(r, "Content-Type", "application/json");
	if (buf_puts(&r->reply.body, "{}") < 0)
		reply_status(r, 500);
}

/* Answers with J, which is consumed. */
static void reply_json(struct request *r, json_t *j, const char *type)
{
	reply_status(r, 200);
	reply_header(r, "Content-Type", "%s", type);
	if (!j || json_write(j, 0, &r->reply.body) < 0)
		reply_error(r, 500, CODE_UNKNOWN, "out of memory");
	json_decref(j);
}

/* One page of ALL as an array; where more follows, a Link to PATH. */
static json_t *page(struct request *r, const struct names *all, size_t max, const char *path)
{
	char last[3 * NAME_MAX_LENGTH + 1] = "";
	json_t *list = json_array();
	size_t from, n;
	bool given;

	if (!query_count(r, max, &n, &given)) {
		json_decref(list);
		reply_error(r, 400, CODE_UNSUPPORTED, "'n' is no number");
		return NULL;
	}
	query_get(r->query, "last", 0, last, sizeof(last));
	from = names_after(all, last);
	n = MIN(n, all->n - from);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(all->v[from + i]));
	if (n > 0 && from + n < all->n)
		reply_header(r, "Link", "<%s?n=%zu&last=%s>; rel=\"next\"", path, n,
			     all->v[from + n - 1]);
	return list;
}

static void catalog_end(struct request *r)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	struct err e = ERR_INIT;
	json_t *list;

	if (repositories_list(r->registry->storage, &all, &e) < 0) {
		reply_err(r, CODE_UNKNOWN, &e);
		return;
	}
	list = page(r, &all, CATALOG_MAX, "/v2/_catalog");
	if (list)
		reply_json(r, json_pack("{so}", "repositories", list), "application/json");
}

/* Answers 404 where there is no such repository. */
static bool check_repository(struct request *r)
{
	struct err e = ERR_INIT;
	int k = repository_exists(r->registry->storage, r->route.repository, &e);

	if (k < 0)
		reply_err(r, CODE_UNKNOWN, &e);
	else if (k == 0)
		reply_error(r, 404, CODE_NAME_UNKNOWN, "no repository '%s'", r->route.repository);
	return k > 0;
}

static void tags_end(struct request *r)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	struct storage *s = r->registry->storage;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];
	json_t *list;

	if (!check_repository(r))
		return;
	snprintf(key, sizeof(key), "repositories/%s/_tags", r->route.repository);
	if (s->ops->list(s, key, names_collect, &all, &e) < 0) {
		reply_err(r, CODE_UNKNOWN, &e);
		return;
	}
	names_sort(&all);
	snprintf(key, sizeof(key), "/v2/%s/tags/list", r->route.repository);
	list = page(r, &all, TAGS_MAX, key);
	if (list)
		reply_json(r, json_pack("{ss so}", "name", r->route.repository, "tags", list),
			   "application/json");
}

/* What a media type is made of (RFC 6838 4.2). */
#define TYPE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+/;="

/* The descriptor that the object KEY holds, where it passes the filter; else NULL. */
static json_t *read_referrer(struct storage *s, const char *key, const char *filter)
{
	_cleanup_(fd_close) int fd = s->ops->get(s, key, NULL, NULL);
	_cleanup_(buf_done) struct buf text = BUF_INIT(2 * REGISTRY_MANIFEST_MAX);
	const char *type;
	json_t *j;

	if (fd < 0 || fd_read_all(fd, &text, 2 * REGISTRY_MANIFEST_MAX - 1) < 0)
		return NULL;
	j = json_parse(buf_str(&text), text.len, "a referrer", NULL);
	type = json_string_value(json_object_get(j, "artifactType"));
	if (*filter && !str_eq0(type, filter)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* Which referrers are asked for. */
struct referrers_query {
	char folder[KEY_SIZE];
	char last[3 * CONTENT_DIGEST_SIZE]; /* after this name */
	const char *filter;                 /* an artifactType, or "" */
};

/* Appends those that Q asks for; returns the name after which the rest follows. */
static const char *collect(struct storage *s, const struct referrers_query *q,
			   const struct names *all, json_t *list)
{
	size_t size = 0, from = names_after(all, q->last);

	for (size_t i = from; i < all->n; i++) {
		char key[KEY_SIZE];
		struct storage_stat st;
		json_t *j;

		if (json_array_size(list) >= REFERRERS_MAX || size > REFERRERS_SIZE)
			return all->v[i - 1];
		snprintf(key, sizeof(key), "%.*s/%.160s", KEY_SIZE - 200, q->folder, all->v[i]);
		j = s->ops->stat(s, key, &st, NULL) == 0 ? read_referrer(s, key, q->filter) : NULL;
		if (!j)
			continue;
		size += st.size;
		json_array_append_new(list, j);
	}
	return NULL;
}

/* TYPE as a value in a query. */
static void encode_type(const char *type, char out[3 * TYPE_MAX])
{
	for (; *type; type++) {
		bool plain = *type != '+' && *type != '&' && *type != '#' && *type != ';';
		int n = snprintf(out, 4, plain ? "%c" : "%%%02X", *type);

		out += n;
	}
	*out = '\0';
}

static void list_referrers(struct request *r, const struct content_digest *subject,
			   const char *filter)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	struct storage *s = r->registry->storage;
	struct referrers_query q = {.filter = filter};
	char type[3 * TYPE_MAX];
	struct err e = ERR_INIT;
	const char *next;
	json_t *list;

	key_referrer(r->route.repository, subject, NULL, q.folder);
	if (s->ops->list(s, q.folder, names_collect, &all, &e) < 0) {
		reply_err(r, CODE_UNKNOWN, &e);
		return;
	}
	names_sort(&all);
	query_get(r->query, "last", 0, q.last, sizeof(q.last));
	list = json_array();
	next = collect(s, &q, &all, list);
	if (next) {
		encode_type(filter, type);
		reply_header(r, "Link", "</v2/%s/referrers/%s?last=%s%s%s>; rel=\"next\"",
			     r->route.repository, subject->text, next,
			     *filter ? "&artifactType=" : "", type);
	}
	if (*filter)
		reply_header(r, "OCI-Filters-Applied", "artifactType");
	reply_json(r,
		   json_pack("{si ss so}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
			     "manifests", list),
		   MEDIA_OCI_INDEX);
}

static void referrers_end(struct request *r)
{
	struct content_digest subject;
	char filter[3 * TYPE_MAX] = "";
	struct err e = ERR_INIT;

	if (content_digest_parse(r->route.reference, &subject, &e) < 0) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "%s", e.msg);
		return;
	}
	query_get(r->query, "artifactType", 0, filter, sizeof(filter));
	/* A media type has no blanks: they are a '+' that the client did not encode. */
	for (char *p = filter; (p = strchr(p, ' '));)
		*p = '+';
	if (strlen(filter) >= TYPE_MAX || filter[strspn(filter, TYPE_LETTERS)])
		reply_error(r, 400, CODE_UNSUPPORTED, "invalid artifactType");
	else
		list_referrers(r, &subject, filter);
}

const struct endpoint_ops endpoint_base = {.end = base_end};
const struct endpoint_ops endpoint_catalog = {.end = catalog_end};
const struct endpoint_ops endpoint_tags = {.end = tags_end};
const struct endpoint_ops endpoint_referrers = {.end = referrers_end};
