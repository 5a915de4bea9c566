/* SPDX-License-Identifier: Apache-2.0 */
/* One POST to a URL that the configuration names, by http or https. */
#ifndef KOGGE_REGISTRY_WEBHOOK_H
#define KOGGE_REGISTRY_WEBHOOK_H

#include "base/err.h"

/* A URL taken apart; plain memory. */
struct webhook_url {
	bool tls;
	char host[256], port[8], path[1024];
};

/* Parses "http://HOST[:PORT][/PATH]" or https; an IPv6 address in brackets. ERR_INVALID: also for
 * user and password in it. */
int webhook_parse(const char *url, struct webhook_url *ret, struct err *e);

/* What is sent: N bytes of the media type TYPE, with an Authorization or NULL. */
struct webhook_body {
	const char *type, *authorization, *data;
	size_t n;
};

/* Sends BODY and reads the status; every step ends after SECONDS. 0 where it is 2xx; ERR_IO.
 * Redirects are not followed. */
int webhook_post(const struct webhook_url *to, const struct webhook_body *body, unsigned seconds,
		 struct err *e);

#endif
