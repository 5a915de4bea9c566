/* SPDX-License-Identifier: Apache-2.0 */
#include "store/df.h"

#include "store/container-store.h"
#include "store/store-internal.h"

static int df_number(struct store *s, uint64_t *ret, struct err *e, const char *sql)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_row(s->db, &st, e, sql, "") < 0)
		return -1;
	*ret = (uint64_t)sqlite3_column_int64(st, 0);
	return 0;
}

/* Shared layers count once; reclaimable is what no container's image holds (docker: the size of
 * the layers less that of the images in use). */
static int df_images(struct store *s, struct df *df, struct err *e)
{
	uint64_t used = 0;

	if (df_number(s, &df->images.total, e, "SELECT count(*) FROM images") < 0 ||
	    df_number(s, &df->images.active, e,
		      "SELECT count(*) FROM images WHERE id IN (SELECT image FROM containers)") <
		    0 ||
	    df_number(s, &df->images.bytes, e,
		      "SELECT coalesce(sum(size), 0) FROM (SELECT max(size) AS size FROM layers"
		      " GROUP BY snapshot)") < 0 ||
	    df_number(s, &used, e,
		      "WITH RECURSIVE used(chain) AS (SELECT chain FROM images WHERE id IN"
		      " (SELECT image FROM containers) UNION SELECT l.parent FROM used"
		      " JOIN layers l ON l.chain=used.chain)"
		      " SELECT coalesce(sum(size), 0) FROM (SELECT max(size) AS size FROM layers"
		      " WHERE chain IN (SELECT chain FROM used) GROUP BY snapshot)") < 0)
		return -1;
	df->images.reclaimable = df->images.bytes - MIN(used, df->images.bytes);
	return 0;
}

struct df_walk {
	struct store *s;
	struct df *df;
};

static int df_container(void *arg, const struct container_row *row, struct err *e)
{
	struct snapshot_usage usage = {.bytes = 0};
	struct df_walk *a = arg;

	/* A container that is being removed or written to meanwhile is no error. */
	if (row->snapshot[0])
		snapshot_usage(a->s, row->snapshot, &usage, NULL);
	a->df->containers.total++;
	a->df->containers.active += row->running;
	a->df->containers.bytes += usage.size;
	if (!row->running)
		a->df->containers.reclaimable += usage.size;
	return 0;
}

int store_df(struct store *s, struct df *ret, struct err *e)
{
	struct df df = {.content = 0};
	struct df_walk arg = {s, &df};

	if (df_images(s, &df, e) < 0 ||
	    df_number(s, &df.content, e, "SELECT coalesce(sum(size), 0) FROM blobs") < 0 ||
	    df_number(s, &df.n_blobs, e, "SELECT count(*) FROM blobs") < 0 ||
	    df_number(s, &df.n_layers, e, "SELECT count(*) FROM layers") < 0 ||
	    df_number(s, &df.trash, e, "SELECT count(*) FROM trash WHERE kind='snapshot'") < 0 ||
	    container_row_each(s, df_container, &arg, e) < 0)
		return -1;
	*ret = df;
	return 0;
}

int store_df_image(struct store *s, const char *image_id, uint64_t *ret_shared,
		   uint64_t *ret_unique, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_row(s->db, &st, e,
		   "WITH RECURSIVE mine(chain) AS (SELECT chain FROM images WHERE id=?1"
		   " UNION SELECT l.parent FROM mine JOIN layers l ON l.chain=mine.chain),"
		   " other(chain) AS (SELECT chain FROM images WHERE id<>?1"
		   " UNION SELECT l.parent FROM other JOIN layers l ON l.chain=other.chain)"
		   " SELECT coalesce(sum(CASE WHEN chain IN (SELECT chain FROM other)"
		   " THEN size ELSE 0 END), 0), coalesce(sum(size), 0) FROM layers"
		   " WHERE chain IN (SELECT chain FROM mine)",
		   "t", image_id) < 0)
		return -1;
	*ret_shared = (uint64_t)sqlite3_column_int64(st, 0);
	*ret_unique = (uint64_t)sqlite3_column_int64(st, 1) - *ret_shared;
	return 0;
}
