/* SPDX-License-Identifier: Apache-2.0 */
/* One call of splice moves up to a pipe's worth; where it answers EAGAIN a poll of the source
 * tells which side was not ready. Where splice cannot serve (neither side a pipe, or a file
 * system without it) bytes pass through a buffer that is allocated then. */
#include "monitor/pump.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPLICE_MAX = 1 << 20, BUFFER_SIZE = 32 * 1024, ROUNDS = 16 };

/* Splicing needs a pipe on one side; on the other a socket would block where its description is a
 * blocking one, whatever the flags of splice say. */
static bool can_splice(int from, int to)
{
	struct stat f, t;

	if (from < 0 || to < 0 || fstat(from, &f) < 0 || fstat(to, &t) < 0)
		return false;
	return (S_ISFIFO(f.st_mode) && !S_ISSOCK(t.st_mode)) ||
	       (S_ISFIFO(t.st_mode) && !S_ISSOCK(f.st_mode));
}

void pump_init_take(struct pump *p, int from, int to, unsigned flags)
{
	*p = PUMP_INIT;
	p->from = from;
	p->to = to;
	p->flags = flags;
	p->spliced = can_splice(p->from, p->to);
	p->state = p->from >= 0 ? PUMP_WAIT_READ : PUMP_IDLE;
}

void pump_done(struct pump *p)
{
	fd_close(&p->from);
	fd_close(&p->to);
	free(p->data);
	p->data = NULL;
	p->state = PUMP_IDLE;
}

bool pump_poll(const struct pump *p, struct pollfd *ret)
{
	*ret = (struct pollfd){.fd = -1};
	if (p->state == PUMP_WAIT_READ)
		*ret = (struct pollfd){.fd = p->from, .events = POLLIN};
	else if (p->state == PUMP_WAIT_WRITE)
		*ret = (struct pollfd){.fd = p->to, .events = POLLOUT};
	return ret->fd >= 0;
}

static enum pump_state at_eof(struct pump *p)
{
	fd_close(&p->from);
	if (p->flags & PUMP_CLOSE_TO)
		fd_close(&p->to);
	return p->state = PUMP_EOF;
}

void pump_drop_target(struct pump *p)
{
	fd_close(&p->to);
	p->spliced = false;
	p->at = p->n = 0;
	if (p->state != PUMP_WAIT_READ && p->state != PUMP_WAIT_WRITE)
		return;
	if (p->flags & PUMP_CLOSE_FROM) {
		fd_close(&p->from);
		p->state = PUMP_BROKEN;
	} else {
		p->state = PUMP_WAIT_READ;
	}
}

static enum pump_state broken(struct pump *p)
{
	p->broke = true;
	pump_drop_target(p);
	return p->state;
}

static bool source_ready(const struct pump *p)
{
	struct pollfd f = {.fd = p->from, .events = POLLIN};

	return poll(&f, 1, 0) > 0;
}

/* One splice. Sets the state where the pump must stop; else returns true. */
static bool splice_once(struct pump *p)
{
	ssize_t r =
		splice(p->from, NULL, p->to, NULL, SPLICE_MAX, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (r > 0 || (r < 0 && errno == EINTR))
		return true;
	if (r == 0 || errno == EIO) {
		at_eof(p);
		return false;
	}
	switch (errno) {
	case EAGAIN:
		p->state = source_ready(p) ? PUMP_WAIT_WRITE : PUMP_WAIT_READ;
		return false;
	case EINVAL:
	case ENOSYS:
	case EOPNOTSUPP:
		p->spliced = false;
		return true;
	default:
		broken(p);
		return false;
	}
}

static ssize_t write_some(int fd, const char *data, size_t n)
{
	ssize_t r = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return r < 0 && errno == ENOTSOCK ? write(fd, data, n) : r;
}

static bool flush_once(struct pump *p)
{
	ssize_t r = p->to < 0 ? (ssize_t)p->n : write_some(p->to, p->data + p->at, p->n);

	if (r < 0 && errno == EINTR)
		return true;
	if (r < 0 && errno == EAGAIN) {
		p->state = PUMP_WAIT_WRITE;
		return false;
	}
	if (r < 0) {
		broken(p);
		return false;
	}
	p->at += (size_t)r;
	p->n -= (size_t)r;
	return true;
}

static bool fill_once(struct pump *p)
{
	ssize_t r;

	if (!p->data && !(p->data = malloc(BUFFER_SIZE))) {
		broken(p);
		return false;
	}
	/* A source that could block (a regular file never does) is read only when it is ready. */
	if (!source_ready(p)) {
		p->state = PUMP_WAIT_READ;
		return false;
	}
	r = read(p->from, p->data, BUFFER_SIZE);
	if (r > 0) {
		p->at = 0;
		p->n = (size_t)r;
		return true;
	}
	if (r < 0 && errno == EINTR)
		return true;
	if (r < 0 && errno == EAGAIN)
		p->state = PUMP_WAIT_READ;
	else
		at_eof(p); /* the end, or EIO: the other side of a terminal was closed */
	return false;
}

enum pump_state pump_run(struct pump *p)
{
	if (p->state != PUMP_WAIT_READ && p->state != PUMP_WAIT_WRITE)
		return p->state;
	for (int i = 0; i < ROUNDS; i++) {
		bool more = p->spliced ? splice_once(p) : p->n ? flush_once(p) : fill_once(p);

		if (!more)
			return p->state;
	}
	/* Others must have their turn: poll tells at once that there is more. */
	p->state = p->n ? PUMP_WAIT_WRITE : PUMP_WAIT_READ;
	return p->state;
}
