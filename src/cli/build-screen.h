/* SPDX-License-Identifier: Apache-2.0 */
/* A build on a terminal, drawn in place as BuildKit's progressui draws it: how far it is, a line
 * for each step with its time, and under a step that runs the last lines that it printed. What
 * steps print is shortened here and has no control characters; the log as a whole is elsewhere. */
#ifndef KOGGE_CLI_BUILD_SCREEN_H
#define KOGGE_CLI_BUILD_SCREEN_H

#include "build/solver.h"

#include <stdio.h>

struct build_screen;

/* Draws to OUT (borrowed), which is the terminal FD. NULL when out of memory. */
struct build_screen *build_screen_new(FILE *out, int fd);
void build_screen_free(struct build_screen *s);

/* A step that is not of the graph, which took NS: its name, and a line about it or NULL. */
void build_screen_note(struct build_screen *s, const char *name, const char *line, int64_t ns);

/* How many steps are to come besides the notes. */
void build_screen_expect(struct build_screen *s, size_t steps);

/* Takes an event; draws where the last drawing is long enough ago. */
void build_screen_event(struct build_screen *s, const struct solve_event *ev);

/* Draws again where the last drawing is long enough ago: times go on. */
void build_screen_tick(struct build_screen *s);

/* Draws for the last time; what is printed next goes below. FINISHED: all is well. */
void build_screen_end(struct build_screen *s, bool finished);

#endif
