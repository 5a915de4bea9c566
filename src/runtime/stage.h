/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-stage: the container's first process until it executes the user's program. It gets a plan
 * and descriptors over a socket, executes the steps in order, and reports the step that fails.
 * This header is the protocol between it and the runtime, and the program's entry.
 *
 * The socket is a SOCK_SEQPACKET pair, close-on-exec at its end, so that its end of file after
 * STAGE_EXEC tells the runtime that the user's program runs.
 *     runtime -> stage: struct stage_hello; the plan's descriptors, STAGE_FD_BATCH a message of one
 *     byte; the plan's bytes in messages of up to STAGE_CHUNK; later one enum stage_reply byte for
 *     each STAGE_SYNC and STAGE_READY
 *     stage -> runtime: struct stage_msg */
#ifndef KOGGE_RUNTIME_STAGE_H
#define KOGGE_RUNTIME_STAGE_H

#include "base/err.h"

#define STAGE_SOCKET   3 /* descriptor of the socket when kogge-stage starts */
#define STAGE_FD_BATCH 16
#define STAGE_CHUNK    ((size_t)32 << 10)

/* The first message: what comes. */
struct stage_hello {
	uint32_t plan_bytes;
	uint32_t n_fds;
	uint32_t n_preserve; /* descriptors 3 to 2 + N_PRESERVE belong to the user's program */
};

/* What a message of the stage is. */
enum stage_kind {
	STAGE_CONSOLE = 1, /* with a descriptor: the terminal's master */
	STAGE_SYNC,        /* ARG: enum oci_hook_point whose hooks the runtime runs now */
	STAGE_READY,       /* everything is done but the exec; waits for a reply */
	STAGE_EXEC,        /* about to execve: end of file means success, STAGE_FAILED not */
	STAGE_FAILED,      /* ERR tells why; the stage exits */
	STAGE_CHILD,       /* with a descriptor: pidfd of the process that goes on, after STAGE_GO;
			      ARG is its PID, the sender ends */
	STAGE_LISTENER,    /* with a descriptor: the seccomp filter's notifications, which the
			      runtime hands to the agent */
};

/* A message of the stage; ERR only with STAGE_FAILED, else the message ends before it. */
struct stage_msg {
	uint32_t kind;
	uint32_t arg;
	struct err err;
};

/* The byte that lets the stage go on. */
enum stage_reply {
	STAGE_GO = 'g',   /* continue */
	STAGE_KEEP = 'k', /* on STAGE_READY: the container is recorded; wait for the listening
			     socket when this one ends */
};

/* Runs the protocol on SOCK as the container's first process. MAPPED_LATER: an ordinary user writes
 * the maps of the new user namespace, which the kernel lets nobody but root do for a process that
 * is not dumpable; so it becomes that with the first message only. Until then it is alone in its
 * namespaces, and the user's own. Returns the exit code of a failure;
 * on success it does not return. */
int stage_main(int sock, bool mapped_later);

#endif
