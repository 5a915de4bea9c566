/* SPDX-License-Identifier: Apache-2.0 */
/* What all drivers share: rows, chains, removal, usage. */
#include "store/snapshot.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "store/store-internal.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A chain's snapshots, top first. */
struct snapshot_chain {
	char (*ids)[SNAPSHOT_ID_SIZE];
	const char **ptrs;
	size_t n, cap;
};

static void snapshot_chain_done(struct snapshot_chain *c)
{
	free(c->ids);
	free(c->ptrs);
}

void snapshot_mounts_done(struct snapshot_mounts *m)
{
	for (size_t i = 0; i < m->n_lower; i++)
		fd_close(&m->lower[i]);
	free(m->lower);
	fd_close(&m->root);
	fd_close(&m->upper);
	fd_close(&m->work);
	*m = SNAPSHOT_MOUNTS_INIT;
}

int snapshot_open_dir(int dir, const char *id, const char *sub, int oflags)
{
	char rel[64];

	if ((size_t)snprintf(rel, sizeof(rel), "%s%s%s", id, sub ? "/" : "", sub ? sub : "") >=
	    sizeof(rel))
		return -ENAMETOOLONG;
	return path_open_own(dir, rel, oflags | O_DIRECTORY, 0);
}

static int snapshot_new_id(char ret[SNAPSHOT_ID_SIZE], struct err *e)
{
	unsigned char bytes[8];
	int r = random_bytes(bytes, sizeof(bytes));

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	hex_encode(bytes, sizeof(bytes), ret);
	return 0;
}

static int snapshot_chain_add(struct snapshot_chain *c, const char *id)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		char(*ids)[SNAPSHOT_ID_SIZE] = reallocarray(c->ids, cap, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		c->ids = ids;
		c->cap = cap;
	}
	snprintf(c->ids[c->n], SNAPSHOT_ID_SIZE, "%s", id);
	c->n++;
	return 0;
}

static int snapshot_chain_seal(struct snapshot_chain *c, const char *chain, bool complete,
			       struct err *e)
{
	if (!complete)
		return err_set(e, ERR_CORRUPT, 0, "layer %s: a layer below it is missing", chain);
	c->ptrs = calloc(c->n + 1, sizeof(*c->ptrs));
	if (!c->ptrs)
		return err_errno(e, ENOMEM, "reading layers");
	for (size_t i = 0; i < c->n; i++)
		c->ptrs[i] = c->ids[i];
	return 0;
}

/* Reads the snapshots of the layers from CHAIN (NULL: none) down. */
static int snapshot_chain_read(struct store *s, const char *chain, struct snapshot_chain *ret,
			       struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	bool complete = chain == NULL;
	int r;

	if (!chain)
		return snapshot_chain_seal(ret, "", true, e);
	if (db_start(s->db, &st, e,
		     "WITH RECURSIVE down(chain, parent, snapshot, depth) AS ("
		     " SELECT chain, parent, snapshot, 0 FROM layers WHERE chain=?"
		     " UNION ALL SELECT l.chain, l.parent, l.snapshot, depth + 1"
		     " FROM down JOIN layers l ON l.chain=down.parent WHERE depth < 2000)"
		     " SELECT snapshot, parent IS NULL FROM down ORDER BY depth",
		     "t", chain) < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0) {
		if (snapshot_chain_add(ret, db_text(st, 0)) < 0)
			return err_errno(e, ENOMEM, "reading layers");
		complete = sqlite3_column_int(st, 1) != 0;
	}
	return r < 0 ? -1 : snapshot_chain_seal(ret, chain, complete, e);
}

static int snapshot_add(struct store *s, enum snapshot_kind kind, const char *chain, int64_t lease,
			const char *id, struct err *e)
{
	if (lease)
		return db_run(s->db, NULL, e, "INSERT INTO snapshots VALUES(?, ?, ?, ?, ?)",
			      "titii", id, (int64_t)kind, chain, lease, clock_now());
	return db_run(s->db, NULL, e, "INSERT INTO snapshots VALUES(?, ?, ?, NULL, ?)", "titi", id,
		      (int64_t)kind, chain, clock_now());
}

static int snapshot_register(struct store *s, enum snapshot_kind kind, const char *chain,
			     char ret_id[SNAPSHOT_ID_SIZE], struct err *e)
{
	char id[SNAPSHOT_ID_SIZE];

	if (snapshot_new_id(id, e) < 0 || snapshot_add(s, kind, chain, 0, id, e) < 0)
		return err_wrap(e, "preparing a snapshot");
	snprintf(ret_id, SNAPSHOT_ID_SIZE, "%s", id);
	return 0;
}

