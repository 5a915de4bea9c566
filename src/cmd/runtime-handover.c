/* SPDX-License-Identifier: Apache-2.0 */
/* What create, run and exec hand over: descriptors, the terminal, the PID. */
#include "cmd/runtime.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The sockets that a service manager left for this process: sd_listen_fds(3). */
static uint32_t activation_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t for_pid = 0, n = 0;

	if (!pid || !fds || num_u32(pid, &for_pid) < 0 || num_u32(fds, &n) < 0)
		return 0;
	return for_pid == (uint32_t)getpid() ? n : 0;
}

int runtime_handover_init(struct runtime_handover *h, uint32_t preserve, struct err *e)
{
	uint32_t n = activation_fds();

	if (preserve > ARRAY_SIZE(h->fds) || n > ARRAY_SIZE(h->fds) - preserve)
		return err_set(e, ERR_LIMIT, 0, "--preserve-fds: more than %zu descriptors",
			       ARRAY_SIZE(h->fds));
	h->n = preserve + n;
	for (size_t i = 0; i < h->n; i++) {
		h->fds[i] = 3 + (int)i;
		if (fcntl(h->fds[i], F_GETFD) < 0)
			return err_set(e, ERR_INVALID, 0, "--preserve-fds: %d is not open",
				       h->fds[i]);
	}
	return 0;
}

int runtime_handover_env(struct runtime_handover *h, const char **env, struct arena *a,
			 struct err *e)
{
	uint32_t n = activation_fds();
	size_t count = 0;
	int r = 0;

	h->env = env;
	if (!n)
		return 0;
	h->env = NULL;
	for (const char **v = env; r >= 0 && v && *v; v++)
		r = arena_strv_push(a, &h->env, &count, *v);
	/* Its PID in the container is not known yet; runc promises 1 to everybody */
	if (r >= 0)
		r = arena_strv_push(a, &h->env, &count, "LISTEN_PID=1");
	if (r >= 0) {
		const char *fds = arena_printf(a, "LISTEN_FDS=%u", n);

		r = fds ? arena_strv_push(a, &h->env, &count, fds) : -ENOMEM;
	}
	return r < 0 ? err_errno(e, r, "handing sockets over") : 0;
}

int runtime_console_connect(const char *path, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_(fd_close) int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(e, ERR_INVALID, 0, "--console-socket: '%s' is too long", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(e, errno, "connecting to the console socket '%s'", path);
	return TAKE_FD(fd);
}

int runtime_console_check(bool terminal, bool detach, const char *socket_path, struct err *e)
{
	if (terminal && detach && !socket_path)
		return err_set(e, ERR_INVALID, 0,
			       "process.terminal: a detached container needs --console-socket");
	if (!terminal && socket_path)
		return err_set(e, ERR_INVALID, 0, "--console-socket: process.terminal is not set");
	return 0;
}

int runtime_pid_write(const char *path, pid_t pid, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid), r;

	if (!path)
		return 0;
	fd = path_open_host(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	r = fd < 0 ? fd : fd_write_full(fd, text, (size_t)n);
	return r < 0 ? err_errno(e, r, "writing '%s'", path) : 0;
}
