/* SPDX-License-Identifier: Apache-2.0 */
/* Reading images and giving them names. The row holds the configuration as it came, so that a start
 * needs one indexed read and no blob. */
#include "store/image-store.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/trace.h"
#include "oci/image-config.h"
#include "store/image-internal.h"

#include <errno.h>
#include <stdio.h>

/* Columns in the order in which image_read takes them. */
#define IMAGE_COLUMNS                                                                              \
	"i.id, i.digest, i.chain, i.config, i.os, i.arch, i.variant, i.created, i.imported,"       \
	" i.tagged, i.size, i.layers"

void image_done(struct image *img)
{
	arena_done(&img->arena);
	*img = IMAGE_INIT;
}

static int image_read(sqlite3_stmt *st, struct image *img, struct err *e)
{
	struct arena *a = &img->arena;

	img->id = arena_strdup(a, db_text(st, 0));
	img->digest = arena_strdup(a, db_text(st, 1));
	if (sqlite3_column_type(st, 2) != SQLITE_NULL)
		img->chain = arena_strdup(a, db_text(st, 2));
	img->config = arena_strdup(a, db_text(st, 3));
	img->config_len = (size_t)sqlite3_column_bytes(st, 3);
	img->os = arena_strdup(a, db_text(st, 4));
	img->arch = arena_strdup(a, db_text(st, 5));
	img->variant = arena_strdup(a, db_text(st, 6));
	img->created = sqlite3_column_int64(st, 7);
	img->imported = sqlite3_column_int64(st, 8);
	img->tagged = sqlite3_column_int64(st, 9);
	img->size = (uint64_t)sqlite3_column_int64(st, 10);
	img->n_layers = (size_t)sqlite3_column_int64(st, 11);
	if (!img->id || !img->digest || !img->config || !img->os || !img->arch || !img->variant)
		return err_errno(e, ENOMEM, "reading an image");
	return 1;
}

static int image_by_id(struct store *s, const char *hex, struct image *img, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char id[IMAGE_ID_SIZE];
	int r;

	snprintf(id, sizeof(id), "sha256:%s", hex);
	r = db_row(s->db, &st, e, "SELECT " IMAGE_COLUMNS " FROM images i WHERE id=?", "t", id);
	return r > 0 ? image_read(st, img, e) : r;
}

static int image_by_name(struct store *s, const struct reference *ref, struct image *img,
			 struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char name[REFERENCE_TEXT_SIZE];
	int r;

	if (digest_is_set(&ref->digest)) {
		reference_repository(ref, false, name);
		r = db_row(s->db, &st, e,
			   "SELECT " IMAGE_COLUMNS " FROM names n JOIN images i ON i.id=n.image"
			   " WHERE n.repo=? AND n.digest=?",
			   "tt", name, ref->digest.text);
	} else {
		reference_text(ref, name);
		r = db_row(s->db, &st, e,
			   "SELECT " IMAGE_COLUMNS " FROM names n JOIN images i ON i.id=n.image"
			   " WHERE n.name=?",
			   "t", name);
	}
	return r > 0 ? image_read(st, img, e) : r;
}

static int image_by_prefix(struct store *s, const char *hex, struct image *img, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char low[IMAGE_ID_SIZE + 1], high[IMAGE_ID_SIZE + 1];
	int r;

	snprintf(low, sizeof(low), "sha256:%s", hex);
	snprintf(high, sizeof(high), "sha256:%sg", hex);
	r = db_row(s->db, &st, e,
		   "SELECT " IMAGE_COLUMNS " FROM images i WHERE id >= ? AND id < ? LIMIT 2", "tt",
		   low, high);
	if (r <= 0 || image_read(st, img, e) < 0)
		return r <= 0 ? r : -1;
	r = db_next(s->db, st, e);
	if (r > 0)
		return err_set(e, ERR_INVALID, 0,
			       "multiple images have an ID that begins with '%s'", hex);
	return r < 0 ? -1 : 1;
}

#define SHOWN_ID_DIGITS 12 /* of an ID in `kogge images` */

/* 1, 0 where there is none, -1. */
static int image_find(struct store *s, const char *ref, unsigned flags, struct image *img,
		      struct err *e)
{
	const char *hex = NULL;
	bool maybe_id = reference_maybe_id(ref, &hex);
	struct reference name;
	int r;

	if (maybe_id && strlen(hex) == 64)
		return image_by_id(s, hex, img, e);
	r = reference_parse_tagged(ref, &name, e);
	if (r < 0 && !maybe_id)
		return -1;
	r = r < 0 ? 0 : image_by_name(s, &name, img, e);
	if (r == 0 && maybe_id && (!(flags & IMAGE_SHOWN_ID) || strlen(hex) >= SHOWN_ID_DIGITS))
		r = image_by_prefix(s, hex, img, e);
	return r;
}

static int image_add_name(struct image *img, sqlite3_stmt *st)
{
	struct arena *a = &img->arena;
	const char *name = arena_strdup(a, db_text(st, 0));
	const char *digest = arena_printf(a, "%s@%s", db_text(st, 1), db_text(st, 2));

	if (!name || !digest)
		return -ENOMEM;
	if (arena_strv_push(a, &img->names, &img->n_names, name) < 0)
		return -ENOMEM;
	if (db_text(st, 2)[0] == '\0' || strv_has((const char *const *)img->digests, digest))
		return 0;
	return arena_strv_push(a, &img->digests, &img->n_digests, digest);
}

