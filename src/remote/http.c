/* SPDX-License-Identifier: Apache-2.0 */
/* One request after the other, each tried again where that may help: after 401 with what the server
 * asks for, after 429 and 5xx when it says so, after a broken connection from where it broke.
 *
 * What a server sends is hostile: its redirects never get our credentials for another host (libcurl
 * drops them), never lead from a foreign server to this machine, never from https to http; sizes
 * are limited; a realm for tokens has to be https unless the registry is this machine, and only the
 * registry itself may name one, not where it has sent us. */
#include "remote/http.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "remote/challenge.h"
#include "remote/local-address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES = 5,
	REDIRECTS_MAX = 10,
	CONNECT_SECONDS = 30,
	STALL_SECONDS = 60,
	STALL_BYTES = 512,
	PROGRESS = 1 << 16, /* a try that brought so much is not counted */
	RETRY_MAX_SECONDS = 60,
	TOKEN_MAX = 1 << 16,
	ERROR_MAX = 1 << 16,
	URL_MAX = 8192,
};

/* One exchange. */
struct exchange {
	struct http *h;
	struct http_info info;
	struct challenge challenge;
	struct buf body; /* of errors, tokens */
	int out;         /* where a good body goes; -1: into BODY */
	int64_t max, got;
	const struct http_range *range; /* or NULL: all */
	int64_t from;                   /* where this try begins */
	int64_t skip;                   /* bytes to drop before it */
	bool no_ranges, enough;
	bool piped; /* what is sent cannot be read again */
	int in;     /* what is sent; -1 */
	int64_t send_size, sent;
	int retry_after; /* seconds, or -1 */
	char location[URL_MAX];
	bool bad_challenge, too_much, write_failed;
	char error[CURL_ERROR_SIZE];
};

#define EXCHANGE_INIT                                                                              \
	((struct exchange){.body = BUF_INIT(ERROR_MAX),                                            \
			   .out = -1,                                                              \
			   .in = -1,                                                               \
			   .retry_after = -1,                                                      \
			   .info.size = -1})

static void exchange_done(struct exchange *x)
{
	buf_done(&x->body);
}

/* ---- callbacks ---- */

static int take(struct exchange *x, const char *data, size_t n)
{
	if (x->max >= 0 && x->got + (int64_t)n > x->max) {
		x->too_much = true;
		return -1;
	}
	if (fd_write_full(x->out, data, n) < 0) {
		x->write_failed = true;
		return -1;
	}
	x->got += (int64_t)n;
	return 0;
}

/* A server that knows no ranges answers 200 with all of it: from the beginning that will do. */
static size_t take_range(struct exchange *x, const char *data, size_t n)
{
	int64_t left = x->range->length - x->got;
	size_t drop = MIN(n, (size_t)x->skip), use;

	if (x->info.status == 206) {
		drop = 0;
	} else if (!x->range->whole && x->from > 0) {
		x->no_ranges = true;
		return 0;
	}
	x->skip -= (int64_t)drop;
	use = MIN(n - drop, (size_t)left);
	if (use > 0 && take(x, data + drop, use) < 0)
		return 0;
	x->enough = x->got == x->range->length;
	if (use + drop < n && (x->info.status == 206 || x->range->all))
		x->too_much = true;
	return use + drop < n ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;

	n *= size;
	if (x->info.status < 200 || x->info.status > 299 || x->out < 0)
		return buf_put(&x->body, data,
			       MIN(n, (size_t)ERROR_MAX - 1 -
					      MIN(x->body.len, (size_t)ERROR_MAX - 1))) < 0
			       ? 0
			       : n;
	return x->range ? take_range(x, data, n) : take(x, data, n) < 0 ? 0 : n;
}

