/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations share. */
#ifndef KOGGE_ENGINE_BUILD_OP_INTERNAL_H
#define KOGGE_ENGINE_BUILD_OP_INTERNAL_H

#include "build/params.h"
#include "engine/build-copy.h"
#include "engine/build-session.h"
#include "engine/engine-internal.h"
#include "store/build-layer.h"

/* The tree of an input, open for reading. */
struct build_tree {
	struct build_source source;
	int root; /* a detached mount, or a context's folder */
	bool is_context;
};

#define BUILD_TREE_INIT ((struct build_tree){.root = -1})

void build_tree_done(struct build_tree *t);

/* Opens what the input R is. */
int build_tree_open(struct engine *en, const struct build_session *s, const struct build_result *r,
		    struct build_tree *ret, struct err *e);

/* A layer that is being made: its snapshot, mounted. */
struct build_scratch {
	struct engine *en;
	char snapshot[SNAPSHOT_ID_SIZE];
	int root; /* a detached mount */
};

#define BUILD_SCRATCH_INIT ((struct build_scratch){.root = -1})

/* CHAIN: what lies below, "" for nothing. */
int build_scratch_open(struct engine *en, const char *chain, struct build_scratch *ret,
		       struct err *e);
/* Makes the layer; CHAIN may be another than that of build_scratch_open where nothing below was
 * looked at. */
int build_scratch_commit(struct build_scratch *s, const char *chain, int64_t newest,
			 struct build_layer *ret, struct err *e);
/* Drops what was not committed. */
void build_scratch_done(struct build_scratch *s);

/* The result that a layer is. Strings in A. */
int build_result_of(const struct build_layer *l, struct arena *a, struct build_result *ret,
		    struct err *e);

/* The limit of times: SOURCE_DATE_EPOCH where it was given (EPOCH, seconds, not negative), else the
 * session's. */
int64_t build_newest(const struct build_session *s, int64_t epoch);

/* hold of the operations whose results are layers. */
int build_hold_layer(void *arg, const struct build_result *r, struct err *e);

extern const struct build_op build_op_copy, build_op_http, build_op_mkdir, build_op_run;

#endif
