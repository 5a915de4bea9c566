/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes between the user and a process of `exec`. One poll loop: pumps (monitor/pump.h) for
 * what needs no look, and for a terminal the user's keys, which are read here for the detach
 * sequence. The process never gets a descriptor of the user's: its ends are pipes or a pty.
 *
 * When the process has ended, what it wrote is still delivered. Where one of its children keeps
 * the pipes open, only DRAIN_MS are waited, as Docker does. */
#include "base/fd.h"
#include "base/process.h"
#include "engine/container-exec-internal.h"
#include "engine/engine-internal.h"
#include "kernel/pidfd.h"
#include "kernel/proc.h"
#include "kernel/tty.h"
#include "monitor/client.h"
#include "monitor/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* EXIT_UNKNOWN is containerd's. */
enum { DRAIN_MS = 2000, KEYS_CHUNK = 4096, EXIT_UNKNOWN = 255 };

int exec_io_init(struct exec_io *io, const struct attach_opts *attach, struct err *e)
{
	int *const pairs[] = {io->in, io->out, io->err_out};
	const int wanted[] = {attach->in, attach->out, attach->err_out};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		int r = wanted[i] < 0 ? 0 : fd_pipe(pairs[i]);

		if (r < 0)
			return err_errno(e, r, "making a pipe");
		io->stdio[i] = pairs[i][i == 0 ? 0 : 1];
		if (r == 0 && wanted[i] >= 0)
			r = fd_nonblock(pairs[i][i == 0 ? 1 : 0], true);
		if (r < 0)
			return err_errno(e, r, "preparing a pipe");
	}
	return 0;
}

void exec_io_done(struct exec_io *io)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&io->in[i]);
		fd_close(&io->out[i]);
		fd_close(&io->err_out[i]);
	}
}

enum { PUMP_IN, PUMP_OUT, PUMP_ERR, PUMP_N };

struct session {
	struct pump pumps[PUMP_N];
	struct container_exec *x;
	int pidfd; /* -1 when the process was reaped */
	int code;

	/* with a terminal */
	int keyboard, pty, screen, signals;
	bool raw;
	struct termios before;
	sigset_t mask_before;
	unsigned char sequence[CLIENT_KEYS_MAX];
	size_t n_sequence, matched;
	unsigned char keys[KEYS_CHUNK];
	size_t at, n_keys;
};

static void session_done(struct session *s)
{
	for (size_t i = 0; i < PUMP_N; i++)
		pump_done(&s->pumps[i]);
	if (s->raw)
		tty_restore(s->keyboard, &s->before);
	if (s->signals >= 0)
		sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
	fd_close(&s->signals);
	fd_close(&s->pty);
}

/* The user's end of an output: a description of its own that never blocks. */
static int own_copy(int fd)
{
	int own = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISFIFO(st.st_mode) || isatty(fd))
		own = fd_reopen(fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* ---- the terminal ---- */

static void copy_size(struct session *s)
{
	struct winsize w;

	if (s->screen >= 0 && tty_get_size(s->screen, &w) == 0)
		tty_set_size(s->pty, w.ws_row, w.ws_col);
}

static int watch_signals(struct session *s, struct err *e)
{
	static const int named[] = {SIGWINCH, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		sigaddset(&set, named[i]);
	sigprocmask(SIG_BLOCK, &set, &s->mask_before);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? err_errno(e, errno, "watching signals") : 0;
}

static int open_terminal(struct session *s, const struct attach_opts *a, struct err *e)
{
	int n = client_detach_keys(a->detach_keys, s->sequence, sizeof(s->sequence), e);

	if (n < 0)
		return -1;
	s->n_sequence = (size_t)n;
	s->pty = fcntl(s->x->proc.pty, F_DUPFD_CLOEXEC, 3);
	if (s->pty < 0)
		return err_errno(e, errno, "copying the terminal");
	fd_nonblock(s->pty, true);
	s->keyboard = a->in;
	s->screen = a->out >= 0 && isatty(a->out) ? a->out
		    : a->in >= 0 && isatty(a->in) ? a->in
						  : -1;
	if (watch_signals(s, e) < 0)
		return -1;
	s->raw = a->in >= 0 && tty_raw(a->in, &s->before) == 0;
	copy_size(s);
	return 0;
}

/* With a terminal, signals are for this program alone: it ends as it would have, but leaves the
 * terminal as it was. */
static void on_signals(struct session *s)
{
	struct signalfd_siginfo info;
	sigset_t set;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			copy_size(s);
			continue;
		}
		if (s->raw)
			tty_restore(s->keyboard, &s->before);
		signal((int)info.ssi_signo, SIG_DFL);
		raise((int)info.ssi_signo);
		sigemptyset(&set);
		sigaddset(&set, (int)info.ssi_signo);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
}

/* Takes the detach sequence out of the N bytes at IN; what was begun and broken off is delivered.
 * Returns whether it was completed. */
static bool detach_typed(struct session *s, const unsigned char *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (in[i] == s->sequence[s->matched]) {
			if (++s->matched == s->n_sequence)
				return true;
			continue;
		}
		memcpy(s->keys + s->n_keys, s->sequence, s->matched);
		s->n_keys += s->matched;
		s->matched = in[i] == s->sequence[0] && s->n_sequence > 1;
		if (!s->matched)
			s->keys[s->n_keys++] = in[i];
	}
	return false;
}

static bool read_keys(struct session *s)
{
	unsigned char in[KEYS_CHUNK - CLIENT_KEYS_MAX];
	ssize_t n = read(s->keyboard, in, sizeof(in));

	s->at = s->n_keys = 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		s->keyboard = -1;
		return false;
	}
	if (s->raw && s->n_sequence)
		return detach_typed(s, in, (size_t)n);
	memcpy(s->keys, in, (size_t)n);
	s->n_keys = (size_t)n;
	return false;
}

