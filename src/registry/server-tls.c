/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake may use a certificate while it is exchanged: those that were shown before are kept
 * until the end. They are few, since a certificate lasts for days. */
#include "registry/server-tls.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define CHAIN_MAX 8U
#define FILE_MAX  ((size_t)1 << 20)

struct shown {
	struct shown *before;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
};

struct server_tls {
	char *certificate, *key;
	pthread_mutex_t mutex;
	struct shown *now;
};

static void shown_free(struct shown *s)
{
	for (unsigned i = 0; i < s->n; i++)
		gnutls_pcert_deinit(&s->chain[i]);
	gnutls_privkey_deinit(s->key);
	free(s);
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY | O_CLOEXEC, 0);
	int r = fd < 0 ? fd : fd_read_all(fd, out, FILE_MAX);

	return r < 0 ? err_errno(e, r, "reading '%s'", path) : 0;
}

static int import(struct shown *s, const struct buf *chain, const struct buf *key)
{
	gnutls_datum_t c = {.data = (unsigned char *)chain->data, .size = (unsigned)chain->len};
	gnutls_datum_t k = {.data = (unsigned char *)key->data, .size = (unsigned)key->len};
	unsigned n = CHAIN_MAX;
	int r = gnutls_pcert_list_import_x509_raw(s->chain, &n, &c, GNUTLS_X509_FMT_PEM, 0);

	if (r < 0)
		return r;
	s->n = n;
	r = gnutls_privkey_init(&s->key);
	return r < 0 ? r : gnutls_privkey_import_x509_raw(s->key, &k, GNUTLS_X509_FMT_PEM, NULL, 0);
}

int server_tls_reload(struct server_tls *t, struct err *e)
{
	_cleanup_(buf_done) struct buf chain = BUF_INIT(FILE_MAX + 1), key = BUF_INIT(FILE_MAX + 1);
	struct shown *s;
	int r;

	if (read_file(t->certificate, &chain, e) < 0 || read_file(t->key, &key, e) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	r = s ? import(s, &chain, &key) : GNUTLS_E_MEMORY_ERROR;
	explicit_bzero(key.data, key.len);
	if (r < 0) {
		if (s)
			shown_free(s);
		return err_set(e, ERR_INVALID, 0, "certificate '%s' and key '%s': %s",
			       t->certificate, t->key, gnutls_strerror(r));
	}
	pthread_mutex_lock(&t->mutex);
	s->before = t->now;
	t->now = s;
	pthread_mutex_unlock(&t->mutex);
	return 0;
}

struct server_tls *server_tls_new(const char *certificate, const char *key, struct err *e)
{
	struct server_tls *t = calloc(1, sizeof(*t));

	if (!t) {
		err_errno(e, ENOMEM, "reading certificates");
		return NULL;
	}
	pthread_mutex_init(&t->mutex, NULL);
	t->certificate = strdup(certificate);
	t->key = strdup(key);
	if (!t->certificate || !t->key)
		err_errno(e, ENOMEM, "reading certificates");
	else if (server_tls_reload(t, e) == 0)
		return t;
	server_tls_free(t);
	return NULL;
}

void server_tls_free(struct server_tls *t)
{
	if (!t)
		return;
	while (t->now) {
		struct shown *before = t->now->before;

		shown_free(t->now);
		t->now = before;
	}
	pthread_mutex_destroy(&t->mutex);
	free(t->certificate);
	free(t->key);
	free(t);
}

void server_tls_get(struct server_tls *t, gnutls_pcert_st **ret_chain, unsigned *ret_n,
		    gnutls_privkey_t *ret_key)
{
	pthread_mutex_lock(&t->mutex);
	*ret_chain = t->now->chain;
	*ret_n = t->now->n;
	*ret_key = t->now->key;
	pthread_mutex_unlock(&t->mutex);
}
