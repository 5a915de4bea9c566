/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes for users: making, showing, removing. What a container mounts of them is described in
 * engine/container-spec.h; where they lie in store/volume-store.h. */
#ifndef KOGGE_ENGINE_VOLUME_H
#define KOGGE_ENGINE_VOLUME_H

#include "base/err.h"

#include <jansson.h>

struct engine;
struct spec_pair;

struct volume_spec {
	const char *name;   /* NULL: one of our own making, which counts as anonymous */
	const char *driver; /* NULL: local */
	const struct spec_pair *opts, *labels;
	size_t n_opts, n_labels;
};

/* Makes a volume, durably; one that exists already is left as it is. *RET_NAME, which may be NULL,
 * gets its name on the heap. ERR_INVALID for names and options that Docker refuses, ERR_NOT_FOUND
 * for another driver than local. */
int volume_create(struct engine *en, const struct volume_spec *spec, char **ret_name,
		  struct err *e);

/* Docker's JSON of one volume: CreatedAt, Driver, Labels, Mountpoint, Name, Options, Scope.
 * ERR_NOT_FOUND ("get NAME: no such volume"). A new reference. */
json_t *volume_inspect(struct engine *en, const char *name, struct err *e);

/* All volumes in the order of names, each as by volume_inspect and with Links (how many containers
 * have it), Anonymous, Created (Unix nanoseconds) and, WITH_SIZE, Size in bytes. A new reference.
 */
json_t *volume_list(struct engine *en, bool with_size, struct err *e);

/* Removes a volume and what is in it. ERR_CONFLICT where a container has it. */
int volume_remove(struct engine *en, const char *name, struct err *e);

#endif
