/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a layer that is made:
 *
 *   writable   a snapshot with this process's lease, on a chain
 *   written    its blob is in the store, held by the lease
 *   layer      the row says so, without a chain of its own; the work directory is gone
 *   published  one transaction: the row of `layers`, the row of the blob, the lease off the
 * snapshot
 *
 * Whoever dies before the last loses the snapshot with the lease. Where another process has the
 * same chain meanwhile its row stays, and ours goes. */
#include "store/build-layer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "codec/sink.h"
#include "store/content.h"
#include "store/store-internal.h"
#include "store/change-list.h"
#include "store/tree-tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int build_layer_begin(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE],
		      struct err *e)
{
	unsigned char bytes[8];
	char id[SNAPSHOT_ID_SIZE];
	int r = random_bytes(bytes, sizeof(bytes));

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	hex_encode(bytes, sizeof(bytes), id);
	if (store_lease_record(s, e) < 0 ||
	    db_run(s->db, NULL, e, "INSERT INTO snapshots VALUES(?, ?, ?, ?, ?)", "titii", id,
		   (int64_t)SNAPSHOT_WRITABLE, str_empty(chain) ? NULL : chain, s->lease,
		   clock_now()) < 0)
		return err_wrap(e, "preparing a layer");
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

void build_layer_abort(struct store *s, const char *id)
{
	snapshot_remove(s, id, NULL);
	if (!db_in_transaction(s->db))
		snapshot_sweep(s, NULL);
}

/* Bytes into a blob. */
struct blob_sink {
	struct sink sink; /* first */
	struct ingest *ingest;
};

static int blob_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	return ingest_write(((struct blob_sink *)s)->ingest, data, n, e);
}

static int write_blob(struct store *s, int tree, const struct tree_tar_layer *layer,
		      struct build_layer *ret, struct err *e)
{
	static const struct sink_ops ops = {.write = blob_write};
	struct blob_sink blob = {.sink = {&ops}};

	if (ingest_begin(&s->content, &blob.ingest, e) < 0)
		return -1;
	if (tree_tar_write_layer(tree, layer, &blob.sink, e) < 0) {
		ingest_abort(blob.ingest);
		return -1;
	}
	ret->blob_size = ingest_size(blob.ingest);
	return ingest_commit(blob.ingest, NULL, UINT64_MAX, &ret->diff, e);
}

/* The row becomes a layer's, still with our lease. */
static int turn(struct store *s, const char *id, struct err *e)
{
	_cleanup_(fd_close) int dir = snapshot_open_dir(s->snapshots, id, NULL, O_RDONLY);
	int r = dir == -ENOENT ? 0 : dir < 0 ? dir : path_remove_tree(dir, "work");

	return r < 0 ? err_errno(e, r, "removing the work directory of a step") : 0;
}

static int publish_rows(struct store *s, const char *id, const char *parent,
			const struct build_layer *l, struct err *e)
{
	int64_t n = 0;

	if (store_lease_hold(s, "chain", l->chain.text, e) < 0 ||
	    store_lease_hold(s, "blob", l->diff.text, e) < 0 ||
	    content_publish(&s->content, l->diff.text, l->blob_size, e) < 0 ||
	    db_run(s->db, &n, e, "INSERT OR IGNORE INTO layers VALUES(?, ?, ?, ?, ?)", "tttti",
		   l->chain.text, l->diff.text, str_empty(parent) ? NULL : parent, id,
		   (int64_t)l->size) < 0)
		return -1;
	if (n == 0)
		return snapshot_remove(s, id, e);
	return db_run(s->db, NULL, e,
		      "UPDATE snapshots SET kind=?, chain=NULL, lease=NULL WHERE id=?", "it",
		      (int64_t)SNAPSHOT_LAYER, id);
}

static int publish(struct store *s, const char *id, const char *parent, const struct build_layer *l,
		   struct err *e)
{
	if (FAILPOINT("store.build.before_sync", e) < 0 || store_sync(s, e) < 0 ||
	    db_begin(s->db, false, e) < 0)
		return -1;
	if (publish_rows(s, id, parent, l, e) < 0) {
		db_abort(s->db);
		return -1;
	}
	return db_commit(s->db, e) < 0 ? -1 : FAILPOINT("store.build.published", e);
}

/* A snapshot that was never mounted has no directory yet. */
static int open_tree_of(struct store *s, const char *id, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;

	return snapshot_mounts(s, id, &m, e) < 0 ? -1 : snapshot_changed_tree(s, id, e);
}

static int commit(struct store *s, const char *id, const struct build_layer_opts *o,
		  struct build_layer *l, struct err *e)
{
	_cleanup_(change_list_done) struct change_list c = CHANGE_LIST_INIT;
	struct tree_tar_layer layer = {.newest = o->newest};
	_cleanup_(fd_close) int tree = -1;
	struct digest parent = DIGEST_NONE;
	struct snapshot_usage usage;

	if (!str_empty(o->chain) && digest_parse(o->chain, &parent, e) < 0)
		return -1;
	tree = open_tree_of(s, id, e);
	if (tree < 0 || change_list_fill(&c, s, id, o->ignored, e) < 0)
		return -1;
	TRACE("changes listed");
	layer.changes = c.v;
	layer.n = c.n;
	if (write_blob(s, tree, &layer, l, e) < 0 || turn(s, id, e) < 0 ||
	    snapshot_usage(s, id, &usage, e) < 0)
		return -1;
	TRACE("layer written");
	l->empty = c.n == 0;
	l->size = usage.size;
	digest_chain_next(&parent, &l->diff, &l->chain);
	return publish(s, id, o->chain, l, e);
}

int build_layer_commit(struct store *s, const char *id, const struct build_layer_opts *o,
		       struct build_layer *ret, struct err *e)
{
	struct build_layer l = {.size = 0};

	if (commit(s, id, o, &l, e) < 0) {
		build_layer_abort(s, id);
		return err_wrap(e, "committing a layer");
	}
	TRACE("layer published");
	*ret = l;
	return 0;
}

int build_layer_find(struct store *s, const char *chain, struct build_layer *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct build_layer l = {.size = 0};
	int r;

	/* Held first, so that it is not collected in between. */
	if (store_lease_hold(s, "chain", chain, e) < 0)
		return -1;
	r = db_row(s->db, &st, e, "SELECT diff, size FROM layers WHERE chain=?", "t", chain);
	if (r <= 0)
		return r;
	if (digest_parse(db_text(st, 0), &l.diff, e) < 0 || digest_parse(chain, &l.chain, e) < 0)
		return -1;
	l.size = (uint64_t)sqlite3_column_int64(st, 1);
	/* What is read is over before anything is written: else the write would need what was read
	 * to be still the newest, and fail at once beside other processes. */
	db_end(&st);
	if (store_lease_hold(s, "blob", l.diff.text, e) < 0)
		return -1;
	*ret = l;
	return 1;
}
