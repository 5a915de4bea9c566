/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that a server elsewhere must not send us to, and the proxy that may have one. */
#ifndef KOGGE_REMOTE_LOCAL_ADDRESS_H
#define KOGGE_REMOTE_LOCAL_ADDRESS_H

#include "base/macro.h"

#include <stdint.h>
#include <sys/socket.h>

/* Whether what listens at A is reached from this machine alone: loopback, unspecified and
 * link-local addresses (a cloud's metadata service has one), also as IPv4 in IPv6. Not
 * where it is at the port PROXY (proxy_port): that is the user's choice. */
bool local_address(const struct sockaddr *a, uint16_t proxy);

/* The port of the user's proxy for https, or PLAIN http; 0 for none (libcurl's order of names and
 * default). */
uint16_t proxy_port(bool plain);

#endif
