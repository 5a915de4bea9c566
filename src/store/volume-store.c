/* SPDX-License-Identifier: Apache-2.0 */
#include "store/volume-store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/path.h"
#include "base/str.h"
#include "store/store-internal.h"
#include "store/volume-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME_COLUMNS "name, driver, labels, options, anonymous, created"

/* A trash note is "<id>/<name>". */
enum { VOLUME_ID_LEN = 16, VOLUME_NOTE_SIZE = VOLUME_ID_LEN + 1 + VOLUME_NAME_MAX + 1 };

bool volume_name_is_valid(const char *name)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(name);

	return n >= 2 && n <= VOLUME_NAME_MAX && !strchr("_.-", name[0]) && strspn(name, all) == n;
}

int volume_dir(struct store *s, struct err *e)
{
	if (s->volumes >= 0)
		return s->volumes;
	s->volumes = path_open_own(s->root, "volumes", O_RDONLY | O_DIRECTORY, 0);
	if (s->volumes == -ENOENT) {
		_cleanup_(fd_close) int made = path_mkdirs(s->root, "volumes", 0700, 0);

		s->volumes = made < 0
				     ? made
				     : path_open_own(s->root, "volumes", O_RDONLY | O_DIRECTORY, 0);
	}
	if (s->volumes < 0)
		return err_errno(e, s->volumes, "opening the store's directory 'volumes'");
	return s->volumes;
}

/* ---- rows ---- */

static int volume_exists(struct store *s, const char *name, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	return db_row(s->db, &st, e, "SELECT 1 FROM volumes WHERE name=?", "t", name);
}

/* Renames the directory of a volume that was removed: for who holds the write lock. */
static int volume_retire(struct store *s, const char *note, struct err *e)
{
	int dir = volume_dir(s, e);
	char to[VOLUME_NOTE_SIZE + 8];

	if (dir < 0)
		return -1;
	snprintf(to, sizeof(to), ".rm-%.*s", (int)VOLUME_ID_LEN, note);
	if (renameat(dir, note + VOLUME_ID_LEN + 1, dir, to) < 0 && errno != ENOENT)
		return err_errno(e, errno, "removing the volume '%s'", note + VOLUME_ID_LEN + 1);
	return 0;
}

/* What a removed volume of this name may have left is moved out of the way. */
static int volume_make_room(struct store *s, const char *name, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(s->db, &st, e, "SELECT object FROM trash WHERE kind='volume'", "") < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0)
		if (str_eq(db_text(st, 0) + VOLUME_ID_LEN + 1, name) &&
		    volume_retire(s, db_text(st, 0), e) < 0)
			return -1;
	return r;
}

int volume_row_add(struct store *s, const struct volume_row *row, struct err *e)
{
	int64_t n = 0;

	if (!volume_name_is_valid(row->name))
		return err_set(e, ERR_INVALID, 0, "'%s' is no name for a volume", row->name);
	if (db_begin(s->db, false, e) < 0)
		return -1;
	if (db_run(s->db, &n, e,
		   "INSERT OR IGNORE INTO volumes(" VOLUME_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?)",
		   "ttttii", row->name, row->driver, row->labels, row->options,
		   (int64_t)row->anonymous, row->created) < 0 ||
	    (n > 0 && volume_make_room(s, row->name, e) < 0) ||
	    FAILPOINT("store.volume.add", e) < 0) {
		db_abort(s->db);
		return err_wrap(e, "recording the volume '%s'", row->name);
	}
	return db_commit(s->db, e) < 0 ? -1 : n > 0;
}

static const char *volume_text(struct arena *a, sqlite3_stmt *st, int column)
{
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return NULL;
	return arena_strdup(a, db_text(st, column));
}

static struct volume_row volume_read(struct arena *a, sqlite3_stmt *st)
{
	return (struct volume_row){
		.name = volume_text(a, st, 0),
		.driver = volume_text(a, st, 1),
		.labels = volume_text(a, st, 2),
		.options = volume_text(a, st, 3),
		.anonymous = sqlite3_column_int(st, 4) != 0,
		.created = sqlite3_column_int64(st, 5),
	};
}

