/* SPDX-License-Identifier: Apache-2.0 */
/* Each thread of the pool waits for its connections with epoll. The path is taken from the request
 * as it was sent (uri_log callback), because libmicrohttpd would decode it, and an encoded slash
 * must not become one. What could be read in two ways (RFC 9112 6.3: several lengths, a length and
 * chunks) is refused and its connection closed.
 *
 * An answer that is known from the head alone is sent at once where the body is long, so that it
 * need not be sent for nothing; a short body is read first, because many clients send it whole
 * before they look. */
#include "registry/cache.h"
#include "registry/server.h"
#include "registry/server-watch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define URI_MAX         8192
#define DRAIN_MAX       (8 << 20) /* a body that is read although the answer is known */
#define MEMORY_LIMIT    ((size_t)64 << 10)
#define HEAD_TIMEOUT_S  15U /* from byte to byte before a request is there */
#define HEAD_LIMIT_S    60U /* for the whole head, however it trickles */
#define IDLE_TIMEOUT_S  60U /* later */
#define CONNECTIONS_MAX 4096U
#define THREADS_MIN     8U

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct server {
	struct server_options options;
	struct MHD_Daemon *daemon;
	struct watch *watch;
	int listen_fd;
	unsigned port;
};

/* One request on its way. */
struct exchange {
	struct request request;
	bool begun, drained, replied;
	int64_t started;
	uint64_t drained_bytes;
	const char *method;
	char client[64];
	char uri[];
};

static const char *header_of(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static void *note_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	size_t n = strnlen(uri, URI_MAX);
	struct exchange *x;
	_unused_ void *unused[] = {cls, c};

	x = calloc(1, sizeof(*x) + n + 1);
	if (!x)
		return NULL;
	memcpy(x->uri, uri, n);
	x->request.reply.fd = -1;
	x->started = clock_monotonic();
	return x;
}

static void wake(struct request *r)
{
	MHD_resume_connection(r->connection);
}

/* What of the head decides where the body ends. */
struct framing {
	unsigned lengths, encodings, hosts;
	bool bad;
	uint64_t length;
};

static enum MHD_Result frame_header(void *cls, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	struct framing *f = cls;
	_unused_ enum MHD_ValueKind unused = kind;

	if (strcasecmp(key, "Content-Length") == 0) {
		f->lengths++;
		f->bad |= !value || num_u64(value, 0, INT64_MAX, &f->length) < 0;
	} else if (strcasecmp(key, "Transfer-Encoding") == 0) {
		f->encodings++;
		f->bad |= !value || strcasecmp(value, "chunked") != 0;
	} else if (strcasecmp(key, "Host") == 0) {
		f->hosts++;
	}
	return MHD_YES;
}

/* False where the request could be read in two ways. */
static bool check_framing(struct MHD_Connection *c, uint64_t *ret_length)
{
	struct framing f = {.length = 0};

	MHD_get_connection_values(c, MHD_HEADER_KIND, frame_header, &f);
	*ret_length = f.encodings ? UINT64_MAX : f.length;
	return !f.bad && f.lengths + f.encodings <= 1 && f.hosts <= 1;
}

static void client_address(struct MHD_Connection *c, char *out, size_t n)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info ? info->client_addr : NULL;

	out[0] = '\0';
	if (a && a->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, out,
			  (socklen_t)n);
	else if (a && a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, out,
			  (socklen_t)n);
}

/* The response object for what R answers; owns the descriptor afterwards. */
static struct MHD_Response *make_response(struct request *r)
{
	struct reply *p = &r->reply;
	struct MHD_Response *m;
	bool none = p->status == 304 || p->status == 204;
	size_t n;

	if (p->fd >= 0 && p->length > 0 && !none) {
		m = MHD_create_response_from_fd_at_offset64(p->length, p->fd, p->at);
		if (m)
			p->fd = -1;
		return m;
	}
	n = none ? 0 : p->body.len;
	m = MHD_create_response_from_buffer(n, n ? p->body.data : NULL, MHD_RESPMEM_MUST_FREE);
	if (m && n)
		p->body = BUF_INIT(p->body.max);
	return m;
}

static enum MHD_Result send_reply(struct exchange *x, struct MHD_Connection *c)
{
	struct request *r = &x->request;
	struct registry *s = r->registry;
	size_t sent = r->reply.body.len;
	struct MHD_Response *m = make_response(r);
	enum MHD_Result result;

