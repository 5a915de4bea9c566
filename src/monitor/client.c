/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/client.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "monitor/protocol.h"
#include "monitor/settle.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 4096 };

struct client {
	struct client_opts o;
	int sock;    /* borrowed */
	int signals; /* signalfd */
	int feed;    /* write end of the pipe to the monitor where stdin is a terminal */
	bool raw;
	struct termios before;
	sigset_t mask_before;
	unsigned char keys[CLIENT_KEYS_MAX];
	size_t n_keys, matched;
	unsigned char data[CHUNK];
	size_t at, n;
	bool settled;
};

/* "ctrl-X" as its byte, or one character; -1 for anything else. */
static int key_byte(const char *word)
{
	const char *ctrl = str_after(word, "ctrl-");

	if (!ctrl)
		return strlen(word) == 1 ? (unsigned char)word[0] : -1;
	if (strlen(ctrl) != 1 || !strchr("@[\\]^_abcdefghijklmnopqrstuvwxyz", ctrl[0]))
		return -1;
	return toupper((unsigned char)ctrl[0]) & 0x1F;
}

int client_detach_keys(const char *spec, unsigned char *out, size_t n, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **words;
	size_t count;

	words = str_split(&a, str_empty(spec) ? "ctrl-p,ctrl-q" : spec, ',', &count);
	if (!words)
		return err_set(e, ERR_LIMIT, 0, "reading the detach keys: out of memory");
	if (count > n)
		return err_set(e, ERR_INVALID, 0, "invalid detach keys '%s': more than %zu", spec,
			       n);
	for (size_t i = 0; i < count; i++) {
		int byte = key_byte(words[i]);

		if (byte < 0)
			return err_set(e, ERR_INVALID, 0,
				       "invalid detach keys '%s': unknown key '%s' "
				       "(use a character or ctrl- and one of a-z @ [ \\ ] ^ _)",
				       spec, words[i]);
		out[i] = (unsigned char)byte;
	}
	return (int)count;
}

/* What is handed on: every signal that asks a program to end or do something, but not those of
 * job control, of faults, and of our own children and pipes. */
static void proxied_signals(sigset_t *set)
{
	static const int named[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
				    SIGUSR2, SIGALRM, SIGIO,   SIGPWR};

	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		sigaddset(set, named[i]);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(set, s);
}

static int watch_signals(struct client *c, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	if (c->o.sig_proxy || c->o.terminal)
		proxied_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, &c->mask_before) < 0)
		return err_errno(e, errno, "blocking signals");
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->signals < 0)
		return err_errno(e, errno, "watching signals");
	return 0;
}

/* The descriptor that the monitor reads as the user's stdin. */
static int make_stdin(struct client *c, int *ret, struct err *e)
{
	int ends[2], r;

	*ret = -1;
	if (c->o.in < 0)
		return 0;
	if (!isatty(c->o.in)) {
		*ret = fcntl(c->o.in, F_DUPFD_CLOEXEC, 3);
		return *ret < 0 ? err_errno(e, errno, "copying stdin") : 0;
	}
	r = fd_pipe(ends);
	if (r < 0)
		return err_errno(e, r, "making a pipe for stdin");
	fd_nonblock(ends[1], true);
	c->feed = ends[1];
	*ret = ends[0];
	return 0;
}

static void raw_on(struct client *c)
{
	struct termios t;

	if (!c->o.terminal || c->o.in < 0 || tcgetattr(c->o.in, &c->before) < 0)
		return;
	t = c->before;
	cfmakeraw(&t);
	if (tcsetattr(c->o.in, TCSANOW, &t) == 0)
		c->raw = true;
}

static void raw_off(struct client *c)
{
	if (c->raw)
		tcsetattr(c->o.in, TCSANOW, &c->before);
	c->raw = false;
}

int client_new(const struct client_opts *opts, int sock, struct client **ret, int *ret_stdin,
	       struct err *e)
{
	_cleanup_(client_freep) struct client *c = calloc(1, sizeof(*c));
	int keys;

