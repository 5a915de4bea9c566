/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-remote: talks to registries for kogge. Started by remote/remote.c alone, with a socket as
 * descriptor 3; it gets nothing else of the machine than what it reads itself: name service and
 * certificates. */
#include "remote/confine.h"
#include "remote/remote-protocol.h"
#include "remote/serve.h"

#include <signal.h>
#include <stdio.h>

int main(void)
{
	struct err e = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	if (remote_confine(&e) < 0 || remote_serve(REMOTE_FD, &e) < 0) {
		fprintf(stderr, "kogge-remote: %s\n", e.msg);
		return 1;
	}
	return 0;
}
