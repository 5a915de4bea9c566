/* SPDX-License-Identifier: Apache-2.0 */
#include "store/container-store.h"

#include "base/str.h"
#include "store/store-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CONTAINER_COLUMNS                                                                          \
	"id, name, image, snapshot, state, running, auto_remove, created, lease, doc, brief"

void container_record_done(struct container_record *r)
{
	free(r->strings);
	*r = CONTAINER_RECORD_INIT;
}

static void container_read(sqlite3_stmt *st, struct container_row *row)
{
	*row = (struct container_row){
		.name = db_text(st, 1),
		.image = sqlite3_column_type(st, 2) == SQLITE_NULL ? NULL : db_text(st, 2),
		.state = sqlite3_column_int(st, 4),
		.running = sqlite3_column_int(st, 5) != 0,
		.auto_remove = sqlite3_column_int(st, 6) != 0,
		.created = sqlite3_column_int64(st, 7),
		.lease = sqlite3_column_int64(st, 8),
		.doc = db_text(st, 9),
		.brief = sqlite3_column_type(st, 10) == SQLITE_NULL ? NULL : db_text(st, 10),
	};
	snprintf(row->id, sizeof(row->id), "%s", db_text(st, 0));
	snprintf(row->snapshot, sizeof(row->snapshot), "%s", db_text(st, 3));
}

static const char *container_keep(char **at, const char *s)
{
	char *copy = *at;
	size_t n;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	memcpy(copy, s, n);
	*at += n;
	return copy;
}

static int container_copy(const struct container_row *row, struct container_record *ret,
			  struct err *e)
{
	size_t n = strlen(row->name) + strlen(row->doc) + (row->image ? strlen(row->image) : 0) +
		   (row->brief ? strlen(row->brief) : 0) + 4;
	char *at = malloc(n);

	if (!at)
		return err_errno(e, ENOMEM, "reading a container");
	ret->strings = at;
	ret->row = *row;
	ret->row.name = container_keep(&at, row->name);
	ret->row.doc = container_keep(&at, row->doc);
	ret->row.image = container_keep(&at, row->image);
	ret->row.brief = container_keep(&at, row->brief);
	return 0;
}

/* ERR_EXISTS of the database becomes Docker's message with the name's owner. */
static int container_name_taken(struct store *s, const char *name, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e, "SELECT id FROM containers WHERE name=?", "t", name);

	if (r < 0)
		return -1;
	return err_set(e, ERR_CONFLICT, 0,
		       "conflict. The container name \"/%s\" is already in use by container "
		       "\"%s\". You have to remove (or rename) that container to be able to reuse "
		       "that name",
		       name, r > 0 ? db_text(st, 0) : "?");
}

int container_row_add(struct store *s, const struct container_row *row, struct err *e)
{
	struct err why = ERR_INIT;

	if (db_run(s->db, NULL, &why,
		   "INSERT INTO containers(" CONTAINER_COLUMNS
		   ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		   "ttttiiiiitt", row->id, row->name, row->image, row->snapshot,
		   (int64_t)row->state, (int64_t)row->running, (int64_t)row->auto_remove,
		   row->created, row->lease, row->doc, row->brief) == 0)
		return 0;
	if (why.class == ERR_EXISTS)
		return container_name_taken(s, row->name, e);
	if (e)
		*e = why;
	return err_wrap(e, "recording container %s", row->id);
}

int container_row_put(struct store *s, const struct container_row *row, struct err *e)
{
	struct err why = ERR_INIT;
	int64_t n = 0;

	if (db_run(s->db, &n, &why,
		   "UPDATE containers SET name=?2, image=?3, snapshot=?4, state=?5, running=?6,"
		   " auto_remove=?7, created=?8, lease=?9, doc=?10, brief=?11 WHERE id=?1",
		   "ttttiiiiitt", row->id, row->name, row->image, row->snapshot,
		   (int64_t)row->state, (int64_t)row->running, (int64_t)row->auto_remove,
		   row->created, row->lease, row->doc, row->brief) == 0) {
		if (n == 0)
			return err_set(e, ERR_NOT_FOUND, 0, "no such container: %s", row->id);
		return 0;
	}
	if (why.class == ERR_EXISTS)
		return container_name_taken(s, row->name, e);
	if (e)
		*e = why;
	return err_wrap(e, "recording container %s", row->id);
}

