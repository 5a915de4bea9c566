/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks are often scripts, and a script that is executed by a close-on-exec descriptor cannot be
 * opened by its interpreter. So the first line is read here and the interpreter started with the
 * script's path, as the kernel would do. */
#include "runtime/hooks.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SCRIPT_LINE_MAX = 256 }; /* BINPRM_BUF_SIZE of the kernel */

/* A program to execute: its descriptor and arguments. */
struct command {
	int exe;
	const char **argv;
	size_t n;
};

/* The interpreter's line of a script, without "#!" and blanks around; NULL for other files. */
static char *script_line(struct arena *a, int fd)
{
	char line[SCRIPT_LINE_MAX];
	ssize_t n = fd_pread_full(fd, line, sizeof(line) - 1, 0);
	size_t from, len;

	if (n < 3 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	from = 2 + strspn(line + 2, " \t");
	len = strlen(line + from);
	while (len && strchr(" \t\r", line[from + len - 1]))
		len--;
	return arena_strndup(a, line + from, len);
}

/* Starts the argument list with "interpreter [argument] script" where FD is a script. */
static int resolve_script(struct arena *a, struct command *c, const char *path)
{
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY, 0);
	char *line = fd < 0 ? NULL : script_line(a, fd);
	size_t cut;
	int r;

	if (!line || !*line)
		return 0;
	cut = strcspn(line, " \t");
	r = arena_strv_push(a, &c->argv, &c->n, line);
	if (r >= 0 && line[cut]) {
		char *arg = line + cut + strspn(line + cut, " \t");

		line[cut] = '\0';
		r = arena_strv_push(a, &c->argv, &c->n, arg);
	}
	if (r >= 0)
		r = arena_strv_push(a, &c->argv, &c->n, path);
	if (r < 0)
		return r;
	fd_close(&c->exe);
	c->exe = path_open_host(line, O_PATH, 0);
	return c->exe < 0 ? c->exe : 1;
}

static int resolve(struct arena *a, const struct oci_hook *h, struct command *c)
{
	bool named = h->args && h->args[0];
	int r;

	c->exe = path_open_host(h->path, O_PATH, 0);
	if (c->exe < 0)
		return c->exe;
	r = resolve_script(a, c, h->path);
	if (r == 0)
		r = arena_strv_push(a, &c->argv, &c->n, named ? h->args[0] : h->path);
	for (size_t i = 1; r >= 0 && named && h->args[i]; i++)
		r = arena_strv_push(a, &c->argv, &c->n, h->args[i]);
	return r;
}

static int wait_hook(struct process *p, const struct oci_hook *h, struct err *e)
{
	int64_t seconds = h->timeout.set ? h->timeout.value : 0;
	int status = 0;
	int r = seconds ? pidfd_wait_end(p->pidfd, (int)MIN(seconds, (int64_t)2000000) * 1000) : 0;

	if (r == -ETIMEDOUT) {
		process_kill(p);
		return err_set(e, ERR_INVALID, r, "the hook '%s' took longer than %lld s", h->path,
			       (long long)seconds);
	}
	r = process_wait(p, &status);
	if (r < 0)
		return err_errno(e, r, "waiting for the hook '%s'", h->path);
	if (status)
		return err_set(e, ERR_INVALID, 0, "the hook '%s' failed with status %d", h->path,
			       status);
	return 0;
}

static int run_hook(const struct oci_hook *h, const char *state, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(process_done) struct process p = PROCESS_INIT;
	_cleanup_(fd_close) int input = fd_memfd("state", state, strlen(state), false);
	_cleanup_(fd_close) int root = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	const int fds[] = {input, -1, STDERR_FILENO};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct command c = {.exe = -1};
	int r = input < 0 ? input : root < 0 ? root : resolve(&a, h, &c);

	s.exe = c.exe;
	s.argv = c.argv;
	s.env = (const char *const *)h->env;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	s.cwd = root;
	if (r >= 0)
		r = process_spawn(&s, &p);
	fd_close(&c.exe);
	if (r < 0)
		return err_errno(e, r, "running the hook '%s'", h->path);
	return wait_hook(&p, h, e);
}

int runtime_hooks_run(const struct runtime_config *c, enum oci_hook_point point,
		      const char *state_json, struct err *e)
{
	/* "the remaining hooks and lifecycle continue as if the hook had succeeded" */
	bool goes_on = point == OCI_HOOK_POSTSTART || point == OCI_HOOK_POSTSTOP;
	int result = 0;

	for (size_t i = 0; i < c->hooks[point].n; i++) {
		if (run_hook(&c->hooks[point].v[i], state_json, result < 0 ? NULL : e) == 0)
			continue;
		if (result == 0)
			result = err_wrap(e, "%s hook", oci_hook_name(point));
		if (!goes_on)
			break;
	}
	return result;
}
