/* SPDX-License-Identifier: Apache-2.0 */
/* A request that lacks something is put aside by the server (request.waits, registry_wait) and so
 * holds no thread. Fetches are jobs, one for each kind, repository and reference; further requests
 * for the same join it. A few threads, made when there is work, take one job after the other: they
 * start kogge-remote, store what comes, and wake everybody who waits, who then finds it in the
 * storage or the error in his request.
 *
 * What is stored was verified by its digest, whatever the upstream said, except what a tag stands
 * for, which only the upstream knows. A tag whose time is over is asked for by HEAD; where that
 * fails, what is there is served with a warning (RFC 9111 5.5: 110). An upstream that cannot be
 * reached is not asked again for a while, so that what is cached is served without delay. */
#include "registry/cache.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "registry/document.h"
#include "registry/registry-internal.h"
#include "remote/remote.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FETCHERS_MAX 8
#define WAITING_MAX  1000
#define PAUSE_NS     (10 * (int64_t)NUM_NS_PER_S) /* after an upstream could not be reached */
#define BLOB_MAX     ((int64_t)1 << 40)
#define PIECE_SIZE   ((size_t)256 << 10)

struct job {
	struct job *next;
	const struct cache_upstream *upstream;
	enum cache_kind kind;
	char repository[NAME_MAX_LENGTH + 1];
	char reference[512];
	struct request *waiting; /* linked by next_waiting */
	bool taken;
	struct err err;
};

struct fetcher {
	struct cache *cache;
	pthread_t thread;
	int pidfd; /* of the kogge-remote that works for it, or -1; under the mutex */
};

struct cache {
	struct storage *storage;
	const struct cache_upstream *upstreams;
	size_t n_upstreams;
	int64_t *down_until; /* of each upstream, monotonic */
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct job *jobs;
	struct fetcher fetchers[FETCHERS_MAX];
	size_t n_fetchers, idle, waiting;
	bool ends;
};

struct cache *cache_new(struct storage *s, const struct cache_upstream *upstreams, size_t n)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c || !(c->down_until = calloc(n + 1, sizeof(*c->down_until)))) {
		free(c);
		return NULL;
	}
	c->storage = s;
	c->upstreams = upstreams;
	c->n_upstreams = n;
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->work, NULL);
	return c;
}

/* What of REPOSITORY follows the prefix of U; NULL where it is not below it. */
static const char *below(const struct cache_upstream *u, const char *repository)
{
	const char *rest = str_after(repository, u->prefix);

	if (!*u->prefix)
		return repository;
	return rest && rest[0] == '/' ? rest + 1 : NULL;
}

const struct cache_upstream *cache_upstream(const struct cache *c, const char *repository)
{
	const struct cache_upstream *best = NULL;

	for (size_t i = 0; c && i < c->n_upstreams; i++)
		if (below(&c->upstreams[i], repository) &&
		    (!best || strlen(c->upstreams[i].prefix) > strlen(best->prefix)))
			best = &c->upstreams[i];
	return best;
}

/* Whether the tag's time is over; what is no tag never changes. */
static bool is_stale(const struct request *r, const struct cache_upstream *u)
{
	struct storage *s = r->registry->storage;
	struct storage_stat st;
	char key[KEY_SIZE];
	int64_t age;

	if (!name_is_tag(r->route.reference))
		return false;
	key_tag(r->route.repository, r->route.reference, key);
	if (s->ops->stat(s, key, &st, NULL) < 0)
		return true;
	age = clock_now() - st.mtime;
	return age < 0 || age >= (int64_t)u->tag_seconds * (int64_t)NUM_NS_PER_S;
}

bool cache_wait(struct request *r, enum cache_kind kind, bool found)
{
	const struct cache_upstream *u =
		r->wake && !r->fetched ? cache_upstream(r->registry->cache, r->route.repository)
				       : NULL;

	if (!u || (found && (kind == CACHE_BLOB || !is_stale(r, u))))
		return false;
	r->waits = true;
	r->wants_blob = kind == CACHE_BLOB;
	return true;
}

