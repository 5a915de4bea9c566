/* SPDX-License-Identifier: Apache-2.0 */
/* What repositories may hold: quotas, and tags that never change. Plain data, made by the
 * configuration. */
#ifndef KOGGE_REGISTRY_POLICY_H
#define KOGGE_REGISTRY_POLICY_H

#include "base/err.h"
#include "registry/storage.h"

/* At most BYTES of blobs in each repository of that form. */
struct policy_quota {
	const char *repositories; /* a pattern (access.h) */
	uint64_t bytes;
};

/* Tags that keep what they stand for, once they are there. */
struct policy_immutable {
	const char *repositories, *tags; /* patterns */
};

/* What clients are told with each answer about repositories of that form. */
struct policy_warning {
	const char *repositories; /* a pattern */
	const char *text;         /* printable, without quotes */
};

/* All of it. */
struct policy {
	struct policy_warning *warnings;
	size_t n_warnings;
	struct policy_quota *quotas;
	size_t n_quotas;
	struct policy_immutable *immutable;
	size_t n_immutable;
};

/* Whether TAG of REPOSITORY may not be moved or deleted. P may be NULL. */
bool policy_is_immutable(const struct policy *p, const char *repository, const char *tag);

/* 0 where REPOSITORY may hold MORE bytes of blobs than it does; ERR_DENIED where not. P may be
 * NULL. */
int policy_check_quota(const struct policy *p, struct storage *s, const char *repository,
		       uint64_t more, struct err *e);

#endif
