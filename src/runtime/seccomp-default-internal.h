/* SPDX-License-Identifier: Apache-2.0 */
/* What gen-seccomp-default writes at build time: the filter for Docker's default capabilities on
 * the native architecture, with and without its sub-architectures. */
#ifndef KOGGE_RUNTIME_SECCOMP_DEFAULT_INTERNAL_H
#define KOGGE_RUNTIME_SECCOMP_DEFAULT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

extern const uint64_t seccomp_built_full[], seccomp_built_native[];
extern const size_t seccomp_n_built_full, seccomp_n_built_native;

#endif
