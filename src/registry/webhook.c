/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest client that does: one request on one connection, of whose answer only the first
 * line counts. libcurl would bring its own TLS and two megabytes into a server that has GnuTLS. */
#include "registry/webhook.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_MAX 4096

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (!isgraph((unsigned char)*s))
			return false;
	return true;
}

int webhook_parse(const char *url, struct webhook_url *ret, struct err *e)
{
	const char *rest = str_after(url, "https://"), *end;
	uint64_t port;
	size_t n;

	*ret = (struct webhook_url){.tls = rest != NULL};
	if (!rest)
		rest = str_after(url, "http://");
	if (!rest || !is_plain(url) || strchr(rest, '#'))
		return err_set(e, ERR_INVALID, 0, "'%.200s' is no http or https URL", url);
	n = strcspn(rest, "/?");
	end = rest + n;
	snprintf(ret->path, sizeof(ret->path), "%s%s", *end == '/' ? "" : "/", end);
	if (memchr(rest, '@', n) || strlen(end) + 2 > sizeof(ret->path))
		return err_set(e, ERR_INVALID, 0, "'%.200s': a password, or too long", url);
	n = rest[0] == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":/?");
	if (rest + n > end || n >= sizeof(ret->host) || n == 0)
		return err_set(e, ERR_INVALID, 0, "'%.200s' has no host", url);
	snprintf(ret->host, sizeof(ret->host), "%.*s", (int)(rest[0] == '[' ? n - 2 : n),
		 rest + (rest[0] == '['));
	snprintf(ret->port, sizeof(ret->port), "%s", ret->tls ? "443" : "80");
	if (rest[n] == ':') {
		n++;
		snprintf(ret->port, sizeof(ret->port), "%.*s", (int)(end - rest - (ptrdiff_t)n),
			 rest + n);
	}
	if (num_u64(ret->port, 1, 65535, &port) < 0)
		return err_set(e, ERR_INVALID, 0, "'%.200s' has no valid port", url);
	return 0;
}

/* A connection that gives up after SECONDS. */
static int dial(const struct webhook_url *to, unsigned seconds, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const struct timeval limit = {.tv_sec = (time_t)seconds};
	struct addrinfo *found;
	int fd = -1, k = getaddrinfo(to->host, to->port, &hints, &found);

	if (k != 0)
		return err_set(e, ERR_IO, 0, "looking '%s' up: %s", to->host, gai_strerror(k));
	for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
			fd_close(&fd);
	}
	freeaddrinfo(found);
	if (fd < 0)
		return err_errno(e, errno ? errno : EIO, "connecting to '%s'", to->host);
	return fd;
}

/* What bytes go through. */
struct stream {
	int fd;
	gnutls_session_t tls; /* NULL: plain */
	gnutls_certificate_credentials_t trust;
};

static void stream_done(struct stream *s)
{
	if (s->tls)
		gnutls_deinit(s->tls);
	if (s->trust)
		gnutls_certificate_free_credentials(s->trust);
	fd_close(&s->fd);
}

static int start_tls(struct stream *s, const struct webhook_url *to, unsigned seconds,
		     struct err *e)
{
	int k = gnutls_certificate_allocate_credentials(&s->trust);

	if (k == 0)
		k = gnutls_certificate_set_x509_system_trust(s->trust);
	if (k >= 0)
		k = gnutls_init(&s->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	if (k >= 0)
		k = gnutls_set_default_priority(s->tls);
	if (k >= 0)
		k = gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, s->trust);
	if (k >= 0)
		k = gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, to->host, strlen(to->host));
	if (k < 0)
		return err_set(e, ERR_IO, 0, "preparing TLS: %s", gnutls_strerror(k));
	gnutls_session_set_verify_cert(s->tls, to->host, 0);
	gnutls_transport_set_int(s->tls, s->fd);
	gnutls_handshake_set_timeout(s->tls, seconds * 1000);
	do
		k = gnutls_handshake(s->tls);
	while (k < 0 && !gnutls_error_is_fatal(k) && k != GNUTLS_E_AGAIN);
	return k < 0 ? err_set(e, ERR_IO, 0, "TLS with '%s': %s", to->host, gnutls_strerror(k)) : 0;
}

static int send_all(const struct stream *s, const char *data, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t w = s->tls ? gnutls_record_send(s->tls, data, n)
				   : send(s->fd, data, n, MSG_NOSIGNAL);

		if (s->tls ? w == GNUTLS_E_INTERRUPTED : (w < 0 && errno == EINTR))
			continue;
		if (w <= 0)
			return err_set(e, ERR_IO, s->tls ? 0 : errno, "sending an event");
		data += w;
		n -= (size_t)w;
	}
	return 0;
}

/* The first line of the answer. */
static int read_status(const struct stream *s, const struct webhook_url *to, struct err *e)
{
	char line[ANSWER_MAX + 1];
	size_t n = 0;

	while (n < ANSWER_MAX && !memchr(line, '\n', n)) {
		ssize_t r = s->tls ? gnutls_record_recv(s->tls, line + n, ANSWER_MAX - n)
				   : recv(s->fd, line + n, ANSWER_MAX - n, 0);

		if (s->tls ? r == GNUTLS_E_INTERRUPTED : (r < 0 && errno == EINTR))
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strlen(line) < 12 || strncmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
		return err_set(e, ERR_IO, 0, "'%s' gave no answer", to->host);
	if (line[9] != '2')
		return err_set(e, ERR_IO, 0, "'%s' answered %.3s", to->host, line + 9);
	return 0;
}

int webhook_post(const struct webhook_url *to, const struct webhook_body *body, unsigned seconds,
		 struct err *e)
{
	_cleanup_(stream_done) struct stream s = {.fd = dial(to, seconds, e)};
	_cleanup_(buf_done) struct buf head = BUF_INIT(8192);
	bool brackets = strchr(to->host, ':') != NULL;

	if (s.fd < 0 || (to->tls && start_tls(&s, to, seconds, e) < 0))
		return -1;
	if (buf_printf(&head,
		       "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: kogge-registry\r\n"
		       "Content-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s%s%s\r\n",
		       to->path, brackets ? "[" : "", to->host, brackets ? "]" : "", to->port,
		       body->type, body->n, body->authorization ? "Authorization: " : "",
		       body->authorization ? body->authorization : "",
		       body->authorization ? "\r\n" : "") < 0)
		return err_set(e, ERR_LIMIT, 0, "the head of an event is too long");
	if (send_all(&s, buf_str(&head), head.len, e) < 0 ||
	    send_all(&s, body->data, body->n, e) < 0)
		return -1;
	return read_status(&s, to, e);
}
