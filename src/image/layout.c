/* SPDX-License-Identifier: Apache-2.0 */
/* OCI image layouts (image-spec, image-layout.md). index.json names images by annotations; each
 * entry is a manifest or an index of several platforms, which may be nested. Every document is
 * opened once (index_visit), however many entries point to it. Blobs of other platforms may be
 * missing, as `docker save` leaves them out: then the next best one is taken. */
#include "image/tree-internal.h"

#include "base/str.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <stdio.h>

#define NAME_CONTAINERD "io.containerd.image.name"
#define NAME_OCI        "org.opencontainers.image.ref.name"

struct layout {
	struct image_tree *tree;
	const struct image_wish *wish;
	struct image_set *set;
	struct index_visits visits;
};

/* Fetches the blob of D: 1, or 0 where it is not there. Digest and size must be D's. */
static int fetch(struct layout *l, const struct descriptor *d, struct err *e)
{
	char path[32 + DIGEST_TEXT_SIZE];
	struct tree_file f;
	int r;

	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(&d->digest));
	r = l->tree->find(l->tree, path, &f, e);
	if (r <= 0)
		return r;
	if (!digest_eq(&f.digest, &d->digest))
		return err_set(e, ERR_CORRUPT, 0, "%s has the digest %s", path, f.digest.text);
	if ((int64_t)f.size != d->size)
		return err_set(e, ERR_CORRUPT, 0, "%s has %llu bytes, its descriptor says %lld",
			       path, (unsigned long long)f.size, (long long)d->size);
	return 1;
}

static int fetch_must(struct layout *l, const struct descriptor *d, struct err *e)
{
	int r = fetch(l, d, e);

	return r == 0 ? err_set(e, ERR_NOT_FOUND, 0, "blob %s is missing in the archive",
				d->digest.text)
		      : r;
}

/* Reads the document of D, at most MAX bytes. */
static int read_document(struct layout *l, const struct descriptor *d, size_t max, char **ret,
			 size_t *ret_n, struct err *e)
{
	int r = fetch(l, d, e);

	if (r <= 0)
		return r;
	r = content_sink_read(l->tree->sink, &d->digest, max, ret, ret_n, e);
	return r < 0 ? -1 : 1;
}

/* What an entry of an index came to. */
enum outcome {
	FAILED = -1,
	ABSENT, /* its blob is not in the archive */
	OTHER,  /* it is there and is no image, or one for another platform */
	FOUND,
};

static enum outcome take_manifest(struct layout *l, const struct descriptor *d,
				  struct image_entry **ret, struct err *e)
{
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;
	_cleanup_(freep) char *data = NULL;
	size_t n;
	int r = read_document(l, d, MANIFEST_SIZE_MAX, &data, &n, e);

	if (r <= 0)
		return r < 0 ? FAILED : ABSENT;
	if (manifest_parse(data, n, d->media_type, &m, e) < 0)
		return FAILED;
	if (!manifest_is_image(&m))
		return OTHER;
	if (fetch_must(l, &m.config, e) < 0)
		return FAILED;
	for (size_t i = 0; i < m.n_layers; i++) {
		if (fetch_must(l, &m.layers[i], e) < 0)
			return FAILED;
	}
	if (image_set_add(l->set, l->tree->sink, &d->digest, d->media_type, ret, e) < 0)
		return FAILED;
	return FOUND;
}

static enum outcome take(struct layout *l, const struct descriptor *d, unsigned depth,
			 struct image_entry **ret, struct err *e);

/* The best of the entries of X that is there. */
static enum outcome take_best(struct layout *l, const struct index *x, unsigned depth,
			      struct image_entry **ret, struct err *e)
{
	_cleanup_(freep) size_t *order = calloc(x->n_manifests + 1, sizeof(*order));
	enum outcome best = OTHER;
	size_t n;

	if (!order)
		return (enum outcome)err_set(e, ERR_LIMIT, 0, "out of memory");
	n = index_select(x, &l->wish->platform, order);
	/* Nothing fits and there is only one: that one, unless the user asked for another. */
	if (n == 0 && x->n_manifests == 1 && !l->wish->strict)
		n = 1;
	for (size_t i = 0; i < n; i++) {
		enum outcome o = take(l, &x->manifests[order[i]], depth, ret, e);

		if (o == FAILED || o == FOUND)
			return o;
		if (o == ABSENT)
			best = ABSENT;
	}
	return best;
}

static enum outcome take_index(struct layout *l, const struct descriptor *d, unsigned depth,
			       struct image_entry **ret, struct err *e)
{
	_cleanup_(index_done) struct index x = INDEX_INIT;
	_cleanup_(freep) char *data = NULL;
	size_t n;
	int r;

	if (depth >= INDEX_DEPTH_MAX)
		return (enum outcome)err_set(e, ERR_LIMIT, 0,
					     "indexes are nested deeper than %d levels",
					     INDEX_DEPTH_MAX);
	r = read_document(l, d, INDEX_SIZE_MAX, &data, &n, e);
	if (r <= 0)
		return r < 0 ? FAILED : ABSENT;
	if (index_parse(data, n, d->media_type, &x, e) < 0)
		return FAILED;
	return take_best(l, &x, depth + 1, ret, e);
}

static enum outcome take(struct layout *l, const struct descriptor *d, unsigned depth,
			 struct image_entry **ret, struct err *e)
{
	enum media_kind kind = media_type_find(d->media_type)->kind;
	enum outcome o;
	int r;

