/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits by name. */
#ifndef KOGGE_KERNEL_RLIMIT_H
#define KOGGE_KERNEL_RLIMIT_H

#include "base/macro.h"

#include <sys/types.h>

#define RLIMIT_UNLIMITED UINT64_MAX

/* RLIMIT_... of "RLIMIT_NOFILE" or "nofile" (docker's --ulimit). -EINVAL. */
int rlimit_number(const char *name);

/* "RLIMIT_NOFILE"; NULL for an unknown number. */
const char *rlimit_name(int resource);

/* Sets soft and hard limit of PID (0: the caller). 0 or a negative errno. */
int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard);

/* Reads both limits of PID (0: the caller). */
int rlimit_get(pid_t pid, int resource, uint64_t *ret_soft, uint64_t *ret_hard);

#endif
