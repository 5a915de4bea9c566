/* SPDX-License-Identifier: Apache-2.0 */
#include "store/network-store.h"

#include "base/arena.h"
#include "base/failpoint.h"
#include "base/str.h"
#include "store/store-internal.h"

#include <errno.h>
#include <stdio.h>

#define NETWORK_COLUMNS  "id, name, driver, link, subnets, created, doc"
#define ENDPOINT_COLUMNS "container, network, position, id, ip4, ip6, doc, live"

static const char *network_text(struct arena *a, sqlite3_stmt *st, int column)
{
	if (sqlite3_column_type(st, column) == SQLITE_NULL)
		return NULL;
	return arena_strdup(a, db_text(st, column));
}

/* ---- networks ---- */

static struct network_row network_read(struct arena *a, sqlite3_stmt *st)
{
	return (struct network_row){
		.id = network_text(a, st, 0),
		.name = network_text(a, st, 1),
		.driver = network_text(a, st, 2),
		.link = network_text(a, st, 3),
		.subnets = network_text(a, st, 4),
		.created = sqlite3_column_int64(st, 5),
		.doc = network_text(a, st, 6),
	};
}

int network_row_add(struct store *s, const struct network_row *row, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct err why = ERR_INIT;
	int r;

	if (db_run(s->db, NULL, &why,
		   "INSERT INTO networks(" NETWORK_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?)",
		   "tttttit", row->id, row->name, row->driver, row->link, row->subnets,
		   row->created, row->doc) == 0)
		return FAILPOINT("store.network.add", e);
	if (why.class != ERR_EXISTS) {
		if (e)
			*e = why;
		return err_wrap(e, "recording the network %s", row->name);
	}
	r = db_row(s->db, &st, e, "SELECT 1 FROM networks WHERE name=?", "t", row->name);
	if (r < 0)
		return -1;
	if (r > 0)
		return err_set(e, ERR_CONFLICT, 0, "network with name %s already exists",
			       row->name);
	return err_set(e, ERR_CONFLICT, 0, "another network has the interface name %s", row->link);
}

static int network_by_prefix(struct store *s, const char *prefix, struct arena *a,
			     struct network_row *ret, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	char high[ID_SIZE + 1];
	int r;

	snprintf(high, sizeof(high), "%sg", prefix);
	r = db_row(s->db, &st, e,
		   "SELECT " NETWORK_COLUMNS " FROM networks WHERE id >= ? AND id < ? LIMIT 2",
		   "tt", prefix, high);
	if (r <= 0)
		return r;
	*ret = network_read(a, st);
	r = db_next(s->db, st, e);
	if (r > 0)
		return err_set(e, ERR_INVALID, 0,
			       "network %s is ambiguous (2 matches found based on ID prefix)",
			       prefix);
	return r < 0 ? -1 : 1;
}

int network_row_get(struct store *s, const char *ref, struct arena *a, struct network_row *ret,
		    struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT " NETWORK_COLUMNS ", 0 AS rank FROM networks WHERE id=?1 UNION ALL"
		       " SELECT " NETWORK_COLUMNS ", 1 FROM networks WHERE name=?1"
		       " ORDER BY rank LIMIT 1",
		       "t", ref);

	if (r > 0)
		*ret = network_read(a, st);
	else if (r == 0 && id_is_prefix(ref))
		r = network_by_prefix(s, ref, a, ret, e);
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, 0, "network %s not found", ref);
	if (r < 0)
		return -1;
	return ret->id && ret->doc ? 0 : err_errno(e, ENOMEM, "reading a network");
}

int network_rows(struct store *s, struct arena *a, struct network_row **ret, size_t *ret_n,
		 struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct network_row *v = NULL;
	size_t n = 0, cap = 0;
	int r;

	if (db_start(s->db, &st, e, "SELECT " NETWORK_COLUMNS " FROM networks ORDER BY created, id",
		     "") < 0)
		return -1;
	while ((r = db_next(s->db, st, e)) > 0) {
		if (n == cap) {
			struct network_row *more =
				arena_array(a, cap ? 2 * cap : 16, sizeof(*more));

			if (!more)
				return err_errno(e, ENOMEM, "listing networks");
			if (n)
				memcpy(more, v, n * sizeof(*v));
			v = more;
			cap = cap ? 2 * cap : 16;
		}
		v[n++] = network_read(a, st);
	}
	*ret = v;
	*ret_n = n;
	return r < 0 ? -1 : 0;
}

int network_row_delete(struct store *s, const char *id, struct err *e)
{
	int64_t n = 0;

	if (db_run(s->db, &n, e, "DELETE FROM networks WHERE id=?", "t", id) < 0)
		return -1;
	return n > 0;
}

