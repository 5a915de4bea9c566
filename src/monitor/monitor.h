/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor: one small process per container. It is the parent of the container's PID 1, holds
 * its stdio, hands signals on, and records the exit exactly once. It needs no database.
 *
 * The process that clones the container becomes the monitor by monitor_exec: its children stay
 * its children, its memory shrinks to that of the tiny program. */
#ifndef KOGGE_MONITOR_MONITOR_H
#define KOGGE_MONITOR_MONITOR_H

#include "base/err.h"
#include "base/id.h"
#include "monitor/log.h"

#include <sys/types.h>

#define MONITOR_VERSION 3
/* Room for a path in the configuration. */
#define MONITOR_PATH_SIZE 1024

/* Peers at once, the owner included. */
#define MONITOR_PEERS_MAX 32

/* The restart policy, for a monitor. Whether it is started again `kogge __end` decides by the row
 * of the database; the monitor only knows who need not be told of this exit, and waits. */
struct monitor_restart {
	bool always;     /* after every exit */
	bool on_failure; /* where the exit code is not 0 */
	int stop_signal; /* the signal that stops it by hand besides SIGKILL; 0: every signal */
	int wait_ms;     /* > 0: nothing runs: `kogge __restart` is to be called after this time */
	int exit_code;   /* with wait_ms: of the run before */
};

/* The health check, for a monitor: `kogge __health` runs each check. Nanoseconds. */
struct monitor_health {
	int64_t interval; /* 0: none */
	int64_t start_period, start_interval;
};

/* What the monitor is told, over a memfd: descriptor numbers are valid in the new program. -1
 * where there is none. A flat struct. */
struct monitor_config {
	uint32_t version; /* MONITOR_VERSION */
	char id[ID_SIZE];
	bool terminal;
	bool shared_pids; /* no PID namespace of its own: kill what is left of it at the end */
	bool stdin_once;  /* the container's stdin ends with that of its client */
	pid_t pid;
	int pidfd;
	int pin;    /* nothing is done with it: its close waits for the kernel, so it is left to the
		       monitor's end, for which nobody waits */
	int client; /* socket pair to the client that started it */
	int run_dir;   /* the container's run directory, where the exit is recorded */
	int lock;      /* the run directory's lock, held until the process ends */
	int control;   /* listening control socket */
	int in_to;     /* the container's stdin (pipe), or the terminal's master */
	int out_from;  /* the container's stdout, or the terminal's master */
	int err_from;  /* the container's stderr */
	int client_in; /* what the client attached */
	int client_out;
	int client_err;
	int oom_events;  /* cgroup file with a line "oom_kill N" */
	int cgroup_kill; /* cgroup.kill */
	int kogge;       /* the program to run when the client is gone at the end */
	int root_dir;    /* the store's root, where the log goes */
	int64_t started; /* Unix nanoseconds */
	struct log_config log;
	struct monitor_restart restart;
	struct monitor_health health;
	char root[MONITOR_PATH_SIZE]; /* --root and --run-root of that program */
	char run_root[MONITOR_PATH_SIZE];
};

#define MONITOR_CONFIG_INIT                                                                        \
	((struct monitor_config){.version = MONITOR_VERSION,                                       \
				 .pidfd = -1,                                                      \
				 .pin = -1,                                                        \
				 .client = -1,                                                     \
				 .run_dir = -1,                                                    \
				 .lock = -1,                                                       \
				 .control = -1,                                                    \
				 .in_to = -1,                                                      \
				 .out_from = -1,                                                   \
				 .err_from = -1,                                                   \
				 .client_in = -1,                                                  \
				 .client_out = -1,                                                 \
				 .client_err = -1,                                                 \
				 .oom_events = -1,                                                 \
				 .cgroup_kill = -1,                                                \
				 .kogge = -1,                                                      \
				 .root_dir = -1})

/* Becomes the monitor: executes PROGRAM (a descriptor of kogge-monitor) with only the descriptors
 * of CONFIG and stdio on /dev/null. Returns only on failure: a negative errno. */
int monitor_exec(int program, const struct monitor_config *config);

/* -ENAMETOOLONG where a monitor has no room for these paths. */
int monitor_check_paths(const char *root, const char *run_root);

/* The program's main: reads the configuration from CONFIG_FD and serves until the container has
 * ended and its end is done. Returns the exit status of the program. */
int monitor_main(int config_fd);

/* The name of the exit record in the run directory and its maximum size. Its form is one JSON
 * object; docs/formats/monitor.md. */
#define MONITOR_EXIT_RECORD     "exit"
#define MONITOR_EXIT_RECORD_MAX 4096
/* What the health checks found, JSON as State.Health of Docker's inspect; docs/formats/monitor.md.
 */
#define MONITOR_HEALTH     "health"
#define MONITOR_HEALTH_MAX (1 << 18)
/* Locked (flock, exclusive) by who starts the container and then by its monitor. */
#define MONITOR_LOCK "lock"

/* Takes the lock of RUN_DIR without waiting. Returns its descriptor, which the lock lives as long
 * as (copies of it in children included), -EWOULDBLOCK where somebody has it, -ESTALE or -ENOENT
 * where it was removed meanwhile, or another negative errno. */
int monitor_lock(int run_dir);

/* The same for whoever does not start the container: makes no file, so that a directory that is
 * being removed stays so. -ENOENT where there is none. */
int monitor_probe(int run_dir);

/* As monitor_probe, but waits until the lock is free. */
int monitor_lock_wait(int run_dir);

/* The control socket in the run directory. */
#define MONITOR_CONTROL "control"

/* Makes the control socket in RUN_DIR, mode 0600, listening. Returns the descriptor or a negative
 * errno. */
int monitor_listen(int run_dir);

/* Connects to the control socket of RUN_DIR. -ENOENT or -ECONNREFUSED where no monitor is there. */
int monitor_connect(int run_dir);

#endif
