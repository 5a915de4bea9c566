/* SPDX-License-Identifier: Apache-2.0 */
/* The device program, run by an interpreter of the few instructions that it uses, and loaded into
 * the kernel, whose verifier reads it more sternly than we do. */
#include "kernel/cgroup-devices.h"

#include "base/fd.h"
#include "kernel/bpf-internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Last: it wants the four headers before it. */
#include <cmocka.h>

#define R CGROUP_READ
#define W CGROUP_WRITE
#define M CGROUP_MKNOD

/* One step; returns whether the program has ended. */
static bool step(const struct bpf_insn **pc, uint64_t r[11], const struct bpf_cgroup_dev_ctx *ctx)
{
	const struct bpf_insn *i = (*pc)++;
	uint64_t *dst = &r[i->dst_reg];
	uint64_t imm = (uint64_t)(int64_t)i->imm;
	uint32_t word;

	switch (i->code) {
	case BPF_LDX | BPF_MEM | BPF_W:
		assert_int_equal(i->src_reg, BPF_REG_1);
		memcpy(&word, (const char *)ctx + i->off, sizeof(word));
		*dst = word;
		break;
	case BPF_ALU64 | BPF_MOV | BPF_X:
		*dst = r[i->src_reg];
		break;
	case BPF_ALU64 | BPF_MOV | BPF_K:
		*dst = imm;
		break;
	case BPF_ALU64 | BPF_RSH | BPF_K:
		*dst >>= imm;
		break;
	case BPF_ALU64 | BPF_AND | BPF_K:
		*dst &= imm;
		break;
	case BPF_JMP | BPF_JNE | BPF_K:
		*pc += *dst != imm ? i->off : 0;
		break;
	case BPF_JMP | BPF_JEQ | BPF_K:
		*pc += *dst == imm ? i->off : 0;
		break;
	case BPF_JMP | BPF_JSET | BPF_K:
		*pc += *dst & imm ? i->off : 0;
		break;
	case BPF_JMP | BPF_EXIT:
		return true;
	default:
		fail_msg("instruction %#x", i->code);
	}
	return false;
}

/* An access, as it is asked. */
struct ask {
	char type;
	uint32_t major, minor;
	unsigned access;
};

