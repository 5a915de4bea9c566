/* SPDX-License-Identifier: Apache-2.0 */
/* `run` in the foreground: signals to the container, bytes between terminal and pty. */
#include "cmd/runtime.h"

#include "base/fd.h"
#include "base/process.h"
#include "kernel/pidfd.h"
#include "kernel/tty.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { CHUNK = 16384 };

struct foreground {
	int pidfd, pty;
	int signals;
	bool raw, input_open, pty_open;
	struct termios saved;
};

static void forward_signal(struct foreground *f)
{
	struct signalfd_siginfo info;
	struct winsize size;

	if (read(f->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGCHLD)
		return;
	if (info.ssi_signo == SIGWINCH && f->pty >= 0) {
		if (tty_get_size(STDIN_FILENO, &size) >= 0)
			tty_set_size(f->pty, size.ws_row, size.ws_col);
		return;
	}
	pidfd_kill(f->pidfd, (int)info.ssi_signo);
}

/* Copies what is there; false at the end of FROM. */
static bool copy(int from, int to)
{
	char data[CHUNK];
	ssize_t n = read(from, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && fd_write_full(to, data, (size_t)n) >= 0;
}

/* What the program wrote before it ended is still in the pty. */
static void drain(const struct foreground *f)
{
	if (f->pty_open && fd_nonblock(f->pty, true) >= 0) {
		char data[CHUNK];
		ssize_t n;

		while ((n = read(f->pty, data, sizeof(data))) > 0)
			if (fd_write_full(STDOUT_FILENO, data, (size_t)n) < 0)
				return;
	}
}

static int follow(struct foreground *f, struct err *e)
{
	int pty = f->pty;

	for (;;) {
		struct pollfd p[] = {
			{.fd = f->pidfd, .events = POLLIN},
			{.fd = f->signals, .events = POLLIN},
			{.fd = f->pty_open ? pty : -1, .events = POLLIN},
			{.fd = f->pty_open && f->input_open ? STDIN_FILENO : -1, .events = POLLIN},
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "waiting for the container");
		if (p[1].revents)
			forward_signal(f);
		if (p[2].revents)
			f->pty_open = copy(pty, STDOUT_FILENO);
		if (p[3].revents)
			f->input_open = copy(STDIN_FILENO, pty);
		if (p[0].revents) {
			drain(f);
			return 0;
		}
	}
}

static int open_signals(struct foreground *f)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGABRT);
	sigdelset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	f->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return f->signals < 0 ? -errno : 0;
}

static void prepare_terminal(struct foreground *f)
{
	struct winsize size;

	if (f->pty < 0)
		return;
	f->pty_open = f->input_open = true;
	if (tty_get_size(STDIN_FILENO, &size) >= 0)
		tty_set_size(f->pty, size.ws_row, size.ws_col);
	f->raw = tty_raw(STDIN_FILENO, &f->saved) >= 0;
}

int runtime_foreground(int pidfd, int pty, struct err *e)
{
	struct foreground f = {.pidfd = pidfd, .pty = pty, .signals = -1};
	int status = 0, r = open_signals(&f);

	if (r < 0)
		return err_errno(e, r, "taking signals");
	prepare_terminal(&f);
	r = follow(&f, e);
	if (f.raw)
		tty_restore(STDIN_FILENO, &f.saved);
	fd_close(&f.signals);
	if (r < 0)
		return -1;
	r = process_wait_pidfd(pidfd, false, &status);
	return r < 0 ? err_errno(e, r, "reaping the container") : status;
}
