/* SPDX-License-Identifier: Apache-2.0 */
/* Tags first, each by the time at which it was set. Then, where a rule says so, manifests that no
 * tag leads to: a tag leads to its manifest, an index to its entries, and a manifest to what refers
 * to it as subject (signatures, attestations), so that these stay and go together. As in collect.c,
 * what might go is listed with its version before what keeps it is looked for. */
#include "registry/lifecycle.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "registry/access.h"
#include "registry/document.h"
#include "registry/pulls.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>

#define PULL_STEP_MAX (3600 * (int64_t)NUM_NS_PER_S)

struct tag {
	char *name; /* borrowed */
	struct storage_stat stat;
	struct content_digest digest;
	bool goes;
};

/* A manifest of the repository, and what it leads to. */
struct node {
	struct content_digest digest;
	struct storage_stat stat;
	struct document document;
	bool read, kept;
};

struct work {
	const struct lifecycle *l;
	const struct collect_options *o;
	const struct policy *policy;
	struct lifecycle_report *report;
	struct storage *s;
	const char *repository;
	struct names names;
	struct tag *tags;
	struct node *nodes;
	size_t n_tags, n_nodes, cap_nodes;
	int64_t now;
};

static void work_reset(struct work *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		document_done(&w->nodes[i].document);
	free(w->nodes);
	free(w->tags);
	names_done(&w->names);
	w->nodes = NULL;
	w->tags = NULL;
	w->n_tags = w->n_nodes = w->cap_nodes = 0;
}

/* Newest first. */
static int compare_tags(const void *a, const void *b)
{
	int64_t x = ((const struct tag *)a)->stat.mtime, y = ((const struct tag *)b)->stat.mtime;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int load_tags(struct work *w, struct err *e)
{
	char key[KEY_SIZE], text[CONTENT_DIGEST_SIZE + 8];

	snprintf(key, sizeof(key), "repositories/%s/_tags", w->repository);
	if (w->s->ops->list(w->s, key, names_collect, &w->names, e) < 0)
		return -1;
	w->tags = calloc(w->names.n + 1, sizeof(*w->tags));
	if (!w->tags)
		return err_errno(e, ENOMEM, "reading tags");
	for (size_t i = 0; i < w->names.n; i++) {
		struct tag *t = &w->tags[w->n_tags];

		key_tag(w->repository, w->names.v[i], key);
		if (w->s->ops->stat(w->s, key, &t->stat, NULL) < 0 ||
		    storage_read(w->s, key, text, sizeof(text), NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (content_digest_parse(text, &t->digest, NULL) < 0)
			continue;
		t->name = w->names.v[i];
		w->n_tags++;
	}
	qsort(w->tags, w->n_tags, sizeof(*w->tags), compare_tags);
	return 0;
}

/* Whether T was set or its manifest pulled in the last NS nanoseconds. */
static bool is_used(const struct work *w, const struct tag *t, int64_t ns)
{
	int64_t pulled = pulls_last(w->s, w->repository, &t->digest);

	return w->now - t->stat.mtime < ns || pulled > w->now - ns;
}

static void choose_tags(struct work *w, const struct lifecycle_rule *rule)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < w->n_tags && rule->removes_tags; i++) {
		struct tag *t = &w->tags[i];

		if (!pattern_matches(rule->tags, t->name) || seen++ < rule->keep ||
		    w->now - t->stat.mtime < rule->older_than)
			continue;
		if (rule->not_pulled && is_used(w, t, rule->not_pulled))
			continue;
		t->goes |= !policy_is_immutable(w->policy, w->repository, t->name);
	}
}

/* Removes KEY where it still is what it was; 1 where it is (or would be) gone. */
static int drop(struct work *w, const char *key, const struct storage_stat *st, struct err *e)
{
	struct err why = ERR_INIT;

	if (w->o->tell)
		w->o->tell(w->o->arg, key);
	if (w->o->preview || w->s->ops->remove(w->s, key, st, &why) == 0)
		return 1;
	if (why.class == ERR_CONFLICT || why.class == ERR_NOT_FOUND)
		return 0;
	if (e)
		*e = why;
	return -1;
}

static int drop_tags(struct work *w, struct err *e)
{
	char key[KEY_SIZE];

	for (size_t i = 0; i < w->n_tags; i++) {
		struct tag *t = &w->tags[i];
		int k;

		if (!t->goes)
			continue;
		key_tag(w->repository, t->name, key);
		k = drop(w, key, &t->stat, e);
		if (k < 0)
			return -1;
		t->goes = k > 0;
		w->report->tags += (uint64_t)k;
	}
	return 0;
}

static int load_node(void *arg, const struct content_digest *d, struct err *e)
{
	struct work *w = arg;
	char key[KEY_SIZE];
	struct node *n;

	if (w->n_nodes == w->cap_nodes) {
		size_t cap = w->cap_nodes ? 2 * w->cap_nodes : 64;
		struct node *v = reallocarray(w->nodes, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "reading manifests");
		w->nodes = v;
		w->cap_nodes = cap;
	}
	n = &w->nodes[w->n_nodes];
	*n = (struct node){.digest = *d, .document = DOCUMENT_INIT};
	key_link(w->repository, LINK_MANIFESTS, d, key);
	if (w->s->ops->stat(w->s, key, &n->stat, NULL) == 0)
		w->n_nodes++;
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->digest.text, ((const struct node *)b)->digest.text);
}

