/* SPDX-License-Identifier: Apache-2.0 */
#include "store/build-cache.h"

#include "base/failpoint.h"
#include "base/str.h"
#include "store/store-internal.h"

#include <errno.h>

#define RECORD_COLUMNS                                                                             \
	"id, type, name, slot, digest, data, chain, blob, size, created, used, uses, params,"      \
	" inputs, files"
#define RECORD_SHORT                                                                               \
	"r.id, r.type, r.name, r.slot, r.digest, r.data, r.chain, r.blob, r.size, r.created,"      \
	" r.used, r.uses, '', '', ''"

static const char *null_if_empty(const char *s)
{
	return str_empty(s) ? NULL : s;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* ---- writing ---- */

static int record_insert(struct store *s, const struct build_record *r, struct err *e)
{
	return db_run(s->db, NULL, e,
		      "INSERT INTO build_records(id, type, name, slot, params, inputs, files,"
		      " digest, data, chain, blob, size, created, used, uses)"
		      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "tttttttttttiiii", r->id, or_empty(r->type), or_empty(r->name),
		      or_empty(r->slot), or_empty(r->params), or_empty(r->inputs), r->files,
		      or_empty(r->digest), or_empty(r->data), null_if_empty(r->chain),
		      null_if_empty(r->blob), (int64_t)r->size, r->created, r->used,
		      (int64_t)r->uses);
}

/* What was read is kept once for each slot. */
static int record_forget_files(struct store *s, const struct build_record *r, struct err *e)
{
	if (str_empty(r->slot))
		return 0;
	return db_run(s->db, NULL, e,
		      "UPDATE build_records SET files=NULL WHERE slot=? AND id<>?"
		      " AND files IS NOT NULL",
		      "tt", r->slot, r->id);
}

static int key_set(struct store *s, const char *id, const char *key, struct err *e)
{
	return db_run(s->db, NULL, e, "INSERT OR REPLACE INTO build_keys(key, record) VALUES(?, ?)",
		      "tt", key, id);
}

/* The record that KEY led to, where no other key leads to it. */
static int record_replace(struct store *s, const char *key, struct err *e)
{
	return db_run(s->db, NULL, e,
		      "DELETE FROM build_records WHERE id=(SELECT record FROM build_keys"
		      " WHERE key=?1) AND NOT EXISTS(SELECT 1 FROM build_keys k"
		      " WHERE k.record=build_records.id AND k.key<>?1)",
		      "t", key);
}

static int record_add(struct store *s, const struct build_record *r, const char *const *keys,
		      struct err *e)
{
	for (; *keys; keys++)
		if (record_replace(s, *keys, e) < 0 || key_set(s, r->id, *keys, e) < 0)
			return -1;
	if (record_insert(s, r, e) < 0 || record_forget_files(s, r, e) < 0)
		return -1;
	return FAILPOINT("store.build.add", e);
}

int build_record_add(struct store *s, const struct build_record *r, const char *const *keys,
		     struct err *e)
{
	if (db_begin(s->db, false, e) < 0)
		return -1;
	if (record_add(s, r, keys, e) < 0) {
		db_abort(s->db);
		return err_wrap(e, "recording the result of a build step");
	}
	return db_commit(s->db, e);
}

int build_record_key(struct store *s, const char *id, const char *key, struct err *e)
{
	return key_set(s, id, key, e);
}

int build_record_touch(struct store *s, const char *const *ids, size_t n, int64_t now,
		       struct err *e)
{
	if (db_begin(s->db, false, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (db_run(s->db, NULL, e,
			   "UPDATE build_records SET used=?, uses=uses+1 WHERE id=?", "it", now,
			   ids[i]) < 0) {
			db_abort(s->db);
			return -1;
		}
	return db_commit(s->db, e);
}

int build_record_remove(struct store *s, const char *id, struct err *e)
{
	if (db_begin(s->db, false, e) < 0)
		return -1;
	if (db_run(s->db, NULL, e, "DELETE FROM build_keys WHERE record=?", "t", id) < 0 ||
	    db_run(s->db, NULL, e, "DELETE FROM build_records WHERE id=?", "t", id) < 0) {
		db_abort(s->db);
		return err_wrap(e, "removing a record of the build cache");
	}
	return db_commit(s->db, e);
}

/* ---- reading ---- */

/* Columns as in RECORD_COLUMNS. */
static int record_read(sqlite3_stmt *st, struct arena *a, struct build_record *ret, struct err *e)
{
	const char **text[] = {&ret->id,   &ret->type,  &ret->name,   &ret->slot,   &ret->digest,
			       &ret->data, &ret->chain, &ret->blob,   NULL,         NULL,
			       NULL,       NULL,        &ret->params, &ret->inputs, &ret->files};

	for (int i = 0; i < (int)ARRAY_SIZE(text); i++) {
		if (!text[i])
			continue;
		*text[i] = arena_strdup(a, db_text(st, i));
		if (!*text[i])
			return err_errno(e, ENOMEM, "reading the build cache");
	}
	ret->size = (uint64_t)sqlite3_column_int64(st, 8);
	ret->created = sqlite3_column_int64(st, 9);
	ret->used = sqlite3_column_int64(st, 10);
	ret->uses = (uint64_t)sqlite3_column_int64(st, 11);
	ret->in_use = false;
	return 1;
}

int build_record_find(struct store *s, const char *key, struct arena *a, struct build_record *ret,
		      struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT " RECORD_SHORT " FROM build_keys k JOIN build_records r"
		       " ON r.id=k.record WHERE k.key=?",
		       "t", key);

	return r > 0 ? record_read(st, a, ret, e) : r;
}

int build_record_of_slot(struct store *s, const char *slot, struct arena *a,
			 struct build_record *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (str_empty(slot))
		return 0;
	r = db_row(s->db, &st, e,
		   "SELECT " RECORD_COLUMNS " FROM build_records WHERE slot=?"
		   " ORDER BY created DESC, rowid DESC LIMIT 1",
		   "t", slot);
	return r > 0 ? record_read(st, a, ret, e) : r;
}

static int records_read(struct store *s, struct arena *a, struct build_record *v, size_t n,
			size_t *ret_n, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	size_t i = 0;
	int r = 0;

	if (db_start(s->db, &st, e,
		     "WITH RECURSIVE live(chain) AS (SELECT chain FROM images"
		     " UNION SELECT l.parent FROM live JOIN layers l ON l.chain=live.chain)"
		     " SELECT " RECORD_SHORT ", r.chain IN (SELECT chain FROM live"
		     " WHERE chain IS NOT NULL) FROM build_records r ORDER BY r.used, r.rowid DESC",
		     "") < 0)
		return -1;
	while (i < n && (r = db_next(s->db, st, e)) > 0) {
		if (record_read(st, a, &v[i], e) < 0)
			return -1;
		v[i++].in_use = sqlite3_column_int(st, 15) != 0;
	}
	*ret_n = i;
	return r < 0 ? -1 : 0;
}

int build_records(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		  struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct build_record *v;
	size_t n;

	if (db_row(s->db, &st, e, "SELECT count(*) FROM build_records", "") < 0)
		return -1;
	n = (size_t)sqlite3_column_int64(st, 0);
	db_end(&st);
	v = arena_array(a, n + 1, sizeof(*v));
	if (!v)
		return err_errno(e, ENOMEM, "reading the build cache");
	if (records_read(s, a, v, n, ret_n, e) < 0)
		return -1;
	*ret = v;
	return 0;
}
