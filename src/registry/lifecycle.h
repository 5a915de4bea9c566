/* SPDX-License-Identifier: Apache-2.0 */
/* Rules by which tags and manifests go by themselves. */
#ifndef KOGGE_REGISTRY_LIFECYCLE_H
#define KOGGE_REGISTRY_LIFECYCLE_H

#include "registry/collect.h"
#include "registry/policy.h"

/* In repositories of that form: tags of that form go which are not among the newest KEEP of them
 * and were neither set for OLDER_THAN nanoseconds nor pulled for NOT_PULLED (0: whenever); with
 * UNTAGGED also manifests that no tag leads to.
 */
struct lifecycle_rule {
	const char *repositories, *tags; /* patterns (access.h) */
	uint64_t keep;
	int64_t older_than, not_pulled;
	bool removes_tags, untagged;
};

/* All of them. */
struct lifecycle {
	struct lifecycle_rule *rules;
	size_t n;
};

/* What went. */
struct lifecycle_report {
	uint64_t tags, manifests;
};

/* How often pulls have to be noted for the rules: nanoseconds, an hour at most; 0: not at all. */
int64_t lifecycle_pull_step(const struct lifecycle *l);

/* Applies the rules; O as for collect, POLICY (may be NULL) holds the tags that never go. What was
 * only previewed is what would go, from the same code. */
int lifecycle_apply(const struct lifecycle *l, const struct collect_options *o,
		    const struct policy *policy, struct lifecycle_report *ret, struct err *e);

#endif
