/* SPDX-License-Identifier: Apache-2.0 */
/* A registry over HTTP: libmicrohttpd with epoll and a few threads. */
#ifndef KOGGE_REGISTRY_SERVER_H
#define KOGGE_REGISTRY_SERVER_H

#include "registry/registry.h"
#include "registry/server-tls.h"

struct server;

/* Which requests are logged. */
enum server_log {
	SERVER_LOG_NONE,
	SERVER_LOG_CHANGES, /* what writes, and what fails */
	SERVER_LOG_ALL,
};

struct server_options {
	struct registry *registry; /* borrowed */
	struct server_tls *tls;    /* borrowed; NULL: plain HTTP */
	const char *listen;        /* "ADDRESS:PORT", "[ADDRESS]:PORT", ":PORT"; port 0: any */
	unsigned threads;          /* 0: by the number of processors */
	unsigned connections_max;  /* 0: 4096 */
	unsigned head_seconds;     /* for the head of a request; 0: 60 */
	enum server_log log;
	int log_fd; /* one JSON object a line */
};

/* Starts to serve. NULL with E set: ERR_INVALID (address), ERR_CONFLICT (in use), ERR_IO. */
struct server *server_start(const struct server_options *o, struct err *e);

/* The port it listens on. */
unsigned server_port(const struct server *s);

/* Ends requests that run and frees S. */
void server_stop(struct server *s);

#endif
