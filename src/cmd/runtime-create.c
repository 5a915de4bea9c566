/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs create, run and start. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <unistd.h>

/* What a command line of create or run says, and what it opened. */
struct creation {
	struct runtime_args args;
	const char *bundle, *pid_file, *console_socket;
	bool detach, no_pivot, no_new_keyring, keep, no_subreaper;
	uint32_t preserve_fds;
	struct runtime_handover handover;
	int root, dir, bundle_fd, console;
	char bundle_path[PATH_MAX];
	struct buf config_text;
	struct runtime_config config;
	struct err warning;
};

#define CREATION_INIT                                                                              \
	((struct creation){.root = -1,                                                             \
			   .dir = -1,                                                              \
			   .bundle_fd = -1,                                                        \
			   .console = -1,                                                          \
			   .config_text = BUF_INIT(RUNTIME_CONFIG_MAX + 1),                        \
			   .config = RUNTIME_CONFIG_INIT})

/* What create and run have in common. */
#define CREATE_OPTIONS                                                                             \
	{"bundle", 'b', OPTION_STR, offsetof(struct creation, bundle), "DIR", "the bundle (.)"},   \
		{"console-socket", 0,                                                              \
		 OPTION_STR,       offsetof(struct creation, console_socket),                      \
		 "SOCKET",         "send the terminal's master to SOCKET"},                        \
		{"pid-file", 0,                                                                    \
		 OPTION_STR, offsetof(struct creation, pid_file),                                  \
		 "FILE",     "write the first process's PID to FILE"},                             \
		{"no-pivot",  0,                                                                   \
		 OPTION_FLAG, offsetof(struct creation, no_pivot),                                 \
		 NULL,        "enter the root by chroot alone, for a host on an initramfs"},       \
		{"no-new-keyring",                                                                 \
		 0,                                                                                \
		 OPTION_FLAG,                                                                      \
		 offsetof(struct creation, no_new_keyring),                                        \
		 NULL,                                                                             \
		 "keep the caller's session keyring"},                                             \
	{                                                                                          \
		"preserve-fds", 0, OPTION_U32, offsetof(struct creation, preserve_fds), "N",       \
			"hand descriptors 3 to 2 + N over"                                         \
	}

const struct runtime_option runtime_create_options[] = {CREATE_OPTIONS, {.name = NULL}};

const struct runtime_option runtime_run_options[] = {
	CREATE_OPTIONS,
	{"detach", 'd', OPTION_FLAG, offsetof(struct creation, detach), NULL,
	 "return when the program runs"},
	{"keep", 0, OPTION_FLAG, offsetof(struct creation, keep), NULL,
	 "do not delete the container at its end"},
	{"no-subreaper", 0, OPTION_FLAG, offsetof(struct creation, no_subreaper), NULL, "ignored"},
	{.name = NULL},
};

static const char *id_of(const struct creation *c)
{
	return c->args.rest[0];
}

static void creation_done(struct creation *c)
{
	runtime_config_done(&c->config);
	buf_done(&c->config_text);
	fd_close(&c->console);
	fd_close(&c->bundle_fd);
	fd_close(&c->dir);
	fd_close(&c->root);
	arena_done(&c->args.arena);
}

static int open_bundle(struct creation *c, struct err *e)
{
	const char *path = c->bundle ? c->bundle : ".";

	c->bundle_fd = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	if (c->bundle_fd < 0)
		return err_errno(e, c->bundle_fd, "opening the bundle '%s'", path);
	path_of_fd(c->bundle_fd, c->bundle_path, sizeof(c->bundle_path));
	if (runtime_config_load(c->bundle_fd, &c->config_text, &c->config, e) < 0 ||
	    runtime_handover_env(&c->handover, c->config.process.env, &c->args.arena, e) < 0)
		return -1;
	c->config.process.env = c->handover.env;
	return 0;
}

static int make_state(const struct runtime_program *p, struct creation *c, struct err *e)
{
	int r;

	c->root = runtime_root_open(p, e);
	if (c->root < 0)
		return -1;
	c->dir = runtime_state_make(c->root, id_of(c), e);
	if (c->dir < 0)
		return -1;
	r = path_write_file(c->dir, CONTAINER_CONFIG_FILE, c->config_text.data, c->config_text.len,
			    0600);
	if (r < 0)
		err_errno(e, r, "keeping the configuration");
	else
		r = FAILPOINT("runtime.create.after_config", e);
	if (r < 0)
		path_remove_tree(c->root, id_of(c));
	return r < 0 ? -1 : 0;
}

