/* SPDX-License-Identifier: Apache-2.0 */
/* The build cache: from keys to results that are still in the store. Shared by all builds of a
 * store. A record knows what it was made from, so that the next build can tell what changed. */
#ifndef KOGGE_BUILD_CACHE_H
#define KOGGE_BUILD_CACHE_H

#include "build/op.h"
#include "store/build-cache.h"

/* The key of a step. */
struct build_key {
	char text[DIGEST_TEXT_SIZE];
};

/* The cheap key: false where an input's result has no digest. */
bool build_key_cheap(const struct build_op *op, const struct build_step *s, struct build_key *ret);

/* The content key: for the inputs in MASK, CONTENT stands for their results. False where another
 * input's result has no digest. */
bool build_key_content(const struct build_op *op, const struct build_step *s, uint64_t mask,
		       const struct digest *content, struct build_key *ret);

/* Why a step ran. Appends one line each ("the file src/a.c changed") to OUT: what differs between
 * the newest record of the same slot and S with FILES (as in build_content, or NULL). NAMES are the
 * names of S's inputs. */
int build_explain(struct store *s, const struct build_step *step, const char *files,
		  const char *const *names, struct buf *out, struct err *e);

#endif
