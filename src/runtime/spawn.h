/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's end of the stage: starting kogge-stage in its namespaces, sending it the plan, and
 * following its messages. */
#ifndef KOGGE_RUNTIME_SPAWN_H
#define KOGGE_RUNTIME_SPAWN_H

#include "runtime/container.h"
#include "runtime/plan.h"

struct stage_start;

/* A running stage. */
struct spawned {
	pid_t pid;
	int pidfd;
	int control;               /* our end of the socket */
	struct stage_start *start; /* until spawn_settle: it may not be executed yet */
	uint64_t start_time;
	bool in_cgroup; /* it was born in its cgroup of version 2 */
	bool in_userns; /* this process is in a user namespace that is not the first one */
	bool copied;    /* no detached mounts can be made here */
	int exe;        /* the read-only mount of kogge-stage: closing it costs an RCU grace
			   period, so that is left for the end */
};

#define SPAWNED_INIT ((struct spawned){.pid = -1, .pidfd = -1, .control = -1, .exe = -1})

/* How the stage's process is made. */
struct spawn_request {
	const int *stdio; /* three descriptors, or NULL: /dev/null until there is a terminal */
	int pid_ns; /* a PID namespace to be born in (namespace file or pidfd), or -1. Borrowed */
	int cgroup; /* directory of version 2 to be born in, or -1 */
	uint64_t clone_flags; /* new namespaces */
};

/* Opens kogge-stage (STAGE_FD, or -1: beside the program) so that nobody can write it. */
int spawn_pin(int stage_fd, struct spawned *ret, struct err *e);

/* Starts the pinned stage, which waits for its plan. A negative errno; may be tried again. Where
 * nothing has to be done to it from outside it is executed while the caller goes on. */
int spawn_clone(const struct spawn_request *q, struct spawned *ret);

/* Starts the stage for O; CGROUP is a directory of version 2 to be born in, or -1. The maps of a
 * new user namespace are written. */
int spawn_stage(const struct runtime_opts *o, int cgroup, struct spawned *ret, struct err *e);

/* Kills and reaps the stage where it runs, and closes everything. */
void spawn_kill(struct spawned *s);

/* Notes the start time of S's process; PROC is a procfs. */
int spawn_note_start(struct spawned *s, int proc, struct err *e);

/* Waits until the stage is executed. On failure, a negative errno, no process is left. */
int spawn_settle(struct spawned *s);

/* Settles, and sends the plan with its descriptors. */
int spawn_send_plan(struct spawned *s, const struct runtime_opts *o, const struct plan *plan,
		    struct err *e);

/* Takes over the process that goes on in place of S's, which is reaped: a plan with PLAN_FORK,
 * whose first message is this. */
int spawn_follow_child(struct spawned *s, struct err *e);

/* What ended spawn_follow. */
enum spawn_event { SPAWN_READY, SPAWN_RUNS };

/* What is needed to do what the stage asks for. Borrowed. */
struct spawn_watch {
	const struct runtime_config *config; /* its hooks, and where its filter's agent is */
	const char *state_json;              /* for these; hooks of the host run with it */
	pid_t pid;                           /* the process, for the agent */
};

/* Handles messages of CONTROL until the stage waits before exec (SPAWN_READY) or the user's
 * program runs (SPAWN_RUNS). *RET_PTY gets the terminal's master. -1 with E set: the stage failed
 * or ended. */
int spawn_follow(int control, const struct spawn_watch *w, int *ret_pty, struct err *e);

#endif
