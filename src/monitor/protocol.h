/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor and its clients say to each other: fixed-size messages over SOCK_SEQPACKET
 * sockets. The client that started the container holds a socket pair; others connect to the
 * socket `control` in the container's run directory. docs/formats/monitor.md describes it. */
#ifndef KOGGE_MONITOR_PROTOCOL_H
#define KOGGE_MONITOR_PROTOCOL_H

#include "base/id.h"

#include <stdint.h>

enum monitor_msg_type {
	/* to the monitor */
	MONITOR_SIGNAL = 1, /* a: signal number for PID 1; b: 1 where it is to stop it for good */
	MONITOR_RESIZE,     /* a: rows, b: columns of the terminal */
	MONITOR_WAIT,   /* answer with MONITOR_EXITED when it ended; a: 1 where the client would do
			 * the end */
	MONITOR_DETACH, /* the client leaves; the container runs on */
	MONITOR_ENDED,  /* the client has done the container's end, or leaves it: a is one of
			 * enum monitor_end */
	MONITOR_ATTACH, /* a: enum monitor_attach, with one descriptor for each of its bits in their
			 * order; answered with DONE, and with EXITED at the end */
	MONITOR_ASK_PID, /* answered with STARTED; a: 0 where nothing runs now */
	/* from the monitor */
	MONITOR_STARTED, /* a: host PID of the container's PID 1 */
	MONITOR_FAILED,  /* the container could not be started; a struct err follows */
	MONITOR_DONE,    /* answer to MONITOR_SIGNAL; a: 0 or a negative errno */
	MONITOR_EXITED,  /* a: exit code, b: enum monitor_exited */
	MONITOR_LOST, /* before EXITED; a: kilobytes of output that the client was too slow for */
	/* to the monitor */
	MONITOR_POLICY, /* a: the restart policy that holds now, enum monitor_policy; no answer */
	MONITOR_EXEC,   /* a process of `exec` runs: struct monitor_exec, with its pidfd; where
			 * it has a terminal, that one's master; and where b is 1 a descriptor
			 * that is to be closed after its end. The connection is its alone from
			 * now on; no answer */
	MONITOR_EXEC_ENDED, /* on that connection: it has ended, and its end was told */
	MONITOR_ASK_EXECS,  /* answered with EXECS */
	/* from the monitor */
	MONITOR_EXECS, /* a: how many; so many IDs of ID_SIZE - 1 bytes follow in the message */
};

/* Beside an exit code. */
enum monitor_exited {
	MONITOR_EXITED_OOM = 1 << 0,    /* the kernel killed for memory */
	MONITOR_EXITED_POLICY = 1 << 1, /* it has a restart policy now: the end is the monitor's */
	MONITOR_EXITED_YOURS =
		1 << 2, /* the end is of the client that offered it, which says ENDED */
};

/* After which exits it is started again. */
enum monitor_policy {
	MONITOR_RESTART_ALWAYS = 1 << 0,
	MONITOR_RESTART_ON_FAILURE = 1 << 1,
};

/* What a client attaches. */
enum monitor_attach {
	MONITOR_ATTACH_IN = 1 << 0,
	MONITOR_ATTACH_OUT = 1 << 1,
	MONITOR_ATTACH_ERR = 1 << 2,
};

/* What is left to the monitor when the client heard of the exit. */
enum monitor_end {
	MONITOR_ENDS_NOTHING,
	MONITOR_ENDS_LOG,    /* the store's log should be moved into the database */
	MONITOR_ENDS_ITSELF, /* everything: the client waits until the socket is closed */
};

/* One message; what a, b and c hold depends on the type. */
struct monitor_msg {
	uint32_t type;
	int32_t a, b, c;
};

/* MONITOR_EXEC. */
struct monitor_exec {
	struct monitor_msg m;
	char id[ID_SIZE];
};

/* Processes of `exec` that one monitor knows. */
#define MONITOR_EXECS_MAX 1000

#endif
