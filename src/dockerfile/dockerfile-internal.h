/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read a Dockerfile share. */
#ifndef KOGGE_DOCKERFILE_DOCKERFILE_INTERNAL_H
#define KOGGE_DOCKERFILE_DOCKERFILE_INTERNAL_H

#include "dockerfile/dockerfile.h"

/* lines.c: the file line by line. */
struct lines {
	struct arena *arena;
	const char *p, *end; /* what is left */
	unsigned line;       /* lines that were taken */
	bool directives;     /* still at the top, where "# name=value" is a directive */
	char escape;
	const char *syntax, *check;
	bool escape_given;
	const char **comments; /* since the last instruction */
	size_t n_comments;
};

/* An instruction's line with the lines that continue it. */
struct logical_line {
	const char *text; /* NULL at the end of the file */
	struct df_range at;
	unsigned empty; /* the first empty line inside it; 0: none */
};

/* The next instruction. -1 with E set, and the line in S->line. */
int lines_next(struct lines *s, struct logical_line *ret, struct err *e);

/* The next line as it is, with its end; NULL at the end of the file. *RET_N gets its length. */
const char *lines_raw(struct lines *s, size_t *ret_n);

/* words.c: how an instruction's arguments are cut. All return -1 with E set. */

/* Words at white space; quotes and escape characters are respected and kept. */
int words_quoted(struct arena *a, const char *s, char escape, const char ***ret, struct err *e);
/* Words at blanks, whatever they are. */
int words_plain(struct arena *a, const char *s, const char ***ret, struct err *e);
/* Takes the flags ("--name=value", quotes removed) off the front. *RET_REST gets what follows. */
int words_flags(struct arena *a, const char *s, char escape, const char ***ret,
		const char **ret_rest, struct err *e);
/* A JSON array of strings: 1. 0 where S is none; -1 where it is one of other things. */
int words_json(struct arena *a, const char *s, const char ***ret, struct err *e);
/* S without white space at its ends, in the arena. */
const char *words_trim(struct arena *a, const char *s);

/* instruction.c: one logical line becomes an instruction, all but its here-documents' content. */
int instruction_parse(struct arena *a, char escape, const char *text, struct df_instruction *ret,
		      struct err *e);

/* instruction-check.c: what holds for each kind. */
int instruction_check(struct arena *a, struct df_instruction *in, const char *const *flags,
		      struct err *e);

/* heredoc.c: the marks in the text of an instruction and the lines that belong to them. */
int heredocs_read(struct lines *s, struct df_instruction *in, struct err *e);

static inline int df_no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "the Dockerfile is too large");
}

#endif
