/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: reading, pushing, deleting (distribution-spec, "Pulling manifests", "Pushing
 * Manifests", "Deleting Manifests").
 *
 * A push writes, in this order, the bytes, the entry in the list of referrers of its subject, the
 * repository's link, which makes it a manifest of the repository, and the tags. Whatever it refers
 * to is renewed before, so that no collection of garbage that began earlier removes it. */
#include "base/fd.h"
#include "base/str.h"
#include "registry/cache.h"
#include "registry/document.h"
#include "registry/events.h"
#include "registry/policy.h"
#include "registry/pulls.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>

#define TYPE_SIZE  (DOCUMENT_TYPE_MAX + 1)
#define TAGS_MAX   64 /* "?tag=" in one push */
#define SWAP_TRIES 100

/* Reads the digest that TAG stands for. */
static int read_tag(struct storage *s, const char *repository, const char *tag,
		    struct content_digest *ret, struct err *e)
{
	char key[KEY_SIZE], text[CONTENT_DIGEST_SIZE + 8];

	key_tag(repository, tag, key);
	if (storage_read(s, key, text, sizeof(text), e) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (content_digest_parse(text, ret, e) < 0)
		return err_set(e, ERR_CORRUPT, 0, "tag '%s' of '%s' is damaged", tag, repository);
	return 0;
}

/* The digest that the request's reference means. */
static int resolve(struct request *r, struct content_digest *ret, struct err *e)
{
	const char *reference = r->route.reference;

	if (strchr(reference, ':'))
		return content_digest_parse(reference, ret, e);
	if (!name_is_tag(reference))
		return err_set(e, ERR_NOT_FOUND, 0, "no manifest '%.128s'", reference);
	return read_tag(r->registry->storage, r->route.repository, reference, ret, e);
}

static void reply_unknown(struct request *r, struct err *e)
{
	if (e->class == ERR_NOT_FOUND)
		reply_error(r, 404, CODE_MANIFEST_UNKNOWN, "no manifest '%.200s' in '%s'",
			    r->route.reference, r->route.repository);
	else
		reply_err(r,
			  e->class == ERR_INVALID || e->class == ERR_UNSUPPORTED
				  ? CODE_DIGEST_INVALID
				  : CODE_MANIFEST_INVALID,
			  e);
}

static void get_end(struct request *r)
{
	struct storage *s = r->registry->storage;
	struct content_digest d;
	struct storage_stat st;
	struct err e = ERR_INIT;
	char key[KEY_SIZE], type[TYPE_SIZE];
	int fd = -1;

	if (resolve(r, &d, &e) == 0) {
		key_link(r->route.repository, LINK_MANIFESTS, &d, key);
		if (storage_read(s, key, type, sizeof(type), &e) >= 0) {
			key_blob(&d, key);
			fd = s->ops->get(s, key, &st, &e);
		}
	}
	if (cache_wait(r, CACHE_MANIFEST, fd >= 0)) {
		fd_close(&fd);
		return;
	}
	if (fd < 0) {
		if (!cache_reply(r, CODE_MANIFEST_UNKNOWN))
			reply_unknown(r, &e);
		return;
	}
	r->reply.fd = fd;
	r->reply.length = st.size;
	reply_status(r, 200);
	reply_header(r, "Content-Type", "%s", type);
	if (r->fetch_err.class != ERR_NONE)
		reply_header(r, "Warning", "110 - \"Response is Stale\"");
	if (reply_cached(r, d.text) || r->method != METHOD_GET)
		return;
	events_note(r->registry->events, r, EVENT_PULL, &d, type);
	pulls_note(r, &d);
}

static void put_begin(struct request *r)
{
	if (r->body_length != UINT64_MAX && r->body_length > REGISTRY_MANIFEST_MAX)
		reply_error(r, 413, CODE_MANIFEST_INVALID, "a manifest has at most %zu bytes",
			    REGISTRY_MANIFEST_MAX);
}

static void put_body(struct request *r, const void *data, size_t n)
{
	if (r->too_large || buf_put(&r->body, data, n) < 0)
		r->too_large = true;
}

/* Whether everything that the document refers to is in the repository, and renews it. */
static bool check_references(struct request *r, const struct document *d)
{
	struct storage *s = r->registry->storage;
	const char *repository = r->route.repository;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];

	for (size_t i = 0; i < d->n_references; i++) {
		const struct document_reference *f = &d->references[i];
		int k = 0;

		if (f->manifest) {
			key_link(repository, LINK_MANIFESTS, &f->digest, key);
			k = s->ops->touch(s, key, &e) == 0;
		}
		/* BuildKit's caches are indexes of blobs, and other registries take them. */
		if (k == 0)
			k = repository_has_blob(s, repository, &f->digest, true, &e);
		if (k == 0 && f->foreign)
			continue;
		if (k < 0)
			reply_err(r, CODE_MANIFEST_BLOB_UNKNOWN, &e);
		else if (k == 0)
			reply_error(r, 400, CODE_MANIFEST_BLOB_UNKNOWN, "%s is not in '%s'",
				    f->digest.text, repository);
		if (k != 1)
			return false;
	}
	return true;
}

/* Lets TAG stand for D: the last one wins, and each change sees the one before. */
static int put_tag(struct request *r, const char *tag, const struct content_digest *d,
		   struct err *e)
{
	struct storage *s = r->registry->storage;
	const char *repository = r->route.repository;
	char key[KEY_SIZE], old[CONTENT_DIGEST_SIZE + 8], text[CONTENT_DIGEST_SIZE + 8];
	int n = snprintf(text, sizeof(text), "%s\n", d->text);

	key_tag(repository, tag, key);
	for (int i = 0; i < SWAP_TRIES; i++) {
		struct err why = ERR_INIT;
		bool there = storage_read(s, key, old, sizeof(old), &why) >= 0;

		if (there && str_eq(old, text))
			return 0;
		if (there && policy_is_immutable(r->registry->policy, repository, tag))
			return err_set(e, ERR_DENIED, 0, "tag '%s' of '%s' never changes", tag,
				       repository);
		if ((there || why.class == ERR_NOT_FOUND) &&
		    s->ops->swap(s, key, there ? old : NULL, text, (size_t)n, &why) == 0)
			return 0;
		if (why.class != ERR_CONFLICT) {
			*e = why;
			return -1;
		}
	}
	return err_set(e, ERR_CONFLICT, 0, "tag '%s' changes all the time", tag);
}

static int put_referrer(struct storage *s, const char *repository, const struct document *d,
			const struct content_digest *digest, size_t size, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(2 * REGISTRY_MANIFEST_MAX);
	_cleanup_(json_unref) json_t *j = NULL;
	char key[KEY_SIZE];

	j = document_descriptor(d, digest, size);
	if (!j || json_write(j, 0, &text) < 0)
		return err_errno(e, ENOMEM, "listing a referrer");
	key_referrer(repository, &d->subject, digest, key);
	return s->ops->put(s, key, buf_str(&text), text.len, e);
}

int manifest_store(struct storage *s, const char *repository, const struct document *doc,
		   const struct content_digest *digest, const struct bytes *text, struct err *e)
{
	char key[KEY_SIZE];

	key_blob(digest, key);
	if (s->ops->put(s, key, text->data, text->n, e) < 0)
		return -1;
	if (doc->has_subject && put_referrer(s, repository, doc, digest, text->n, e) < 0)
		return -1;
	key_link(repository, LINK_MANIFESTS, digest, key);
	return s->ops->put(s, key, doc->media_type, strlen(doc->media_type), e);
}

/* The tags that the request names. False where it has answered. */
static bool put_tags(struct request *r, const struct content_digest *digest, bool by_digest)
{
	char tags[(TAG_MAX_LENGTH + 3) * TAGS_MAX] = "", tag[3 * TAG_MAX_LENGTH + 1];
	struct err e = ERR_INIT;
	size_t n = 0;

	if (!by_digest) {
		if (put_tag(r, r->route.reference, digest, &e) == 0)
			return true;
		reply_err(r, CODE_MANIFEST_INVALID, &e);
		return false;
	}
	for (unsigned i = 0; i < TAGS_MAX; i++) {
		if (!query_get(r->query, "tag", i, tag, sizeof(tag)))
			break;
		if (!name_is_tag(tag))
			err_set(&e, ERR_INVALID, 0, "invalid tag '%.128s'", tag);
		if (e.class != ERR_NONE || put_tag(r, tag, digest, &e) < 0) {
			reply_err(r, CODE_MANIFEST_INVALID, &e);
			return false;
		}
		n += (size_t)snprintf(tags + n, sizeof(tags) - n, "%s%s", n ? ", " : "", tag);
	}
	if (n > 0)
		reply_header(r, "OCI-Tag", "%s", tags);
	return true;
}

/* Checks the reference and computes the digest. False where it has answered. */
static bool check_digest(struct request *r, struct content_digest *ret, bool *ret_by_digest)
{
	const char *reference = r->route.reference;
	struct content_digest wanted = {.algorithm = CONTENT_SHA256};
	struct err e = ERR_INIT;

	*ret_by_digest = strchr(reference, ':') != NULL;
	if (*ret_by_digest && content_digest_parse(reference, &wanted, &e) < 0) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "%s", e.msg);
		return false;
	}
	if (!*ret_by_digest && !name_is_tag(reference)) {
		reply_error(r, 400, CODE_MANIFEST_INVALID, "invalid tag '%.128s'", reference);
		return false;
	}
	content_digest_of(wanted.algorithm, buf_str(&r->body), r->body.len, ret);
	if (*ret_by_digest && !content_digest_eq(ret, &wanted)) {
		reply_error(r, 400, CODE_DIGEST_INVALID, "the manifest has the digest %s, not %s",
			    ret->text, wanted.text);
		return false;
	}
	return true;
}

