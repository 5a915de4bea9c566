/* SPDX-License-Identifier: Apache-2.0 */
/* Reads everything. References between rows are checked by one table of queries; files against rows
 * and rows against files by walking. What is in progress in other processes is no finding: rows
 * under a live lease are left out. */
#include "store/check.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/image-config.h"
#include "store/content.h"
#include "store/gc.h"
#include "store/image-internal.h"
#include "store/volume-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

struct check {
	struct store *s;
	unsigned flags;
	check_fn fn;
	void *arg;
	struct check_counts counts;
};

static void check_report(struct check *c, enum check_severity severity, const char *kind,
			 const char *object, const char *problem)
{
	struct check_finding f = {
		.severity = severity, .kind = kind, .object = object, .problem = problem};

	f.repaired = severity == CHECK_ORPHAN && (c->flags & CHECK_REPAIR);
	if (severity == CHECK_ORPHAN)
		c->counts.orphans++;
	else
		c->counts.damaged++;
	c->counts.repaired += f.repaired;
	if (c->fn)
		c->fn(c->arg, &f);
}

static void check_line(void *arg, const char *line)
{
	check_report(arg, CHECK_DAMAGED, "database", "kogge.db", line);
}

/* Each gives the objects that break a rule. */
static const struct check_rule {
	enum check_severity severity;
	const char *kind;
	const char *problem;
	const char *sql;
} check_rules[] = {
	{CHECK_DAMAGED, "layer", "the layer below it is missing",
	 "SELECT chain FROM layers WHERE parent IS NOT NULL"
	 " AND parent NOT IN (SELECT chain FROM layers)"},
	{CHECK_DAMAGED, "layer", "its snapshot is missing",
	 "SELECT chain FROM layers WHERE snapshot NOT IN (SELECT id FROM snapshots WHERE kind=0)"},
	{CHECK_DAMAGED, "image", "its top layer is missing",
	 "SELECT id FROM images WHERE chain IS NOT NULL AND chain NOT IN (SELECT chain FROM "
	 "layers)"},
	{CHECK_DAMAGED, "image", "one of its blobs is missing",
	 "SELECT DISTINCT image FROM image_blobs WHERE blob NOT IN (SELECT digest FROM blobs)"},
	{CHECK_DAMAGED, "image", "its manifest is not among its blobs",
	 "SELECT id FROM images i WHERE NOT EXISTS (SELECT 1 FROM image_blobs b"
	 " WHERE b.image=i.id AND b.blob=i.digest)"},
	{CHECK_DAMAGED, "name", "it names an image that does not exist",
	 "SELECT name FROM names WHERE image NOT IN (SELECT id FROM images)"},
	{CHECK_DAMAGED, "image_blobs", "blobs of an image that does not exist",
	 "SELECT DISTINCT image FROM image_blobs WHERE image NOT IN (SELECT id FROM images)"},
	{CHECK_DAMAGED, "container", "its snapshot is missing",
	 "SELECT id FROM containers WHERE snapshot <> '' AND snapshot NOT IN"
	 " (SELECT id FROM snapshots WHERE kind <> 0)"},
	{CHECK_DAMAGED, "snapshot", "the layer it stands on is missing",
	 "SELECT id FROM snapshots WHERE kind <> 0 AND chain IS NOT NULL"
	 " AND chain NOT IN (SELECT chain FROM layers)"},
	{CHECK_ORPHAN, "snapshot", "a writable layer without a container",
	 "SELECT id FROM snapshots WHERE kind=1 AND lease IS NULL"
	 " AND id NOT IN (SELECT snapshot FROM containers)"},
	{CHECK_ORPHAN, "snapshot", "a layer's tree that no layer uses",
	 "SELECT id FROM snapshots WHERE kind=0 AND lease IS NULL"
	 " AND id NOT IN (SELECT snapshot FROM layers)"},
	{CHECK_ORPHAN, "blob", "no image uses it",
	 "SELECT digest FROM blobs WHERE digest NOT IN (SELECT blob FROM image_blobs)"
	 " AND digest NOT IN (SELECT blob FROM build_records WHERE blob IS NOT NULL)"
	 " AND digest NOT IN (SELECT object FROM lease_items WHERE kind='blob')"},
	{CHECK_ORPHAN, "snapshot", "an image's view without a container",
	 "SELECT id FROM snapshots WHERE kind=2 AND lease IS NULL AND NOT EXISTS"
	 " (SELECT 1 FROM containers WHERE instr(doc, snapshots.id))"},
	{CHECK_DAMAGED, "volume", "a container uses it, and it does not exist",
	 "SELECT DISTINCT volume FROM container_volumes"
	 " WHERE volume NOT IN (SELECT name FROM volumes)"},
	{CHECK_DAMAGED, "volume", "in use by a container that does not exist",
	 "SELECT DISTINCT volume FROM container_volumes"
	 " WHERE container NOT IN (SELECT id FROM containers)"},
	{CHECK_DAMAGED, "network", "a running container is on it, and it does not exist",
	 "SELECT DISTINCT network FROM endpoints WHERE live IS NOT NULL"
	 " AND network NOT IN (SELECT id FROM networks)"},
	{CHECK_DAMAGED, "endpoint", "of a container that does not exist",
	 "SELECT DISTINCT container FROM endpoints WHERE position >= 0 AND container NOT IN"
	 " (SELECT id FROM containers)"},
	{CHECK_DAMAGED, "port", "taken by a container that does not exist",
	 "SELECT DISTINCT container FROM ports WHERE container NOT IN"
	 " (SELECT id FROM containers)"},
	{CHECK_DAMAGED, "endpoint", "has an address, and its container does not run",
	 "SELECT DISTINCT e.container FROM endpoints e JOIN containers c ON c.id=e.container"
	 " WHERE e.live IS NOT NULL AND c.state <> 1 AND c.lease = 0"},
	{CHECK_ORPHAN, "trash", "a tree or blob that waits for removal",
	 "SELECT object FROM trash"},
};

