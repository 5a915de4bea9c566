/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a store, and leases.
 *
 * Layout (docs/formats/kogge-db.md):
 *	<root>/lock                     bytes that live leases hold
 *	<root>/kogge.db                 metadata
 *	<root>/content/sha256/<hex>     blobs
 *	<root>/content/ingest/<lease>-<random>
 *	<root>/content/partial/<hex>    what has come of blobs that are fetched
 *	<root>/snapshots/<driver>/<id>/
 *	<root>/volumes/<name>/_data
 *
 * Invariants
 *	1. A row comes before its directory and goes before it: a directory without a row is
 *garbage.
 *	2. A blob's row comes after its bytes are on the disk: a file without a row is not believed.
 *	3. What a process made and did not publish carries its lease; when the byte of that lease is
 *	   not locked, its owner is dead and whoever notices undoes it. */
#include "store/store-internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "store/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Leases start above the bytes with a meaning of their own. */
#define STORE_LEASE_MIN           (INT64_C(1) << 32)
#define STORE_LEASE_MASK          ((INT64_C(1) << 61) - 1)
#define STORE_LOG_FRAMES          256
#define STORE_LOG_FRAME_SIZE      (1024 + 24)
#define STORE_LOG_FRAMES_AT_CLOSE 4000

static const struct snapshot_driver *const store_drivers[] = {&snapshot_overlay, &snapshot_vfs};

static int store_open_root(const char *path, int *ret, struct err *e)
{
	int fd = path_open_host(path, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT && path[0] == '/') {
		_cleanup_(fd_close) int top = path_open_host("/", O_RDONLY | O_DIRECTORY, 0);
		_cleanup_(fd_close) int made = top < 0 ? -1 : path_mkdirs(top, path, 0755, 0);

		if (made >= 0 && fchmodat(top, path + 1, 0700, 0) < 0)
			return err_errno(e, errno, "making '%s'", path);
		fd = made < 0 ? made : path_open_host(path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return err_errno(e, fd, "opening the store '%s'", path);
	*ret = fd;
	return 0;
}

static int store_open_dir(int root, const char *rel, bool make, struct err *e)
{
	int fd = path_open_own(root, rel, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT && make) {
		_cleanup_(fd_close) int made = path_mkdirs(root, rel, 0700, 0);

		fd = made < 0 ? made : path_open_own(root, rel, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return err_errno(e, fd, "opening the store's directory '%s'", rel);
	return fd;
}

static const struct snapshot_driver *store_driver_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(store_drivers); i++)
		if (str_eq(store_drivers[i]->name, name))
			return store_drivers[i];
	return NULL;
}

static int store_driver_dir(struct store *s, const struct snapshot_driver *d, struct err *e)
{
	char rel[64];

	snprintf(rel, sizeof(rel), "snapshots/%s", d->name);
	fd_close(&s->snapshots);
	s->snapshots = store_open_dir(s->root, rel, true, e);
	return s->snapshots < 0 ? -1 : 0;
}

/* For a new store, or one that changes its driver: the one asked for, else the first that works. */
static int store_driver_probe(struct store *s, const char *wanted, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(store_drivers); i++) {
		const struct snapshot_driver *d = store_drivers[i];

		if (wanted && !str_eq(wanted, d->name))
			continue;
		if (store_driver_dir(s, d, e) < 0)
			return -1;
		if (d->probe(s->snapshots, e) == 0) {
			s->driver = d;
			/* That another one does not work here is no failure. */
			if (e)
				*e = ERR_INIT;
			return 0;
		}
		if (wanted)
			return err_wrap(e, "storage driver '%s' on '%s'", wanted, s->root_path);
	}
	return err_wrap(e, "no storage driver works on '%s'", s->root_path);
}

/* Another driver can be chosen while there is nothing in the old one. */
static int store_driver_change(struct store *s, const char *wanted, const char *have, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e, "SELECT 1 FROM snapshots LIMIT 1", "");

	if (r < 0)
		return -1;
	if (r > 0) {
		err_set(e, ERR_CONFLICT, 0, "the store '%s' uses the storage driver '%s', not '%s'",
			s->root_path, have, wanted);
		return err_hint(e, "choose another --root, or remove all images and containers");
	}
	if (store_driver_probe(s, wanted, e) < 0)
		return -1;
	return db_run(s->db, NULL, e, "UPDATE meta SET value=? WHERE key='driver'", "t", wanted);
}