/* Marks the manifest D; whether that is news. */
static bool keep(struct work *w, const struct content_digest *d)
{
	struct node want = {.digest = *d}, *n;

	n = bsearch(&want, w->nodes, w->n_nodes, sizeof(*n), compare_nodes);
	if (!n || n->kept)
		return false;
	n->kept = true;
	return true;
}

/* What the kept ones lead to. Each round walks all once; there are as many as a chain is long. */
static void spread(struct work *w)
{
	bool news = true;

	while (news) {
		news = false;
		for (size_t i = 0; i < w->n_nodes; i++) {
			struct node *n = &w->nodes[i];
			const struct document *d = &n->document;

			for (size_t k = 0; n->kept && k < d->n_references; k++)
				if (d->references[k].manifest)
					news |= keep(w, &d->references[k].digest);
			if (!n->kept && d->has_subject) {
				struct node want = {.digest = d->subject};
				const struct node *to = bsearch(&want, w->nodes, w->n_nodes,
								sizeof(*to), compare_nodes);

				if (to && to->kept)
					news |= keep(w, &n->digest);
			}
		}
	}
}

static int drop_node(struct work *w, const struct node *n, struct err *e)
{
	char key[KEY_SIZE];
	int k;

	key_link(w->repository, LINK_MANIFESTS, &n->digest, key);
	k = drop(w, key, &n->stat, e);
	if (k > 0 && n->document.has_subject && !w->o->preview) {
		key_referrer(w->repository, &n->document.subject, &n->digest, key);
		w->s->ops->remove(w->s, key, NULL, NULL);
	}
	if (k > 0 && !w->o->preview)
		pulls_forget(w->s, w->repository, &n->digest);
	w->report->manifests += k > 0;
	return k < 0 ? -1 : 0;
}

/* Manifests that no tag leads to; NODES were listed before the tags. */
static int drop_untagged(struct work *w, struct err *e)
{
	int64_t before = w->now - w->o->grace;

	for (size_t i = 0; i < w->n_nodes; i++) {
		struct node *n = &w->nodes[i];

		n->read = manifest_load(w->s, w->repository, &n->digest, &n->document, e) == 0;
		if (!n->read)
			return -1;
		n->kept = n->stat.mtime > before;
	}
	for (size_t i = 0; i < w->n_tags; i++)
		if (!w->tags[i].goes)
			keep(w, &w->tags[i].digest);
	spread(w);
	for (size_t i = 0; i < w->n_nodes; i++)
		if (!w->nodes[i].kept && drop_node(w, &w->nodes[i], e) < 0)
			return -1;
	return 0;
}

static int apply(struct work *w, struct err *e)
{
	bool any = false, untagged = false;
	char folder[KEY_SIZE];

	for (size_t i = 0; i < w->l->n; i++) {
		bool fits = pattern_matches(w->l->rules[i].repositories, w->repository);

		any |= fits;
		untagged |= fits && w->l->rules[i].untagged;
	}
	if (!any)
		return 0;
	snprintf(folder, sizeof(folder), "repositories/%s/" LINK_MANIFESTS, w->repository);
	if (untagged && links_each(w->s, folder, load_node, w, e) < 0)
		return -1;
	if (w->n_nodes > 1)
		qsort(w->nodes, w->n_nodes, sizeof(*w->nodes), compare_nodes);
	if (load_tags(w, e) < 0)
		return -1;
	for (size_t i = 0; i < w->l->n; i++)
		if (pattern_matches(w->l->rules[i].repositories, w->repository))
			choose_tags(w, &w->l->rules[i]);
	if (drop_tags(w, e) < 0)
		return -1;
	return untagged ? drop_untagged(w, e) : 0;
}

int64_t lifecycle_pull_step(const struct lifecycle *l)
{
	int64_t step = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->rules[i].not_pulled && (!step || l->rules[i].not_pulled / 10 < step))
			step = MAX(MIN(l->rules[i].not_pulled / 10, PULL_STEP_MAX), 1);
	return step;
}

int lifecycle_apply(const struct lifecycle *l, const struct collect_options *o,
		    const struct policy *policy, struct lifecycle_report *ret, struct err *e)
{
	_cleanup_(work_reset) struct work w = {.l = l,
					       .o = o,
					       .policy = policy,
					       .report = ret,
					       .s = o->storage,
					       .now = clock_now()};
	_cleanup_(names_done) struct names all = {.v = NULL};

	*ret = (struct lifecycle_report){0};
	if (l->n == 0)
		return 0;
	if (repositories_list(w.s, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		w.repository = all.v[i];
		if (apply(&w, e) < 0)
			return err_wrap(e, "repository '%s'", all.v[i]);
		work_reset(&w);
	}
	return 0;
}
