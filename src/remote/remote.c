/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/remote.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "remote/remote-protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_PAGE_MAX = 1 << 20, LIST_MAX = 100000, PIPE_SIZE = 1 << 20 };

/* The proxies that the user has set, and nothing else of the environment. */
static const char *const environment[] = {"HTTPS_PROXY", "https_proxy",  "http_proxy",
					  "ALL_PROXY",   "all_proxy",    "NO_PROXY",
					  "no_proxy",    "SSL_CERT_FILE"};

static void proxies(char *store[], const char *env[], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(environment) && n + 1 < max; i++) {
		const char *v = getenv(environment[i]);

		if (v && asprintf(&store[n], "%s=%s", environment[i], v) >= 0) {
			env[n] = store[n];
			n++;
		}
	}
}

static int spawn(struct remote *r, int theirs, struct err *e)
{
	static const char *const argv[] = {"kogge-remote", NULL};
	_cleanup_(fd_close) int program = program_open("kogge-remote");
	char *store[ARRAY_SIZE(environment)] = {NULL};
	const char *env[ARRAY_SIZE(environment) + 1] = {NULL};
	const int fds[] = {-1, -1, 2, theirs};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	int rc;

	if (program < 0)
		return err_errno(e, program, "finding the program kogge-remote");
	proxies(store, env, ARRAY_SIZE(env));
	s.exe = program;
	s.argv = argv;
	s.env = env;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	s.pdeathsig = 9;
	rc = process_spawn(&s, &r->process);
	for (size_t i = 0; i < ARRAY_SIZE(store); i++)
		free(store[i]);
	return rc < 0 ? err_errno(e, rc, "starting kogge-remote") : 0;
}

static int ask(struct remote *r, json_t *request, const int *fds, size_t n_fds, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(REMOTE_MESSAGE_MAX);
	int rc = request ? json_write(request, 0, &b) : -ENOMEM;

	json_decref(request);
	if (rc == 0)
		rc = fd_send(r->socket, buf_str(&b), b.len, fds, n_fds);
	return rc < 0 ? err_errno(e, rc, "asking kogge-remote") : 0;
}

/* A program that sees the network may say anything: the class is looked up and the text made
 * printable. */
static int failed(const json_t *answer, struct err *e)
{
	json_int_t class = json_integer_value(json_object_get(answer, "class"));
	const char *text = json_string_value(json_object_get(answer, "error"));
	char clean[512];
	size_t n = 0;

	for (; text && text[n] && n < sizeof(clean) - 1; n++)
		clean[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
	clean[n] = '\0';
	if (class <= ERR_NONE || class >= ERR_CLASS_N || n == 0)
		return err_set(e, ERR_INTERNAL, 0, "kogge-remote gave a malformed answer");
	return err_set(e, (enum err_class) class, 0, "%s", clean);
}

/* The next message, a reference owned by the caller. */
static json_t *receive(struct remote *r, struct err *e)
{
	_cleanup_(freep) char *text = malloc(REMOTE_MESSAGE_MAX);
	ssize_t n;

	if (!text)
		return err_errno(e, ENOMEM, "listening to kogge-remote"), NULL;
	n = fd_recv(r->socket, text, REMOTE_MESSAGE_MAX, NULL, 0);
	if (n <= 0)
		return err_set(e, ERR_IO, n < 0 ? (int)-n : 0,
			       "kogge-remote ended without an answer"),
		       NULL;
	return json_parse(text, (size_t)n, "the answer of kogge-remote", e);
}

/* The answer, a reference owned by the caller; NULL with the error that it tells of. */
static json_t *answer(struct remote *r, struct err *e)
{
	json_t *j = receive(r, e);

	if (!j)
		return NULL;
	if (json_is_true(json_object_get(j, "ok")))
		return j;
	failed(j, e);
	json_decref(j);
	return NULL;
}

static int call(struct remote *r, json_t *request, int fd, struct remote_info *info, struct err *e)
{
	_cleanup_(json_unref) json_t *j = NULL;
	const char *type, *digest;
	struct digest parsed;

	if (ask(r, request, &fd, fd >= 0, e) < 0)
		return -1;
	j = answer(r, e);
	if (!j)
		return -1;
	if (!info)
		return (int)json_integer_value(json_object_get(j, "status"));
	*info = (struct remote_info){.size = -1};
	if (json_is_integer(json_object_get(j, "size")))
		info->size = json_integer_value(json_object_get(j, "size"));
	type = json_string_value(json_object_get(j, "type"));
	digest = json_string_value(json_object_get(j, "digest"));
	if (type && strlen(type) < sizeof(info->type))
		memcpy(info->type, type, strlen(type) + 1);
	if (digest && digest_parse(digest, &parsed, NULL) == 0)
		memcpy(info->digest, parsed.text, sizeof(info->digest));
	return (int)json_integer_value(json_object_get(j, "status"));
}

/* Starts kogge-remote, which waits for its first request. */
static int begin(struct remote *r, struct err *e)
{
	_cleanup_(fd_close) int theirs = -1;
	int pair[2], size = REMOTE_MESSAGE_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "making a socket");
	r->socket = pair[0];
	theirs = pair[1];
	(void)setsockopt(r->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return spawn(r, theirs, e);
}

int remote_open(struct remote *r, const struct remote_target *t, struct err *e)
{
	if (begin(r, e) < 0)
		return -1;
	return call(r,
		    json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}",
			      "op", "open", "host", t->host, "repository", t->repository, "push",
			      t->push, "insecure", t->insecure, "stall", t->stall_seconds, "cert",
			      t->cert, "key", t->key, "user", t->user, "password", t->password,
			      "token", t->identity_token, "ca", t->ca),
		    -1, NULL, e) < 0
		       ? -1
		       : 0;
}