int volume_row_get(struct store *s, const char *name, struct arena *a, struct volume_row *ret,
		   struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e, "SELECT " VOLUME_COLUMNS " FROM volumes WHERE name=?", "t",
		       name);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "get %s: no such volume", name);
	if (r < 0)
		return -1;
	*ret = volume_read(a, st);
	return ret->name && ret->driver ? 0 : err_errno(e, ENOMEM, "reading a volume");
}

int volume_rows(struct store *s, struct arena *a, struct volume_row **ret, size_t *ret_n,
		struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct volume_row *v;
	size_t n = 0, cap;
	int r;

	/* No row comes between the two: it is one transaction. */
	if (db_begin(s->db, false, e) < 0)
		return -1;
	r = db_row(s->db, &st, e, "SELECT count(*) FROM volumes", "");
	cap = r > 0 ? (size_t)sqlite3_column_int64(st, 0) : 0;
	db_end(&st);
	v = arena_array(a, cap + 1, sizeof(*v));
	if (r < 0 || !v ||
	    db_start(s->db, &st, e, "SELECT " VOLUME_COLUMNS " FROM volumes ORDER BY name", "") <
		    0) {
		db_abort(s->db);
		return v ? -1 : err_errno(e, ENOMEM, "listing volumes");
	}
	while (n < cap && (r = db_next(s->db, st, e)) > 0)
		v[n++] = volume_read(a, st);
	db_end(&st);
	db_abort(s->db);
	*ret = v;
	*ret_n = n;
	return r < 0 ? -1 : 0;
}

int volume_users(struct store *s, const char *name, struct arena *a, const char ***ret,
		 struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	const char **v = arena_array(a, 1, sizeof(*v));
	size_t n = 0;
	int r;

	if (!v || db_start(s->db, &st, e,
			   "SELECT container FROM container_volumes WHERE volume=?"
			   " ORDER BY container",
			   "t", name) < 0)
		return v ? -1 : err_errno(e, ENOMEM, "listing the users of a volume");
	v = NULL;
	while ((r = db_next(s->db, st, e)) > 0)
		if (arena_strv_push(a, &v, &n, arena_strdup(a, db_text(st, 0))) < 0)
			return err_errno(e, ENOMEM, "listing the users of a volume");
	if (!v)
		v = arena_array(a, 1, sizeof(*v));
	*ret = v;
	return r < 0 || !v ? -1 : 0;
}

static int volume_drop(struct store *s, const char *name, struct err *e)
{
	char note[VOLUME_NOTE_SIZE], id[VOLUME_ID_LEN + 1];
	unsigned char bytes[VOLUME_ID_LEN / 2];
	int r = random_bytes(bytes, sizeof(bytes));

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	hex_encode(bytes, sizeof(bytes), id);
	snprintf(note, sizeof(note), "%s/%s", id, name);
	if (db_run(s->db, NULL, e, "DELETE FROM volumes WHERE name=?", "t", name) < 0)
		return -1;
	return store_trash(s, "volume", note, e);
}

static int volume_remove_locked(struct store *s, const char *name, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **users;
	int r = volume_exists(s, name, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "get %s: no such volume", name);
	if (r < 0 || volume_users(s, name, &a, &users, e) < 0)
		return -1;
	if (users[0])
		return err_set(e, ERR_CONFLICT, 0, "remove %s: volume is in use - [%s]", name,
			       str_join(&a, users, ", "));
	return volume_drop(s, name, e);
}

int volume_row_remove(struct store *s, const char *name, struct err *e)
{
	if (db_begin(s->db, true, e) < 0)
		return -1;
	if (volume_remove_locked(s, name, e) < 0 || FAILPOINT("store.volume.remove", e) < 0) {
		db_abort(s->db);
		return -1;
	}
	return db_commit(s->db, e);
}

int volume_row_remove_unused(struct store *s, const char *name, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **users;
	int r;

	if (db_begin(s->db, false, e) < 0)
		return -1;
	r = volume_exists(s, name, e);
	if (r > 0 && volume_users(s, name, &a, &users, e) < 0)
		r = -1;
	if (r > 0)
		r = users[0] ? 0 : volume_drop(s, name, e) < 0 ? -1 : 1;
	if (r < 0) {
		db_abort(s->db);
		return -1;
	}
	return db_commit(s->db, e) < 0 ? -1 : r;
}

