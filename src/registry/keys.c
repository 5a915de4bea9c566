/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the storage and what is asked of a repository in many places. */
#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "registry/registry-internal.h"

#include <errno.h>
#include <stdio.h>

/* A blob that was asked for is renewed at most this often. */
#define RENEW_NS ((int64_t)NUM_NS_PER_S)
/* Repositories one below another; a name of 255 bytes has at most 128 components. */
#define NAME_DEPTH_MAX 128

void key_blob(const struct content_digest *d, char out[KEY_SIZE])
{
	const char *hex = content_digest_hex(d);

	snprintf(out, KEY_SIZE, "blobs/%s/%.2s/%s", content_algorithm_name(d->algorithm), hex, hex);
}

void key_link(const char *repository, const char *folder, const struct content_digest *d,
	      char out[KEY_SIZE])
{
	snprintf(out, KEY_SIZE, "repositories/%s/%s/%s/%s", repository, folder,
		 content_algorithm_name(d->algorithm), content_digest_hex(d));
}

void key_tag(const char *repository, const char *tag, char out[KEY_SIZE])
{
	snprintf(out, KEY_SIZE, "repositories/%s/_tags/%s", repository, tag);
}

void key_referrer(const char *repository, const struct content_digest *subject,
		  const struct content_digest *referrer, char out[KEY_SIZE])
{
	int n = snprintf(out, KEY_SIZE, "repositories/%s/_referrers/%s/%s", repository,
			 content_algorithm_name(subject->algorithm), content_digest_hex(subject));

	if (referrer)
		snprintf(out + n, KEY_SIZE - (size_t)n, "/%s-%s",
			 content_algorithm_name(referrer->algorithm), content_digest_hex(referrer));
}

void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct names){.v = NULL};
}

int names_add(struct names *l, const char *name, struct err *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		char **v = reallocarray(l->v, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "listing");
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = strdup(name);
	if (!l->v[l->n])
		return err_errno(e, ENOMEM, "listing");
	l->n++;
	return 0;
}

int names_collect(void *arg, const char *name, bool folder, struct err *e)
{
	struct names *l = arg;

	return folder == l->folders ? names_add(l, name, e) : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(struct names *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

size_t names_after(const struct names *l, const char *last)
{
	size_t low = 0, high = l->n;

	if (!*last)
		return 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(l->v[middle], last) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool names_has(const struct names *l, const char *name)
{
	return l->n > 0 && bsearch(&name, l->v, l->n, sizeof(*l->v), compare) != NULL;
}

/* One folder of the walk: its name is a repository where it has one of our own folders. */
struct walk {
	struct storage *storage;
	struct names *found;
	const char *name;
	bool is_repository;
	struct names below;
};

static int walk_entry(void *arg, const char *name, bool folder, struct err *e)
{
	struct walk *w = arg;

	if (!folder)
		return 0;
	if (name[0] == '_') {
		w->is_repository |= str_eq(name, LINK_MANIFESTS) || str_eq(name, LINK_BLOBS) ||
				    str_eq(name, "_tags");
		return 0;
	}
	return names_add(&w->below, name, e);
}

static void walk_done(struct walk *w)
{
	names_done(&w->below);
}

static int walk_folder(struct storage *s, const char *name, unsigned depth, struct names *found,
		       struct err *e)
{
	_cleanup_(walk_done) struct walk w = {.storage = s, .found = found, .name = name};
	char key[KEY_SIZE], below[NAME_MAX_LENGTH + 1];

	snprintf(key, sizeof(key), "repositories%s%s", *name ? "/" : "", name);
	if (s->ops->list(s, key, walk_entry, &w, e) < 0)
		return -1;
	if (w.is_repository && names_add(found, name, e) < 0)
		return -1;
	for (size_t i = 0; i < w.below.n && depth < NAME_DEPTH_MAX; i++) {
		int n = snprintf(below, sizeof(below), "%s%s%s", name, *name ? "/" : "",
				 w.below.v[i]);

		if ((size_t)n < sizeof(below) && walk_folder(s, below, depth + 1, found, e) < 0)
			return -1;
	}
	return 0;
}

int repositories_list(struct storage *s, struct names *ret, struct err *e)
{
	if (walk_folder(s, "", 0, ret, e) < 0)
		return -1;
	names_sort(ret);
	return 0;
}

static int note_repository(void *arg, const char *name, bool folder, struct err *e)
{
	_unused_ struct err *unused = e;

	if (folder &&
	    (str_eq(name, LINK_MANIFESTS) || str_eq(name, LINK_BLOBS) || str_eq(name, "_tags")))
		*(bool *)arg = true;
	return 0;
}

int repository_exists(struct storage *s, const char *repository, struct err *e)
{
	char key[KEY_SIZE];
	bool found = false;

	snprintf(key, sizeof(key), "repositories/%s", repository);
	if (s->ops->list(s, key, note_repository, &found, e) < 0)
		return -1;
	return found;
}

int repository_has_blob(struct storage *s, const char *repository, const struct content_digest *d,
			bool renew, struct err *e)
{
	struct err why = ERR_INIT;
	struct storage_stat st;
	char key[KEY_SIZE];
	int r;

	key_link(repository, LINK_BLOBS, d, key);
	r = s->ops->stat(s, key, &st, &why);
	if (r == 0 && renew && clock_now() - st.mtime > RENEW_NS)
		r = s->ops->touch(s, key, &why);
	if (r == 0)
		return 1;
	if (why.class == ERR_NOT_FOUND)
		return 0;
	if (e)
		*e = why;
	return -1;
}

bool query_count(const struct request *r, size_t max, size_t *ret, bool *ret_given)
{
	char text[32];
	uint64_t n;

	*ret = max;
	*ret_given = query_get(r->query, "n", 0, text, sizeof(text));
	if (!*ret_given)
		return true;
	if (num_u64(text, 0, UINT64_MAX, &n) < 0)
		return false;
	*ret = (size_t)MIN(n, max);
	return true;
}
