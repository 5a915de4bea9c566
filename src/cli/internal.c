/* SPDX-License-Identifier: Apache-2.0 */
/* What kogge starts of itself: a monitor leaves the container's end, its restart, its health checks
 * and the store's maintenance to these, and the service manager starts `__boot`. Not for users. */
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/num.h"
#include "engine/container-exec.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "store/store.h"

#include <string.h>

/* A descriptor that the monitor left, or -1. It is not for the programs that this one starts. */
static int fd_arg(const struct cli_args *a, size_t i)
{
	uint64_t fd;

	if (i >= a->argc || num_u64(a->argv[i], 3, INT32_MAX, &fd) < 0)
		return -1;
	return fd_cloexec((int)fd, true) < 0 ? -1 : (int)fd;
}

static int run_end(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	int lock = fd_arg(a, 1), control = fd_arg(a, 2);
	struct engine *en = cli_engine(c, e);

	if (!en || container_end_monitored(en, a->argv[0], lock, control, e) < 0)
		return 1;
	store_maintain(engine_store(en));
	return 0;
}

static int run_restart(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	int lock = fd_arg(a, 1), control = fd_arg(a, 2);
	struct engine *en = cli_engine(c, e);

	if (en && lock >= 0 && control >= 0)
		(void)container_start_monitored(en, a->argv[0], lock, control, e);
	return 1;
}

static int run_maintain(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct store *s = cli_store(c, e);

	if (!s)
		return 1;
	store_maintain(s);
	return 0;
}

static int run_health(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);
	bool starting = true;

	return !en || container_check_health(en, a->argv[0], &starting, e) < 0 || starting;
}

/* For a process of `exec` whose client is gone. The store is closed while it waits. */
static int run_exec(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(container_exec_done) struct container_exec x = CONTAINER_EXEC_INIT;
	struct engine *en;
	uint64_t pid;
	int code;

	if (num_u64(a->argv[2], 1, INT32_MAX, &pid) < 0 || !id_is_full(a->argv[1]))
		return 1;
	memcpy(x.exec_id, a->argv[1], sizeof(x.exec_id));
	x.proc.pid = (pid_t)pid;
	x.proc.pidfd = fd_arg(a, 3);
	x.proc.pty = fd_arg(a, 4);
	if (x.proc.pidfd < 0)
		return 1;
	code = container_exec_hold_other(&x);
	en = cli_engine(c, e);
	if (!en)
		return 1;
	container_exec_ended(en, a->argv[0], &x, code);
	return 0;
}

struct boot {
	struct cli_context *c;
	bool failed;
};

static void booted(void *arg, const char *name, const struct err *why)
{
	struct boot *b = arg;

	if (!why)
		fprintf(b->c->out, "%s\n", name);
	else
		fprintf(b->c->err, "%s: starting container %s: %s\n", b->c->program, name,
			why->msg);
	b->failed = b->failed || why;
}

static int run_halt(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	if (!en)
		return 1;
	return (a->argc ? container_halt(en, a->argv[0], e) : engine_halt(en, e)) < 0;
}

static int run_boot(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);
	struct boot b = {.c = c};

	return !en || engine_boot(en, booted, &b, e) < 0 || b.failed;
}

static int run_keep(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	int sock = fd_arg(a, 0), lock = fd_arg(a, 1);
	struct engine *en = cli_engine(c, e);

	return !en || sock < 0 || lock < 0 || network_keep(en, sock, lock, e) < 0;
}

const struct cli_command cli_keep = {.name = "__keep",
				     .usage = "SOCKET LOCK",
				     .summary = "Keep networks while containers are on them",
				     .flags = CLI_HIDE,
				     .min_args = 2,
				     .max_args = 2,
				     .run = run_keep};
const struct cli_command cli_end = {.name = "__end",
				    .usage = "CONTAINER [LOCK CONTROL]",
				    .summary = "Do a container's end for its monitor",
				    .flags = CLI_HIDE,
				    .min_args = 1,
				    .max_args = 3,
				    .run = run_end};
const struct cli_command cli_autostart = {.name = "__restart",
					  .usage = "CONTAINER LOCK CONTROL",
					  .summary = "Start a container again for its monitor",
					  .flags = CLI_HIDE,
					  .min_args = 3,
					  .max_args = 3,
					  .run = run_restart};
const struct cli_command cli_health = {.name = "__health",
				       .usage = "CONTAINER",
				       .summary = "Check a container's health for its monitor",
				       .flags = CLI_HIDE,
				       .min_args = 1,
				       .max_args = 1,
				       .run = run_health};
const struct cli_command cli_exec_left = {.name = "__exec",
					  .usage = "CONTAINER ID PID PIDFD TERMINAL",
					  .summary = "Hold a process of exec for its monitor",
					  .flags = CLI_HIDE,
					  .min_args = 5,
					  .max_args = 5,
					  .run = run_exec};
const struct cli_command cli_boot = {.name = "__boot",
				     .summary = "Start what should run after a boot",
				     .flags = CLI_HIDE,
				     .run = run_boot};
const struct cli_command cli_halt = {.name = "__halt",
				     .usage = "[CONTAINER]",
				     .summary = "Stop what runs before the machine's end",
				     .flags = CLI_HIDE,
				     .max_args = 1,
				     .run = run_halt};
const struct cli_command cli_maintain = {.name = "__maintain",
					 .summary = "Maintain the store for a monitor",
					 .flags = CLI_HIDE,
					 .run = run_maintain};
