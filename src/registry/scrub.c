/* SPDX-License-Identifier: Apache-2.0 */
/* Others may push, delete and collect meanwhile: what was listed and is gone by now is no fault,
 * and before something is called missing, it is asked whether it is still wanted. */
#include "registry/collect.h"

#include "base/fd.h"
#include "base/str.h"
#include "registry/cache.h"
#include "registry/document.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define READ_SIZE ((size_t)1 << 20)

struct scrub {
	struct storage *s;
	void (*tell)(void *arg, const char *key, const char *what);
	void *arg;
	struct scrub_report *report;
	const char *repository;
	char *data; /* READ_SIZE bytes */
};

static void fault(struct scrub *c, uint64_t *counter, const char *key, const char *what)
{
	++*counter;
	if (c->tell)
		c->tell(c->arg, key, what);
}

static bool there(struct scrub *c, const char *key)
{
	struct storage_stat st;

	return c->s->ops->stat(c->s, key, &st, NULL) == 0;
}

static void scrub_blob(struct scrub *c, const struct content_digest *want)
{
	struct content_digest got;
	struct content_hash h;
	struct err e = ERR_INIT;
	char key[KEY_SIZE];
	ssize_t n = 0;

	key_blob(want, key);
	_cleanup_(fd_close) int fd = c->s->ops->get(c->s, key, NULL, &e);

	if (fd < 0 && e.class == ERR_NOT_FOUND && !there(c, key))
		return;
	content_hash_init(&h, want->algorithm);
	while (fd >= 0 && (n = fd_read_full(fd, c->data, READ_SIZE)) > 0) {
		content_hash_add(&h, c->data, (size_t)n);
		c->report->bytes += (uint64_t)n;
	}
	c->report->blobs++;
	content_hash_end(&h, &got);
	if (fd < 0 || n < 0)
		fault(c, &c->report->damaged, key, "cannot be read");
	else if (!content_digest_eq(&got, want))
		fault(c, &c->report->damaged, key, "has another digest");
}

static int scrub_blobs(struct scrub *c, struct err *e)
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
			if (content_digest_parse(text, &d, NULL) == 0)
				scrub_blob(c, &d);
		}
	}
	return 0;
}

/* The content of D, which the repository has by a link of FOLDER. */
static void scrub_content(struct scrub *c, const char *folder, const struct content_digest *d)
{
	char key[KEY_SIZE], link[KEY_SIZE];

	key_blob(d, key);
	key_link(c->repository, folder, d, link);
	if (!there(c, key) && there(c, link))
		fault(c, &c->report->missing, key, "is missing");
}

static int scrub_link(void *arg, const struct content_digest *d, struct err *e)
{
	_unused_ struct err *unused = e;

	scrub_content(arg, LINK_BLOBS, d);
	return 0;
}

static int scrub_manifest(void *arg, const struct content_digest *d, struct err *e)
{
	struct scrub *c = arg;
	_cleanup_(document_done) struct document doc = DOCUMENT_INIT;
	char link[KEY_SIZE], key[KEY_SIZE];
	_unused_ struct err *unused = e;

	scrub_content(c, LINK_MANIFESTS, d);
	key_link(c->repository, LINK_MANIFESTS, d, link);
	if (manifest_load(c->s, c->repository, d, &doc, NULL) < 0) {
		if (there(c, link))
			fault(c, &c->report->dangling, link, "cannot be read");
		return 0;
	}
	snprintf(key, sizeof(key), "repositories/%s/" CACHE_MARK, c->repository);
	if (there(c, key))
		return 0; /* what nobody asked for was not fetched */
	for (size_t i = 0; i < doc.n_references; i++) {
		const struct document_reference *f = &doc.references[i];
		bool found;

		key_link(c->repository, LINK_BLOBS, &f->digest, key);
		found = f->foreign || there(c, key);
		key_link(c->repository, LINK_MANIFESTS, &f->digest, key);
		if (!found && !there(c, key) && there(c, link))
			fault(c, &c->report->dangling, link,
			      "refers to what is not in its repository");
	}
	return 0;
}

/* Whether the tag KEY still stands for the digest TEXT. */
static bool still(struct scrub *c, const char *key, const char *text)
{
	char now[CONTENT_DIGEST_SIZE + 8];

	if (storage_read(c->s, key, now, sizeof(now), NULL) < 0)
		return false;
	now[strcspn(now, "\n")] = '\0';
	return str_eq(now, text);
}

static int scrub_tags(struct scrub *c, struct err *e)
{
	_cleanup_(names_done) struct names tags = {.v = NULL};
	char key[KEY_SIZE], link[KEY_SIZE], text[CONTENT_DIGEST_SIZE + 8];
	struct content_digest d;

	snprintf(key, sizeof(key), "repositories/%s/_tags", c->repository);
	if (c->s->ops->list(c->s, key, names_collect, &tags, e) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++) {
		key_tag(c->repository, tags.v[i], key);
		if (storage_read(c->s, key, text, sizeof(text), NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (content_digest_parse(text, &d, NULL) < 0) {
			fault(c, &c->report->dangling, key, "is damaged");
			continue;
		}
		key_link(c->repository, LINK_MANIFESTS, &d, link);
		if (!there(c, link) && still(c, key, text))
			fault(c, &c->report->dangling, key, "stands for what is not there");
	}
	return 0;
}

static int scrub_repository(struct scrub *c, struct err *e)
{
	char folder[KEY_SIZE];

	snprintf(folder, sizeof(folder), "repositories/%s/" LINK_BLOBS, c->repository);
	if (links_each(c->s, folder, scrub_link, c, e) < 0)
		return -1;
	snprintf(folder, sizeof(folder), "repositories/%s/" LINK_MANIFESTS, c->repository);
	if (links_each(c->s, folder, scrub_manifest, c, e) < 0)
		return -1;
	return scrub_tags(c, e);
}

int scrub(struct storage *s, void (*tell)(void *arg, const char *key, const char *what), void *arg,
	  struct scrub_report *ret, struct err *e)
{
	_cleanup_(names_done) struct names all = {.v = NULL};
	_cleanup_(freep) char *data = malloc(READ_SIZE);
	struct scrub c = {.s = s, .tell = tell, .arg = arg, .report = ret, .data = data};

	*ret = (struct scrub_report){0};
	if (!data)
		return err_errno(e, ENOMEM, "checking");
	if (scrub_blobs(&c, e) < 0 || repositories_list(s, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		c.repository = all.v[i];
		if (scrub_repository(&c, e) < 0)
			return -1;
	}
	return 0;
}
