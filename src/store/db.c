/* SPDX-License-Identifier: Apache-2.0 */
/* One connection in WAL mode. Readers never wait; a writer takes the lock when it begins
 * (BEGIN IMMEDIATE), so that a transaction fails at its start or not at all.
 *
 * Commits do not sync (synchronous=NORMAL): the log keeps them whole and in order, a power cut
 * loses the last ones. A durable transaction switches to FULL for its commit, which syncs the log
 * and with it all that came before.
 *
 * Closing does no checkpoint, which would cost syncs. But the first process that opens the database
 * after a boot, or where db-index.c cannot keep the log's index, reads the whole log, so the log
 * must stay short: db_checkpoint. */
#include "store/db.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "store/db-index.h"
#include "store/db-schema.h"
#include "store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define DB_STATEMENTS_MAX 128
#define DB_BUSY_MS        60000
#define DB_STR_(x)        #x
#define DB_STR(x)         DB_STR_(x)

struct db_statement {
	const char *sql; /* by address */
	sqlite3_stmt *st;
};

struct db {
	char path[4096];
	sqlite3 *sql;
	struct db_statement statements[DB_STATEMENTS_MAX];
	size_t n_statements;
	int depth;    /* of nested transactions */
	bool durable; /* the open one */
	bool failed;  /* an inner level was aborted */
	int frames;   /* in the log after the last commit of ours */
};

static enum err_class db_class(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_CONFLICT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		return ERR_LIMIT;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return ERR_DENIED;
	case SQLITE_CONSTRAINT:
		return ERR_EXISTS;
	case SQLITE_MISUSE:
	case SQLITE_ERROR:
		return ERR_INTERNAL;
	default:
		return ERR_IO;
	}
}

static int db_fail(struct db *db, int rc, const char *what, struct err *e)
{
	int errnum = (rc & 0xff) == SQLITE_FULL ? ENOSPC : 0;

	if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
		errnum = sqlite3_system_errno(db->sql);
	if (errnum == ENOSPC || errnum == EDQUOT)
		return err_set(e, ERR_LIMIT, errnum, "%s", what);
	return err_set(e, db_class(rc), errnum, "%s: %s", what, sqlite3_errmsg(db->sql));
}

#ifdef KOGGE_FAILPOINTS
/* SQLite's writes and syncs with a failpoint in front: for tests of full and broken disks. */
static ssize_t db_fault_pwrite(int fd, const void *data, size_t n, off_t at)
{
	int r = FAILPOINT_ERRNO("io.write");

	if (r < 0) {
		errno = -r;
		return -1;
	}
	return pwrite(fd, data, n, at);
}

static void db_arm_faults(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (!failpoint_armed || !vfs || vfs->iVersion < 3)
		return;
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)db_fault_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)db_fault_pwrite);
}
#else
static void db_arm_faults(void)
{
}
#endif

static int db_log_hook(void *arg, sqlite3 *sql, const char *name, int frames)
{
	((struct db *)arg)->frames = frames;
	return SQLITE_OK;
}

static int db_exec(struct db *db, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, what, e);
}

static int db_connect(struct db *db, struct err *e)
{
	const char *path = db->path;
	int rc = sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK && !db->sql)
		return err_errno(e, ENOMEM, "opening '%s'", path);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, path, e);
	sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	sqlite3_wal_hook(db->sql, db_log_hook, db); /* replaces the automatic checkpoint */
	return db_exec(db, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512", path, e);
}

