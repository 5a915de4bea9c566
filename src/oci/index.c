/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/index.h"

#include "base/buf.h"
#include "base/str.h"
#include "oci/document-internal.h"

#define ANNOTATIONS_MAX 10000

static const char *const keys[] = {"schemaVersion", "mediaType",   "manifests",    "layers",
				   "config",        "annotations", "artifactType", NULL};

static const struct document_form form = {
	.what = "image index",
	.size_max = INDEX_SIZE_MAX,
	.kind = MEDIA_INDEX,
	.oci = MEDIA_OCI_INDEX,
	.docker = MEDIA_DOCKER_INDEX,
	.foreign = "layers",
	.keys = keys,
};

void index_done(struct index *x)
{
	arena_done(&x->arena);
	*x = INDEX_INIT;
}

static int read_members(const struct json_reader *r, struct index *x, struct err *e)
{
	if (json_object_get(r->obj, "config"))
		return json_read_fail(r, "config", ERR_HOSTILE, e,
				      "a document with this field is no image index "
				      "(CVE-2021-41190)");
	if (key_value_read(r, "annotations", ANNOTATIONS_MAX, &x->annotations, &x->n_annotations,
			   e) < 0)
		return -1;
	return document_read_descriptors(r, "manifests", INDEX_ENTRIES_MAX, &x->manifests,
					 &x->n_manifests, e);
}

int index_parse(const char *data, size_t n, const char *expected, struct index *ret, struct err *e)
{
	struct index x = INDEX_INIT;
	_cleanup_(document_done) struct document d = {.reader = {.arena = &x.arena}};

	if (document_open(data, n, &form, expected, &d, e) < 0 ||
	    read_members(&d.reader, &x, e) < 0) {
		index_done(&x);
		return -1;
	}
	x.media_type = d.media_type;
	*ret = x;
	return 0;
}

/* 0 where the entry cannot be what is wanted. */
static unsigned score(const struct descriptor *d, const struct platform *want)
{
	if (!d->has_platform || (!d->platform.os[0] && !d->platform.architecture[0]))
		return 1;
	return platform_match(want, &d->platform);
}

size_t index_select(const struct index *x, const struct platform *want, size_t *order)
{
	size_t n = 0;

	for (unsigned s = PLATFORM_MATCH_MAX; s > 0; s--) {
		for (size_t i = 0; i < x->n_manifests; i++) {
			if (score(&x->manifests[i], want) == s)
				order[n++] = i;
		}
	}
	return n;
}

static json_t *index_json(const struct index *x)
{
	json_t *j = json_object(), *manifests = json_array();
	int r = document_set(j, "schemaVersion", json_integer(2)) |
		document_set(j, "mediaType", json_string(x->media_type));

	for (size_t i = 0; i < x->n_manifests; i++)
		r |= json_array_append_new(manifests, descriptor_json(&x->manifests[i]));
	r |= document_set(j, "manifests", manifests);
	if (x->n_annotations)
		r |= document_set(j, "annotations",
				  key_value_json(x->annotations, x->n_annotations));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

int index_write(const struct index *x, struct buf *out, struct err *e)
{
	return document_write_take(index_json(x), "image index", out, e);
}

int index_visit(struct index_visits *v, const struct digest *d, struct err *e)
{
	for (size_t i = 0; i < v->n; i++) {
		if (digest_eq(&v->seen[i], d))
			return 0;
	}
	if (v->n == INDEX_VISITS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d documents are nested in one index",
			       INDEX_VISITS_MAX);
	v->seen[v->n++] = *d;
	return 1;
}
