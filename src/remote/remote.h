/* SPDX-License-Identifier: Apache-2.0 */
/* A registry, as `kogge` sees it: it asks kogge-remote, the only program that sees bytes from the
 * network, over a socket (docs/formats/remote-protocol.md). Bodies come and go over descriptors;
 * nothing that comes is believed before its digest was computed here. */
#ifndef KOGGE_REMOTE_REMOTE_H
#define KOGGE_REMOTE_REMOTE_H

#include "base/arena.h"
#include "base/process.h"
#include "oci/descriptor.h"
#include "oci/reference.h"

/* Whom to talk to, and as whom. Strings are borrowed. */
struct remote_target {
	const char *host;       /* "registry.example:5000" */
	const char *repository; /* "library/debian"; "" for none: only remote_ping */
	bool push;              /* the rights to ask for: pull, or pull and push */
	const char *user, *password;
	const char *identity_token; /* instead of user and password, or NULL */
	int stall_seconds;          /* give up what is slower than 512 bytes a second; 0: 60 */
	bool insecure;              /* no certificate is checked, and plain http is taken */
	const char *cert, *key;     /* what we show of ourselves, PEM; or NULL */
	const char *ca;             /* certificates to trust besides the system's, PEM; or NULL */
};

/* One kogge-remote. */
struct remote {
	struct process process;
	int socket;
};

#define REMOTE_INIT ((struct remote){.process = PROCESS_INIT, .socket = -1})

/* What a server said of a document or blob. */
struct remote_info {
	int64_t size; /* -1: not said */
	char type[256];
	char digest[DIGEST_TEXT_SIZE]; /* Docker-Content-Digest; "" where it was not sent */
};

/* A blob to upload; see remote_put_blob. */
struct remote_blob {
	const struct digest *digest;
	int64_t size;
	int fd;
	const char *from;
};

/* Starts kogge-remote and gives it T. No connection is made yet. */
int remote_open(struct remote *r, const struct remote_target *t, struct err *e);
void remote_close(struct remote *r);

/* Whether the server takes these credentials (GET /v2/). ERR_DENIED. */
int remote_ping(struct remote *r, struct err *e);

/* A file from a server that is no registry. Strings are borrowed. */
struct remote_url {
	const char *url;           /* http or https, without user and password */
	const char *user_password; /* "user:password" in the clear, or NULL */
	int64_t max;               /* bytes */
};

/* Writes what is at U to FD, by a kogge-remote of its own. *RET_MODIFIED: Unix seconds, as the
 * server says; -1. ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT, ERR_IO; ERR_HOSTILE where it leads to an
 * address of this machine that the URL does not name. */
int remote_fetch_url(const struct remote_url *u, int fd, int64_t *ret_modified, struct err *e);

/* A document: a heap copy with a NUL behind it. */
struct remote_document {
	char *data;
	size_t n;
	struct remote_info info;
};

#define REMOTE_DOCUMENT_INIT ((struct remote_document){.data = NULL})

void remote_document_done(struct remote_document *d);

/* Fetches the manifest REF (a tag or digest) of at most MAX bytes. ERR_NOT_FOUND, ERR_DENIED,
 * ERR_LIMIT, ERR_IO. */
int remote_get_manifest(struct remote *r, const char *ref, size_t max, struct remote_document *ret,
			struct err *e);

/* The headers of manifests/REF or blobs/REF: 1, or 0 where there is none. */
int remote_head(struct remote *r, const char *kind, const char *ref, struct remote_info *info,
		struct err *e);

/* ---- in the background: up to REMOTE_PARALLEL requests at once, with an ID each ---- */

/* Part of a blob. */
struct remote_range {
	const struct digest *digest;
	int64_t offset, length; /* length > 0 */
	bool whole;             /* the server knows no ranges: what is before is read and dropped */
	bool all;               /* it is all of the blob: asked for without a range */
};

/* Begins to fetch RANGE: a descriptor that can be read without waiting; at its end comes the
 * answer ID. Two of them must not have the same ID. */
int remote_fetch(struct remote *r, const struct remote_range *range, unsigned id, struct err *e);

/* Begins what remote_head of a blob, or remote_put_blob does, as ID. */
int remote_begin_head(struct remote *r, const struct digest *d, unsigned id, struct err *e);
int remote_begin_put(struct remote *r, const struct remote_blob *b, unsigned id, struct err *e);

/* Takes the next answer (r->socket is readable when there is one): its ID goes to *RET_ID. 0;
 * REMOTE_MOUNTED where an upload was not needed; or -1 with E set, of that request where *RET_ID is
 * not 0, of kogge-remote where it is. */
int remote_take(struct remote *r, unsigned *ret_id, struct err *e);

/* Uploads a blob: FD is a regular file, sent from its beginning. FROM: a repository of the same
 * registry that may have it, or NULL. 1 where it was mounted from there, 0 where it was sent. */
int remote_put_blob(struct remote *r, const struct remote_blob *b, struct err *e);

/* Gives the manifest REF (a tag or digest) these N bytes. */
int remote_put_manifest(struct remote *r, const char *ref, const char *type, const char *data,
			size_t n, struct err *e);

/* Begins to fetch a blob of at most SIZE bytes: a descriptor to read it from, to its end; then
 * remote_end tells whether that was all. One at a time. */
int remote_get_blob(struct remote *r, const struct digest *d, int64_t size, struct err *e);
int remote_end(struct remote *r, struct err *e);

/* A blob of at most MAX bytes that is a document; its digest is checked. */
int remote_get_document(struct remote *r, const struct digest *d, size_t max,
			struct remote_document *ret, struct err *e);

/* What Docker Hub's search (API version 1) finds for TERM, N results at most: as it came. The
 * registry is opened without a repository; so for remote_catalog. */
int remote_search(struct remote *r, const char *term, int n, struct remote_document *ret,
		  struct err *e);

/* The repositories of the registry, as remote_tags. ERR_NOT_FOUND, ERR_DENIED where it does not
 * tell. */
int remote_catalog(struct remote *r, struct arena *a, const char ***ret, struct err *e);

/* The tags of the repository, all pages: NULL-terminated, in A. */
int remote_tags(struct remote *r, struct arena *a, const char ***ret, struct err *e);

#endif