	if (!m)
		return MHD_NO;
	MHD_add_response_header(m, "Docker-Distribution-API-Version", "registry/2.0");
	MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
	for (size_t i = 0; i < r->reply.n_headers; i++)
		MHD_add_response_header(m, r->reply.headers[i].name, r->reply.headers[i].value);
	if (x->drained)
		MHD_add_response_header(m, "Connection", "close");
	s->requests[MIN(r->reply.status / 100, 5)]++;
	s->sent += r->reply.length ? r->reply.length : sent;
	result = MHD_queue_response(c, r->reply.status, m);
	MHD_destroy_response(m);
	x->replied = true;
	return result;
}

/* What belongs to a connection. */
struct link {
	struct server *server;
	struct watched *watched;
};

static struct link *link_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* A request begins or ends on C. */
static void set_busy(struct MHD_Connection *c, bool busy)
{
	struct link *l = link_of(c);

	if (l)
		watch_set(l->server->watch, l->watched, busy);
}

static void note_connection(void *cls, struct MHD_Connection *c, void **context,
			    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct server *s = cls;
	struct link *l = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return;
		l->server = s;
		l->watched = fd ? watch_add(s->watch, fd->connect_fd) : NULL;
		*context = l;
	} else if (l) {
		watch_remove(s->watch, l->watched);
		free(l);
		*context = NULL;
	}
}

/* The head is there. */
static enum MHD_Result begin(struct server *s, struct exchange *x, struct MHD_Connection *c)
{
	struct request *r = &x->request;
	char *query = strchr(x->uri, '?');
	size_t n = query ? (size_t)(query - x->uri) : strlen(x->uri);
	bool clear = check_framing(c, &r->body_length);

	x->begun = true;
	set_busy(c, true);
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_TIMEOUT_S);
	client_address(c, x->client, sizeof(x->client));
	r->registry = s->options.registry;
	r->method = method_parse(x->method);
	r->query = query ? query + 1 : NULL;
	r->header = header_of;
	r->connection = c;
	r->client = x->client;
	r->wake = wake;
	if (!clear || strlen(x->uri) >= URI_MAX) {
		registry_refuse(r, clear ? 414 : 400,
				clear ? "the URI is too long" : "ambiguous length of the body");
		x->drained = true;
		return send_reply(x, c);
	}
	registry_begin(r, x->uri, n);
	if (r->reply.status && r->body_length > DRAIN_MAX) {
		x->drained = true;
		return send_reply(x, c);
	}
	return MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
			      const char *method, const char *version, const char *data, size_t *n,
			      void **con_cls)
{
	struct exchange *x = *con_cls;
	_unused_ const char *unused[] = {url, version};

	if (!x)
		return MHD_NO;
	if (!x->begun) {
		x->method = method;
		return begin(cls, x, c);
	}
	if (*n > 0) {
		registry_body(&x->request, data, *n);
		*n = 0;
		return MHD_YES;
	}
	if (x->replied)
		return MHD_YES;
	registry_end(&x->request);
	if (!x->request.waits)
		return send_reply(x, c);
	/* It is put aside before anybody can wake it. */
	MHD_suspend_connection(c);
	registry_wait(&x->request);
	return MHD_YES;
}

static bool wants_log(const struct server *s, const struct exchange *x)
{
	enum method m = x->request.method;

	return s->options.log == SERVER_LOG_ALL ||
	       (s->options.log == SERVER_LOG_CHANGES &&
		(x->request.reply.status >= 500 || (m != METHOD_GET && m != METHOD_HEAD)));
}

static void log_request(const struct server *s, const struct exchange *x, const char *end)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(3 * URI_MAX);
	_cleanup_(json_unref) json_t *j = NULL;
	char now[CLOCK_TEXT_SIZE];

	j = json_pack("{ss ss ss* ss% si sI ss}", "time", clock_format(clock_now(), now), "client",
		      x->client, "user", *x->request.user ? x->request.user : NULL, "uri", x->uri,
		      strcspn(x->uri, "?"), "status", (int)x->request.reply.status, "microseconds",
		      (json_int_t)((clock_monotonic() - x->started) / 1000), "end", end);
	if (!j || json_object_set_new(j, "method", json_string(x->method ? x->method : "")) < 0 ||
	    json_write(j, 0, &line) < 0 || buf_putc(&line, '\n') < 0)
		return;
	fd_write_full(s->options.log_fd, buf_str(&line), line.len);
}

static void completed(void *cls, struct MHD_Connection *c, void **con_cls,
		      enum MHD_RequestTerminationCode code)
{
	struct server *s = cls;
	struct exchange *x = *con_cls;

	set_busy(c, false);
	if (!x)
		return;
	if (x->begun && wants_log(s, x))
		log_request(s, x, code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "ok" : "broken");
	request_done(&x->request);
	free(x);
	*con_cls = NULL;
}

