/* SPDX-License-Identifier: Apache-2.0 */
/* What the --filter values of lists and prune verbs mean. How they are given is in cli/output.h
 * (filter_check, filter_allow, filter_values). */
#ifndef KOGGE_CLI_FILTER_H
#define KOGGE_CLI_FILTER_H

#include "cli/cli.h"

#include <jansson.h>

/* A point in time as Docker takes it: RFC 3339 (also without zone, time of day or seconds: then
 * UTC), Unix seconds with or without a fraction, or how long ago ("24h", "10m30s"). *RET gets Unix
 * nanoseconds. -1 with E set ("invalid filter 'NAME=[S]'"). */
int filter_time(const char *name, const char *s, int64_t *ret, struct err *e);

/* The value of "until=" of lists and prune verbs: as filter_time, but how long ago counts in whole
 * seconds, as Docker's, so that "0s" leaves what was made in this second. */
int filter_until(const char *s, int64_t *ret, struct err *e);

/* Whether LABELS (an object of strings, or NULL) has every one of WANT ("key" or "key=value";
 * NULL-terminated, or NULL). */
bool filter_has_labels(const json_t *labels, const char *const *want);

/* Whether LABELS has none of UNWANTED. */
bool filter_lacks_labels(const json_t *labels, const char *const *unwanted);

/* What prune verbs select by: until=, label=, label!=. */
struct prune_filter {
	int64_t until; /* only what was made before this (Unix ns); 0: any */
	const char *const *label, *const *label_not;
};

/* Reads the filters of a prune verb. Names that it does not know are for the caller to refuse
 * (filter_allow). Arrays live in the context's arena. */
int prune_filter_read(struct cli_context *c, const struct cli_list *filters,
		      struct prune_filter *ret, struct err *e);

/* Whether what was made at CREATED (Unix ns) and has LABELS is selected. */
bool prune_filter_match(const struct prune_filter *f, int64_t created, const json_t *labels);

#endif
