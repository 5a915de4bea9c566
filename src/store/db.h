/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata database: a thin, typed layer over SQLite. Schema: docs/formats/kogge-db.md. Only
 * this folder uses it.
 *
 * Statements are prepared once per process and found again by the address of their text: SQL is
 * always a string literal. A statement is in use until db_end; the same text cannot be in use
 * twice at a time. */
#ifndef KOGGE_STORE_DB_H
#define KOGGE_STORE_DB_H

#include "base/err.h"

#include <sqlite3.h>

struct db;

/* Opens DIR/kogge.db, which must be an existing file (an empty one is a new database). */
int db_open(const char *dir, struct db **ret, struct err *e);
void db_free(struct db *db);
DEFINE_FREEP(struct db, db_free)

/* Closes the connection and opens it again, for a fork between the two (store_pause). Nothing of DB
 * may be in use. */
int db_pause(struct db *db, struct err *e);
int db_resume(struct db *db, struct err *e);

/* The format of an opened database (0: it is new), or -1. */
int db_format(struct db *db, struct err *e);

/* Makes the tables of STORE_FORMAT in a new database; does nothing where another process was
 * faster. Durable. */
int db_create(struct db *db, const char *driver, struct err *e);

/* Brings the tables of an older format to STORE_FORMAT, in one durable transaction; does nothing
 * where another process was faster. */
int db_migrate(struct db *db, struct err *e);

/* Starts the statement SQL with values by TYPES: t const char * (NULL is NULL), i int64_t, b const
 * void * and size_t. *RET is borrowed; hand it to db_end. */
int db_start(struct db *db, sqlite3_stmt **ret, struct err *e, const char *sql, const char *types,
	     ...);

/* The next row: 1, 0 at the end, -1 with E set (ERR_EXISTS: a unique value is taken). */
int db_next(struct db *db, sqlite3_stmt *st, struct err *e);

/* For _cleanup_(db_end): gives the statement back. */
void db_end(sqlite3_stmt **st);

/* Runs a statement without result rows; stores the number of rows it changed where RET_N is not
 * NULL. */
int db_run(struct db *db, int64_t *ret_n, struct err *e, const char *sql, const char *types, ...);

/* Starts a statement that gives one row: 1, 0 where there is none, -1. */
int db_row(struct db *db, sqlite3_stmt **ret, struct err *e, const char *sql, const char *types,
	   ...);

/* A column of the current row as text, "" for NULL; valid until the next db_next or db_end. */
const char *db_text(sqlite3_stmt *st, int column);

/* A whole transaction level; see store_begin. */
int db_begin(struct db *db, bool durable, struct err *e);
int db_commit(struct db *db, struct err *e);
void db_abort(struct db *db);

/* Whether a transaction is open. */
bool db_in_transaction(const struct db *db);

/* Copies the log into the database when it has at least MIN_FRAMES pages. Never waits for others.
 */
void db_checkpoint(struct db *db, int min_frames);

/* SQLite's own check of the file. FN gets each line; returns 0 when it could be done. */
int db_integrity(struct db *db, void (*fn)(void *arg, const char *line), void *arg, struct err *e);

#endif
