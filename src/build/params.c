/* SPDX-License-Identifier: Apache-2.0 */
/* Each struct has a table of its fields; one reader and one writer go through it. What is empty is
 * left out, so that a new field changes no digest until it is used. */
#include "build/params.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "build/graph.h"

#include <errno.h>

enum field_type {
	FIELD_STR,
	FIELD_STRV,
	FIELD_BOOL,
	FIELD_U64,
	FIELD_EPOCH,  /* int64_t; -1 is left out */
	FIELD_OBJECTS /* an array of structs and its count right behind it */
};

struct field {
	const char *key;
	enum field_type type;
	size_t at; /* in the struct */
	const struct field *of;
	size_t size; /* of one of them */
};

#define STR(s, name)                                                                               \
	{                                                                                          \
#name, FIELD_STR, offsetof(struct s, name), NULL, 0                                \
	}
#define STRV(s, name)                                                                              \
	{                                                                                          \
#name, FIELD_STRV, offsetof(struct s, name), NULL, 0                               \
	}
#define BOOL(s, name)                                                                              \
	{                                                                                          \
#name, FIELD_BOOL, offsetof(struct s, name), NULL, 0                               \
	}
#define U64(s, name)                                                                               \
	{                                                                                          \
#name, FIELD_U64, offsetof(struct s, name), NULL, 0                                \
	}
#define EPOCH(s, name)                                                                             \
	{                                                                                          \
#name, FIELD_EPOCH, offsetof(struct s, name), NULL, 0                              \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, FIELD_STR, 0, NULL, 0                                                        \
	}

/* ref is no part of what is done, but a vertex has one name only. */
static const struct field image_fields[] = {STR(image_params, ref), STR(image_params, id),
					    STR(image_params, chain), STR(image_params, platform),
					    END};
static const struct field local_fields[] = {STR(local_params, name), END};
static const struct field http_fields[] = {STR(http_params, url), STR(http_params, filename),
					   STR(http_params, checksum), END};
static const struct field git_fields[] = {STR(git_params, url),           STR(git_params, ref),
					  STR(git_params, subdir),        STR(git_params, checksum),
					  BOOL(git_params, keep_git_dir), END};
static const struct field source_fields[] = {
	U64(copy_source, input),   STR(copy_source, path),          STR(copy_source, data),
	BOOL(copy_source, unpack), BOOL(copy_source, no_wildcards), END};
static const struct field copy_fields[] = {{"sources", FIELD_OBJECTS,
					    offsetof(struct copy_params, sources), source_fields,
					    sizeof(struct copy_source)},
					   STR(copy_params, dest),
					   STR(copy_params, chown),
					   STR(copy_params, chmod),
					   STRV(copy_params, exclude),
					   BOOL(copy_params, link),
					   BOOL(copy_params, parents),
					   BOOL(copy_params, add),
					   EPOCH(copy_params, epoch),
					   END};
static const struct field mkdir_fields[] = {STR(mkdir_params, path), STR(mkdir_params, user),
					    U64(mkdir_params, mode), EPOCH(mkdir_params, epoch),
					    END};
static const struct field mount_fields[] = {STR(run_mount, type),      STR(run_mount, target),
					    U64(run_mount, input),     STR(run_mount, source),
					    STR(run_mount, id),        STR(run_mount, sharing),
					    STR(run_mount, data),      STR(run_mount, env),
					    BOOL(run_mount, readonly), BOOL(run_mount, required),
					    BOOL(run_mount, has_mode), U64(run_mount, mode),
					    U64(run_mount, uid),       U64(run_mount, gid),
					    U64(run_mount, size),      END};
static const struct field run_fields[] = {STRV(run_params, args),
					  STRV(run_params, env),
					  STR(run_params, cwd),
					  STR(run_params, user),
					  STR(run_params, network),
					  STR(run_params, security),
					  STRV(run_params, devices),
					  {"mounts", FIELD_OBJECTS,
					   offsetof(struct run_params, mounts), mount_fields,
					   sizeof(struct run_mount)},
					  STRV(run_params, extra_hosts),
					  STR(run_params, hostname),
					  STRV(run_params, ulimits),
					  STR(run_params, cgroup_parent),
					  U64(run_params, shm_size),
					  EPOCH(run_params, epoch),
					  END};
static const struct field http_aside_fields[] = {STR(http_aside, user_password), END};
static const struct field aside_fields[] = {STRV(run_aside, proxy), END};

/* ---- reading ---- */

static int fields_read(const struct json_reader *r, const struct field *f, void *ret,
		       struct err *e);

static int objects_read(const struct json_reader *r, const struct field *f, void *ret,
			struct err *e)
{
	size_t n = 0;
	char *v;

	if (json_read_array(r, f->key, GRAPH_VERTICES_MAX, &n, e) < 0)
		return -1;
	v = arena_array(r->arena, n + 1, f->size);
	if (!v)
		return err_errno(e, ENOMEM, "reading parameters");
	for (size_t i = 0; i < n; i++) {
		struct json_reader one;

		if (json_read_elem(r, f->key, i, &one, e) < 0 ||
		    fields_read(&one, f->of, v + i * f->size, e) < 0)
			return -1;
	}
	*(void **)ret = v;
	*(size_t *)((char *)ret + sizeof(void *)) = n;
	return 0;
}