static int check_rule_run(struct check *c, const struct check_rule *rule, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(c->s->db, &st, e, rule->sql, "") < 0)
		return -1;
	while ((r = db_next(c->s->db, st, e)) > 0)
		check_report(c, rule->severity, rule->kind, db_text(st, 0), rule->problem);
	return r;
}

static int check_blob(void *arg, const struct digest *d, uint64_t size, struct err *e)
{
	struct check *c = arg;
	struct err why = ERR_INIT;
	uint64_t have = 0;

	c->counts.blobs++;
	if (c->flags & CHECK_QUICK) {
		if (content_file_size(&c->s->content, digest_hex(d), &have, &why) == 0 &&
		    have != size)
			err_set(&why, ERR_CORRUPT, 0, "the file has another size");
	} else if (content_verify(&c->s->content, d, &why) == 0) {
		c->counts.bytes += size;
	}
	if (why.class != ERR_NONE)
		check_report(c, CHECK_DAMAGED, "blob", d->text, why.msg);
	return 0;
}

/* The tree of every layer, and of its chain ID the arithmetic. */
static int check_layers(struct check *c, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(c->s->db, &st, e, "SELECT chain, parent, diff, snapshot FROM layers", "") < 0)
		return -1;
	while ((r = db_next(c->s->db, st, e)) > 0) {
		_cleanup_(fd_close) int fd =
			snapshot_open_dir(c->s->snapshots, db_text(st, 3), "fs", O_PATH);
		struct digest parent = DIGEST_NONE, diff, chain;

		c->counts.layers++;
		if (fd < 0)
			check_report(c, CHECK_DAMAGED, "layer", db_text(st, 0),
				     "its directory is missing");
		if ((db_text(st, 1)[0] && digest_parse(db_text(st, 1), &parent, NULL) < 0) ||
		    digest_parse(db_text(st, 2), &diff, NULL) < 0) {
			check_report(c, CHECK_DAMAGED, "layer", db_text(st, 0), "malformed digest");
			continue;
		}
		digest_chain_next(&parent, &diff, &chain);
		if (!str_eq(chain.text, db_text(st, 0)))
			check_report(c, CHECK_DAMAGED, "layer", db_text(st, 0),
				     "its chain ID does not follow from its diff ID");
	}
	return r;
}

