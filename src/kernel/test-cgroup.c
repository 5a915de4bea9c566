/* SPDX-License-Identifier: Apache-2.0 */
/* Real cgroups of the machine on which the test runs, in whatever layout it has; run again in the
 * guest, which has version 2 alone. Needs root. */
#include "kernel/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
/* Last: it wants the four headers before it. */
#include <cmocka.h>

static struct cgroup_host host;
static char path[64];

static int setup(void **state)
{
	static unsigned n;

	snprintf(path, sizeof(path), "kogge-test/%d-%u", getpid(), n++);
	return 0;
}

static int teardown(void **state)
{
	return cgroup_destroy(&host, path, 5000) == 0 ? 0 : -1;
}

static void need_cgroups(uint32_t controllers)
{
	if (geteuid() != 0 || host.mode == CGROUP_NONE) {
		print_message("[   SKIP   ] needs root and cgroups\n");
		skip();
	}
	if ((cgroup_host_controllers(&host) & controllers) != controllers) {
		print_message("[   SKIP   ] the machine lacks a controller of %#x\n", controllers);
		skip();
	}
}

static struct cgroup make(uint32_t need, const struct cgroup_limits *limits)
{
	struct cgroup_limits l = limits ? *limits : (struct cgroup_limits){0};
	struct cgroup_fault fault;
	struct cgroup cg = CGROUP_INIT;
	int r;

	l.need = need;
	r = cgroup_create(&host, path, &l, &cg, &fault);

	if (r < 0)
		fail_msg("%s: controller '%s' file '%s' value '%s'", strerror(-r), fault.controller,
			 fault.file, fault.value);
	return cg;
}

/* Runs BODY in a child; returns its pid when the child has joined CG. */
static pid_t spawn(const struct cgroup *cg, int (*body)(void))
{
	int fds[CGROUP_HIERARCHIES_MAX];
	int n = cgroup_join_fds(cg, true, fds);
	int ready[2];
	char byte;
	pid_t pid;

	assert_true(n > 0);
	assert_int_equal(fd_pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < n; i++)
			if (write(fds[i], "0", 1) != 1)
				_exit(120);
		fd_close(&ready[1]);
		_exit(body());
	}
	while (n > 0)
		fd_close(&fds[--n]);
	fd_close(&ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	fd_close(&ready[0]);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int run(const struct cgroup *cg, int (*body)(void))
{
	return wait_for(spawn(cg, body));
}

static int forever(void)
{
	for (;;)
		pause();
	return 0;
}

static int fork_three(void)
{
	int made = 0;

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0)
			forever();
		made += pid > 0;
	}
	kill(0, 0);
	return made;
}

static int use_64_mib(void)
{
	size_t n = 64 << 20;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 1, n);
	return p[n - 1] == 1 ? 0 : 2;
}

static int burn_300_ms(void)
{
	int64_t end = clock_monotonic() + 300000000;

	while (clock_monotonic() < end)
		;
	return 0;
}

/* Bits: 1 null opens, 2 zero is refused, 4 mknod of a listed node works. */
static int try_devices(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	return (null >= 0 ? 1 : 0) | (zero < 0 && errno == EPERM ? 2 : 0);
}

static bool in_list(pid_t pid, const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void the_layout_is_known(void **state)
{
	print_message("layout %s, controllers %#x\n", cgroup_mode_name(host.mode),
		      cgroup_host_controllers(&host));
	if (host.mode == CGROUP_V2)
		assert_int_equal(host.n, 1);
	if (host.mode != CGROUP_NONE)
		assert_true(host.n > 0);
}

static void paths_that_climb_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", "..", "a/../b", "a//b", "a/", "./a"};
	const struct cgroup_limits limits = {0};
	struct cgroup cg = CGROUP_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cgroup_create(&host, bad[i], &limits, &cg, NULL), -EINVAL);
		assert_int_equal(cgroup_destroy(&host, bad[i], 0), -EINVAL);
	}
}

static void a_process_joins_and_is_listed(void **state)
{
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	pid_t *pids = NULL;
	size_t n = 0;
	pid_t pid;

	need_cgroups(0);
	cg = make(CGROUP_NEED_ALL, NULL);
	pid = spawn(&cg, forever);
	assert_int_equal(cgroup_pids(&cg, &pids, &n), 0);
	assert_true(in_list(pid, pids, n));
	free(pids);
	assert_int_equal(cgroup_kill(&cg), 0);
	assert_int_equal(WTERMSIG(wait_for(pid)), SIGKILL);
}