int image_read_names(struct store *s, struct image *img, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	_cleanup_(db_end) sqlite3_stmt *count = NULL;
	int r;

	if (db_start(s->db, &st, e,
		     "SELECT name, repo, digest FROM names WHERE image=? ORDER BY name", "t",
		     img->id) < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0)
		if (image_add_name(img, st) < 0)
			return err_errno(e, ENOMEM, "reading the names of an image");
	if (r < 0 || db_row(s->db, &count, e, "SELECT count(*) FROM containers WHERE image=?", "t",
			    img->id) < 0)
		return -1;
	img->n_containers = (size_t)sqlite3_column_int64(count, 0);
	return 0;
}

int image_resolve(struct store *s, const char *ref, unsigned flags, struct image *ret,
		  struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	int r = image_find(s, ref, flags, &img, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no such image: %s", ref);
	if (r < 0 || ((flags & IMAGE_NAMES) && image_read_names(s, &img, e) < 0))
		return -1;
	*ret = img;
	img = IMAGE_INIT;
	TRACE("image resolved");
	return 0;
}

void image_list_free(struct image *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		image_done(&list[i]);
	free(list);
}

struct image_vector {
	struct image *list;
	size_t n, cap;
};

static void image_vector_done(struct image_vector *v)
{
	image_list_free(v->list, v->n);
}

static struct image *image_vector_add(struct image_vector *v)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 16;
		struct image *list = reallocarray(v->list, cap, sizeof(*list));

		if (!list)
			return NULL;
		v->list = list;
		v->cap = cap;
	}
	v->list[v->n] = IMAGE_INIT;
	return &v->list[v->n++];
}

/* When the images BEFORE and SINCE were made; INT64_MAX and INT64_MIN for none. */
static int image_list_window(struct store *s, const struct image_filter *f, int64_t ret[2],
			     struct err *e)
{
	const char *refs[2] = {f ? f->since : NULL, f ? f->before : NULL};

	ret[0] = INT64_MIN;
	ret[1] = INT64_MAX;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_(image_done) struct image img = IMAGE_INIT;

		if (!refs[i])
			continue;
		if (image_resolve(s, refs[i], 0, &img, e) < 0)
			return -1;
		ret[i] = img.created;
	}
	return 0;
}

static int image_list_keep(const struct image_filter *f, const struct image *img, struct err *e)
{
	if (!f)
		return 1;
	if ((f->dangling > 0 && img->n_names > 0) || (f->dangling < 0 && img->n_names == 0))
		return 0;
	return image_filter_match(f, img, e);
}

int image_list(struct store *s, const struct image_filter *filter, struct image **ret,
	       size_t *ret_n, struct err *e)
{
	_cleanup_(image_vector_done) struct image_vector v = {.list = NULL};
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int64_t window[2];
	int r;

	if (image_list_window(s, filter, window, e) < 0 ||
	    db_start(s->db, &st, e,
		     "SELECT " IMAGE_COLUMNS " FROM images i WHERE created > ? AND created < ?"
		     " ORDER BY created DESC, id",
		     "ii", window[0], window[1]) < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0) {
		struct image *img = image_vector_add(&v);

		if (!img)
			return err_errno(e, ENOMEM, "listing images");
		if (image_read(st, img, e) < 0 || image_read_names(s, img, e) < 0)
			return -1;
		r = image_list_keep(filter, img, e);
		if (r < 0)
			return -1;
		if (r == 0)
			image_done(&v.list[--v.n]);
	}
	if (r < 0)
		return -1;
	*ret_n = v.n;
	*ret = TAKE_PTR(v.list);
	v.n = 0;
	return 0;
}

int image_name_set(struct store *s, const struct reference *ref, const char *id, const char *digest,
		   struct err *e)
{
	char name[REFERENCE_TEXT_SIZE], repo[REFERENCE_TEXT_SIZE];
	int64_t now = clock_now();

	reference_text(ref, name);
	reference_repository(ref, false, repo);
	if (db_run(s->db, NULL, e, "INSERT OR REPLACE INTO names VALUES(?, ?, ?, ?, ?)", "tttti",
		   name, repo, id, digest, now) < 0)
		return -1;
	return db_run(s->db, NULL, e, "UPDATE images SET tagged=? WHERE id=?", "it", now, id);
}

int image_tag(struct store *s, const char *ref, const char *name, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct reference to;

	if (reference_parse_tagged(name, &to, e) < 0)
		return -1;
	if (digest_is_set(&to.digest))
		return err_set(e, ERR_INVALID, 0,
			       "refusing to create a tag with a digest reference");
	if (db_begin(s->db, true, e) < 0)
		return -1;
	if (image_resolve(s, ref, 0, &img, e) < 0 ||
	    image_name_set(s, &to, img.id, img.digest, e) < 0) {
		db_abort(s->db);
		return -1;
	}
	return db_commit(s->db, e);
}

const char *image_familiar(struct arena *arena, const char *name, struct err *e)
{
	char text[REFERENCE_TEXT_SIZE];
	struct reference ref;
	const char *copy;

	if (reference_parse(name, &ref, e) < 0)
		return NULL;
	copy = arena_strdup(arena, reference_familiar(&ref, text));
	if (!copy)
		err_errno(e, ENOMEM, "reading a name");
	return copy;
}
