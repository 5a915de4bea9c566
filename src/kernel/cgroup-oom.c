/* SPDX-License-Identifier: Apache-2.0 */
/* Told when the kernel kills for memory. Version 2: memory.events, which poll reports (POLLPRI).
 * Version 1: an eventfd that is registered in cgroup.event_control for memory.oom_control. */
#include "kernel/cgroup-internal.h"

#include "base/fd.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint64_t count_kills(int fd)
{
	char text[512], *line;
	uint64_t n = 0;
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return 0;
	text[got] = '\0';
	line = strstr(text, "oom_kill ");
	if (!line)
		return 0;
	line += strlen("oom_kill ");
	line[strcspn(line, "\n")] = '\0';
	return num_u64(line, 0, UINT64_MAX, &n) < 0 ? 0 : n;
}

static int open_v1(int dir, struct cgroup_oom *ret)
{
	_cleanup_(fd_close) int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_close) int event = -1;
	char line[48];
	int r;

	if (control < 0)
		return -errno;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event < 0)
		return -errno;
	snprintf(line, sizeof(line), "%d %d", event, control);
	r = cgroup_write(dir, "cgroup.event_control", line, NULL);
	if (r < 0)
		return r;
	*ret = (struct cgroup_oom){.fd = TAKE_FD(event), .events = POLLIN, .v1 = true};
	return 0;
}

int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom *ret)
{
	int dir = cgroup_dir(cg, CGROUP_MEMORY);
	int fd;

	if (dir < 0)
		return -ENOENT;
	fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? open_v1(dir, ret) : -errno;
	*ret = (struct cgroup_oom){.fd = fd, .events = POLLPRI, .kills = count_kills(fd)};
	return 0;
}

int cgroup_oom_take(struct cgroup_oom *o)
{
	uint64_t n = 0, before = o->kills;

	if (o->v1)
		return read(o->fd, &n, sizeof(n)) == sizeof(n) ? (int)MIN(n, (uint64_t)INT32_MAX)
							       : 0;
	o->kills = count_kills(o->fd);
	return (int)MIN(o->kills - before, (uint64_t)INT32_MAX);
}

void cgroup_oom_done(struct cgroup_oom *o)
{
	fd_close(&o->fd);
}
