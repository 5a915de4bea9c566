/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile as data: parser directives, stages, and their instructions with flags, arguments and
 * here-documents, as BuildKit's front end 1.x reads the language (Dockerfile reference). Pure: no
 * file is opened and no variable expanded. Where BuildKit's reader is accidental (a line of more
 * than 64 KiB, a byte that looks like Latin-1 white space) this one is not. */
#ifndef KOGGE_DOCKERFILE_DOCKERFILE_H
#define KOGGE_DOCKERFILE_DOCKERFILE_H

#include "base/arena.h"
#include "base/err.h"

/* Larger files are refused. */
#define DOCKERFILE_SIZE_MAX ((size_t)16 << 20)

/* Lines of the file, from 1, both ends included. 0, 0: none in particular. */
struct df_range {
	unsigned first, last;
};

/* The instructions there are. */
enum df_kind {
	DF_ADD,
	DF_ARG,
	DF_CMD,
	DF_COPY,
	DF_ENTRYPOINT,
	DF_ENV,
	DF_EXPOSE,
	DF_FROM,
	DF_HEALTHCHECK,
	DF_LABEL,
	DF_MAINTAINER,
	DF_ONBUILD,
	DF_RUN,
	DF_SHELL,
	DF_STOPSIGNAL,
	DF_USER,
	DF_VOLUME,
	DF_WORKDIR,
	DF_KIND_N
};

/* The instruction's name in capital letters. */
const char *df_kind_name(enum df_kind kind);

/* --name=value before the arguments. */
struct df_flag {
	const char *name;
	const char *value; /* of a switch: "true" or "false" */
};

/* Of ARG, ENV and LABEL. */
struct df_pair {
	const char *key;
	const char *value; /* ARG: NULL where none is given */
	bool legacy;       /* ENV and LABEL: "key value" and not "key=value" */
};

/* <<NAME */
struct df_heredoc {
	const char *name;
	const char *content; /* up to the closing line, leading tabs off where asked for */
	unsigned fd;         /* 3<<NAME */
	bool expand;         /* NAME was not quoted */
	bool chomp;          /* <<-NAME */
};

struct df_instruction {
	enum df_kind kind;
	const char *word; /* the name as it is written */
	const char *text; /* the whole line, continuation lines joined */
	struct df_range at;
	const char *const *comments; /* the lines of comment right before it; NULL-terminated */
	const struct df_flag *flags;
	size_t n_flags;
	/* What follows, by kind: the sources and the target of ADD and COPY (here-documents as they
	 * are written), the ports, the volumes, base and stage of FROM, the one string of shell
	 * form, USER, WORKDIR, ..., or the strings of exec form. HEALTHCHECK: "CMD" or "NONE"
	 * first. NULL-terminated. ARG, ENV and LABEL have pairs instead. */
	const char *const *args;
	size_t n_args;
	bool json; /* args are those of a JSON array: exec form */
	const struct df_pair *pairs;
	size_t n_pairs;
	const struct df_heredoc *heredocs;
	size_t n_heredocs;
	const struct df_instruction *trigger; /* ONBUILD */
};

/* From one FROM to the next. */
struct df_stage {
	const char *base;     /* as written: variables are not expanded */
	const char *name;     /* in small letters; NULL: none */
	const char *platform; /* --platform; NULL */
	const struct df_instruction *from;
	size_t first, n; /* its instructions behind FROM, in the file's */
};

struct dockerfile {
	struct arena arena;
	char escape;        /* '\\' or '`' */
	const char *syntax; /* "# syntax=", or NULL */
	const char *check;  /* "# check=", or NULL */
	const struct df_instruction *instructions;
	size_t n;
	size_t n_global; /* the first of them, before any FROM: only ARG */
	const struct df_stage *stages;
	size_t n_stages;
	const struct df_range *empty_continuations; /* empty lines inside instructions */
	size_t n_empty_continuations;
	struct df_range failed_at; /* where dockerfile_parse failed */
};

#define DOCKERFILE_INIT ((struct dockerfile){.arena = ARENA_INIT})

/* Parses N bytes of SOURCE, which need not live on. -1 with E set (ERR_INVALID, ERR_LIMIT) and
 * RET->failed_at; dockerfile_done is due in any case. */
int dockerfile_parse(const char *source, size_t n, struct dockerfile *ret, struct err *e);
void dockerfile_done(struct dockerfile *d);

/* The value of the last flag NAME of an instruction, NULL where it is not given. */
const char *df_flag(const struct df_instruction *in, const char *name);

/* Whether a switch is on. */
bool df_flag_on(const struct df_instruction *in, const char *name);

/* Whether WORD is the mark of a here-document ("<<EOF", "3<<-'EOF'"); *RET gets all but the
 * content. -1 with E set where out of memory. */
int df_heredoc_mark(struct arena *a, const char *word, struct df_heredoc *ret, struct err *e);

#endif
