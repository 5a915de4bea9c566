/* SPDX-License-Identifier: Apache-2.0 */
/* What pull, push, login and a run of an image that is not there share. */
#ifndef KOGGE_CLI_PULL_H
#define KOGGE_CLI_PULL_H

#include "cli/cli.h"
#include "oci/reference.h"
#include "remote/credentials.h"
#include "remote/remote.h"

/* How to pull. */
struct pull_opts {
	const char *platform; /* NULL: this machine's */
	bool quiet;
	FILE *out; /* the progress; NULL: none */
};

/* Pulls the image REF (with a tag or digest) into the store. *RET_NEW: whether the name now stands
 * for another image. 0, or -1 with E. */
int pull_image(struct cli_context *c, const struct reference *ref, const struct pull_opts *o,
	       bool *ret_new, struct digest *ret, struct err *e);

/* Opens the registry of REF with the caller's credentials. */
int registry_open(struct cli_context *c, const struct reference *ref, bool push, struct remote *r,
		  struct err *e);

/* Opens the registry of REF for what concerns no repository. */
int registry_open_bare(struct cli_context *c, const struct reference *ref, struct remote *r,
		       struct err *e);

/* As registry_open with credentials that are given. */
int registry_open_as(struct cli_context *c, const struct reference *ref, bool push,
		     const struct credentials *as, struct remote *r, struct err *e);

/* run and create: pulls IMAGE, which is not there, or which shall be looked for ALWAYS. What it
 * prints goes to stderr. 0, or -1 with E. */
int pull_for_run(struct cli_context *c, const char *image, bool always, const struct pull_opts *o,
		 struct err *e);

#endif
