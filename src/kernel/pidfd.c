/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/pidfd.h"

#include "base/fd.h"
#include "kernel/proc-info.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int pidfd_of(int proc, pid_t pid, uint64_t start)
{
	_cleanup_(fd_close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct proc_stat st;
	int r;

	if (fd < 0)
		return -errno;
	/* The pidfd came first, so a start time that fits is that of the process it names. */
	if (start) {
		r = proc_stat(proc, pid, &st);
		if (r < 0)
			return r == -ENOENT ? -ESRCH : r;
		if (st.start != start)
			return -ESRCH;
	}
	return TAKE_FD(fd);
}

int pidfd_kill(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_wait_end(int pidfd, int timeout_ms)
{
	struct pollfd f = {.fd = pidfd, .events = POLLIN};
	int r;

	do
		r = poll(&f, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

int pidfd_alive(int pidfd)
{
	int r = pidfd_wait_end(pidfd, 0);

	return r == -ETIMEDOUT ? 1 : r;
}

/* struct pidfd_info of <linux/pidfd.h>; PIDFD_INFO_EXIT is there since Linux 6.15, and tells of
 * what was reaped. */
struct info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};

#define GET_INFO  _IOWR(0xFF, 11, struct info)
#define INFO_EXIT (UINT64_C(1) << 3)

static int code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the kernel keeps of a reaped process for who has its pidfd. */
static int kept_code(int pidfd)
{
	struct info i = {.mask = INFO_EXIT};

	if (ioctl(pidfd, GET_INFO, &i) < 0 || !(i.mask & INFO_EXIT))
		return -ENODATA;
	return code_of(i.exit_code);
}

int pidfd_exit_code(int proc, int pidfd, pid_t pid)
{
	int r = kept_code(pidfd);
	struct proc_stat st;

	if (r >= 0)
		return r;
	if (pidfd_alive(pidfd) > 0)
		return -EAGAIN;
	/* Not reaped yet, so the PID is still its own; or reaped meanwhile. */
	if (proc_stat(proc, pid, &st) == 0 && st.state == 'Z')
		return code_of(st.status);
	return kept_code(pidfd);
}

int pidfd_take_fd(int pidfd, int fd)
{
	int r = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return r < 0 ? -errno : r;
}
