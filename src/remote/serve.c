/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/serve.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "remote/http.h"
#include "remote/remote-protocol.h"
#include "remote/url.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MAX_ = 2048, LIST_PAGE = 1000 };

static const char *text(const json_t *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m, key));

	return s ? s : "";
}

static char *copy(const json_t *m, const char *key)
{
	const char *s = json_string_value(json_object_get(m, key));

	return s ? strdup(s) : NULL;
}

static json_t *info_json(const struct http_info *i)
{
	return json_pack("{s:b, s:i, s:I, s:s, s:s}", "ok", 1, "status", (int)i->status, "size",
			 (json_int_t)i->size, "type", i->type, "digest", i->digest);
}

static json_t *open_registry(struct http *h, const json_t *m, struct err *e)
{
	if (h->curl)
		return err_set(e, ERR_INVALID, 0, "the registry is given already"), NULL;
	h->host = copy(m, "host");
	h->repository = copy(m, "repository");
	h->user = copy(m, "user");
	h->password = copy(m, "password");
	h->identity = copy(m, "token");
	h->ca = copy(m, "ca");
	h->cert = copy(m, "cert");
	h->key = copy(m, "key");
	h->insecure = json_is_true(json_object_get(m, "insecure"));
	h->push = json_is_true(json_object_get(m, "push"));
	h->stall_seconds = (int)json_integer_value(json_object_get(m, "stall"));
	return http_init(h, e) < 0 ? NULL : json_pack("{s:b}", "ok", 1);
}

static bool is_list(const json_t *m)
{
	return str_eq(text(m, "kind"), "tags") || str_eq(text(m, "kind"), "catalog");
}

/* The path below the repository. Names were checked by who asks, but what is searched for. */
static void path_of(struct http *h, const json_t *m, char out[PATH_MAX_])
{
	const char *kind = text(m, "kind"), *name = text(m, "name");

	if (is_list(m)) {
		snprintf(out, PATH_MAX_, "%s?n=%d%s%s",
			 str_eq(kind, "tags") ? "tags/list" : "_catalog", LIST_PAGE,
			 *name ? "&last=" : "", name);
	} else if (str_eq(kind, "search")) {
		char *term = curl_easy_escape(h->curl, name, 0);

		snprintf(out, PATH_MAX_, "/v1/search?n=%d&q=%s",
			 (int)json_integer_value(json_object_get(m, "n")), term ? term : "");
		curl_free(term);
	} else {
		snprintf(out, PATH_MAX_, "%s/%s", kind, name);
	}
}

static json_t *get(struct http *h, const json_t *m, int fd, struct err *e)
{
	const json_t *max = json_object_get(m, "max");
	char path[PATH_MAX_];
	struct http_info info;

	path_of(h, m, path);
	if (http_get(h, path, fd, json_is_integer(max) ? json_integer_value(max) : -1, &info, e) <
	    0)
		return NULL;
	if (is_list(m))
		info.size = info.more ? REMOTE_MORE : 0;
	return info_json(&info);
}

static json_t *get_range(struct http *h, const json_t *m, int fd, struct err *e)
{
	const struct http_range range = {json_integer_value(json_object_get(m, "offset")),
					 json_integer_value(json_object_get(m, "length")),
					 json_is_true(json_object_get(m, "whole")),
					 json_is_true(json_object_get(m, "all"))};
	char path[PATH_MAX_];

	if (range.offset < 0 || range.length <= 0)
		return err_set(e, ERR_INVALID, 0, "a range is malformed"), NULL;
	path_of(h, m, path);
	return http_get_range(h, path, fd, &range, e) < 0 ? NULL : json_pack("{s:b}", "ok", 1);
}

static json_t *upload(struct http *h, const json_t *m, int fd, struct err *e)
{
	const char *from = json_string_value(json_object_get(m, "from"));
	const struct http_body body = {fd, json_integer_value(json_object_get(m, "size"))};
	int mounted = http_upload(h, text(m, "digest"), &body, from, e);

	return mounted < 0
		       ? NULL
		       : json_pack("{s:b, s:i}", "ok", 1, "status", mounted ? REMOTE_MOUNTED : 202);
}

static json_t *put(struct http *h, const json_t *m, int fd, struct err *e)
{
	struct http_body body = {.fd = fd};
	struct http_info info;
	char path[PATH_MAX_];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "reading a manifest"), NULL;
	body.size = st.st_size;
	snprintf(path, sizeof(path), "manifests/%s", text(m, "name"));
	return http_put(h, path, text(m, "type"), &body, &info, e) < 0 ? NULL : info_json(&info);
}

static json_t *ping(struct http *h, struct err *e)
{
	struct http_info info;

	free(h->repository);
	h->repository = NULL;
	return http_get(h, "", -1, -1, &info, e) < 0 ? NULL : info_json(&info);
}

static json_t *get_url(const json_t *m, int fd, struct err *e)
{
	const struct url_request q = {text(m, "url"), text(m, "userPassword"),
				      json_integer_value(json_object_get(m, "max"))};
	struct url_info info;

	return url_fetch(&q, fd, &info, e) < 0
		       ? NULL
		       : json_pack("{s:b, s:I, s:I}", "ok", 1, "size", (json_int_t)info.size,
				   "modified", (json_int_t)info.modified);
}

