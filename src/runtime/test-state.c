/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/state.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void only_the_listed_transitions_are_allowed(void **state)
{
	static const struct {
		enum container_status from;
		enum container_event event;
		int to;
	} table[] = {
		{CONTAINER_NONE, CONTAINER_DO_CREATE, CONTAINER_CREATING},
		{CONTAINER_NONE, CONTAINER_DO_START, -1},
		{CONTAINER_CREATING, CONTAINER_DID_CREATE, CONTAINER_CREATED},
		{CONTAINER_CREATING, CONTAINER_DO_DELETE, -1},
		{CONTAINER_CREATED, CONTAINER_DO_START, CONTAINER_RUNNING},
		{CONTAINER_CREATED, CONTAINER_DO_DELETE, -1},
		{CONTAINER_CREATED, CONTAINER_DO_PAUSE, CONTAINER_PAUSED},
		{CONTAINER_RUNNING, CONTAINER_DO_START, -1},
		{CONTAINER_RUNNING, CONTAINER_DO_DELETE, -1},
		{CONTAINER_RUNNING, CONTAINER_DO_FORCE_DELETE, CONTAINER_NONE},
		{CONTAINER_PAUSED, CONTAINER_DO_RESUME, CONTAINER_RUNNING},
		{CONTAINER_STOPPED, CONTAINER_DO_START, -1},
		{CONTAINER_STOPPED, CONTAINER_DO_KILL, -1},
		{CONTAINER_STOPPED, CONTAINER_DO_DELETE, CONTAINER_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(container_next(table[i].from, table[i].event), table[i].to);
	assert_int_equal(container_next(CONTAINER_STATUS_N, CONTAINER_DO_START), -1);
}

static void every_status_can_be_deleted_by_force(void **state)
{
	for (int s = 0; s < CONTAINER_STATUS_N; s++) {
		assert_int_equal(
			container_next((enum container_status)s, CONTAINER_DO_FORCE_DELETE),
			CONTAINER_NONE);
		assert_int_equal(
			container_status_parse(container_status_name((enum container_status)s)), s);
	}
}

/* The test's own directory, in memory. */
static int test_dir(char name[], struct err *e)
{
	assert_non_null(mkdtemp(name));
	return path_open_host(name, O_RDONLY | O_DIRECTORY, 0);
}

static void state_reads_what_was_written(void **state)
{
	char name[] = "/tmp/kogge-state-XXXXXX";
	struct err e = ERR_INIT;
	int dir = test_dir(name, &e);
	struct oci_pair pair = {"a.b", "c\"d"};
	struct container_state s = {.id = "x1",
				    .status = CONTAINER_CREATED,
				    .pid = 42,
				    .start_time = 123456789012,
				    .boot_id = "b",
				    .bundle = "/b",
				    .cgroup_path = "kogge/x1",
				    .created = 1700000000000000000,
				    .owner = 7,
				    .annotations = {&pair, 1}};
	struct container_state r = CONTAINER_STATE_INIT;

	assert_int_equal(container_state_write(dir, &s, &e), 0);
	assert_int_equal(container_state_read(dir, &r, &e), 0);
	assert_string_equal(r.id, "x1");
	assert_int_equal(r.status, CONTAINER_CREATED);
	assert_int_equal(r.pid, 42);
	assert_int_equal(r.start_time, s.start_time);
	assert_string_equal(r.cgroup_path, "kogge/x1");
	assert_int_equal(r.created, s.created);
	assert_int_equal(r.annotations.n, 1);
	assert_string_equal(r.annotations.v[0].value, "c\"d");
	container_state_done(&r);
	close(dir);
	dir = path_open_host("/tmp", O_PATH | O_DIRECTORY, 0);
	assert_int_equal(path_remove_tree(dir, name + 5), 0);
	close(dir);
}

static void a_reused_pid_is_not_the_container(void **state)
{
	struct container_state s = {
		.id = "x", .status = CONTAINER_RUNNING, .pid = getpid(), .start_time = 1};
	struct err e = ERR_INIT;
	int pidfd = -1;

	assert_int_equal(container_state_refresh(&s, &pidfd, &e), 0);
	assert_int_equal(s.status, CONTAINER_STOPPED);
	assert_int_equal(pidfd, -1);
}

static void another_boot_is_not_the_container(void **state)
{
	struct container_state s = {.id = "x",
				    .status = CONTAINER_RUNNING,
				    .pid = getpid(),
				    .boot_id = "00000000-0000-0000-0000-000000000000"};
	struct err e = ERR_INIT;

	assert_int_equal(container_state_refresh(&s, NULL, &e), 0);
	assert_int_equal(s.status, CONTAINER_STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_listed_transitions_are_allowed),
		cmocka_unit_test(every_status_can_be_deleted_by_force),
		cmocka_unit_test(state_reads_what_was_written),
		cmocka_unit_test(a_reused_pid_is_not_the_container),
		cmocka_unit_test(another_boot_is_not_the_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