static bool answer(const struct cgroup_device *rules, size_t n, struct ask a)
{
	struct bpf_cgroup_dev_ctx ctx = {.major = a.major, .minor = a.minor};
	struct bpf_insn *program = NULL;
	int count = cgroup_device_program(rules, n, &program);
	uint64_t r[11] = {0};
	const struct bpf_insn *pc = program;
	unsigned bits = (a.access & M ? BPF_DEVCG_ACC_MKNOD : 0) |
			(a.access & R ? BPF_DEVCG_ACC_READ : 0) |
			(a.access & W ? BPF_DEVCG_ACC_WRITE : 0);

	assert_true(count > 0);
	ctx.access_type = bits << 16 | (a.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	while (!step(&pc, r, &ctx))
		assert_true(pc < program + count);
	free(program);
	return r[0];
}

static const struct cgroup_device docker[] = {
	{false, 'a', -1, -1, R | W | M}, {true, 'c', -1, -1, M},           {true, 'b', -1, -1, M},
	{true, 'c', 1, 3, R | W | M},    {true, 'c', 1, 5, R | W | M},     {true, 'c', 5, 2, R | W},
	{true, 'c', 136, -1, R | W | M}, {false, 'c', 10, 229, R | W | M},
};
#define DOCKER docker, ARRAY_SIZE(docker)

static void no_rule_allows_nothing(void **state)
{
	assert_false(answer(NULL, 0, (struct ask){'c', 1, 3, R}));
}

static void what_is_listed_is_allowed_and_nothing_else_test_E24(void **state)
{
	assert_true(answer(DOCKER, (struct ask){'c', 1, 3, R | W}));
	assert_true(answer(DOCKER, (struct ask){'c', 136, 77, R | W}));
	assert_true(answer(DOCKER, (struct ask){'b', 8, 0, M}));
	assert_false(answer(DOCKER, (struct ask){'b', 8, 0, R}));
	assert_false(answer(DOCKER, (struct ask){'b', 1, 3, R}));
	assert_false(answer(DOCKER, (struct ask){'c', 1, 1, R}));
	assert_false(answer(DOCKER, (struct ask){'c', 5, 2, R | W | M}));
}

static void a_later_denial_wins_over_a_wider_permission(void **state)
{
	assert_false(answer(DOCKER, (struct ask){'c', 10, 229, M}));
	assert_true(answer(DOCKER, (struct ask){'c', 10, 228, M}));
}

static void a_denial_of_one_access_denies_what_includes_it(void **state)
{
	const struct cgroup_device rules[] = {{true, 'a', -1, -1, R | W | M},
					      {false, 'b', 8, -1, W}};

	assert_false(answer(rules, 2, (struct ask){'b', 8, 1, R | W}));
	assert_true(answer(rules, 2, (struct ask){'b', 8, 1, R}));
	assert_true(answer(rules, 2, (struct ask){'b', 9, 1, R | W}));
}

static void permissions_for_one_device_add_up(void **state)
{
	const struct cgroup_device rules[] = {
		{true, 'c', 1, 3, R}, {true, 'c', 1, 5, R}, {true, 'c', 1, 3, W}};

	assert_true(answer(rules, 3, (struct ask){'c', 1, 3, R | W}));
	assert_false(answer(rules, 3, (struct ask){'c', 1, 5, R | W}));
	assert_false(answer(rules, 3, (struct ask){'c', 1, 3, M}));
}

static void permissions_do_not_add_up_across_a_denial(void **state)
{
	const struct cgroup_device rules[] = {
		{true, 'c', 1, 3, R}, {false, 'c', 1, 3, R | W | M}, {true, 'c', 1, 3, W}};

	assert_false(answer(rules, 3, (struct ask){'c', 1, 3, R}));
	assert_true(answer(rules, 3, (struct ask){'c', 1, 3, W}));
}

static void a_rule_for_everything_makes_a_short_program(void **state)
{
	const struct cgroup_device rules[] = {{false, 'c', 1, 3, R},
					      {true, 'a', -1, -1, R | W | M}};
	struct bpf_insn *program = NULL;

	assert_int_equal(cgroup_device_program(rules, 2, &program), 8);
	free(program);
	assert_true(answer(rules, 2, (struct ask){'c', 1, 3, R | W | M}));
}

static void unsound_rules_are_refused(void **state)
{
	const struct cgroup_device bad[] = {{true, 'p', 1, 3, R},
					    {true, 'c', 1, 3, 0},
					    {true, 'c', 1, 3, 8},
					    {true, 'c', -2, 3, R},
					    {true, 'c', 1LL << 40, 3, R}};
	struct bpf_insn *program = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cgroup_device_program(&bad[i], 1, &program), -EINVAL);
	assert_int_equal(cgroup_device_program(bad, CGROUP_DEVICES_MAX + 1, &program), -E2BIG);
	assert_null(program);
}

/* Loads the program; returns a descriptor or a negative errno. */
static int load(const struct cgroup_device *rules, size_t n)
{
	struct bpf_insn *program = NULL;
	int count = cgroup_device_program(rules, n, &program);
	struct bpf_load_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				     .insns = (uint64_t)(uintptr_t)program,
				     .insn_cnt = (uint32_t)count,
				     .license = (uint64_t)(uintptr_t) "Apache-2.0"};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	free(program);
	return fd < 0 ? -errno : fd;
}

static void the_kernel_accepts_every_kind_of_rule(void **state)
{
	const struct cgroup_device rules[] = {{true, 'a', -1, -1, R | W | M},
					      {false, 'a', 1, -1, R},
					      {true, 'b', -1, 3, W},
					      {false, 'c', 1, 3, R | W},
					      {true, 'a', -1, 7, R | W | M}};
	int fd = load(rules, ARRAY_SIZE(rules));

	if (fd == -EPERM || fd == -ENOSYS) {
		print_message("[   SKIP   ] no permission to load eBPF programs\n");
		skip();
	}
	assert_true(fd >= 0);
	fd_close(&fd);
	fd = load(DOCKER);
	assert_true(fd >= 0);
	fd_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rule_allows_nothing),
		cmocka_unit_test(what_is_listed_is_allowed_and_nothing_else_test_E24),
		cmocka_unit_test(a_later_denial_wins_over_a_wider_permission),
		cmocka_unit_test(a_denial_of_one_access_denies_what_includes_it),
		cmocka_unit_test(permissions_for_one_device_add_up),
		cmocka_unit_test(permissions_do_not_add_up_across_a_denial),
		cmocka_unit_test(a_rule_for_everything_makes_a_short_program),
		cmocka_unit_test(unsound_rules_are_refused),
		cmocka_unit_test(the_kernel_accepts_every_kind_of_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
