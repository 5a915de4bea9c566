/* SPDX-License-Identifier: Apache-2.0 */
/* From a profile to the bytes of a filter, by libseccomp. In a library of its own
 * (lib_seccomp_compile), so that programs which only load bytes do not link it. */
#ifndef KOGGE_KERNEL_SECCOMP_COMPILE_H
#define KOGGE_KERNEL_SECCOMP_COMPILE_H

#include "base/macro.h"
#include "base/seccomp-profile.h"

struct buf;

/* What a failure is about. Empty strings where not known. */
struct seccomp_fault {
	char what[64]; /* "adding the rule", "adding the architecture", ... */
	char name[64]; /* the system call or the architecture */
};

/* Appends the instructions of PROFILE to OUT. Names of system calls that libseccomp does not know
 * are skipped, as runc does. In front stands a check by which system calls newer than everything
 * the profile and libseccomp know of return ENOSYS instead of the default action (where that is an
 * error or a kill), so that programs fall back as on an older kernel. Returns 0 or a negative
 * errno with *FAULT (may be NULL) set. */
int seccomp_compile(const struct seccomp_profile *profile, struct buf *out,
		    struct seccomp_fault *fault);

/* Whether libseccomp knows the system call natively. */
bool seccomp_syscall_known(const char *name);

#endif
