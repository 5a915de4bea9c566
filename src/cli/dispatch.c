/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to the verb: global options, the walk down the tree of commands, the verb's options,
 * the number of its arguments, and how what fails is said and which code it gives. The forms are
 * those of Docker's client 28. */
#include "cli/help.h"
#include "cli/man.h"
#include "cli/parse.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct global_opts {
	const char *root, *run_root, *driver, *log_level, *config, *context;
	struct cli_list host;
	bool debug, version;
};

#define G(field) offsetof(struct global_opts, field)

static int check_level(const char *value, struct err *e)
{
	static const char *const levels[] = {"debug", "info", "warn", "error", "fatal", NULL};

	if (strv_has(levels, value))
		return 0;
	return err_set(e, ERR_INVALID, 0, "not a logging level");
}

const struct cli_option cli_global_options[] = {
	{"config", 0, CLI_STRING, G(config), "Folder of the client's settings (has no effect yet)"},
	{"context", 'c', CLI_STRING, G(context),
	 "Name of the context to use; there is only \"default\""},
	{"debug", 'D', CLI_BOOL, G(debug), "Say more about errors"},
	{"host", 'H', CLI_LIST, G(host), "Socket of an engine to connect to (not yet)"},
	{"log-level", 'l', CLI_STRING, G(log_level),
	 "How much to log (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
	 .default_text = "\"info\"", .check = check_level},
	{"root", 0, CLI_STRING, G(root), "Where images and containers are kept",
	 .default_text = "\"/var/lib/kogge\""},
	{"run-root", 0, CLI_STRING, G(run_root), "Where the state of running containers is kept",
	 .default_text = "\"/run/kogge\""},
	{"storage-driver", 0, CLI_STRING, G(driver),
	 "How layers become a root file system (\"overlay\", \"vfs\")"},
	{"version", 'v', CLI_BOOL, G(version), "Print the version and quit"},
	{NULL},
};

/* -- the tree -------------------------------------------------------------------------------- */

static bool has_name(const struct cli_command *cmd, const char *name)
{
	const char *also = cmd->also;

	if (str_eq(cmd->name, name))
		return true;
	while (also && *also) {
		size_t n = strcspn(also, ",");

		if (strlen(name) == n && memcmp(also, name, n) == 0)
			return true;
		also += n + (also[n] == ',');
	}
	return false;
}

static const struct cli_command *find_child(const struct cli_command *cmd, const char *name)
{
	for (size_t i = 0; cmd->children && cmd->children[i]; i++)
		if (has_name(cmd->children[i], name))
			return cmd->children[i];
	return NULL;
}

static const char *join_path(struct cli_context *c, const char *path, const char *name)
{
	return arena_printf(&c->arena, "%s %s", path, name);
}

static int unknown_command(struct cli_context *c, const struct cli_command *in, const char *path,
			   const char *name)
{
	const char *names[101] = {NULL};
	const char *near;
	size_t n = 0;

	for (size_t i = 0; in->children[i] && n < ARRAY_SIZE(names) - 1; i++)
		if (!(in->children[i]->flags & CLI_HIDE))
			names[n++] = in->children[i]->name;
	near = str_nearest(name, names);
	fprintf(c->err, "%s: unknown command: %s %s\n", c->program, path, name);
	if (near)
		fprintf(c->err, "\nDid you mean this?\n        %s %s\n", path, near);
	if (in != c->root)
		fprintf(c->err, "\nUsage:  %s\n", path);
	fprintf(c->err, "\nRun '%s --help' for more information\n", path);
	return 1;
}

/* -- what fails ------------------------------------------------------------------------------- */

static int flag_failed(struct cli_context *c, const struct cli_command *cmd, const char *path,
		       const struct err *e)
{
	fprintf(c->err, "%s\n\n", e->msg);
	if (cmd == c->root)
		fprintf(c->err, "Usage:  %s [OPTIONS] COMMAND [ARG...]\n", path);
	else
		cli_usage_line(cmd, path, c->err);
	fprintf(c->err, "\nRun '%s --help' for more information\n", path);
	return 125;
}

