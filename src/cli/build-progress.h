/* SPDX-License-Identifier: Apache-2.0 */
/* What a build prints while it works, as BuildKit's progressui prints it: plain (a number for each
 * step, its lines behind it), rawjson (one object a line), quiet (nothing), tty (drawn in place,
 * cli/build-screen.h, and the whole log of a step that failed). No line of a log is ever cut. */
#ifndef KOGGE_CLI_BUILD_PROGRESS_H
#define KOGGE_CLI_BUILD_PROGRESS_H

#include "build/solver.h"

#include <stdio.h>

/* --progress. */
enum progress_mode { PROGRESS_PLAIN, PROGRESS_RAWJSON, PROGRESS_QUIET, PROGRESS_TTY };

struct build_progress;

/* Prints to OUT (borrowed), whose descriptor is FD. NULL when out of memory. */
struct build_progress *build_progress_new(FILE *out, int fd, enum progress_mode mode);
void build_progress_free(struct build_progress *p);
DEFINE_FREEP(struct build_progress, build_progress_free)

/* A step that is not of the graph: its name, a line about it (or NULL), and that it is done after
 * NS. */
void build_progress_note(struct build_progress *p, const char *name, const char *line, int64_t ns);

/* From here on events are of the vertices of G, which lives as long as P is used. Returns -1 when
 * out of memory. */
int build_progress_graph(struct build_progress *p, const struct graph *g);

/* For solve_opts.event, with P as its arg. */
void build_progress_event(void *p, const struct solve_event *ev);

/* For solve_opts.tick, with P as its arg. */
void build_progress_tick(void *p);

/* No more events: what is printed next goes below. FINISHED: the image is there. A second call does
 * nothing. */
void build_progress_end(struct build_progress *p, bool finished);

/* After a failure of VERTEX: its last lines once more, as BuildKit repeats them. */
void build_progress_failed(struct build_progress *p, size_t vertex);

#endif
