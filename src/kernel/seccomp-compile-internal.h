/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two ways to make a filter. */
#ifndef KOGGE_KERNEL_SECCOMP_COMPILE_INTERNAL_H
#define KOGGE_KERNEL_SECCOMP_COMPILE_INTERNAL_H

#include "kernel/seccomp-compile.h"

#define SECCOMP_X32_BIT UINT32_C(0x40000000)

/* Our own generator (seccomp-generate.c). -EOPNOTSUPP where the profile has an architecture that
 * it does not know; OUT is untouched then. */
int seccomp_generate(const struct seccomp_profile *profile, struct buf *out);

/* The filter by libseccomp's generator, for all other architectures, and for the test that
 * compares the two. */
int seccomp_compile_by_library(const struct seccomp_profile *profile, struct buf *out,
			       struct seccomp_fault *fault);

/* The SECCOMP_RET_ value of an action, and of the default action. */
uint32_t seccomp_action_bits(enum seccomp_action action, uint32_t errno_ret);
uint32_t seccomp_rule_bits(const struct seccomp_rule *rule);
uint32_t seccomp_default_bits(const struct seccomp_profile *profile);

/* Whether calls that are newer than the profile get ENOSYS: where what is not named is refused. */
bool seccomp_wants_enosys(const struct seccomp_profile *profile);

/* Whether two comparisons of the rule are about the same argument. */
bool seccomp_rule_is_split(const struct seccomp_rule *rule);

/* Numbers of calls that the profile allows and that libseccomp does not know yet; since Linux 5.1
 * a new call has the same number on all architectures but MIPS. Returns how many. */
#define SECCOMP_NEWER_MAX 24
size_t seccomp_newer_calls(const struct seccomp_profile *profile, uint32_t ret[SECCOMP_NEWER_MAX]);

/* The largest number of a call that the profile names, in one architecture (libseccomp's token);
 * 0 for none. */
uint32_t seccomp_last_call(const struct seccomp_profile *profile, uint32_t scmp_arch);

#endif