static size_t on_send(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t want = MIN(size * n, (size_t)(x->send_size - x->sent));
	ssize_t r = pread(x->in, data, want, x->sent);

	if (r < 0 &&
	    errno == ESPIPE) { /* another registry's, for a copy: once, from its beginning */
		r = fd_read_full(x->in, data, want);
		x->piped = true;
	}
	if (r < 0 || (r == 0 && want > 0))
		return CURL_READFUNC_ABORT;
	x->sent += r;
	return (size_t)r;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;

	if (origin != SEEK_SET || x->piped)
		return CURL_SEEKFUNC_FAIL;
	x->sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* The value of the header NAME, without blanks around it. */
static bool header(const char *line, size_t n, const char *name, const char **ret, size_t *ret_n)
{
	size_t len = strlen(name);

	if (n <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
		return false;
	line += len + 1;
	n -= len + 1;
	for (; n > 0 && (*line == ' ' || *line == '\t'); n--)
		line++;
	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	*ret = line;
	*ret_n = n;
	return true;
}

static void keep(char *out, size_t size, const char *value, size_t n)
{
	if (n >= size)
		n = 0;
	memcpy(out, value, n);
	out[n] = '\0';
}

static void on_status(struct exchange *x)
{
	x->info = (struct http_info){.size = -1};
	x->challenge.scheme = CHALLENGE_NONE;
	x->retry_after = -1;
	x->location[0] = '\0';
	curl_easy_getinfo(x->h->curl, CURLINFO_RESPONSE_CODE, &x->info.status);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	const char *v;
	size_t len;

	n *= size;
	if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0)
		on_status(x);
	else if (header(line, n, "Content-Type", &v, &len))
		keep(x->info.type, sizeof(x->info.type), v, len);
	else if (header(line, n, "Docker-Content-Digest", &v, &len))
		keep(x->info.digest, sizeof(x->info.digest), v, len);
	else if (header(line, n, "Location", &v, &len))
		keep(x->location, sizeof(x->location), v, len);
	else if (header(line, n, "Link", &v, &len))
		x->info.more = true;
	else if (header(line, n, "Retry-After", &v, &len))
		x->retry_after = retry_after_parse(v, len, RETRY_MAX_SECONDS);
	else if (header(line, n, "WWW-Authenticate", &v, &len)) {
		struct challenge c;

		if (challenge_parse(v, len, &c, NULL) < 0)
			x->bad_challenge = true;
		else if (c.scheme > x->challenge.scheme)
			x->challenge = c;
	}
	return n;
}

/* A server elsewhere must not send us to what only this machine reaches, except the user's proxy.
 */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	const struct http *h = arg;

	(void)purpose;
	if (!h->local && local_address(&a->addr, h->proxy_port))
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- one request ---- */

static void set_certificates(const struct http *h, CURL *c)
{
	const struct {
		CURLoption option;
		char *text;
	} blobs[] = {{CURLOPT_CAINFO_BLOB, h->ca},
		     {CURLOPT_SSLCERT_BLOB, h->cert},
		     {CURLOPT_SSLKEY_BLOB, h->key}};

	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
		struct curl_blob blob = {blobs[i].text, blobs[i].text ? strlen(blobs[i].text) : 0,
					 CURL_BLOB_NOCOPY};

		if (blobs[i].text)
			curl_easy_setopt(c, blobs[i].option, &blob);
	}
	if (h->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_basics(struct http *h, struct exchange *x, const char *url)
{
	CURL *c = h->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "kogge");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)h->stall_seconds);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR,
			 h->local || h->insecure ? "http,https" : "https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, h->plain ? "http,https" : "https");
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L << 10);
	set_certificates(h, c);
}

static struct curl_slist *authorization(const struct http *h, struct curl_slist *list)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(TOKEN_MAX + 64);

	if (h->token && buf_printf(&b, "Authorization: Bearer %s", h->token) == 0)
		return curl_slist_append(list, buf_str(&b));
	return list;
}

/* Performs the request that was set up, with HEADERS (freed). 0 when there is an answer. */
static CURLcode perform(struct http *h, struct exchange *x, struct curl_slist *headers, bool ours)
{
	CURLcode rc;

	if (ours) {
		headers = authorization(h, headers);
		if (h->basic && h->user && !h->token) {
			curl_easy_setopt(h->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
			curl_easy_setopt(h->curl, CURLOPT_USERNAME, h->user);
			curl_easy_setopt(h->curl, CURLOPT_PASSWORD, h->password ? h->password : "");
		}
	}
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	rc = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return rc;
}

/* ---- tokens ---- */

static int append_query(CURLU *u, const char *name, const char *value)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(URL_MAX);

	if (str_empty(value))
		return 0;
	if (buf_printf(&b, "%s=%s", name, value) < 0)
		return -1;
	return curl_url_set(u, CURLUPART_QUERY, buf_str(&b), CURLU_APPENDQUERY | CURLU_URLENCODE)
		       ? -1
		       : 0;
}

