/* SPDX-License-Identifier: Apache-2.0 */
/* Between the table of the default profile and the reader of profile files: rules with their
 * conditions, before they are resolved. */
#ifndef KOGGE_OCI_SECCOMP_PROFILE_INTERNAL_H
#define KOGGE_OCI_SECCOMP_PROFILE_INTERNAL_H

#include "oci/seccomp-profile.h"

/* `includes` or `excludes`. Zeroed, it says nothing. */
struct seccomp_when {
	uint64_t caps;             /* included: all of them; excluded: any of them */
	bool impossible;           /* names a capability that there is not */
	const char *const *arches; /* NULL-terminated; as Docker writes them: "amd64", "x86" */
	unsigned kernel_major, kernel_minor; /* at least; 0: any */
};

struct seccomp_entry {
	struct seccomp_rule rule;
	struct seccomp_when includes, excludes;
};

/* An architecture with those whose calls it can also take. */
struct seccomp_family {
	uint32_t arch;
	uint32_t sub[2]; /* 0 where there is none */
};

extern const struct seccomp_entry seccomp_default_entries[];
extern const size_t seccomp_n_default_entries;
extern const struct seccomp_family seccomp_families[];
extern const size_t seccomp_n_families;

/* Stores the rules of ENTRIES that hold for TARGET in RET. */
int seccomp_resolve(const struct seccomp_entry *entries, size_t n,
		    const struct seccomp_target *target, struct arena *a,
		    struct seccomp_profile *ret);

/* Adds F's architectures to RET where F is TARGET's family. */
void seccomp_add_family(const struct seccomp_family *f, const struct seccomp_target *target,
			struct seccomp_profile *ret);

#endif
