/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's seccomp profiles: the default one as a table, and files in its format (the
 * specification's with includes, excludes and an architecture map), resolved for a container.
 * Data only; compiled in kernel/seccomp-compile. */
#ifndef KOGGE_OCI_SECCOMP_PROFILE_H
#define KOGGE_OCI_SECCOMP_PROFILE_H

#include "base/err.h"
#include "base/seccomp-profile.h"

struct arena;
struct buf;

/* For whom a profile is resolved. */
struct seccomp_target {
	uint64_t caps; /* capabilities of the container: bit n for CAP number n */
	uint32_t arch; /* AUDIT_ARCH_* (seccomp_native_arch()) */
	unsigned kernel_major, kernel_minor;
	bool native_only; /* without the sub-architectures (32-bit, x32) */
};

/* Docker's 14 default capabilities as bits; for these the filter is compiled at build time. */
#define SECCOMP_DEFAULT_CAPS UINT64_C(0x00000000a80425fb)

/* Docker's default profile for TARGET. Strings are constants, arrays are in A. Fails only for
 * memory. */
int seccomp_default_profile(const struct seccomp_target *target, struct arena *a,
			    struct seccomp_profile *ret, struct err *e);

/* Reads JSON in Docker's format (which includes the runtime specification's) and resolves it for
 * TARGET. ERR_INVALID and ERR_LIMIT, naming the field. */
int seccomp_profile_parse(const struct buf *json, const struct seccomp_target *target,
			  struct arena *a, struct seccomp_profile *ret, struct err *e);

#endif