/* Takes "ADDRESS:PORT" apart; addresses are numbers, or "localhost". */
static int parse_listen(const char *s, struct sockaddr_storage *ret, socklen_t *ret_n,
			struct err *e)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
	const char *colon = strrchr(s, ':');
	char host[64];
	uint64_t port;
	size_t n = colon ? (size_t)(colon - s) : 0;

	if (!colon || n >= sizeof(host) || num_u64(colon + 1, 0, 65535, &port) < 0)
		return err_set(e, ERR_INVALID, 0, "'%s' is no ADDRESS:PORT", s);
	*ret = (struct sockaddr_storage){.ss_family = AF_INET};
	snprintf(host, sizeof(host), "%.*s", (int)n, s);
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_n = sizeof(*v6);
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
			return 0;
	} else {
		const char *name = n == 0                      ? "0.0.0.0"
				   : str_eq(host, "localhost") ? "127.0.0.1"
							       : host;

		v4->sin_port = htons((uint16_t)port);
		*ret_n = sizeof(*v4);
		if (inet_pton(AF_INET, name, &v4->sin_addr) == 1)
			return 0;
	}
	return err_set(e, ERR_INVALID, 0, "'%s' is no address", host);
}

static int open_listen(struct server *s, const char *where, struct err *e)
{
	struct sockaddr_storage a;
	socklen_t n;
	int one = 1;

	if (parse_listen(where, &a, &n, e) < 0)
		return -1;
	s->listen_fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0)
		return err_errno(e, errno, "making a socket");
	setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->listen_fd, (struct sockaddr *)&a, n) < 0 || listen(s->listen_fd, 1024) < 0)
		return err_set(e, errno == EADDRINUSE ? ERR_CONFLICT : err_class_of_errno(errno),
			       errno, "listening on '%s'", where);
	n = sizeof(a);
	if (getsockname(s->listen_fd, (struct sockaddr *)&a, &n) < 0)
		return err_errno(e, errno, "listening on '%s'", where);
	s->port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&a)->sin6_port
						: ((struct sockaddr_in *)(void *)&a)->sin_port);
	return 0;
}

static unsigned thread_count(const struct server_options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->threads)
		return o->threads;
	return cpus > 2 ? 2 * (unsigned)MIN(cpus, 32) : THREADS_MIN;
}

/* The certificate for a handshake: libmicrohttpd keeps its connection in the session. */
static int show_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int n,
			    const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
			    gnutls_pcert_st **chain, unsigned *n_chain, gnutls_privkey_t *key)
{
	const struct link *l = link_of(gnutls_session_get_ptr(session));
	_unused_ const void *unused[] = {authorities, algorithms};

	if (!l || n < 0 || n_algorithms < 0)
		return -1;
	server_tls_get(l->server->options.tls, chain, n_chain, key);
	return 0;
}

static int start_daemon(struct server *s, struct err *e)
{
	const struct server_options *o = &s->options;
	unsigned threads = thread_count(o);
	unsigned most = MAX(o->connections_max ? o->connections_max : CONNECTIONS_MAX, threads);

	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)show_certificate},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};

	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | (o->tls ? MHD_USE_TLS : 0U) |
			(o->registry->cache ? MHD_ALLOW_SUSPEND_RESUME : 0U),
		0, NULL, NULL, handle, s, MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
		MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, most,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_LIMIT,
		MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096, MHD_OPTION_CONNECTION_TIMEOUT,
		HEAD_TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
		note_uri, s, MHD_OPTION_NOTIFY_CONNECTION, note_connection, s,
		MHD_OPTION_NOTIFY_COMPLETED, completed, s,
		o->tls ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls, MHD_OPTION_END);
	if (!s->daemon)
		return err_set(e, ERR_IO, 0, "starting the HTTP server");
	s->listen_fd = -1;
	return 0;
}

struct server *server_start(const struct server_options *o, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s) {
		err_errno(e, ENOMEM, "starting the server");
		return NULL;
	}
	s->options = *o;
	s->listen_fd = -1;
	s->watch = watch_new(o->head_seconds ? o->head_seconds : HEAD_LIMIT_S, e);
	if (!s->watch || open_listen(s, o->listen, e) < 0 || start_daemon(s, e) < 0) {
		watch_free(s->watch);
		fd_close(&s->listen_fd);
		free(s);
		return NULL;
	}
	return s;
}

unsigned server_port(const struct server *s)
{
	return s->port;
}

void server_stop(struct server *s)
{
	if (s->options.registry->cache)
		cache_stop(s->options.registry->cache);
	MHD_stop_daemon(s->daemon);
	watch_free(s->watch);
	free(s);
}
