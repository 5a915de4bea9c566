/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver's address in a container, as Docker's: 127.0.0.11, port 53. */
#ifndef KOGGE_NET_RESOLVER_SOCKETS_H
#define KOGGE_NET_RESOLVER_SOCKETS_H

#include "base/err.h"

#define RESOLVER_ADDRESS "127.0.0.11"

/* Makes the UDP and the TCP socket of the network namespace NETNS, which listen on 127.0.0.11 at a
 * port that the kernel chooses, and the rules there that lead port 53 to them: so a server of the
 * container's own may have port 53. What was there before is replaced. The caller is in its own
 * namespace again when this returns. */
int resolver_sockets_make(int netns, int ret_udp_tcp[2], struct err *e);

#endif
