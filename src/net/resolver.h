/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver of containers on networks that users made (design/0095): one process for all of
 * them. Each container has two sockets, UDP and TCP, in its own network namespace, so that a
 * question says by where it comes who asks, and nobody can ask for another. Names of the asker's
 * networks are answered from a table; the rest is handed to the host's resolvers as it is, and
 * their answers back.
 *
 * It is told over a socket, by whoever keeps it: the whole table as the text of a descriptor, and
 * the sockets of containers. It has no rights and no memory of its own: another one can take its
 * place. */
#ifndef KOGGE_NET_RESOLVER_H
#define KOGGE_NET_RESOLVER_H

#include "base/macro.h"

#define RESOLVER_ID_SIZE 65

/* A message of the control socket (SOCK_SEQPACKET). */
enum resolver_kind {
	RESOLVER_TABLE = 1, /* one descriptor: the table (resolver_table below) */
	RESOLVER_SOCKETS    /* two descriptors: UDP and TCP of the container ID */
};

/* What goes with the descriptors. */
struct resolver_msg {
	uint32_t kind;
	char id[RESOLVER_ID_SIZE];
};

/* The table, a line each:
 *
 *   V ID NETWORK...           what the container ID sees (networks by their IDs)
 *   U ID ADDRESS...           it has servers of its own
 *   I ID                      nothing of it goes out: its networks are internal
 *   N NETWORK ADDRESS NAME... names on a network; the first one answers for the address
 *
 * A container without a line V is gone: its sockets are closed. */

/* Serves until CONTROL ends. Returns 0 or a negative errno. */
int resolver_run(int control);

#endif
