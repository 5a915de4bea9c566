/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the lowering share. */
#ifndef KOGGE_BUILD_LOWER_INTERNAL_H
#define KOGGE_BUILD_LOWER_INTERNAL_H

#include "build/lower.h"
#include "build/params.h"
#include "dockerfile/expand.h"
#include "dockerfile/scope.h"

/* A command of a stage: from the file, or a trigger of its base. */
struct lower_command {
	const struct df_instruction *in;
	bool trigger;
};

/* What a stage is while it is lowered. */
struct lower_stage {
	const struct df_stage *df;
	const char *base;     /* expanded */
	const char *name;     /* as it is shown: "build", "stage-1"; "" where there is one only */
	const char *platform; /* "linux/amd64" */
	ssize_t base_stage;   /* -1: an image, a context or scratch */
	bool needed, begun, done;
	size_t vertex;
	struct image_config config; /* memory is that of the base image's document and ours */
	struct scope env;           /* what RUN and expansion see */
	struct scope args;          /* ARGs in their order: of the history of RUN */
	struct lower_history *history;
	size_t n_history, room_history;
	struct lower_command *commands;
	size_t n_commands;
	unsigned total, index; /* of the numbers in "[2/4]" */
	bool cmd_set;          /* CMD was given in this stage */
	const char *base_ref, *base_id;
};

struct lowering {
	const struct dockerfile *d;
	const struct lower_opts *o;
	struct lowered *out;
	struct arena *arena; /* the graph's */
	struct scope global;
	struct lower_stage *stages;
	struct dockerfile *triggers; /* parsed ones, to be freed */
	size_t n_triggers, room_triggers;
	struct err *e;
};

/* lower.c: the vertex of what NAME means in --from and from=: a stage, a context or an image. */
int lower_source(struct lowering *l, const char *name, size_t *ret);
/* The vertex of the context NAME. */
int lower_local(struct lowering *l, const char *name, size_t *ret);
/* Lowers the stage I. */
int lower_stage(struct lowering *l, size_t i);
/* The stage that NAME or a number means; -1: none. */
ssize_t lower_find(const struct lowering *l, const char *name, size_t n);
int lower_no_memory(struct lowering *l);

/* lower-from.c: the arguments before the first FROM, and every FROM. */
int lower_from(struct lowering *l);

/* lower-stage.c */

/* TEXT with S's variables; NULL with the error set. FLAGS as in expand.h. */
const char *lower_expand(struct lowering *l, struct lower_stage *s, const char *text,
			 unsigned flags);
/* One instruction that makes no layer, or all. */
int lower_command(struct lowering *l, struct lower_stage *s, const struct lower_command *c);
/* Appends a line of the history; VERTEX -1: an empty layer. */
int lower_commit(struct lowering *l, struct lower_stage *s, const char *text, ssize_t vertex);
/* Adds a vertex for C on top of S and makes it S's. The inputs before it are in V. */
int lower_step(struct lowering *l, struct lower_stage *s, const struct lower_command *c,
	       struct vertex *v);
/* ARGS with S's shell in front. NULL when out of memory (the error is set). */
const char **lower_shell(struct lowering *l, struct lower_stage *s, const char *const *args);
/* PATH from S's working directory: absolute, clean; a slash at its end stays. */
const char *lower_path(struct lowering *l, struct lower_stage *s, const char *path);

/* lower-copy.c, lower-run.c */
int lower_copy(struct lowering *l, struct lower_stage *s, const struct lower_command *c);
int lower_run(struct lowering *l, struct lower_stage *s, const struct lower_command *c);

#endif
