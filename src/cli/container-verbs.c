/* SPDX-License-Identifier: Apache-2.0 */
/* rm, wait, kill, pause, unpause: one call of the engine for each container that is named; what
 * fails is said and the others are done. And rename. */
#include "cli/container-each.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "engine/container-control.h"
#include "engine/engine.h"
#include "kernel/sig.h"

int container_each(struct cli_context *c, const struct cli_args *a, container_each_fn fn,
		   struct err *e)
{
	struct engine *en = cli_engine(c, e);
	int code = 0;

	for (size_t i = 0; en && i < a->argc; i++) {
		struct err one = ERR_INIT;

		if (fn(c, en, a->argv[i], a->opts, &one) < 0) {
			cli_complain(c, &one);
			code = 1;
		}
		fflush(c->out);
	}
	return en ? code : 1;
}

/* -- rm -------------------------------------------------------------------------------------- */

struct rm_opts {
	bool force, volumes;
};

static const struct cli_option rm_options[] = {
	{"force", 'f', CLI_BOOL, offsetof(struct rm_opts, force),
	 "Remove it even while it runs (by SIGKILL)"},
	{"link", 'l', CLI_BOOL, 0, "Remove the link (not yet)", .flags = CLI_LATER},
	{"volumes", 'v', CLI_BOOL, offsetof(struct rm_opts, volumes),
	 "Remove its anonymous volumes too"},
	{NULL},
};

static int rm_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		  struct err *e)
{
	const struct rm_opts *o = opts;
	unsigned flags = (o->force ? CONTAINER_REMOVE_FORCE : 0) |
			 (o->volumes ? CONTAINER_REMOVE_VOLUMES : 0);

	if (container_remove(en, ref, flags, e) < 0) {
		/* With --force Docker does not mind what is not there. */
		if (!o->force || e->class != ERR_NOT_FOUND)
			return -1;
		cli_complain(c, e);
		return 0;
	}
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_rm(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, rm_one, e);
}

/* -- wait ------------------------------------------------------------------------------------ */

static int wait_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		    struct err *e)
{
	int code;

	if (container_wait(en, ref, &code, e) < 0)
		return -1;
	fprintf(c->out, "%d\n", code);
	return 0;
}

static int run_wait(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, wait_one, e);
}

/* -- kill ------------------------------------------------------------------------------------ */

struct kill_opts {
	const char *signal;
};

static const struct kill_opts kill_init = {.signal = "KILL"};
static const struct cli_option kill_options[] = {
	{"signal", 's', CLI_STRING, offsetof(struct kill_opts, signal),
	 "The signal to send (KILL unless told)"},
	{NULL},
};

static int kill_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		    struct err *e)
{
	const struct kill_opts *o = opts;

	if (container_kill(en, ref, sig_number(o->signal), e) < 0)
		return err_wrap(e, "cannot kill container '%s'", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_kill(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct kill_opts *o = a->opts;

	if (sig_number(o->signal) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid signal: %s", o->signal), 1;
	return container_each(c, a, kill_one, e);
}

/* -- pause, unpause -------------------------------------------------------------------------- */

static int pause_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		     struct err *e)
{
	if (container_pause(en, ref, e) < 0)
		return e->class == ERR_NOT_FOUND ? -1
						 : err_wrap(e, "cannot pause container %s", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_pause(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, pause_one, e);
}

static int unpause_one(struct cli_context *c, struct engine *en, const char *ref, const void *opts,
		       struct err *e)
{
	if (container_unpause(en, ref, e) < 0)
		return e->class == ERR_NOT_FOUND ? -1
						 : err_wrap(e, "cannot unpause container %s", ref);
	fprintf(c->out, "%s\n", ref);
	return 0;
}

static int run_unpause(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	return container_each(c, a, unpause_one, e);
}

/* -- rename ---------------------------------------------------------------------------------- */

static int run_rename(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	if (!en)
		return 1;
	if (container_rename(en, a->argv[0], a->argv[1], e) == 0)
		return 0;
	if (e->class != ERR_NOT_FOUND)
		(void)err_wrap(e, "failed to rename container named %s", a->argv[0]);
	return 1;
}

#define MANY(verb) .name = #verb, .min_args = 1, .max_args = -1, .run = run_##verb

#define RM                                                                                         \
	MANY(rm), .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                                   \
		  .summary = "Remove one or more containers",                                      \
		  .aliases = "container rm,container remove,rm", .options = rm_options,            \
		  .opts_size = sizeof(struct rm_opts)
#define WAIT                                                                                       \
	MANY(wait), .usage = "CONTAINER [CONTAINER...]",                                           \
		    .summary = "Wait until containers end, then print their exit codes",           \
		    .aliases = "container wait,wait"
#define KILL                                                                                       \
	MANY(kill), .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                                 \
		    .summary = "Kill one or more running containers",                              \
		    .aliases = "container kill,kill", .options = kill_options,                     \
		    .opts_size = sizeof(struct kill_opts), .opts_init = &kill_init

#define PAUSE                                                                                      \
	MANY(pause), .usage = "CONTAINER [CONTAINER...]",                                          \
		     .summary = "Pause all processes of containers",                               \
		     .aliases = "container pause,pause"
#define UNPAUSE                                                                                    \
	MANY(unpause), .usage = "CONTAINER [CONTAINER...]",                                        \
		       .summary = "Let all processes of containers go on",                         \
		       .aliases = "container unpause,unpause"
#define RENAME                                                                                     \
	.name = "rename", .min_args = 2, .max_args = 2, .run = run_rename,                         \
	.usage = "CONTAINER NEW_NAME", .summary = "Rename a container",                            \
	.aliases = "container rename,rename"

const struct cli_command cli_pause = {PAUSE};
const struct cli_command cli_container_pause = {PAUSE};
const struct cli_command cli_unpause = {UNPAUSE};
const struct cli_command cli_container_unpause = {UNPAUSE};
const struct cli_command cli_rename = {RENAME};
const struct cli_command cli_container_rename = {RENAME};
const struct cli_command cli_rm = {RM};
const struct cli_command cli_container_rm = {.also = "remove", RM};
const struct cli_command cli_wait = {WAIT};
const struct cli_command cli_container_wait = {WAIT};
const struct cli_command cli_kill = {KILL};
const struct cli_command cli_container_kill = {KILL};
