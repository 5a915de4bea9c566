/* SPDX-License-Identifier: Apache-2.0 */
/* The loopback device of a network namespace. */
#ifndef KOGGE_KERNEL_NETDEV_H
#define KOGGE_KERNEL_NETDEV_H

#include "base/macro.h"

/* Brings "lo" of the current network namespace up by one rtnetlink message. 0 or a negative
 * errno. */
int netdev_lo_up(void);

/* 1 where the device of that index is up, 0 where not, or a negative errno. Loopback is 1. */
int netdev_is_up(int index);

#endif
