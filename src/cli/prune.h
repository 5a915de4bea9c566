/* SPDX-License-Identifier: Apache-2.0 */
/* What image prune, container prune and system prune share. */
#ifndef KOGGE_CLI_PRUNE_H
#define KOGGE_CLI_PRUNE_H

#include "cli/cli.h"

/* A prune on its way. With DRY_RUN it only tells. */
struct prune {
	const struct cli_list *filters;
	bool dry_run;
	uint64_t bytes;    /* that came back, or would */
	const char **gone; /* containers that would be gone */
	size_t n_gone;
};

/* Removes the images that nothing uses (ALL: also those with names) and prints "Deleted Images:"
 * with what went, where anything did. */
int prune_images(struct cli_context *c, struct prune *p, bool all, struct err *e);

/* Removes the containers that do not run and prints "Deleted Containers:". */
int prune_containers(struct cli_context *c, struct prune *p, struct err *e);

/* Removes the volumes that no container has (without ALL: those that were never named) and prints
 * "Deleted Volumes:". */
int prune_volumes(struct cli_context *c, struct prune *p, bool all, struct err *e);

/* Removes the networks that no container has and prints "Deleted Networks:". */
int prune_networks(struct cli_context *c, struct prune *p, struct err *e);

/* Removes the results of build steps that are in no image (ALL: all) and prints "Deleted build
 * cache objects:"; none where the filters ask for labels. */
int prune_builds(struct cli_context *c, struct prune *p, bool all, struct err *e);

/* "Total reclaimed space: 1.2MB" */
void prune_total(struct cli_context *c, const struct prune *p);

#endif
