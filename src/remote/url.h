/* SPDX-License-Identifier: Apache-2.0 */
/* A file from a URL, for builds (ADD, contexts): the side of kogge-remote, over libcurl. Linked
 * into that program alone. */
#ifndef KOGGE_REMOTE_URL_H
#define KOGGE_REMOTE_URL_H

#include "base/err.h"

#include <stdint.h>

/* What to fetch. Strings are borrowed. */
struct url_request {
	const char *url;           /* http or https, without user and password */
	const char *user_password; /* "user:password", or "" */
	int64_t max;               /* bytes; more is an error */
};

/* What the server said. */
struct url_info {
	int64_t size;     /* bytes that came */
	int64_t modified; /* Last-Modified, Unix seconds; -1 */
};

/* Writes the body to OUT. Redirects are followed, never from https to http, to another protocol, or
 * from elsewhere to addresses of this machine. ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT, ERR_IO. */
int url_fetch(const struct url_request *q, int out, struct url_info *ret, struct err *e);

#endif