static const char *check_image_one(const char *id, const char *chain, const char *text, size_t n)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	struct digest d, top = DIGEST_NONE;

	digest_of(text, n, &d);
	if (!str_eq(d.text, id))
		return "its configuration in the database has another digest";
	if (image_config_parse(text, n, &c, NULL) < 0)
		return "its configuration cannot be read";
	if (c.n_diff_ids > 0)
		digest_chain(c.diff_ids, c.n_diff_ids, &top);
	return str_eq(top.text, chain) ? NULL : "its layers are not those of its configuration";
}

static int check_images(struct check *c, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r;

	if (db_start(c->s->db, &st, e, "SELECT id, chain, config FROM images", "") < 0)
		return -1;
	while ((r = db_next(c->s->db, st, e)) > 0) {
		const char *text = db_text(st, 2);
		const char *problem = check_image_one(db_text(st, 0), db_text(st, 1), text,
						      (size_t)sqlite3_column_bytes(st, 2));

		c->counts.images++;
		if (problem)
			check_report(c, CHECK_DAMAGED, "image", db_text(st, 0), problem);
	}
	return r;
}

static int check_unknown(void *arg, int dir, const char *name, bool blob, struct err *e)
{
	check_report(arg, CHECK_ORPHAN, blob ? "blob" : "snapshot", name,
		     "no row in the database knows this file");
	return 0;
}

static int check_count(struct check *c, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_row(c->s->db, &st, e,
		   "SELECT (SELECT count(*) FROM snapshots), (SELECT count(*) FROM containers)",
		   "") < 0)
		return -1;
	c->counts.snapshots = (uint64_t)sqlite3_column_int64(st, 0);
	c->counts.containers = (uint64_t)sqlite3_column_int64(st, 1);
	return 0;
}

static void check_volume_dir(void *arg, const char *name)
{
	check_report(arg, CHECK_ORPHAN, "volume", name,
		     "no row in the database knows this directory");
}

/* Rows that are orphans: writable layers without a container are nobody's after a recovery. */
static int check_repair(struct check *c, struct err *e)
{
	if (db_begin(c->s->db, true, e) < 0)
		return -1;
	if (db_run(c->s->db, NULL, e,
		   "INSERT OR IGNORE INTO trash SELECT id, 'snapshot' FROM snapshots"
		   " WHERE kind=1 AND lease IS NULL AND id NOT IN (SELECT snapshot FROM "
		   "containers)",
		   "") < 0 ||
	    db_run(c->s->db, NULL, e,
		   "DELETE FROM snapshots WHERE kind=1 AND lease IS NULL"
		   " AND id NOT IN (SELECT snapshot FROM containers)",
		   "") < 0 ||
	    db_run(c->s->db, NULL, e,
		   "DELETE FROM snapshots WHERE kind=2 AND lease IS NULL AND NOT EXISTS"
		   " (SELECT 1 FROM containers WHERE instr(doc, snapshots.id))",
		   "") < 0) {
		db_abort(c->s->db);
		return -1;
	}
	if (db_commit(c->s->db, e) < 0 || gc_run(c->s, NULL, NULL, NULL, e) < 0 ||
	    gc_orphans(c->s, NULL, e) < 0)
		return -1;
	/* The data of users: it gets a row rather than being removed. */
	return volume_adopt(c->s, e);
}

int store_check(struct store *s, unsigned flags, check_fn fn, void *arg, struct check_counts *ret,
		struct err *e)
{
	struct check c = {.s = s, .flags = flags, .fn = fn, .arg = arg};

	if (store_recover(s, e) < 0 || content_clean(&s->content, 0, e) < 0 ||
	    snapshot_sweep(s, e) < 0 || volume_sweep(s, e) < 0 ||
	    db_integrity(s->db, check_line, &c, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(check_rules); i++)
		if (check_rule_run(&c, &check_rules[i], e) < 0)
			return -1;
	if (check_count(&c, e) < 0 || content_walk(&s->content, check_blob, &c, e) < 0 ||
	    check_layers(&c, e) < 0 || check_images(&c, e) < 0 ||
	    gc_unknown_each(s, true, check_unknown, &c, e) < 0 ||
	    gc_unknown_each(s, false, check_unknown, &c, e) < 0 ||
	    volume_orphans(s, check_volume_dir, &c, e) < 0)
		return -1;
	if ((flags & CHECK_REPAIR) && c.counts.orphans > 0 && check_repair(&c, e) < 0)
		return err_wrap(e, "removing orphans");
	*ret = c.counts;
	return 0;
}
