/* SPDX-License-Identifier: Apache-2.0 */
/* A further process in a running container: `exec`, and health checks. The process is a child of
 * the caller. The monitor only knows of it, and sees to it that its end is told where the caller is
 * killed or leaves (design/0061). It gets the container's environment, user, limits,
 * capabilities and filter, changed by what the caller asks for. */
#ifndef KOGGE_ENGINE_CONTAINER_EXEC_H
#define KOGGE_ENGINE_CONTAINER_EXEC_H

#include "engine/engine.h"
#include "runtime/exec.h"

#include <jansson.h>

struct container;

/* What to run. Borrowed; NULL and false are "as the container has it". */
struct exec_spec {
	const char *const *args; /* NULL-terminated, at least one */
	const char *const *env;  /* "KEY=VALUE", or "KEY", which takes it away; NULL-terminated */
	const char *user;        /* "name|uid[:group|gid]" */
	const char *workdir;     /* absolute */
	bool tty;
	bool privileged; /* every capability */
	unsigned rows, columns;
};

/* A process that container_exec_start made. */
struct container_exec {
	struct exec_proc proc; /* pid, pidfd (reap it: it is a child), pty or -1 */
	int watch;             /* connection to the monitor: where it ends before the process, the
				* monitor sees to the rest; -1 where there is none */
	char exec_id[ID_SIZE];
};

#define CONTAINER_EXEC_INIT ((struct container_exec){.proc = EXEC_PROC_INIT, .watch = -1})

/* Closes the descriptors; kills nothing. A process whose end was not told is the monitor's then. */
void container_exec_done(struct container_exec *x);

/* Starts the process SPEC in the running container REF, with STDIO (three descriptors, -1:
 * /dev/null; ignored with a terminal), and tells exec_create and exec_start. Returns when the
 * program runs. -1 with E set: ERR_NOT_FOUND, ERR_CONFLICT (not running, paused), ERR_NO_PROGRAM
 * and ERR_NOT_EXEC for the program; nothing of it is left then. */
int container_exec_start(struct engine *en, const char *ref, const struct exec_spec *spec,
			 const int stdio[3], struct container_exec *ret, struct err *e);

/* Waits until the process has ended and reaps it, for whoever left it to itself; what it writes to
 * its terminal goes nowhere. The exit code. Needs no engine. */
int container_exec_hold(struct container_exec *x);

/* For whoever holds a process in the place of its client that is gone: waits until it has ended, as
 * container_exec_hold. Its exit code, or 255 where nobody knows it any more. */
int container_exec_hold_other(struct container_exec *x);

/* Tells exec_die for a process that ended with CODE. */
void container_exec_ended(struct engine *en, const char *ref, const struct container_exec *x,
			  int code);

/* The IDs of the processes of `exec` that run in container C now: an array, empty where there are
 * none. NULL where memory is short. */
json_t *container_exec_ids(struct engine *en, const struct container *c);

/* `exec` as a whole: starts the process, connects it to the descriptors of ATTACH (in -1: none),
 * and stays until it ended or the user left by the detach keys. */
int container_exec_run(struct engine *en, const char *ref, const struct exec_spec *spec,
		       const struct attach_opts *attach, struct container_exit *ret, struct err *e);

#endif
