/* SPDX-License-Identifier: Apache-2.0 */
/* The build graph: vertices that say what to do and to which results of other vertices. A vertex is
 * known by the digest of its type, its parameters and its inputs, so that equal work is one vertex,
 * whoever asks for it. The document (docs/formats/build-graph.md) is canonical: the same graph
 * gives the same bytes. Nothing here knows a Dockerfile, an operation, or that there is one
 * platform: a platform is a parameter like any other. Pure. */
#ifndef KOGGE_BUILD_GRAPH_H
#define KOGGE_BUILD_GRAPH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "oci/digest.h"

#define GRAPH_VERTICES_MAX ((size_t)100000)
#define GRAPH_INPUTS_MAX   ((size_t)64)
#define GRAPH_SIZE_MAX     ((size_t)64 << 20)

struct vertex {
	/* What is done. These four make the digest. */
	const char *type;     /* "run", "copy": which operation (build/op.h) */
	const char *params;   /* one JSON object, compact, keys sorted (build/params.h) */
	const size_t *inputs; /* indices of vertices before this one */
	size_t n_inputs;
	/* What is said about it; no part of the digest. */
	const char *name;  /* "[2/4] RUN make", for people */
	const char *slot;  /* the place in the source that it came from, the same in the next build
			    * ("<project>:<stage>:<number>"): --explain compares by it; "" is none */
	const char *aside; /* a JSON object for the operation that must not decide about the cache
			    * (proxies), or NULL */
	unsigned line;     /* in the Dockerfile; 0: none */
	bool no_cache;     /* is done even where its result is known */
	struct digest digest;
};

struct graph {
	struct arena arena;
	struct vertex *v; /* inputs before the vertices that use them */
	size_t n, room;
	size_t *index; /* private: by digest */
	size_t n_index;
};

#define GRAPH_INIT ((struct graph){.arena = {.max = GRAPH_SIZE_MAX}})

void graph_done(struct graph *g);

/* Adds V, of which type, params, inputs, n_inputs and what is said are read and copied, or finds
 * the vertex that does the same (its no_cache is on if either is). *RET gets its index. -1 with E
 * set: an input that is not there (ERR_INVALID), ERR_LIMIT. */
int graph_add(struct graph *g, const struct vertex *v, size_t *ret, struct err *e);

/* Appends the document. TARGETS are indices of vertices. */
int graph_write(const struct graph *g, const size_t *targets, size_t n_targets, struct buf *out,
		struct err *e);

/* Reads a document into RET (GRAPH_INIT; graph_done is due in any case) and its targets into RET's
 * arena. Bounded; digests are computed, never believed. -1 with E set. */
int graph_parse(const char *data, size_t n, struct graph *ret, const size_t **ret_targets,
		size_t *ret_n_targets, struct err *e);

/* Which vertices the targets need: an array of g->n in A. NULL when out of memory. */
bool *graph_needed(const struct graph *g, const size_t *targets, size_t n_targets, struct arena *a);

#endif