static void put_document(struct request *r, const struct content_digest *digest, bool by_digest)
{
	_cleanup_(document_done) struct document d = DOCUMENT_INIT;
	struct err e = ERR_INIT;

	if (document_parse(buf_str(&r->body), r->body.len, r->header(r, "Content-Type"), &d, &e) <
	    0) {
		reply_error(r, 400, CODE_MANIFEST_INVALID, "%s", e.msg);
		return;
	}
	if (!check_references(r, &d))
		return;
	if (manifest_store(r->registry->storage, r->route.repository, &d, digest,
			   &(struct bytes){buf_str(&r->body), r->body.len}, &e) < 0) {
		reply_err(r, CODE_MANIFEST_INVALID, &e);
		return;
	}
	if (!put_tags(r, digest, by_digest))
		return;
	reply_status(r, 201);
	reply_header(r, "Location", "/v2/%s/manifests/%s", r->route.repository, digest->text);
	reply_header(r, "Docker-Content-Digest", "%s", digest->text);
	if (d.has_subject)
		reply_header(r, "OCI-Subject", "%s", d.subject.text);
	events_note(r->registry->events, r, EVENT_PUSH, digest, d.media_type);
}

static void put_end(struct request *r)
{
	struct content_digest digest;
	bool by_digest;

	if (r->too_large)
		reply_error(r, 413, CODE_MANIFEST_INVALID, "a manifest has at most %zu bytes",
			    REGISTRY_MANIFEST_MAX);
	else if (check_digest(r, &digest, &by_digest))
		put_document(r, &digest, by_digest);
}

