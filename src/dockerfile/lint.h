/* SPDX-License-Identifier: Apache-2.0 */
/* `build --check`: what is allowed in a Dockerfile and yet rarely meant. The rules are BuildKit's,
 * by name (Docker's documentation, "Build checks"), and so are the ways to switch them: the
 * directive "# check=skip=Rule,...;error=true;experimental=all", the same as a comment before one
 * instruction, and the build argument BUILDKIT_DOCKERFILE_CHECK. Pure: what must be known of images
 * and of the context is asked for. */
#ifndef KOGGE_DOCKERFILE_LINT_H
#define KOGGE_DOCKERFILE_LINT_H

#include "dockerfile/dockerfile.h"

/* BuildKit's rules. */
enum df_rule {
	RULE_NO_EMPTY_CONTINUATION,
	RULE_STAGE_NAME_CASING,
	RULE_FROM_AS_CASING,
	RULE_CONSISTENT_INSTRUCTION_CASING,
	RULE_DUPLICATE_STAGE_NAME,
	RULE_RESERVED_STAGE_NAME,
	RULE_JSON_ARGS_RECOMMENDED,
	RULE_MAINTAINER_DEPRECATED,
	RULE_UNDEFINED_ARG_IN_FROM,
	RULE_WORKDIR_RELATIVE_PATH,
	RULE_UNDEFINED_VAR,
	RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED,
	RULE_LEGACY_KEY_VALUE_FORMAT,
	RULE_REDUNDANT_TARGET_PLATFORM,
	RULE_SECRETS_USED_IN_ARG_OR_ENV,
	RULE_INVALID_DEFAULT_ARG_IN_FROM,
	RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
	RULE_COPY_IGNORED_FILE,
	RULE_INVALID_DEFINITION_DESCRIPTION,
	RULE_EXPOSE_PROTO_CASING,
	RULE_EXPOSE_INVALID_FORMAT,
	RULE_N
};

struct df_rule_info {
	const char *name;    /* "StageNameCasing" */
	const char *summary; /* what the rule asks for */
	const char *slug;    /* the last part of its address in Docker's documentation */
	bool experimental;   /* only where asked for */
};

/* NULL for what is none. */
const struct df_rule_info *df_rule_info(enum df_rule rule);

/* One finding. */
struct df_warning {
	enum df_rule rule;
	const char *message;
	struct df_range at;
};

struct df_lint {
	struct arena arena;
	const struct df_warning *warnings; /* by line */
	size_t n;
	bool is_error;             /* "error=true": warnings fail the build */
	struct df_range failed_at; /* where df_lint_run failed */
};

#define DF_LINT_INIT ((struct df_lint){.arena = ARENA_INIT})

struct df_lint_opts {
	const char *target;            /* --target: only what it needs is checked; NULL: all */
	const char *const *build_args; /* "NAME=value", NULL-terminated, or NULL */
	const char *platform;          /* "linux/amd64", of the machine that builds */
	const char *target_platform;   /* of what is built */
	/* The environment of a base image, "NAME=value", NULL-terminated; NULL where the image is
	 * not known: then a variable may be its. */
	const char *const *(*base_env)(void *arg, const char *image);
	/* Whether a name can be an image's. */
	bool (*is_image)(void *arg, const char *name);
	/* Whether .dockerignore leaves PATH out of the context. May be NULL. */
	bool (*ignored)(void *arg, const char *path);
	void *arg;
};

/* Checks D. -1 with E set and RET->failed_at where the file cannot be built whatever the
 * context: a stage that is not there, a platform that is none, a variable that is required.
 * df_lint_done is due in any case. */
int df_lint_run(const struct dockerfile *d, const struct df_lint_opts *o, struct df_lint *ret,
		struct err *e);
void df_lint_done(struct df_lint *l);

#endif
