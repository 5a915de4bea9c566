/* SPDX-License-Identifier: Apache-2.0 */
/* What the solver's process and its children say to each other: packets on a socket, a byte of kind
 * and what belongs to it. */
#ifndef KOGGE_BUILD_SOLVER_INTERNAL_H
#define KOGGE_BUILD_SOLVER_INTERNAL_H

#include "build/op.h"
#include "build/solver.h"

enum job_message {
	/* From the child. */
	JOB_LOG = 'l',      /* a byte of stream, output */
	JOB_PROGRESS = 'p', /* struct job_progress, the name */
	JOB_WAITING = 'w',  /* for the lock of the key */
	JOB_LOCKED = 'k',   /* may I? */
	JOB_FILES = 'f',    /* a piece of build_content.files */
	JOB_CONTENT = 'c',  /* its digest: the end of content_key */
	JOB_RESULT = 'r',   /* four strings with their NULs, the size: the end of execute */
	JOB_FAILED = 'e',   /* struct err */
	/* From the solver. */
	JOB_GO = 'g',   /* go on: after JOB_LOCKED, and after JOB_RESULT, when it is recorded */
	JOB_STOP = 's', /* another build has done it */
};

/* A packet has at most this much behind its kind. */
#define JOB_PACKET_MAX ((size_t)96 << 10)

struct job_progress {
	uint64_t current, total;
	bool done;
};

struct build_job {
	int sock; /* -1: inline */
	/* Inline: where messages go. */
	void (*tell)(void *arg, enum job_message kind, const void *data, size_t n);
	void *arg;
};

/* Sends a packet; a solver that is gone ends the process. */
void job_send(struct build_job *j, enum job_message kind, const void *data, size_t n);

/* The child's whole life: content_key, or with EXECUTE the lock of KEY in the file LOCKS (-1 or
 * NULL: none), and execute. Never returns. */
struct job_run {
	const struct build_op *op;
	const struct build_step *step;
	bool execute;
	int locks;
	const char *key;
};
_noreturn_ void job_run(const struct job_run *r, int sock);

/* Packs a result as JOB_RESULT has it, and unpacks one into A. */
int job_pack_result(const struct build_result *r, struct buf *out);
int job_unpack_result(const char *data, size_t n, struct arena *a, struct build_result *ret);

#endif
