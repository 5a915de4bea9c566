/* SPDX-License-Identifier: Apache-2.0 */
/* `kogge system check`: every digest, every reference between rows, every file. */
#ifndef KOGGE_STORE_CHECK_H
#define KOGGE_STORE_CHECK_H

#include "base/err.h"

struct store;

enum check_severity {
	CHECK_ORPHAN,  /* garbage: takes space, harms nothing; a repair removes it */
	CHECK_DAMAGED, /* something that is in use is wrong or missing */
};

struct check_finding {
	enum check_severity severity;
	const char
		*kind; /* "database", "blob", "layer", "snapshot", "image", "container", "file" */
	const char *object;  /* its digest, identifier or name */
	const char *problem; /* one line */
	bool repaired;
};

struct check_counts {
	uint64_t images, layers, snapshots, blobs, containers;
	uint64_t bytes; /* read and digested */
	uint64_t damaged, orphans, repaired;
};

enum check_flags {
	CHECK_REPAIR = 1 << 0, /* remove orphans */
	CHECK_QUICK = 1 << 1   /* do not read blobs: sizes only */
};

/* Gets one finding; its strings are valid during the call. */
typedef void (*check_fn)(void *arg, const struct check_finding *f);

/* Checks; FN gets each finding. Returns 0 when the check ran to its end (look at the counts), -1
 * with E set when it could not. */
int store_check(struct store *s, unsigned flags, check_fn fn, void *arg, struct check_counts *ret,
		struct err *e);

#endif
