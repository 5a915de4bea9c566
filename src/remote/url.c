/* SPDX-License-Identifier: Apache-2.0 */
/* One GET. Who writes a Dockerfile names the URL, and is not trusted with what only this machine
 * reaches: a redirect or a name of theirs must not lead to loopback or link-local addresses, where
 * services without passwords and those with a cloud's keys are. A URL that says "localhost" means
 * it. */
#include "remote/url.h"

#include "base/fd.h"
#include "base/macro.h"
#include "base/str.h"
#include "remote/http.h"
#include "remote/local-address.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 10, CONNECT_SECONDS = 30, STALL_SECONDS = 60, STALL_BYTES = 512 };

struct transfer {
	const struct url_request *q;
	CURL *curl;
	int out;
	int64_t got;
	bool local; /* the URL names this machine */
	uint16_t proxy_port;
	bool too_much, write_failed, refused;
	char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	long status = 0;

	n *= size;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299)
		return n; /* of an error, or of a redirect */
	t->too_much = t->got + (int64_t)n > t->q->max;
	t->write_failed = !t->too_much && fd_write_full(t->out, data, n) < 0;
	if (t->too_much || t->write_failed)
		return 0;
	t->got += (int64_t)n;
	return n;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *t = arg;

	(void)purpose;
	if (!t->local && local_address(&a->addr, t->proxy_port)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Whether the URL itself names this machine. */
static bool names_this_machine(const char *url)
{
	static const char *const names[] = {"localhost", "127.", "[::1]"};
	const char *host = strstr(url, "://");

	for (size_t i = 0; host && i < ARRAY_SIZE(names); i++)
		if (strncasecmp(host + 3, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void set_up(struct transfer *t)
{
	const char *protocols = strncasecmp(t->q->url, "https:", 6) == 0 ? "https" : "http,https";
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_URL, t->q->url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "kogge");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, protocols);
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
	if (!str_empty(t->q->user_password)) {
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(c, CURLOPT_USERPWD, t->q->user_password);
	}
}

static int broken(const struct transfer *t, CURLcode rc, struct err *e)
{
	if (t->too_much)
		return err_set(e, ERR_LIMIT, 0, "fetching '%.300s': more than %lld bytes came",
			       t->q->url, (long long)t->q->max);
	if (t->write_failed)
		return err_set(e, ERR_IO, 0,
			       "fetching '%.300s': it cannot be written (is the disk "
			       "full?)",
			       t->q->url);
	if (t->refused)
		return err_set(e, ERR_HOSTILE, 0,
			       "fetching '%.300s': it leads to an address of this machine",
			       t->q->url);
	return err_set(e, ERR_IO, 0, "fetching '%.300s': %.150s", t->q->url,
		       t->error[0] ? t->error : curl_easy_strerror(rc));
}

static int refused(const struct transfer *t, long status, struct err *e)
{
	enum err_class class = status == 404 || status == 410   ? ERR_NOT_FOUND
			       : status == 401 || status == 403 ? ERR_DENIED
			       : status >= 500                  ? ERR_IO
								: ERR_INVALID;

	return err_set(e, class, 0, "fetching '%.300s': the server answers with status %ld",
		       t->q->url, status);
}

static int fetch(struct transfer *t, struct url_info *ret, struct err *e)
{
	curl_off_t modified = -1;
	long status = 0;
	CURLcode rc;

	set_up(t);
	rc = curl_easy_perform(t->curl);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (rc != CURLE_OK)
		return broken(t, rc, e);
	if (status < 200 || status > 299)
		return refused(t, status, e);
	curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &modified);
	*ret = (struct url_info){.size = t->got, .modified = modified};
	return 0;
}

int url_fetch(const struct url_request *q, int out, struct url_info *ret, struct err *e)
{
	struct transfer t = {.q = q,
			     .out = out,
			     .curl = curl_easy_init(),
			     .local = names_this_machine(q->url),
			     .proxy_port = proxy_port(strncasecmp(q->url, "https:", 6) != 0)};
	int r = t.curl ? fetch(&t, ret, e) : err_set(e, ERR_LIMIT, 0, "libcurl does not start");

	curl_easy_cleanup(t.curl);
	return r;
}