static void destroy_kills_what_runs_and_leaves_nothing(void **state)
{
	struct cgroup cg;
	pid_t pid;

	need_cgroups(0);
	cg = make(CGROUP_NEED_ALL, NULL);
	pid = spawn(&cg, forever);
	for (size_t i = 0; i < host.n; i++)
		if (cgroup_has(&cg, i)) /* a nest as the container might make */
			assert_true(mkdirat(cg.dir[i], "a", 0755) == 0 &&
				    mkdirat(cg.dir[i], "a/b", 0755) == 0 &&
				    mkdirat(cg.dir[i], "a/c", 0755) == 0);
	cgroup_done(&cg);
	assert_int_equal(cgroup_destroy(&host, path, 5000), 0);
	assert_int_equal(WTERMSIG(wait_for(pid)), SIGKILL);
	assert_int_equal(cgroup_open(&host, path, &cg), -ENOENT);
	assert_int_equal(cgroup_destroy(&host, path, 0), 0);
}

static void a_leftover_is_made_anew_and_a_used_one_refused(void **state)
{
	const struct cgroup_limits limits = {.pids = 7};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	struct cgroup_stats stats;
	struct cgroup again = CGROUP_INIT;
	pid_t pid;

	need_cgroups(CGROUP_PIDS);
	cg = make(0, &limits);
	cgroup_done(&cg);
	cg = make(CGROUP_PIDS, NULL);
	assert_int_equal(cgroup_stats(&cg, &stats), 0);
	assert_true(stats.pids_limit == UINT64_MAX);
	pid = spawn(&cg, forever);
	assert_int_equal(cgroup_create(&host, path, &limits, &again, NULL), -EEXIST);
	assert_int_equal(kill(pid, 0), 0);
	cgroup_kill(&cg);
	wait_for(pid);
}

static void pids_are_limited_test_X01(void **state)
{
	const struct cgroup_limits limits = {.pids = 2};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;

	need_cgroups(CGROUP_PIDS);
	cg = make(0, &limits);
	assert_int_equal(WEXITSTATUS(run(&cg, fork_three)), 1);
}

static void memory_is_limited_and_the_kill_counted_test_X02(void **state)
{
	const struct cgroup_limits limits = {.memory = 16 << 20, .memory_swap = 16 << 20};
	const struct cgroup_limits more = {.memory = 128 << 20, .memory_swap = 128 << 20};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	struct cgroup_stats stats;
	int status;

	need_cgroups(CGROUP_MEMORY);
	cg = make(0, &limits);
	status = run(&cg, use_64_mib);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_stats(&cg, &stats), 0);
	assert_true(stats.oom_kills >= 1 && stats.oom_kills != UINT64_MAX);
	assert_true(stats.memory_limit == 16 << 20);
	/* Growing and shrinking both pass the kernel's order of the two limits. */
	assert_int_equal(cgroup_set(&cg, &more, NULL), 0);
	assert_int_equal(run(&cg, use_64_mib), 0);
	assert_int_equal(cgroup_set(&cg, &limits, NULL), 0);
}

static void cpu_time_is_limited_test_X12(void **state)
{
	const struct cgroup_limits limits = {
		.cpu_quota = 20000, .cpu_period = 100000, .cpu_shares = 512};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	struct cgroup_stats stats;

	need_cgroups(CGROUP_CPU | CGROUP_CPUACCT);
	cg = make(CGROUP_CPUACCT, &limits);
	assert_int_equal(run(&cg, burn_300_ms), 0);
	assert_int_equal(cgroup_stats(&cg, &stats), 0);
	/* 20 ms in each of at most 5 periods, and what runs over until the tick. */
	assert_in_range(stats.cpu_usage_ns, 1, 180000000);
	/* On a busy machine it may not get as far as its limit at once. */
	for (int i = 0; i < 50 && stats.cpu_throttled_ns == 0; i++) {
		assert_int_equal(run(&cg, burn_300_ms), 0);
		assert_int_equal(cgroup_stats(&cg, &stats), 0);
	}
	assert_true(stats.cpu_throttled_ns > 0);
}

static void cpus_are_chosen(void **state)
{
	const struct cgroup_limits limits = {.cpuset_cpus = "0"};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;

	need_cgroups(CGROUP_CPUSET);
	cg = make(0, &limits);
	assert_int_equal(run(&cg, fork_three) & 0x7f, 0);
}

static void devices_not_listed_are_refused_test_E24(void **state)
{
	const struct cgroup_device rules[] = {{false, 'a', -1, -1, 7},
					      {true, 'c', 1, 3, CGROUP_READ | CGROUP_WRITE}};
	const struct cgroup_limits limits = {.devices = rules, .n_devices = ARRAY_SIZE(rules)};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;

	need_cgroups(CGROUP_DEVICES);
	cg = make(0, &limits);
	assert_int_equal(WEXITSTATUS(run(&cg, try_devices)), 3);
	/* Again: an update leaves it as it was. */
	assert_int_equal(cgroup_set(&cg, &limits, NULL), 0);
	assert_int_equal(WEXITSTATUS(run(&cg, try_devices)), 3);
}