/* ---- endpoints ---- */

int endpoint_put(struct store *s, const struct endpoint_row *row, struct err *e)
{
	struct err why = ERR_INIT;
	int r = row->ip4 ? db_run(s->db, NULL, &why,
				  "INSERT INTO endpoints(" ENDPOINT_COLUMNS
				  ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
				  " ON CONFLICT(container, network) DO UPDATE SET position=?3,"
				  " id=?4, ip4=?5, ip6=?6, doc=?7, live=?8",
				  "ttitittt", row->container, row->network, (int64_t)row->position,
				  row->id, row->ip4, row->ip6, row->doc, row->live)
			 : db_run(s->db, NULL, &why,
				  "INSERT INTO endpoints(container, network, position, id, ip6,"
				  " doc, live) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
				  " ON CONFLICT(container, network) DO UPDATE SET position=?3,"
				  " id=?4, ip4=NULL, ip6=?5, doc=?6, live=?7",
				  "ttitttt", row->container, row->network, (int64_t)row->position,
				  row->id, row->ip6, row->doc, row->live);

	if (r == 0)
		return 0;
	if (why.class == ERR_EXISTS)
		return err_set(e, ERR_CONFLICT, 0, "address already in use");
	if (e)
		*e = why;
	return err_wrap(e, "recording an endpoint of container %.12s", row->container);
}

int endpoint_delete(struct store *s, const char *container, const char *network, struct err *e)
{
	int64_t n = 0;

	if (db_run(s->db, &n, e, "DELETE FROM endpoints WHERE container=? AND network=?", "tt",
		   container, network) < 0)
		return -1;
	return n > 0;
}

int ports_release(struct store *s, const char *container, struct err *e)
{
	return db_run(s->db, NULL, e, "DELETE FROM ports WHERE container=?", "t", container);
}

int endpoint_delete_all(struct store *s, const char *container, struct err *e)
{
	if (db_run(s->db, NULL, e, "DELETE FROM endpoints WHERE container=?", "t", container) < 0)
		return -1;
	return ports_release(s, container, e);
}

int endpoint_release(struct store *s, const char *container, struct err *e)
{
	if (db_run(s->db, NULL, e,
		   "UPDATE endpoints SET id='', ip4=NULL, ip6=NULL, live=NULL WHERE container=?",
		   "t", container) < 0)
		return -1;
	return ports_release(s, container, e);
}

static struct endpoint_row endpoint_read(struct arena *a, sqlite3_stmt *st)
{
	return (struct endpoint_row){
		.container = network_text(a, st, 0),
		.network = network_text(a, st, 1),
		.position = sqlite3_column_int(st, 2),
		.id = network_text(a, st, 3),
		.ip4 = sqlite3_column_int64(st, 4),
		.ip6 = network_text(a, st, 5),
		.doc = network_text(a, st, 6),
		.live = network_text(a, st, 7),
		.name = sqlite3_column_count(st) > 8 ? network_text(a, st, 8) : NULL,
	};
}

static int endpoints_read(struct store *s, sqlite3_stmt *st, struct arena *a,
			  struct endpoint_row **ret, size_t *ret_n, struct err *e)
{
	struct endpoint_row *v = NULL;
	size_t n = 0, cap = 0;
	int r;

	while ((r = db_next(s->db, st, e)) > 0) {
		if (n == cap) {
			struct endpoint_row *more =
				arena_array(a, cap ? 2 * cap : 4, sizeof(*more));

			if (!more)
				return err_errno(e, ENOMEM, "listing endpoints");
			if (n)
				memcpy(more, v, n * sizeof(*v));
			v = more;
			cap = cap ? 2 * cap : 4;
		}
		v[n++] = endpoint_read(a, st);
	}
	*ret = v;
	*ret_n = n;
	return r < 0 ? -1 : 0;
}

int endpoints_of_container(struct store *s, const char *container, struct arena *a,
			   struct endpoint_row **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e,
		     "SELECT " ENDPOINT_COLUMNS " FROM endpoints WHERE container=?"
		     " ORDER BY position, network",
		     "t", container) < 0)
		return -1;
	return endpoints_read(s, st, a, ret, ret_n, e);
}

int endpoints_of_network(struct store *s, const char *network, struct arena *a,
			 struct endpoint_row **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e,
		     "SELECT " ENDPOINT_COLUMNS " FROM endpoints WHERE network=?"
		     " ORDER BY ip4, container",
		     "t", network) < 0)
		return -1;
	return endpoints_read(s, st, a, ret, ret_n, e);
}

