/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime as a program: command line as runc has it. */
#include "base/process.h"
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct runtime_verb verbs[] = {
	{{"create", "ID", "make a container that waits for start", runtime_create_options, 1, 1},
	 verb_create},
	{{"start", "ID", "let a created container execute its program", NULL, 1, 1}, verb_start},
	{{"run", "ID", "create, start, and stay until it ends", runtime_run_options, 1, 1},
	 verb_run},
	{{"exec", "ID [PROGRAM [ARGUMENT...]]", "run a further program in a container",
	  runtime_exec_options, 1, UINT_MAX, true},
	 verb_exec},
	{{"state", "ID", "print the container's state as JSON", NULL, 1, 1}, verb_state},
	{{"kill", "ID [SIGNAL]", "send a signal (TERM) to the container", runtime_kill_options, 1,
	  2},
	 verb_kill},
	{{"delete", "ID", "remove a stopped container", runtime_delete_options, 1, 1}, verb_delete},
	{{"list", "", "list containers", runtime_list_options, 0, 0}, verb_list},
	{{"ps", "ID [PS-OPTION...]", "list the container's processes", runtime_ps_options, 1,
	  UINT_MAX, true},
	 verb_ps},
	{{"pause", "ID", "stop all processes of a container", NULL, 1, 1}, verb_pause},
	{{"resume", "ID", "let a paused container go on", NULL, 1, 1}, verb_resume},
	{{"update", "ID", "change the limits of a container", runtime_update_options, 1, 1},
	 verb_update},
	{{"events", "ID", "print figures and memory events as JSON", runtime_events_options, 1, 1},
	 verb_events},
	{{"spec", "", "write a config.json", runtime_spec_options, 0, 0}, verb_spec},
	{{"features", "", "print what this runtime can do as JSON", NULL, 0, 0}, verb_features},
	{{.name = NULL}, NULL},
};

static const struct runtime_option global_options[] = {
	{"root", 0, OPTION_STR, offsetof(struct runtime_program, root), "DIR",
	 "folder of the containers' states (" RUNTIME_ROOT_DEFAULT
	 ", for an ordinary user $XDG_RUNTIME_DIR/kogge-runtime)"},
	{"log", 0, OPTION_STR, offsetof(struct runtime_program, log), "FILE",
	 "append errors to FILE too"},
	{"log-format", 0, OPTION_STR, offsetof(struct runtime_program, log_format), "text|json",
	 "how errors are written"},
	{"debug", 0, OPTION_FLAG, offsetof(struct runtime_program, debug), NULL,
	 "log what is called, too"},
	{"systemd-cgroup", 0, OPTION_FLAG, offsetof(struct runtime_program, systemd_cgroup), NULL,
	 "the cgroup is a scope of systemd; cgroupsPath is SLICE:PREFIX:NAME"},
	{"rootless", 0, OPTION_STR, offsetof(struct runtime_program, rootless), "true|false|auto",
	 "ignore cgroups that may not be written (auto)"},
	{"criu", 0, OPTION_STR, offsetof(struct runtime_program, criu), "FILE", "ignored"},
	{"version", 'v', OPTION_FLAG, offsetof(struct runtime_program, version), NULL,
	 "print the version"},
	{"help", 'h', OPTION_FLAG, offsetof(struct runtime_program, help), NULL, "print this"},
	{.name = NULL},
};

static const struct runtime_command global = {
	"[OPTIONS] VERB", "...", "an OCI runtime", global_options, 0, UINT_MAX, true};

static void usage(void)
{
	runtime_options_help(&global);
	puts("verbs (kogge-runtime VERB --help tells more):");
	for (const struct runtime_verb *v = verbs; v->command.name; v++)
		printf("  %-9s %s\n", v->command.name, v->command.help);
}

/* One line in runc's format, which containerd, Docker and Podman read. */
static void format_line(bool as_json, const char *level, const char *msg, struct buf *line)
{
	_cleanup_(json_unref) json_t *j = json_object();
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_now(), now);
	if (as_json) {
		json_object_set_new(j, "level", json_string(level));
		json_object_set_new(j, "msg", json_string(msg));
		json_object_set_new(j, "time", json_string(now));
		json_write(j, 0, line);
	} else {
		buf_printf(line, "time=\"%s\" level=%s msg=\"%s\"", now, level, msg);
	}
	buf_putc(line, '\n');
}