int remote_fetch_url(const struct remote_url *u, int fd, int64_t *ret_modified, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	const json_t *modified;

	if (begin(&r, e) < 0 ||
	    ask(&r,
		json_pack("{s:s, s:s, s:s, s:I}", "op", "url", "url", u->url, "userPassword",
			  u->user_password ? u->user_password : "", "max", (json_int_t)u->max),
		&fd, 1, e) < 0)
		return -1;
	j = answer(&r, e);
	modified = json_object_get(j, "modified");
	*ret_modified = json_is_integer(modified) ? json_integer_value(modified) : -1;
	return j ? 0 : -1;
}

void remote_close(struct remote *r)
{
	fd_close(&r->socket);
	if (r->process.pidfd >= 0)
		process_kill(&r->process);
	process_done(&r->process);
}

int remote_ping(struct remote *r, struct err *e)
{
	return call(r, json_pack("{s:s}", "op", "ping"), -1, NULL, e) < 0 ? -1 : 0;
}

void remote_document_done(struct remote_document *d)
{
	free(d->data);
	*d = REMOTE_DOCUMENT_INIT;
}

/* A document of at most MAX bytes into memory: by a memfd, so that its size is known before. */
static int fetch(struct remote *r, json_t *request, size_t max, struct remote_document *ret,
		 struct err *e)
{
	_cleanup_(fd_close) int fd = memfd_create("document", MFD_CLOEXEC);
	_cleanup_(freep) char *data = NULL;
	struct stat st;

	if (fd < 0) {
		json_decref(request);
		return err_errno(e, errno, "making a buffer");
	}
	if (call(r, request, fd, &ret->info, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "reading a document");
	if ((uint64_t)st.st_size > max)
		return err_set(e, ERR_LIMIT, 0, "the server sent a document of more than %zu bytes",
			       max);
	data = malloc((size_t)st.st_size + 1);
	if (!data || fd_pread_full(fd, data, (size_t)st.st_size, 0) != st.st_size)
		return err_errno(e, data ? EIO : ENOMEM, "reading a document");
	data[st.st_size] = '\0';
	ret->n = (size_t)st.st_size;
	ret->data = TAKE_PTR(data);
	return 0;
}

int remote_get_manifest(struct remote *r, const char *ref, size_t max, struct remote_document *ret,
			struct err *e)
{
	return fetch(r,
		     json_pack("{s:s, s:s, s:s, s:I}", "op", "get", "kind", "manifests", "name",
			       ref, "max", (json_int_t)max),
		     max, ret, e);
}

int remote_head(struct remote *r, const char *kind, const char *ref, struct remote_info *info,
		struct err *e)
{
	struct err why = ERR_INIT;

