/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking a layer in the confined program kogge-unpack: what the store calls. The child gets the
 * stream as descriptor 0, the directory as 3 and a socket as 4, and nothing else; it reports over
 * the socket and asks for opaque marks there (docs/formats/unpack-protocol.md). */
#ifndef KOGGE_UNPACK_UNPACK_CLIENT_H
#define KOGGE_UNPACK_UNPACK_CLIENT_H

#include "unpack/unpack.h"

#include <sys/types.h>

/* What the child put around itself. The first five are musts: without them it refuses to start.
 * Landlock is there from Linux 5.13 on. */
enum unpack_confined {
	UNPACK_CONFINED_ROOT = 1 << 0,       /* the target is the root of its only mount */
	UNPACK_CONFINED_CAPS = 1 << 1,       /* six file capabilities and no others */
	UNPACK_CONFINED_NNP = 1 << 2,        /* no_new_privs */
	UNPACK_CONFINED_SECCOMP = 1 << 3,    /* an allow-list of system calls */
	UNPACK_CONFINED_RLIMITS = 1 << 4,    /* memory, descriptors, processes */
	UNPACK_CONFINED_NAMESPACES = 1 << 5, /* no network, IPC of its own */
	UNPACK_CONFINED_LANDLOCK = 1 << 6,   /* files below the target only, once more */
};

struct unpack_job {
	pid_t pid;
	int pidfd;
	int socket;
	int feed;   /* write end of the child's input; -1 where it reads a descriptor itself */
	int target; /* borrowed */
	bool answered;
	struct unpack_result result;
	struct err err;
};

#define UNPACK_JOB_INIT                                                                            \
	((struct unpack_job){.pid = -1, .pidfd = -1, .socket = -1, .feed = -1, .target = -1})

/* Starts the program PROGRAM (a descriptor of kogge-unpack). REQ's input -1: unpack_job_feed gives
 * the bytes. The target must stay open until the end of the job. */
int unpack_job_start(struct unpack_job *job, int program, const struct unpack_request *req,
		     struct err *e);

/* Gives N bytes to a job without an input of its own; answers the child's questions meanwhile.
 * Where the child has given up already: -1 with the child's error. */
int unpack_job_feed(struct unpack_job *job, const void *data, size_t n, struct err *e);

/* As unpack_job_feed without waiting: how many bytes the child took, possibly 0; for the rest
 * job->feed is to be waited for (POLLOUT), and job->socket (POLLIN), where it may ask something at
 * any time. */
ssize_t unpack_job_try_feed(struct unpack_job *job, const void *data, size_t n, struct err *e);

/* Ends the input, waits for the child and takes its result. -1 with the child's error; a child
 * that died or answered nonsense is ERR_INTERNAL. */
int unpack_job_finish(struct unpack_job *job, struct unpack_result *ret, struct err *e);

/* Kills and reaps a child that is still there and closes what is open. */
void unpack_job_done(struct unpack_job *job);

/* Starts a job that decompresses REQ's input (mode UNPACK_FILTER; the output is made here). Returns
 * the descriptor to read from, owned by the caller, or -1. Read it to its end, then
 * unpack_job_finish tells whether that was all. */
int unpack_filter_start(struct unpack_job *job, int program, struct unpack_request *req,
			struct err *e);

/* Start and finish in one. */
int unpack_in_child(int program, const struct unpack_request *req, struct unpack_result *ret,
		    struct err *e);

#endif
