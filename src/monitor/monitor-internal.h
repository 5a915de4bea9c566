/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the monitor share. */
#ifndef KOGGE_MONITOR_MONITOR_INTERNAL_H
#define KOGGE_MONITOR_MONITOR_INTERNAL_H

#include "monitor/monitor.h"
#include "monitor/pump.h"

#include <poll.h>

enum monitor_state { RUNNING, DRAINING, ENDING, WAITING, DONE };

enum { STREAM_OUT, STREAM_ERR, STREAM_N };

/* One output of the container. */
struct stream {
	int from;   /* -1: it has ended */
	char *data; /* STREAM_BUFFER bytes, of its own pages */
	size_t n;   /* bytes at the start of DATA that the log has not taken yet: part of a line */
};

/* Where a client wants an output. */
struct target {
	int fd; /* does not block */
	char *data;
	size_t at, n; /* what it has not taken yet */
	uint64_t lost;
};

struct peer {
	int fd;
	bool waits;    /* is told of the last exit */
	bool owner;    /* started the container: does the end */
	bool ender;    /* another one that does it, where there is no owner */
	bool attached; /* is told of the next exit */
	struct pump in;
	struct target out[STREAM_N];
};

struct monitor_exec;
struct watched;

struct monitor {
	struct monitor_config c;
	enum monitor_state state;
	struct log *log;
	struct stream streams[STREAM_N];
	struct peer peers[MONITOR_PEERS_MAX];
	int exit_code;
	bool oom;
	bool by_hand;   /* somebody wants it to end: no restart */
	bool ended;     /* by the client */
	bool maintain;  /* the client leaves the store's log to us */
	bool dirty;     /* memory was used that idle containers do not need */
	unsigned quick; /* small reads in quick succession */
	/* monotonic nanoseconds; 0: none */
	int64_t last_read, rest_until;
	int64_t restart_at, check_at, started_at;
	int check;     /* pidfd of a health check, or -1 */
	bool starting; /* health: not known to be well yet */
	int watch;     /* epoll of the clients and watchers of EXECS, or -1 */
	struct watched *execs;
	unsigned n_execs;
};

/* monitor.c: starts `kogge VERB ID ARGS...`; FDS become its descriptors from 0. Its pidfd, or a
 * negative errno. */
int run_kogge(const struct monitor *m, const char *verb, const char *const args[4], const int *fds,
	      size_t n_fds);

/* -- monitor-output.c: from the container to log and clients ---------------------------------- */

void streams_init(struct monitor *m);
void streams_done(struct monitor *m);
/* Whether a stream is to be read now: the client that started the container has taken what was
 * there before. */
bool stream_wanted(const struct monitor *m, size_t i);
/* Moves what is there. Returns the number of bytes. */
size_t stream_run(struct monitor *m, size_t i);
/* Ends the stream; what was begun of a line is logged. */
void stream_end(struct monitor *m, size_t i);
bool streams_ended(const struct monitor *m);
/* Gives back the memory of an idle stream. */
void stream_settle(struct monitor *m, size_t i);

/* Attaches FD (taken) as P's I-th output. */
void target_init_take(struct target *t, int fd);
void target_flush(struct monitor *m, struct peer *p, size_t i);
void target_done(struct target *t);

/* Whether the owner (OWNER), or another client, has still to take output. */
bool targets_pending(const struct monitor *m, bool owner);

/* -- monitor-peer.c --------------------------------------------------------------------------- */

void peer_send(const struct peer *p, uint32_t type, int32_t a, int32_t b);
void peer_send_exited(const struct monitor *m, const struct peer *p);
struct peer *peer_add(struct monitor *m, int fd, bool owner);
struct peer *peer_owner(struct monitor *m);
/* Who does the end: the owner, else who offered it. */
struct peer *peer_ender(struct monitor *m);
/* Attaches a client's stdin (taken). */
void peer_attach_in(struct monitor *m, struct peer *p, int fd);
void peer_run_in(struct monitor *m, struct peer *p);
/* Its socket has something. */
void peer_serve(struct monitor *m, struct peer *p);

/* -- monitor-watch.c: processes of `exec` -------------------------------------------------------
 */

/* A process whose client has the connection SOCK; takes SOCK and FDS: its pidfd, its terminal's
 * master or -1, and what is closed after its end or -1. */
void watch_add(struct monitor *m, int sock, const struct monitor_exec *x, int fds[3]);
/* m->watch has something. */
void watch_serve(struct monitor *m);
/* Answers MONITOR_ASK_EXECS. */
void watch_list(const struct monitor *m, const struct peer *p);
void watch_done(struct monitor *m);

#endif
