/* SPDX-License-Identifier: Apache-2.0 */
/* Removing images. The rules and messages are moby's (daemon/images/image_delete.go): a name given
 * takes that name away, and the image with its last one; an ID given takes all names away where
 * there is at most one. Soft conflicts give way to force, a running container never does.
 *
 * Everything happens in one durable transaction; files go after it. */
#include "store/content-partial.h"
#include "store/image-internal.h"

#include "base/str.h"
#include "store/container-store.h"
#include "store/gc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct removal_event {
	const char *what;
	const char *name;
};

struct removal {
	struct store *s;
	struct arena arena;
	struct removal_event *events;
	size_t n, cap;
	bool failed; /* out of memory while noting */
};

static void removal_done(struct removal *r)
{
	arena_done(&r->arena);
	free(r->events);
}

static void removal_note(struct removal *r, const char *what, const char *name)
{
	const char *copy = name ? arena_strdup(&r->arena, name) : NULL;

	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct removal_event *v = reallocarray(r->events, cap, sizeof(*v));

		if (v) {
			r->events = v;
			r->cap = cap;
		}
	}
	if (!copy || r->n == r->cap) {
		r->failed = true;
		return;
	}
	r->events[r->n++] = (struct removal_event){.what = what, .name = copy};
}

static void removal_note_chain(void *arg, const char *chain)
{
	removal_note(arg, "Deleted", chain);
}

/* The short form of an ID as Docker shows it: 12 digits. */
static const char *removal_short(const char *id, char out[16])
{
	const char *hex = strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;

	snprintf(out, 16, "%.12s", hex);
	return out;
}

/* A container that uses the image, running ones first: 1, 0, -1. */
static int removal_user(struct store *s, const char *id, char ret[16], bool *ret_running,
			struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT id, running FROM containers WHERE image=?"
		       " ORDER BY running DESC, created LIMIT 1",
		       "t", id);

	if (r > 0) {
		removal_short(db_text(st, 0), ret);
		*ret_running = sqlite3_column_int(st, 1) != 0;
	}
	return r;
}

enum removal_check {
	REMOVAL_RUNNING = 1 << 0,
	REMOVAL_NAMES = 1 << 1,
	REMOVAL_STOPPED = 1 << 2,
};

/* moby's checkImageDeleteConflict. */
static int removal_conflict(struct removal *r, const struct image *img, unsigned check,
			    struct err *e)
{
	char user[16] = "", id[16];
	bool running = false;
	int used = removal_user(r->s, img->id, user, &running, e);

	if (used < 0)
		return -1;
	removal_short(img->id, id);
	if ((check & REMOVAL_RUNNING) && used && running)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflict: unable to delete %s (cannot be forced) - image is being "
			       "used by running container %s",
			       id, user);
	if ((check & REMOVAL_NAMES) && img->n_names > 0)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflict: unable to delete %s (must be forced) - image is "
			       "referenced in multiple repositories",
			       id);
	if ((check & REMOVAL_STOPPED) && used && !running)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflict: unable to delete %s (must be forced) - image is being "
			       "used by stopped container %s",
			       id, user);
	return 0;
}

static int removal_untag(struct removal *r, const char *name, struct err *e)
{
	const char *familiar = image_familiar(&r->arena, name, e);

	if (!familiar || db_run(r->s->db, NULL, e, "DELETE FROM names WHERE name=?", "t", name) < 0)
		return -1;
	removal_note(r, "Untagged", familiar);
	return 0;
}

static int removal_untag_all(struct removal *r, struct image *img, struct err *e)
{
	for (size_t i = 0; i < img->n_names; i++)
		if (removal_untag(r, img->names[i], e) < 0)
			return -1;
	img->n_names = 0;
	return 0;
}

/* The image's rows; what only it used is the collector's. */
static int removal_delete(struct removal *r, struct image *img, struct err *e)
{
	struct db *db = r->s->db;

	if (removal_untag_all(r, img, e) < 0 ||
	    db_run(db, NULL, e, "DELETE FROM image_blobs WHERE image=?", "t", img->id) < 0 ||
	    db_run(db, NULL, e, "DELETE FROM images WHERE id=?", "t", img->id) < 0)
		return -1;
	removal_note(r, "Deleted", img->id);
	return 0;
}

/* moby's imageDeleteHelper. QUIET: a name was taken away already, so that a conflict only means
 * that the image stays. */
static int removal_finish(struct removal *r, struct image *img, bool force, bool quiet,
			  struct err *e)
{
	unsigned check = REMOVAL_RUNNING | (force ? 0 : REMOVAL_NAMES | REMOVAL_STOPPED);
	struct err conflict = ERR_INIT;

	if (removal_conflict(r, img, check, &conflict) < 0) {
		if (quiet && conflict.class == ERR_CONFLICT)
			return 0;
		if (e)
			*e = conflict;
		return -1;
	}
	return removal_delete(r, img, e);
}

/* REF is a name: which of the image's names does it mean? By digest all of that repository. */
static bool removal_is_meant(const struct reference *ref, const char *name)
{
	char text[REFERENCE_TEXT_SIZE];
	struct reference have;

	if (!digest_is_set(&ref->digest))
		return str_eq(reference_text(ref, text), name);
	return reference_parse(name, &have, NULL) == 0 && str_eq(have.domain, ref->domain) &&
	       str_eq(have.path, ref->path);
}

static int removal_by_name(struct removal *r, struct image *img, const char *ref, bool force,
			   struct err *e)
{
	char user[16], id[16];
	struct reference name;
	bool running;
	size_t left = 0;
	int used;

