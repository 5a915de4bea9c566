/* SPDX-License-Identifier: Apache-2.0 */
/* Processes by descriptor: no pid is ever signalled that may have been given to somebody else.
 * Functions return 0, a descriptor, or a negative errno. */
#ifndef KOGGE_KERNEL_PIDFD_H
#define KOGGE_KERNEL_PIDFD_H

#include "base/macro.h"

#include <sys/types.h>

/* Opens the process PID (close-on-exec). Where START is not 0 it must be the start time of that
 * process (proc_stat through the handle PROC), else -ESRCH: the pid was given to another. */
int pidfd_of(int proc, pid_t pid, uint64_t start);

/* Sends a signal; 0 tests. -ESRCH where the process has been reaped or is a zombie's shadow. */
int pidfd_kill(int pidfd, int sig);

/* Waits until the process (child or not) has ended: 0, or -ETIMEDOUT after TIMEOUT_MS (-1: for
 * ever). Does not reap; process_wait_pidfd (base/process.h) does that for children. */
int pidfd_wait_end(int pidfd, int timeout_ms);

/* 1 where the process still runs, 0 where it has ended. */
int pidfd_alive(int pidfd);

/* How the process PID of PIDFD, no child of the caller, has ended: 0 to 255, or 128 + signal. PROC
 * is the handle of /proc. -ENODATA where nobody knows any more: it was reaped already, before Linux
 * 6.15; -EAGAIN where it has not ended. */
int pidfd_exit_code(int proc, int pidfd, pid_t pid);

/* Duplicates descriptor FD of the process into ours. */
int pidfd_take_fd(int pidfd, int fd);

#endif
