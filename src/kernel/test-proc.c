/* SPDX-License-Identifier: Apache-2.0 */
/* What mounts something over /proc does so in a child with a mount namespace of its own; a child's
 * check that fails is its exit status: the line. */
#include "kernel/proc.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/proc-info.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* Runs FN in a child in a mount namespace of its own; its CHECKs must hold. */
static void in_own_mounts(void (*fn)(void))
{
	int pidfd, status;
	pid_t pid = ns_fork(CLONE_NEWNS, -1, &pidfd);

	assert_true(pid >= 0);
	if (pid == 0) {
		CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		fn();
		_exit(0);
	}
	assert_int_equal(process_wait_pidfd(pidfd, false, &status), 0);
	close(pidfd);
	assert_int_equal(status, 0);
}

static void a_handle_is_a_procfs_and_nothing_else(void **state)
{
	_cleanup_(fd_close) int proc = proc_open(0), root = open("/", O_PATH | O_CLOEXEC);
	_cleanup_(fd_close) int sub = open("/proc/self", O_PATH | O_CLOEXEC);

	assert_true(proc >= 0);
	assert_int_equal(proc_verify(proc), 0);
	assert_int_equal(proc_verify(root), -EXDEV);
	assert_int_equal(proc_verify(sub), -EXDEV);
	assert_int_equal(proc_open_file(proc, PROC_ROOT, "../etc/passwd", O_RDONLY), -EXDEV);
	assert_int_equal(proc_open_file(proc, PROC_SELF, "root/etc", O_PATH), -ELOOP);
	assert_int_equal(proc_open_file(proc, PROC_ROOT, "self/status", O_RDONLY), -ELOOP);
	assert_int_equal(proc_open_file(proc, 0x3fffffff, "stat", O_RDONLY), -ENOENT);
}

static void read_through(int proc)
{
	struct proc_stat st;

	CHECK(proc >= 0);
	CHECK(proc_stat(proc, PROC_SELF, &st) == 0);
	CHECK(st.parent == getppid() && st.state == 'R');
	CHECK(proc_stat(proc, getpid(), &st) == 0);
	CHECK(st.parent == getppid());
}

/* CVE-2025-52881, CVE-2019-16884: a mount over files of /proc must not catch our writes. */
static void mounts_over_proc(void)
{
	_cleanup_(fd_close) int before = proc_open(0), whole = -1, only = -1;
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d", getpid());
	CHECK(mount("tmpfs", dir, "tmpfs", 0, NULL) == 0);
	CHECK(mount("/dev/null", "/proc/sys/kernel/hostname", NULL, MS_BIND, NULL) == 0);
	CHECK(proc_write(before, PROC_SELF, "oom_score_adj", "0") == -EXDEV);
	CHECK(proc_sysctl_write(before, "kernel.hostname", "x") == -EXDEV);
	whole = proc_open(PROC_PRIVATE);
	read_through(whole);
	CHECK(proc_open_file(whole, PROC_ROOT, "sys/kernel/hostname", O_RDONLY) >= 0);
	only = proc_open(PROC_PRIVATE | PROC_PID_ONLY);
	read_through(only);
	CHECK(proc_open_file(only, PROC_ROOT, "sys/kernel/hostname", O_RDONLY) == -ENOENT);
	/* Another file system in the place of all of /proc. */
	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	fd_close(&whole);
	whole = proc_open(0);
	read_through(whole);
}

static void test_E07_mounts_over_proc_catch_no_write(void **state)
{
	if (geteuid() != 0)
		skip(); /* needs CAP_SYS_ADMIN */
	in_own_mounts(mounts_over_proc);
}

static void sysctls_have_two_spellings_and_no_dots(void **state)
{
	static const char *const bad[] = {"",
					  ".",
					  "..",
					  "kernel..hostname",
					  "/etc/passwd",
					  "../version",
					  "kernel/..",
					  "kernel/../version",
					  "kernel.",
					  "kernel/",
					  ".kernel",
					  "kernel//hostname"};
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(freep) char *a = NULL, *b = NULL;
	char *c = NULL;

	assert_int_equal(proc_sysctl_read(proc, "kernel.ostype", &a), 0);
	assert_int_equal(proc_sysctl_read(proc, "kernel/ostype", &b), 0);
	assert_string_equal(a, "Linux");
	assert_string_equal(b, "Linux");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(proc_sysctl_read(proc, bad[i], &c), -EINVAL);
		assert_int_equal(proc_sysctl_write(proc, bad[i], "1"), -EINVAL);
	}
	assert_int_equal(proc_sysctl_read(proc, "no.such.thing", &c), -ENOENT);
}

static void sysctls_in_own_net(void)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	char *text;

	CHECK(ns_unshare(CLONE_NEWNET) == 0);
	CHECK(proc_sysctl_write(proc, "net.ipv4.ip_forward", "1") == 0);
	CHECK(proc_sysctl_read(proc, "net/ipv4/ip_forward", &text) == 0 && str_eq(text, "1"));
	CHECK(proc_sysctl_write(proc, "net.ipv4.ip_forward", "x") == -EINVAL);
}

