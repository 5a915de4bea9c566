/* SPDX-License-Identifier: Apache-2.0 */
/* From a Dockerfile to a graph and the image's configuration, with the rules of BuildKit's front
 * end. What must be known of images is asked for; apart from that pure. */
#ifndef KOGGE_BUILD_LOWER_H
#define KOGGE_BUILD_LOWER_H

#include "build/graph.h"
#include "dockerfile/dockerfile.h"
#include "oci/image-config.h"

/* A base image, resolved. */
struct lower_image {
	struct image_config config; /* the callback fills it; lower frees it */
	char id[DIGEST_TEXT_SIZE];  /* the image's ID */
};

/* What a named context (--build-context NAME=VALUE) is: VALUE as it was given: a folder, a URL,
 * docker-image://REF, oci-layout://PATH. */
struct lower_context {
	const char *name;
	const char *value;
};

/* All is borrowed. Zeroed fields are "not given". */
struct lower_opts {
	const char *project;            /* names the Dockerfile, for slots: its path */
	const char *target;             /* --target */
	const char *const *build_args;  /* "NAME=value" */
	const struct key_value *labels; /* --label: on top of the image's */
	size_t n_labels;
	struct platform platform;       /* of what is built, normalised */
	struct platform build_platform; /* of this machine */
	const struct lower_context *contexts;
	size_t n_contexts;
	/* The main context where it is no folder: a git or http URL that "local" shows as its
	 * files; nothing to do here. */
	bool no_cache;
	const char *const *no_cache_filter; /* names of stages */
	const char *network; /* of RUN without --network: default none host, or a name */
	const char *const *extra_hosts, *const *ulimits;
	const char *hostname, *cgroup_parent;
	uint64_t shm_size;
	bool allow_insecure, allow_host; /* --allow: entitlements */
	int64_t now;                     /* Unix nanoseconds, for "created" */
	/* Finds (and where asked for pulls) the image REF for PLATFORM ("linux/amd64"). -1 with E
	 * set. */
	int (*resolve)(void *arg, const char *ref, const char *platform, struct lower_image *ret,
		       struct err *e);
	void *arg;
};

/* A line of the new image's history that lowering made, in order. */
struct lower_history {
	struct image_history h; /* created is that of the image */
	ssize_t vertex;         /* whose result is the layer; -1: an empty one */
};

struct lowered {
	struct graph graph;
	size_t target; /* the vertex that is the image's tree */
	/* The configuration: the base's diff IDs and history, then nothing: image_config_add_layer
	 * each of `history` with the layer's diff ID when it is known. */
	struct image_config config;
	const struct lower_history *history;
	size_t n_history;
	int64_t epoch;             /* SOURCE_DATE_EPOCH in seconds; -1: not given */
	struct df_range failed_at; /* where lower failed; 0: nowhere in particular */
	const char *base;          /* the image below, as written; "" for scratch */
	const char *base_id;       /* its ID; "" */
};

#define LOWERED_INIT ((struct lowered){.graph = GRAPH_INIT, .epoch = -1})

/* Lowers D. -1 with E set (and RET->failed_at); lowered_done is due in any case. */
int lower(const struct dockerfile *d, const struct lower_opts *o, struct lowered *ret,
	  struct err *e);
void lowered_done(struct lowered *l);

#endif
