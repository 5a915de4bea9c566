/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: a row in the database and the directory <root>/volumes/<name>/_data, as Docker has it.
 *
 * The row is the truth: it comes first, and the directory is made at its first use. A volume goes
 * out of its table and into the trash in one transaction; its directory is renamed to ".rm-<id>"
 * before anything in it is removed, by whoever comes first: the sweep, or the maker of a new volume
 * of that name. Both do that while they hold the database's write lock.
 *
 * A directory without a row is never removed: it may be the data of a volume whose row a power cut
 * took. `system check` tells of it, and --repair makes a row for it. */
#ifndef KOGGE_STORE_VOLUME_STORE_H
#define KOGGE_STORE_VOLUME_STORE_H

#include "base/err.h"

struct arena;
struct snapshot_usage;
struct store;

#define VOLUME_NAME_MAX 255

/* The driver that there is. */
#define VOLUME_DRIVER "local"

struct volume_row {
	const char *name, *driver;
	const char *labels, *options; /* JSON objects, or NULL where none were given */
	bool anonymous;               /* made for one container, without a name by the user */
	int64_t created;              /* Unix nanoseconds */
};

/* Whether NAME may be a volume's: Docker's [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most VOLUME_NAME_MAX. */
bool volume_name_is_valid(const char *name);

/* Adds the row unless the name is taken: 1, or 0 where there is one already, which stays as it is.
 * In the caller's transaction, which has to be durable for what is to outlive a power cut. */
int volume_row_add(struct store *s, const struct volume_row *row, struct err *e);

/* Reads the row; its strings live in A. ERR_NOT_FOUND ("get NAME: no such volume"). */
int volume_row_get(struct store *s, const char *name, struct arena *a, struct volume_row *ret,
		   struct err *e);

/* All rows in the order of names, with strings in A. Returns 0 with an array of *RET_N. */
int volume_rows(struct store *s, struct arena *a, struct volume_row **ret, size_t *ret_n,
		struct err *e);

/* Takes the volume out of its table, in a transaction of its own or the caller's; volume_sweep does
 * the rest. ERR_CONFLICT ("remove NAME: volume is in use - [...]") where a container has it,
 * ERR_NOT_FOUND as above. */
int volume_row_remove(struct store *s, const char *name, struct err *e);

/* The same for one that nobody minds: 1, or 0 where there is no such volume or somebody has it. */
int volume_row_remove_unused(struct store *s, const char *name, struct err *e);

/* Notes in the caller's transaction that the container has the volume, which is kept from removal
 * by that. ERR_NOT_FOUND where there is no such volume. */
int volume_use(struct store *s, const char *name, const char *container, struct err *e);

/* Takes the container's notes back. */
int volume_unuse(struct store *s, const char *container, struct err *e);

/* The identifiers of the containers that have the volume: a NULL-terminated vector in A. */
int volume_users(struct store *s, const char *name, struct arena *a, const char ***ret,
		 struct err *e);

/* Opens the volume's _data (O_RDONLY), which is made where it is missing. For who has noted its
 * use. A descriptor, or -1 with E. */
int volume_open(struct store *s, const char *name, struct err *e);

/* Fills the volume with what is below FROM, and gives it FROM's owner, mode and attributes. 1, or 0
 * where the volume is not empty. Whoever is killed on the way leaves an empty volume, or one that
 * the next volume_open finishes: what users wrote meanwhile stays. */
int volume_fill(struct store *s, const char *name, int from, struct err *e);

/* Fills the directory TO where nothing is in it: 1, 0, -1. Not atomic. */
int volume_fill_dir(int to, int from, struct err *e);

/* Whether nothing is in the volume: 1, 0, -1. */
int volume_is_empty(struct store *s, const char *name, struct err *e);

/* What the volume's directory holds. */
int volume_usage(struct store *s, const char *name, struct snapshot_usage *ret, struct err *e);

/* Removes the directories of volumes that wait as trash. */
int volume_sweep(struct store *s, struct err *e);

/* Calls FN for each directory below volumes/ that no row knows. */
typedef void (*volume_orphan_fn)(void *arg, const char *name);
int volume_orphans(struct store *s, volume_orphan_fn fn, void *arg, struct err *e);

/* Makes rows for them. */
int volume_adopt(struct store *s, struct err *e);

#endif
