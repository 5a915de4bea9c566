/* SPDX-License-Identifier: Apache-2.0 */
/* A registry: the protocol of distribution-spec 1.1 over a storage. It knows no HTTP library: a
 * request comes in three steps (registry_begin with its head, registry_body for each piece of its
 * body, registry_end), and what is to be answered lies in its reply afterwards. One registry serves
 * any number of threads; a request belongs to one thread at a time. */
#ifndef KOGGE_REGISTRY_REGISTRY_H
#define KOGGE_REGISTRY_REGISTRY_H

#include "base/buf.h"
#include "base/err.h"
#include "registry/name.h"
#include "registry/storage.h"

#define REGISTRY_MANIFEST_MAX ((size_t)4 << 20)
#define REGISTRY_HEADERS_MAX  12

struct registry {
	struct storage *storage;      /* borrowed */
	bool read_only;               /* refuse whatever writes */
	bool no_delete;               /* refuse DELETE of manifests, tags and blobs */
	struct access *access;        /* who may do what; NULL: everybody everything */
	struct limiter *limiter;      /* how often clients may ask; NULL: as they like */
	struct policy *policy;        /* what repositories may hold; NULL: everything */
	struct events *events;        /* who is told of what happens; NULL: nobody */
	int64_t pull_step;            /* nanoseconds between notes of pulls; 0: none (pulls.h) */
	struct cache *cache;          /* repositories of other registries; NULL: none */
	_Atomic uint64_t requests[6]; /* answered, by the first digit of the status */
	_Atomic uint64_t received;    /* bytes of bodies */
	_Atomic uint64_t sent;
};

/* The methods of HTTP that mean something here. */
enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OTHER,
};

/* The method of that name. */
enum method method_parse(const char *name);

struct reply_header {
	const char *name; /* a constant */
	char *value;      /* owned */
};

/* What is answered: BODY, or where FD is not negative LENGTH bytes of it from AT on. */
struct reply {
	unsigned status; /* 0: nothing yet */
	struct reply_header headers[REGISTRY_HEADERS_MAX];
	size_t n_headers;
	struct buf body;
	int fd;
	uint64_t at, length;
};

struct request;
struct upload;

/* What an endpoint does with one method. BEGIN may answer at once, from the head alone; BODY gets
 * what follows; END answers. NULL: nothing to do. */
struct endpoint_ops {
	void (*begin)(struct request *r);
	void (*body)(struct request *r, const void *data, size_t n);
	void (*end)(struct request *r);
};

struct request {
	struct registry *registry;
	enum method method;
	struct route route;
	const char *query; /* as it was sent; NULL where there is none. Borrowed */
	/* The value of a header, or NULL; valid as long as the request. */
	const char *(*header)(const struct request *r, const char *name);
	void *connection;     /* for HEADER */
	const char *client;   /* the address of the peer, for the log */
	uint64_t body_length; /* UINT64_MAX: not told (chunked) */
	const struct endpoint_ops *ops;
	struct upload *upload; /* while it receives a blob */
	struct buf body;       /* while it receives a manifest */
	bool too_large;
	char user[128]; /* who asks, "" for anonymous */
	struct reply reply;
	/* For what has to be fetched first (cache.h); without WAKE nothing is. */
	void (*wake)(struct request *r); /* it can go on: any thread may call it */
	bool waits;                      /* registry_end wants to be called again after WAKE */
	bool wants_blob, fetched;
	struct err fetch_err;
	struct request *next_waiting;
};

/* Prepares R, whose registry, method, query, header, connection, client and body_length the caller
 * has set (all else zero), for PATH (N bytes, as it was sent). Afterwards reply.status tells
 * whether there is an answer already: then no body has to be read. */
void registry_begin(struct request *r, const char *path, size_t n);

/* Instead of registry_begin: answers a request that HTTP alone forbids. */
void registry_refuse(struct request *r, unsigned status, const char *why);

/* The next N bytes of the body. */
void registry_body(struct request *r, const void *data, size_t n);

/* The body is whole. reply.status is set afterwards, unless R waits: then the caller puts it aside
 * and calls registry_wait, and after WAKE this again. */
void registry_end(struct request *r);

/* Begins what R waits for. WAKE may be called before this returns. */
void registry_wait(struct request *r);

/* Frees what R holds; an upload whose request did not come to its end stays to be resumed. */
void request_done(struct request *r);

#endif
