/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of `exec`. Each is the child of the client that started it, which tells of its end. The
 * monitor knows which ones run, and does the rest for a client that was killed or has left:
 *
 *   the client has it    its connection is open                      sock >= 0
 *   a watcher has it     `kogge __exec` waits for its end, holds     watcher >= 0
 *                        its terminal, and tells of its end
 *
 * Both are waited for by one epoll descriptor, so that their number costs the main loop nothing. */
#include "base/fd.h"
#include "base/process.h"
#include "monitor/monitor-internal.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 16 };

struct watched {
	struct watched *next;
	int sock, watcher;
	int fds[3]; /* its pidfd, its terminal's master or -1, what is closed with it or -1 */
	pid_t pid;
	char id[ID_SIZE];
};

static void close_all(int fds[3])
{
	for (size_t i = 0; i < 3; i++)
		fd_close(&fds[i]);
}

static void watched_free(struct watched *w)
{
	fd_close(&w->sock);
	fd_close(&w->watcher);
	close_all(w->fds);
	free(w);
}

static void drop(struct monitor *m, struct watched *w)
{
	struct watched **at = &m->execs;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	m->n_execs--;
	m->dirty = true;
	watched_free(w);
}

static int listen_to(struct monitor *m, struct watched *w, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = w}};

	if (m->watch < 0)
		m->watch = epoll_create1(EPOLL_CLOEXEC);
	return m->watch < 0 || epoll_ctl(m->watch, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void watch_add(struct monitor *m, int sock, const struct monitor_exec *x, int fds[3])
{
	struct watched *w = m->n_execs < MONITOR_EXECS_MAX ? calloc(1, sizeof(*w)) : NULL;

	if (!w || fds[0] < 0) {
		free(w);
		fd_close(&sock);
		close_all(fds);
		return;
	}
	*w = (struct watched){.next = m->execs,
			      .sock = sock,
			      .watcher = -1,
			      .fds = {fds[0], fds[1], fds[2]},
			      .pid = x->m.a};
	memcpy(w->id, x->id, sizeof(w->id));
	m->execs = w;
	m->n_execs++;
	if (listen_to(m, w, sock) < 0)
		drop(m, w);
}

/* Its client is gone, and its end was not told. */
static void on_orphan(struct monitor *m, struct watched *w)
{
	const int fds[] = {-1, -1, -1, w->fds[0], w->fds[1]};
	char pid[16];
	const char *const args[4] = {w->id, pid, "3", w->fds[1] < 0 ? "-" : "4"};

	fd_close(&w->sock);
	snprintf(pid, sizeof(pid), "%d", w->pid);
	w->watcher = run_kogge(m, "__exec", args, fds, w->fds[1] < 0 ? 4 : 5);
	close_all(w->fds);
	if (w->watcher < 0 || listen_to(m, w, w->watcher) < 0)
		drop(m, w);
}

static void serve(struct monitor *m, struct watched *w)
{
	struct monitor_msg msg;
	ssize_t n;

	if (w->watcher >= 0) {
		if (process_wait_pidfd(w->watcher, true, NULL) == 0)
			drop(m, w);
		return;
	}
	n = recv(w->sock, &msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == (ssize_t)sizeof(msg) && msg.type == MONITOR_EXEC_ENDED)
		drop(m, w);
	else
		on_orphan(m, w);
}

void watch_serve(struct monitor *m)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(m->watch, events, EVENTS, 0);

	/* Each is registered once: none of these can have gone by another's event. */
	for (int i = 0; i < n; i++)
		serve(m, events[i].data.ptr);
}

void watch_list(const struct monitor *m, const struct peer *p)
{
	size_t n = sizeof(struct monitor_msg) + (size_t)m->n_execs * (ID_SIZE - 1);
	struct monitor_msg head = {.type = MONITOR_EXECS, .a = (int32_t)m->n_execs};
	char *text = malloc(n), *at = text;

	if (!text)
		return;
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (const struct watched *w = m->execs; w; w = w->next, at += ID_SIZE - 1)
		memcpy(at, w->id, ID_SIZE - 1);
	(void)!send(p->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
}

void watch_done(struct monitor *m)
{
	while (m->execs) {
		struct watched *w = m->execs;

		m->execs = w->next;
		watched_free(w);
	}
	fd_close(&m->watch);
}