/* Removes the tags that stand for D; all or none where one of them never changes. */
static int untag(struct request *r, const struct content_digest *d, bool remove, struct err *e)
{
	const char *repository = r->route.repository;
	struct storage *s = r->registry->storage;
	_cleanup_(names_done) struct names tags = {.v = NULL};
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "repositories/%s/_tags", repository);
	if (s->ops->list(s, key, names_collect, &tags, e) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++) {
		struct content_digest now;
		struct storage_stat st;
		struct err why = ERR_INIT;

		key_tag(repository, tags.v[i], key);
		if (s->ops->stat(s, key, &st, &why) < 0 ||
		    read_tag(s, repository, tags.v[i], &now, &why) < 0)
			continue;
		if (!content_digest_eq(&now, d))
			continue;
		if (policy_is_immutable(r->registry->policy, repository, tags.v[i]))
			return err_set(e, ERR_DENIED, 0, "tag '%s' of '%s' never changes",
				       tags.v[i], repository);
		if (remove && s->ops->remove(s, key, &st, &why) < 0 && why.class != ERR_NOT_FOUND &&
		    why.class != ERR_CONFLICT) {
			*e = why;
			return -1;
		}
	}
	return 0;
}

/* Takes the manifest out of the list of referrers of its subject. */
static void remove_referrer(struct storage *s, const char *repository,
			    const struct content_digest *d, const char *type)
{
	_cleanup_(document_done) struct document doc = DOCUMENT_INIT;
	_cleanup_(buf_done) struct buf text = BUF_INIT(REGISTRY_MANIFEST_MAX + 1);
	_cleanup_(fd_close) int fd = -1;
	char key[KEY_SIZE];

	key_blob(d, key);
	fd = s->ops->get(s, key, NULL, NULL);
	if (fd < 0 || fd_read_all(fd, &text, REGISTRY_MANIFEST_MAX) < 0 ||
	    document_parse(buf_str(&text), text.len, type, &doc, NULL) < 0 || !doc.has_subject)
		return;
	key_referrer(repository, &doc.subject, d, key);
	s->ops->remove(s, key, NULL, NULL);
}

