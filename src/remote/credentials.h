/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's ~/.docker/config.json: who one is at a registry (cli/config/configfile; the helpers'
 * protocol: github.com/docker/docker-credential-helpers). */
#ifndef KOGGE_REMOTE_CREDENTIALS_H
#define KOGGE_REMOTE_CREDENTIALS_H

#include "base/arena.h"
#include "base/err.h"

struct credentials {
	const char *user, *password; /* NULL: none */
	const char *identity_token;  /* or NULL */
	const char *helper;          /* credentials_parse: the helper to ask instead; or NULL */
};

/* What the document TEXT (N bytes) has for the registry HOST, in A. ERR_INVALID. */
int credentials_parse(const char *text, size_t n, const char *host, struct arena *a,
		      struct credentials *ret, struct err *e);

/* The caller's credentials for HOST: from $DOCKER_CONFIG/config.json or ~/.docker/config.json and
 * the helper that it names. None is no error. Strings live in A. */
int credentials_find(const char *host, struct arena *a, struct credentials *ret, struct err *e);

/* Keeps C for HOST; NULL: forgets it. *RET_WHERE: the file, or the helper; *RET_WAS: whether there
 * was something to forget. The file is exchanged as a whole, mode 0600. */
int credentials_store(const char *host, const struct credentials *c, struct arena *a,
		      const char **ret_where, bool *ret_was, struct err *e);

#endif