bool cache_reply(struct request *r, const char *code)
{
	const struct err *e = &r->fetch_err;

	if (!r->fetched || e->class == ERR_NONE)
		return false;
	if (e->class == ERR_NOT_FOUND) {
		reply_error(r, 404, code, "%s", e->msg);
	} else if (e->class == ERR_LIMIT && e->errnum) {
		reply_err(r, code, e);
	} else {
		reply_error(r, 502, CODE_UNKNOWN, "%s", e->msg);
		reply_header(r, "Retry-After", "%u", (unsigned)(PAUSE_NS / NUM_NS_PER_S));
	}
	return true;
}

/* A blob as it comes from the pipe FD into an upload; its digest goes to RET. */
static int receive(struct storage_upload *u, int fd, struct content_digest *ret, struct err *e)
{
	_cleanup_(freep) char *piece = malloc(PIECE_SIZE);
	struct content_hash h;
	ssize_t n;

	if (!piece)
		return err_errno(e, ENOMEM, "fetching a blob");
	content_hash_init(&h, CONTENT_SHA256);
	while ((n = fd_read_full(fd, piece, PIECE_SIZE)) > 0) {
		content_hash_add(&h, piece, (size_t)n);
		if (u->storage->ops->upload_write(u, piece, (size_t)n, e) < 0)
			return -1;
	}
	content_hash_end(&h, ret);
	return n < 0 ? err_errno(e, (int)n, "fetching a blob") : 0;
}

static int fetch_blob(struct cache *c, const struct job *j, struct remote *r, struct err *e)
{
	struct storage *s = c->storage;
	struct content_digest got;
	struct storage_upload *u;
	struct digest want;
	char id[STORAGE_UPLOAD_ID_SIZE], key[KEY_SIZE];
	uint64_t size;
	int k;

	if (digest_parse(j->reference, &want, NULL) < 0)
		return err_set(e, ERR_NOT_FOUND, 0, "only blobs by sha256 are cached");
	_cleanup_(fd_close) int fd = remote_get_blob(r, &want, BLOB_MAX, e);

	if (fd < 0 || s->ops->upload_open(s, id, true, &u, &size, e) < 0)
		return -1;
	k = receive(u, fd, &got, e);
	fd_close(&fd);
	if (k == 0)
		k = remote_end(r, e);
	if (k == 0 && !str_eq(got.text, want.text))
		k = err_set(e, ERR_CORRUPT, 0, "'%s' sent a blob with the digest %s instead of %s",
			    j->upstream->host, got.text, want.text);
	if (k < 0) {
		s->ops->upload_close(u, NULL, false, NULL);
		return -1;
	}
	key_blob(&got, key);
	if (s->ops->upload_close(u, key, false, e) < 0)
		return -1;
	key_link(j->repository, LINK_BLOBS, &got, key);
	return s->ops->put(s, key, "", 0, e);
}

static int store_manifest(struct cache *c, const struct job *j, const struct remote_document *doc,
			  struct content_digest *ret, struct err *e)
{
	_cleanup_(document_done) struct document d = DOCUMENT_INIT;
	struct content_digest want = {.algorithm = CONTENT_SHA256};
	bool by_digest = strchr(j->reference, ':') != NULL;
	char key[KEY_SIZE];

	if (by_digest && content_digest_parse(j->reference, &want, e) < 0)
		return -1;
	content_digest_of(want.algorithm, doc->data, doc->n, ret);
	if (by_digest && !content_digest_eq(ret, &want))
		return err_set(e, ERR_CORRUPT, 0,
			       "'%s' sent a manifest with the digest %s instead of %s",
			       j->upstream->host, ret->text, want.text);
	if (document_parse(doc->data, doc->n, doc->info.type, &d, e) < 0)
		return err_wrap(e, "the manifest of '%s'", j->upstream->host);
	snprintf(key, sizeof(key), "repositories/%s/" CACHE_MARK, j->repository);
	if (c->storage->ops->put(c->storage, key, j->upstream->host, strlen(j->upstream->host), e) <
	    0)
		return -1;
	return manifest_store(c->storage, j->repository, &d, ret,
			      &(struct bytes){doc->data, doc->n}, e);
}

