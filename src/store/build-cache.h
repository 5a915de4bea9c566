/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the build cache: records of results, and keys that lead to them. What a record names
 * (layers, a blob) is kept from the garbage collector. build/cache.h gives keys their meaning. */
#ifndef KOGGE_STORE_BUILD_CACHE_H
#define KOGGE_STORE_BUILD_CACHE_H

#include "base/arena.h"
#include "base/err.h"

struct store;

#define BUILD_RECORD_ID_SIZE 26

/* Strings are borrowed when written and in an arena when read; never NULL. */
struct build_record {
	const char *id;   /* 25 characters, as BuildKit's; given when it is added */
	const char *type; /* of the operation */
	const char *name; /* for people: "[2/4] RUN make" */
	const char *slot;
	const char *params;
	const char *inputs; /* the digests of the inputs' results, separated by blanks */
	const char *files;  /* as build_content.files; only of the newest record of a slot */
	const char *digest, *data, *chain, *blob;
	uint64_t size;
	int64_t created, used; /* Unix nanoseconds */
	uint64_t uses;
	bool in_use; /* an image has its layers */
};

/* Adds a record with its KEYS ("sha256:...", NULL-terminated); a key that was there leads to the
 * new record, and a record that no key leads to any more goes. */
int build_record_add(struct store *s, const struct build_record *r, const char *const *keys,
		     struct err *e);

/* One more key for the record ID. */
int build_record_key(struct store *s, const char *id, const char *key, struct err *e);

/* The record of KEY: 1, or 0 where there is none. */
int build_record_find(struct store *s, const char *key, struct arena *a, struct build_record *ret,
		      struct err *e);

/* The newest record of SLOT: 1 or 0. */
int build_record_of_slot(struct store *s, const char *slot, struct arena *a,
			 struct build_record *ret, struct err *e);

/* Notes that the N records were used at NOW. */
int build_record_touch(struct store *s, const char *const *ids, size_t n, int64_t now,
		       struct err *e);

/* Takes the record out; what it kept goes with the next gc_run. */
int build_record_remove(struct store *s, const char *id, struct err *e);

/* All records, least recently used first, without params and files. */
int build_records(struct store *s, struct arena *a, struct build_record **ret, size_t *ret_n,
		  struct err *e);

#endif
