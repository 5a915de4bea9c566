/* SPDX-License-Identifier: Apache-2.0 */
/* For tests/e2e/test_unpack.py: test-unpack-driver PROGRAM MODE DIR [MAX-BYTES MAX-INODES MAX-RATIO
 * SLACK], the layer on stdin. PROGRAM "-" unpacks in this process; a MODE of feed-overlay gives the
 * bytes by unpack_job_feed. Prints the result or the error as words and exits with 0 or 1. */
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "unpack/unpack-client.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int feed(int program, struct unpack_request *req, struct unpack_result *ret, struct err *e)
{
	_cleanup_(unpack_job_done) struct unpack_job job = UNPACK_JOB_INIT;
	static char block[100000];
	ssize_t n;

	req->input = -1;
	if (unpack_job_start(&job, program, req, e) < 0)
		return -1;
	while ((n = fd_read_full(STDIN_FILENO, block, sizeof(block))) > 0)
		if (unpack_job_feed(&job, block, (size_t)n, e) < 0)
			return -1;
	return unpack_job_finish(&job, ret, e);
}

static int work(char **argv, struct unpack_result *ret, struct err *e)
{
	_cleanup_(fd_close) int dir = path_open_host(argv[3], O_RDONLY | O_DIRECTORY, 0);
	_cleanup_(fd_close) int program = -1;
	struct unpack_request req = {.target = dir, .limits = UNPACK_LIMITS_DEFAULT};
	uint64_t v[4];

	for (size_t i = 0; i < ARRAY_SIZE(v) && argv[4]; i++)
		if (!argv[4 + i] || num_u64(argv[4 + i], 0, UINT64_MAX, &v[i]) < 0)
			return err_set(e, ERR_INVALID, 0, "bad limit");
	if (argv[4])
		req.limits = (struct unpack_limits){v[0], v[1], (uint32_t)v[2], v[3]};
	req.mode = str_eq(argv[2], "apply") ? UNPACK_APPLY : UNPACK_OVERLAY;
	if (str_eq(argv[1], "-")) {
		umask(0);
		return unpack_layer(&req, NULL, ret, e);
	}
	program = path_open_host(argv[1], O_PATH, 0);
	if (str_eq(argv[2], "feed-overlay"))
		return feed(program, &req, ret, e);
	return unpack_in_child(program, &req, ret, e);
}

int main(int argc, char **argv)
{
	struct unpack_result r = {.entries = 0};
	struct err e = ERR_INIT;
	char hex[SHA256_HEX_SIZE];

	if (argc < 4)
		return 2;
	if (work(argv, &r, &e) < 0) {
		printf("%s %d %s\n", err_class_name(e.class), e.errnum, e.msg);
		return 1;
	}
	hex_encode(r.diff_id, sizeof(r.diff_id), hex);
	printf("diff_id=%s diff_size=%llu input_size=%llu compression=%s entries=%llu bytes=%llu "
	       "xattrs_dropped=%llu opaque_root=%d confined=%u\n",
	       hex, (unsigned long long)r.diff_size, (unsigned long long)r.input_size,
	       compression_name(r.compression), (unsigned long long)r.entries,
	       (unsigned long long)r.bytes, (unsigned long long)r.xattrs_dropped, r.opaque_root,
	       r.confined);
	return 0;
}
