/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"

#include "base/arena.h"
#include "base/str.h"
#include "oci/document-internal.h"

/* No document has more annotations or labels. */
#define ANNOTATIONS_MAX 10000

static const char *const keys[] = {"mediaType",    "digest",   "size", "annotations",
				   "artifactType", "platform", NULL};

static int read_platform(const struct json_reader *r, struct descriptor *d, struct err *e)
{
	struct json_reader platform;
	int n = json_read_obj(r, "platform", &platform, e);

	if (n <= 0)
		return n;
	if (platform_read(&platform, &d->platform, e) < 0)
		return -1;
	platform_normalize(&d->platform);
	d->has_platform = true;
	return 0;
}

int descriptor_read(const struct json_reader *r, struct descriptor *ret, struct err *e)
{
	struct descriptor d = {.size = -1};
	const char *digest = NULL;

	if (document_check_keys(r, keys, e) < 0 ||
	    json_read_str(r, "mediaType", &d.media_type, e) < 0 ||
	    json_read_str(r, "digest", &digest, e) < 0 ||
	    json_read_i64(r, "size", 0, DESCRIPTOR_SIZE_MAX, &d.size, e) < 0 ||
	    json_read_str(r, "artifactType", &d.artifact_type, e) < 0 ||
	    key_value_read(r, "annotations", ANNOTATIONS_MAX, &d.annotations, &d.n_annotations, e) <
		    0 ||
	    read_platform(r, &d, e) < 0)
		return -1;
	if (str_empty(d.media_type))
		return json_read_fail(r, "mediaType", ERR_INVALID, e, "is required");
	if (!digest)
		return json_read_fail(r, "digest", ERR_INVALID, e, "is required");
	if (d.size < 0)
		return json_read_fail(r, "size", ERR_INVALID, e, "is required");
	if (digest_parse(digest, &d.digest, e) < 0)
		return err_wrap(e, "%s", r->what);
	*ret = d;
	return 0;
}

static json_t *platform_json(const struct platform *p)
{
	json_t *j = json_object();
	int r = document_set(j, "architecture", json_string(p->architecture)) |
		document_set(j, "os", json_string(p->os));

	if (p->os_version[0])
		r |= document_set(j, "os.version", json_string(p->os_version));
	if (p->variant[0])
		r |= document_set(j, "variant", json_string(p->variant));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

json_t *descriptor_json(const struct descriptor *d)
{
	json_t *j = json_object();
	int r = document_set(j, "mediaType", json_string(d->media_type)) |
		document_set(j, "digest", json_string(d->digest.text)) |
		document_set(j, "size", json_integer(d->size));

	if (d->n_annotations)
		r |= document_set(j, "annotations",
				  key_value_json(d->annotations, d->n_annotations));
	if (d->has_platform)
		r |= document_set(j, "platform", platform_json(&d->platform));
	if (d->artifact_type)
		r |= document_set(j, "artifactType", json_string(d->artifact_type));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
	return key_value_get(d->annotations, d->n_annotations, key);
}

const char *key_value_get(const struct key_value *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i].key, key))
			return v[i].value;
	}
	return NULL;
}

int key_value_read(const struct json_reader *r, const char *key, size_t max,
		   const struct key_value **ret, size_t *ret_n, struct err *e)
{
	struct json_reader obj;
	struct key_value *v;
	const char *name;
	json_t *value;
	size_t n = 0;
	int found = json_read_obj(r, key, &obj, e);

	if (found <= 0)
		return found;
	if (json_object_size(obj.obj) > max)
		return json_read_fail(r, key, ERR_LIMIT, e, "has more than %zu members", max);
	v = arena_array(r->arena, json_object_size(obj.obj) + 1, sizeof(*v));
	if (!v)
		return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)obj.obj, name, value) {
		v[n].value = "";
		if (json_read_str(&obj, name, &v[n].value, e) < 0)
			return -1;
		v[n].key = arena_strdup(r->arena, name);
		if (!v[n++].key)
			return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
	}
	*ret = v;
	*ret_n = n;
	return 1;
}

static int by_key(const void *a, const void *b)
{
	const struct key_value *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

json_t *key_value_json(const struct key_value *v, size_t n)
{
	_cleanup_(freep) const struct key_value **order = calloc(n + 1, sizeof(*order));
	json_t *j = json_object();
	int r = order ? 0 : -1;

	for (size_t i = 0; order && i < n; i++)
		order[i] = &v[i];
	if (order)
		qsort(order, n, sizeof(*order), by_key);
	for (size_t i = 0; order && i < n; i++)
		r |= document_set(j, order[i]->key, json_string(order[i]->value));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}
