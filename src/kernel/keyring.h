/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel keyrings: a container gets a session keyring of its own, so that it sees no key of its
 * caller's. */
#ifndef KOGGE_KERNEL_KEYRING_H
#define KOGGE_KERNEL_KEYRING_H

#include "base/macro.h"

/* Joins a new session keyring NAME. Returns its serial number, or a negative errno: -ENOSYS where
 * the kernel has no keys, -EDQUOT where the user's quota is used up. */
int keyring_join(const char *name);

#endif
