/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/pump.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void make_pipe(int p[2])
{
	assert_int_equal(fd_pipe(p), 0);
	fd_nonblock(p[0], true);
	fd_nonblock(p[1], true);
}

static void bytes_pass_and_the_end_closes_the_target(void **state)
{
	int a[2], b[2];
	struct pump p;
	char got[8];

	make_pipe(a);
	make_pipe(b);
	pump_init_take(&p, a[0], b[1], PUMP_CLOSE_TO);
	assert_int_equal(pump_run(&p), PUMP_WAIT_READ);
	assert_int_equal(write(a[1], "hello", 5), 5);
	pump_run(&p);
	assert_int_equal(read(b[0], got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
	close(a[1]);
	assert_int_equal(pump_run(&p), PUMP_EOF);
	assert_int_equal(read(b[0], got, sizeof(got)), 0);
	pump_done(&p);
	close(b[0]);
}

static void a_full_target_is_waited_for(void **state)
{
	static char chunk[65536];
	int a[2], b[2];
	struct pump p;
	struct pollfd f;

	make_pipe(a);
	make_pipe(b);
	while (write(b[1], chunk, sizeof(chunk)) > 0)
		;
	assert_int_equal(write(a[1], "x", 1), 1);
	pump_init_take(&p, a[0], fcntl(b[1], F_DUPFD_CLOEXEC, 3), 0);
	assert_int_equal(pump_run(&p), PUMP_WAIT_WRITE);
	assert_true(pump_poll(&p, &f));
	assert_int_equal(f.events, POLLOUT);
	pump_done(&p);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

static void a_broken_target_closes_the_source_only_where_asked(void **state)
{
	for (unsigned flags = 0; flags <= PUMP_CLOSE_FROM; flags += PUMP_CLOSE_FROM) {
		int a[2], b[2];
		struct pump p;

		make_pipe(a);
		make_pipe(b);
		close(b[0]);
		assert_int_equal(write(a[1], "x", 1), 1);
		pump_init_take(&p, a[0], b[1], flags);
		pump_run(&p);
		assert_true(p.broke);
		assert_int_equal(p.state, flags ? PUMP_BROKEN : PUMP_WAIT_READ);
		pump_done(&p);
		close(a[1]);
	}
}

/* Neither side is a pipe: bytes go through the buffer. */
static void sockets_are_pumped_too(void **state)
{
	int a[2], b[2];
	struct pump p;
	char got[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	pump_init_take(&p, a[0], b[1], 0);
	assert_int_equal(write(a[1], "hello", 5), 5);
	pump_run(&p);
	assert_int_equal(read(b[0], got, sizeof(got)), 5);
	close(a[1]);
	assert_int_equal(pump_run(&p), PUMP_EOF);
	pump_done(&p);
	close(b[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_and_the_end_closes_the_target),
		cmocka_unit_test(a_full_target_is_waited_for),
		cmocka_unit_test(a_broken_target_closes_the_source_only_where_asked),
		cmocka_unit_test(sockets_are_pumped_too),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