int container_row_get(struct store *s, const char *id, struct container_record *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct container_row row;
	int r = db_row(s->db, &st, e, "SELECT " CONTAINER_COLUMNS " FROM containers WHERE id=?",
		       "t", id);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no such container: %s", id);
	if (r < 0)
		return -1;
	container_read(st, &row);
	return container_copy(&row, ret, e);
}

static int container_by_prefix(struct store *s, const char *prefix, char ret_id[ID_SIZE],
			       struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char high[ID_SIZE + 1];
	int r;

	snprintf(high, sizeof(high), "%sg", prefix);
	r = db_row(s->db, &st, e, "SELECT id FROM containers WHERE id >= ? AND id < ? LIMIT 2",
		   "tt", prefix, high);
	if (r <= 0)
		return r;
	snprintf(ret_id, ID_SIZE, "%s", db_text(st, 0));
	r = db_next(s->db, st, e);
	if (r > 0)
		return err_set(e, ERR_INVALID, 0, "multiple IDs found with provided prefix: %s",
			       prefix);
	return r < 0 ? -1 : 1;
}

int container_row_resolve(struct store *s, const char *ref, char ret_id[ID_SIZE], struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	const char *name = ref[0] == '/' ? ref + 1 : ref;
	char id[ID_SIZE];
	int r = db_row(s->db, &st, e,
		       "SELECT id, 0 AS rank FROM containers WHERE id=?1 UNION ALL"
		       " SELECT id, 1 FROM containers WHERE name=?2 ORDER BY rank LIMIT 1",
		       "tt", ref, name);

	if (r > 0)
		snprintf(id, sizeof(id), "%s", db_text(st, 0));
	else if (r == 0 && id_is_prefix(ref))
		r = container_by_prefix(s, ref, id, e);
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no such container: %s", ref);
	if (r < 0)
		return -1;
	memcpy(ret_id, id, ID_SIZE);
	return 0;
}

/* Whole rows are read before FN is called, so that it may use the store as it likes. */
static int container_each(struct store *s, sqlite3_stmt *st, container_row_fn fn, void *arg,
			  struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *owned = st;
	struct container_record *list = NULL;
	size_t n = 0, cap = 0;
	struct container_row row;
	int r;

	while ((r = db_next(s->db, st, e)) > 0) {
		if (n == cap) {
			struct container_record *more =
				reallocarray(list, cap ? 2 * cap : 16, sizeof(*list));

			if (!more) {
				r = err_errno(e, ENOMEM, "listing containers");
				break;
			}
			list = more;
			cap = cap ? 2 * cap : 16;
		}
		container_read(st, &row);
		list[n] = CONTAINER_RECORD_INIT;
		r = container_copy(&row, &list[n], e);
		if (r < 0)
			break;
		n++;
	}
	db_end(&owned);
	for (size_t i = 0; i < n && r == 0; i++)
		r = fn(arg, &list[i].row, e);
	for (size_t i = 0; i < n; i++)
		container_record_done(&list[i]);
	free(list);
	return r;
}

int container_row_each(struct store *s, container_row_fn fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e,
		     "SELECT " CONTAINER_COLUMNS " FROM containers ORDER BY created DESC, id",
		     "") < 0)
		return -1;
	return container_each(s, st, fn, arg, e);
}

int container_row_each_running(struct store *s, container_row_fn fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e,
		     "SELECT " CONTAINER_COLUMNS
		     " FROM containers WHERE running ORDER BY created DESC, id",
		     "") < 0)
		return -1;
	return container_each(s, st, fn, arg, e);
}

int container_row_each_leased(struct store *s, container_row_fn fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e, "SELECT " CONTAINER_COLUMNS " FROM containers WHERE lease <> 0",
		     "") < 0)
		return -1;
	return container_each(s, st, fn, arg, e);
}

int container_row_delete(struct store *s, const char *id, struct err *e)
{
	return db_run(s->db, NULL, e, "DELETE FROM containers WHERE id=?", "t", id);
}

int container_row_rename(struct store *s, const char *id, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	int64_t n = 0;

	if (db_run(s->db, &n, &why, "UPDATE containers SET name=? WHERE id=?", "tt", name, id) <
	    0) {
		if (why.class == ERR_EXISTS)
			return container_name_taken(s, name, e);
		if (e)
			*e = why;
		return -1;
	}
	return n > 0 ? 0 : err_set(e, ERR_NOT_FOUND, 0, "no such container: %s", id);
}
