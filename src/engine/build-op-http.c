/* SPDX-License-Identifier: Apache-2.0 */
/* A file from a URL, as a layer with that file in its root. It is fetched each time, because only
 * the server knows whether it is another one; with a checksum it is known without asking. What
 * copies it is keyed by its content. */
#include "base/fd.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/build-op-internal.h"
#include "oci/digest.h"
#include "remote/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

#define SIZE_MAX_BYTES (INT64_C(16) << 30)

static int digest_of_file(int fd, struct digest *ret, struct err *e)
{
	_cleanup_(freep) char *piece = malloc(PIECE);
	unsigned char sum[SHA256_SIZE];
	struct sha256 hash;
	off_t at = 0;
	ssize_t n = piece ? 1 : -ENOMEM;

	sha256_init(&hash);
	while (n > 0) {
		n = fd_pread_full(fd, piece, PIECE, at);
		if (n > 0)
			sha256_add(&hash, piece, (size_t)n);
		at += MAX(n, (ssize_t)0);
	}
	if (n < 0)
		return err_errno(e, (int)n, "reading what was fetched");
	sha256_end(&hash, sum);
	digest_from_hash(sum, ret);
	return 0;
}

static int check_digest(int fd, const struct http_params *p, struct err *e)
{
	struct digest want, have;

	if (!*p->checksum)
		return 0;
	if (digest_parse(p->checksum, &want, e) < 0 || digest_of_file(fd, &have, e) < 0)
		return -1;
	if (digest_eq(&want, &have))
		return 0;
	return err_set(e, ERR_CORRUPT, 0, "%s: digest mismatch %s: %s", p->url, have.text,
		       want.text);
}

/* The modes and times of BuildKit: for root alone, and what the server says or 1970. */
static int fetch_into(int root, const struct http_params *p, const struct http_aside *aside,
		      struct err *e)
{
	const struct remote_url url = {
		.url = p->url, .user_password = aside->user_password, .max = SIZE_MAX_BYTES};
	_cleanup_(fd_close) int fd = path_create(root, p->filename, 0600, PATH_BENEATH);
	struct timespec times[2] = {{.tv_sec = 0}, {.tv_sec = 0}};
	int64_t modified;

	if (fd < 0)
		return err_errno(e, fd, "making the file '%s'", p->filename);
	if (remote_fetch_url(&url, fd, &modified, e) < 0)
		return -1;
	fd_close(&fd);
	fd = path_open(root, p->filename, O_RDONLY, PATH_BENEATH | PATH_NO_SYMLINKS);
	if (fd < 0)
		return err_errno(e, fd, "reading what was fetched");
	if (check_digest(fd, p, e) < 0)
		return -1;
	times[0].tv_sec = times[1].tv_sec = MAX(modified, (int64_t)0);
	return futimens(fd, times) < 0 ? err_errno(e, errno, "setting a time") : 0;
}

static int fetch_layer(struct engine *en, const struct build_step *s, struct arena *a,
		       struct build_layer *ret, struct err *e)
{
	_cleanup_(build_scratch_done) struct build_scratch to = BUILD_SCRATCH_INIT;
	struct http_params p;
	struct http_aside aside;

	if (http_params_read(s->v->params, a, &p, e) < 0 ||
	    http_aside_read(s->v->aside, a, &aside, e) < 0 ||
	    build_scratch_open(en, "", &to, e) < 0 || fetch_into(to.root, &p, &aside, e) < 0)
		return -1;
	return build_scratch_commit(&to, "", 0, ret, e);
}

static int http_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			struct build_result *ret, struct err *e)
{
	const struct build_session *session = s->arg;
	struct engine *en = NULL;
	struct build_layer l;
	int r = engine_open(&session->engine, &en, e);

	if (r == 0)
		r = fetch_layer(en, s, a, &l, e);
	if (en)
		engine_free(en);
	return r < 0 ? -1 : build_result_of(&l, a, ret, e);
}

const struct build_op build_op_http = {
	.type = OP_HTTP, .version = 1, .execute = http_execute, .hold = build_hold_layer};
