/* SPDX-License-Identifier: Apache-2.0 */
/* Collection of garbage while others push.
 *
 * Three passes, each of which lists what might go before it looks for what keeps it:
 *   1. uploads that are older than the grace and that nobody holds open;
 *   2. in each repository the links of blobs that none of its manifests refers to;
 *   3. blobs that no repository has a link for.
 * Why nothing goes that somebody needs:
 *   (I1) whoever relies on an object that is there renews it first (storage touch): HEAD of a blob,
 *        the source of a mount, everything a pushed manifest refers to. Whoever writes one again
 *        gives it a new version as well.
 *   (I2) an object is removed only if it still has the version that was listed, which storage
 *        decides together with the removal. So what was renewed or written after it was listed
 *        stays.
 *   (I3) what keeps an object (manifest, link) is written after it was renewed and before the
 *        client hears of success; and it is looked for after the listing. So it is seen, or (I2)
 *        holds.
 *   (I4) what is younger than the grace is not listed: a client may rely for so long on an answer.
 * A repository with a manifest that cannot be read is left alone. */
#include "registry/collect.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "registry/document.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>

/* Something that might go. */
struct candidate {
	struct content_digest digest;
	struct storage_stat stat;
};

struct collection {
	const struct collect_options *o;
	struct storage *s;
	struct collect_report *report;
	int64_t before; /* what is younger is left alone */
	struct candidate *found;
	size_t n, cap;
	struct names keep; /* digests */
};

static void collection_reset(struct collection *c)
{
	free(c->found);
	c->found = NULL;
	c->n = c->cap = 0;
	names_done(&c->keep);
}

static int add_candidate(struct collection *c, const struct content_digest *d, const char *key,
			 struct err *e)
{
	struct storage_stat st;

	/* What is gone meanwhile need not go. */
	if (c->s->ops->stat(c->s, key, &st, NULL) < 0 || st.mtime > c->before)
		return 0;
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 256;
		struct candidate *v = reallocarray(c->found, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "collecting");
		c->found = v;
		c->cap = cap;
	}
	c->found[c->n++] = (struct candidate){.digest = *d, .stat = st};
	return 0;
}

/* Removes KEY where it still is what it was; counts it. */
static int drop(struct collection *c, const char *key, const struct storage_stat *st,
		uint64_t *counter, struct err *e)
{
	struct err why = ERR_INIT;

	if (c->o->tell)
		c->o->tell(c->o->arg, key);
	if (!c->o->preview && c->s->ops->remove(c->s, key, st, &why) < 0) {
		if (why.class == ERR_CONFLICT || why.class == ERR_NOT_FOUND)
			return 0;
		if (e)
			*e = why;
		return -1;
	}
	++*counter;
	return 0;
}

int links_each(struct storage *s, const char *folder, links_fn *fn, void *arg, struct err *e)
{
	for (int a = CONTENT_SHA256; a <= CONTENT_SHA512; a++) {
		_cleanup_(names_done) struct names names = {.v = NULL};
		const char *name = content_algorithm_name((enum content_algorithm)a);
		char key[KEY_SIZE], text[CONTENT_DIGEST_SIZE];
		struct content_digest d;

		snprintf(key, sizeof(key), "%.*s/%s", KEY_SIZE - 16, folder, name);
		if (s->ops->list(s, key, names_collect, &names, e) < 0)
			return -1;
		for (size_t i = 0; i < names.n; i++) {
			snprintf(text, sizeof(text), "%s:%.128s", name, names.v[i]);
			if (content_digest_parse(text, &d, NULL) == 0 && fn(arg, &d, e) < 0)
				return -1;
		}
	}
	return 0;
}

int manifest_load(struct storage *s, const char *repository, const struct content_digest *d,
		  struct document *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(REGISTRY_MANIFEST_MAX + 1);
	_cleanup_(fd_close) int fd = -1;
	char key[KEY_SIZE], type[DOCUMENT_TYPE_MAX + 1];
	int r;

	key_link(repository, LINK_MANIFESTS, d, key);
	if (storage_read(s, key, type, sizeof(type), e) < 0)
		return -1;
	key_blob(d, key);
	fd = s->ops->get(s, key, NULL, e);
	if (fd < 0)
		return -1;
	r = fd_read_all(fd, &text, REGISTRY_MANIFEST_MAX);
	if (r < 0)
		return err_errno(e, r, "reading '%s'", key);
	return document_parse(buf_str(&text), text.len, type, ret, e);
}

/* One repository of a pass. */
struct repository_pass {
	struct collection *c;
	const char *name;
};

static int list_link(void *arg, const struct content_digest *d, struct err *e)
{
	struct repository_pass *p = arg;
	char key[KEY_SIZE];

	key_link(p->name, LINK_BLOBS, d, key);
	return add_candidate(p->c, d, key, e);
}

static int keep_referred(void *arg, const struct content_digest *d, struct err *e)
{
	struct repository_pass *p = arg;
	_cleanup_(document_done) struct document doc = DOCUMENT_INIT;
	struct err why = ERR_INIT;

	if (manifest_load(p->c->s, p->name, d, &doc, &why) < 0) {
		if (why.class == ERR_NOT_FOUND)
			return 0; /* deleted meanwhile */
		if (e)
			*e = why;
		return -1;
	}
	for (size_t i = 0; i < doc.n_references; i++)
		if (names_add(&p->c->keep, doc.references[i].digest.text, e) < 0)
			return -1;
	return 0;
}