int volume_use(struct store *s, const char *name, const char *container, struct err *e)
{
	int r = volume_exists(s, name, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "get %s: no such volume", name);
	return r < 0 ? -1
		     : db_run(s->db, NULL, e,
			      "INSERT OR IGNORE INTO container_volumes VALUES(?, ?)", "tt",
			      container, name);
}

int volume_unuse(struct store *s, const char *container, struct err *e)
{
	return db_run(s->db, NULL, e, "DELETE FROM container_volumes WHERE container=?", "t",
		      container);
}

/* ---- directories ---- */

/* The next note after AFTER: 1, 0, -1. */
static int volume_next_note(struct store *s, const char *after, char ret[VOLUME_NOTE_SIZE],
			    struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT object FROM trash WHERE kind='volume' AND object > ?"
		       " ORDER BY object LIMIT 1",
		       "t", after);

	if (r > 0)
		snprintf(ret, VOLUME_NOTE_SIZE, "%s", db_text(st, 0));
	return r;
}

/* Under the write lock: where a row has the name again, its maker has moved the directory. */
static int volume_retire_alone(struct store *s, const char *note, struct err *e)
{
	int r;

	if (db_begin(s->db, false, e) < 0)
		return -1;
	r = volume_exists(s, note + VOLUME_ID_LEN + 1, e);
	if (r == 0)
		r = volume_retire(s, note, e);
	db_abort(s->db);
	return r < 0 ? -1 : 0;
}

static int volume_sweep_one(struct store *s, const char *note, struct err *e)
{
	char name[VOLUME_ID_LEN + 8];
	int dir = volume_dir(s, e), r;

	if (dir < 0 || volume_retire_alone(s, note, e) < 0)
		return -1;
	snprintf(name, sizeof(name), ".rm-%.*s", (int)VOLUME_ID_LEN, note);
	r = FAILPOINT_ERRNO("store.volume.sweep");
	if (r == 0)
		r = path_remove_tree(dir, name);
	/* Another process is at the same tree. */
	if (r == -ENOENT || r == -ENOTEMPTY || r == -EAGAIN)
		return 0;
	if (r < 0)
		return err_errno(e, r, "removing the files of the volume '%s'",
				 note + VOLUME_ID_LEN + 1);
	return db_run(s->db, NULL, e, "DELETE FROM trash WHERE object=?", "t", note);
}

int volume_sweep(struct store *s, struct err *e)
{
	char note[VOLUME_NOTE_SIZE] = "", after[VOLUME_NOTE_SIZE] = "";
	int r, failed = 0;

	while ((r = volume_next_note(s, after, note, e)) > 0) {
		snprintf(after, sizeof(after), "%s", note);
		if (volume_sweep_one(s, note, e) < 0)
			failed = -1;
	}
	return r < 0 ? -1 : failed;
}

/* Names of directories first, then the rows: a row comes before its directory. */
int volume_orphans(struct store *s, volume_orphan_fn fn, void *arg, struct err *e)
{
	int top = volume_dir(s, e);
	int fd = top < 0 ? -1 : path_open_own(top, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		fd_close(&fd);
		return top < 0 ? -1 : err_errno(e, errno, "reading the directory of volumes");
	}
	while (r >= 0 && (entry = readdir(dir))) {
		if (!volume_name_is_valid(entry->d_name))
			continue;
		r = volume_exists(s, entry->d_name, e);
		if (r == 0)
			fn(arg, entry->d_name);
	}
	closedir(dir);
	return r < 0 ? -1 : 0;
}

struct volume_adoption {
	struct store *s;
	struct err *e;
	int r;
};

static void volume_adopt_one(void *arg, const char *name)
{
	struct volume_adoption *a = arg;
	const struct volume_row row = {
		.name = name, .driver = VOLUME_DRIVER, .created = clock_now()};

	if (a->r == 0 && volume_row_add(a->s, &row, a->e) < 0)
		a->r = -1;
}

int volume_adopt(struct store *s, struct err *e)
{
	struct volume_adoption a = {.s = s, .e = e};

	if (volume_sweep(s, e) < 0 || db_begin(s->db, true, e) < 0)
		return -1;
	if (volume_orphans(s, volume_adopt_one, &a, e) < 0 || a.r < 0) {
		db_abort(s->db);
		return -1;
	}
	return db_commit(s->db, e);
}
