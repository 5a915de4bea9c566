/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include "base/buf.h"
#include "base/str.h"
#include "oci/document-internal.h"

#define ANNOTATIONS_MAX 10000

static const char *const keys[] = {"schemaVersion", "mediaType", "config",      "layers",
				   "manifests",     "subject",   "annotations", "artifactType",
				   "fsLayers",      NULL};

static const struct document_form form = {
	.what = "image manifest",
	.size_max = MANIFEST_SIZE_MAX,
	.kind = MEDIA_MANIFEST,
	.oci = MEDIA_OCI_MANIFEST,
	.docker = MEDIA_DOCKER_MANIFEST,
	.foreign = "manifests",
	.keys = keys,
};

void manifest_done(struct manifest *m)
{
	arena_done(&m->arena);
	*m = MANIFEST_INIT;
}

static int read_members(const struct json_reader *r, struct manifest *m, struct err *e)
{
	struct json_reader obj;
	int n;

	if (json_object_get(r->obj, "fsLayers"))
		return json_read_fail(r, "fsLayers", ERR_HOSTILE, e,
				      "belongs to schema 1, not to this document");
	n = json_read_obj(r, "config", &obj, e);
	if (n == 0)
		return json_read_fail(r, "config", ERR_INVALID, e, "is required");
	if (n < 0 || descriptor_read(&obj, &m->config, e) < 0)
		return -1;
	n = json_read_obj(r, "subject", &obj, e);
	if (n < 0 || (n > 0 && descriptor_read(&obj, &m->subject, e) < 0))
		return -1;
	m->has_subject = n > 0;
	if (json_read_str(r, "artifactType", &m->artifact_type, e) < 0 ||
	    key_value_read(r, "annotations", ANNOTATIONS_MAX, &m->annotations, &m->n_annotations,
			   e) < 0)
		return -1;
	return document_read_descriptors(r, "layers", MANIFEST_LAYERS_MAX, &m->layers, &m->n_layers,
					 e);
}

int manifest_parse(const char *data, size_t n, const char *expected, struct manifest *ret,
		   struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	_cleanup_(document_done) struct document d = {.reader = {.arena = &m.arena}};

	if (document_open(data, n, &form, expected, &d, e) < 0 ||
	    read_members(&d.reader, &m, e) < 0) {
		manifest_done(&m);
		return -1;
	}
	m.media_type = d.media_type;
	*ret = m;
	return 0;
}

bool manifest_is_image(const struct manifest *m)
{
	if (media_type_find(m->config.media_type)->kind != MEDIA_CONFIG)
		return false;
	for (size_t i = 0; i < m->n_layers; i++) {
		if (media_type_find(m->layers[i].media_type)->kind != MEDIA_LAYER)
			return false;
	}
	return true;
}

static json_t *manifest_json(const struct manifest *m)
{
	json_t *j = json_object(), *layers = json_array();
	int r = document_set(j, "schemaVersion", json_integer(2)) |
		document_set(j, "mediaType", json_string(m->media_type));

	if (m->artifact_type)
		r |= document_set(j, "artifactType", json_string(m->artifact_type));
	r |= document_set(j, "config", descriptor_json(&m->config));
	for (size_t i = 0; i < m->n_layers; i++)
		r |= json_array_append_new(layers, descriptor_json(&m->layers[i]));
	r |= document_set(j, "layers", layers);
	if (m->has_subject)
		r |= document_set(j, "subject", descriptor_json(&m->subject));
	if (m->n_annotations)
		r |= document_set(j, "annotations",
				  key_value_json(m->annotations, m->n_annotations));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

int manifest_write(const struct manifest *m, struct buf *out, struct err *e)
{
	return document_write_take(manifest_json(m), "image manifest", out, e);
}
