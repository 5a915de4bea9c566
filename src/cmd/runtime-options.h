/* SPDX-License-Identifier: Apache-2.0 */
/* Options of kogge-runtime: one table a verb, from which the command line is parsed and the help
 * printed. Options are written as runc's users know them from Go: "--name VALUE", "--name=VALUE",
 * "-name", "-n"; a flag may have "=true" or "=false". */
#ifndef KOGGE_CMD_RUNTIME_OPTIONS_H
#define KOGGE_CMD_RUNTIME_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

enum runtime_option_type {
	OPTION_FLAG, /* bool */
	OPTION_STR,  /* const char * */
	OPTION_LIST, /* struct runtime_list */
	OPTION_U32,  /* uint32_t */
};

/* The values of an option that may be given several times: NULL-terminated, or V is NULL. */
struct runtime_list {
	const char **v;
	size_t n;
};

struct runtime_option {
	const char *name; /* NULL ends a table */
	char letter;      /* or 0 */
	enum runtime_option_type type;
	size_t at; /* offset of the value in the struct that the verb fills */
	const char *value, *help;
};

/* What begins each struct that a table fills. */
struct runtime_args {
	struct arena arena;
	const char **rest; /* the arguments that are no options; NULL-terminated */
	size_t n_rest;
};

/* Frees what parsing made. */
static inline void runtime_args_done(struct runtime_args *a)
{
	arena_done(&a->arena);
}

/* A table with what it is for. */
struct runtime_command {
	const char *name;
	const char *usage; /* of the arguments: "ID [SIGNAL]" */
	const char *help;
	const struct runtime_option *options; /* or NULL */
	unsigned least, most;                 /* arguments */
	bool stops; /* at the first argument: what follows belongs to a program */
};

/* Parses ARGV (its first is the name) into ARGS, a struct that begins with struct runtime_args. The
 * strings are borrowed from ARGV. Returns 0, or -1 with E set. */
int runtime_options_parse(const struct runtime_command *c, int argc, char **argv, void *args,
			  struct err *e);

/* Prints usage and options to stdout. */
void runtime_options_help(const struct runtime_command *c);

#endif