static json_t *answer(struct http *h, const json_t *m, int fd, struct err *e)
{
	const char *op = text(m, "op");

	if (str_eq(op, "open"))
		return open_registry(h, m, e);
	if (str_eq(op, "url") && fd >= 0)
		return get_url(m, fd, e);
	if (!h->curl)
		return err_set(e, ERR_INVALID, 0, "no registry was given"), NULL;
	if (str_eq(op, "ping"))
		return ping(h, e);
	if (str_eq(op, "range") && fd >= 0)
		return get_range(h, m, fd, e);
	if (str_eq(op, "get") && fd >= 0)
		return get(h, m, fd, e);
	if (str_eq(op, "head"))
		return get(h, m, -1, e);
	if (str_eq(op, "upload") && fd >= 0)
		return upload(h, m, fd, e);
	if (str_eq(op, "put") && fd >= 0)
		return put(h, m, fd, e);
	return err_set(e, ERR_INVALID, 0, "unknown request"), NULL;
}

static int send_answer(int socket, json_t *j)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(REMOTE_MESSAGE_MAX);
	int rc = j ? json_write(j, 0, &b) : -ENOMEM;

	json_decref(j);
	return rc < 0 ? rc : fd_send(socket, buf_str(&b), b.len, NULL, 0);
}

/* Works on the request M and answers it. Takes FD. */
static int respond(struct http *h, int socket, const json_t *m, int fd, struct err *why)
{
	json_t *id = json_object_get(m, "id");
	json_t *j = m && why->class == ERR_NONE ? answer(h, m, fd, why) : NULL;

	/* Whoever reads the body sees its end before the answer. */
	fd_close(&fd);
	if (!j)
		j = json_pack("{s:b, s:i, s:s%}", "ok", 0, "class", (int)why->class, "error",
			      why->msg, strnlen(why->msg, sizeof(why->msg)));
	if (!j) /* a text that is no UTF-8 */
		j = json_pack("{s:b, s:i, s:s}", "ok", 0, "class", (int)why->class, "error",
			      "the server answers with a message that cannot be shown");
	if (j && id)
		json_object_set(j, "id", id);
	return send_answer(socket, j);
}

/* ---- requests in the background ----
 *
 * One thread for each, with a connection of its own that stays for the next: what comes is
 * decrypted on as many processors as there are, and one that nobody reads stops nobody else. */

struct worker {
	pthread_t thread;
	struct pool *pool;
	struct http http;
	json_t *request; /* NULL: it has nothing to do */
	int fd;
};

struct pool {
	struct worker workers[REMOTE_PARALLEL];
	size_t n;
	int socket;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct err why = ERR_INIT;

		while (!w->request)
			pthread_cond_wait(&p->changed, &p->lock);
		pthread_mutex_unlock(&p->lock);
		(void)respond(&w->http, p->socket, w->request, w->fd, &why);
		pthread_mutex_lock(&p->lock);
		json_decref(w->request);
		w->request = NULL;
		pthread_cond_broadcast(&p->changed);
	}
	return NULL;
}

/* One that has nothing to do, started where there is none; with the lock held. */
static struct worker *idle_worker(struct pool *p, const struct http *h, struct err *e)
{
	for (;;) {
		struct worker *w = &p->workers[p->n];

		for (size_t i = 0; i < p->n; i++)
			if (!p->workers[i].request)
				return &p->workers[i];
		if (p->n == REMOTE_PARALLEL) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		w->pool = p;
		if (http_copy(h, &w->http, e) < 0)
			return NULL;
		if (pthread_create(&w->thread, NULL, work, w) != 0) {
			http_done(&w->http);
			return err_set(e, ERR_LIMIT, 0, "a thread cannot be started"), NULL;
		}
		p->n++;
		return w;
	}
}

/* Takes M and FD. */
static int delegate(struct pool *p, const struct http *h, json_t *m, int fd, struct err *e)
{
	struct worker *w = NULL;

	if (!h->curl)
		return err_set(e, ERR_INVALID, 0, "no registry was given");
	pthread_mutex_lock(&p->lock);
	w = idle_worker(p, h, e);
	if (w) {
		w->fd = fd;
		w->request = m;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return w ? 0 : -1;
}

/* One request. 1, or 0 at the end. */
static int serve_one(struct http *h, struct pool *p, char *message, struct err *e)
{
	_cleanup_(json_unref) json_t *m = NULL;
	_cleanup_(fd_close) int fd = -1;
	struct err why = ERR_INIT;
	ssize_t n = fd_recv(p->socket, message, REMOTE_MESSAGE_MAX, &fd, 1);
	int rc;

	if (n <= 0)
		return n < 0 ? err_errno(e, (int)n, "listening to kogge") : 0;
	m = json_parse(message, (size_t)n, "a request", &why);
	if (m && json_object_get(m, "id") && delegate(p, h, m, fd, &why) == 0) {
		m = NULL;
		fd = -1;
		return 1;
	}
	rc = respond(h, p->socket, m, TAKE_FD(fd), &why);
	return rc < 0 ? err_errno(e, rc, "answering") : 1;
}

int remote_serve(int socket, struct err *e)
{
	_cleanup_(freep) char *message = malloc(REMOTE_MESSAGE_MAX);
	_cleanup_(freep) struct pool *p = calloc(1, sizeof(*p));
	struct http h = {.curl = NULL};
	int r = 1;

	if (!message || !p || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_errno(e, ENOMEM, "starting");
	p->socket = socket;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	while (r > 0)
		r = serve_one(&h, p, message, e);
	/* The parent is gone, or has what it wanted: what still runs need not end by itself. */
	if (p->n > 0)
		_exit(r < 0);
	http_done(&h);
	curl_global_cleanup();
	return r;
}
