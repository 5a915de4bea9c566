/* SPDX-License-Identifier: Apache-2.0 */
/* The attached client of a container: keeps the user's terminal in raw mode and restores it,
 * hands signals and the terminal's size to the monitor, recognises the detach keys, and waits for
 * the exit. The monitor itself reads and writes the user's descriptors, except a stdin that is a
 * terminal: that one is read here, so that job control works as for any program. */
#ifndef KOGGE_MONITOR_CLIENT_H
#define KOGGE_MONITOR_CLIENT_H

#include "base/err.h"

/* The longest sequence of detach keys. */
enum { CLIENT_KEYS_MAX = 16 };

struct client_opts {
	int in;                  /* the user's stdin, borrowed; -1: not attached */
	int screen;              /* the terminal whose size the container follows; -1: none */
	bool terminal;           /* the container has a terminal and IN, where given, is one */
	bool sig_proxy;          /* hand on the signals that end or steer programs */
	const char *detach_keys; /* NULL or "": ctrl-p,ctrl-q */
};

struct client_exit {
	int code;
	bool oom;
	bool detached;
	bool policy;  /* it has a restart policy by now */
	bool settled; /* the container runs for CLIENT_SETTLE_MS: time for client_exec */
	int lost_kb;  /* output that an attached client was too slow for */
};

struct client;

/* Prepares for the container of SOCK (borrowed): blocks the signals to be handed on, so that none
 * is lost before the container runs. RET_STDIN gets the descriptor that the monitor is to read as
 * the user's stdin (owned by the caller): a pipe that client_run feeds, or a copy of IN. */
int client_new(const struct client_opts *opts, int sock, struct client **ret, int *ret_stdin,
	       struct err *e);

/* Restores the terminal and the signals. */
void client_free(struct client *c);
DEFINE_FREEP(struct client, client_free)

/* Waits for MONITOR_STARTED; a start that failed sets E to what the monitor's side said. RET_PID
 * gets the host's PID of the container's PID 1. */
int client_await_start(struct client *c, int *ret_pid, struct err *e);

/* What is said when the client has left by the detach keys, as Docker's client says it. */
#define CLIENT_DETACHED "read escape sequence\n"

/* After this time a container is taken for one that runs for long. */
#define CLIENT_SETTLE_MS 1000

/* Serves until the container ended, the client detached, or (once) the container has settled. */
int client_run(struct client *c, struct client_exit *ret, struct err *e);

/* Goes on as the small program PROGRAM (kogge-monitor) in the same process, so that a client that
 * waits for long keeps little memory. There the monitor does the container's end, and the process
 * exits with the container's code. Returns only on failure: a negative errno, with C as it was. */
int client_exec(struct client *c, int program);

/* What kogge-monitor does after client_exec. Returns its exit status. */
int client_main(int state_fd);

/* Parses "ctrl-p,ctrl-q" or "a,ctrl-x" (Docker's --detach-keys): up to N bytes into OUT. Returns
 * the count; -1 with E set where it is malformed. */
int client_detach_keys(const char *spec, unsigned char *out, size_t n, struct err *e);

#endif
