/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a graph: each needed vertex once, in parallel as far as inputs allow, out of the cache
 * where a key is known. The first failure ends the rest. Several builds at once share a step: the
 * second waits for the first and takes its result (a lock by key). A solver that is killed loses
 * only the steps that were running. */
#ifndef KOGGE_BUILD_SOLVER_H
#define KOGGE_BUILD_SOLVER_H

#include "build/op.h"

struct store;

/* The states of a step; solver.c has the table of what leads from one to the next. */
enum step_state {
	STEP_UNNEEDED, /* no target needs it */
	STEP_WAITING,  /* for its inputs */
	STEP_KEYING,   /* a child reads what the content key needs */
	STEP_QUEUED,   /* ready, no place for it */
	STEP_LOCKING,  /* a child waits: another build does the same */
	STEP_RUNNING,
	STEP_DONE,
	STEP_CACHED,
	STEP_FAILED,
	STEP_CANCELLED,
	STEP_STATE_N
};

/* "running", for people and logs. */
const char *step_state_name(enum step_state s);

enum solve_event_kind {
	SOLVE_STATE,    /* the step is in another state */
	SOLVE_LOG,      /* it printed something */
	SOLVE_PROGRESS, /* it got further */
	SOLVE_EXPLAIN   /* why it runs, or is not run; before SOLVE_STATE of that */
};

/* What happens, told as it happens. All is borrowed for the call. */
struct solve_event {
	enum solve_event_kind kind;
	size_t vertex; /* in the graph */
	const struct vertex *v;
	enum step_state state;
	int64_t started, ended; /* of STATE: Unix nanoseconds; 0: not yet */
	const struct err *err;  /* of a failed step */
	int stream;             /* LOG */
	const char *data;       /* LOG: bytes; EXPLAIN: lines, NUL-terminated */
	size_t n;
	const char *id; /* PROGRESS */
	uint64_t current, total;
	bool done;
};

struct solve_opts {
	const struct graph *graph;
	const size_t *targets;
	size_t n_targets;
	const struct build_op *const *ops; /* NULL-terminated */
	void *op_arg;
	struct store *store; /* the cache's */
	unsigned parallel;   /* steps at once; 0: as many as are ready, at most 64 */
	int cancel_fd;       /* readable: end it; -1: none */
	bool explain;        /* tell SOLVE_EXPLAIN (else nothing is read for it) */
	void (*event)(void *arg, const struct solve_event *ev); /* may be NULL */
	/* Called ten times a second, also where nothing happens; may be NULL. */
	void (*tick)(void *arg);
	void *arg;
};

struct solve_result {
	struct arena arena;
	const struct build_result *results; /* by vertex; digest NULL where it was not needed */
	const enum step_state *states;
	ssize_t failed; /* the vertex that failed first; -1: none */
};

#define SOLVE_RESULT_INIT ((struct solve_result){.failed = -1})

/* Solves. -1 with E set: the error of the step that failed, or ERR_CONFLICT "cancelled".
 * solve_result_done is due in any case. No thread may run in the calling process. */
int solve(const struct solve_opts *o, struct solve_result *ret, struct err *e);
void solve_result_done(struct solve_result *r);

#endif
