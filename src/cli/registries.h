/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration file says of registries (docs/formats/config.md), and certs.d. */
#ifndef KOGGE_CLI_REGISTRIES_H
#define KOGGE_CLI_REGISTRIES_H

#include "cli/cli.h"

/* A registry to ask. Strings live in the context's arena. */
struct registry_mirror {
	const char *host, *prefix; /* the prefix of its repositories, "" for none */
};

/* One registry's settings. */
struct registry_settings {
	bool insecure, blocked, mirrors_only;
	int stall_seconds; /* 0: the default */
	struct registry_mirror *mirrors;
	size_t n_mirrors;
	const char *ca, *cert, *key; /* PEM, or NULL */
};

/* What holds for HOST ("docker.io", "registry.example:5000"). No file is no error; ERR_INVALID for
 * a wrong one. */
int registry_settings_find(struct cli_context *c, const char *host, struct registry_settings *ret,
			   struct err *e);

#endif
