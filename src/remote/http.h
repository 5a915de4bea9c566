/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's side of kogge-remote, over libcurl: distribution-spec 1.1. Linked into that
 * program alone. */
#ifndef KOGGE_REMOTE_HTTP_H
#define KOGGE_REMOTE_HTTP_H

#include "base/err.h"

#include <curl/curl.h>
#include <stdint.h>

/* A registry and what is known of it. Strings are owned. */
struct http {
	CURL *curl;
	char *host, *repository, *user, *password, *identity, *ca, *cert, *key;
	bool push;
	bool local;          /* a loopback address: plain http is allowed */
	bool insecure;       /* so the configuration says: plain http too, certificates unchecked */
	bool plain;          /* and is what it speaks */
	bool basic;          /* it asked for user and password */
	bool begun;          /* the scheme is known */
	uint16_t proxy_port; /* of the user's proxy, 0 for none */
	char *token;
	char *from;        /* the repository that blobs are mounted from, or NULL */
	int stall_seconds; /* slower than STALL_BYTES a second for so long: given up */
	bool token_good;   /* it was accepted: when it no longer is, it has expired */
};

/* What an answer said. */
struct http_info {
	long status;
	int64_t size; /* Content-Length; -1 */
	char type[256], digest[256];
	bool more; /* a Link to the next page */
};

/* A body to send: a file of SIZE bytes. */
struct http_body {
	int fd;
	int64_t size;
};

/* Starts libcurl; host and what else is known was filled in. */
int http_init(struct http *h, struct err *e);
void http_done(struct http *h);

/* A second connection to the same registry, with what is known of it by now. */
int http_copy(const struct http *h, struct http *ret, struct err *e);

/* What of a body is wanted. */
struct http_range {
	int64_t offset, length;
	bool whole; /* the server knows no ranges: what is before is read and dropped */
	bool all;   /* it is the whole body: asked for without a range, and more is an error */
};

/* GET of a part of PATH into OUT: exactly RANGE's length, else ERR_IO. ERR_UNSUPPORTED where the
 * server knows no ranges. */
int http_get_range(struct http *h, const char *path, int out, const struct http_range *range,
		   struct err *e);

/* GET or HEAD of PATH below /v2/: the body goes to OUT (a file or pipe; -1: HEAD), of at most MAX
 * bytes. A body that breaks off goes on where it did, some times. Errors as remote.h has them. */
int http_get(struct http *h, const char *path, int out, int64_t max, struct http_info *ret,
	     struct err *e);

/* Sends BODY as the blob DIGEST; 1 where it was mounted from the repository FROM (NULL: none)
 * instead. */
int http_upload(struct http *h, const char *digest, const struct http_body *body, const char *from,
		struct err *e);

/* PUT of a manifest of the media type TYPE. */
int http_put(struct http *h, const char *path, const char *type, const struct http_body *body,
	     struct http_info *ret, struct err *e);

#endif
