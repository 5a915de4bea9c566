/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/document-internal.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "oci/descriptor.h"

#include <strings.h>

int document_check_keys(const struct json_reader *r, const char *const *keys, struct err *e)
{
	const char *key;
	json_t *value;

	/* Iterating takes a pointer to non-const and changes nothing. */
	json_object_foreach ((json_t *)(uintptr_t)r->obj, key, value) {
		for (size_t i = 0; keys[i]; i++) {
			if (strcasecmp(key, keys[i]) == 0 && !str_eq(key, keys[i]))
				return json_read_fail(r, key, ERR_HOSTILE, e,
						      "must be written '%s'", keys[i]);
		}
	}
	return 0;
}

/* The type that the document and whoever pointed to it agree on. */
static int decide_type(const struct json_reader *r, const struct document_form *f,
		       const char *expected, const char **ret, struct err *e)
{
	const char *said = NULL, *type;

	if (json_read_str(r, "mediaType", &said, e) < 0)
		return -1;
	if (media_type_find(expected)->kind == MEDIA_SCHEMA1 ||
	    media_type_find(said)->kind == MEDIA_SCHEMA1)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "%s: Docker's schema 1 is not supported; push the image again with "
			       "a newer program",
			       f->what);
	if (said && expected && media_type_find(said) != media_type_find(expected))
		return json_read_fail(r, "mediaType", ERR_HOSTILE, e,
				      "is '%.100s' but it was referred to as '%.100s'", said,
				      expected);
	type = said ? said : expected ? expected : f->oci;
	if (media_type_find(type)->kind != f->kind)
		return json_read_fail(r, "mediaType", ERR_INVALID, e, "'%.100s' is no %s", type,
				      f->what);
	*ret = media_type_find(type)->docker ? f->docker : f->oci;
	return 0;
}

static int check_form(const struct json_reader *r, const struct document_form *f, struct err *e)
{
	int64_t version = 0;

	if (document_check_keys(r, f->keys, e) < 0)
		return -1;
	if (json_object_get(r->obj, f->foreign))
		return json_read_fail(r, f->foreign, ERR_HOSTILE, e,
				      "a document with this field is no %s (CVE-2021-41190)",
				      f->what);
	if (json_read_i64(r, "schemaVersion", 0, INT64_MAX, &version, e) < 0)
		return -1;
	if (version == 1)
		return err_set(e, ERR_UNSUPPORTED, 0, "%s: schema version 1 is not supported",
			       f->what);
	if (version != 2)
		return json_read_fail(r, "schemaVersion", ERR_INVALID, e, "must be 2");
	return 0;
}

void document_done(struct document *d)
{
	json_unref(&d->root);
}

int document_open(const char *data, size_t n, const struct document_form *f, const char *expected,
		  struct document *d, struct err *e)
{
	struct json_reader *r = &d->reader;
	struct arena *arena = r->arena;

	if (n > f->size_max)
		return err_set(e, ERR_LIMIT, 0, "%s: it has %zu bytes, more than %zu", f->what, n,
			       f->size_max);
	d->root = json_parse(data, n, f->what, e);
	if (!d->root || json_reader_init(r, d->root, f->what, arena, e) < 0 ||
	    check_form(r, f, e) < 0)
		return -1;
	return decide_type(r, f, expected, &d->media_type, e);
}

int document_read_descriptors(const struct json_reader *r, const char *key, size_t max,
			      struct descriptor **ret, size_t *ret_n, struct err *e)
{
	struct json_reader elem;
	struct descriptor *v;
	size_t n;

	if (!json_is_array(json_object_get(r->obj, key)))
		return json_read_fail(r, key, ERR_INVALID, e, "is required and an array");
	if (json_read_array(r, key, max, &n, e) < 0)
		return -1;
	v = arena_array(r->arena, n + 1, sizeof(*v));
	if (!v)
		return json_read_fail(r, key, ERR_LIMIT, e, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (json_read_elem(r, key, i, &elem, e) < 0 || descriptor_read(&elem, &v[i], e) < 0)
			return -1;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

int document_write_take(json_t *j, const char *what, struct buf *out, struct err *e)
{
	int r = j ? json_write(j, 0, out) : -1;

	json_decref(j);
	return r < 0 ? err_set(e, ERR_LIMIT, 0, "writing %s: out of memory", what) : 0;
}