	if (!c)
		return err_set(e, ERR_LIMIT, ENOMEM, "attaching");
	c->o = *opts;
	c->sock = sock;
	c->signals = c->feed = -1;
	sigprocmask(SIG_BLOCK, NULL, &c->mask_before);
	keys = client_detach_keys(opts->detach_keys, c->keys, CLIENT_KEYS_MAX, e);
	if (keys < 0)
		return -1;
	c->n_keys = (size_t)keys;
	/* The pipe that keys are written to breaks when the container ends. */
	signal(SIGPIPE, SIG_IGN);
	if (watch_signals(c, e) < 0 || make_stdin(c, ret_stdin, e) < 0)
		return -1;
	/* Before the program runs: what is typed early is for it, and echoed by it. */
	raw_on(c);
	*ret = TAKE_PTR(c);
	return 0;
}

void client_free(struct client *c)
{
	raw_off(c);
	fd_close(&c->signals);
	fd_close(&c->feed);
	sigprocmask(SIG_SETMASK, &c->mask_before, NULL);
	free(c);
}

static int say(struct client *c, uint32_t type, int32_t a, int32_t b)
{
	struct monitor_msg m = {.type = type, .a = a, .b = b};

	return send(c->sock, &m, sizeof(m), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The next message; 0 where the other side is gone. */
static ssize_t hear(int sock, struct monitor_msg *m)
{
	ssize_t n;

	do
		n = recv(sock, m, sizeof(*m), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*m) ? n : 0;
}

int client_await_start(struct client *c, int *ret_pid, struct err *e)
{
	struct monitor_msg m;
	struct err said;

	if (!hear(c->sock, &m))
		return err_set(e, ERR_INTERNAL, 0,
			       "starting the container: its monitor ended "
			       "before it said anything");
	if (m.type == MONITOR_STARTED) {
		*ret_pid = m.a;
		return 0;
	}
	if (m.type != MONITOR_FAILED || recv(c->sock, &said, sizeof(said), 0) != sizeof(said))
		return err_set(e, ERR_INTERNAL, 0, "starting the container: garbled answer");
	said.msg[ERR_MSG_MAX - 1] = '\0';
	if (e)
		*e = said;
	return -1;
}

/* Takes the detach keys out of the N bytes that were read; bytes of a sequence that was begun and
 * broken off are delivered. Returns whether the sequence was completed. */
static bool detach_typed(struct client *c)
{
	unsigned char in[CHUNK];
	size_t n = c->n;

	memcpy(in, c->data, n);
	c->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (in[i] == c->keys[c->matched]) {
			if (++c->matched == c->n_keys)
				return true;
			continue;
		}
		memcpy(c->data + c->n, c->keys, c->matched);
		c->n += c->matched;
		c->matched = in[i] == c->keys[0] && c->n_keys > 1;
		if (!c->matched)
			c->data[c->n++] = in[i];
	}
	return false;
}

/* Reads the terminal. Returns whether the detach keys were typed. */
static bool read_keys(struct client *c)
{
	/* Room is left for a broken sequence that is put back before the bytes. */
	ssize_t n = read(c->o.in, c->data, CHUNK - CLIENT_KEYS_MAX);

	c->at = c->n = 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		fd_close(&c->feed);
		return false;
	}
	c->n = (size_t)n;
	return c->raw && detach_typed(c);
}

static void write_keys(struct client *c)
{
	ssize_t n = write(c->feed, c->data + c->at, c->n);

	if (n > 0) {
		c->at += (size_t)n;
		c->n -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fd_close(&c->feed);
	}
}

/* With a terminal, signals are for this program alone, as Docker has it: keys reach the container
 * as bytes. It ends as it would have, but leaves the terminal as it was; the container goes on. */
