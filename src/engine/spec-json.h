/* SPDX-License-Identifier: Apache-2.0 */
/* A container spec as Docker's JSON (the Config and HostConfig of `docker inspect` and of the
 * Engine API): the form in which a container is stored. One table of fields serves both
 * directions. */
#ifndef KOGGE_ENGINE_SPEC_JSON_H
#define KOGGE_ENGINE_SPEC_JSON_H

#include "base/err.h"
#include "engine/container-spec.h"

#include <jansson.h>

/* Config and HostConfig of SPEC; references owned by the caller. What is as reading takes it where
 * it is absent is left out: most of it, for most containers. */
int spec_to_json(const struct container_spec *spec, json_t **ret_config, json_t **ret_host_config,
		 struct err *e);

/* Reads DOC ({"Config": ..., "HostConfig": ...}) into SPEC, which must be CONTAINER_SPEC_INIT and
 * whose arena gets every string. Fields that the spec does not have are ignored. */
int spec_from_json(const json_t *doc, struct container_spec *spec, struct err *e);

/* An array of mounts in the form of Docker's HostConfig.Mounts, with what only `points` have (Mode,
 * Anonymous, Snapshot, Make) beside it. NULL when out of memory. */
json_t *spec_mounts_to_json(const struct spec_mount *v, size_t n);

/* Reads such an array, the field KEY of R, which may be absent. 1, 0 or -1 with E. */
struct json_reader;
int spec_mounts_from_json(const struct json_reader *r, const char *key,
			  const struct spec_mount **ret, size_t *ret_n, struct err *e);

/* Reads the strings of --security-opt (profiles as JSON text, "seccomp={...}") into *RET; OPTS is
 * borrowed from A. */
int spec_security_parse(struct arena *a, const char *const *opts, struct spec_security *ret,
			struct err *e);

#endif
