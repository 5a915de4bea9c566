/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs state, kill and delete. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/sig.h"
#include "runtime/control.h"
#include "runtime/hooks.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 << 20 };

int runtime_print(struct buf *out, struct err *e)
{
	int r = buf_putc(out, '\n');

	if (r >= 0)
		r = fd_write_full(STDOUT_FILENO, out->data, out->len);
	return r < 0 ? err_errno(e, r, "writing the output") : 0;
}

static int print_state(const struct runtime_program *p, const char *id, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);

	if (runtime_target_open(p, id, false, &t, e) < 0 ||
	    runtime_refresh(&t.state, NULL, e) < 0 || container_state_json(&t.state, &out, e) < 0)
		return -1;
	return runtime_print(&out, e);
}

int verb_state(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(runtime_args_done) struct runtime_args args = {.rest = NULL};

	if (runtime_options_parse(&p->verb->command, argc, argv, &args, e) < 0)
		return -1;
	return print_state(p, args.rest[0], e);
}

struct kill_args {
	struct runtime_args args;
	bool all;
};

const struct runtime_option runtime_kill_options[] = {
	{"all", 'a', OPTION_FLAG, offsetof(struct kill_args, all), NULL,
	 "to every process of the container, also after its first one has ended"},
	{.name = NULL},
};

static int kill_target(struct runtime_target *t, int signo, bool all, struct err *e)
{
	_cleanup_(fd_close) int pidfd = -1;
	enum container_status to;

	if (runtime_refresh(&t->state, &pidfd, e) < 0)
		return -1;
	if (all) {
		int r = runtime_signal_all(&t->state, signo, e);

		if (r != 0 || pidfd < 0)
			return r < 0 ? -1 : 0;
	}
	if (container_check(t->state.id, t->state.status, CONTAINER_DO_KILL, &to, e) < 0)
		return -1;
	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' has no process", t->state.id);
	if (runtime_signal(pidfd, signo, e) < 0)
		return -1;
	/* A frozen process dies when it thaws: cgroup version 1 does not do that for SIGKILL */
	if (signo == SIGKILL && t->state.status == CONTAINER_PAUSED)
		return runtime_freeze(&t->state, false, e);
	return 0;
}

int verb_kill(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	struct kill_args args = {.all = false};
	int r = runtime_options_parse(&p->verb->command, argc, argv, &args, e), signo = SIGTERM;

	if (r >= 0 && args.args.n_rest > 1)
		signo = sig_number(args.args.rest[1]);
	if (r >= 0 && signo < 0)
		r = err_set(e, ERR_INVALID, 0, "there is no signal '%s'", args.args.rest[1]);
	if (r >= 0)
		r = runtime_target_open(p, args.args.rest[0], false, &t, e);
	if (r >= 0)
		r = kill_target(&t, signo, args.all, e);
	runtime_args_done(&args.args);
	return r;
}

struct delete_args {
	struct runtime_args args;
	bool force;
};

const struct runtime_option runtime_delete_options[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct delete_args, force), NULL,
	 "kill it first where it runs"},
	{.name = NULL},
};

/* Hooks after the end, as they were when the container was created. */
static void run_poststop(const struct runtime_program *p, struct container_state *s,
			 const struct runtime_config *config)
{
	struct err warning = ERR_INIT;
	_cleanup_(buf_done) struct buf json = BUF_INIT(OUTPUT_MAX);

	s->status = CONTAINER_STOPPED;
	if (!config->hooks[OCI_HOOK_POSTSTOP].n)
		return;
	if (container_state_json(s, &json, &warning) >= 0)
		runtime_hooks_run(config, OCI_HOOK_POSTSTOP, buf_str(&json), &warning);
	runtime_warn(p, &warning);
}

/* Removes T, whose state was KNOWN, or is damaged, or was never written. */
static int delete_target(const struct runtime_program *p, struct runtime_target *t,
			 const struct delete_args *args, struct err *e)
{
	_cleanup_(runtime_config_done) struct runtime_config config = RUNTIME_CONFIG_INIT;
	bool known = runtime_target_config(t, &config, NULL) >= 0;
	const char *id = args->args.rest[0];
	struct err why = ERR_INIT;
	int r = runtime_delete_other(t->dir, args->force, &why);

	/* What cannot be read can be removed all the same, by what else is known of it */
	if (r < 0 && why.class == ERR_CORRUPT && args->force)
		r = runtime_remove_unknown(id, known ? &config : NULL, &why);
	if (r < 0) {
		*e = why;
		return err_wrap(e, "deleting container '%s'", id);
	}
	r = path_remove_tree(t->root, id);
	if (r < 0)
		return err_errno(e, r, "removing the state of '%s'", id);
	if (known && t->state.id)
		run_poststop(p, &t->state, &config);
	return 0;
}

int verb_delete(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	struct delete_args args = {.force = false};
	struct err why = ERR_INIT;
	int r = runtime_options_parse(&p->verb->command, argc, argv, &args, e);

	if (r >= 0) {
		runtime_target_open(p, args.args.rest[0], true, &t, &why);
		/* As runc: deleting by force what is not there is no error */
		if (t.dir >= 0)
			r = delete_target(p, &t, &args, e);
		else if (!args.force || why.class != ERR_NOT_FOUND)
			*e = why, r = -1;
	}
	runtime_args_done(&args.args);
	return r;
}
