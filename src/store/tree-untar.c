/* SPDX-License-Identifier: Apache-2.0 */
#include "store/tree-untar.h"

#include "base/fd.h"
#include "base/process.h"
#include "codec/sink.h"
#include "unpack/unpack-client.h"

static int start(struct unpack_job *job, const struct tree_untar *u, int input, struct err *e)
{
	const struct unpack_request req = {
		.input = input,
		.target = u->mount,
		.mode = UNPACK_COPY,
		.limits = UNPACK_LIMITS_DEFAULT,
		.prefix = u->prefix,
		.detached = true,
		.owner = u->owner,
		.uid = u->uid,
		.gid = u->gid,
		.hashed = true, /* nobody wants the digest */
	};
	_cleanup_(fd_close) int program = program_open("kogge-unpack");

	if (program < 0)
		return err_errno(e, program, "finding the program kogge-unpack");
	return unpack_job_start(job, program, &req, e);
}

int tree_untar_fd(const struct tree_untar *u, int fd, struct err *e)
{
	_cleanup_(unpack_job_done) struct unpack_job job = UNPACK_JOB_INIT;
	struct unpack_result result;

	return start(&job, u, fd, e) < 0 ? -1 : unpack_job_finish(&job, &result, e);
}

struct job_sink {
	struct sink sink; /* first */
	struct unpack_job *job;
};

static int job_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	return unpack_job_feed(((struct job_sink *)s)->job, data, n, e);
}

int tree_untar_from(const struct tree_untar *u,
		    int (*write)(void *arg, struct sink *out, struct err *e), void *arg,
		    struct err *e)
{
	static const struct sink_ops ops = {.write = job_write};
	_cleanup_(unpack_job_done) struct unpack_job job = UNPACK_JOB_INIT;
	struct job_sink sink = {.sink = {&ops}, .job = &job};
	struct unpack_result result;

	if (start(&job, u, -1, e) < 0 || write(arg, &sink.sink, e) < 0)
		return -1;
	return unpack_job_finish(&job, &result, e);
}
