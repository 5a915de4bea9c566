/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-init [--] PROGRAM [ARG...]: PID 1 of a container (--init). Starts PROGRAM, hands every
 * signal on to it, reaps whatever becomes its child, and ends with PROGRAM's status. kogge starts
 * it with all signals blocked, so that none is lost before it waits for them. Bare system calls and
 * no library of ours: it is mounted into containers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_OURS = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

static int complain(const char *what, int status)
{
	fprintf(stderr, "kogge-init: %s: %s\n", what, strerror(errno));
	return status;
}

/* In the child: a process group of its own, in the foreground where there is a terminal. */
static int run(char **argv)
{
	sigset_t none;

	setpgid(0, 0);
	/* From the background the change raises SIGTTOU, which is still blocked here. */
	tcsetpgrp(STDIN_FILENO, getpid());
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	return complain(argv[0], errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Reaps everything that ended. Returns the child's exit status once it is among them, else -1. */
static int reap(pid_t child)
{
	int result = -1, status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result;
}

static int serve(pid_t child, const sigset_t *all)
{
	for (;;) {
		siginfo_t info;
		int sig = sigwaitinfo(all, &info), result;

		if (sig < 0)
			continue;
		if (sig != SIGCHLD) {
			kill(child, sig);
			continue;
		}
		result = reap(child);
		if (result >= 0)
			return result;
	}
}

int main(int argc, char **argv)
{
	static const int never[] = {SIGFPE,  SIGILL, SIGSEGV, SIGBUS, SIGABRT,
				    SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	sigset_t all;
	pid_t child;

	if (argc <= first) {
		fprintf(stderr, "usage: kogge-init [--] PROGRAM [ARG...]\n");
		return EXIT_OURS;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		sigdelset(&all, never[i]);
	child = fork();
	if (child < 0)
		return complain("fork", EXIT_OURS);
	if (child == 0)
		_exit(run(argv + first));
	return serve(child, &all);
}