static int count_failed(struct cli_context *c, const struct cli_args *a)
{
	const struct cli_command *cmd = a->command;
	bool least = cmd->max_args < 0;
	int n = a->argc < (size_t)cmd->min_args ? cmd->min_args : cmd->max_args;
	const char *how = cmd->min_args == cmd->max_args ? ""
			  : n == cmd->min_args           ? "at least "
							 : "at most ";

	fprintf(c->err, "%s: '%s' ", c->program, a->path);
	if (cmd->max_args == 0)
		fprintf(c->err, "accepts no arguments\n\n");
	else
		fprintf(c->err, "requires %s%d argument%s\n\n", how, n, n == 1 ? "" : "s");
	cli_usage_line(cmd, a->path, c->err);
	fprintf(c->err, "\n%s '%s --help' for more information\n", least ? "See" : "Run", a->path);
	return 1;
}

static int run_failed(struct cli_context *c, const struct cli_args *a, const struct err *e,
		      int code)
{
	if (!(a->command->flags & CLI_EXIT_125)) {
		fprintf(c->err, "%s: %s\n", c->program, e->msg);
		return e->class == ERR_USAGE ? err_exit_code(e) : code > 0 ? code : 1;
	}
	fprintf(c->err, "%s: %s\n\nRun '%s --help' for more information\n", c->program, e->msg,
		a->path);
	return err_exit_code(e);
}

static int not_yet(struct cli_context *c, const struct cli_command *cmd, const char *path)
{
	fprintf(c->err, "%s: '%s' is not part of this version yet\n", c->program, path);
	return cmd->flags & CLI_EXIT_125 ? 125 : 1;
}

/* -- running --------------------------------------------------------------------------------- */

static int out_of_memory(struct cli_context *c)
{
	fprintf(c->err, "%s: out of memory\n", c->program);
	return 125;
}

static int run_command(struct cli_context *c, const struct cli_command *cmd, const char *path,
		       char *const *argv)
{
	struct err e = ERR_INIT;
	struct parse p = {.arena = &c->arena,
			  .options = cmd->options,
			  .stop_at_arg = cmd->flags & CLI_STOP_AT_ARG};
	struct cli_args a = {.command = cmd, .path = path};
	static const char *const none[] = {NULL};
	int code;

	p.opts = arena_alloc(&c->arena, MAX(cmd->opts_size, (size_t)1));
	p.given = arena_alloc(&c->arena, cli_options_count(cmd->options) + 1);
	if (!p.opts || !p.given)
		return out_of_memory(c);
	if (cmd->opts_init)
		memcpy(p.opts, cmd->opts_init, cmd->opts_size);
	if (cli_parse(&p, argv, &e) < 0)
		return e.class == ERR_INVALID ? run_failed(c, &a, &e, 1)
					      : flag_failed(c, cmd, path, &e);
	if (p.help) {
		cli_help(c, cmd, path, c->out);
		return 0;
	}
	a.opts = p.opts;
	a.given = p.given;
	a.argv = p.argv ? p.argv : none;
	a.argc = p.argc;
	if (a.argc < (size_t)cmd->min_args ||
	    (cmd->max_args >= 0 && a.argc > (size_t)cmd->max_args))
		return count_failed(c, &a);
	code = cmd->run(c, &a, &e);
	return e.class == ERR_NONE ? code : run_failed(c, &a, &e, code);
}

/* `kogge help image ls` */
static int run_help(struct cli_context *c, char *const *argv)
{
	const struct cli_command *cmd = c->root;
	const char *path = c->program;

	for (; *argv; argv++) {
		cmd = find_child(cmd, *argv);
		if (!cmd || !(path = join_path(c, path, *argv))) {
			fprintf(c->err, "unknown help topic: %s\n", *argv);
			return 1;
		}
	}
	cli_help(c, cmd, path, c->out);
	return 0;
}