int endpoints_all_live(struct store *s, struct arena *a, struct endpoint_row **ret, size_t *ret_n,
		       struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	if (db_start(s->db, &st, e,
		     "SELECT e.container, e.network, e.position, e.id, e.ip4, e.ip6, e.doc, e.live,"
		     " coalesce(c.name, '') FROM endpoints e LEFT JOIN containers c"
		     " ON c.id=e.container"
		     " WHERE e.live IS NOT NULL ORDER BY e.network, e.ip4",
		     "") < 0)
		return -1;
	return endpoints_read(s, st, a, ret, ret_n, e);
}

static int64_t endpoints_count(sqlite3_stmt **st, int r)
{
	_cleanup_(db_end) sqlite3_stmt *owned = *st;

	return r < 0 ? -1 : r == 0 ? 0 : sqlite3_column_int64(owned, 0);
}

int64_t endpoints_live(struct store *s, const char *network, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r = db_row(s->db, &st, e,
		       "SELECT count(*) FROM endpoints WHERE network=? AND live IS NOT NULL", "t",
		       network);

	return endpoints_count(&st, r);
}

int endpoints_any_live(struct store *s, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	return db_row(s->db, &st, e, "SELECT 1 FROM endpoints WHERE live IS NOT NULL LIMIT 1", "");
}

/* One indexed read where the highest address is not in use; else the first gap. */
int endpoint_free_ip4(struct store *s, const char *network, int64_t low, int64_t high, int64_t *ret,
		      struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	int64_t top = low - 1;
	int r = db_row(s->db, &st, e,
		       "SELECT max(ip4) FROM endpoints WHERE network=? AND ip4 BETWEEN ? AND ?",
		       "tii", network, low, high);

	if (r < 0)
		return -1;
	if (r > 0 && sqlite3_column_type(st, 0) != SQLITE_NULL)
		top = sqlite3_column_int64(st, 0);
	db_end(&st);
	if (top < high) {
		*ret = top + 1;
		return 1;
	}
	r = endpoint_has_ip4(s, network, low, e);
	if (r < 0)
		return -1;
	if (r == 0) {
		*ret = low;
		return 1;
	}
	r = db_row(s->db, &st, e,
		   "SELECT ip4 + 1 FROM endpoints a WHERE network=?1 AND ip4 BETWEEN ?2 AND ?3 - 1"
		   " AND NOT EXISTS (SELECT 1 FROM endpoints b WHERE b.network=?1"
		   " AND b.ip4=a.ip4 + 1) ORDER BY ip4 LIMIT 1",
		   "tii", network, low, high);
	if (r > 0)
		*ret = sqlite3_column_int64(st, 0);
	return r;
}

int endpoint_has_ip4(struct store *s, const char *network, int64_t ip4, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	return db_row(s->db, &st, e, "SELECT 1 FROM endpoints WHERE network=? AND ip4=?", "ti",
		      network, ip4);
}

int endpoint_has_ip6(struct store *s, const char *network, const char *ip6, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;

	return db_row(s->db, &st, e, "SELECT 1 FROM endpoints WHERE network=? AND ip6=?", "tt",
		      network, ip6);
}

/* ---- ports ---- */

/* "0.0.0.0" overlaps every address of IPv4, "::" every one of IPv6. */
int port_take(struct store *s, const struct port_row *row, struct arena *a, const char **ret_owner,
	      struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	bool v6 = strchr(row->ip, ':');
	const char *any = v6 ? "::" : "0.0.0.0";
	int r = db_row(s->db, &st, e,
		       "SELECT coalesce(c.name, p.container) FROM ports p"
		       " LEFT JOIN containers c ON c.id=p.container"
		       " WHERE p.proto=?1 AND p.port=?2 AND (p.ip=?3 OR p.ip=?4 OR"
		       " (?3=?4 AND instr(p.ip, ':') = ?5 AND ?5=0) OR"
		       " (?3=?4 AND instr(p.ip, ':') > 0 AND ?5=1)) LIMIT 1",
		       "titti", row->proto, (int64_t)row->port, row->ip, any, (int64_t)v6);

	if (r < 0)
		return -1;
	if (r > 0) {
		*ret_owner = arena_strdup(a, db_text(st, 0));
		return *ret_owner ? 0 : err_errno(e, ENOMEM, "taking a port");
	}
	if (db_run(s->db, NULL, e,
		   "INSERT INTO ports(proto, port, ip, container) VALUES(?, ?, ?, ?)", "titt",
		   row->proto, (int64_t)row->port, row->ip, row->container) < 0)
		return -1;
	return 1;
}
