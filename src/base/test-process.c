/* SPDX-License-Identifier: Apache-2.0 */
/* The program that is started is this test itself: with an argument it does as it is told. */
#include "base/process.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Writes which descriptors are open, and more of what a child must not inherit. */
static int report(void)
{
	sigset_t mask;
	int sig = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(1, "%d ", fd);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i <= 64; i++) {
		struct sigaction sa;

		sig += sigismember(&mask, i) == 1;
		/* Sanitizers catch these in every program. */
		if (i != SIGSEGV && i != SIGBUS && i != SIGFPE)
			sig += sigaction(i, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL;
	}
	dprintf(1, "signals %d env %s", sig, environ[0] ? environ[0] : "none");
	return 0;
}

static int child(const char *what)
{
	int sig = 0;

	if (str_eq(what, "report"))
		return report();
	if (str_eq(what, "die"))
		raise(SIGTERM);
	if (str_eq(what, "wait"))
		for (;;)
			pause();
	if (str_eq(what, "session"))
		return getsid(0) == getpid() ? 0 : 1;
	if (str_eq(what, "pid"))
		return getpid() == 1 ? 42 : 1;
	if (str_eq(what, "pdeathsig"))
		return prctl(PR_GET_PDEATHSIG, &sig) == 0 ? sig : 0;
	if (str_eq(what, "cap"))
		return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0) == 1 ? 5 : 6;
	return 9;
}

static int self(void)
{
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int run(struct process_spawn *s, const char *what)
{
	const char *const argv[] = {"test", what, NULL};
	_cleanup_(process_done) struct process p = PROCESS_INIT;
	_cleanup_(fd_close) int exe = self();
	int r, status = -1;

	s->exe = exe;
	s->argv = argv;
	r = process_spawn(s, &p);
	if (r < 0)
		return r;
	assert_int_equal(process_wait(&p, &status), 0);
	return status;
}

static void read_report(struct process_spawn *s, const int *map, size_t n, int p[2], char out[256])
{
	ssize_t got;

	s->fds = map;
	s->n_fds = n;
	assert_int_equal(run(s, "report"), 0);
	close(p[1]);
	got = fd_read_full(p[0], out, 255);
	assert_true(got >= 0);
	out[got] = '\0';
	close(p[0]);
}

static void ignore_signal(int sig)
{
}

static void only_the_named_descriptors_arrive(void **state)
{
	static const char *const env[] = {"A=b", NULL};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	char text[256];
	int p[2], extra = open("/dev/null", O_RDONLY); /* inherited, not close-on-exec */

	assert_true(extra >= 0);
	assert_int_equal(fd_pipe(p), 0);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, ignore_signal);
	s.env = env;
	read_report(&s, (int[]){-1, p[1], -1, -1, p[1]}, 5, p, text);
	assert_string_equal(text, "0 1 2 4 signals 0 env A=b");
	assert_int_equal(fd_pipe(p), 0);
	s.env = NULL;
	read_report(&s, (int[]){-1, p[1]}, 2, p, text);
	assert_string_equal(text, "0 1 2 signals 0 env none");
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	close(extra);
}

/* The map exchanges two descriptors that are both targets. */
static void descriptors_may_change_places(void **state)
{
	struct process_spawn s = PROCESS_SPAWN_INIT;
	_cleanup_(fd_close) int three = -1, one = -1;
	char text[256];
	int p[2], saved = fcntl(1, F_DUPFD_CLOEXEC, 10);

	assert_int_equal(fd_pipe(p), 0);
	/* 1 is ours, 3 the pipe: 1 in the child is 3 here and the other way round. */
	three = p[1];
	one = saved;
	read_report(&s, (int[]){0, three, 2, one}, 4, p, text);
	three = -1; /* read_report closed it */
	assert_string_equal(text, "0 1 2 3 signals 0 env none");
}

static void status_tells_exit_and_death(void **state)
{
	struct process_spawn s = PROCESS_SPAWN_INIT;

	assert_int_equal(run(&s, "nothing"), 9);
	assert_int_equal(run(&s, "die"), 128 + SIGTERM);
	s.flags = PROCESS_NEW_SESSION;
	assert_int_equal(run(&s, "session"), 0);
	s.flags = 0;
	assert_int_equal(run(&s, "session"), 1);
	s.pdeathsig = SIGINT;
	assert_int_equal(run(&s, "pdeathsig"), SIGINT);
}