/* The preserved descriptors first: what is opened later must not take their numbers. */
static int open_all(const struct runtime_program *p, struct creation *c, struct err *e)
{
	if (runtime_handover_init(&c->handover, c->preserve_fds, e) < 0 || open_bundle(c, e) < 0 ||
	    runtime_console_check(c->config.process.terminal, c->detach, c->console_socket, e) < 0)
		return -1;
	if (c->console_socket) {
		c->console = runtime_console_connect(c->console_socket, e);
		if (c->console < 0)
			return -1;
	}
	return make_state(p, c, e);
}

static struct runtime_opts make_opts(const struct runtime_program *p, struct creation *c)
{
	struct runtime_opts o = RUNTIME_OPTS_INIT;

	o.id = id_of(c);
	o.config = &c->config;
	o.bundle = c->bundle_path;
	o.bundle_fd = c->bundle_fd;
	for (int i = 0; i < 3; i++)
		o.stdio[i] = i;
	o.console_fd = c->console;
	o.preserve = c->handover.fds;
	o.n_preserve = c->handover.n;
	o.state_fd = c->dir;
	o.no_pivot = c->no_pivot;
	o.in_order = true;
	o.no_new_keyring = c->no_new_keyring;
	o.systemd_cgroup = p->systemd_cgroup;
	o.warning = &c->warning;
	return o;
}

static int remove_state(const struct creation *c, struct err *e)
{
	int r = path_remove_tree(c->root, id_of(c));

	return r < 0 ? err_errno(e, r, "removing the state of '%s'", id_of(c)) : 0;
}

/* Undoes a creation whose last step failed; E keeps the first reason. */
static void give_up(const struct creation *c)
{
	runtime_delete_other(c->dir, true, NULL);
	remove_state(c, NULL);
}

int verb_create(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(creation_done) struct creation c = CREATION_INIT;
	_cleanup_(container_proc_done) struct container_proc proc = CONTAINER_PROC_INIT;
	struct runtime_opts o;

	c.detach = true;
	if (runtime_options_parse(&p->verb->command, argc, argv, &c, e) < 0 ||
	    open_all(p, &c, e) < 0)
		return -1;
	o = make_opts(p, &c);
	if (runtime_create(&o, &proc, e) < 0) {
		remove_state(&c, NULL);
		return -1;
	}
	if (runtime_pid_write(c.pid_file, proc.pid, e) < 0) {
		give_up(&c);
		return -1;
	}
	return 0;
}

static int finish_run(const struct runtime_program *p, struct creation *c,
		      const struct runtime_opts *o, struct container_proc *proc, struct err *e)
{
	int code, r = 0;

	runtime_warn(p, &c->warning);
	c->warning = ERR_INIT;
	runtime_state_unlock(c->dir);
	code = runtime_foreground(proc->pidfd, proc->pty, e);
	if (c->keep)
		return code;
	if (runtime_delete(o, proc, code < 0 ? NULL : e) < 0 ||
	    remove_state(c, code < 0 ? NULL : e) < 0)
		r = -1;
	runtime_warn(p, &c->warning);
	return r < 0 ? -1 : code;
}

int verb_run(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(creation_done) struct creation c = CREATION_INIT;
	_cleanup_(container_proc_done) struct container_proc proc = CONTAINER_PROC_INIT;
	struct runtime_opts o;

	if (runtime_options_parse(&p->verb->command, argc, argv, &c, e) < 0 ||
	    open_all(p, &c, e) < 0)
		return -1;
	o = make_opts(p, &c);
	if (runtime_run(&o, &proc, e) < 0) {
		remove_state(&c, NULL);
		return -1;
	}
	if (runtime_pid_write(c.pid_file, proc.pid, e) < 0) {
		give_up(&c);
		return -1;
	}
	if (!c.detach)
		return finish_run(p, &c, &o, &proc, e);
	runtime_warn(p, &c.warning);
	return 0;
}

static int start(const struct runtime_program *p, const char *id, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	_cleanup_(runtime_config_done) struct runtime_config config = RUNTIME_CONFIG_INIT;
	struct err warning = ERR_INIT;

	if (runtime_target_open(p, id, true, &t, e) < 0 ||
	    runtime_target_config(&t, &config, e) < 0)
		return -1;
	if (runtime_start_other(t.dir, &t.state, &config, &warning, e) < 0)
		return -1;
	runtime_warn(p, &warning);
	return 0;
}

int verb_start(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(runtime_args_done) struct runtime_args args = {.rest = NULL};

	if (runtime_options_parse(&p->verb->command, argc, argv, &args, e) < 0)
		return -1;
	return start(p, args.rest[0], e);
}