	if (kind == MEDIA_SCHEMA1)
		return (enum outcome)err_set(e, ERR_UNSUPPORTED, 0,
					     "manifest %s: Docker's schema 1 is not supported",
					     d->digest.text);
	if (kind != MEDIA_INDEX && kind != MEDIA_MANIFEST)
		return OTHER;
	/* What was visited in this walk leads nowhere new. */
	r = index_visit(&l->visits, &d->digest, e);
	if (r <= 0)
		return r < 0 ? FAILED : OTHER;
	o = kind == MEDIA_INDEX ? take_index(l, d, depth, ret, e) : take_manifest(l, d, ret, e);
	if (o == FAILED)
		err_wrap(e, "%s", d->digest.text);
	return o;
}

/* The name of an entry: containerd's annotation holds all of it; OCI's often only a tag, which is
 * no name. 1 and *RET, or 0. */
static int entry_name(const struct descriptor *d, struct reference *ret, struct err *e)
{
	const char *full = descriptor_annotation(d, NAME_CONTAINERD);
	const char *ref = descriptor_annotation(d, NAME_OCI);

	if (str_empty(full) && ref && strpbrk(ref, ":/"))
		full = ref;
	if (str_empty(full))
		return 0;
	if (reference_parse_tagged(full, ret, e) < 0)
		return err_wrap(e, "the name of %s", d->digest.text);
	/* A name with a digest is no tag. */
	return ret->tag[0] && !digest_is_set(&ret->digest);
}

/* The entries of X with the name that entry I has, as an index. */
static void entries_named(const struct index *x, const struct reference *names, size_t i,
			  struct index *ret)
{
	*ret = (struct index){.manifests = ret->manifests};
	for (size_t k = i; k < x->n_manifests; k++) {
		if (k == i || (names[i].path[0] && reference_eq(&names[i], &names[k])))
			ret->manifests[ret->n_manifests++] = x->manifests[k];
	}
}

static bool seen_before(const struct reference *names, size_t i)
{
	for (size_t k = 0; names[i].path[0] && k < i; k++) {
		if (reference_eq(&names[i], &names[k]))
			return true;
	}
	return false;
}

/* Takes the entries one name after the other. ENTRIES has room for all. */
static int take_entries(struct layout *l, const struct index *x, struct reference *names,
			struct descriptor *entries, struct err *e)
{
	struct index same = {.manifests = entries};
	struct image_entry *image;
	enum outcome o;

	for (size_t i = 0; i < x->n_manifests; i++) {
		if (seen_before(names, i))
			continue;
		entries_named(x, names, i, &same);
		l->visits.n = 0;
		/* One of several without a name must fit; one alone need not. */
		if (!names[i].path[0] && x->n_manifests > 1 && same.manifests[0].has_platform &&
		    !platform_match(&l->wish->platform, &same.manifests[0].platform))
			continue;
		o = take_best(l, &same, 0, &image, e);
		if (o == FAILED)
			return -1;
		if (o == ABSENT)
			return err_set(e, ERR_NOT_FOUND, 0, "blob %s is missing in the archive",
				       same.manifests[0].digest.text);
		if (o != FOUND)
			continue;
		if (names[i].path[0] && image_set_name(l->set, image, &names[i], e) < 0)
			return -1;
	}
	return 0;
}

static int check_version(struct image_tree *t, struct err *e)
{
	_cleanup_(arena_done) struct arena arena = ARENA_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	struct json_reader r;
	const char *data, *version = "";
	size_t n;
	int found = t->document(t, "oci-layout", &data, &n, e);

	if (found <= 0)
		return found;
	j = json_parse(data, n, "oci-layout", e);
	if (!j || json_reader_init(&r, j, "oci-layout", &arena, e) < 0 ||
	    json_read_str(&r, "imageLayoutVersion", &version, e) < 0)
		return -1;
	if (!str_after(version, "1."))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "oci-layout: version '%.60s' is not supported, only 1.x", version);
	return 1;
}

static int no_image(const struct layout *l, struct err *e)
{
	char text[PLATFORM_TEXT_SIZE];

	return err_set(e, ERR_NOT_FOUND, 0, "the archive holds no image for the platform %s",
		       platform_text(&l->wish->platform, text));
}

static int resolve(struct layout *l, const struct index *x, struct err *e)
{
	_cleanup_(freep) struct reference *names = calloc(x->n_manifests + 1, sizeof(*names));
	_cleanup_(freep) struct descriptor *entries = calloc(x->n_manifests + 1, sizeof(*entries));

	if (x->n_manifests > ARCHIVE_IMAGES_MAX)
		return err_set(e, ERR_LIMIT, 0, "index.json: it has more than %d images",
			       ARCHIVE_IMAGES_MAX);
	if (!names || !entries)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	for (size_t i = 0; i < x->n_manifests; i++) {
		int r = entry_name(&x->manifests[i], &names[i], e);

		if (r < 0)
			return -1;
		if (r == 0)
			names[i].path[0] = '\0';
	}
	if (take_entries(l, x, names, entries, e) < 0)
		return -1;
	return l->set->n_images ? 1 : no_image(l, e);
}

int layout_resolve(struct image_tree *t, const struct image_wish *wish, struct image_set *ret,
		   struct err *e)
{
	_cleanup_(index_done) struct index x = INDEX_INIT;
	_cleanup_(freep) struct layout *l = calloc(1, sizeof(*l));
	const char *data;
	size_t n;
	int r = check_version(t, e);

	if (r <= 0)
		return r;
	if (!l)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	r = t->document(t, "index.json", &data, &n, e);
	if (r <= 0)
		return r;
	if (index_parse(data, n, NULL, &x, e) < 0)
		return err_wrap(e, "index.json");
	*l = (struct layout){.tree = t, .wish = wish, .set = ret};
	return resolve(l, &x, e);
}
