/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void reading_all_stops_at_the_maximum(void **state)
{
	_cleanup_(fd_close) int fd = fd_memfd("t", "0123456789", 10, false);
	_cleanup_(buf_done) struct buf b = BUF_INIT(100);

	assert_int_equal(fd_read_all(fd, &b, 10), 0);
	assert_string_equal(buf_str(&b), "0123456789");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	buf_clear(&b);
	assert_int_equal(fd_read_all(fd, &b, 9), -EFBIG);
	assert_int_equal(fd_read_all(-1, &b, 9), -EBADF);
}

static void a_sealed_memfd_cannot_be_changed(void **state)
{
	_cleanup_(fd_close) int fd = fd_memfd("t", "abc", 3, true);
	char text[8] = "";

	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fd_read_full(fd, text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(fd_pread_full(fd, text, 2, 1), 2);
	assert_memory_equal(text, "bc", 2);
}

static void copies_work_between_all_kinds(void **state)
{
	_cleanup_(fd_close) int in = fd_memfd("in", "0123456789", 10, false);
	_cleanup_(fd_close) int out = fd_memfd("out", "", 0, false);
	_cleanup_(fd_close) int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	uint64_t n = 0;
	int p[2];

	assert_int_equal(fd_copy(in, out, 4, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(fd_copy(in, out, UINT64_MAX, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(fd_copy(proc, out, UINT64_MAX, &n), 0);
	assert_true(n > 100); /* procfs shows size 0 */
	assert_int_equal(fd_pipe(p), 0);
	assert_int_equal(write(p[1], "pipe", 4), 4);
	close(p[1]);
	assert_int_equal(fd_copy(p[0], out, UINT64_MAX, &n), 0);
	assert_int_equal(n, 4);
	close(p[0]);
}

static void descriptors_cross_a_socket_close_on_exec(void **state)
{
	_cleanup_(fd_close) int file = fd_memfd("t", "abc", 3, false);
	int sock[2], got[2] = {7, 7}, both[2] = {file, file};
	char text[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(fd_send(sock[0], "hi", 2, &file, 1), 0);
	assert_int_equal(fd_recv(sock[1], text, sizeof(text), got, 2), 2);
	assert_true(got[0] >= 0);
	assert_int_equal(got[1], -1);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	fd_close(&got[0]);
	assert_int_equal(fd_send(sock[0], "hi", 2, both, 2), 0);
	assert_int_equal(fd_recv(sock[1], text, sizeof(text), got, 1), -EPROTO);
	assert_int_equal(got[0], -1);
	close(sock[0]);
	assert_int_equal(fd_recv(sock[1], text, sizeof(text), got, 1), 0);
	close(sock[1]);
}

static void closing_keeps_errno(void **state)
{
	int none = -1, bad = 1 << 20;

	errno = EXDEV;
	fd_close(&none);
	fd_close(&bad);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(bad, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_all_stops_at_the_maximum),
		cmocka_unit_test(a_sealed_memfd_cannot_be_changed),
		cmocka_unit_test(copies_work_between_all_kinds),
		cmocka_unit_test(descriptors_cross_a_socket_close_on_exec),
		cmocka_unit_test(closing_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
