/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's table of connections: forgetting such as are translated in a way that is not true
 * any more. Datagrams of a client that never stops would follow their old translation for ever. */
#ifndef KOGGE_KERNEL_CONNTRACK_H
#define KOGGE_KERNEL_CONNTRACK_H

#include "base/macro.h"

/* What is to be forgotten: connections of PROTOCOL that were begun to one of the N PORTS, or that
 * ADDRESS (4 or 16 bytes by FAMILY; NULL: none) answers. */
struct conntrack_match {
	uint8_t family, protocol;
	const uint8_t *address;
	const uint16_t *ports;
	size_t n;
};

/* SOCK is one of NETLINK_NETFILTER. Reads the whole table. *RET_N (may be NULL): how many. 0 or a
 * negative errno; -EOPNOTSUPP and the like where the kernel keeps none. */
int conntrack_forget(int sock, const struct conntrack_match *m, size_t *ret_n);

#endif
