/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: a tree of commands, each with one option table, a generic parser with the
 * semantics of pflag (the Go library of Docker's client), help in the form of Docker's client, and
 * what a verb gets to do its work. Only cli/ and cmd/ print. */
#ifndef KOGGE_CLI_CLI_H
#define KOGGE_CLI_CLI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

struct cli_command;
struct engine;
struct store;

/* What every verb is given. */
struct cli_context {
	const struct cli_command *root; /* the tree, for `help` */
	const char *program;            /* "kogge" */
	FILE *out, *err;                /* the verb's streams */
	int in_fd, out_fd, err_fd;      /* the same as descriptors, for attached containers */
	struct arena arena;             /* lives as long as the command */

	/* global flags */
	const char *root_dir, *run_root, *driver;
	const char *log_level;
	bool debug;

	struct engine *engine; /* opened by cli_engine at first use */
};

/* The engine, opened at first use. NULL with E set. */
struct engine *cli_engine(struct cli_context *c, struct err *e);

/* Closes it; the next cli_engine opens it anew. */
void cli_engine_close(struct cli_context *c);

/* The engine's store, opened likewise. NULL with E set. */
struct store *cli_store(struct cli_context *c, struct err *e);

/* How an option takes its value. The word in the help is Docker's. */
enum cli_type {
	CLI_BOOL,     /* --x, --x=false */
	CLI_STRING,   /* string */
	CLI_INT,      /* int: a Go int */
	CLI_UINT,     /* uint */
	CLI_UINT16,   /* uint16 */
	CLI_LIST,     /* list: may be given again */
	CLI_MAP,      /* map: KEY=VALUE, may be given again */
	CLI_BYTES,    /* bytes: 64m */
	CLI_DECIMAL,  /* decimal: --cpus */
	CLI_DURATION, /* duration */
	CLI_OTHER     /* as list, with the option's own word (filter, network, ulimit, ...) */
};

/* Parsed values. A verb declares a struct that holds them, and its option table says where. */
struct cli_list {
	const char **v; /* NULL-terminated in the context's arena, or NULL */
	size_t n;
};

enum cli_option_flags {
	CLI_LATER = 1 << 0,     /* Docker has it; this version refuses it with a clear message */
	CLI_HIDDEN = 1 << 1,    /* not in the help */
	CLI_IGNORED = 1 << 2,   /* accepted and without effect, as in Docker (documented) */
	CLI_MINUS_ONE = 1 << 3, /* bytes: -1 is allowed */
	CLI_MEANING = 1 << 4 /* what CHECK refuses is no wrong usage: Docker's daemon refuses it */
};

/* One row of a verb's option table. OFFSET is where in the verb's struct the value goes:
 * bool, const char *, int64_t (INT, UINT, UINT16, BYTES, DECIMAL in 10^-9, DURATION in ns), or
 * struct cli_list. CHECK, where set, sees each value as text before it is stored and returns -1
 * with E set to refuse it. */
struct cli_option {
	const char *name;
	char letter; /* or 0 */
	enum cli_type type;
	size_t offset;
	const char *help;
	const char *word;         /* CLI_OTHER: the word in the help */
	const char *default_text; /* shown as (default X); NULL: none */
	unsigned flags;
	int (*check)(const char *value, struct err *e);
};

enum cli_command_flags {
	CLI_STOP_AT_ARG = 1 << 0, /* options end at the first positional argument */
	CLI_EXIT_125 = 1 << 1,    /* wrong usage exits with 125 as run and create do; else 1 */
	CLI_NOT_YET = 1 << 2,     /* this version does not have it: says so and exits */
	CLI_HIDE = 1 << 3,        /* not in the help */
	CLI_COMMON = 1 << 4       /* listed under "Common Commands" */
};

/* A parsed invocation. */
struct cli_args {
	const struct cli_command *command;
	const char *path;        /* "kogge image ls", as the user reached it */
	void *opts;              /* the verb's struct */
	const uint8_t *given;    /* one byte per row of the option table: was it given */
	const char *const *argv; /* the positional arguments, NULL-terminated */
	size_t argc;
};

/* One command. A group has children and no run. An alias (`kogge images`) is a command of its
 * own that names the same run and table. */
struct cli_command {
	const char *name;
	const char *usage;   /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary; /* one line */
	const char *aliases; /* "kogge image ls, kogge images" without the program name; or NULL */
	const char *also;    /* other names below the same parent, "list,ps"; or NULL */
	unsigned flags;
	int min_args, max_args;                    /* max_args -1: no maximum */
	const struct cli_option *options;          /* ends with a row without a name; or NULL */
	size_t opts_size;                          /* of the verb's struct */
	const void *opts_init;                     /* its initial value; NULL: zeroes */
	const struct cli_command *const *children; /* NULL-terminated; or NULL */

	/* Does the work and returns the exit code. With E set (and any code) the caller prints
	 * "kogge: message" or Docker's form of it. */
	int (*run)(struct cli_context *c, const struct cli_args *a, struct err *e);
};

/* Parses ARGV (argv[0] is the program) against the tree, runs the verb and returns the exit
 * code. C's streams must be set. */
int cli_main(struct cli_context *c, int argc, char *const *argv);

/* Whether the option NAME of the verb's table was given. */
bool cli_given(const struct cli_args *a, const char *name);

/* Releases what the context holds (the engine too). */
void cli_context_done(struct cli_context *c);

/* The tree of all verbs. */
extern const struct cli_command cli_root;

#endif
