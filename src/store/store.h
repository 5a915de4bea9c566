/* SPDX-License-Identifier: Apache-2.0 */
/* The store: content (blobs), metadata (SQLite) and snapshots below one root directory, shared by
 * every kogge process of the machine without a daemon.
 *
 * Opening is cheap (well under a millisecond): directories are made only when the store is new, and
 * what dead processes left half done is found by one indexed read. A store belongs to one process:
 * it must not be used on both sides of a fork (descriptors are close-on-exec; a child that goes on
 * without exec must not touch it).
 *
 * Durability. Metadata transactions are atomic always, and survive a power cut from the next
 * durable one on. What load, import, tag and remove reported as done is durable when they return.
 * Rows of containers are not: a power cut ends containers anyway. */
#ifndef KOGGE_STORE_STORE_H
#define KOGGE_STORE_STORE_H

#include "base/err.h"

struct content;
struct db;
struct store;

#define STORE_ROOT_DEFAULT     "/var/lib/kogge"
#define STORE_RUN_ROOT_DEFAULT "/run/kogge"

/* The format that this version writes; a store with a higher one is refused, one with a lower one
 * is brought to it when it is opened. */
#define STORE_FORMAT 5

struct store_opts {
	const char *root; /* NULL: STORE_ROOT_DEFAULT. Made where missing (0700; parents 0755) */
	const char *run_root; /* NULL: STORE_RUN_ROOT_DEFAULT. The same */
	const char *driver;   /* "overlay" or "vfs"; NULL: the store's own, for a new store the best
			       * that works here */
};

/* Opens (and where it is missing makes) a store. Errors: ERR_UNSUPPORTED for a format that is newer
 * than this program, or a driver that does not work on this file system; ERR_INVALID for an unknown
 * driver; ERR_CORRUPT for a damaged database; ERR_DENIED without the right to use it. OPTS may be
 * NULL. */
int store_open(const struct store_opts *opts, struct store **ret, struct err *e);

/* Closes; NULL is allowed. Work that was not published is undone (leases end). */
void store_free(struct store *s);
DEFINE_FREEP(struct store, store_free)

/* Around a fork whose child goes on without exec and opens the store anew. SQLite keeps, in each
 * process, what locks it has on which file; a child with a copy of that believes that it has its
 * parent's locks, which fcntl does not pass on. So nothing of SQLite is open while the process
 * forks: store_pause before (no transaction may be open), store_resume in the parent. */
int store_pause(struct store *s, struct err *e);
int store_resume(struct store *s, struct err *e);

/* Descriptors of the root and the run directory; borrowed. */
int store_root_fd(const struct store *s);
int store_run_fd(const struct store *s);

/* The paths as given, for messages and `info` only. */
const char *store_root_path(const struct store *s);
const char *store_run_path(const struct store *s);

/* The snapshot driver in use: "overlay" or "vfs". */
const char *store_driver(const struct store *s);

/* The parts; borrowed. */
struct content *store_content(struct store *s);
struct db *store_db(struct store *s);

/* One metadata transaction around several calls of the store; it takes the write lock at once.
 * They nest: the outermost commit commits. With DURABLE on the outermost begin, the commit reaches
 * the disk before it returns. store_abort rolls back everything since the outermost begin; the
 * outer levels must then abort too. */
int store_begin(struct store *s, bool durable, struct err *e);
int store_commit(struct store *s, struct err *e);
void store_abort(struct store *s);

/* Gives up the room that is kept for the database where the disk has nothing left, and takes it
 * again where it has. store_open does this; whoever has a store for long does it before what must
 * not fail: what a container has written may have filled the disk meanwhile. */
void store_reserve(struct store *s);

/* Makes everything that was written below the root (blobs, snapshots, metadata) reach the disk. */
int store_sync(struct store *s, struct err *e);

/* A lease names this process as the owner of something half done. It is a random number, the lock
 * of the byte with that number in <root>/lock held for as long as the process lives: no process ID
 * that could be reused, nothing to clean up. store_lease returns this process's (made at the first
 * call; never 0), or 0 with E set. store_lease_alive tells whether the owner of LEASE still lives;
 * in doubt it does. */
int64_t store_lease(struct store *s, struct err *e);
bool store_lease_alive(struct store *s, int64_t lease);

/* Undoes what dead processes left: ingests, unpacked layers that were never published, trees that
 * wait for removal. store_open does it where its one read says that there is something. */
int store_recover(struct store *s, struct err *e);

/* Moves the write-ahead log into the database where it has grown (a few milliseconds, with syncs).
 * Call it where nobody waits: after a container started, at the end of a teardown. load, prune and
 * remove do it by themselves. Errors are left for the next one. */
void store_maintain(struct store *s);

/* Whether store_maintain would do something. */
bool store_maintenance_due(const struct store *s);

#endif
