/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps SQLite's index of the write-ahead log from one process to the next. */
#ifndef KOGGE_STORE_DB_INDEX_H
#define KOGGE_STORE_DB_INDEX_H

/* From now on this process keeps the index that it finds beside a database (kogge.db-shm) where it
 * is of this boot and fits the log, instead of emptying it. Call it before opening a database;
 * again does nothing. */
void db_index_keep(void);

#endif