static char *token_url(const struct http *h, const struct challenge *c)
{
	_cleanup_(buf_done) struct buf scope = BUF_INIT(URL_MAX), from = BUF_INIT(URL_MAX);
	char *out = NULL, *copy = NULL;
	CURLU *u = curl_url();

	if (!str_empty(h->repository))
		(void)buf_printf(&scope, "repository:%s:%s", h->repository,
				 h->push ? "pull,push" : "pull");
	if (h->from)
		(void)buf_printf(&from, "repository:%s:pull", h->from);
	if (u && curl_url_set(u, CURLUPART_URL, c->realm, 0) == CURLUE_OK &&
	    append_query(u, "service", c->service) == 0 &&
	    append_query(u, "scope", scope.len ? buf_str(&scope) : c->scope) == 0 &&
	    append_query(u, "scope", from.len ? buf_str(&from) : "") == 0 &&
	    curl_url_get(u, CURLUPART_URL, &out, 0) == CURLUE_OK) {
		copy = strdup(out);
		curl_free(out);
	}
	curl_url_cleanup(u);
	return copy;
}

static int token_read(struct http *h, const struct buf *body, struct err *e)
{
	_cleanup_(json_unref) json_t *j =
		json_parse(buf_str(body), body->len, "the token server's answer", e);
	const char *t = json_string_value(json_object_get(j, "token"));

	if (!j)
		return -1;
	if (str_empty(t))
		t = json_string_value(json_object_get(j, "access_token"));
	if (str_empty(t) || strlen(t) >= TOKEN_MAX || strpbrk(t, "\r\n"))
		return err_set(e, ERR_DENIED, 0, "the token server sent no token");
	free(h->token);
	h->token = strdup(t);
	return h->token ? 0 : err_errno(e, ENOMEM, "keeping a token");
}

static int denied(const struct http *h, struct err *e)
{
	const char *path = h->repository ? h->repository : "";
	const char *slash = *path ? "/" : "";

	if (!h->user && !h->identity)
		return err_set(e, ERR_DENIED, 0,
			       "access to %s%s%s is denied: it may not exist, or may require "
			       "'kogge login %s'",
			       h->host, slash, path, h->host);
	return err_set(e, ERR_DENIED, 0, "access to %s%s%s is denied for this user", h->host, slash,
		       path);
}

/* OAuth2 with a refresh token, as credential stores keep for some registries. */
static void post_identity(struct http *h, const struct challenge *c)
{
	char *token = curl_easy_escape(h->curl, h->identity, 0);
	char *service = curl_easy_escape(h->curl, c->service, 0);
	_cleanup_(buf_done) struct buf b = BUF_INIT(TOKEN_MAX);

	if (token && service &&
	    buf_printf(&b,
		       "grant_type=refresh_token&client_id=kogge&service=%s&refresh_token=%s&scope="
		       "repository:%s:%s",
		       service, token, h->repository, h->push ? "pull,push" : "pull") == 0)
		curl_easy_setopt(h->curl, CURLOPT_COPYPOSTFIELDS, buf_str(&b));
	curl_free(token);
	curl_free(service);
}

