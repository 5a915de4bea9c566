/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a build operation. The solver calls it and knows nothing else of it.
 *
 * A step is keyed by what it does and by the results of its inputs. Its cheap key takes each
 * input's result as it is known (a digest). Where that key has no record, the content key takes,
 * for the inputs that SELECTORS marks, the digest of only what the step reads of them.
 *
 * content_key and execute run in a child process of the solver, forked for the step, so that steps
 * run in parallel without threads and one that fails takes nothing with it. In the child nothing
 * that was opened before the fork may be used (no struct store, no engine: open new ones); it ends
 * with _exit by the solver's own code. SIGTERM asks it to end: its default action stands. When the
 * solver's process dies it gets SIGKILL. */
#ifndef KOGGE_BUILD_OP_H
#define KOGGE_BUILD_OP_H

#include "base/arena.h"
#include "build/graph.h"

struct build_job;

/* More is refused. */
#define BUILD_DATA_MAX  ((size_t)64 << 10)
#define BUILD_FILES_MAX ((size_t)16 << 20)

/* What a step made. */
struct build_result {
	/* Names the content: equal digests are equal results. A tree's is its chain ID. "": it has
	 * none (a build context, which is looked into by content_key of the steps that use it). */
	const char *digest;
	/* For the operations that take it as an input and for who asked for it: a JSON object, at
	 * most BUILD_DATA_MAX bytes. Kept in the cache. */
	const char *data;
	/* What the cache has to keep from the garbage collector: the chain ID of the layers and the
	 * blob; "" for nothing. */
	const char *chain, *blob;
	uint64_t size; /* what a removal of the record may bring back */
};

/* One vertex with what its inputs came to. */
struct build_step {
	const struct vertex *v;
	const struct build_result *inputs; /* v->n_inputs of them */
	void *arg;                         /* the caller's: solve_opts.op_arg */
	const char *extra;                 /* what cheap_key added, or NULL */
};

struct build_content {
	/* Over all that the step reads of the marked inputs: names, content, owners, modes, links;
	 * never times. */
	struct digest digest;
	/* For --explain: what was read, one line each, sorted: PATH TAB DIGEST LF; in the arena
	 * that content_key got, or NULL. */
	const char *files;
};

enum build_op_flags {
	/* Its result is not kept: it is quick, and the world decides about it (a context, the name
	 * of an image). */
	BUILD_OP_NOT_CACHED = 1 << 0,
	/* execute is called in the solver's own process, where it may use what ARG has open. For
	 * what takes well under a millisecond. */
	BUILD_OP_INLINE = 1 << 1,
	/* The same for content_key. */
	BUILD_OP_INLINE_KEY = 1 << 2
};

struct build_op {
	const char *type; /* the vertices' */
	unsigned version; /* part of each key: raise it when the operation's results change */
	unsigned flags;
	/* In the solver's process: adds to the cheap key what the parameters do not say (a secret's
	 * presence, the state of something outside). *RET gets text in A. May be NULL: nothing. */
	int (*cheap_key)(const struct build_step *s, struct arena *a, const char **ret,
			 struct err *e);
	/* The inputs of which only a part is read: bit I is input I. NULL: none, and then there is
	 * no content key. */
	uint64_t (*selectors)(const struct build_step *s);
	/* Digests that part. NULL as above. */
	int (*content_key)(const struct build_step *s, struct build_job *job, struct arena *a,
			   struct build_content *ret, struct err *e);
	/* Does it. RET's strings live in A. */
	int (*execute)(const struct build_step *s, struct build_job *job, struct arena *a,
		       struct build_result *ret, struct err *e);
	/* In the solver's process: whether R, which the cache knows or a child has just made, is
	 * still there: 1, and then it is kept for as long as this process lives; 0 where it is
	 * gone; -1 with E set. NULL: always there. */
	int (*hold)(void *arg, const struct build_result *r, struct err *e);
};

/* What a running step tells; also while it is INLINE. None of these fails: a solver that is gone
 * ends the child. */

/* Output of the step: STREAM is 1 or 2; any bytes. */
void build_job_log(struct build_job *j, int stream, const void *data, size_t n);

/* How far something is: ID names it ("transferring context"); TOTAL 0: not known. DONE: it is
 * complete. */
void build_job_progress(struct build_job *j, const char *id, uint64_t current, uint64_t total,
			bool done);

/* A descriptor that becomes readable when the step is to end, for steps that wait in a loop of
 * their own; SIGTERM comes as well. -1 for INLINE. Borrowed. */
int build_job_cancel_fd(const struct build_job *j);

#endif
