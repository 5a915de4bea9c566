/* SPDX-License-Identifier: Apache-2.0 */
/* What changes the calling thread or its namespaces: each case in a child; a check that fails ends
 * the child. */
#include "base/fd.h"
#include "base/process.h"
#include "kernel/caps.h"
#include "kernel/keyring.h"
#include "kernel/mount.h"
#include "kernel/netdev.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #what,             \
				strerrorname_np(errno));                                           \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void in_child(uint64_t flags, void (*fn)(void))
{
	int pidfd, status;
	pid_t pid;

	if (geteuid() != 0)
		skip(); /* needs root */
	pid = ns_fork(flags, -1, &pidfd);
	assert_true(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(process_wait_pidfd(pidfd, false, &status), 0);
	close(pidfd);
	assert_int_equal(status, 0);
}

static void all_sets(void)
{
	const uint64_t want = CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_KILL);
	const struct caps c = {.bounding = want | CAPS_BIT(CAP_NET_RAW),
			       .effective = CAPS_BIT(CAP_KILL),
			       .permitted = want,
			       .inheritable = CAPS_BIT(CAP_KILL),
			       .ambient = CAPS_BIT(CAP_KILL)};
	struct caps now;

	CHECK(caps_apply(&c) == 0);
	CHECK(caps_get(&now) == 0);
	CHECK(memcmp(&now, &c, sizeof(c)) == 0);
	CHECK(caps_set(want, want, 0) == 0); /* what is not in the way falls out of ambient too */
	CHECK(caps_get(&now) == 0);
	CHECK(now.ambient == 0 && now.effective == want && now.inheritable == 0);
	CHECK(caps_set(CAPS_ALL, CAPS_ALL, 0) == -EPERM);
	CHECK(caps_limit_bounding(0) == -EPERM);
}

static void the_five_sets_become_what_was_asked(void **state)
{
	in_child(0, all_sets);
}

static void keep_over_setuid(void)
{
	struct caps now;

	CHECK(caps_keep(true) == 0);
	CHECK(setresuid(1234, 1234, 1234) == 0);
	CHECK(caps_get(&now) == 0);
	CHECK(now.effective == 0 && (now.permitted & CAPS_BIT(CAP_CHOWN)));
	CHECK(caps_set(0, 0, 0) == 0);
	CHECK(caps_set_ambient(0) == 0);
	CHECK(caps_get(&now) == 0 && now.permitted == 0);
}

static void permitted_survives_setuid_when_kept(void **state)
{
	in_child(0, keep_over_setuid);
}

static void all_known(void)
{
	struct caps now;
	uint64_t mine;

	CHECK(caps_get(&now) == 0);
	mine = now.permitted | CAPS_BIT(63);
	CHECK(caps_set(mine, mine, mine) == 0);
	CHECK(caps_set_ambient(CAPS_ALL) == 0);
	CHECK(caps_get(&now) == 0);
	CHECK(now.ambient == now.permitted);
}

static void what_the_kernel_does_not_know_is_left_out(void **state)
{
	in_child(0, all_known);
}

static void lo(void)
{
	CHECK(netdev_is_up(1) == 0);
	CHECK(netdev_lo_up() == 0);
	CHECK(netdev_is_up(1) == 1);
	CHECK(netdev_is_up(4711) == -ENODEV);
}

static void lo_is_brought_up(void **state)
{
	in_child(CLONE_NEWNET, lo);
}

static void no_lo_without_privilege(void)
{
	CHECK(caps_set(0, 0, 0) == 0);
	CHECK(netdev_lo_up() == -EPERM);
}

static void a_refused_message_is_an_error(void **state)
{
	in_child(CLONE_NEWNET, no_lo_without_privilege);
}

static void keyring(void)
{
	int r = keyring_join("_test"), again = keyring_join("_test2");

	CHECK((r > 0 && again > 0 && r != again) || r == -ENOSYS);
}

static void a_session_keyring_is_joined(void **state)
{
	in_child(0, keyring);
}