/* Reads the driver, and whether some process left something, in one statement. */
static int store_load(struct store *s, const char *wanted, bool *ret_leases, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char name[32];
	int r = db_row(s->db, &st, e,
		       "SELECT value, EXISTS(SELECT 1 FROM leases) FROM meta WHERE key='driver'",
		       "");

	if (r == 0)
		return err_set(e, ERR_CORRUPT, 0, "'%s/kogge.db' names no storage driver",
			       s->root_path);
	if (r < 0)
		return err_wrap(e, "opening the store '%s'", s->root_path);
	snprintf(name, sizeof(name), "%s", db_text(st, 0));
	*ret_leases = sqlite3_column_int(st, 1) != 0;
	db_end(&st);
	s->driver = store_driver_find(name);
	if (!s->driver)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "the store '%s' uses the storage driver '%s', which this version "
			       "does not know",
			       s->root_path, name);
	if (wanted && !str_eq(wanted, name))
		return store_driver_change(s, wanted, name, e);
	return store_driver_dir(s, s->driver, e);
}

static int store_create(struct store *s, const char *wanted, struct err *e)
{
	if (store_driver_probe(s, wanted, e) < 0)
		return -1;
	if (db_create(s->db, s->driver->name, e) < 0)
		return err_wrap(e, "making the store '%s'", s->root_path);
	if (fsync(s->root) < 0)
		return err_errno(e, errno, "syncing '%s'", s->root_path);
	return 0;
}

static int store_open_files(struct store *s, struct err *e)
{
	int fd;

	s->lock = path_open_own(s->root, "lock", O_RDWR | O_CREAT, 0600);
	if (s->lock < 0)
		return err_errno(e, s->lock, "opening '%s/lock'", s->root_path);
	s->content.blobs = store_open_dir(s->root, "content/sha256", true, e);
	if (s->content.blobs < 0)
		return -1;
	s->content.ingest = store_open_dir(s->root, "content/ingest", true, e);
	if (s->content.ingest < 0)
		return -1;
	fd = path_open_own(s->root, "kogge.db", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return err_errno(e, fd, "opening '%s/kogge.db'", s->root_path);
	fd_close(&fd);
	return 0;
}

static int store_open_db(struct store *s, const char *wanted, struct err *e)
{
	bool leases = false;
	int format;

	if (db_open(s->root_path, &s->db, e) < 0)
		return err_wrap(e, "opening the store '%s'", s->root_path);
	format = db_format(s->db, e);
	if (format < 0)
		return err_wrap(e, "opening the store '%s'", s->root_path);
	if (format > STORE_FORMAT) {
		err_set(e, ERR_UNSUPPORTED, 0,
			"the store '%s' has format %d, and this version of kogge knows formats up "
			"to "
			"%d",
			s->root_path, format, STORE_FORMAT);
		return err_hint(e, "use the newer kogge that wrote it, or another --root");
	}
	if (format == 0 && store_create(s, wanted, e) < 0)
		return -1;
	if (format > 0 && format < STORE_FORMAT && db_migrate(s->db, e) < 0)
		return err_wrap(e, "bringing the store '%s' to format %d", s->root_path,
				STORE_FORMAT);
	if (store_load(s, wanted, &leases, e) < 0)
		return -1;
	return leases ? store_recover(s, e) : 0;
}

static struct store *store_new(const struct store_opts *opts)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->root = s->run = s->lock = s->snapshots = s->volumes = s->unpack = -1;
	s->content = (struct content){.store = s, .blobs = -1, .ingest = -1, .partial = -1};
	s->root_path = strdup(opts->root ? opts->root : STORE_ROOT_DEFAULT);
	s->run_path = strdup(opts->run_root ? opts->run_root : STORE_RUN_ROOT_DEFAULT);
	if (!s->root_path || !s->run_path) {
		store_free(s);
		return NULL;
	}
	return s;
}

