/* SPDX-License-Identifier: Apache-2.0 */
/* What a build reads of its caller: the context, the Dockerfile, .dockerignore, secrets. */
#ifndef KOGGE_CLI_BUILD_INPUT_H
#define KOGGE_CLI_BUILD_INPUT_H

#include "cli/build-opts.h"
#include "dockerfile/ignore.h"
#include "engine/build-session.h"
#include "store/snapshot.h"

struct build_input {
	struct cli_context *c;
	const struct build_opts *o;
	struct buf text;   /* the Dockerfile */
	const char *name;  /* its name, for messages */
	char *ignore_name; /* of the file that says what is left out; NULL: none */
	struct ignore ignore;
	struct build_context *contexts; /* "context" first */
	size_t n_contexts;
	struct build_secret *secrets;
	size_t n_secrets;
	struct build_ssh *ssh;
	size_t n_ssh;
	const char *project;             /* names the build, for comparing with the last one */
	char unpacked[SNAPSHOT_ID_SIZE]; /* of a context that came as an archive; "": none */
	int64_t newest; /* of the context's files and the Dockerfile, Unix nanoseconds */
};

/* Reads all. CONTEXT is what was given: a folder, "-", a URL. build_input_done is due in any case.
 */
int build_input_read(struct cli_context *c, const struct build_opts *o, const char *context,
		     struct build_input *ret, struct err *e);

void build_input_done(struct build_input *in);

#endif
