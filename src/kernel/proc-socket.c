/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { COMM_MAX = 64 };

/* Whether one of PID's descriptors is the socket that its link calls WANT. */
static bool has_socket(int proc, pid_t pid, const char *want)
{
	_cleanup_(fd_close) int dir = proc_open_file(proc, pid, "fd", O_RDONLY | O_DIRECTORY);
	_cleanup_(freep) int *fds = NULL;
	size_t n = 0;

	if (dir < 0 || proc_list_fds(proc, pid, &fds, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		char number[16], link[64];
		ssize_t len;

		snprintf(number, sizeof(number), "%d", fds[i]);
		len = readlinkat(dir, number, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		if (str_eq(link, want))
			return true;
	}
	return false;
}

static void read_name(int proc, pid_t pid, char *ret, size_t size)
{
	_cleanup_(freep) char *text = NULL;

	ret[0] = '\0';
	if (proc_read(proc, pid, "comm", COMM_MAX, &text) == 0)
		snprintf(ret, size, "%.*s", (int)strcspn(text, "\n"), text);
}

pid_t proc_socket_owner(int proc, uint32_t inode, char *ret_name, size_t size)
{
	int fd = proc_open_file(proc, PROC_ROOT, ".", O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	char want[32];
	pid_t found = -ESRCH;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		fd_close(&fd);
		return -ENOMEM;
	}
	snprintf(want, sizeof(want), "socket:[%u]", inode);
	while (found < 0 && (entry = readdir(d))) {
		uint64_t pid;

		if (num_u64(entry->d_name, 1, INT32_MAX, &pid) == 0 &&
		    has_socket(proc, (pid_t)pid, want))
			found = (pid_t)pid;
	}
	closedir(d);
	if (found > 0)
		read_name(proc, found, ret_name, size);
	return found;
}