static void a_program_that_cannot_run_is_an_error_and_leaves_no_child(void **state)
{
	const char *const argv[] = {"x", NULL};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p = PROCESS_INIT;
	_cleanup_(fd_close) int dir = open("/", O_PATH | O_CLOEXEC);
	_cleanup_(fd_close) int text = fd_memfd("text", "hello", 5, false);

	s.argv = argv;
	s.exe = dir;
	assert_int_equal(process_spawn(&s, &p), -EACCES);
	s.exe = text;
	assert_int_equal(process_spawn(&s, &p), -ENOEXEC);
	s.exe = 999;
	assert_int_equal(process_spawn(&s, &p), -EBADF);
	assert_int_equal(p.pidfd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void a_caller_that_goes_on_keeps_its_errno_and_hears_of_the_failure(void **state)
{
	const char *const argv[] = {"x", NULL};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	_cleanup_(fd_close) int text = fd_memfd("text", "hello", 5, false);

	s.argv = argv;
	s.exe = text;
	for (int i = 0; i < 50; i++) {
		struct process p = PROCESS_INIT;
		struct process_begun *begun = NULL;

		assert_int_equal(process_spawn_begin(&s, &p, &begun), 0);
		/* The child's execve fails meanwhile, with another error than this one */
		for (int k = 0; k < 200; k++) {
			assert_int_equal(close(-1), -1);
			assert_int_equal(errno, EBADF);
		}
		assert_int_equal(process_spawn_end(begun, &p), -ENOEXEC);
		assert_int_equal(p.pidfd, -1);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_caller_that_goes_on_gets_a_program_that_runs(void **state)
{
	const char *const argv[] = {"test", "wait", NULL};
	_cleanup_(fd_close) int exe = self();
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p = PROCESS_INIT;
	struct process_begun *begun = NULL;

	s.exe = exe;
	s.argv = argv;
	assert_int_equal(process_spawn_begin(&s, &p, &begun), 0);
	assert_int_equal(process_spawn_end(begun, &p), 0);
	assert_int_equal(process_wait_pidfd(p.pidfd, true, NULL), -EAGAIN);
	process_kill(&p);
}

static void a_child_is_killed_and_reaped(void **state)
{
	const char *const argv[] = {"test", "wait", NULL};
	_cleanup_(fd_close) int exe = self();
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p = PROCESS_INIT;
	int status;

	s.exe = exe;
	s.argv = argv;
	assert_int_equal(process_spawn(&s, &p), 0);
	assert_int_equal(process_wait_pidfd(p.pidfd, true, &status), -EAGAIN);
	process_kill(&p);
	assert_int_equal(p.pidfd, -1);
	process_kill(&p);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void namespaces_come_with_the_child(void **state)
{
	struct process_spawn s = PROCESS_SPAWN_INIT;

	if (geteuid() != 0)
		skip(); /* needs CAP_SYS_ADMIN */
	s.clone_flags = CLONE_NEWPID | CLONE_NEWNS;
	assert_int_equal(run(&s, "pid"), 42);
	/* In a user namespace without maps execve drops everything but the ambient set. */
	s.clone_flags = CLONE_NEWUSER;
	assert_int_equal(run(&s, "cap"), 6);
	s.flags = PROCESS_KEEP_CAPS;
	assert_int_equal(run(&s, "cap"), 5);
}

static void programs_are_found_beside_our_own(void **state)
{
	_cleanup_(fd_close) int fd = program_open("test-base-process");
	struct stat a, b;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(stat("/proc/self/exe", &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(program_open("no-such-program"), -ENOENT);
	assert_int_equal(program_open("../base/test-base-process"), -EINVAL);
	assert_int_equal(program_open(""), -EINVAL);
	assert_int_equal(program_open(".."), -EINVAL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_named_descriptors_arrive),
		cmocka_unit_test(descriptors_may_change_places),
		cmocka_unit_test(status_tells_exit_and_death),
		cmocka_unit_test(a_program_that_cannot_run_is_an_error_and_leaves_no_child),
		cmocka_unit_test(a_caller_that_goes_on_keeps_its_errno_and_hears_of_the_failure),
		cmocka_unit_test(a_caller_that_goes_on_gets_a_program_that_runs),
		cmocka_unit_test(a_child_is_killed_and_reaped),
		cmocka_unit_test(namespaces_come_with_the_child),
		cmocka_unit_test(programs_are_found_beside_our_own),
	};

	if (argc > 1)
		return child(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
