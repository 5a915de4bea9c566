/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of a monitor: who asks over its sockets, and what they want. */
#include "monitor/monitor-internal.h"

#include "base/fd.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void peer_send(const struct peer *p, uint32_t type, int32_t a, int32_t b)
{
	struct monitor_msg m = {.type = type, .a = a, .b = b};

	(void)!send(p->fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void peer_send_exited(const struct monitor *m, const struct peer *p)
{
	bool policy = m->c.restart.always || m->c.restart.on_failure;

	peer_send(p, MONITOR_EXITED, m->exit_code,
		  (m->oom ? MONITOR_EXITED_OOM : 0) | (policy ? MONITOR_EXITED_POLICY : 0) |
			  (p->ender ? MONITOR_EXITED_YOURS : 0));
}

struct peer *peer_add(struct monitor *m, int fd, bool owner)
{
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++) {
		struct peer *p = &m->peers[i];

		if (p->fd >= 0)
			continue;
		*p = (struct peer){.fd = fd, .owner = owner, .attached = owner, .in = PUMP_INIT};
		for (size_t s = 0; s < STREAM_N; s++)
			p->out[s].fd = -1;
		return p;
	}
	close(fd);
	return NULL;
}

struct peer *peer_owner(struct monitor *m)
{
	for (size_t i = 0; i < MONITOR_PEERS_MAX; i++)
		if (m->peers[i].fd >= 0 && m->peers[i].owner)
			return &m->peers[i];
	return NULL;
}

struct peer *peer_ender(struct monitor *m)
{
	struct peer *owner = peer_owner(m);

	for (size_t i = 0; i < MONITOR_PEERS_MAX && !owner; i++)
		if (m->peers[i].fd >= 0 && m->peers[i].ender)
			return &m->peers[i];
	return owner;
}

/* Every client has a copy of the container's stdin; the monitor's own keeps it open. */
void peer_attach_in(struct monitor *m, struct peer *p, int fd)
{
	int to = m->c.in_to < 0 ? -1 : fcntl(m->c.in_to, F_DUPFD_CLOEXEC, 3);

	pump_done(&p->in);
	if (to < 0)
		fd_close(&fd);
	else
		pump_init_take(&p->in, fd, to,
			       PUMP_CLOSE_TO | (m->c.terminal ? 0 : PUMP_CLOSE_FROM));
}

void peer_run_in(struct monitor *m, struct peer *p)
{
	m->dirty = true;
	/* Somebody talks with it: answers are not kept waiting. */
	m->quick = 0;
	if (pump_run(&p->in) == PUMP_EOF && m->c.stdin_once && !m->c.terminal)
		fd_close(&m->c.in_to);
}

static void resize(struct monitor *m, int rows, int columns)
{
	struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

	if (m->c.terminal && m->c.in_to >= 0)
		ioctl(m->c.in_to, TIOCSWINSZ, &w);
}

/* As in Docker, a signal that is to end it is the end of its restarts. */
static bool ends_by_hand(const struct monitor *m, int signo)
{
	return signo == SIGKILL || !m->c.restart.stop_signal || signo == m->c.restart.stop_signal;
}

/* What has not been read, or not been taken, never will be. */
static void give_up_output(struct monitor *m)
{
	for (size_t i = 0; i < STREAM_N; i++) {
		stream_end(m, i);
		for (size_t p = 0; p < MONITOR_PEERS_MAX; p++)
			if (m->peers[p].fd >= 0)
				target_done(&m->peers[p].out[i]);
	}
}

/* Killing what has ended already ends its output: its reader may never take it. */
static int signal_init(struct monitor *m, int signo, bool for_good)
{
	m->by_hand = m->by_hand || for_good || ends_by_hand(m, signo);
	if (m->state == WAITING) {
		m->restart_at = m->by_hand ? 0 : m->restart_at;
		m->state = m->by_hand ? DONE : WAITING;
		return 0;
	}
	if (m->state == DRAINING && signo == SIGKILL)
		give_up_output(m);
	if (m->c.pidfd < 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, m->c.pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

/* The client is gone, or leaves. Where a stdin ends with its client this is its end, but not for
 * one that says that it will be back. */
static void leave(struct monitor *m, struct peer *p, bool detached)
{
	bool had_stdin = p->in.state != PUMP_IDLE;

	pump_done(&p->in);
	for (size_t i = 0; i < STREAM_N; i++)
		target_done(&p->out[i]);
	fd_close(&p->fd);
	if (had_stdin && !detached && m->c.stdin_once && !m->c.terminal)
		fd_close(&m->c.in_to);
	if ((p->owner || p->ender) && m->state == ENDING)
		m->state = DONE;
	p->owner = p->ender = false;
}

static void attach(struct monitor *m, struct peer *p, int what, const int fds[3])
{
	size_t next = 0;

	p->attached = true;
	if (what & MONITOR_ATTACH_IN)
		peer_attach_in(m, p, fds[next++]);
	for (size_t i = 0; i < STREAM_N; i++)
		if (what & (MONITOR_ATTACH_OUT << i))
			target_init_take(&p->out[i], fds[next++]);
	peer_send(p, MONITOR_DONE, m->c.pid > 0 ? 0 : -ESRCH, 0);
	/* Nothing runs that would end. */
	if (m->state == WAITING)
		leave(m, p, true);
	else if (m->state == ENDING)
		peer_send_exited(m, p);
}

static void wait_for(struct monitor *m, struct peer *p, bool offers)
{
	p->waits = true;
	if (m->state == ENDING || m->state == DONE)
		peer_send_exited(m, p);
	else
		p->ender = offers && !peer_ender(m);
}

/* Who is to do the end has done it, or leaves it to the monitor. */
static void ended(struct monitor *m, const struct peer *p, int how)
{
	if (m->state != ENDING || !(p->owner || p->ender))
		return;
	m->ended = how != MONITOR_ENDS_ITSELF;
	m->maintain = how == MONITOR_ENDS_LOG;
	m->state = DONE;
}

static void on_message(struct monitor *m, struct peer *p, const struct monitor_msg *msg,
		       const int fds[3])
{
	switch (msg->type) {
	case MONITOR_SIGNAL:
		peer_send(p, MONITOR_DONE, signal_init(m, msg->a, msg->b == 1), 0);
		break;
	case MONITOR_RESIZE:
		resize(m, msg->a, msg->b);
		break;
	case MONITOR_WAIT:
		wait_for(m, p, msg->a == 1);
		break;
	case MONITOR_ASK_EXECS:
		watch_list(m, p);
		break;
	case MONITOR_ASK_PID:
		peer_send(p, MONITOR_STARTED, m->c.pid, 0);
		break;
	case MONITOR_DETACH:
		leave(m, p, true);
		break;
	case MONITOR_ENDED:
		ended(m, p, msg->a);
		break;
	case MONITOR_POLICY:
		m->c.restart.always = msg->a & MONITOR_RESTART_ALWAYS;
		m->c.restart.on_failure = msg->a & MONITOR_RESTART_ON_FAILURE;
		break;
	default:
		break;
	}
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The connection is not a peer's any more. */
static void give_exec(struct monitor *m, struct peer *p, struct monitor_exec *x, int fds[3])
{
	x->id[sizeof(x->id) - 1] = '\0';
	/* Without a terminal the one to be closed stands in its place. */
	if (x->m.b == 1 && fds[2] < 0) {
		fds[2] = fds[1];
		fds[1] = -1;
	} else if (x->m.b != 1) {
		fd_close(&fds[2]);
	}
	watch_add(m, TAKE_FD(p->fd), x, fds);
}

void peer_serve(struct monitor *m, struct peer *p)
{
	struct monitor_exec x;
	const struct monitor_msg *msg = &x.m;
	int fds[3];
	ssize_t n = fd_recv(p->fd, &x, sizeof(x), fds, ARRAY_SIZE(fds));

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == (ssize_t)sizeof(x) && msg->type == MONITOR_EXEC && !p->attached && !p->waits)
		give_exec(m, p, &x, fds);
	else if (n != (ssize_t)sizeof(*msg))
		leave(m, p, false);
	else if (msg->type == MONITOR_ATTACH)
		attach(m, p, msg->a, fds);
	else
		on_message(m, p, msg, fds);
}