int snapshot_prepare(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE],
		     struct err *e)
{
	return snapshot_register(s, SNAPSHOT_WRITABLE, chain, ret_id, e);
}

int snapshot_view(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE], struct err *e)
{
	return snapshot_register(s, SNAPSHOT_VIEW, chain, ret_id, e);
}

struct snapshot_found {
	enum snapshot_kind kind;
	char chain[80]; /* "" for none */
};

static int snapshot_find(struct store *s, const char *id, struct snapshot_found *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e, "SELECT kind, chain FROM snapshots WHERE id=?", "t", id);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no such snapshot: %s", id);
	if (r < 0)
		return -1;
	ret->kind = (enum snapshot_kind)sqlite3_column_int(st, 0);
	snprintf(ret->chain, sizeof(ret->chain), "%s", db_text(st, 1));
	return 0;
}

static int snapshot_describe(struct store *s, const char *id, const char *chain,
			     struct snapshot_mounts *ret, struct err *e)
{
	_cleanup_(snapshot_chain_done) struct snapshot_chain c = {.ids = NULL};
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;

	if (snapshot_chain_read(s, chain, &c, e) < 0 ||
	    s->driver->mounts(s->snapshots, id, c.ptrs, c.n, &m, e) < 0)
		return -1;
	*ret = m;
	m = SNAPSHOT_MOUNTS_INIT;
	TRACE("snapshot described");
	return 0;
}

int snapshot_mounts(struct store *s, const char *id, struct snapshot_mounts *ret, struct err *e)
{
	struct snapshot_found f;

	if (snapshot_find(s, id, &f, e) < 0)
		return -1;
	if (f.kind == SNAPSHOT_LAYER)
		return err_set(e, ERR_INTERNAL, 0, "snapshot %s is a layer", id);
	return snapshot_describe(s, f.kind == SNAPSHOT_WRITABLE ? id : NULL,
				 f.chain[0] ? f.chain : NULL, ret, e);
}

int snapshot_mounts_chain(struct store *s, const char *chain, struct snapshot_mounts *ret,
			  struct err *e)
{
	return snapshot_describe(s, NULL, chain, ret, e);
}

/* A container that was never started has no tree. */
static bool has_tree(struct store *s, const char *id)
{
	_cleanup_(fd_close) int fd = snapshot_open_dir(s->snapshots, id, NULL, O_PATH);

	return fd != -ENOENT;
}

int snapshot_remove(struct store *s, const char *id, struct err *e)
{
	int64_t n = 0;

	if (db_begin(s->db, false, e) < 0)
		return -1;
	if (db_run(s->db, &n, e, "DELETE FROM snapshots WHERE id=?", "t", id) < 0 ||
	    (n > 0 && has_tree(s, id) && store_trash(s, "snapshot", id, e) < 0)) {
		db_abort(s->db);
		return err_wrap(e, "removing snapshot %s", id);
	}
	return db_commit(s->db, e);
}

/* The next tree that waits: 1, 0, -1. */
static int snapshot_sweep_next(struct store *s, const char *after, char ret[SNAPSHOT_ID_SIZE],
			       struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT object FROM trash WHERE kind='snapshot' AND object > ?"
		       " ORDER BY object LIMIT 1",
		       "t", after);

	if (r > 0)
		snprintf(ret, SNAPSHOT_ID_SIZE, "%s", db_text(st, 0));
	return r;
}

/* A tree that cannot be removed now (something is mounted in it) stays noted, and the next ones
 * get their turn. Two processes may remove one tree at once. */
int snapshot_sweep(struct store *s, struct err *e)
{
	char id[SNAPSHOT_ID_SIZE] = "", after[SNAPSHOT_ID_SIZE] = "";
	int r, failed = 0;

	while ((r = snapshot_sweep_next(s, after, id, e)) > 0) {
		snprintf(after, sizeof(after), "%s", id);
		r = FAILPOINT_ERRNO("store.snapshot.sweep");
		if (r == 0)
			r = path_remove_tree(s->snapshots, id);
		/* Entries that vanish or appear under our hands: another process is at the same
		 * tree. It stays noted for whoever comes next. */
		if (r == -ENOENT || r == -ENOTEMPTY || r == -EAGAIN)
			continue;
		if (r < 0) {
			failed = err_errno(e, r, "removing the tree of snapshot %s", id);
			continue;
		}
		if (db_run(s->db, NULL, e, "DELETE FROM trash WHERE object=?", "t", id) < 0)
			return -1;
	}
	if (r < 0 || failed < 0)
		return -1;
	return content_sweep(&s->content, e);
}