	if (reference_parse_tagged(ref, &name, e) < 0)
		return -1;
	used = removal_user(r->s, img->id, user, &running, e);
	if (used < 0)
		return -1;
	if (used && !force && img->n_names <= 1)
		return err_set(e, ERR_CONFLICT, 0,
			       "conflict: unable to remove repository reference \"%s\" (must "
			       "force) - container %s is using its referenced image %s",
			       ref, user, removal_short(img->id, id));
	for (size_t i = 0; i < img->n_names; i++) {
		if (!removal_is_meant(&name, img->names[i]))
			img->names[left++] = img->names[i];
		else if (removal_untag(r, img->names[i], e) < 0)
			return -1;
	}
	img->n_names = left;
	return left > 0 ? 0 : removal_finish(r, img, force, true, e);
}

static int removal_by_id(struct removal *r, struct image *img, bool force, struct err *e)
{
	if (img->n_names <= 1) {
		unsigned check = REMOVAL_RUNNING | (force ? 0 : REMOVAL_STOPPED);

		if (removal_conflict(r, img, check, e) < 0 || removal_untag_all(r, img, e) < 0)
			return -1;
	}
	return removal_finish(r, img, force, false, e);
}

static int removal_run(struct removal *r, const char *ref, bool force, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct gc_result gc;
	const char *hex = NULL;
	int done;

	if (image_resolve(r->s, ref, IMAGE_NAMES, &img, e) < 0)
		return -1;
	/* moby's isImageIDPrefix: an ID where the digits begin the ID of what was found. */
	if (reference_maybe_id(ref, &hex) && strncmp(hex, img.id + 7, strlen(hex)) == 0)
		done = removal_by_id(r, &img, force, e);
	else
		done = removal_by_name(r, &img, ref, force, e);
	if (done < 0 || gc_mark(r->s, removal_note_chain, r, &gc, e) < 0)
		return -1;
	return r->failed ? err_errno(e, ENOMEM, "removing image %s", ref) : 0;
}

static void removal_tell(const struct removal *r, image_removed_fn fn, void *arg)
{
	for (size_t i = 0; fn && i < r->n; i++)
		fn(arg, r->events[i].what, r->events[i].name);
}

/* Commits, tells, and removes files. What cannot be removed now is found by a later command. */
static int removal_commit(struct removal *r, image_removed_fn fn, void *arg, struct err *e)
{
	if (db_commit(r->s->db, e) < 0)
		return -1;
	removal_tell(r, fn, arg);
	snapshot_sweep(r->s, NULL);
	store_maintain(r->s);
	return 0;
}

int image_remove(struct store *s, const char *ref, unsigned flags, image_removed_fn fn, void *arg,
		 struct err *e)
{
	_cleanup_(removal_done) struct removal r = {.s = s};

	if (db_begin(s->db, true, e) < 0)
		return -1;
	if (removal_run(&r, ref, flags & IMAGE_REMOVE_FORCE, e) < 0) {
		db_abort(s->db);
		return -1;
	}
	return removal_commit(&r, fn, arg, e);
}

static int prune_run(struct removal *r, const struct image_filter *filter, struct gc_result *ret,
		     struct err *e)
{
	static const struct image_filter dangling = {.dangling = 1};
	struct image *list = NULL;
	size_t n = 0;
	int done = 0;

	if (image_list(r->s, filter ? filter : &dangling, &list, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n && done == 0; i++)
		if (list[i].n_containers == 0)
			done = removal_delete(r, &list[i], e);
	image_list_free(list, n);
	if (done < 0 || gc_mark(r->s, removal_note_chain, r, ret, e) < 0)
		return -1;
	return r->failed ? err_errno(e, ENOMEM, "pruning images") : 0;
}

int image_prune(struct store *s, const struct image_filter *filter, image_removed_fn fn, void *arg,
		uint64_t *ret_bytes, struct err *e)
{
	_cleanup_(removal_done) struct removal r = {.s = s};
	struct gc_result gc = {.bytes = 0};
	uint64_t partial = 0;

	if (db_begin(s->db, true, e) < 0)
		return -1;
	if (prune_run(&r, filter, &gc, e) < 0) {
		db_abort(s->db);
		return -1;
	}
	if (removal_commit(&r, fn, arg, e) < 0 || partial_clean(&s->content, 0, &partial, e) < 0)
		return -1;
	if (ret_bytes)
		*ret_bytes = gc.bytes + partial;
	return 0;
}

/* A container's hold on its image goes by its row and its snapshot's. */
static int prune_without(struct store *s, const char *const *gone, struct err *e)
{
	for (; gone && *gone; gone++)
		if (db_run(s->db, NULL, e,
			   "DELETE FROM snapshots WHERE id IN"
			   " (SELECT snapshot FROM containers WHERE id=?)",
			   "t", *gone) < 0 ||
		    container_row_delete(s, *gone, e) < 0)
			return -1;
	return 0;
}

/* The same work in a transaction that is taken back. */
int image_prune_look(struct store *s, const struct image_filter *filter, image_removed_fn fn,
		     void *arg, uint64_t *ret_bytes, struct err *e)
{
	_cleanup_(removal_done) struct removal r = {.s = s};
	struct gc_result gc = {.bytes = 0};
	int done;

	if (db_begin(s->db, false, e) < 0)
		return -1;
	done = prune_without(s, filter->gone, e);
	if (done == 0)
		done = prune_run(&r, filter, &gc, e);
	db_abort(s->db);
	if (done < 0)
		return -1;
	removal_tell(&r, fn, arg);
	*ret_bytes = gc.bytes;
	return 0;
}
