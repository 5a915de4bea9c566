/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations (image-spec, config.md) with the fields that Docker adds. What is not known
 * here is ignored when reading: a stored configuration keeps its bytes, and its digest, as they
 * came. What is written is canonical: top-level keys sorted, as Docker writes them, the members of
 * "config" in Docker's order, empty fields left out. So the same content gives the same digest. */
#ifndef KOGGE_OCI_IMAGE_CONFIG_H
#define KOGGE_OCI_IMAGE_CONFIG_H

#include "base/arena.h"
#include "oci/descriptor.h"

#define IMAGE_CONFIG_SIZE_MAX    ((size_t)8 << 20)
#define IMAGE_CONFIG_HISTORY_MAX 10000
#define IMAGE_CONFIG_STRINGS_MAX 200000 /* three times all ports */

/* A health check as Dockerfiles declare it. Durations in nanoseconds, 0 where not given. */
struct image_health {
	const char **test; /* {"CMD", ...}, {"CMD-SHELL", ...}, {"NONE"}; NULL inherits */
	int64_t interval;
	int64_t timeout;
	int64_t start_period;
	int64_t start_interval;
	int64_t retries;
};

struct image_history {
	const char *created; /* RFC 3339, or NULL; so are the others */
	const char *created_by;
	const char *author;
	const char *comment;
	bool empty_layer;
};

/* What the image says about running it (the object "config"). String vectors are
 * NULL-terminated, or NULL where the field is absent or null; an empty vector is not NULL. */
struct image_run {
	const char *hostname;
	const char *domainname;
	const char *user;
	const char **exposed_ports; /* "80/tcp", sorted */
	const char **env;           /* "KEY=value" */
	const char **cmd;
	const char **entrypoint;
	const char **volumes; /* sorted */
	const char *working_dir;
	const char **on_build;
	const struct key_value *labels;
	size_t n_labels;
	const char *stop_signal;
	bool has_stop_timeout;
	int64_t stop_timeout; /* seconds */
	const char **shell;
	bool args_escaped;
	bool tty, open_stdin, stdin_once;
	bool attach_stdin, attach_stdout, attach_stderr;
	bool network_disabled;
	bool has_health;
	struct image_health health;
};

/* Absent strings are NULL. All memory is the arena's; who changes a field allocates there. */
struct image_config {
	struct arena arena;
	const char *created; /* RFC 3339 */
	const char *author;
	const char *comment;
	const char *docker_version;
	struct platform platform; /* as the document says, not normalised */
	struct image_run run;
	struct digest *diff_ids;
	size_t n_diff_ids;
	struct image_history *history;
	size_t n_history;
};

#define IMAGE_CONFIG_INIT ((struct image_config){.created = NULL})

void image_config_done(struct image_config *c);

/* Parses N bytes into RET, which is IMAGE_CONFIG_INIT; on failure it needs no
 * image_config_done. "null" and everything else that is not an object is refused (CVE-2021-21285),
 * so are null elements of history (CVE-2024-36620), a rootfs that is missing or not "layers", and
 * more layers in the history than diff IDs. ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED. */
int image_config_parse(const char *data, size_t n, struct image_config *ret, struct err *e);

/* Appends the canonical document. */
int image_config_write(const struct image_config *c, struct buf *out, struct err *e);

/* Only the object "config" as a new JSON object with all of Docker's fields, also empty ones, as
 * `docker inspect` shows it; NULL when out of memory. */
json_t *image_run_json(const struct image_run *r);

/* Sets KEY in the environment, in place where it is there, else at the end. */
int image_run_set_env(struct image_config *c, const char *key, const char *value, struct err *e);

/* Sets a label, in place where it is there. */
int image_run_set_label(struct image_config *c, const char *key, const char *value, struct err *e);

/* Adds the N VALUES, which are copied, to a sorted set (exposed_ports, volumes); each is there once
 * afterwards. */
int image_config_set_add(struct image_config *c, const char ***set, const char *const *values,
			 size_t n, struct err *e);

/* Appends a copy of VALUE to a vector of the configuration (env, on_build), whichever way the
 * vector was made. */
int image_config_push(struct image_config *c, const char ***v, const char *value, struct err *e);

/* Appends a layer and its line of the history. DIFF_ID NULL: a line without a layer. */
int image_config_add_layer(struct image_config *c, const struct digest *diff_id,
			   const struct image_history *h, struct err *e);

#endif
