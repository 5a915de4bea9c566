/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations of a build need to know of the outside: contexts, secrets, agents. The graph
 * says what is done; this says with what. Made by who wants an image (cli/build.c), and the same in
 * the solver's process and in its children, which are forked from it. */
#ifndef KOGGE_ENGINE_BUILD_SESSION_H
#define KOGGE_ENGINE_BUILD_SESSION_H

#include "build/op.h"
#include "engine/container-spec.h"
#include "engine/engine.h"

struct ignore;

/* Files of the client. */
struct build_context {
	const char *name;            /* "context", or that of a named context */
	int root;                    /* the folder, borrowed; -1: there is none */
	const struct ignore *ignore; /* NULL: nothing is left out */
	const char *why;             /* where there is none: what to say */
};

/* --secret */
struct build_secret {
	const char *id;
	const char *data;
	size_t n;
};

/* --ssh: an agent's socket. */
struct build_ssh {
	const char *id;
	const char *socket; /* path on the host */
};

struct build_session {
	struct engine_opts engine; /* what children open for themselves */
	struct store *store;       /* the solver's own, for hold */
	const struct build_context *contexts;
	size_t n_contexts;
	const struct build_secret *secrets;
	size_t n_secrets;
	const struct build_ssh *ssh;
	size_t n_ssh;
	struct spec_resources resources; /* -m and the like */
	int64_t newest; /* no file in a new layer is younger (Unix nanoseconds); 0: no limit */
};

/* The operations of a Dockerfile's graph, for solve_opts.ops; their arg is the session. */
extern const struct build_op *const build_ops[];

/* The layer that a step's result is, out of its data. -1 with E set. */
struct build_layer;
int build_result_layer(const struct build_result *r, struct build_layer *ret, struct err *e);

#endif
