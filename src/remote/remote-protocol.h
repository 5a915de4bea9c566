/* SPDX-License-Identifier: Apache-2.0 */
/* Between kogge and kogge-remote: JSON objects over a socket of packets, descriptor 3 of the
 * child; docs/formats/remote-protocol.md. */
#ifndef KOGGE_REMOTE_REMOTE_PROTOCOL_H
#define KOGGE_REMOTE_REMOTE_PROTOCOL_H

enum {
	REMOTE_FD = 3,
	REMOTE_MESSAGE_MAX = 1 << 17,
	REMOTE_MOUNTED = 201, /* the status of an upload that was not needed */
	REMOTE_PARALLEL = 8,  /* requests in the background at once */
	REMOTE_MORE = 1,      /* the "size" of a list that goes on */
};

#endif
