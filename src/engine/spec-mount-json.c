/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts as Docker's JSON (api/types/mount). What has its default is left out, as Docker does. */
#include "engine/spec-json.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>

enum { MOUNTS_MAX = 4096 };

static const char *const types[] = {
	[SPEC_MOUNT_BIND] = "bind",
	[SPEC_MOUNT_VOLUME] = "volume",
	[SPEC_MOUNT_TMPFS] = "tmpfs",
	[SPEC_MOUNT_IMAGE] = "image",
};

/* ---- writing ---- */

static int put_str(json_t *o, const char *key, const char *s)
{
	return s ? json_object_set_new(o, key, json_string(s)) : 0;
}

static int put_true(json_t *o, const char *key, bool on)
{
	return on ? json_object_set_new(o, key, json_true()) : 0;
}

static int put_pairs(json_t *o, const char *key, const struct spec_pair *p, size_t n)
{
	json_t *map = n ? json_object() : NULL;

	for (size_t i = 0; i < n; i++)
		json_put_text(map, p[i].key, p[i].value);
	return n ? json_object_set_new(o, key, map) : 0;
}

/* Sets the object KEY where it has anything in it. */
static int put_part(json_t *o, const char *key, json_t *part)
{
	if (json_object_size(part))
		return json_object_set_new(o, key, part);
	json_decref(part);
	return 0;
}

static int put_bind(json_t *o, const struct spec_mount *m)
{
	json_t *b = json_object();

	if (put_str(b, "Propagation", m->propagation) < 0 ||
	    put_true(b, "NonRecursive", m->recursive == SPEC_RECURSIVE_DISABLED) < 0 ||
	    put_true(b, "CreateMountpoint", m->make_source) < 0 ||
	    put_true(b, "ReadOnlyNonRecursive", m->recursive == SPEC_RECURSIVE_WRITABLE) < 0 ||
	    put_true(b, "ReadOnlyForceRecursive", m->recursive == SPEC_RECURSIVE_READONLY) < 0) {
		json_decref(b);
		return -1;
	}
	return put_part(o, "BindOptions", b);
}

static int put_volume(json_t *o, const struct spec_mount *m)
{
	json_t *v = json_object(), *d = json_object();

	if (put_str(d, "Name", m->driver) < 0 ||
	    put_pairs(d, "Options", m->driver_opts, m->n_driver_opts) < 0 ||
	    put_true(v, "NoCopy", m->no_copy) < 0 ||
	    put_pairs(v, "Labels", m->labels, m->n_labels) < 0 ||
	    put_str(v, "Subpath", m->subpath) < 0) {
		json_decref(v);
		json_decref(d);
		return -1;
	}
	/* Docker's client has it beside any other option, empty or not. */
	if (json_object_size(v) == 0)
		return put_part(v, "DriverConfig", d) < 0 ? -1 : put_part(o, "VolumeOptions", v);
	return json_object_set_new(v, "DriverConfig", d) < 0 ? -1 : put_part(o, "VolumeOptions", v);
}

static int put_rest(json_t *o, const struct spec_mount *m)
{
	json_t *part = json_object();
	bool tmpfs = m->type == SPEC_MOUNT_TMPFS;

	if (tmpfs && m->tmpfs_size)
		json_object_set_new(part, "SizeBytes", json_integer((json_int_t)m->tmpfs_size));
	if (tmpfs && m->tmpfs_mode)
		json_object_set_new(part, "Mode", json_integer(m->tmpfs_mode));
	if (m->type == SPEC_MOUNT_IMAGE && put_str(part, "Subpath", m->subpath) < 0) {
		json_decref(part);
		return -1;
	}
	return put_part(o, tmpfs ? "TmpfsOptions" : "ImageOptions", part);
}

static json_t *mount_to_json(const struct spec_mount *m)
{
	json_t *o = json_pack("{s:s}", "Type", types[m->type]);
	int r = o ? 0 : -1;

	r |= put_str(o, "Source", m->source) | put_str(o, "Target", m->target) |
	     put_true(o, "ReadOnly", m->read_only) | put_str(o, "Consistency", m->consistency);
	if (r == 0 && m->type == SPEC_MOUNT_BIND)
		r = put_bind(o, m);
	else if (r == 0 && m->type == SPEC_MOUNT_VOLUME)
		r = put_volume(o, m);
	else if (r == 0)
		r = put_rest(o, m);
	r |= put_str(o, "Mode", m->mode) | put_true(o, "Anonymous", m->anonymous) |
	     put_str(o, "Snapshot", m->snapshot);
	if (r == 0)
		return o;
	json_decref(o);
	return NULL;
}

