/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-monitor ID CONFIG-FD: see monitor/monitor.h. As kogge-client STATE-FD: the attached client
 * of a container that runs for long, see monitor/client.h. Started by kogge only. */
#include "base/num.h"
#include "monitor/client.h"
#include "monitor/monitor.h"

int main(int argc, char **argv)
{
	uint64_t fd;

	if (argc == 2 && strcmp(argv[0], "kogge-client") == 0 &&
	    num_u64(argv[1], 3, INT32_MAX, &fd) == 0)
		return client_main((int)fd);
	if (argc != 3 || num_u64(argv[2], 3, INT32_MAX, &fd) < 0) {
		fprintf(stderr, "kogge-monitor: is started by kogge and serves one container\n");
		return 2;
	}
	return monitor_main((int)fd);
}
