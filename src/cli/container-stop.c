/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container-each.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "engine/container-control.h"
#include "kernel/sig.h"

struct opts {
	const char *signal;
	int64_t timeout;
};

#define O(field) offsetof(struct opts, field)

static const struct opts init = {.timeout = STOP_TIMEOUT_DEFAULT};
static const struct cli_option options[] = {
	{"signal", 's', CLI_STRING, O(signal), "The signal to send"},
	{"timeout", 't', CLI_INT, O(timeout), "Seconds to wait before it is killed"},
	{"time", 0, CLI_INT, O(timeout), "Seconds to wait before it is killed",
	 .flags = CLI_HIDDEN},
	{NULL},
};

static void notice(void *arg, const char *text)
{
	struct cli_context *c = arg;

	fprintf(c->err, "%s: %s\n", c->program, text);
	fflush(c->err);
}

static int fill(struct cli_context *c, const struct opts *o, struct stop_opts *ret, struct err *e)
{
	int signo = str_empty(o->signal) ? 0 : sig_number(o->signal);

	if (signo < 0)
		return err_set(e, ERR_INVALID, 0, "invalid signal: %s", o->signal);
	*ret = (struct stop_opts){.signal = signo, .notice = notice, .arg = c};
	ret->timeout = o->timeout == STOP_TIMEOUT_DEFAULT
			       ? STOP_TIMEOUT_DEFAULT
			       : (int)MAX(MIN(o->timeout, (int64_t)INT_MAX / 1000), INT64_C(-1));
	return 0;
}

static int stop_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		    struct err *e)
{
	struct stop_opts stop;

	if (fill(c, opts, &stop, e) < 0)
		return -1;
	if (container_stop(en, ref, &stop, e) < 0)
		return e->class == ERR_NOT_FOUND ? -1
						 : err_wrap(e, "cannot stop container %s", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_stop(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, stop_one, e);
}

static int restart_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		       struct err *e)
{
	struct stop_opts stop;

	if (fill(c, opts, &stop, e) < 0)
		return -1;
	if (container_restart(en, ref, &stop, e) < 0)
		return e->class == ERR_NOT_FOUND ? -1
						 : err_wrap(e, "cannot restart container %s", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_restart(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, restart_one, e);
}

#define STOP                                                                                       \
	.name = "stop", .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                             \
	.summary = "Stop running containers", .aliases = "container stop,stop", .min_args = 1,     \
	.max_args = -1, .options = options, .opts_size = sizeof(struct opts), .opts_init = &init,  \
	.run = run_stop

const struct cli_command cli_stop = {STOP};
const struct cli_command cli_container_stop = {STOP};

#define RESTART                                                                                    \
	.name = "restart", .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                          \
	.summary = "Restart containers", .aliases = "container restart,restart", .min_args = 1,    \
	.max_args = -1, .options = options, .opts_size = sizeof(struct opts), .opts_init = &init,  \
	.run = run_restart

const struct cli_command cli_restart = {RESTART};
const struct cli_command cli_container_restart = {RESTART};
