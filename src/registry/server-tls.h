/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that a server shows, which can be exchanged while it runs. */
#ifndef KOGGE_REGISTRY_SERVER_TLS_H
#define KOGGE_REGISTRY_SERVER_TLS_H

#include "base/err.h"

#include <gnutls/abstract.h>

struct server_tls;

/* Reads chain and key (PEM files). NULL with E set. */
struct server_tls *server_tls_new(const char *certificate, const char *key, struct err *e);

/* Reads the files again, for connections that begin afterwards; on an error the old ones stay. */
int server_tls_reload(struct server_tls *t, struct err *e);

/* Frees T; NULL is allowed. */
void server_tls_free(struct server_tls *t);

/* What is shown now; borrowed, valid as long as T. */
void server_tls_get(struct server_tls *t, gnutls_pcert_st **ret_chain, unsigned *ret_n,
		    gnutls_privkey_t *ret_key);

#endif
