/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/process.h"
#include "engine/container-exec.h"
#include "kernel/tty.h"
#include "monitor/client.h"

#include <errno.h>
#include <unistd.h>

struct opts {
	bool detach, interactive, privileged, tty;
	const char *detach_keys, *user, *workdir;
	struct cli_list env, env_file;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"detach", 'd', CLI_BOOL, O(detach), "Run the command in the background"},
	{"detach-keys", 0, CLI_STRING, O(detach_keys), "The keys that leave the command running",
	 .flags = CLI_MEANING, .check = run_check_detach_keys},
	{"env", 'e', CLI_LIST, O(env), "Set environment variables", .check = run_check_env},
	{"env-file", 0, CLI_LIST, O(env_file), "Read environment variables from a file"},
	{"interactive", 'i', CLI_BOOL, O(interactive), "Keep STDIN open"},
	{"privileged", 0, CLI_BOOL, O(privileged), "Give the command all capabilities"},
	{"tty", 't', CLI_BOOL, O(tty), "Give the command a terminal"},
	{"user", 'u', CLI_STRING, O(user),
	 "User name or UID (format: \"<name|uid>[:<group|gid>]\")"},
	{"workdir", 'w', CLI_STRING, O(workdir), "Working directory in the container"},
	{NULL},
};

static int fill(struct cli_context *c, const struct cli_args *a, struct exec_spec *x, struct err *e)
{
	const struct opts *o = a->opts;
	struct winsize w;

	*x = (struct exec_spec){.args = a->argv + 1,
				.user = o->user,
				.workdir = o->workdir,
				.tty = o->tty,
				.privileged = o->privileged};
	if (o->tty && tty_get_size(c->out_fd, &w) == 0) {
		x->rows = w.ws_row;
		x->columns = w.ws_col;
	}
	return run_read_env(&c->arena, &o->env_file, &o->env, &x->env, e);
}

/* Docker's: 1 where the container is not there or not fit for it, and with --detach; 127 for a
 * command that is not there; 126 for whatever else kept it from being started. */
static int failed(const struct err *e, bool detach)
{
	if (detach || e->class == ERR_NOT_FOUND || e->class == ERR_CONFLICT)
		return 1;
	return e->class == ERR_NO_PROGRAM ? 127 : 126;
}

/* -- in the background -------------------------------------------------------------------------
 * A child stays as the parent of the command, so that it is reaped and its end told. It has an
 * engine of its own, and none while it waits. */

static void be_parent(struct cli_context *c, const struct cli_args *a, const struct exec_spec *x,
		      int tell)
{
	_cleanup_(container_exec_done) struct container_exec proc = CONTAINER_EXEC_INIT;
	const int none[3] = {-1, -1, -1};
	struct err e = ERR_INIT;
	struct engine *en;
	int code;

	setsid();
	en = cli_engine(c, &e);
	if (en && container_exec_start(en, a->argv[0], x, none, &proc, &e) == 0)
		e = ERR_INIT;
	(void)fd_write_full(tell, &e, sizeof(e));
	close(tell);
	if (e.class)
		return;
	cli_engine_close(c);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	(void)process_clean_start();
	code = container_exec_hold(&proc);
	en = cli_engine(c, &e);
	if (en)
		container_exec_ended(en, a->argv[0], &proc, code);
}

static int run_detached(struct cli_context *c, const struct cli_args *a, const struct exec_spec *x,
			struct err *e)
{
	struct err said = ERR_INIT;
	int ends[2], r = fd_pipe(ends);
	pid_t pid;

	if (r < 0)
		return err_errno(e, r, "making a pipe"), 1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_parent(c, a, x, ends[1]);
		cli_context_done(c);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0)
		(void)err_errno(e, errno, "starting the command");
	else if (fd_read_full(ends[0], &said, sizeof(said)) != (ssize_t)sizeof(said))
		(void)err_set(e, ERR_INTERNAL, 0, "starting the command: its parent was killed");
	else
		*e = said;
	close(ends[0]);
	return e->class ? failed(e, true) : 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct attach_opts attach = {.in = o->interactive ? c->in_fd : -1,
				     .out = c->out_fd,
				     .err_out = c->err_fd,
				     .detach_keys = o->detach_keys};
	struct container_exit end = {.code = 125};
	struct exec_spec x;
	struct engine *en;

	if (o->tty && o->interactive && !o->detach && !isatty(c->in_fd)) {
		fprintf(c->err, "the input device is not a TTY\n");
		return 1;
	}
	if (fill(c, a, &x, e) < 0)
		return 1;
	fflush(c->out);
	if (o->detach)
		return run_detached(c, a, &x, e);
	en = cli_engine(c, e);
	if (!en)
		return 1;
	if (container_exec_run(en, a->argv[0], &x, &attach, &end, e) < 0)
		return failed(e, false);
	if (end.detached) {
		fputs(CLIENT_DETACHED, c->err);
		return 1;
	}
	return end.code;
}

#define EXEC                                                                                       \
	.name = "exec", .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",                           \
	.summary = "Run a command in a running container", .aliases = "container exec,exec",       \
	.min_args = 2, .max_args = -1, .options = options, .opts_size = sizeof(struct opts),       \
	.run = run

const struct cli_command cli_exec = {.flags = CLI_STOP_AT_ARG | CLI_COMMON, EXEC};
const struct cli_command cli_container_exec = {.flags = CLI_STOP_AT_ARG, EXEC};