static void pair(void)
{
	const struct mount_param params[] = {{.key = "newinstance"},
					     {.key = "ptmxmode", .value = "0666"},
					     {.key = "mode", .value = "0620"}};
	int pts = mount_fs_new("devpts", NULL, params, 3, 0), master, slave, not_pts;
	struct winsize size = {0};
	struct termios saved, now;
	struct stat st;
	char text[16];

	CHECK(pts >= 0);
	CHECK(tty_open_pair(pts, &master, &slave) == 0);
	CHECK((fcntl(master, F_GETFD) & FD_CLOEXEC) && (fcntl(slave, F_GETFD) & FD_CLOEXEC));
	CHECK(tty_number(master) == 0);
	CHECK(fstatat(pts, "0", &st, 0) == 0);
	CHECK(tty_set_size(master, 24, 80) == 0);
	CHECK(tty_get_size(slave, &size) == 0 && size.ws_row == 24 && size.ws_col == 80);
	CHECK(tty_set_size(master, 70000, 1) == -ERANGE);
	CHECK(tty_get_size(pts, &size) < 0);
	CHECK(tty_raw(slave, &saved) == 0);
	CHECK(write(slave, "a\n", 2) == 2);
	CHECK(read(master, text, sizeof(text)) == 2); /* raw: no carriage return is put before */
	CHECK(tty_restore(slave, &saved) == 0);
	CHECK(tcgetattr(slave, &now) == 0 && now.c_oflag == saved.c_oflag);
	CHECK(setsid() >= 0 || getsid(0) == getpid());
	CHECK(tty_make_controlling(slave, false) == 0);
	CHECK(tcgetsid(slave) == getpid());
	/* A directory that only looks like it: its ptmx is not even opened. */
	not_pts = mount_fs_new("tmpfs", NULL, NULL, 0, 0);
	CHECK(mkfifoat(not_pts, "ptmx", 0666) == 0);
	CHECK(tty_open_pair(not_pts, &master, &slave) == -ENODEV);
}

static void test_E06_a_terminal_comes_from_its_own_devpts(void **state)
{
	in_child(CLONE_NEWNS, pair);
}

static void processes_are_followed_by_descriptor(void **state)
{
	int pidfd, status, p[2], copy;
	pid_t pid;

	assert_int_equal(fd_pipe(p), 0);
	pid = ns_fork(0, -1, &pidfd);
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(pidfd_alive(pidfd), 1);
	assert_int_equal(pidfd_wait_end(pidfd, 1), -ETIMEDOUT);
	assert_int_equal(pidfd_kill(pidfd, 0), 0);
	copy = pidfd_take_fd(pidfd, p[0]);
	assert_true(copy >= 0);
	close(copy);
	assert_int_equal(pidfd_kill(pidfd, SIGTERM), 0);
	assert_int_equal(pidfd_wait_end(pidfd, -1), 0);
	assert_int_equal(pidfd_alive(pidfd), 0);
	assert_int_equal(process_wait_pidfd(pidfd, false, &status), 0);
	assert_int_equal(status, 128 + SIGTERM);
	assert_int_equal(pidfd_kill(pidfd, SIGKILL), -ESRCH);
	assert_int_equal(pidfd_of(-1, pid, 0), -ESRCH);
	close(pidfd);
	close(p[0]);
	close(p[1]);
}

static void join(void)
{
	_cleanup_(fd_close) int proc = proc_open(0), pidfd = -1, net = -1, after = -1;
	struct stat theirs, ours;
	pid_t pid = ns_fork(CLONE_NEWNET | CLONE_NEWUTS, -1, &pidfd);

	if (pid == 0)
		for (;;)
			pause();
	net = ns_open(proc, pid, CLONE_NEWNET);
	CHECK(net >= 0 && ns_check(net, CLONE_NEWNET) == 0);
	CHECK(ns_check(net, CLONE_NEWUTS) == -EINVAL);
	CHECK(ns_open(proc, pid, 0) == -EINVAL);
	CHECK(ns_join(net, CLONE_NEWUTS) == -EINVAL);
	CHECK(ns_join(net, CLONE_NEWNET) == 0);
	after = ns_open(proc, PROC_SELF, CLONE_NEWNET);
	CHECK(fstat(net, &theirs) == 0 && fstat(after, &ours) == 0);
	CHECK(theirs.st_ino == ours.st_ino);
	CHECK(ns_join(pidfd, CLONE_NEWUTS | CLONE_NEWNET) == 0);
	pidfd_kill(pidfd, SIGKILL);
	CHECK(process_wait_pidfd(pidfd, false, NULL) == 0);
}

static void namespaces_are_joined(void **state)
{
	in_child(0, join);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_five_sets_become_what_was_asked),
		cmocka_unit_test(permitted_survives_setuid_when_kept),
		cmocka_unit_test(what_the_kernel_does_not_know_is_left_out),
		cmocka_unit_test(lo_is_brought_up),
		cmocka_unit_test(a_refused_message_is_an_error),
		cmocka_unit_test(a_session_keyring_is_joined),
		cmocka_unit_test(test_E06_a_terminal_comes_from_its_own_devpts),
		cmocka_unit_test(processes_are_followed_by_descriptor),
		cmocka_unit_test(namespaces_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