/* Whether the tag still stands for what is here; then it is so for another while. */
static bool renew_tag(struct cache *c, const struct job *j, struct remote *r, const char *key,
		      struct err *e)
{
	char text[CONTENT_DIGEST_SIZE + 8];
	struct content_digest d;
	struct remote_info info;
	struct storage_stat st;
	char link[KEY_SIZE];

	if (storage_read(c->storage, key, text, sizeof(text), NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (content_digest_parse(text, &d, NULL) < 0)
		return false;
	key_link(j->repository, LINK_MANIFESTS, &d, link);
	return c->storage->ops->stat(c->storage, link, &st, NULL) == 0 &&
	       remote_head(r, "manifests", j->reference, &info, e) > 0 &&
	       str_eq(info.digest, d.text) && c->storage->ops->touch(c->storage, key, NULL) == 0;
}

static int fetch_manifest(struct cache *c, const struct job *j, struct remote *r, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	bool tag = name_is_tag(j->reference);
	char key[KEY_SIZE], text[CONTENT_DIGEST_SIZE + 8];
	struct content_digest d;
	struct err why = ERR_INIT;
	int n;

	key_tag(j->repository, j->reference, key);
	if (tag && renew_tag(c, j, r, key, &why))
		return 0;
	if (why.class != ERR_NONE) {
		*e = why;
		return -1;
	}
	if (remote_get_manifest(r, j->reference, REGISTRY_MANIFEST_MAX, &doc, e) < 0) {
		/* What the upstream has not got any more ends here, too. */
		if (tag && e->class == ERR_NOT_FOUND)
			c->storage->ops->remove(c->storage, key, NULL, NULL);
		return -1;
	}
	if (store_manifest(c, j, &doc, &d, e) < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%s\n", d.text);
	return tag ? c->storage->ops->put(c->storage, key, text, (size_t)n, e) : 0;
}

static void remember(struct fetcher *f, int pidfd)
{
	pthread_mutex_lock(&f->cache->mutex);
	f->pidfd = pidfd;
	pthread_mutex_unlock(&f->cache->mutex);
}

static int fetch(struct fetcher *f, struct job *j)
{
	const struct cache_upstream *u = j->upstream;
	struct remote_target t = {.host = u->host,
				  .repository = below(u, j->repository),
				  .user = u->user,
				  .password = u->password,
				  .ca = u->ca};
	struct remote r = REMOTE_INIT;
	int k;

	k = remote_open(&r, &t, &j->err);
	if (k < 0)
		j->err.class = ERR_IO; /* a missing program is no missing image */
	remember(f, r.process.pidfd);
	if (k == 0 && j->kind == CACHE_BLOB)
		k = fetch_blob(f->cache, j, &r, &j->err);
	else if (k == 0)
		k = fetch_manifest(f->cache, j, &r, &j->err);
	remember(f, -1);
	remote_close(&r);
	return k;
}

/* The pause of the job's upstream. */
static int64_t *pause_of(struct cache *c, const struct job *j)
{
	return &c->down_until[j->upstream - c->upstreams];
}

/* Outside the mutex, with J taken. */
static void work_on(struct fetcher *f, struct job *j, bool down)
{
	if (down)
		err_set(&j->err, ERR_IO, 0, "'%s' could not be reached a moment ago",
			j->upstream->host);
	else if (fetch(f, j) < 0 && j->err.class == ERR_NONE)
		err_set(&j->err, ERR_IO, 0, "fetching from '%s'", j->upstream->host);
}

/* Takes J out of the list and lets everybody go on who waits for it. */
static void finish(struct cache *c, struct job *j)
{
	struct job **at = &c->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	while (j->waiting) {
		struct request *r = j->waiting;

		j->waiting = r->next_waiting;
		c->waiting--;
		r->fetch_err = j->err;
		r->fetched = true;
		r->waits = false;
		r->wake(r);
	}
	free(j);
}

/* A job that nobody works on. */
static struct job *next_job(struct cache *c)
{
	struct job *j = c->jobs;

	while (j && j->taken)
		j = j->next;
	return j;
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	struct cache *c = f->cache;

	pthread_mutex_lock(&c->mutex);
	while (!c->ends) {
		struct job *j = next_job(c);
		bool down;

		if (!j) {
			c->idle++;
			pthread_cond_wait(&c->work, &c->mutex);
			c->idle--;
			continue;
		}
		j->taken = true;
		down = clock_monotonic() < *pause_of(c, j);
		pthread_mutex_unlock(&c->mutex);
		work_on(f, j, down);
		pthread_mutex_lock(&c->mutex);
		if (j->err.class == ERR_IO && !down)
			*pause_of(c, j) = clock_monotonic() + PAUSE_NS;
		finish(c, j);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* Under the mutex: one more thread where all are busy. */
static void start_fetcher(struct cache *c)
{
	struct fetcher *f = &c->fetchers[c->n_fetchers];

	if (c->idle > 0 || c->n_fetchers == FETCHERS_MAX)
		return;
	*f = (struct fetcher){.cache = c, .pidfd = -1};
	if (pthread_create(&f->thread, NULL, run, f) == 0)
		c->n_fetchers++;
}

/* The job that R waits for; a new one where there is none. */
static struct job *job_of(struct cache *c, const struct request *r)
{
	enum cache_kind kind = r->wants_blob ? CACHE_BLOB : CACHE_MANIFEST;
	struct job *j;

	for (j = c->jobs; j; j = j->next)
		if (j->kind == kind && str_eq(j->repository, r->route.repository) &&
		    str_eq(j->reference, r->route.reference))
			return j;
	j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->kind = kind;
	j->upstream = cache_upstream(c, r->route.repository);
	snprintf(j->repository, sizeof(j->repository), "%s", r->route.repository);
	snprintf(j->reference, sizeof(j->reference), "%s", r->route.reference);
	j->next = c->jobs;
	c->jobs = j;
	return j;
}

void registry_wait(struct request *r)
{
	struct cache *c = r->registry->cache;
	struct job *j;

	pthread_mutex_lock(&c->mutex);
	j = c->ends || c->waiting >= WAITING_MAX ? NULL : job_of(c, r);
	if (j) {
		r->next_waiting = j->waiting;
		j->waiting = r;
		c->waiting++;
		start_fetcher(c);
		pthread_cond_signal(&c->work);
	} else {
		err_set(&r->fetch_err, ERR_IO, 0, "too many requests wait for other registries");
		r->fetched = true;
		r->waits = false;
		r->wake(r);
	}
	pthread_mutex_unlock(&c->mutex);
}

void cache_stop(struct cache *c)
{
	pthread_mutex_lock(&c->mutex);
	c->ends = true;
	for (size_t i = 0; i < c->n_fetchers; i++)
		if (c->fetchers[i].pidfd >= 0)
			syscall(SYS_pidfd_send_signal, c->fetchers[i].pidfd, SIGKILL, NULL, 0);
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->mutex);
	for (size_t i = 0; i < c->n_fetchers; i++)
		pthread_join(c->fetchers[i].thread, NULL);
	pthread_mutex_lock(&c->mutex);
	while (c->jobs) {
		err_set(&c->jobs->err, ERR_IO, 0, "the registry ends");
		finish(c, c->jobs);
	}
	pthread_mutex_unlock(&c->mutex);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->mutex);
	free(c->down_until);
	free(c);
}
