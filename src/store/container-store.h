/* SPDX-License-Identifier: Apache-2.0 */
/* The containers' rows: what the engine records of a container is a JSON document that the store
 * does not read, beside a few columns by which it is found. */
#ifndef KOGGE_STORE_CONTAINER_STORE_H
#define KOGGE_STORE_CONTAINER_STORE_H

#include "base/err.h"
#include "base/id.h"

#include "store/snapshot.h"

struct store;

#define CONTAINER_NAME_MAX 128

struct container_row {
	char id[ID_SIZE];
	const char *name;  /* without a slash; unique */
	const char *image; /* image ID ("sha256:..."), keeps the image from removal; may be NULL */
	char snapshot[SNAPSHOT_ID_SIZE]; /* "" for none */
	int state;                       /* the engine's own numbers */
	bool running;                    /* decides which conflict `rmi` reports */
	bool auto_remove;
	int64_t created; /* Unix nanoseconds */
	int64_t lease;   /* store_lease of the process that is half way with it; 0: nobody */
	const char *doc; /* the engine's JSON */
	/* What a list shows of the container, in the engine's words, so that the document need not
	 * be read for it; NULL where it takes the document. */
	const char *brief;
};

/* A row with strings of its own. */
struct container_record {
	struct container_row row;
	char *strings;
};

#define CONTAINER_RECORD_INIT ((struct container_record){.strings = NULL})

void container_record_done(struct container_record *r);

/* Inserts a new row. ERR_CONFLICT where the name is taken: the message is Docker's and names the
 * container that has it. Strings are borrowed. */
int container_row_add(struct store *s, const struct container_row *row, struct err *e);

/* Replaces the row with the same ID (all columns). ERR_NOT_FOUND where there is none, ERR_CONFLICT
 * as above. */
int container_row_put(struct store *s, const struct container_row *row, struct err *e);

/* Reads the row with exactly this ID; ERR_NOT_FOUND. RET must be empty (CONTAINER_RECORD_INIT). */
int container_row_get(struct store *s, const char *id, struct container_record *ret, struct err *e);

/* Finds a container as Docker does: whole ID, then name (a leading '/' is allowed), then a unique
 * prefix of an ID. ERR_NOT_FOUND ("no such container: x"), ERR_INVALID where the prefix is
 * ambiguous. RET_ID gets the whole ID. */
int container_row_resolve(struct store *s, const char *ref, char ret_id[ID_SIZE], struct err *e);

/* Calls FN for each row, newest first, until it returns non-zero, which is then returned. The row
 * is valid during the call. FN may read and write rows of the store. */
typedef int (*container_row_fn)(void *arg, const struct container_row *row, struct err *e);
int container_row_each(struct store *s, container_row_fn fn, void *arg, struct err *e);

/* The same for those whose `running` is set. */
int container_row_each_running(struct store *s, container_row_fn fn, void *arg, struct err *e);

/* Calls FN for each row whose lease is not 0: what some process is, or was, half way with. */
int container_row_each_leased(struct store *s, container_row_fn fn, void *arg, struct err *e);

/* Removes the row; an absent one is no error. The snapshot is the caller's to remove. */
int container_row_delete(struct store *s, const char *id, struct err *e);

/* Gives the container another name. Errors as container_row_add. */
int container_row_rename(struct store *s, const char *id, const char *name, struct err *e);

#endif