static int collect_repository(struct collection *c, const char *name, struct err *e)
{
	struct repository_pass p = {.c = c, .name = name};
	char folder[KEY_SIZE], key[KEY_SIZE];

	snprintf(folder, sizeof(folder), "repositories/%s/" LINK_BLOBS, name);
	if (links_each(c->s, folder, list_link, &p, e) < 0)
		return -1;
	if (c->n == 0)
		return 0;
	snprintf(folder, sizeof(folder), "repositories/%s/" LINK_MANIFESTS, name);
	if (links_each(c->s, folder, keep_referred, &p, e) < 0)
		return -1;
	names_sort(&c->keep);
	for (size_t i = 0; i < c->n; i++) {
		if (names_has(&c->keep, c->found[i].digest.text))
			continue;
		key_link(name, LINK_BLOBS, &c->found[i].digest, key);
		if (drop(c, key, &c->found[i].stat, &c->report->links, e) < 0)
			return -1;
	}
	return 0;
}

/* The folders blobs/ALGORITHM/XX one after the other. */
static int list_blobs(struct collection *c, struct err *e)
{
	for (unsigned i = 0; i < 512; i++) {
		_cleanup_(names_done) struct names names = {.v = NULL};
		const char *algorithm =
			content_algorithm_name(i < 256 ? CONTENT_SHA256 : CONTENT_SHA512);
		char key[KEY_SIZE], text[CONTENT_DIGEST_SIZE];
		struct content_digest d;

		snprintf(key, sizeof(key), "blobs/%s/%02x", algorithm, i % 256);
		if (c->s->ops->list(c->s, key, names_collect, &names, e) < 0)
			return -1;
		for (size_t k = 0; k < names.n; k++) {
			snprintf(text, sizeof(text), "%s:%.128s", algorithm, names.v[k]);
			if (content_digest_parse(text, &d, NULL) < 0)
				continue;
			key_blob(&d, key);
			if (add_candidate(c, &d, key, e) < 0)
				return -1;
		}
	}
	return 0;
}

static int keep_link(void *arg, const struct content_digest *d, struct err *e)
{
	return names_add(arg, d->text, e);
}

static int keep_linked(struct collection *c, struct err *e)
{
	static const char *const folders[] = {LINK_BLOBS, LINK_MANIFESTS};
	_cleanup_(names_done) struct names all = {.v = NULL};
	char folder[KEY_SIZE];

	if (repositories_list(c->s, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(folders); k++) {
			snprintf(folder, sizeof(folder), "repositories/%s/%s", all.v[i],
				 folders[k]);
			if (links_each(c->s, folder, keep_link, &c->keep, e) < 0)
				return -1;
		}
	names_sort(&c->keep);
	return 0;
}

static int collect_blobs(struct collection *c, struct err *e)
{
	char key[KEY_SIZE];

	if (list_blobs(c, e) < 0)
		return -1;
	if (c->n == 0)
		return 0;
	if (keep_linked(c, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		uint64_t before = c->report->blobs;

		if (names_has(&c->keep, c->found[i].digest.text))
			continue;
		key_blob(&c->found[i].digest, key);
		if (drop(c, key, &c->found[i].stat, &c->report->blobs, e) < 0)
			return -1;
		if (c->report->blobs > before)
			c->report->bytes += c->found[i].stat.size;
	}
	return 0;
}

static void collect_upload(struct collection *c, const char *name)
{
	char id[STORAGE_UPLOAD_ID_SIZE], key[KEY_SIZE];
	struct storage_upload *u;
	struct storage_stat st;
	uint64_t size;

	snprintf(key, sizeof(key), "uploads/%.60s", name);
	if (c->s->ops->stat(c->s, key, &st, NULL) < 0 || st.mtime > c->before)
		return;
	if (!name_is_upload(name)) {
		/* The state of one that is gone. */
		drop(c, key, &st, &c->report->uploads, NULL);
		return;
	}
	if (c->o->preview) {
		drop(c, key, &st, &c->report->uploads, NULL);
		return;
	}
	memcpy(id, name, sizeof(id));
	if (c->s->ops->upload_open(c->s, id, false, &u, &size, NULL) < 0)
		return;
	if (c->o->tell)
		c->o->tell(c->o->arg, key);
	c->s->ops->upload_close(u, NULL, false, NULL);
	c->report->uploads++;
}

static int collect_uploads(struct collection *c, struct err *e)
{
	_cleanup_(names_done) struct names names = {.v = NULL};

	if (c->s->ops->list(c->s, "uploads", names_collect, &names, e) < 0)
		return -1;
	/* A name goes before its state. */
	names_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		collect_upload(c, names.v[i]);
	return 0;
}

int collect(const struct collect_options *o, struct collect_report *ret, struct err *e)
{
	_cleanup_(collection_reset) struct collection c = {
		.o = o, .s = o->storage, .report = ret, .before = clock_now() - o->grace};
	_cleanup_(names_done) struct names all = {.v = NULL};
	struct err first = ERR_INIT;

	*ret = (struct collect_report){0};
	if (collect_uploads(&c, e) < 0 || repositories_list(c.s, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		struct err why = ERR_INIT;

		if (collect_repository(&c, all.v[i], &why) < 0 && first.class == ERR_NONE) {
			first = why;
			err_wrap(&first, "repository '%s'", all.v[i]);
		}
		collection_reset(&c);
	}
	if (collect_blobs(&c, e) < 0)
		return -1;
	if (first.class == ERR_NONE)
		return 0;
	if (e)
		*e = first;
	return -1;
}
