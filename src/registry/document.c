/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/document.h"

#include "base/str.h"
#include "oci/media-type.h"

#include <errno.h>
#include <stdio.h>

void document_done(struct document *d)
{
	free(d->references);
	json_decref(d->root);
	*d = DOCUMENT_INIT;
}

static const char *string_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The type without its parameters. */
static void cut_type(const char *s, char out[DOCUMENT_TYPE_MAX + 1])
{
	size_t n = strcspn(s, "; \t");

	snprintf(out, DOCUMENT_TYPE_MAX + 1, "%.*s", (int)MIN(n, DOCUMENT_TYPE_MAX), s);
}

static int read_descriptor(const json_t *o, const char *what, struct document_reference *ret,
			   struct err *e)
{
	const json_t *size = json_object_get(o, "size");
	const char *type = string_of(o, "mediaType");

	if (!json_is_object(o) || !*type)
		return err_set(e, ERR_INVALID, 0, "%s is not a descriptor", what);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(e, ERR_INVALID, 0, "%s has no valid size", what);
	ret->foreign = media_type_find(type)->foreign;
	if (content_digest_parse(string_of(o, "digest"), &ret->digest, e) < 0)
		return err_wrap(e, "%s", what);
	return 0;
}

static int add_reference(struct document *d, const json_t *o, const char *what, bool manifest,
			 struct err *e)
{
	struct document_reference *r = &d->references[d->n_references];

	*r = (struct document_reference){.manifest = manifest};
	if (read_descriptor(o, what, r, e) < 0)
		return -1;
	d->n_references++;
	return 0;
}

/* The descriptors of the array KEY and, for a manifest, its config. */
static int read_references(struct document *d, const char *key, struct err *e)
{
	const json_t *list = json_object_get(d->root, key), *entry;
	size_t i;

	if (list && !json_is_array(list) && !json_is_null(list))
		return err_set(e, ERR_INVALID, 0, "'%s' is no list", key);
	if (json_array_size(list) > DOCUMENT_REFERENCES_MAX)
		return err_set(e, ERR_INVALID, 0, "'%s' has more than %d entries", key,
			       DOCUMENT_REFERENCES_MAX);
	d->references = calloc(json_array_size(list) + 1, sizeof(*d->references));
	if (!d->references)
		return err_errno(e, ENOMEM, "reading a manifest");
	if (!d->is_index &&
	    add_reference(d, json_object_get(d->root, "config"), "config", false, e) < 0)
		return -1;
	json_array_foreach (list, i, entry) {
		if (add_reference(d, entry, key, d->is_index, e) < 0)
			return -1;
	}
	return 0;
}

static int read_subject(struct document *d, struct err *e)
{
	const json_t *subject = json_object_get(d->root, "subject");
	struct document_reference r;

	if (!subject || json_is_null(subject))
		return 0;
	if (read_descriptor(subject, "subject", &r, e) < 0)
		return -1;
	d->subject = r.digest;
	d->has_subject = true;
	return 0;
}

/* Finds the one type that Content-Type, mediaType and the members agree on. */
static int find_type(struct document *d, const char *content_type, struct err *e)
{
	const char *own = string_of(d->root, "mediaType");
	bool layers = json_object_get(d->root, "layers") || json_object_get(d->root, "config");
	bool manifests = json_object_get(d->root, "manifests") != NULL;
	const struct media_type *t;

	cut_type(content_type ? content_type : "", d->media_type);
	if (!*d->media_type || str_eq(d->media_type, "application/json") ||
	    str_eq(d->media_type, "application/octet-stream"))
		cut_type(*own        ? own
			 : manifests ? MEDIA_OCI_INDEX
				     : MEDIA_OCI_MANIFEST,
			 d->media_type);
	if (*own && !str_eq(own, d->media_type))
		return err_set(e, ERR_INVALID, 0, "the manifest says that it is '%.255s', not '%s'",
			       own, d->media_type);
	if (layers && manifests)
		return err_set(e, ERR_HOSTILE, 0, "both a manifest and an index");
	t = media_type_find(d->media_type);
	if (t->kind == MEDIA_SCHEMA1)
		return err_set(e, ERR_UNSUPPORTED, 0, "manifests of schema 1 are not supported");
	if (t->kind != MEDIA_INDEX && t->kind != MEDIA_MANIFEST)
		return err_set(e, ERR_INVALID, 0, "'%s' is no type of a manifest", d->media_type);
	d->is_index = t->kind == MEDIA_INDEX;
	if (d->is_index ? layers : manifests)
		return err_set(e, ERR_HOSTILE, 0, "the document is not what '%s' says",
			       d->media_type);
	return 0;
}

int document_parse(const char *data, size_t n, const char *content_type, struct document *ret,
		   struct err *e)
{
	const json_t *version;

	ret->root = json_parse(data, n, "the manifest", e);
	if (!ret->root)
		return -1;
	if (!json_is_object(ret->root))
		return err_set(e, ERR_INVALID, 0, "the manifest is no JSON object");
	version = json_object_get(ret->root, "schemaVersion");
	if (json_integer_value(version) != 2)
		return err_set(e, json_integer_value(version) == 1 ? ERR_UNSUPPORTED : ERR_INVALID,
			       0, "the manifest's schemaVersion is not 2");
	if (find_type(ret, content_type, e) < 0 ||
	    read_references(ret, ret->is_index ? "manifests" : "layers", e) < 0)
		return -1;
	return read_subject(ret, e);
}

json_t *document_descriptor(const struct document *d, const struct content_digest *digest,
			    size_t size)
{
	const json_t *annotations = json_object_get(d->root, "annotations");
	const char *artifact = string_of(d->root, "artifactType");
	json_t *j = json_pack("{ss ss sI}", "mediaType", d->media_type, "digest", digest->text,
			      "size", (json_int_t)size);

	if (!*artifact && !d->is_index)
		artifact = string_of(json_object_get(d->root, "config"), "mediaType");
	if (j && *artifact && json_object_set_new(j, "artifactType", json_string(artifact)) < 0) {
		json_decref(j);
		return NULL;
	}
	if (j && json_is_object(annotations))
		json_object_set_new(j, "annotations", json_deep_copy(annotations));
	return j;
}
