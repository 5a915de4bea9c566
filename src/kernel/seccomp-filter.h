/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of a seccomp filter that is already bytes (struct sock_filter). Knows no profile and
 * links no library: for the container's first process. */
#ifndef KOGGE_KERNEL_SECCOMP_FILTER_H
#define KOGGE_KERNEL_SECCOMP_FILTER_H

#include "base/macro.h"

/* Loads N bytes of classic BPF for the calling thread (with SECCOMP_WITH_TSYNC for all). FLAGS are
 * enum seccomp_flag. With RET_LISTENER not NULL a notification descriptor is made, close-on-exec,
 * owned by the caller. Needs no_new_privs or CAP_SYS_ADMIN. -EINVAL where N is no whole number of
 * instructions, or the kernel refuses the program or a flag. Safe after clone. */
int seccomp_filter_load(const void *bytes, size_t n, unsigned flags, int *ret_listener);

/* Whether the kernel has seccomp filters, and which of enum seccomp_flag it knows. Returns 0 or
 * -ENOSYS/-EINVAL where it has none. */
int seccomp_filter_probe(unsigned *ret_flags);

#endif