static int fetch_token(struct http *h, const struct challenge *c, struct err *e)
{
	_cleanup_(exchange_done) struct exchange x = EXCHANGE_INIT;
	_cleanup_(freep) char *url = token_url(h, c);
	CURLcode rc;

	if (!url || (strncasecmp(url, "https://", 8) != 0 && !h->local && !h->insecure))
		return err_set(e, ERR_HOSTILE, 0,
			       "%s sends us for a token to '%.100s', which is no https address",
			       h->host, c->realm);
	x.h = h;
	set_basics(h, &x, url);
	if (h->identity) {
		post_identity(h, c);
	} else if (h->user) {
		curl_easy_setopt(h->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(h->curl, CURLOPT_USERNAME, h->user);
		curl_easy_setopt(h->curl, CURLOPT_PASSWORD, h->password ? h->password : "");
	}
	rc = perform(h, &x, NULL, false);
	if (rc != CURLE_OK)
		return err_set(e, ERR_IO, 0, "asking '%.200s' for a token: %s", c->realm, x.error);
	if (x.info.status == 401 || x.info.status == 403)
		return denied(h, e);
	if (x.info.status != 200)
		return err_set(e, ERR_IO, 0, "asking '%.200s' for a token: status %ld", c->realm,
			       x.info.status);
	return token_read(h, &x.body, e);
}

/* Whether B is of the same scheme, host and port as A: only then it gets our credentials. */
static bool same_origin(const char *a, const char *b)
{
	const char *s = strstr(a, "://");
	size_t n = s ? (size_t)(s + 3 - a) + strcspn(s + 3, "/?#") : 0;

	return n > 0 && strncasecmp(a, b, n) == 0 && strchr("/?#", b[n]);
}

/* Whether the registry itself has answered. A server that a redirect or the address of an upload
 * led to could else name a realm of its own, and would get the user's password there. */
static bool registry_answered(const struct http *h)
{
	char own[URL_MAX], *at = NULL;

	snprintf(own, sizeof(own), "%s://%s/", h->plain ? "http" : "https", h->host);
	return curl_easy_getinfo(h->curl, CURLINFO_EFFECTIVE_URL, &at) == CURLE_OK && at &&
	       same_origin(own, at);
}

/* After a 401. 0 where it is worth another try. */
static int authenticate(struct http *h, const struct exchange *x, struct err *e)
{
	if (!registry_answered(h))
		return denied(h, e);
	/* One that was good has expired. */
	if (x->challenge.scheme == CHALLENGE_BEARER && (!h->token || h->token_good)) {
		h->token_good = false;
		return fetch_token(h, &x->challenge, e);
	}
	if (x->challenge.scheme == CHALLENGE_BASIC && !h->basic && h->user) {
		h->basic = true;
		return 0;
	}
	return denied(h, e);
}

/* ---- answers that are failures ---- */

/* The first error of the body (distribution-spec, "Error Codes"). */
static void error_text(const struct buf *body, char out[256])
{
	_cleanup_(json_unref) json_t *j = json_parse(buf_str(body), body->len, "an error", NULL);
	const json_t *first = json_array_get(json_object_get(j, "errors"), 0);
	const char *code = json_string_value(json_object_get(first, "code"));
	const char *text = json_string_value(json_object_get(first, "message"));

	snprintf(out, 256, "%s%.60s%s%.150s", code ? ": " : "", code ? code : "", text ? ": " : "",
		 text ? text : "");
}

static int status_failed(const struct http *h, const struct exchange *x, const char *what,
			 struct err *e)
{
	char text[256];

	error_text(&x->body, text);
	switch (x->info.status) {
	case 401:
	case 403:
		return denied(h, e);
	case 404:
		return err_set(e, ERR_NOT_FOUND, 0, "%s: %s is unknown%s", h->host, what, text);
	case 429:
		return err_set(e, ERR_LIMIT, 0,
			       "%s: too many requests: the server's rate limit is reached%s",
			       h->host, text);
	default:
		return err_set(e, x->info.status >= 500 ? ERR_IO : ERR_INVALID, 0,
			       "%s: %s: status %ld%s", h->host, what, x->info.status, text);
	}
}

static bool is_transient(CURLcode rc)
{
	return rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT ||
	       rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR || rc == CURLE_PARTIAL_FILE ||
	       rc == CURLE_GOT_NOTHING || rc == CURLE_HTTP2 || rc == CURLE_HTTP2_STREAM;
}

static void rest(int try, int seconds)
{
	struct timespec t = {.tv_sec = seconds > 0 ? seconds : 0,
			     .tv_nsec = seconds > 0 ? 0 : 100000000L << MIN(try, 3)};

	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec += t.tv_nsec / 1000000000L;
		t.tv_nsec %= 1000000000L;
	}
	nanosleep(&t, NULL);
}

static int connection_failed(const struct http *h, const struct exchange *x, CURLcode rc,
			     struct err *e)
{
	if (x->too_much)
		return err_set(e, ERR_LIMIT, 0, "%s sends more than was announced", h->host);
	if (x->write_failed)
		return err_set(e, ERR_IO, 0, "handing on what %s sends: nobody takes it", h->host);
	return err_set(e, ERR_IO, 0, "%s: %s", h->host,
		       x->error[0] ? x->error : curl_easy_strerror(rc));
}

