/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that an instruction sees: those of the base image, ENV and ARG so far. Ordered,
 * the last setting of a name counts. */
#ifndef KOGGE_DOCKERFILE_SCOPE_H
#define KOGGE_DOCKERFILE_SCOPE_H

#include "base/arena.h"

struct scope {
	struct arena *arena; /* everything in it */
	const char **names;  /* NULL-terminated once something was set */
	const char **values;
	size_t n, n_values;
};

/* Sets NAME; both are borrowed. -1 when out of memory. */
int scope_set(struct scope *s, const char *name, const char *value);

/* Sets each "NAME=value" of ENV (NULL-terminated, or NULL). -1 when out of memory. */
int scope_set_env(struct scope *s, const char *const *env);

/* The value of NAME; NULL where it is not set. As the get of an expander. */
const char *scope_get(void *scope, const char *name);

/* A copy in the same arena, to go on from. -1 when out of memory. */
int scope_copy(const struct scope *s, struct scope *ret);

#endif