static void the_last_rule_for_a_device_counts_test_E24(void **state)
{
	const uint8_t rw = CGROUP_READ | CGROUP_WRITE;
	/* The second of null says what stands already; the second of zero does not. */
	const struct cgroup_device rules[] = {{false, 'a', -1, -1, 7}, {true, 'c', 1, 3, rw},
					      {true, 'c', 1, 5, rw},   {false, 'c', 1, 5, rw},
					      {true, 'c', 1, 3, rw},   {true, 'c', 1, 5, rw}};
	struct cgroup_limits limits = {.devices = rules, .n_devices = ARRAY_SIZE(rules)};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;

	need_cgroups(CGROUP_DEVICES);
	cg = make(0, &limits);
	assert_int_equal(WEXITSTATUS(run(&cg, try_devices)), 1);
	limits.n_devices--;
	assert_int_equal(cgroup_set(&cg, &limits, NULL), 0);
	assert_int_equal(WEXITSTATUS(run(&cg, try_devices)), 3);
}

static void frozen_processes_stand_still_and_can_be_killed_test_X14(void **state)
{
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	pid_t pid;

	need_cgroups(CGROUP_FREEZER);
	cg = make(0, NULL);
	pid = spawn(&cg, forever);
	assert_int_equal(cgroup_freeze(&cg, true, 2000), 0);
	assert_int_equal(cgroup_freeze(&cg, false, 2000), 0);
	assert_int_equal(cgroup_freeze(&cg, true, 2000), 0);
	assert_int_equal(cgroup_kill(&cg), 0);
	assert_int_equal(WTERMSIG(wait_for(pid)), SIGKILL);
}

static void a_missing_controller_is_named(void **state)
{
	struct cgroup_host none = CGROUP_HOST_INIT;
	const struct cgroup_limits limits = {.memory = 1 << 30};
	struct cgroup_fault fault;
	struct cgroup cg = CGROUP_INIT;

	none.n = 0;
	none.ops = host.ops;
	assert_int_equal(cgroup_create(&none, path, &limits, &cg, &fault), -ENODEV);
	assert_string_equal(fault.controller, "memory");
}

static void what_a_controller_cannot_do_is_named(void **state)
{
	const struct cgroup_unified key = {"memory.no_such_file", "1"};
	const struct cgroup_limits limits = {.unified = &key, .n_unified = 1};
	struct cgroup_fault fault;
	struct cgroup cg = CGROUP_INIT;

	need_cgroups(CGROUP_UNIFIED);
	assert_int_equal(cgroup_create(&host, path, &limits, &cg, &fault), -EOPNOTSUPP);
	assert_string_equal(fault.controller, "unified");
	assert_string_equal(fault.file, "memory.no_such_file");
	assert_string_equal(fault.value, "1");
	assert_int_equal(cgroup_open(&host, path, &cg), -ENOENT);
}

static void an_update_brings_new_hierarchies_to_those_who_run(void **state)
{
	const struct cgroup_limits limits = {.memory = 64 << 20, .pids = 10};
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	struct cgroup_stats stats;
	pid_t pid;

	need_cgroups(CGROUP_MEMORY | CGROUP_PIDS);
	cg = make(0, NULL);
	pid = spawn(&cg, forever);
	assert_int_equal(cgroup_set(&cg, &limits, NULL), 0);
	assert_int_equal(cgroup_stats(&cg, &stats), 0);
	assert_int_equal(stats.pids, 1);
	assert_int_equal(stats.memory_limit, 64 << 20);
	cgroup_kill(&cg);
	wait_for(pid);
}

static void whether_it_is_version_2_is_known_before_all_is_found(void **state)
{
	assert_int_equal(cgroup_host_is_v2(), host.mode == CGROUP_V2);
}

static int open_host(void **state)
{
	host = CGROUP_HOST_INIT;
	return cgroup_host_open(&host);
}

static int close_host(void **state)
{
	for (size_t i = 0; i < host.n && geteuid() == 0; i++)
		cgroup_destroy(&host, "kogge-test", 0);
	cgroup_host_done(&host);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_layout_is_known),
		CASE(whether_it_is_version_2_is_known_before_all_is_found),
		CASE(paths_that_climb_are_refused),
		CASE(a_process_joins_and_is_listed),
		CASE(destroy_kills_what_runs_and_leaves_nothing),
		CASE(a_leftover_is_made_anew_and_a_used_one_refused),
		CASE(pids_are_limited_test_X01),
		CASE(memory_is_limited_and_the_kill_counted_test_X02),
		CASE(cpu_time_is_limited_test_X12),
		CASE(cpus_are_chosen),
		CASE(devices_not_listed_are_refused_test_E24),
		CASE(the_last_rule_for_a_device_counts_test_E24),
		CASE(frozen_processes_stand_still_and_can_be_killed_test_X14),
		CASE(a_missing_controller_is_named),
		CASE(what_a_controller_cannot_do_is_named),
		CASE(an_update_brings_new_hierarchies_to_those_who_run),
	};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
