/* SPDX-License-Identifier: Apache-2.0 */
#include "store/plain-input.h"

#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEEK_SIZE = 6 };

/* tee(2) copies what is in a pipe and leaves it there. */
static ssize_t peek_pipe(int fd, void *data, size_t n)
{
	_cleanup_(fd_close) int from = -1, to = -1;
	int pair[2], r = fd_pipe(pair);
	ssize_t got;

	if (r < 0)
		return r;
	from = pair[0];
	to = pair[1];
	got = tee(fd, to, n, 0);
	return got <= 0 ? got : fd_read_full(from, data, (size_t)got);
}

/* The first bytes, as far as they are there; they stay to be read. */
static ssize_t peek(int fd, void *data, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return fd_pread_full(fd, data, n, lseek(fd, 0, SEEK_CUR));
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
	if (S_ISFIFO(st.st_mode))
		return peek_pipe(fd, data, n);
	return S_ISSOCK(st.st_mode) ? recv(fd, data, n, MSG_PEEK) : 0;
}

static int start(struct plain_input *p, int fd, struct err *e)
{
	struct unpack_request req = {
		.input = fd, .target = -1, .limits = UNPACK_LIMITS_DEFAULT, .hashed = true};
	_cleanup_(fd_close) int program = program_open("kogge-unpack");

	if (program < 0)
		return err_errno(e, program, "finding the program kogge-unpack");
	req.limits.max_ratio = 0; /* xz reaches 7,000 : 1 with zeros; the bytes are limited */
	p->fd = unpack_filter_start(&p->job, program, &req, e);
	p->filtered = p->fd >= 0;
	return p->filtered ? 0 : -1;
}

int plain_input_open(struct plain_input *p, int fd, struct err *e)
{
	unsigned char head[PEEK_SIZE];
	ssize_t n = peek(fd, head, sizeof(head));
	enum compression c = n > 0 ? compression_detect(head, (size_t)n) : COMPRESSION_NONE;

	p->fd = fd;
	return c == COMPRESSION_XZ || c == COMPRESSION_BZIP2 ? start(p, fd, e) : 0;
}

int plain_input_close(struct plain_input *p, int result, struct err *e)
{
	struct unpack_result ignored;
	struct err why = ERR_INIT;

	if (!p->filtered)
		return result;
	fd_close(&p->fd);
	p->filtered = false;
	/* What the decompressor says of a reader that gave up is of no interest. */
	if (unpack_job_finish(&p->job, &ignored, &why) < 0 &&
	    (result == 0 || why.class == ERR_CORRUPT || why.class == ERR_LIMIT)) {
		*e = why;
		return -1;
	}
	return result;
}

void plain_input_done(struct plain_input *p)
{
	if (p->filtered)
		fd_close(&p->fd);
	unpack_job_done(&p->job);
}