int db_open(const char *dir, struct db **ret, struct err *e)
{
	_cleanup_(db_freep) struct db *db = calloc(1, sizeof(*db));

	if (!db)
		return err_errno(e, ENOMEM, "opening the database");
	if ((size_t)snprintf(db->path, sizeof(db->path), "%s/kogge.db", dir) >= sizeof(db->path))
		return err_set(e, ERR_INVALID, ENAMETOOLONG, "the store '%s'", dir);
	/* Counts that nobody asks for cost a lock for each allocation. Too late, and no harm, where
	 * this process has opened a database before. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	db_arm_faults();
	db_index_keep();
	if (db_connect(db, e) < 0)
		return -1;
	*ret = TAKE_PTR(db);
	return 0;
}

static void db_disconnect(struct db *db)
{
	for (size_t i = 0; i < db->n_statements; i++)
		sqlite3_finalize(db->statements[i].st);
	db->n_statements = 0;
	sqlite3_close(db->sql);
	db->sql = NULL;
}

int db_pause(struct db *db, struct err *e)
{
	if (db->depth > 0)
		return err_set(e, ERR_INTERNAL, 0, "a fork within a transaction");
	db_disconnect(db);
	return 0;
}

int db_resume(struct db *db, struct err *e)
{
	return db->sql ? 0 : db_connect(db, e);
}

void db_free(struct db *db)
{
	if (!db)
		return;
	db_disconnect(db);
	free(db);
}

int db_format(struct db *db, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_row(db, &st, e, "PRAGMA user_version", "") < 0)
		return -1;
	return sqlite3_column_int(st, 0);
}

/* The steps from format FROM to STORE_FORMAT, in the open transaction. */
static int db_step(struct db *db, int from, struct err *e)
{
	_Static_assert(ARRAY_SIZE(db_steps) == STORE_FORMAT - 1, "a step for each format");

	for (int i = from - 1; i < (int)ARRAY_SIZE(db_steps); i++)
		if (db_exec(db, db_steps[i], "changing the tables", e) < 0)
			return -1;
	if (FAILPOINT("store.db.migrate", e) < 0)
		return -1;
	return db_exec(db, "PRAGMA user_version=" DB_STR(STORE_FORMAT), "changing the tables", e);
}

int db_migrate(struct db *db, struct err *e)
{
	int format;

	if (db_begin(db, true, e) < 0)
		return -1;
	format = db_format(db, e);
	if (format < 1 || format >= STORE_FORMAT || db_step(db, format, e) < 0) {
		db_abort(db);
		return format >= STORE_FORMAT ? 0 : -1;
	}
	return db_commit(db, e);
}

/* Two processes may find the database new at once: the second sees the tables of the first. */
int db_create(struct db *db, const char *driver, struct err *e)
{
	int format;

	if (db_exec(db, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL", "making the database",
		    e) < 0 ||
	    db_begin(db, true, e) < 0)
		return -1;
	format = db_format(db, e);
	if (format != 0) {
		db_abort(db);
		return format < 0 ? -1 : 0;
	}
	if (db_exec(db, db_schema, "making the tables", e) < 0 ||
	    db_run(db, NULL, e, "INSERT INTO meta VALUES('driver', ?)", "t", driver) < 0 ||
	    db_run(db, NULL, e, "INSERT INTO meta VALUES('created', ?)", "i", clock_now()) < 0 ||
	    db_exec(db, "PRAGMA application_id=" DB_STR(DB_APPLICATION_ID), "making the tables",
		    e) < 0 ||
	    db_step(db, 1, e) < 0) {
		db_abort(db);
		return -1;
	}
	return db_commit(db, e);
}

static struct db_statement *db_find(struct db *db, const char *sql)
{
	for (size_t i = 0; i < db->n_statements; i++)
		if (db->statements[i].sql == sql)
			return &db->statements[i];
	return NULL;
}

static int db_prepare(struct db *db, const char *sql, sqlite3_stmt **ret, struct err *e)
{
	struct db_statement *s = db_find(db, sql);
	int rc;

	if (s && sqlite3_stmt_busy(s->st))
		return err_set(e, ERR_INTERNAL, 0, "statement in use: %s", sql);
	if (!s) {
		if (db->n_statements == DB_STATEMENTS_MAX)
			return err_set(e, ERR_INTERNAL, 0, "too many statements");
		s = &db->statements[db->n_statements];
		rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL);
		if (rc != SQLITE_OK)
			return db_fail(db, rc, "reading the database", e);
		s->sql = sql;
		db->n_statements++;
	}
	*ret = s->st;
	return 0;
}

static int db_bind(sqlite3_stmt *st, const char *types, va_list ap)
{
	const void *data;
	int rc = SQLITE_OK;

	for (int i = 1; *types && rc == SQLITE_OK; types++, i++) {
		switch (*types) {
		case 't':
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'i':
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			break;
		case 'b':
			data = va_arg(ap, const void *);
			rc = sqlite3_bind_text(st, i, data, (int)va_arg(ap, size_t), SQLITE_STATIC);
			break;
		default:
			rc = SQLITE_MISUSE;
		}
	}
	return rc;
}