json_t *spec_mounts_to_json(const struct spec_mount *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(a, mount_to_json(&v[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* ---- reading ---- */

static int read_pairs(const struct json_reader *r, const char *key, const struct spec_pair **ret,
		      size_t *ret_n, struct err *e)
{
	struct json_reader o;
	struct spec_pair *p;
	const char *k;
	json_t *value;
	size_t n = 0;
	int got = json_read_obj(r, key, &o, e);

	if (got <= 0)
		return got;
	p = arena_array(r->arena, json_object_size(o.obj) + 1, sizeof(*p));
	if (!p)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", key);
	json_object_foreach ((json_t *)(uintptr_t)o.obj, k, value) {
		if (!json_is_string(value))
			return json_read_fail(&o, k, ERR_INVALID, e, "is not a string");
		p[n].key = arena_strdup(r->arena, k);
		p[n++].value = arena_strdup(r->arena, json_string_value(value));
	}
	*ret = p;
	*ret_n = n;
	return 1;
}

static int read_bind(const struct json_reader *r, struct spec_mount *m, struct err *e)
{
	bool none = false, writable = false, forced = false;
	struct json_reader b;
	int got = json_read_obj(r, "BindOptions", &b, e);

	if (got <= 0)
		return got;
	if (json_read_str(&b, "Propagation", &m->propagation, e) < 0 ||
	    json_read_bool(&b, "NonRecursive", &none, e) < 0 ||
	    json_read_bool(&b, "CreateMountpoint", &m->make_source, e) < 0 ||
	    json_read_bool(&b, "ReadOnlyNonRecursive", &writable, e) < 0 ||
	    json_read_bool(&b, "ReadOnlyForceRecursive", &forced, e) < 0)
		return -1;
	m->recursive = none       ? SPEC_RECURSIVE_DISABLED
		       : forced   ? SPEC_RECURSIVE_READONLY
		       : writable ? SPEC_RECURSIVE_WRITABLE
				  : SPEC_RECURSIVE_ENABLED;
	return 0;
}

static int read_volume(const struct json_reader *r, struct spec_mount *m, struct err *e)
{
	struct json_reader v, d;
	int got = json_read_obj(r, "VolumeOptions", &v, e);

	if (got <= 0)
		return got;
	if (json_read_bool(&v, "NoCopy", &m->no_copy, e) < 0 ||
	    json_read_str(&v, "Subpath", &m->subpath, e) < 0 ||
	    read_pairs(&v, "Labels", &m->labels, &m->n_labels, e) < 0)
		return -1;
	got = json_read_obj(&v, "DriverConfig", &d, e);
	if (got <= 0)
		return got;
	if (json_read_str(&d, "Name", &m->driver, e) < 0)
		return -1;
	return read_pairs(&d, "Options", &m->driver_opts, &m->n_driver_opts, e) < 0 ? -1 : 0;
}

static int read_rest(const struct json_reader *r, struct spec_mount *m, struct err *e)
{
	struct json_reader o;
	uint64_t mode = 0;
	int got = json_read_obj(r, "TmpfsOptions", &o, e);

	if (got > 0 && (json_read_u64(&o, "SizeBytes", INT64_MAX, &m->tmpfs_size, e) < 0 ||
			json_read_u64(&o, "Mode", 07777, &mode, e) < 0))
		return -1;
	m->tmpfs_mode = (unsigned)mode;
	if (got < 0)
		return -1;
	got = json_read_obj(r, "ImageOptions", &o, e);
	return got > 0 ? json_read_str(&o, "Subpath", &m->subpath, e) : got;
}

static int read_type(const struct json_reader *r, struct spec_mount *m, struct err *e)
{
	const char *type = NULL;

	if (json_read_str(r, "Type", &type, e) < 0)
		return -1;
	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		if (str_eq(type, types[i])) {
			m->type = (enum spec_mount_type)i;
			return 0;
		}
	}
	return json_read_fail(r, "Type", ERR_INVALID, e, "mount type unknown");
}

static int read_mount(const struct json_reader *r, struct spec_mount *m, struct err *e)
{
	if (read_type(r, m, e) < 0 || json_read_str(r, "Source", &m->source, e) < 0 ||
	    json_read_str(r, "Target", &m->target, e) < 0 ||
	    json_read_bool(r, "ReadOnly", &m->read_only, e) < 0 ||
	    json_read_str(r, "Consistency", &m->consistency, e) < 0 ||
	    json_read_str(r, "Mode", &m->mode, e) < 0 ||
	    json_read_bool(r, "Anonymous", &m->anonymous, e) < 0 ||
	    json_read_str(r, "Snapshot", &m->snapshot, e) < 0)
		return -1;
	if (read_bind(r, m, e) < 0 || read_volume(r, m, e) < 0)
		return -1;
	return read_rest(r, m, e) < 0 ? -1 : 0;
}

int spec_mounts_from_json(const struct json_reader *r, const char *key,
			  const struct spec_mount **ret, size_t *ret_n, struct err *e)
{
	struct spec_mount *v;
	size_t n = 0;

	if (json_read_array(r, key, MOUNTS_MAX, &n, e) < 0)
		return -1;
	if (n == 0)
		return 0;
	v = arena_array(r->arena, n, sizeof(*v));
	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", key);
	for (size_t i = 0; i < n; i++) {
		struct json_reader o;

		if (json_read_elem(r, key, i, &o, e) < 0 || read_mount(&o, &v[i], e) < 0)
			return -1;
	}
	*ret = v;
	*ret_n = n;
	return 1;
}