struct snapshot_count {
	struct snapshot_usage usage;
	struct tree_inodes links;
};

static int snapshot_count_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct snapshot_count *c = arg;
	int r = 1;

	if (t->st.st_nlink > 1 && !S_ISDIR(t->st.st_mode))
		r = tree_inodes_add(&c->links, t->st.st_ino, NULL, NULL);
	if (r < 0)
		return err_errno(e, r, "measuring");
	if (r == 0)
		return TREE_GO;
	c->usage.inodes++;
	c->usage.bytes += (uint64_t)t->st.st_blocks * 512;
	if (S_ISREG(t->st.st_mode))
		c->usage.size += (uint64_t)t->st.st_size;
	return TREE_GO;
}

int snapshot_measure(int fd, struct snapshot_usage *ret, struct err *e)
{
	static const struct tree_ops ops = {.entry = snapshot_count_entry};
	struct snapshot_count c = {.links = {.slots = NULL}};
	int r = tree_walk(fd, &ops, &c, e);

	tree_inodes_done(&c.links);
	if (r == 0)
		*ret = c.usage;
	return r;
}

int snapshot_usage(struct store *s, const char *id, struct snapshot_usage *ret, struct err *e)
{
	_cleanup_(fd_close) int fd = snapshot_open_dir(s->snapshots, id, "fs", O_RDONLY);

	if (fd == -ENOENT) { /* never mounted: nothing yet */
		*ret = (struct snapshot_usage){.bytes = 0};
		return 0;
	}
	if (fd < 0)
		return err_errno(e, fd, "measuring snapshot %s", id);
	return snapshot_measure(fd, ret, e) < 0 ? err_wrap(e, "measuring snapshot %s", id) : 0;
}

int snapshot_changed_tree(struct store *s, const char *id, struct err *e)
{
	int fd = snapshot_open_dir(s->snapshots, id, "fs", O_PATH);

	return fd < 0 ? err_errno(e, fd, "opening the directory of snapshot %s", id) : fd;
}

int snapshot_changes(struct store *s, const char *id, const char *const *ignored,
		     snapshot_change_fn fn, void *arg, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	struct snapshot_change_sink sink = {.fn = fn, .arg = arg, .ignored = ignored};
	_cleanup_(fd_close) int made = snapshot_open_dir(s->snapshots, id, "fs", O_PATH);

	if (made == -ENOENT)
		return 0;
	if (snapshot_mounts(s, id, &m, e) < 0)
		return -1;
	if (s->driver->changes(s->snapshots, id, &m, &sink, e) < 0)
		return err_wrap(e, "comparing snapshot %s with its image", id);
	return sink.stop;
}

int snapshot_layer_begin(struct store *s, const char *parent, char ret_id[SNAPSHOT_ID_SIZE],
			 struct err *e)
{
	char id[SNAPSHOT_ID_SIZE];
	int fd;

	if (store_lease_record(s, e) < 0 || snapshot_new_id(id, e) < 0 ||
	    snapshot_add(s, SNAPSHOT_LAYER, NULL, s->lease, id, e) < 0)
		return err_wrap(e, "preparing a layer");
	fd = FAILPOINT("store.layer.create", e);
	if (fd == 0)
		fd = s->driver->layer(s->snapshots, id, parent, e);
	if (fd < 0) {
		snapshot_layer_abort(s, id);
		return err_wrap(e, "preparing a layer");
	}
	snprintf(ret_id, SNAPSHOT_ID_SIZE, "%s", id);
	return fd;
}

int snapshot_layer_commit(struct store *s, const char *id, struct err *e)
{
	int64_t n = 0;

	if (db_run(s->db, &n, e, "UPDATE snapshots SET lease=NULL WHERE id=? AND lease=?", "ti", id,
		   s->lease) < 0)
		return -1;
	return n == 1 ? 0 : err_set(e, ERR_INTERNAL, 0, "layer %s is not ours", id);
}

void snapshot_layer_abort(struct store *s, const char *id)
{
	snapshot_remove(s, id, NULL);
	if (!db_in_transaction(s->db))
		snapshot_sweep(s, NULL);
}

bool snapshot_whiteouts_kept(const struct store *s)
{
	return s->driver->whiteouts_kept;
}