static void sysctls_are_written(void **state)
{
	if (geteuid() != 0)
		skip(); /* needs CAP_SYS_ADMIN */
	in_own_mounts(sysctls_in_own_net);
}

/* The name of a process may look like more fields of its line. */
static void a_hostile_name_does_not_shift_the_fields(void **state)
{
	_cleanup_(fd_close) int proc = proc_open(0), fd = -1;
	struct proc_stat st, plain;

	assert_int_equal(proc_stat(proc, getpid(), &plain), 0);
	prctl(PR_SET_NAME, "a) Z 1 (\n) 2", 0, 0, 0);
	assert_int_equal(proc_stat(proc, getpid(), &st), 0);
	prctl(PR_SET_NAME, "test", 0, 0, 0);
	assert_int_equal(st.parent, getppid());
	assert_int_equal(st.session, getsid(0));
	assert_true(st.start == plain.start && st.start > 0);
	fd = pidfd_of(proc, getpid(), st.start);
	assert_true(fd >= 0);
	assert_int_equal(pidfd_of(proc, getpid(), st.start + 1), -ESRCH);
}

static void descriptors_are_listed(void **state)
{
	_cleanup_(fd_close) int proc = proc_open(0), high = fcntl(0, F_DUPFD_CLOEXEC, 100);
	_cleanup_(freep) int *fds = NULL;
	bool found = false;
	size_t n;

	assert_int_equal(proc_list_fds(proc, PROC_SELF, &fds, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(fcntl(fds[i], F_GETFD) >= 0);
		assert_true(i == 0 || fds[i] > fds[i - 1]);
		found |= fds[i] == high;
	}
	assert_true(found);
}

static void odd_mounts(void)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	struct proc_mount *m;
	size_t n, found = 0;

	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir("/tmp/a b\nc\\", 0755) == 0);
	CHECK(mount("", "/tmp/a b\nc\\", "tmpfs", MS_NOSUID, "size=1m") == 0);
	CHECK(proc_read_mounts(proc, PROC_SELF, &a, &m, &n) == 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(m[i].id > 0 && m[i].target[0] == '/');
		if (!str_eq(m[i].target, "/tmp/a b\nc\\"))
			continue;
		found++;
		CHECK(str_eq(m[i].source, "") && str_eq(m[i].fstype, "tmpfs"));
		CHECK(str_after(m[i].options, "rw,nosuid"));
		CHECK(strstr(m[i].super_options, "size=1024k"));
		CHECK(str_eq(m[i].root, "/") && str_eq(m[i].propagation, ""));
	}
	CHECK(found == 1);
}

static void mounts_with_odd_names_are_read(void **state)
{
	if (geteuid() != 0)
		skip(); /* needs CAP_SYS_ADMIN */
	in_own_mounts(odd_mounts);
}

static void the_tables_of_the_kernel_are_read(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	struct proc_controller *c;
	struct proc_cgroup *g;
	size_t n;
	int r;

	assert_int_equal(proc_has_filesystem(proc, "proc"), 1);
	assert_int_equal(proc_has_filesystem(proc, "pro"), 0);
	assert_int_equal(proc_has_filesystem(proc, "nodev"), 0);
	r = proc_read_controllers(proc, &a, &c, &n);
	assert_true(r == 0 || r == -ENOENT);
	for (size_t i = 0; r == 0 && i < n; i++)
		assert_true(*c[i].name && c[i].name[0] != '#');
	assert_int_equal(proc_read_cgroup(proc, PROC_SELF, &a, &g, &n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(g[i].path[0], '/');
}

static void values_have_ranges(void **state)
{
	static const struct proc_idmap many[400];
	_cleanup_(fd_close) int proc = proc_open(0);

	assert_int_equal(proc_write_oom_score_adj(proc, PROC_SELF, 1001), -EINVAL);
	assert_int_equal(proc_write_oom_score_adj(proc, PROC_SELF, -1001), -EINVAL);
	assert_int_equal(proc_write_uid_map(proc, getpid(), many, 400), -EINVAL);
	assert_int_equal(proc_open_magic(proc, PROC_SELF, "../root", O_PATH), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handle_is_a_procfs_and_nothing_else),
		cmocka_unit_test(test_E07_mounts_over_proc_catch_no_write),
		cmocka_unit_test(sysctls_have_two_spellings_and_no_dots),
		cmocka_unit_test(sysctls_are_written),
		cmocka_unit_test(a_hostile_name_does_not_shift_the_fields),
		cmocka_unit_test(descriptors_are_listed),
		cmocka_unit_test(mounts_with_odd_names_are_read),
		cmocka_unit_test(the_tables_of_the_kernel_are_read),
		cmocka_unit_test(values_have_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