static sqlite3_stmt *db_vstart(struct db *db, const char *sql, const char *types, va_list ap,
			       struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (db_prepare(db, sql, &st, e) < 0)
		return NULL;
	sqlite3_reset(st);
	rc = db_bind(st, types, ap);
	if (rc != SQLITE_OK) {
		db_fail(db, rc, "binding", e);
		return NULL;
	}
	return st;
}

int db_start(struct db *db, sqlite3_stmt **ret, struct err *e, const char *sql, const char *types,
	     ...)
{
	va_list ap;

	va_start(ap, types);
	*ret = db_vstart(db, sql, types, ap, e);
	va_end(ap);
	return *ret ? 0 : -1;
}

int db_next(struct db *db, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_fail(db, rc,
		       sqlite3_stmt_readonly(st) ? "reading the database" : "writing the database",
		       e);
}

void db_end(sqlite3_stmt **st)
{
	if (*st) {
		sqlite3_reset(*st);
		sqlite3_clear_bindings(*st);
	}
	*st = NULL;
}

int db_run(struct db *db, int64_t *ret_n, struct err *e, const char *sql, const char *types, ...)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	va_list ap;

	va_start(ap, types);
	st = db_vstart(db, sql, types, ap, e);
	va_end(ap);
	if (!st || db_next(db, st, e) < 0)
		return -1;
	if (ret_n)
		*ret_n = sqlite3_changes(db->sql);
	return 0;
}

int db_row(struct db *db, sqlite3_stmt **ret, struct err *e, const char *sql, const char *types,
	   ...)
{
	va_list ap;

	va_start(ap, types);
	*ret = db_vstart(db, sql, types, ap, e);
	va_end(ap);
	return *ret ? db_next(db, *ret, e) : -1;
}

const char *db_text(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);

	return s ? s : "";
}

bool db_in_transaction(const struct db *db)
{
	return db->depth > 0;
}

static int db_set_sync(struct db *db, bool full, struct err *e)
{
	return db_exec(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
		       "setting up the database", e);
}

int db_begin(struct db *db, bool durable, struct err *e)
{
	if (db->depth > 0) {
		db->depth++;
		return 0;
	}
	if (durable && db_set_sync(db, true, e) < 0)
		return -1;
	if (db_run(db, NULL, e, "BEGIN IMMEDIATE", "") < 0) {
		if (durable)
			db_set_sync(db, false, NULL);
		return err_wrap(e, "locking the store");
	}
	db->durable = durable;
	db->failed = false;
	db->depth = 1;
	return 0;
}

int db_commit(struct db *db, struct err *e)
{
	int r;

	if (db->depth == 0)
		return err_set(e, ERR_INTERNAL, 0, "commit without a transaction");
	if (--db->depth > 0)
		return 0;
	r = FAILPOINT("store.db.commit", e);
	if (r == 0 && db->failed)
		r = err_set(e, ERR_INTERNAL, 0, "commit after a failed step");
	if (r == 0)
		r = db_run(db, NULL, e, "COMMIT", "");
	if (r < 0) {
		db->depth = 1;
		db_abort(db);
		return -1;
	}
	if (db->durable)
		r = db_set_sync(db, false, e);
	return r;
}

void db_abort(struct db *db)
{
	if (db->depth == 0)
		return;
	db->failed = true;
	if (--db->depth > 0)
		return;
	if (!sqlite3_get_autocommit(db->sql))
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	if (db->durable)
		db_set_sync(db, false, NULL);
}

void db_checkpoint(struct db *db, int min_frames)
{
	if (db->depth > 0 || db->frames < min_frames)
		return;
	sqlite3_busy_timeout(db->sql, 0);
	if (sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
	    SQLITE_OK)
		/* The first commit after it syncs the log's new header: not somebody's on the hot
		 * path. Only a value that changes is written. */
		db_run(db, NULL, NULL,
		       "INSERT INTO meta VALUES('checkpoint', ?)"
		       " ON CONFLICT(key) DO UPDATE SET value=excluded.value",
		       "i", clock_now());
	sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
}

int db_integrity(struct db *db, void (*fn)(void *arg, const char *line), void *arg, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(db, &st, e, "PRAGMA integrity_check(20)", "") < 0)
		return -1;
	while ((r = db_next(db, st, e)) > 0)
		if (!str_eq(db_text(st, 0), "ok"))
			fn(arg, db_text(st, 0));
	return r;
}