static void write_keys(struct session *s)
{
	ssize_t n = write(s->pty, s->keys + s->at, s->n_keys);

	if (n > 0) {
		s->at += (size_t)n;
		s->n_keys -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		s->n_keys = 0;
	}
}

/* ---- the loop ---- */

static bool out_is(const struct session *s, enum pump_state state)
{
	return s->pumps[PUMP_OUT].state == state || s->pumps[PUMP_ERR].state == state;
}

static bool over(const struct session *s)
{
	return s->pidfd < 0 && !out_is(s, PUMP_WAIT_READ) && !out_is(s, PUMP_WAIT_WRITE);
}

static void reap(struct session *s)
{
	if (process_wait_pidfd(s->pidfd, true, &s->code) < 0)
		return;
	s->pidfd = -1;
	pump_done(&s->pumps[PUMP_IN]);
	s->pumps[PUMP_IN].state = PUMP_IDLE;
}

/* 1: it is over, 2: the user left, 0: go on. */
static int step(struct session *s)
{
	struct pollfd f[PUMP_N + 4];
	int wait = s->pidfd < 0 && !out_is(s, PUMP_WAIT_WRITE) ? DRAIN_MS : -1;

	f[0] = (struct pollfd){.fd = s->pidfd, .events = POLLIN};
	f[1] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	f[2] = (struct pollfd){.fd = s->pty >= 0 && s->n_keys == 0 ? s->keyboard : -1,
			       .events = POLLIN};
	f[3] = (struct pollfd){.fd = s->n_keys ? s->pty : -1, .events = POLLOUT};
	for (size_t i = 0; i < PUMP_N; i++)
		pump_poll(&s->pumps[i], &f[4 + i]);
	if (poll(f, ARRAY_SIZE(f), wait) == 0)
		return 1;
	for (size_t i = 0; i < PUMP_N; i++)
		if (f[4 + i].fd >= 0 && f[4 + i].revents)
			pump_run(&s->pumps[i]);
	if (f[1].revents)
		on_signals(s);
	if (f[2].revents && read_keys(s))
		return 2;
	if (f[3].revents)
		write_keys(s);
	if (f[0].revents)
		reap(s);
	return over(s);
}

static int connect_pumps(struct session *s, struct exec_io *io, const struct attach_opts *a,
			 struct err *e)
{
	if (!io) {
		int from = fcntl(s->pty, F_DUPFD_CLOEXEC, 3);

		if (from < 0)
			return err_errno(e, errno, "copying the terminal");
		pump_init_take(&s->pumps[PUMP_OUT], from, own_copy(a->out), 0);
		return 0;
	}
	/* The process alone holds its ends now, so that their ends are seen. */
	fd_close(&io->in[0]);
	fd_close(&io->out[1]);
	fd_close(&io->err_out[1]);
	if (io->in[1] >= 0)
		pump_init_take(&s->pumps[PUMP_IN], fcntl(a->in, F_DUPFD_CLOEXEC, 3),
			       TAKE_FD(io->in[1]), PUMP_CLOSE_TO | PUMP_CLOSE_FROM);
	if (io->out[0] >= 0)
		pump_init_take(&s->pumps[PUMP_OUT], TAKE_FD(io->out[0]), own_copy(a->out),
			       PUMP_CLOSE_FROM);
	if (io->err_out[0] >= 0)
		pump_init_take(&s->pumps[PUMP_ERR], TAKE_FD(io->err_out[0]), own_copy(a->err_out),
			       PUMP_CLOSE_FROM);
	return 0;
}

int exec_io_run(struct exec_io *io, struct container_exec *x, const struct attach_opts *attach,
		struct container_exit *ret, struct err *e)
{
	_cleanup_(session_done) struct session s = {.x = x,
						    .pidfd = x->proc.pidfd,
						    .keyboard = -1,
						    .pty = -1,
						    .screen = -1,
						    .signals = -1};
	int how = 0;

	for (size_t i = 0; i < PUMP_N; i++)
		s.pumps[i] = PUMP_INIT;
	signal(SIGPIPE, SIG_IGN);
	if (!io && open_terminal(&s, attach, e) < 0)
		return -1;
	if (connect_pumps(&s, io, attach, e) < 0)
		return -1;
	while (!how)
		how = step(&s);
	ret->detached = how == 2;
	ret->code = s.code;
	return 0;
}

/* Until the process has ended, of which nobody but the kernel tells by then. */
static void drain_terminal(struct container_exec *x)
{
	struct pollfd f[] = {{.fd = x->proc.pidfd, .events = POLLIN},
			     {.fd = x->proc.pty, .events = POLLIN}};
	char data[4096];

	while (f[0].revents == 0)
		if (poll(f, ARRAY_SIZE(f), -1) > 0 && f[1].revents &&
		    read(x->proc.pty, data, sizeof(data)) <= 0 && errno != EINTR && errno != EAGAIN)
			f[1].fd = -1;
}

int container_exec_hold(struct container_exec *x)
{
	int code = 0;

	drain_terminal(x);
	return process_wait_pidfd(x->proc.pidfd, false, &code) < 0 ? 0 : code;
}

int container_exec_hold_other(struct container_exec *x)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	int code;

	drain_terminal(x);
	code = proc < 0 ? proc : pidfd_exit_code(proc, x->proc.pidfd, x->proc.pid);
	return code < 0 ? EXIT_UNKNOWN : code;
}