static int field_read(const struct json_reader *r, const struct field *f, void *at, struct err *e)
{
	static const char *const none[] = {NULL};

	switch (f->type) {
	case FIELD_STR:
		*(const char **)at = "";
		return json_read_str(r, f->key, at, e);
	case FIELD_STRV:
		*(const char *const **)at = none;
		return json_read_strv(r, f->key, at, NULL, e);
	case FIELD_BOOL:
		return json_read_bool(r, f->key, at, e);
	case FIELD_U64:
		return json_read_u64(r, f->key, UINT64_MAX >> 1, at, e);
	case FIELD_EPOCH:
		*(int64_t *)at = -1;
		return json_read_i64(r, f->key, 0, INT64_MAX, at, e);
	default:
		return objects_read(r, f, at, e);
	}
}

static int fields_read(const struct json_reader *r, const struct field *f, void *ret, struct err *e)
{
	for (; f->key; f++)
		if (field_read(r, f, (char *)ret + f->at, e) < 0)
			return -1;
	return 0;
}

static int params_read(const char *text, struct arena *a, const struct field *f, void *ret,
		       struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(text, strlen(text), "build step", e);
	struct json_reader r;

	if (!j || json_reader_init(&r, j, "build step", a, e) < 0)
		return -1;
	return fields_read(&r, f, ret, e);
}

/* ---- writing ---- */

static json_t *fields_json(const struct field *f, const void *p);

static json_t *strv_json(const char *const *v)
{
	json_t *j = json_array();
	int r = 0;

	for (; *v; v++)
		r |= json_array_append_new(j, json_string(*v));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static json_t *objects_json(const struct field *f, const void *at)
{
	const char *v = *(const void *const *)at;
	size_t n = *(const size_t *)((const char *)at + sizeof(void *));
	json_t *j = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= json_array_append_new(j, fields_json(f->of, v + i * f->size));
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* Adds the field unless it is empty. */
static int field_put(json_t *j, const struct field *f, const void *at)
{
	const char *s = f->type == FIELD_STR ? *(const char *const *)at : NULL;
	const char *const *v = f->type == FIELD_STRV ? *(const char *const *const *)at : NULL;

	switch (f->type) {
	case FIELD_STR:
		return str_empty(s) ? 0 : json_object_set_new(j, f->key, json_string(s));
	case FIELD_STRV:
		return !v || !*v ? 0 : json_object_set_new(j, f->key, strv_json(v));
	case FIELD_BOOL:
		return *(const bool *)at ? json_object_set_new(j, f->key, json_true()) : 0;
	case FIELD_U64:
		return *(const uint64_t *)at
			       ? json_object_set_new(
					 j, f->key,
					 json_integer((json_int_t) * (const uint64_t *)at))
			       : 0;
	case FIELD_EPOCH:
		return *(const int64_t *)at >= 0
			       ? json_object_set_new(j, f->key, json_integer(*(const int64_t *)at))
			       : 0;
	default:
		return *(const size_t *)((const char *)at + sizeof(void *))
			       ? json_object_set_new(j, f->key, objects_json(f, at))
			       : 0;
	}
}

static json_t *fields_json(const struct field *f, const void *p)
{
	json_t *j = json_object();
	int r = 0;

	for (; f->key; f++)
		r |= field_put(j, f, (const char *)p + f->at);
	if (r < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static const char *params_write(const struct field *f, const void *p, struct arena *a,
				struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(GRAPH_SIZE_MAX);
	_cleanup_(json_unref) json_t *j = fields_json(f, p);
	const char *s;

	if (!j || json_write(j, JSON_SORT_KEYS, &text) < 0) {
		err_set(e, ERR_INVALID, 0, "a build step's parameters are no UTF-8, or too large");
		return NULL;
	}
	s = arena_strdup(a, buf_str(&text));
	if (!s)
		err_errno(e, ENOMEM, "writing parameters");
	return s;
}

#define DEFINE_PARAMS(thing, fields)                                                               \
	int thing##_read(const char *text, struct arena *a, struct thing *ret, struct err *e)      \
	{                                                                                          \
		*ret = (struct thing){0};                                                          \
		return params_read(text, a, fields, ret, e);                                       \
	}                                                                                          \
	const char *thing##_write(const struct thing *p, struct arena *a, struct err *e)           \
	{                                                                                          \
		return params_write(fields, p, a, e);                                              \
	}

DEFINE_PARAMS(image_params, image_fields)
DEFINE_PARAMS(local_params, local_fields)
DEFINE_PARAMS(http_params, http_fields)
DEFINE_PARAMS(git_params, git_fields)
DEFINE_PARAMS(copy_params, copy_fields)
DEFINE_PARAMS(mkdir_params, mkdir_fields)
DEFINE_PARAMS(run_params, run_fields)

const char *http_aside_write(const struct http_aside *p, struct arena *a, struct err *e)
{
	return params_write(http_aside_fields, p, a, e);
}

int http_aside_read(const char *aside, struct arena *a, struct http_aside *ret, struct err *e)
{
	*ret = (struct http_aside){0};
	return params_read(aside ? aside : "{}", a, http_aside_fields, ret, e);
}

const char *run_aside_write(const struct run_aside *p, struct arena *a, struct err *e)
{
	return params_write(aside_fields, p, a, e);
}

int run_aside_read(const char *aside, struct arena *a, struct run_aside *ret, struct err *e)
{
	*ret = (struct run_aside){0};
	return params_read(aside ? aside : "{}", a, aside_fields, ret, e);
}
