/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program and writes to descriptor 3: nanoseconds from its start to its end, the largest
 * resident set of it and its children in KiB, and its exit status. A program of its own because a
 * child's peak counts what its parent had when it forked, and an interpreter has a lot.
 *
 *     timed PROGRAM [ARGUMENT]... 3>RESULT */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	long long began;
	int status;
	pid_t pid;

	if (argc < 2)
		return 2;
	fcntl(3, F_SETFD, FD_CLOEXEC);
	began = now();
	if (posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ) != 0)
		return 127;
	if (wait4(pid, &status, 0, &usage) < 0)
		return 125;
	dprintf(3, "%lld %ld %d\n", now() - began, usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
