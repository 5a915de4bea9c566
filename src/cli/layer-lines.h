/* SPDX-License-Identifier: Apache-2.0 */
/* What pull and push show of each layer, as Docker's client shows it: on a terminal one line for
 * each, written over in place while bytes come or go; else one line for each step. */
#ifndef KOGGE_CLI_LAYER_LINES_H
#define KOGGE_CLI_LAYER_LINES_H

#include "remote/pull.h"

#include <stdio.h>

struct layer_line {
	struct digest layer;
	enum remote_step step;
	int64_t drawn; /* monotonic, when its bytes were shown last */
};

struct layer_lines {
	FILE *out;                /* NULL: nothing is shown */
	const char *const *words; /* by enum remote_step; what has none is not shown */
	struct layer_line *lines;
	size_t n;
};

/* WORDS for pull and push. */
extern const char *const layer_words_pull[], *const layer_words_push[];

/* For remote_progress.step, with a struct layer_lines as its arg. */
void layer_lines_step(void *arg, const struct digest *layer, enum remote_step step, int64_t n,
		      int64_t size);

/* Forgets the lines: what comes next is below them. */
void layer_lines_done(struct layer_lines *l);

#endif