int store_open(const struct store_opts *opts, struct store **ret, struct err *e)
{
	static const struct store_opts none;
	_cleanup_(store_freep) struct store *s = store_new(opts ? opts : &none);
	const char *wanted = opts ? opts->driver : NULL;

	if (!s)
		return err_errno(e, ENOMEM, "opening the store");
	if (wanted && !store_driver_find(wanted))
		return err_set(e, ERR_INVALID, 0, "unknown storage driver '%s' (overlay, vfs)",
			       wanted);
	if (s->root_path[0] != '/' || s->run_path[0] != '/')
		return err_set(e, ERR_INVALID, 0, "the store '%s' with '%s': want absolute paths",
			       s->root_path, s->run_path);
	if (store_open_root(s->root_path, &s->root, e) < 0 ||
	    store_open_root(s->run_path, &s->run, e) < 0)
		return -1;
	store_reserve(s);
	if (store_open_files(s, e) < 0 || store_open_db(s, wanted, e) < 0)
		return -1;
	TRACE("store open");
	*ret = TAKE_PTR(s);
	return 0;
}

/* What this process did not publish goes now rather than by the next one. */
static void store_end_lease(struct store *s)
{
	if (!s->leased || !s->db)
		return;
	while (db_in_transaction(s->db))
		db_abort(s->db);
	if (db_begin(s->db, false, NULL) < 0)
		return;
	if (store_lease_release(s, s->lease, NULL) < 0 || db_commit(s->db, NULL) < 0) {
		db_abort(s->db);
		return;
	}
	content_clean(&s->content, s->lease, NULL);
	snapshot_sweep(s, NULL);
}

void store_free(struct store *s)
{
	if (!s)
		return;
	store_end_lease(s);
	if (s->db)
		db_checkpoint(s->db, STORE_LOG_FRAMES_AT_CLOSE);
	db_free(s->db);
	fd_close(&s->content.blobs);
	fd_close(&s->content.ingest);
	fd_close(&s->content.partial);
	fd_close(&s->snapshots);
	fd_close(&s->volumes);
	fd_close(&s->lock);
	fd_close(&s->unpack);
	fd_close(&s->run);
	fd_close(&s->root);
	free(s->root_path);
	free(s->run_path);
	free(s);
}

int store_pause(struct store *s, struct err *e)
{
	return db_pause(s->db, e);
}

int store_resume(struct store *s, struct err *e)
{
	return db_resume(s->db, e);
}

int store_root_fd(const struct store *s)
{
	return s->root;
}

int store_run_fd(const struct store *s)
{
	return s->run;
}

const char *store_root_path(const struct store *s)
{
	return s->root_path;
}

const char *store_run_path(const struct store *s)
{
	return s->run_path;
}

const char *store_driver(const struct store *s)
{
	return s->driver->name;
}

struct content *store_content(struct store *s)
{
	return &s->content;
}

struct db *store_db(struct store *s)
{
	return s->db;
}

int store_begin(struct store *s, bool durable, struct err *e)
{
	return db_begin(s->db, durable, e);
}

int store_commit(struct store *s, struct err *e)
{
	return db_commit(s->db, e);
}

void store_abort(struct store *s)
{
	db_abort(s->db);
}

/* The descriptor was opened before anything was written, so that an earlier write-back error is
 * reported here and not lost (syncfs(2), since Linux 5.8). */
int store_sync(struct store *s, struct err *e)
{
	int r = FAILPOINT_ERRNO("store.sync");

	if (r == 0 && syncfs(s->root) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, r, "syncing the store '%s'", s->root_path) : 0;
}

/* The log's size tells also what other processes wrote: a frame is a page and its header. */
static bool store_log_has_grown(const struct store *s)
{
	struct stat st;

	return fstatat(s->root, "kogge.db-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_size > (off_t)STORE_LOG_FRAMES * STORE_LOG_FRAME_SIZE;
}

void store_maintain(struct store *s)
{
	if (store_log_has_grown(s))
		db_checkpoint(s->db, 0);
}

bool store_maintenance_due(const struct store *s)
{
	return store_log_has_grown(s);
}

static int store_lock_byte(int fd, int64_t byte, bool wait_not_used, struct flock *ret)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	int r = fcntl(fd, wait_not_used ? F_OFD_GETLK : F_OFD_SETLK, &fl);

	if (r < 0)
		return -errno;
	if (ret)
		*ret = fl;
	return 0;
}

