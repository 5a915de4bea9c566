/* SPDX-License-Identifier: Apache-2.0 */
/* What is reachable: layers from images, from the snapshots of containers, from the build cache and
 * from leases, with all below them; snapshots of layers from layers; blobs from images, the build
 * cache and leases. The rest goes into the
 * trash within the write lock; work in progress notes its lease under the same lock first. */
#include "store/gc.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/digest.h"
#include "store/content-partial.h"
#include "store/store-internal.h"
#include "store/volume-store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Names the unreachable layers while they are still there. */
static int gc_report(struct store *s, gc_chain_fn fn, void *arg, struct gc_result *ret,
		     struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(s->db, &st, e,
		     "WITH RECURSIVE live(chain) AS (SELECT chain FROM images"
		     " UNION SELECT chain FROM snapshots WHERE kind <> 0"
		     " UNION SELECT object FROM lease_items WHERE kind='chain'"
		     " UNION SELECT chain FROM build_records"
		     " UNION SELECT l.parent FROM live JOIN layers l ON l.chain=live.chain)"
		     " SELECT chain, size, snapshot FROM layers WHERE chain NOT IN"
		     " (SELECT chain FROM live WHERE chain IS NOT NULL)",
		     "") < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0) {
		ret->layers++;
		ret->bytes += (uint64_t)sqlite3_column_int64(st, 1);
		if (fn)
			fn(arg, db_text(st, 0));
	}
	return r;
}

static int gc_drop_layers(struct store *s, struct err *e)
{
	if (db_run(s->db, NULL, e,
		   "WITH RECURSIVE live(chain) AS (SELECT chain FROM images"
		   " UNION SELECT chain FROM snapshots WHERE kind <> 0"
		   " UNION SELECT object FROM lease_items WHERE kind='chain'"
		   " UNION SELECT chain FROM build_records"
		   " UNION SELECT l.parent FROM live JOIN layers l ON l.chain=live.chain)"
		   " DELETE FROM layers WHERE chain NOT IN"
		   " (SELECT chain FROM live WHERE chain IS NOT NULL)",
		   "") < 0 ||
	    db_run(s->db, NULL, e,
		   "INSERT OR IGNORE INTO trash SELECT id, 'snapshot' FROM snapshots"
		   " WHERE kind=0 AND lease IS NULL AND id NOT IN (SELECT snapshot FROM layers)",
		   "") < 0)
		return -1;
	return db_run(s->db, NULL, e,
		      "DELETE FROM snapshots WHERE kind=0 AND lease IS NULL"
		      " AND id NOT IN (SELECT snapshot FROM layers)",
		      "");
}

#define GC_DEAD_BLOBS                                                                              \
	" FROM blobs WHERE digest NOT IN (SELECT blob FROM image_blobs)"                           \
	" AND digest NOT IN (SELECT object FROM lease_items WHERE kind='blob')"                    \
	" AND digest NOT IN (SELECT blob FROM build_records WHERE blob IS NOT NULL)"

static int gc_drop_blobs(struct store *s, struct gc_result *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_row(s->db, &st, e, "SELECT count(*), coalesce(sum(size), 0)" GC_DEAD_BLOBS, "") < 0)
		return -1;
	ret->blobs = (uint64_t)sqlite3_column_int64(st, 0);
	ret->bytes += (uint64_t)sqlite3_column_int64(st, 1);
	db_end(&st);
	if (ret->blobs == 0)
		return 0;
	if (db_run(s->db, NULL, e,
		   "INSERT OR IGNORE INTO trash SELECT digest, 'blob'" GC_DEAD_BLOBS, "") < 0)
		return -1;
	return db_run(s->db, NULL, e, "DELETE" GC_DEAD_BLOBS, "");
}

int gc_mark(struct store *s, gc_chain_fn fn, void *arg, struct gc_result *ret, struct err *e)
{
	*ret = (struct gc_result){.bytes = 0};
	if (gc_report(s, fn, arg, ret, e) < 0 || gc_drop_layers(s, e) < 0 ||
	    gc_drop_blobs(s, ret, e) < 0)
		return err_wrap(e, "collecting what nothing uses");
	return 0;
}

int gc_run(struct store *s, gc_removed_fn fn, void *arg, struct gc_result *ret, struct err *e)
{
	struct gc_result result;

	if (store_recover(s, e) < 0 || db_begin(s->db, true, e) < 0)
		return -1;
	if (gc_mark(s, fn, arg, &result, e) < 0) {
		db_abort(s->db);
		return -1;
	}
	if (db_commit(s->db, e) < 0 || snapshot_sweep(s, e) < 0 || volume_sweep(s, e) < 0)
		return -1;
	store_maintain(s);
	if (ret)
		*ret = result;
	return 0;
}

/* Whether a row knows the file NAME: of snapshots by id, of blobs by digest. */
static int gc_is_known(struct store *s, const char *name, bool blob, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char text[DIGEST_TEXT_SIZE];

	snprintf(text, sizeof(text), blob ? "sha256:%.64s" : "%.64s", name);
	return db_row(s->db, &st, e,
		      "SELECT 1 FROM snapshots WHERE id=?1 UNION ALL"
		      " SELECT 1 FROM blobs WHERE digest=?1 UNION ALL"
		      " SELECT 1 FROM trash WHERE object=?1 UNION ALL"
		      " SELECT 1 FROM lease_items WHERE kind='blob' AND object=?1",
		      "t", text);
}

/* The directory is read first and the rows after: a row always comes before its directory, and a
 * lease before its blob. */
int gc_unknown_each(struct store *s, bool blobs, gc_unknown_fn fn, void *arg, struct err *e)
{
	int parent = blobs ? s->content.blobs : s->snapshots;
	int fd = path_open_own(parent, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = err_errno(e, fd < 0 ? fd : errno, "reading a directory of the store");
		fd_close(&fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = gc_is_known(s, entry->d_name, blobs, e);
		r = r == 0 ? fn(arg, parent, entry->d_name, blobs, e) : r < 0 ? -1 : 0;
	}
	closedir(dir);
	return r;
}

static int gc_orphan(void *arg, int dir, const char *name, bool blob, struct err *e)
{
	struct gc_result *ret = arg;
	int r = path_remove_tree(dir, name);

	if (r < 0)
		return err_errno(e, r, "removing the orphan '%s'", name);
	if (blob)
		ret->blobs++;
	else
		ret->layers++;
	return 0;
}

int gc_orphans(struct store *s, struct gc_result *ret, struct err *e)
{
	struct gc_result result = {.bytes = 0};
	int r;

	if (store_recover(s, e) < 0 || content_clean(&s->content, 0, e) < 0 ||
	    partial_clean(&s->content, 0, NULL, e) < 0 || snapshot_sweep(s, e) < 0 ||
	    volume_sweep(s, e) < 0)
		return -1;
	if (gc_unknown_each(s, false, gc_orphan, &result, e) < 0 ||
	    db_begin(s->db, false, e) < 0) /* no new blobs meanwhile */
		return -1;
	r = gc_unknown_each(s, true, gc_orphan, &result, e);
	db_abort(s->db);
	if (r == 0 && ret)
		*ret = result;
	return r;
}