/* `kogge __man`: the paths that have pages; `kogge __man kogge image ls`: one page. Hidden. */
static int run_man(struct cli_context *c, char *const *argv)
{
	const struct cli_command *cmd = c->root;
	const char *path = c->program;

	if (!*argv) {
		cli_man_list(c->root, c->program, c->out);
		return 0;
	}
	for (argv++; *argv; argv++) {
		cmd = find_child(cmd, *argv);
		if (!cmd || !(path = join_path(c, path, *argv))) {
			fprintf(c->err, "unknown help topic: %s\n", *argv);
			return 1;
		}
	}
	cli_man(cmd, path, c->out);
	return 0;
}

static bool is_help(const char *word)
{
	return str_eq(word, "--help") || str_eq(word, "-h");
}

/* Walks down from CMD as ARGV says, and runs what stands there. */
static int walk(struct cli_context *c, const struct cli_command *cmd, const char *path,
		char *const *argv)
{
	while (cmd->children) {
		const struct cli_command *child;

		/* A group that is asked for nothing tells on stderr what it has, as Docker's do. */
		if (!*argv || is_help(*argv)) {
			cli_help(c, cmd, path, *argv || cmd == c->root ? c->out : c->err);
			return 0;
		}
		if (**argv == '-') {
			struct err e = ERR_INIT;

			(void)err_set(&e, ERR_INVALID, 0, "unknown flag: %s", *argv);
			return flag_failed(c, cmd, path, &e);
		}
		child = find_child(cmd, *argv);
		if (!child)
			return unknown_command(c, cmd, path, *argv);
		cmd = child;
		path = join_path(c, path, *argv++);
		if (!path)
			return out_of_memory(c);
	}
	if (cmd->flags & CLI_NOT_YET)
		return not_yet(c, cmd, path);
	return run_command(c, cmd, path, argv);
}

static int apply_globals(struct cli_context *c, const struct global_opts *g, struct err *e)
{
	c->root_dir = g->root;
	c->run_root = g->run_root;
	c->driver = g->driver;
	c->log_level = g->log_level;
	c->debug = g->debug;
	if (g->host.n > 0)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--host is not supported yet: this version of %s works on the local "
			       "machine, without a daemon",
			       c->program);
	if (g->context && !str_eq(g->context, "default"))
		return err_set(e, ERR_NOT_FOUND, 0, "context \"%s\": there is only \"default\"",
			       g->context);
	return 0;
}

int cli_main(struct cli_context *c, int argc, char *const *argv)
{
	struct global_opts g = {.root = NULL};
	uint8_t given[ARRAY_SIZE(cli_global_options)] = {0};
	struct parse p = {.arena = &c->arena,
			  .options = cli_global_options,
			  .opts = &g,
			  .given = given,
			  .stop_at_arg = true};
	struct err e = ERR_INIT;
	char *const empty[] = {NULL};
	char *const *rest;

	if (cli_parse(&p, argc > 0 ? argv + 1 : empty, &e) < 0 || apply_globals(c, &g, &e) < 0)
		return flag_failed(c, c->root, c->program, &e);
	if (p.help) {
		cli_help(c, c->root, c->program, c->out);
		return 0;
	}
	if (g.version) {
		fprintf(c->out, "%s version %s\n", "Kogge", KOGGE_VERSION);
		return 0;
	}
	rest = argv + argc - p.argc;
	if (p.argc > 0 && str_eq(*rest, "help"))
		return run_help(c, rest + 1);
	if (p.argc > 0 && str_eq(*rest, "__man"))
		return run_man(c, rest + 1);
	return walk(c, c->root, c->program, rest);
}

bool cli_given(const struct cli_args *a, const char *name)
{
	for (const struct cli_option *o = a->command->options; o && o->name; o++)
		if (str_eq(o->name, name))
			return a->given[o - a->command->options];
	return false;
}