static void log_line(const struct runtime_program *p, const char *level, const char *msg)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(1 << 16);
	_cleanup_(fd_close) int fd = path_open_host(p->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	format_line(str_eq0(p->log_format, "json"), level, msg, &line);
	if (fd >= 0)
		fd_write_full(fd, line.data, line.len);
}

static int fail(const struct runtime_program *p, const struct err *e)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(1 << 16);

	if (!p->log && str_eq0(p->log_format, "json")) {
		format_line(true, "error", e->msg, &line);
		fd_write_full(STDERR_FILENO, line.data, line.len);
	} else {
		fprintf(stderr, "kogge-runtime: %s\n", e->msg);
	}
	if (p->log)
		log_line(p, "error", e->msg);
	/* runc's 1, but 126 and 127 for the user's program */
	return e->class == ERR_NOT_EXEC || e->class == ERR_NO_PROGRAM ? err_exit_code(e) : 1;
}

void runtime_warn(const struct runtime_program *p, const struct err *w)
{
	if (w->class == ERR_NONE)
		return;
	fprintf(stderr, "kogge-runtime: warning: %s\n", w->msg);
	if (p->log)
		log_line(p, "warning", w->msg);
}

static int check_global(const struct runtime_program *p, struct err *e)
{
	if (!str_eq(p->log_format, "text") && !str_eq(p->log_format, "json"))
		return err_set(e, ERR_INVALID, 0, "--log-format: '%s' is neither text nor json",
			       p->log_format);
	if (!str_eq(p->rootless, "true") && !str_eq(p->rootless, "false") &&
	    !str_eq(p->rootless, "auto"))
		return err_set(e, ERR_INVALID, 0, "--rootless: '%s' is not true, false or auto",
			       p->rootless);
	return 0;
}

static const struct runtime_verb *find_verb(const char *name)
{
	for (const struct runtime_verb *v = verbs; v->command.name; v++)
		if (str_eq(v->command.name, name))
			return v;
	return NULL;
}

/* Runs the verb that stands in the arguments. */
static int run_verb(struct runtime_program *p, struct err *e)
{
	const char **argv = p->args.rest;

	p->verb = find_verb(argv[0]);
	if (!p->verb)
		return err_set(e, ERR_INVALID, 0, "there is no verb '%s'", argv[0]);
	if (p->args.n_rest > 1 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return runtime_options_help(&p->verb->command), 0;
	if (p->debug && p->log)
		log_line(p, "debug", argv[0]);
	return p->verb->fn(p, (int)p->args.n_rest, (char **)(uintptr_t)argv, e);
}

static int run(struct runtime_program *p, int argc, char **argv, struct err *e)
{
	int r = process_clean_start();

	if (r < 0)
		return err_errno(e, r, "opening /dev/null");
	json_seed();
	if (runtime_options_parse(&global, argc, argv, p, e) < 0 || check_global(p, e) < 0)
		return -1;
	if (p->version)
		return printf("kogge-runtime version " KOGGE_VERSION "\nspec: %s\n",
			      OCI_RUNTIME_VERSION) < 0;
	if (p->help || !p->args.n_rest)
		return usage(), p->help ? 0 : 1;
	return run_verb(p, e);
}

/* An ordinary user has a folder of its own (XDG base directories). */
static const char *state_folder(struct arena *a)
{
	const char *dir = geteuid() != 0 ? getenv("XDG_RUNTIME_DIR") : NULL;
	const char *path = str_empty(dir) ? NULL : arena_printf(a, "%s/kogge-runtime", dir);

	return path ? path : RUNTIME_ROOT_DEFAULT;
}

int main(int argc, char **argv)
{
	struct runtime_program p = {
		.args = {.arena = ARENA_INIT}, .log_format = "text", .rootless = "auto"};
	struct err e = ERR_INIT;
	int r;

	p.root = state_folder(&p.args.arena);
	r = run(&p, argc, argv, &e);

	r = r < 0 ? fail(&p, &e) : r;
	arena_done(&p.args.arena);
	return r;
}