/* ---- addresses ---- */

static int url_of(const struct http *h, const char *path, char out[URL_MAX], struct err *e)
{
	const char *top = *path == '/' ? "" : "/v2/";
	int n = snprintf(out, URL_MAX, "%s://%s%s%s%s%s", h->plain ? "http" : "https", h->host, top,
			 h->repository ? h->repository : "", str_empty(h->repository) ? "" : "/",
			 path);

	return n > 0 && n < URL_MAX ? 0 : err_set(e, ERR_INVALID, 0, "the address is too long");
}

/* Plain http for this machine alone, and only where https does not answer. */
static int begin(struct http *h, struct err *e)
{
	_cleanup_(exchange_done) struct exchange x = EXCHANGE_INIT;
	char url[URL_MAX];
	CURLcode rc;

	if (h->begun || !(h->local || h->insecure)) {
		h->begun = true;
		return 0;
	}
	x.h = h;
	snprintf(url, sizeof(url), "https://%s/v2/", h->host);
	set_basics(h, &x, url);
	rc = perform(h, &x, NULL, false);
	h->plain =
		rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_GOT_NOTHING || rc == CURLE_RECV_ERROR;
	if (rc != CURLE_OK && !h->plain)
		return connection_failed(h, &x, rc, e);
	h->begun = true;
	return 0;
}

static bool is_local_host(const char *host)
{
	return str_after(host, "localhost:") || str_eq(host, "localhost") ||
	       str_after(host, "127.") || str_after(host, "[::1]");
}

int http_init(struct http *h, struct err *e)
{
	if (!h->host || strpbrk(h->host, "/?#@ \r\n"))
		return err_set(e, ERR_INVALID, 0, "the name of a registry is malformed");
	/* A name under 127. that is no address could be anybody's. */
	h->local = is_local_host(h->host);
	if (str_after(h->host, "127.") && strspn(h->host, "0123456789.:") != strlen(h->host))
		h->local = false;
	h->proxy_port = proxy_port(false);
	if (h->stall_seconds <= 0)
		h->stall_seconds = STALL_SECONDS;
	h->curl = curl_easy_init();
	return h->curl ? 0 : err_errno(e, ENOMEM, "starting libcurl");
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

int http_copy(const struct http *h, struct http *ret, struct err *e)
{
	*ret = (struct http){.host = copy(h->host),
			     .repository = copy(h->repository),
			     .user = copy(h->user),
			     .password = copy(h->password),
			     .identity = copy(h->identity),
			     .ca = copy(h->ca),
			     .cert = copy(h->cert),
			     .key = copy(h->key),
			     .insecure = h->insecure,
			     .token = copy(h->token),
			     .from = copy(h->from),
			     .push = h->push,
			     .plain = h->plain,
			     .basic = h->basic,
			     .begun = h->begun,
			     .token_good = h->token_good,
			     .stall_seconds = h->stall_seconds};
	if (http_init(ret, e) == 0)
		return 0;
	http_done(ret);
	return -1;
}

void http_done(struct http *h)
{
	curl_easy_cleanup(h->curl);
	free(h->host);
	free(h->repository);
	free(h->user);
	free(h->password);
	free(h->identity);
	free(h->ca);
	free(h->cert);
	free(h->key);
	free(h->from);
	free(h->token);
}

/* ---- GET and HEAD ---- */

#define ACCEPT                                                                                     \
	"Accept: application/vnd.oci.image.index.v1+json, "                                        \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.docker.distribution.manifest.v2+json"

/* What a try came to: 1 for another, 0 done, -1. */
static int judge(struct http *h, struct exchange *x, CURLcode rc, int try, const char *what,
		 struct err *e)
{
	if (rc != CURLE_OK &&
	    (x->too_much || x->write_failed || !is_transient(rc) || try + 1 == TRIES))
		return connection_failed(h, x, rc, e);
	if (rc != CURLE_OK)
		return rest(try, 0), 1;
	if (x->info.status == 401)
		return authenticate(h, x, e) < 0 ? -1 : 1;
	if ((x->info.status == 429 || x->info.status >= 500) && try + 1 < TRIES)
		return rest(try, x->retry_after), 1;
	if (x->info.status < 200 || x->info.status > 299)
		return status_failed(h, x, what, e);
	h->token_good = h->token != NULL;
	return 0;
}

static void set_get(struct http *h, struct exchange *x, bool head)
{
	curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 1L);
	if (head)
		curl_easy_setopt(h->curl, CURLOPT_NOBODY, 1L);
	if (x->got > 0)
		curl_easy_setopt(h->curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)x->got);
}

