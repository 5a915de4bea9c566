/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody who took over kogge-remote would try. Each case runs in a child. */
#include "remote/confine.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* What FN returns in a confined child: 0 to 99; 100 where it cannot be confined. */
static int confined(int (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct err e = ERR_INIT;

		_exit(remote_confine(&e) < 0 ? 100 : fn());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool fails(long r, int wanted)
{
	return r < 0 && errno == wanted;
}

static long open_at(const char *path, int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static int attack_programs(void)
{
	char *const argv[] = {NULL};

	if (!fails(syscall(SYS_execve, "/bin/true", argv, argv), EPERM))
		return 1;
	return fails(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), EPERM) ? 0 : 2;
}

static int attack_files(void)
{
	if (!fails(open_at("/etc/shadow", O_RDONLY), EACCES))
		return 1;
	if (!fails(open_at("/var", O_RDONLY | O_DIRECTORY), EACCES))
		return 2;
	if (!fails(open_at("/tmp/kogge-remote-was-here", O_WRONLY | O_CREAT), EACCES))
		return 3;
	return open_at("/etc/hosts", O_RDONLY) >= 0 ? 0 : 4;
}

static int attack_kernel(void)
{
	if (!fails(syscall(SYS_unshare, CLONE_NEWUSER), EPERM))
		return 1;
	if (!fails(syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT))
		return 2;
	if (!fails(syscall(SYS_bpf, 0, NULL, 0), EPERM))
		return 3;
	if (!fails(syscall(SYS_kill, getppid(), 0), EPERM))
		return 4;
	return fails(syscall(SYS_ptrace, 16, getppid(), 0, 0), EPERM) ? 0 : 5;
}

static void *nothing(void *arg)
{
	return arg;
}

static int work(void)
{
	struct addrinfo *list = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	if (getaddrinfo("localhost", "443", NULL, &list) != 0)
		return 2;
	freeaddrinfo(list);
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 3;
}

static void expect(int (*fn)(void))
{
	if (SANITIZED || geteuid() != 0)
		skip();
	assert_int_equal(confined(fn), 0);
}

static void it_executes_nothing(void **state)
{
	expect(attack_programs);
}

static void it_reads_and_writes_no_files_of_others(void **state)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	expect(attack_files);
}

static void it_reaches_little_of_the_kernel(void **state)
{
	expect(attack_kernel);
}

static void it_can_do_its_work(void **state)
{
	expect(work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_executes_nothing),
		cmocka_unit_test(it_reads_and_writes_no_files_of_others),
		cmocka_unit_test(it_reaches_little_of_the_kernel),
		cmocka_unit_test(it_can_do_its_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