static void end_by_signal(struct client *c, int signo)
{
	sigset_t set;

	raw_off(c);
	signal(signo, SIG_DFL);
	raise(signo);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_signal(struct client *c)
{
	struct signalfd_siginfo info;
	struct winsize w;

	while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGWINCH && c->o.terminal)
			end_by_signal(c, (int)info.ssi_signo);
		else if (info.ssi_signo != SIGWINCH)
			say(c, MONITOR_SIGNAL, (int32_t)info.ssi_signo, 0);
		else if (c->o.terminal && ioctl(c->o.screen, TIOCGWINSZ, &w) == 0)
			say(c, MONITOR_RESIZE, w.ws_row, w.ws_col);
	}
}

/* Returns 1 when the container ended, 0 to go on, -1 with E set. */
static int on_message(struct client *c, struct client_exit *ret, struct err *e)
{
	struct monitor_msg m;

	if (!hear(c->sock, &m))
		return err_set(e, ERR_INTERNAL, 0, "the container's monitor is gone");
	if (m.type == MONITOR_LOST)
		ret->lost_kb = m.a;
	if (m.type != MONITOR_EXITED)
		return 0;
	ret->code = m.a;
	ret->oom = m.b & MONITOR_EXITED_OOM;
	ret->policy = m.b & MONITOR_EXITED_POLICY;
	return 1;
}

int client_run(struct client *c, struct client_exit *ret, struct err *e)
{
	*ret = (struct client_exit){0};
	for (;;) {
		struct pollfd f[] = {
			{.fd = c->sock, .events = POLLIN},
			{.fd = c->signals, .events = POLLIN},
			{.fd = c->feed >= 0 && c->n == 0 ? c->o.in : -1, .events = POLLIN},
			{.fd = c->feed >= 0 && c->n > 0 ? c->feed : -1, .events = POLLOUT},
		};
		int r = poll(f, ARRAY_SIZE(f), c->settled ? -1 : CLIENT_SETTLE_MS);

		if (r == 0) {
			c->settled = ret->settled = true;
			return 0;
		}
		if (r < 0)
			continue;
		r = 0;
		if (f[1].revents)
			on_signal(c);
		if (f[2].revents && read_keys(c)) {
			say(c, MONITOR_DETACH, 0, 0);
			ret->detached = true;
			return 0;
		}
		if (f[3].revents)
			write_keys(c);
		if (f[0].revents)
			r = on_message(c, ret, e);
		if (r)
			return r < 0 ? -1 : 0;
	}
}

/* The struct is flat, but for the detach keys' text, which has been parsed: it crosses the exec as
 * it is, its descriptors stay open. The signals stay blocked and queue up. */
int client_exec(struct client *c, int program)
{
	char number[16];
	char *const argv[] = {(char[]){"kogge-client"}, number, NULL};
	char *const envp[] = {NULL};
	const int fds[] = {c->sock, c->signals, c->feed};
	int state = fd_memfd("kogge-client", c, sizeof(*c), true);

	if (state < 0)
		return state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			fd_cloexec(fds[i], false);
	fd_cloexec(state, false);
	snprintf(number, sizeof(number), "%d", state);
	execveat(program, "", argv, envp, AT_EMPTY_PATH);
	close(state);
	return -errno;
}

/* Waits until the monitor, and what it left the end to, are gone. */
static void await_end(struct client *c)
{
	struct monitor_msg m;

	say(c, MONITOR_ENDED, MONITOR_ENDS_ITSELF, 0);
	while (hear(c->sock, &m))
		;
}

int client_main(int state_fd)
{
	struct client *c = calloc(1, sizeof(*c));
	struct client_exit how;
	struct err e = ERR_INIT;
	int code = 125;

	if (!c || fd_read_full(state_fd, c, sizeof(*c)) != (ssize_t)sizeof(*c)) {
		free(c);
		return code;
	}
	close(state_fd);
	c->o.detach_keys = NULL;
	memory_settle();
	if (client_run(c, &how, &e) == 0) {
		code = how.detached ? 0 : how.code;
		if (how.detached)
			fputs(CLIENT_DETACHED, stderr);
		if (!how.detached)
			await_end(c);
	}
	client_free(c);
	if (e.class)
		fprintf(stderr, "kogge: %s\n", e.msg);
	return code;
}
