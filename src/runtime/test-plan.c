/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void build(struct plan *p)
{
	const char *const args[] = {"/bin/sh", "-c", "", NULL};
	struct buf packed = BUF_INIT(1024);

	plan_add(p, (struct plan_step){.op = PLAN_SESSION});
	plan_add(p, (struct plan_step){.op = PLAN_MOUNT_FS,
				       .flags = PLAN_MOUNT_REAL_DIR,
				       .num = {1, UINT64_MAX},
				       .str = {plan_str("/proc"), plan_str("proc"), plan_str(NULL),
					       plan_str("")}});
	plan_add(p, (struct plan_step){.op = PLAN_DUP, .num = {3}, .fd = {plan_fd(p, 0, false)}});
	assert_int_equal(plan_pack(args, &packed), 0);
	plan_add(p, (struct plan_step){.op = PLAN_EXEC,
				       .str = {{packed.data, (uint32_t)packed.len}, plan_str("")}});
	buf_done(&packed);
	assert_int_equal(plan_end(p), 0);
}

static void plan_reads_what_was_built(void **state)
{
	struct plan p = PLAN_INIT;
	struct plan_cursor c;
	struct plan_step s;
	const char *v[8];

	build(&p);
	assert_int_equal(plan_check(p.bytes.data, p.bytes.len, p.n_fds), 0);
	assert_int_equal(plan_open(p.bytes.data, p.bytes.len, &c), 0);
	assert_int_equal(plan_next(&c, &s), 1);
	assert_int_equal(s.op, PLAN_SESSION);
	assert_int_equal(plan_next(&c, &s), 1);
	assert_int_equal(s.op, PLAN_MOUNT_FS);
	assert_int_equal(s.flags, PLAN_MOUNT_REAL_DIR);
	assert_int_equal(s.num[1], UINT64_MAX);
	assert_string_equal(s.str[0].data, "/proc");
	assert_int_equal(s.str[2].len, 0);
	assert_int_equal(plan_next(&c, &s), 1);
	assert_int_equal(s.fd[0], 0);
	assert_int_equal(plan_next(&c, &s), 1);
	assert_int_equal(plan_unpack(s.str[0], v, 8), 3);
	assert_string_equal(v[1], "-c");
	assert_string_equal(v[2], "");
	assert_null(v[3]);
	assert_int_equal(plan_unpack(s.str[0], v, 3), -E2BIG);
	assert_int_equal(plan_next(&c, &s), 0);
	plan_done(&p);
}

static void check_refuses_every_truncation(void **state)
{
	struct plan p = PLAN_INIT;

	build(&p);
	for (size_t n = 0; n < p.bytes.len; n++)
		assert_int_equal(plan_check(p.bytes.data, n, 1), -EBADMSG);
	assert_int_equal(plan_check(p.bytes.data, p.bytes.len, 0), -EBADMSG);
	plan_done(&p);
}

/* No change of one byte may make the reader leave the buffer (run under ASan too). */
static void check_survives_every_changed_byte(void **state)
{
	static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct plan p = PLAN_INIT;
	char *copy;

	build(&p);
	copy = malloc(p.bytes.len);
	for (size_t i = 0; i < p.bytes.len; i++)
		for (size_t k = 0; k < sizeof(values); k++) {
			struct plan_cursor c;
			struct plan_step s;

			memcpy(copy, p.bytes.data, p.bytes.len);
			copy[i] = (char)values[k];
			if (plan_check(copy, p.bytes.len, 1) < 0)
				continue;
			assert_int_equal(plan_open(copy, p.bytes.len, &c), 0);
			while (plan_next(&c, &s) > 0)
				assert_non_null(plan_op_info(s.op));
		}
	free(copy);
	plan_done(&p);
}

static void plan_refuses_what_is_too_big(void **state)
{
	struct plan p = PLAN_INIT;
	struct plan_blob big = {.data = "", .len = UINT32_MAX};

	plan_add(&p, (struct plan_step){.op = PLAN_SECCOMP, .str = {big}});
	plan_add(&p, (struct plan_step){.op = PLAN_SESSION});
	assert_int_equal(plan_end(&p), -E2BIG);
	plan_done(&p);
	plan_add(&p, (struct plan_step){.op = PLAN_OP_N});
	assert_int_equal(plan_end(&p), -EINVAL);
	plan_done(&p);
}

static void every_operation_has_a_name_and_prints(void **state)
{
	struct buf out = BUF_INIT(4096);

	for (unsigned op = PLAN_SETNS; op < PLAN_OP_N; op++)
		assert_non_null(plan_op_info(op));
	assert_null(plan_op_info(0));
	assert_null(plan_op_info(PLAN_OP_N));
	assert_int_equal(
		plan_print(
			&(struct plan_step){.op = PLAN_MASK, .n_str = 1, .str = {{"/proc\n", 6}}},
			&out),
		0);
	assert_string_equal(out.data, "mask path=/proc?");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_reads_what_was_built),
		cmocka_unit_test(check_refuses_every_truncation),
		cmocka_unit_test(check_survives_every_changed_byte),
		cmocka_unit_test(plan_refuses_what_is_too_big),
		cmocka_unit_test(every_operation_has_a_name_and_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
