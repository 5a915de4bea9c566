/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a container that somebody else has. Whoever has it holds the lock of its run
 * directory: a start, which listens on the control socket a moment later and answers when its row
 * is written; a monitor; the end of a run; a copy or a removal, which never listen. So two things
 * are waited for at once: that the lock is free, which only a process that blocks can be told of (a
 * child of ours), and that somebody listens or, where somebody does, answers or hangs up. */
#include "base/fd.h"
#include "engine/engine-internal.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that ends, and with it the pipe RET, when the lock is free. */
static pid_t await_lock_outside(int run_dir, int *ret)
{
	pid_t me = getpid(), pid;
	int ends[2], lock;

	if (fd_pipe(ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != me)
			_exit(1);
		lock = monitor_lock_wait(run_dir);
		_exit(lock < 0);
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*ret = ends[0];
	return pid;
}

static int watch_for_socket(int run_dir)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", run_dir);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_CREATE | IN_DELETE_SELF) < 0)
		fd_close(&fd);
	return fd;
}

/* Asks who listens; the answer, or the end of the connection, is what to wait for. */
static int ask_listener(int run_dir)
{
	const struct monitor_msg m = {.type = MONITOR_ASK_PID};
	_cleanup_(fd_close) int sock = monitor_connect(run_dir);

	if (sock < 0 || send(sock, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return -1;
	return TAKE_FD(sock);
}

void container_await_change(struct engine *en, const char *id, int timeout_ms)
{
	struct err gone = ERR_INIT;
	_cleanup_(fd_close) int run_dir = container_run_dir(en, id, false, &gone);
	_cleanup_(fd_close) int socket_made = -1, answer = -1, lock_free = -1;
	struct pollfd f[3];
	pid_t pid;

	if (run_dir < 0)
		return;
	/* In this order: what is made after the watch is seen, what was made before it answers. */
	socket_made = watch_for_socket(run_dir);
	answer = ask_listener(run_dir);
	pid = await_lock_outside(run_dir, &lock_free);
	if (pid < 0)
		return;
	f[0] = (struct pollfd){.fd = lock_free, .events = POLLIN};
	f[1] = (struct pollfd){.fd = answer, .events = POLLIN};
	f[2] = (struct pollfd){.fd = answer < 0 ? socket_made : -1, .events = POLLIN};
	(void)poll(f, ARRAY_SIZE(f), timeout_ms);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