int64_t store_lease(struct store *s, struct err *e)
{
	int64_t lease = 0;
	int r;

	if (s->lease)
		return s->lease;
	r = random_bytes(&lease, sizeof(lease));
	if (r == 0) {
		lease = (lease & STORE_LEASE_MASK) + STORE_LEASE_MIN;
		r = store_lock_byte(s->lock, lease, false, NULL);
	}
	if (r < 0) {
		err_errno(e, r, "locking '%s/lock'", s->root_path);
		return 0;
	}
	s->lease = lease;
	return lease;
}

bool store_lease_alive(struct store *s, int64_t lease)
{
	struct flock fl = {.l_type = F_WRLCK};

	if (lease == 0)
		return false;
	if (lease == s->lease)
		return true;
	return store_lock_byte(s->lock, lease, true, &fl) < 0 || fl.l_type != F_UNLCK;
}

int store_lease_record(struct store *s, struct err *e)
{
	if (s->leased)
		return 0;
	if (!store_lease(s, e) ||
	    db_run(s->db, NULL, e, "INSERT OR IGNORE INTO leases VALUES(?, ?, ?)", "iii", s->lease,
		   (int64_t)getpid(), clock_now()) < 0)
		return -1;
	s->leased = !db_in_transaction(s->db);
	return 0;
}

int store_lease_hold(struct store *s, const char *kind, const char *object, struct err *e)
{
	if (store_lease_record(s, e) < 0)
		return -1;
	return db_run(s->db, NULL, e, "INSERT OR IGNORE INTO lease_items VALUES(?, ?, ?)", "itt",
		      s->lease, kind, object);
}

int store_trash(struct store *s, const char *kind, const char *object, struct err *e)
{
	return db_run(s->db, NULL, e, "INSERT OR IGNORE INTO trash VALUES(?, ?)", "tt", object,
		      kind);
}

int store_lease_release(struct store *s, int64_t lease, struct err *e)
{
	if (db_run(s->db, NULL, e,
		   "INSERT OR IGNORE INTO trash SELECT id, 'snapshot' FROM snapshots WHERE lease=?",
		   "i", lease) < 0 ||
	    db_run(s->db, NULL, e, "DELETE FROM snapshots WHERE lease=?", "i", lease) < 0 ||
	    db_run(s->db, NULL, e,
		   "INSERT OR IGNORE INTO trash SELECT object, 'blob' FROM lease_items"
		   " WHERE lease=? AND kind='blob' AND object NOT IN (SELECT digest FROM blobs)",
		   "i", lease) < 0 ||
	    db_run(s->db, NULL, e, "DELETE FROM lease_items WHERE lease=?", "i", lease) < 0 ||
	    db_run(s->db, NULL, e, "DELETE FROM leases WHERE lease=?", "i", lease) < 0)
		return -1;
	if (lease == s->lease)
		s->leased = false;
	return 0;
}

/* The leases whose owner is dead, at most N. */
static int store_dead_leases(struct store *s, int64_t *ret, size_t n, size_t *ret_n, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	size_t found = 0;
	int r = 0;

	if (db_start(s->db, &st, e, "SELECT lease FROM leases", "") < 0)
		return -1;
	while (found < n && (r = db_next(s->db, st, e)) > 0)
		if (!store_lease_alive(s, sqlite3_column_int64(st, 0)))
			ret[found++] = sqlite3_column_int64(st, 0);
	if (r < 0)
		return -1;
	*ret_n = found;
	return 0;
}

int store_recover(struct store *s, struct err *e)
{
	int64_t dead[64];
	size_t n = 0;

	if (store_dead_leases(s, dead, ARRAY_SIZE(dead), &n, e) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (db_begin(s->db, false, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (store_lease_release(s, dead[i], e) < 0) {
			db_abort(s->db);
			return err_wrap(e, "undoing what a dead process left");
		}
	}
	if (db_commit(s->db, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (content_clean(&s->content, dead[i], e) < 0)
			return -1;
	return snapshot_sweep(s, e);
}
