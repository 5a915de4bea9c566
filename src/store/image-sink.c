/* SPDX-License-Identifier: Apache-2.0 */
/* The store as the content sink of image/. Where a layer's tree depends on its diff ID alone, a
 * blob that looks like a layer is unpacked while it comes by: kogge-unpack gets the same bytes
 * through a pipe, on another processor, and no second pass over the data is needed. Whether the
 * tree is wanted is decided later; what is not goes with the lease. If kogge-unpack refuses the
 * stream, the blob is kept all the same: it is unpacked again, and the error reported, if an image
 * names it as a layer. */
#include "store/image-loader.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/trace.h"
#include "oci/media-type.h"
#include "store/content.h"
#include "store/content-partial.h"
#include "unpack/unpack-client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A tar header's magic stands at byte 257. */
#define SINK_HEAD 262
#define SINK_READ ((size_t)1 << 18)

struct content_writer {
	struct loader *loader;
	struct ingest *ingest;   /* or */
	struct partial *partial; /* one that comes in parts */
	uint64_t fed;            /* bytes of it that the child has */
	char head[SINK_HEAD];
	size_t n_head;
	bool decided;
	bool unpacking;
	struct unpack_job job;
	int target;
	char snapshot[SNAPSHOT_ID_SIZE];
};

int loader_program(struct store *s, struct err *e)
{
	if (s->unpack >= 0)
		return s->unpack;
	s->unpack = program_open("kogge-unpack");
	if (s->unpack < 0) {
		int r = s->unpack;

		s->unpack = -1;
		return err_errno(e, r, "finding the program kogge-unpack");
	}
	return s->unpack;
}

static void writer_drop_tree(struct content_writer *w)
{
	if (!w->unpacking)
		return;
	unpack_job_done(&w->job);
	fd_close(&w->target);
	snapshot_layer_abort(w->loader->store, w->snapshot);
	w->unpacking = false;
}

static void writer_free(struct content_writer *w)
{
	if (!w)
		return;
	writer_drop_tree(w);
	ingest_abort(w->ingest);
	partial_end(w->partial, true);
	free(w);
}

static struct content_writer *writer_new(struct content_sink *sink, struct err *e)
{
	struct content_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_errno(e, ENOMEM, "beginning a blob"), NULL;
	w->loader = (struct loader *)sink;
	w->job = UNPACK_JOB_INIT;
	w->target = -1;
	return w;
}

static struct content_writer *loader_sink_begin(struct content_sink *sink, int64_t size,
						struct err *e)
{
	struct content_writer *w = writer_new(sink, e);