int http_get(struct http *h, const char *path, int out, int64_t max, struct http_info *ret,
	     struct err *e)
{
	_cleanup_(exchange_done) struct exchange x = EXCHANGE_INIT;
	char url[URL_MAX];
	int again = 1;

	if (begin(h, e) < 0 || url_of(h, path, url, e) < 0)
		return -1;
	x.h = h;
	x.out = out;
	x.max = max;
	for (int try = 0; again == 1; try++) {
		CURLcode rc;

		if (try > TRIES)
			return denied(h, e);
		buf_clear(&x.body);
		set_basics(h, &x, url);
		set_get(h, &x, out < 0 && *path); /* some registries know no HEAD of /v2/ */
		rc = perform(h, &x, curl_slist_append(NULL, ACCEPT), true);
		again = judge(h, &x, rc, try, path, e);
	}
	if (again < 0)
		return -1;
	curl_easy_getinfo(h->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &x.info.size);
	*ret = x.info;
	return 0;
}

/* The next request for what is missing. */
static void set_range(struct http *h, struct exchange *x)
{
	const struct http_range *r = x->range;
	char text[64];

	curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 1L);
	x->from = r->offset + x->got;
	x->skip = r->whole ? r->offset + x->got : 0;
	if (r->whole || (r->all && x->got == 0))
		return;
	snprintf(text, sizeof(text), "%lld-%lld", (long long)(r->offset + x->got),
		 (long long)(r->offset + r->length - 1));
	curl_easy_setopt(h->curl, CURLOPT_RANGE, text);
}

/* What came of a try for a range: as judge. One that brought something is not counted. */
static int judge_range(struct http *h, struct exchange *x, CURLcode rc, int try, const char *path,
		       struct err *e)
{
	if (x->no_ranges)
		return err_set(e, ERR_UNSUPPORTED, 0, "%s: ranges are not supported", h->host);
	if (x->enough && !x->too_much)
		rc = CURLE_OK;
	else if (rc == CURLE_OK && x->info.status / 100 == 2)
		rc = CURLE_PARTIAL_FILE;
	return judge(h, x, rc, try, path, e);
}

int http_get_range(struct http *h, const char *path, int out, const struct http_range *range,
		   struct err *e)
{
	_cleanup_(exchange_done) struct exchange x = EXCHANGE_INIT;
	char url[URL_MAX];
	int again = 1;

	if (begin(h, e) < 0 || url_of(h, path, url, e) < 0)
		return -1;
	x.h = h;
	x.out = out;
	x.max = range->length;
	x.range = range;
	for (int try = 0; again == 1; try++) {
		int64_t before = x.got;
		CURLcode rc;

		if (try > TRIES)
			return denied(h, e);
		buf_clear(&x.body);
		set_basics(h, &x, url);
		set_range(h, &x);
		rc = perform(h, &x, NULL, true);
		if (x.got - before >= PROGRESS)
			try = 0;
		again = judge_range(h, &x, rc, try, path, e);
	}
	return again;
}

/* ---- uploads ---- */

/* Where the server wants the blob: relative to what was asked. */
static int resolve(const char *base, const char *location, const char *digest, char out[URL_MAX],
		   struct err *e)
{
	_cleanup_(buf_done) struct buf q = BUF_INIT(256);
	CURLU *u = curl_url();
	char *text = NULL;
	int r = -1;

	if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
	    buf_printf(&q, "digest=%s", digest) == 0 &&
	    curl_url_set(u, CURLUPART_QUERY, buf_str(&q), CURLU_APPENDQUERY | CURLU_URLENCODE) ==
		    CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK && strlen(text) < URL_MAX) {
		memcpy(out, text, strlen(text) + 1);
		r = 0;
	}
	curl_free(text);
	curl_url_cleanup(u);
	return r == 0 ? 0
		      : err_set(e, ERR_INVALID, 0,
				"the server gives a malformed address to upload to");
}

