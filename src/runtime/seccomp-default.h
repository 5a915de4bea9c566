/* SPDX-License-Identifier: Apache-2.0 */
/* The default seccomp filter: compiled when Kogge was built for the capabilities that nearly every
 * container has, at run time for all others. */
#ifndef KOGGE_RUNTIME_SECCOMP_DEFAULT_H
#define KOGGE_RUNTIME_SECCOMP_DEFAULT_H

#include "oci/seccomp-profile.h"

struct buf;

/* seccomp_default_profile (oci/seccomp-profile.h) with `compiled` set where the build holds the
 * filter of TARGET. */
int seccomp_default(const struct seccomp_target *target, struct arena *a,
		    struct seccomp_profile *ret, struct err *e);

/* The capabilities, architecture and kernel of a container with capability bits CAPS on this
 * machine. */
struct seccomp_target seccomp_target_here(uint64_t caps, bool native_only);

/* Appends the filter of PROFILE: the bytes that were compiled before, else libseccomp's.
 * ERR_INVALID or ERR_UNSUPPORTED, naming the rule or architecture. */
int seccomp_filter_bytes(const struct seccomp_profile *profile, struct buf *out, struct err *e);

#endif
