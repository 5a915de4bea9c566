/* SPDX-License-Identifier: Apache-2.0 */
/* The socket in a state directory by which `start` reaches the waiting stage. */
#ifndef KOGGE_RUNTIME_START_SOCKET_H
#define KOGGE_RUNTIME_START_SOCKET_H

/* Makes the listening socket below DIR. Returns it, or a negative errno. */
int start_socket_make(int dir);

/* Connects to it. -ECONNREFUSED or -ENOENT: nobody waits there. */
int start_socket_connect(int dir);

#endif
