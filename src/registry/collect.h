/* SPDX-License-Identifier: Apache-2.0 */
/* Collection of garbage, and checking what is stored; both while the registry serves. */
#ifndef KOGGE_REGISTRY_COLLECT_H
#define KOGGE_REGISTRY_COLLECT_H

#include "base/err.h"
#include "registry/storage.h"

/* What a collection found. */
struct collect_report {
	uint64_t uploads; /* that nobody went on with */
	uint64_t links;   /* of blobs that no manifest of their repository refers to */
	uint64_t blobs;   /* that no repository has */
	uint64_t bytes;   /* of these */
};

struct collect_options {
	struct storage *storage;
	int64_t grace; /* nanoseconds: what was written or asked for later is left alone */
	bool preview;  /* remove nothing */
	/* Told of each thing before it is removed, by its key; may be NULL. */
	void (*tell)(void *arg, const char *key);
	void *arg;
};

/* Removes what nothing refers to. Safe while others push: see collect.c. */
int collect(const struct collect_options *o, struct collect_report *ret, struct err *e);

/* What checking everything found. */
struct scrub_report {
	uint64_t blobs, bytes; /* that were read */
	uint64_t damaged;      /* blobs whose content has another digest */
	uint64_t missing;      /* links to blobs that are not there */
	uint64_t dangling;     /* tags and manifests that refer to what is not there */
};

/* Reads every blob and follows every reference; changes nothing. TELL (may be NULL) hears of each
 * fault: the key and what is wrong. */
int scrub(struct storage *s, void (*tell)(void *arg, const char *key, const char *what), void *arg,
	  struct scrub_report *ret, struct err *e);

#endif
