/* SPDX-License-Identifier: Apache-2.0 */
/* Each byte of output is read once, offered to every client that is attached, and logged by lines.
 *
 * The client that started the container is like a pipe: the container waits for it. Every other
 * client has a buffer, and loses what does not fit: it never stops the container. */
#include "monitor/monitor-internal.h"

#include "base/fd.h"
#include "monitor/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STREAM_READ = 64 * 1024, /* stays in the cache until it was delivered and encoded */
	STREAM_BUFFER = STREAM_READ + LOG_PART_MAX,
	TARGET_MAX = 1 << 20, /* bytes that a slow client may be behind */
	ROUNDS = 8
};

void streams_init(struct monitor *m)
{
	const int from[] = {m->c.out_from, m->c.err_from};

	for (size_t i = 0; i < STREAM_N; i++) {
		struct stream *s = &m->streams[i];

		*s = (struct stream){.from = from[i]};
		if (s->from < 0)
			continue;
		s->data = mmap(NULL, STREAM_BUFFER, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (s->data == MAP_FAILED) {
			s->data = NULL;
			fd_close(&s->from);
		}
	}
}

void streams_done(struct monitor *m)
{
	for (size_t i = 0; i < STREAM_N; i++) {
		fd_close(&m->streams[i].from);
		if (m->streams[i].data)
			munmap(m->streams[i].data, STREAM_BUFFER);
		m->streams[i].data = NULL;
	}
}

bool stream_wanted(const struct monitor *m, size_t i)
{
	if (m->streams[i].from < 0)
		return false;
	for (size_t p = 0; p < MONITOR_PEERS_MAX; p++)
		if (m->peers[p].fd >= 0 && m->peers[p].owner && m->peers[p].out[i].n)
			return false;
	return true;
}

bool streams_ended(const struct monitor *m)
{
	return m->streams[STREAM_OUT].from < 0 && m->streams[STREAM_ERR].from < 0;
}

void stream_end(struct monitor *m, size_t i)
{
	struct stream *s = &m->streams[i];

	fd_close(&s->from);
	if (s->n && m->log)
		log_add(m->log, (int)i + 1, s->data, s->n, true);
	s->n = 0;
}

void stream_settle(struct monitor *m, size_t i)
{
	if (m->streams[i].data && m->streams[i].n == 0)
		madvise(m->streams[i].data, STREAM_BUFFER, MADV_DONTNEED);
}

/* ---- targets ---- */

/* A description of its own that never blocks. A master of a terminal is left alone: opening it
 * anew would make another terminal. */
static int own_target(int fd)
{
	unsigned number;
	struct stat st;
	int own;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd;
	if (!S_ISFIFO(st.st_mode) && !(S_ISCHR(st.st_mode) && isatty(fd)))
		return fd;
	if (ioctl(fd, TIOCGPTN, &number) == 0)
		return fd;
	own = fd_reopen(fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (own < 0)
		return fd;
	close(fd);
	return own;
}

void target_init_take(struct target *t, int fd)
{
	*t = (struct target){.fd = own_target(fd)};
}

void target_done(struct target *t)
{
	fd_close(&t->fd);
	free(t->data);
	t->data = NULL;
	t->at = t->n = 0;
}

static ssize_t write_some(int fd, const char *data, size_t n)
{
	ssize_t r;

	do {
		r = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0 && errno == ENOTSOCK)
			r = write(fd, data, n);
	} while (r < 0 && errno == EINTR);
	return r;
}

/* Without a terminal, a container whose user closed the other end of its output is told so, as any
 * program in a pipeline is. A user who is gone altogether (on_hangup) is no reason. */
static void target_broke(struct monitor *m, const struct peer *p, size_t i, int why)
{
	if (p->owner && why == EPIPE && !m->c.terminal)
		fd_close(&m->streams[i].from);
}

/* As much of DATA as it takes now; -1 where it takes no more at all. */
static ssize_t offer(struct monitor *m, struct peer *p, size_t i, const char *data, size_t n)
{
	struct target *t = &p->out[i];
	size_t done = 0;

	while (done < n) {
		ssize_t r = write_some(t->fd, data + done, n - done);

		if (r < 0 && errno == EAGAIN)
			break;
		if (r < 0) {
			int why = errno;

			target_done(t);
			target_broke(m, p, i, why);
			return -1;
		}
		done += (size_t)r;
	}
	return (ssize_t)done;
}

/* Keeps for later what T did not take. */
static void keep(struct target *t, const char *data, size_t n)
{
	size_t room;

	if (!t->data && !(t->data = malloc(TARGET_MAX))) {
		t->lost += n;
		return;
	}
	if (t->at) {
		memmove(t->data, t->data + t->at, t->n);
		t->at = 0;
	}
	room = MIN(n, (size_t)TARGET_MAX - t->n);
	memcpy(t->data + t->n, data, room);
	t->n += room;
	t->lost += n - room;
}

static void target_put(struct monitor *m, struct peer *p, size_t i, const char *data, size_t n)
{
	struct target *t = &p->out[i];
	ssize_t done = 0;

	if (t->n == 0)
		done = offer(m, p, i, data, n);
	if (done >= 0 && (size_t)done < n)
		keep(t, data + done, n - (size_t)done);
}

void target_flush(struct monitor *m, struct peer *p, size_t i)
{
	struct target *t = &p->out[i];
	ssize_t done = offer(m, p, i, t->data + t->at, t->n);

	if (done < 0) {
		if (m->streams[i].from < 0)
			stream_end(m, i);
		return;
	}
	t->at += (size_t)done;
	t->n -= (size_t)done;
	if (t->n == 0) {
		free(t->data);
		t->data = NULL;
		t->at = 0;
	}
}

bool targets_pending(const struct monitor *m, bool owner)
{
	for (size_t p = 0; p < MONITOR_PEERS_MAX; p++)
		for (size_t i = 0; m->peers[p].fd >= 0 && i < STREAM_N; i++)
			if (m->peers[p].owner == owner && m->peers[p].out[i].n)
				return true;
	return false;
}

/* ---- streams ---- */

static void deliver(struct monitor *m, size_t i, const char *data, size_t n)
{
	for (size_t p = 0; p < MONITOR_PEERS_MAX; p++)
		if (m->peers[p].fd >= 0 && m->peers[p].out[i].fd >= 0)
			target_put(m, &m->peers[p], i, data, n);
}

/* Gives the log its lines; the rest of the last one stays. */
static void take_lines(struct monitor *m, size_t i, size_t n)
{
	struct stream *s = &m->streams[i];
	size_t used;

	s->n += n;
	used = m->log ? log_add(m->log, (int)i + 1, s->data, s->n, false) : s->n;
	s->n -= used;
	if (used && s->n)
		memmove(s->data, s->data + used, s->n);
}

/* A terminal says EIO when its other side was closed. */
static bool read_once(struct monitor *m, size_t i, size_t *moved)
{
	struct stream *s = &m->streams[i];
	ssize_t n = read(s->from, s->data + s->n, STREAM_READ);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n <= 0) {
		stream_end(m, i);
		return false;
	}
	m->dirty = true;
	*moved += (size_t)n;
	deliver(m, i, s->data + s->n, (size_t)n);
	take_lines(m, i, (size_t)n);
	/* A client that broke may have closed it; what was read was said all the same. */
	if (s->from < 0)
		stream_end(m, i);
	return s->from >= 0 && n >= 4096;
}

size_t stream_run(struct monitor *m, size_t i)
{
	size_t moved = 0;

	for (int round = 0; round < ROUNDS && stream_wanted(m, i); round++)
		if (!read_once(m, i, &moved))
			break;
	if (m->log)
		log_flush(m->log);
	return moved;
}