	if (!w)
		return NULL;
	if (ingest_begin(&w->loader->store->content, &w->ingest, e) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

/* A blob that the store has is neither written nor unpacked again. */
static void loader_sink_claim(struct content_writer *w, const struct digest *claimed)
{
	if (ingest_expect(w->ingest, claimed, NULL) > 0)
		w->decided = true;
}

static bool writer_is_layer(const struct content_writer *w)
{
	if (w->loader->unpack_all)
		return true;
	if (!w->loader->store->driver->whiteouts_kept)
		return false;
	if (media_compression_of_magic(w->head, w->n_head) != MEDIA_PLAIN)
		return true;
	return w->n_head == SINK_HEAD && memcmp(w->head + 257, "ustar", 5) == 0;
}

static int writer_start(struct content_writer *w, struct err *e)
{
	struct store *s = w->loader->store;
	struct unpack_request req = {
		.input = -1,
		.mode = s->driver->whiteouts_kept ? UNPACK_OVERLAY : UNPACK_APPLY,
		.limits = UNPACK_LIMITS_DEFAULT,
		.hashed = true,
	};
	int program = loader_program(s, e);

	if (program < 0)
		return -1;
	w->target = snapshot_layer_begin(s, NULL, w->snapshot, e);
	if (w->target < 0)
		return -1;
	w->unpacking = true;
	req.target = w->target;
	return unpack_job_start(&w->job, program, &req, e);
}

/* Errors of the child are not the blob's: see above. */
static void writer_feed(struct content_writer *w, const void *data, size_t n)
{
	if (w->unpacking && unpack_job_feed(&w->job, data, n, NULL) < 0 && !w->loader->unpack_all)
		writer_drop_tree(w);
}

static int writer_decide(struct content_writer *w, struct err *e)
{
	w->decided = true;
	return writer_is_layer(w) ? writer_start(w, e) : 0;
}

static int loader_sink_write(struct content_writer *w, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	if (ingest_write(w->ingest, data, n, e) < 0)
		return -1;
	if (!w->decided) {
		size_t take = MIN(n, SINK_HEAD - w->n_head);

		memcpy(w->head + w->n_head, p, take);
		w->n_head += take;
		p += take;
		n -= take;
		if (w->n_head < SINK_HEAD)
			return 0;
		if (writer_decide(w, e) < 0)
			return -1;
		writer_feed(w, w->head, w->n_head);
	}
	if (n > 0)
		writer_feed(w, p, n);
	return 0;
}

/* Takes the child's result into TREE: 1, 0 where there is none. The diff ID of a plain layer is its
 * blob's digest, which is computed here: the child hashes compressed ones only. */
static int writer_finish_tree(struct content_writer *w, struct loader_tree *tree, bool *ret_plain,
			      struct err *e)
{
	struct unpack_result result;

	if (!w->unpacking)
		return 0;
	if (unpack_job_finish(&w->job, &result, e) < 0) {
		bool must = w->loader->unpack_all;

		writer_drop_tree(w);
		return must ? -1 : 0;
	}
	unpack_job_done(&w->job);
	fd_close(&w->target);
	*ret_plain = result.compression == COMPRESSION_NONE;
	digest_from_hash(result.diff_id, &tree->diff);
	memcpy(tree->snapshot, w->snapshot, sizeof(tree->snapshot));
	tree->size = result.bytes;
	return 1;
}

static int loader_sink_commit(struct content_writer *w, const struct digest *expected,
			      struct digest *ret, uint64_t *ret_size, struct err *e)
{
	struct loader *l = w->loader;
	struct loader_tree tree = {.size = 0};
	uint64_t size = w->partial ? partial_size(w->partial) : ingest_size(w->ingest);
	bool plain = false;
	int r = 0;

	if (!w->decided && l->unpack_all) {
		r = writer_decide(w, e);
		if (r == 0)
			writer_feed(w, w->head, w->n_head);
	}
	if (r == 0)
		r = writer_finish_tree(w, &tree, &plain, e);
	if (w->partial)
		tree.blob = *expected;
	if (r < 0 ||
	    (w->partial ? partial_commit(TAKE_PTR(w->partial), e)
			: ingest_commit(TAKE_PTR(w->ingest), expected, size, &tree.blob, e)) < 0) {
		writer_free(w);
		return -1;
	}
	if (plain)
		tree.diff = tree.blob;
	if (r > 0 && loader_add_tree(l, &tree, e) < 0) {
		writer_free(w);
		return -1;
	}
	w->unpacking = false; /* the tree is the loader's now */
	writer_free(w);
	if (ret)
		*ret = tree.blob;
	if (ret_size)
		*ret_size = size;
	TRACE("blob of %llu bytes stored%s", (unsigned long long)size,
	      r > 0 ? " and unpacked" : "");
	return 0;
}

/* ---- blobs that come in parts ---- */

static struct content_writer *loader_parts_begin(struct content_sink *sink, const struct digest *d,
						 uint64_t size, struct err *e)
{
	struct content_writer *w = writer_new(sink, e);

	if (w && !w->loader->cleaned) {
		w->loader->cleaned = true;
		partial_clean(&w->loader->store->content, PARTIAL_AGE_SECONDS, NULL, NULL);
	}
	if (w && partial_begin(&w->loader->store->content, d, size, &w->partial, e) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

static uint64_t loader_parts_have(const struct content_writer *w, size_t part)
{
	return partial_have(w->partial, part);
}

static int loader_parts_put(struct content_writer *w, size_t part, const void *data, size_t n,
			    struct err *e)
{
	return partial_put(w->partial, part, data, n, e);
}

/* Gives the child what it takes of the N bytes DATA that stand at w->fed. */
static void writer_try_feed(struct content_writer *w, const void *data, size_t n)
{
	ssize_t took = w->unpacking ? unpack_job_try_feed(&w->job, data, n, NULL) : 0;

	if (took < 0)
		writer_drop_tree(w);
	else
		w->fed += (uint64_t)took;
}

static int parts_hash(struct content_writer *w, char *data, struct err *e)
{
	struct partial *p = w->partial;
	uint64_t ready = partial_ready(p);

	while (partial_hashed(p) < ready) {
		uint64_t at = partial_hashed(p);
		ssize_t n = partial_read(p, at, data, MIN(SINK_READ, (size_t)(ready - at)), e);

		if (n < 0)
			return -1;
		partial_hash(p, data, (size_t)n);
		if (w->fed == at)
			writer_try_feed(w, data, (size_t)n);
	}
	return 0;
}

/* What the child did not take when it came by. */
static int parts_feed(struct content_writer *w, char *data, struct err *e)
{
	const struct partial *p = w->partial;

	while (w->unpacking && w->fed < partial_hashed(p)) {
		uint64_t at = w->fed, left = partial_hashed(p) - at;
		ssize_t n = partial_read(p, at, data, MIN(SINK_READ, (size_t)left), e);

		if (n < 0)
			return -1;
		writer_try_feed(w, data, (size_t)n);
		if (w->fed - at < (uint64_t)n)
			return 0;
	}
	return 0;
}

/* The beginning tells whether it is a layer. */
static int parts_head(struct content_writer *w, struct err *e)
{
	struct partial *p = w->partial;
	uint64_t need = MIN((uint64_t)SINK_HEAD, partial_size(p));

	if (w->decided || need == 0 || partial_ready(p) < need)
		return 0;
	if (partial_read(p, 0, w->head, (size_t)need, e) < 0)
		return -1;
	w->n_head = (size_t)need;
	return writer_decide(w, e);
}

static int loader_parts_advance(struct content_writer *w, struct pollfd *fds, size_t *ret_n,
				struct err *e)
{
	_cleanup_(freep) char *data = malloc(SINK_READ);
	bool behind;

	if (!data)
		return err_errno(e, ENOMEM, "unpacking a blob");
	writer_try_feed(w, "", 0); /* the child may ask for something */
	if (parts_head(w, e) < 0 || parts_hash(w, data, e) < 0 || parts_feed(w, data, e) < 0)
		return -1;
	behind = w->unpacking && w->fed < partial_hashed(w->partial);
	*ret_n = 0;
	if (w->unpacking)
		fds[(*ret_n)++] = (struct pollfd){w->job.socket, POLLIN, 0};
	if (behind)
		fds[(*ret_n)++] = (struct pollfd){w->job.feed, POLLOUT, 0};
	return !behind && partial_hashed(w->partial) == partial_size(w->partial);
}

static void loader_parts_suspend(struct content_writer *w)
{
	if (!w)
		return;
	partial_end(TAKE_PTR(w->partial), false);
	writer_free(w);
}

static const struct content_parts_ops loader_parts_ops = {
	.begin = loader_parts_begin,
	.have = loader_parts_have,
	.put = loader_parts_put,
	.advance = loader_parts_advance,
	.suspend = loader_parts_suspend,
};

static int loader_sink_open(struct content_sink *sink, const struct digest *d, uint64_t *ret_size,
			    struct err *e)
{
	struct loader *l = (struct loader *)sink;
	uint64_t size = 0;
	int fd;

	if (content_stat(&l->store->content, d, &size, e) < 0)
		return -1;
	fd = content_open(&l->store->content, d, e);
	if (fd >= 0 && ret_size)
		*ret_size = size;
	return fd;
}

static int loader_sink_adopt(struct content_sink *sink, const struct digest *d, uint64_t *ret_size,
			     struct err *e)
{
	struct loader *l = (struct loader *)sink;

	return content_adopt(&l->store->content, d, ret_size, e);
}

static const struct content_sink_ops loader_sink_ops = {
	.begin = loader_sink_begin,
	.claim = loader_sink_claim,
	.write = loader_sink_write,
	.commit = loader_sink_commit,
	.abort = writer_free,
	.open = loader_sink_open,
	.adopt = loader_sink_adopt,
};

void loader_init(struct loader *l, struct store *s)
{
	*l = (struct loader){.sink = {.ops = &loader_sink_ops, .parts = &loader_parts_ops},
			     .store = s};
}

void loader_done(struct loader *l)
{
	free(l->trees);
	free(l->layers);
}