static int delete_manifest(struct request *r, const struct content_digest *d, struct err *e)
{
	const char *repository = r->route.repository;
	struct storage *s = r->registry->storage;
	char key[KEY_SIZE], type[TYPE_SIZE];

	key_link(repository, LINK_MANIFESTS, d, key);
	if (storage_read(s, key, type, sizeof(type), e) < 0 || untag(r, d, false, e) < 0 ||
	    untag(r, d, true, e) < 0)
		return -1;
	remove_referrer(s, repository, d, type);
	pulls_forget(s, repository, d);
	return s->ops->remove(s, key, NULL, e);
}

static void delete_end(struct request *r)
{
	struct storage *s = r->registry->storage;
	const char *reference = r->route.reference;
	bool by_digest = strchr(reference, ':') != NULL;
	struct content_digest d;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];
	int k;

	if (by_digest) {
		k = content_digest_parse(reference, &d, &e);
		if (k == 0)
			k = delete_manifest(r, &d, &e);
	} else if (name_is_tag(reference) &&
		   policy_is_immutable(r->registry->policy, r->route.repository, reference)) {
		k = err_set(&e, ERR_DENIED, 0, "tag '%s' never changes", reference);
	} else if (name_is_tag(reference)) {
		key_tag(r->route.repository, reference, key);
		k = s->ops->remove(s, key, NULL, &e);
	} else {
		k = err_set(&e, ERR_NOT_FOUND, 0, "no such tag");
	}
	if (k < 0) {
		reply_unknown(r, &e);
		return;
	}
	reply_status(r, 202);
	events_note(r->registry->events, r, EVENT_DELETE, by_digest ? &d : NULL, NULL);
}

const struct endpoint_ops endpoint_manifest_get = {.end = get_end};
const struct endpoint_ops endpoint_manifest_put = {put_begin, put_body, put_end};
const struct endpoint_ops endpoint_manifest_delete = {.end = delete_end};
