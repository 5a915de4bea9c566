/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps: hooks inside, the wait for `start`, and the exec of the user's program. The
 * program is looked up in the PATH of the container's own environment, by the kernel's errors
 * alone: 127 where no candidate exists, 126 where one is there and cannot be executed. */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Something to do with each candidate: 0 ends the search, a negative errno goes on. */
typedef int (*try_fn)(const char *path, const char **args, const char **env);

int stage_sync(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct stage_msg m = {.kind = STAGE_SYNC, .arg = (uint32_t)s->num[0]};
	int r = stage_send(st, &m, -1);

	if (r < 0)
		return err_errno(e, r, "waiting for hooks");
	return stage_wait_reply(st, STAGE_GO, e);
}

static int try_exec(const char *path, const char **args, const char **env)
{
	execve(path, (char **)(uintptr_t)args, (char **)(uintptr_t)env);
	return -errno;
}

static int try_access(const char *path, const char **args, const char **env)
{
	struct stat sb;

	if (fstatat(AT_FDCWD, path, &sb, 0) < 0)
		return -errno;
	if (S_ISDIR(sb.st_mode))
		return -EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* One candidate: the directory DIR (N bytes, "" is the current one) and the program. */
static int try_in(const char *dir, size_t n, const char **args, const char **env, try_fn fn)
{
	char path[4096];
	size_t len = strlen(args[0]);

	if (n + len + 2 > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, dir, n);
	if (n)
		path[n++] = '/';
	memcpy(path + n, args[0], len + 1);
	return fn(path, args, env);
}

/* Goes through PATH as execvp does. EACCES is remembered and told where nothing better comes. */
static int search(const char **args, const char **env, try_fn fn)
{
	const char *dirs = strv_env_get(env, "PATH");
	int result = -ENOENT;

	if (!*args[0])
		return -ENOENT;
	if (strchr(args[0], '/'))
		return fn(args[0], args, env);
	for (const char *dir = str_empty(dirs) ? PATH_DEFAULT : dirs;;) {
		size_t n = strcspn(dir, ":");
		int r = try_in(dir, n, args, env, fn);

		if (r == 0)
			return 0;
		if (r != -ENOENT && r != -ENOTDIR && result == -ENOENT)
			result = r;
		if (!dir[n])
			return result;
		dir += n + 1;
	}
}

/* ENOENT for a script or program whose interpreter is missing is 127 too, as in a shell. */
static int exec_failed(const char *program, int r, struct err *e)
{
	enum err_class class = r == -ENOENT || r == -ENOTDIR ? ERR_NO_PROGRAM : ERR_NOT_EXEC;

	/* The words by which Docker's and Podman's users know it */
	if (r == -ENOENT && !strchr(program, '/')) {
		err_set(e, class, 0, "executing '%s': executable file not found in $PATH", program);
		if (e)
			e->errnum = ENOENT;
		return -1;
	}
	return err_set(e, class, r, "executing '%s'", program);
}

int stage_find(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(freep) const char **env = stage_strv(s->str[1]);
	const char *args[] = {s->str[0].data, NULL};
	int r = env ? search(args, env, try_access) : -ENOMEM;

	return r < 0 ? exec_failed(args[0], r, e) : 0;
}

int stage_exec(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(freep) const char **args = stage_strv(s->str[0]);
	_cleanup_(freep) const char **env = stage_strv(s->str[1]);
	const struct stage_msg m = {.kind = STAGE_EXEC};
	sigset_t all;
	int r;

	if (!args || !env || !args[0])
		return err_errno(e, args ? EINVAL : ENOMEM, "executing");
	r = stage_send(st, &m, -1);
	if (r < 0)
		return err_errno(e, r, "reporting to the runtime");
	fd_cloexec_from(STAGE_SOCKET + (int)st->n_preserve);
	/* What comes before the program is ready would be lost: the kernel drops signals that PID 1
	 * neither handles nor blocks. */
	if (s->flags & PLAN_EXEC_BLOCKED) {
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
	}
	if (s->str[2].len && stage_load_filter(st, s->str[2], s->num[0], e) < 0)
		return -1;
	return exec_failed(args[0], search(args, env, try_exec), e);
}

/* Closes everything but 0 to 2, the preserved ones and the two given. */
static void close_others(const struct stage *st, int a, int b)
{
	int low = MIN(a, b), high = MAX(a, b);
	int from = STAGE_SOCKET + (int)st->n_preserve;

	if (low > from)
		close_range((unsigned)from, (unsigned)low - 1, 0);
	from = MAX(from, low + 1);
	if (high > from)
		close_range((unsigned)from, (unsigned)high - 1, 0);
	close_range((unsigned)MAX(from, high + 1), ~0U, 0);
}

/* Takes `start`'s connection: its end of file will say that the program runs. */
static int accept_start(struct stage *st, int *listen_fd, struct err *e)
{
	int fd = accept4(*listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "accepting the start");
	fd_close(&st->sock);
	st->sock = fd;
	fd_close(listen_fd);
	return stage_wait_reply(st, STAGE_GO, e);
}

/* The creator may go on the first socket (STAGE_GO), or record the container (STAGE_KEEP) and go
 * away; without either of them this process must not stay. */
int stage_wait(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct stage_msg m = {.kind = STAGE_READY};
	int listen_fd = stage_fd(st, s, 0);
	char reply = 0;
	int r = stage_send(st, &m, -1);

	if (r < 0)
		return err_errno(e, r, "reporting to the runtime");
	close_others(st, st->sock, listen_fd < 0 ? st->sock : listen_fd);
	st->proc = st->pts = st->null = st->empty_dir = -1;
	if (fd_recv(st->sock, &reply, 1, NULL, 0) != 1)
		return err_set(e, ERR_INTERNAL, 0, "the runtime has gone away");
	if (reply == STAGE_GO)
		return 0;
	if (reply != STAGE_KEEP || listen_fd < 0)
		return err_set(e, ERR_INTERNAL, 0, "unexpected reply of the runtime");
	return accept_start(st, &listen_fd, e);
}

static void run_hook(const struct plan_step *s, int state)
{
	const char **args = stage_strv(s->str[1]), **env = stage_strv(s->str[2]);
	const char *plain[] = {s->str[0].data, NULL};

	if (!args || !env || dup2(state, 0) < 0 || chdir("/") < 0)
		_exit(125);
	close_range(3, ~0U, 0);
	try_exec(s->str[0].data, args[0] ? args : plain, env);
	_exit(127);
}

/* Waits for the hook; a hook that takes too long is killed. */
static int wait_hook(pid_t pid, int pidfd, int timeout_ms, int *ret_status)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return n == 0 ? -ETIMEDOUT : 0;
}

int stage_hook(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(fd_close) int state = fd_memfd("state", s->str[3].data, s->str[3].len, false);
	_cleanup_(fd_close) int pidfd = -1;
	int status = 0, r;
	pid_t pid;

	if (state < 0)
		return err_errno(e, state, "running the hook '%s'", s->str[0].data);
	pid = fork();
	if (pid == 0)
		run_hook(s, state);
	pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_errno(e, errno, "running the hook '%s'", s->str[0].data);
	r = wait_hook(pid, pidfd, s->num[0] ? (int)s->num[0] : -1, &status);
	if (r < 0)
		return err_errno(e, r, "running the hook '%s'", s->str[0].data);
	if (status)
		return err_set(e, ERR_INVALID, 0, "the hook '%s' failed with status %#x",
			       s->str[0].data, status);
	return 0;
}
