/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file of a registry (docs/formats/registry-config.md): JSON, every field
 * optional, unknown ones refused. */
#ifndef KOGGE_REGISTRY_CONFIG_H
#define KOGGE_REGISTRY_CONFIG_H

#include "registry/access.h"
#include "registry/cache.h"
#include "registry/events.h"
#include "registry/lifecycle.h"
#include "registry/policy.h"

struct config {
	struct arena arena;
	const char *listen, *root, *log; /* NULL where not given */
	const char *certificate, *key;   /* PEM files; NULL: no TLS */
	bool read_only, no_delete;
	bool has_access;
	struct access access;
	struct policy policy;
	struct lifecycle lifecycle;
	struct cache_upstream *upstreams;
	size_t n_upstreams;
	struct event_sink *sinks;
	size_t n_sinks;
	uint32_t head_seconds;               /* for the head of a request */
	uint32_t connections;                /* at once; 0: the server's default */
	uint32_t requests_per_second, burst; /* for each client; 0: no limit */
	uint32_t collect_seconds;            /* between collections of garbage; 0: none */
	uint32_t grace_seconds;              /* what is younger is never collected */
};

#define CONFIG_INIT ((struct config){.grace_seconds = 86400, .head_seconds = 60})

/* Frees what C holds. */
void config_done(struct config *c);

/* Parses N bytes; opens no file. RET is CONFIG_INIT before, and needs config_done in any case. WHAT
 * names the file in messages. */
int config_parse(const char *data, size_t n, const char *what, struct config *ret, struct err *e);

/* Reads the file PATH, and the files of users and keys that it names. */
int config_load(const char *path, struct config *ret, struct err *e);

#endif
