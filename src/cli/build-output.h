/* SPDX-License-Identifier: Apache-2.0 */
/* Where the result of a build goes (`--output`): the store, an archive, a folder. */
#ifndef KOGGE_CLI_BUILD_OUTPUT_H
#define KOGGE_CLI_BUILD_OUTPUT_H

#include "cli/cli.h"

struct build_progress;

enum build_output_kind {
	BUILD_OUTPUT_IMAGE,   /* into the store */
	BUILD_OUTPUT_ARCHIVE, /* an OCI layout that is a Docker archive, too, as one tar */
	BUILD_OUTPUT_LAYOUT,  /* the same as files in a folder */
	BUILD_OUTPUT_TAR,     /* the root file system as a tar */
	BUILD_OUTPUT_LOCAL,   /* the root file system in a folder */
};

struct build_output {
	enum build_output_kind kind;
	const char *type;         /* as the user named it */
	const char *dest;         /* "-": stdout; NULL for an image */
	const char *const *names; /* of the image; NULL: those of --tag */
};

struct build_outputs {
	struct build_output *v;
	size_t n;
	bool image; /* the image is to stay: one of them says so, or there are none */
};

/* Reads the values of --output; TAGS are those of --tag. Memory is C's. */
int build_outputs_parse(struct cli_context *c, const struct cli_list *texts,
			const struct cli_list *tags, struct build_outputs *ret, struct err *e);

/* Writes the image ID to each of them but the store. */
int build_outputs_write(struct cli_context *c, const struct build_outputs *o, const char *id,
			struct build_progress *progress, struct err *e);

#endif
