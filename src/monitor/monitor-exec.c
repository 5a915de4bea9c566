/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds a monitor: its lock, its socket, and how a process becomes one. */
#include "monitor/monitor.h"

#include "base/fd.h"
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int monitor_check_paths(const char *root, const char *run_root)
{
	return strlen(root) < MONITOR_PATH_SIZE && strlen(run_root) < MONITOR_PATH_SIZE
		       ? 0
		       : -ENAMETOOLONG;
}

static int lock_dir(int run_dir, int how, int flags)
{
	_cleanup_(fd_close) int fd =
		path_open_own(run_dir, MONITOR_LOCK, O_RDWR | O_CLOEXEC | flags, 0600);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Removed between open and lock: it locks nothing. */
	return st.st_nlink ? TAKE_FD(fd) : -ESTALE;
}

int monitor_lock(int run_dir)
{
	return lock_dir(run_dir, LOCK_EX | LOCK_NB, O_CREAT);
}

int monitor_probe(int run_dir)
{
	return lock_dir(run_dir, LOCK_EX | LOCK_NB, 0);
}

int monitor_lock_wait(int run_dir)
{
	return lock_dir(run_dir, LOCK_EX, 0);
}

enum { CONFIG_FDS = 16 };

/* The descriptors of a configuration, for what is done to all of them. */
static size_t config_fds(const struct monitor_config *c, int fds[CONFIG_FDS])
{
	const int all[] = {c->pidfd,       c->client,     c->run_dir,    c->control,
			   c->lock,        c->in_to,      c->out_from,   c->err_from,
			   c->client_in,   c->client_out, c->client_err, c->oom_events,
			   c->cgroup_kill, c->kogge,      c->root_dir,   c->pin};

	static_assert(ARRAY_SIZE(all) == CONFIG_FDS, "one place for each");
	memcpy(fds, all, sizeof(all));
	return ARRAY_SIZE(all);
}

static void quiet_signals(void)
{
	static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				      SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The monitor must hold neither the caller's folder nor its terminal. */
static void leave_caller(void)
{
	_cleanup_(fd_close) int root = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	_cleanup_(fd_close) int null = path_open_host("/dev/null", O_RDWR, 0);

	if (root >= 0)
		(void)!fchdir(root);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
}

int monitor_exec(int program, const struct monitor_config *config)
{
	char number[16];
	char *const argv[] = {(char[]){"kogge-monitor"}, (char *)(uintptr_t)config->id, number,
			      NULL};
	char *const envp[] = {NULL};
	int fds[CONFIG_FDS + 1], memfd;
	size_t n = config_fds(config, fds);

	memfd = fd_memfd("kogge-monitor", config, sizeof(*config), true);
	if (memfd < 0)
		return memfd;
	snprintf(number, sizeof(number), "%d", memfd);
	fds[n++] = memfd;
	/* What the caller of kogge left open is none of the monitor's. */
	fd_cloexec_from(3);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0 && fd_cloexec(fds[i], false) < 0)
			return -EBADF;
	leave_caller();
	quiet_signals();
	setsid();
	execveat(program, "", argv, envp, AT_EMPTY_PATH);
	return -errno;
}

/* Fills ADDR with the control socket of RUN_DIR through its descriptor: the length of a path
 * never matters. */
static socklen_t control_address(int run_dir, struct sockaddr_un *addr)
{
	int n;

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/" MONITOR_CONTROL,
		     run_dir);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
}

int monitor_listen(int run_dir)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	socklen_t n = control_address(run_dir, &addr);
	mode_t old;
	int r;

	if (fd < 0)
		return -errno;
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, n) < 0 ? -errno : 0;
	umask(old);
	if (r < 0)
		return r;
	if (listen(fd, MONITOR_PEERS_MAX) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int monitor_connect(int run_dir)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	socklen_t n = control_address(run_dir, &addr);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, n) < 0)
		return -errno;
	return TAKE_FD(fd);
}