	if (call(r, json_pack("{s:s, s:s, s:s}", "op", "head", "kind", kind, "name", ref), -1, info,
		 &why) >= 0)
		return 1;
	if (why.class == ERR_NOT_FOUND)
		return 0;
	*e = why;
	return -1;
}

int remote_get_blob(struct remote *r, const struct digest *d, int64_t size, struct err *e)
{
	_cleanup_(fd_close) int ours = -1;
	_cleanup_(fd_close) int theirs = -1;
	int pair[2], rc = fd_pipe(pair);

	if (rc < 0)
		return err_errno(e, rc, "making a pipe");
	ours = pair[0];
	theirs = pair[1];
	(void)fcntl(theirs, F_SETPIPE_SZ, PIPE_SIZE);
	if (ask(r,
		json_pack("{s:s, s:s, s:s, s:I}", "op", "get", "kind", "blobs", "name", d->text,
			  "max", (json_int_t)size),
		&theirs, 1, e) < 0)
		return -1;
	return TAKE_FD(ours);
}

int remote_end(struct remote *r, struct err *e)
{
	_cleanup_(json_unref) json_t *j = answer(r, e);

	return j ? 0 : -1;
}

int remote_fetch(struct remote *r, const struct remote_range *range, unsigned id, struct err *e)
{
	_cleanup_(fd_close) int ours = -1;
	_cleanup_(fd_close) int theirs = -1;
	int pair[2], rc = fd_pipe(pair);

	if (rc < 0)
		return err_errno(e, rc, "making a pipe");
	ours = pair[0];
	theirs = pair[1];
	(void)fcntl(theirs, F_SETPIPE_SZ, PIPE_SIZE);
	rc = fd_nonblock(ours, true);
	if (rc < 0)
		return err_errno(e, rc, "making a pipe");
	if (ask(r,
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:b, s:i}", "op", "range", "kind",
			  "blobs", "name", range->digest->text, "offset", (json_int_t)range->offset,
			  "length", (json_int_t)range->length, "whole", range->whole, "all",
			  range->all, "id", (int)id),
		&theirs, 1, e) < 0)
		return -1;
	return TAKE_FD(ours);
}

int remote_begin_head(struct remote *r, const struct digest *d, unsigned id, struct err *e)
{
	return ask(r,
		   json_pack("{s:s, s:s, s:s, s:i}", "op", "head", "kind", "blobs", "name", d->text,
			     "id", (int)id),
		   NULL, 0, e);
}

static json_t *upload_request(const struct remote_blob *b)
{
	return json_pack("{s:s, s:s, s:I, s:s*}", "op", "upload", "digest", b->digest->text, "size",
			 (json_int_t)b->size, "from", b->from);
}

int remote_begin_put(struct remote *r, const struct remote_blob *b, unsigned id, struct err *e)
{
	json_t *request = upload_request(b);

	if (request && json_object_set_new(request, "id", json_integer((json_int_t)id)) < 0) {
		json_decref(request);
		request = NULL;
	}
	return ask(r, request, &b->fd, 1, e);
}

int remote_take(struct remote *r, unsigned *ret_id, struct err *e)
{
	_cleanup_(json_unref) json_t *j = NULL;
	json_int_t id = 0;

	*ret_id = 0;
	j = receive(r, e);
	if (!j)
		return -1;
	id = json_integer_value(json_object_get(j, "id"));
	if (id <= 0 || id > INT32_MAX)
		return err_set(e, ERR_INTERNAL, 0, "kogge-remote gave a malformed answer");
	*ret_id = (unsigned)id;
	if (!json_is_true(json_object_get(j, "ok")))
		return failed(j, e);
	return json_integer_value(json_object_get(j, "status")) == REMOTE_MOUNTED ? REMOTE_MOUNTED
										  : 0;
}

