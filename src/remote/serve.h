/* SPDX-License-Identifier: Apache-2.0 */
/* What kogge-remote does with the messages of its parent. */
#ifndef KOGGE_REMOTE_SERVE_H
#define KOGGE_REMOTE_SERVE_H

#include "base/err.h"

/* Answers the requests that come over SOCKET until it is closed. 0, or -1 where the socket fails.
 */
int remote_serve(int socket, struct err *e);

#endif
