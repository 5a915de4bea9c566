/* SPDX-License-Identifier: Apache-2.0 */
/* What kogge-unpack puts around itself before it reads a byte (docs/design/0020-unpack-jail.md).
 * Must be called once, in a process of its own with one thread. */
#ifndef KOGGE_UNPACK_UNPACK_JAIL_H
#define KOGGE_UNPACK_UNPACK_JAIL_H

#include "base/err.h"

/* Confines the process to TARGET, a detached mount, which becomes its root; closes every
 * descriptor above LAST_FD. Stores enum unpack_confined. ERR_UNSUPPORTED or ERR_DENIED where a must
 * is missing; what is only good to have is left out of the mask. */
int unpack_jail_enter(int target, unsigned last_fd, uint32_t *ret_confined, struct err *e);

#endif