int remote_put_blob(struct remote *r, const struct remote_blob *b, struct err *e)
{
	int status = call(r, upload_request(b), b->fd, NULL, e);

	return status < 0 ? -1 : status == REMOTE_MOUNTED;
}

int remote_put_manifest(struct remote *r, const char *ref, const char *type, const char *data,
			size_t n, struct err *e)
{
	_cleanup_(fd_close) int fd = fd_memfd("manifest", data, n, true);

	if (fd < 0)
		return err_errno(e, fd, "making a buffer");
	return call(r, json_pack("{s:s, s:s, s:s}", "op", "put", "name", ref, "type", type), fd,
		    NULL, e) < 0
		       ? -1
		       : 0;
}

int remote_get_document(struct remote *r, const struct digest *d, size_t max,
			struct remote_document *ret, struct err *e)
{
	struct digest have;

	if (fetch(r,
		  json_pack("{s:s, s:s, s:s, s:I}", "op", "get", "kind", "blobs", "name", d->text,
			    "max", (json_int_t)max),
		  max, ret, e) < 0)
		return -1;
	digest_of(ret->data, ret->n, &have);
	return digest_eq(&have, d)
		       ? 0
		       : err_set(e, ERR_CORRUPT, 0, "blob %s: what came has the digest %s", d->text,
				 have.text);
}

int remote_search(struct remote *r, const char *term, int n, struct remote_document *ret,
		  struct err *e)
{
	return fetch(r,
		     json_pack("{s:s, s:s, s:s, s:i, s:I}", "op", "get", "kind", "search", "name",
			       term, "n", n, "max", (json_int_t)LIST_PAGE_MAX),
		     LIST_PAGE_MAX, ret, e);
}

/* What is listed in pages: KIND of the request, MEMBER of the answer. */
struct listing {
	const char *kind, *member;
	bool (*good)(const char *s);
};

static bool is_repository(const char *s)
{
	struct reference ref;

	return reference_parse(s, &ref, NULL) == 0 && !ref.tag[0] && !digest_is_set(&ref.digest);
}

/* One page; *LAST is the last of it, where more may follow. */
static int list_page(struct remote *r, const struct listing *l, struct arena *a, const char ***v,
		     size_t *n, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	_cleanup_(json_unref) json_t *j = NULL;
	const char *last = *n ? (*v)[*n - 1] : "";
	json_t *list, *item;
	size_t i, before = *n;

	if (fetch(r,
		  json_pack("{s:s, s:s, s:s, s:I}", "op", "get", "kind", l->kind, "name", last,
			    "max", (json_int_t)LIST_PAGE_MAX),
		  LIST_PAGE_MAX, &doc, e) < 0)
		return -1;
	j = json_parse(doc.data, doc.n, "the list", e);
	if (!j)
		return -1;
	list = json_object_get(j, l->member);
	json_array_foreach (list, i, item) {
		const char *s = json_string_value(item);

		if (!s || !l->good(s))
			return err_set(e, ERR_INVALID, 0, "the list of %s: malformed", l->member);
		if (*n >= LIST_MAX || arena_strv_push(a, v, n, arena_strdup(a, s)) < 0)
			return err_set(e, ERR_LIMIT, 0, "there are too many %s", l->member);
	}
	return *n > before && doc.info.size == REMOTE_MORE;
}

static int list_all(struct remote *r, const struct listing *l, struct arena *a, const char ***ret,
		    struct err *e)
{
	size_t n = 0;
	int more;

	*ret = NULL;
	do
		more = list_page(r, l, a, ret, &n, e);
	while (more > 0);
	return more;
}

int remote_tags(struct remote *r, struct arena *a, const char ***ret, struct err *e)
{
	static const struct listing tags = {"tags", "tags", reference_is_tag};

	return list_all(r, &tags, a, ret, e);
}

int remote_catalog(struct remote *r, struct arena *a, const char ***ret, struct err *e)
{
	static const struct listing repositories = {"catalog", "repositories", is_repository};

	return list_all(r, &repositories, a, ret, e);
}
