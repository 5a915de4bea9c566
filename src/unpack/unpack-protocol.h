/* SPDX-License-Identifier: Apache-2.0 */
/* What kogge-unpack and its parent say over the socket (SOCK_SEQPACKET; docs/formats/
 * unpack-protocol.md). Both are of one build: the structs go as they are. The child sends
 *
 *   OPAQUE  the head alone, with the descriptor of a directory that is to be marked; the parent
 *           answers with one byte, 1 where that was done (so one descriptor is on its way at most:
 *           the kernel counts those against the child's limit);
 *   DONE    the whole message; result is set;
 *   FAILED  the whole message; err is set.
 *
 * DONE and FAILED end the conversation. */
#ifndef KOGGE_UNPACK_UNPACK_PROTOCOL_H
#define KOGGE_UNPACK_UNPACK_PROTOCOL_H

#include "unpack/unpack.h"

#define UNPACK_MAGIC UINT32_C(0x6b6e7031) /* knp1 */

/* The child's descriptors. */
enum { UNPACK_FD_INPUT = 0, UNPACK_FD_OUTPUT = 1, UNPACK_FD_TARGET = 3, UNPACK_FD_SOCKET = 4 };

/* The child's arguments: the name of the mode, limits in the order of struct unpack_limits, hashed,
 * owner (enum unpack_owner), uid, gid, and the prefix ("" for none). */
static const char *const unpack_mode_names[] = {[UNPACK_OVERLAY] = "overlay",
						[UNPACK_APPLY] = "apply",
						[UNPACK_COPY] = "copy",
						[UNPACK_FILTER] = "filter"};

/* What a message is. */
enum unpack_message_type {
	UNPACK_OPAQUE = 1,
	UNPACK_DONE,
	UNPACK_FAILED,
};

/* Begins every message of the child. */
struct unpack_head {
	uint32_t magic;
	uint32_t type;
};

/* DONE and FAILED. */
struct unpack_message {
	struct unpack_head head;
	struct unpack_result result;
	struct err err;
};

#endif
