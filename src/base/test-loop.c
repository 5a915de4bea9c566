/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

static int calls;
static uint32_t last_events;
static struct loop_source *victim;

static void count(struct loop *l, struct loop_source *s, uint32_t events)
{
	calls++;
	last_events = events;
}

static void remove_victim(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct loop_source *v = s == victim ? s->data : victim;

	calls++;
	loop_remove(l, v);
}

static void stop(struct loop *l, struct loop_source *s, uint32_t events)
{
	loop_stop(l, 7);
}

static int set_up(void **state)
{
	static struct loop l;

	calls = 0;
	*state = &l;
	return loop_init(&l);
}

static int tear_down(void **state)
{
	loop_done(*state);
	return 0;
}

static void a_readable_descriptor_is_called_until_it_is_read(void **state)
{
	struct loop_source s = LOOP_SOURCE_INIT;
	int p[2];
	char c;

	assert_int_equal(fd_pipe(p), 0);
	assert_int_equal(loop_add(*state, &s, p[0], EPOLLIN, count), 0);
	assert_int_equal(loop_step(*state, 0), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(loop_step(*state, -1), 1);
	assert_int_equal(loop_step(*state, -1), 1);
	assert_int_equal(loop_change(*state, &s, 0), 0);
	assert_int_equal(loop_step(*state, 0), 0);
	assert_int_equal(loop_change(*state, &s, EPOLLIN), 0);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[1]);
	assert_int_equal(loop_step(*state, -1), 1);
	assert_true(last_events & EPOLLHUP);
	loop_remove(*state, &s);
	assert_int_equal(s.fd, -1);
	loop_remove(*state, &s);
	close(p[0]);
}

static void a_source_removed_by_another_one_is_not_called(void **state)
{
	struct loop_source a = LOOP_SOURCE_INIT, b = LOOP_SOURCE_INIT;
	int p[2], q[2];

	assert_int_equal(fd_pipe(p), 0);
	assert_int_equal(fd_pipe(q), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(write(q[1], "x", 1), 1);
	victim = &b;
	b.data = &a;
	assert_int_equal(loop_add(*state, &a, p[0], EPOLLIN, remove_victim), 0);
	assert_int_equal(loop_add(*state, &b, q[0], EPOLLIN, remove_victim), 0);
	assert_int_equal(loop_step(*state, -1), 1);
	assert_int_equal(calls, 1);
	assert_true((a.fd < 0) != (b.fd < 0));
	loop_remove(*state, &a);
	loop_remove(*state, &b);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void a_timer_fires_once_or_again_and_again(void **state)
{
	struct loop_source s = LOOP_SOURCE_INIT;

	assert_int_equal(loop_add_timer(*state, &s, count), 0);
	assert_int_equal(loop_step(*state, 0), 0);
	assert_int_equal(loop_timer_set(&s, 1000000, 0), 0);
	assert_int_equal(loop_step(*state, -1), 1);
	assert_int_equal(loop_step(*state, 3), 0);
	assert_int_equal(loop_timer_set(&s, 1, 1000000), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_step(*state, -1), 1);
	assert_int_equal(loop_timer_set(&s, 0, 5), 0);
	assert_int_equal(loop_step(*state, 3), 0);
	loop_remove(*state, &s);
	assert_int_equal(s.fd, -1);
}

static void signals_arrive_one_by_one(void **state)
{
	static const int signals[] = {SIGUSR1, SIGUSR2};
	struct loop_source s = LOOP_SOURCE_INIT;

	assert_int_equal(loop_add_signals(*state, &s, signals, 2, count), 0);
	raise(SIGUSR1);
	raise(SIGUSR2);
	assert_int_equal(loop_step(*state, -1), 2);
	assert_int_equal(last_events, SIGUSR2);
	loop_remove(*state, &s);
}

static void the_end_of_a_process_stops_the_loop(void **state)
{
	struct loop_source s = LOOP_SOURCE_INIT;
	pid_t pid = fork();
	int fd, status;

	if (pid == 0)
		_exit(3);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(fd >= 0);
	assert_int_equal(loop_add(*state, &s, fd, EPOLLIN, stop), 0);
	assert_int_equal(loop_run(*state), 7);
	assert_int_equal(process_wait_pidfd(fd, true, &status), 0);
	assert_int_equal(status, 3);
	loop_remove(*state, &s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_readable_descriptor_is_called_until_it_is_read,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_source_removed_by_another_one_is_not_called,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_timer_fires_once_or_again_and_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(signals_arrive_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_of_a_process_stops_the_loop, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