static void set_upload(struct http *h, struct exchange *x)
{
	x->sent = 0;
	curl_easy_setopt(h->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h->curl, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(h->curl, CURLOPT_READDATA, x);
	curl_easy_setopt(h->curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(h->curl, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(h->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->send_size);
	curl_easy_setopt(h->curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
}

/* POST: 201 where it was mounted, 202 with LOCATION. */
static int upload_begin(struct http *h, const char *digest, const char *from, struct exchange *x,
			char url[URL_MAX], struct err *e)
{
	char path[1024];
	int again = 1;

	snprintf(path, sizeof(path), "blobs/uploads/%s%s%s%.400s", from ? "?mount=" : "",
		 from ? digest : "", from ? "&from=" : "", from ? from : "");
	if (begin(h, e) < 0 || url_of(h, path, url, e) < 0)
		return -1;
	x->h = h;
	for (int try = 0; again == 1; try++) {
		CURLcode rc;

		if (try > TRIES)
			return denied(h, e);
		buf_clear(&x->body);
		set_basics(h, x, url);
		curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, 0L);
		rc = perform(h, x, NULL, true);
		again = judge(h, x, rc, try, "an upload", e);
	}
	return again;
}

/* A mount needs the right to read the other repository: the next token has it. */
static int note_source(struct http *h, const char *from, struct err *e)
{
	if (!from || (h->from && str_eq(h->from, from)))
		return 0;
	free(h->from);
	h->from = strdup(from);
	free(h->token);
	h->token = NULL;
	return h->from ? 0 : err_errno(e, ENOMEM, "uploading");
}

int http_upload(struct http *h, const char *digest, const struct http_body *body, const char *from,
		struct err *e)
{
	int again = note_source(h, from, e) < 0 ? -1 : 1;

	for (int try = 0; again == 1; try++) {
		_cleanup_(exchange_done) struct exchange first = EXCHANGE_INIT, x = EXCHANGE_INIT;
		char url[URL_MAX], to[URL_MAX];
		CURLcode rc;

		if (try > TRIES)
			return denied(h, e);
		if (upload_begin(h, digest, from, &first, url, e) < 0)
			return -1;
		if (from && first.info.status == 201)
			return 1;
		if (str_empty(first.location) || resolve(url, first.location, digest, to, e) < 0)
			return err_set(e, ERR_INVALID, 0, "%s gives no address to upload to",
				       h->host);
		x.h = h;
		x.in = body->fd;
		x.send_size = body->size;
		set_basics(h, &x, to);
		set_upload(h, &x);
		rc = perform(h, &x,
			     curl_slist_append(NULL, "Content-Type: application/octet-stream"),
			     same_origin(url, to));
		again = judge(h, &x, rc, try, digest, e);
		if (again > 0 && x.piped)
			return err_set(e, ERR_IO, 0, "%s: an upload broke off", h->host);
	}
	return again;
}

int http_put(struct http *h, const char *path, const char *type, const struct http_body *body,
	     struct http_info *ret, struct err *e)
{
	_cleanup_(exchange_done) struct exchange x = EXCHANGE_INIT;
	_cleanup_(buf_done) struct buf content = BUF_INIT(512);
	char url[URL_MAX];
	int again = 1;

	if (strpbrk(type, "\r\n") || buf_printf(&content, "Content-Type: %s", type) < 0)
		return err_set(e, ERR_INVALID, 0, "the media type is malformed");
	if (begin(h, e) < 0 || url_of(h, path, url, e) < 0)
		return -1;
	x.h = h;
	x.in = body->fd;
	x.send_size = body->size;
	for (int try = 0; again == 1; try++) {
		CURLcode rc;

		if (try > TRIES)
			return denied(h, e);
		buf_clear(&x.body);
		set_basics(h, &x, url);
		set_upload(h, &x);
		rc = perform(h, &x, curl_slist_append(NULL, buf_str(&content)), true);
		again = judge(h, &x, rc, try, path, e);
	}
	*ret = x.info;
	return again;
}
