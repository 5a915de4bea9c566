/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as docs/formats/kogge-db.md explains them. Private to db.c. */
#ifndef KOGGE_STORE_DB_SCHEMA_H
#define KOGGE_STORE_DB_SCHEMA_H

/* "Kogg" as application_id, STORE_FORMAT as user_version. */
#define DB_APPLICATION_ID 0x4b6f6767

/* Format 1. */
static const char db_schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE blobs(digest TEXT PRIMARY KEY, size INTEGER NOT NULL, added INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE layers(chain TEXT PRIMARY KEY, diff TEXT NOT NULL, parent TEXT,"
	" snapshot TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX layers_diff ON layers(diff);"
	"CREATE INDEX layers_snapshot ON layers(snapshot);"
	"CREATE TABLE images(id TEXT PRIMARY KEY, digest TEXT NOT NULL, chain TEXT,"
	" config TEXT NOT NULL, os TEXT NOT NULL, arch TEXT NOT NULL, variant TEXT NOT NULL,"
	" created INTEGER NOT NULL, imported INTEGER NOT NULL, tagged INTEGER NOT NULL,"
	" size INTEGER NOT NULL, layers INTEGER NOT NULL);"
	"CREATE TABLE image_blobs(image TEXT NOT NULL, blob TEXT NOT NULL,"
	" PRIMARY KEY(image, blob)) WITHOUT ROWID;"
	"CREATE INDEX image_blobs_blob ON image_blobs(blob);"
	"CREATE TABLE names(name TEXT PRIMARY KEY, repo TEXT NOT NULL, image TEXT NOT NULL,"
	" digest TEXT NOT NULL, tagged INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX names_image ON names(image);"
	"CREATE INDEX names_repo ON names(repo, digest);"
	"CREATE TABLE snapshots(id TEXT PRIMARY KEY, kind INTEGER NOT NULL, chain TEXT,"
	" lease INTEGER, created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX snapshots_chain ON snapshots(chain) WHERE kind <> 0;"
	"CREATE INDEX snapshots_lease ON snapshots(lease) WHERE lease IS NOT NULL;"
	"CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT,"
	" snapshot TEXT NOT NULL, state INTEGER NOT NULL, running INTEGER NOT NULL,"
	" auto_remove INTEGER NOT NULL, created INTEGER NOT NULL, lease INTEGER NOT NULL,"
	" doc TEXT NOT NULL);"
	"CREATE INDEX containers_image ON containers(image);"
	"CREATE INDEX containers_lease ON containers(lease) WHERE lease <> 0;"
	"CREATE TABLE leases(lease INTEGER PRIMARY KEY, pid INTEGER NOT NULL,"
	" started INTEGER NOT NULL);"
	"CREATE TABLE lease_items(lease INTEGER NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL,"
	" PRIMARY KEY(lease, kind, object)) WITHOUT ROWID;"
	"CREATE INDEX lease_items_object ON lease_items(kind, object);"
	"CREATE TABLE trash(object TEXT PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID;";

/* What each later format adds, from format 2 on; a new database gets them all. Steps are never
 * changed once they were released: a change is a new step. */
static const char *const db_steps[] = {
	"CREATE TABLE volumes(name TEXT PRIMARY KEY, driver TEXT NOT NULL, labels TEXT,"
	" options TEXT, anonymous INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE container_volumes(container TEXT NOT NULL, volume TEXT NOT NULL,"
	" PRIMARY KEY(container, volume)) WITHOUT ROWID;"
	"CREATE INDEX container_volumes_volume ON container_volumes(volume);",
	"CREATE TABLE networks(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT "
	"NULL,"
	" link TEXT UNIQUE, subnets TEXT NOT NULL, created INTEGER NOT NULL, doc TEXT NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE endpoints(container TEXT NOT NULL, network TEXT NOT NULL,"
	" position INTEGER NOT NULL, id TEXT NOT NULL, ip4 INTEGER, ip6 TEXT, doc TEXT NOT NULL,"
	" live TEXT, PRIMARY KEY(container, network)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX endpoints_ip4 ON endpoints(network, ip4) WHERE ip4 IS NOT NULL;"
	"CREATE UNIQUE INDEX endpoints_ip6 ON endpoints(network, ip6) WHERE ip6 IS NOT NULL;"
	"CREATE INDEX endpoints_live ON endpoints(network) WHERE live IS NOT NULL;"
	"CREATE INDEX endpoints_network ON endpoints(network);"
	"CREATE TABLE ports(proto TEXT NOT NULL, port INTEGER NOT NULL, ip TEXT NOT NULL,"
	" container TEXT NOT NULL, PRIMARY KEY(proto, port, ip)) WITHOUT ROWID;"
	"CREATE INDEX ports_container ON ports(container);",
	"CREATE TABLE build_records(id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL,"
	" slot TEXT NOT NULL, params TEXT NOT NULL, inputs TEXT NOT NULL, files TEXT,"
	" digest TEXT NOT NULL, data TEXT NOT NULL, chain TEXT, blob TEXT, size INTEGER NOT NULL,"
	" created INTEGER NOT NULL, used INTEGER NOT NULL, uses INTEGER NOT NULL);"
	"CREATE INDEX build_records_slot ON build_records(slot, created);"
	"CREATE TABLE build_keys(key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX build_keys_record ON build_keys(record);",
	"ALTER TABLE containers ADD COLUMN brief TEXT;",
};

#endif
