/* SPDX-License-Identifier: Apache-2.0 */
/* Our generator of filters: random profiles against an evaluator that reads them rule by rule, and
 * against libseccomp's filters. */
#include "kernel/seccomp-compile-internal.h"

#include "base/buf.h"

#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
/* Last: it wants the four headers before it. */
#include <cmocka.h>

#include "kernel/test-bpf.h"

#define ROUNDS 60
#define RULES  24

static const char *const names[] = {
	"read",         "write",        "clone", "socket", "ioctl",       "mmap",     "kill",
	"openat2",      "semctl",       "time",  "shmget", "bind",        "sendmmsg", "waitpid",
	"epoll_pwait2", "no_such_call", "mseal", "prctl",  "personality", "futex"};
/* Calls whose numbers are known here. */
static const struct {
	const char *name;
	int x86_64, i386;
} numbers[] = {{"read", 0, 3},
	       {"write", 1, 4},
	       {"clone", 56, 120},
	       {"socket", 41, 359},
	       {"ioctl", 16, 54},
	       {"kill", 62, 37},
	       {"openat2", 437, 437},
	       {"semctl", 66, 394},
	       {"epoll_pwait2", 441, 441},
	       {"personality", 135, 136},
	       {"not in it", 2, 5}};
static const uint64_t values[] = {
	0,          1,          2,           0x10,        0x7fffffff,
	0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0x7e0200007e020000,
	UINT64_MAX};

static uint64_t seed = 1;

/* xorshift: the same numbers at each run. */
static unsigned pick(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

struct sample {
	struct seccomp_profile profile;
	struct seccomp_rule rules[RULES];
	struct seccomp_arg args[RULES][3];
};

/* Each call has one action where rules have comparisons, because which of two wins is not said
 * anywhere. */
static void make_sample(struct sample *s)
{
	*s = (struct sample){0};
	s->profile.default_action = pick(2) ? SECCOMP_DO_ERRNO : SECCOMP_DO_KILL_PROCESS;
	s->profile.rules = s->rules;
	s->profile.n_rules = 1 + pick(RULES);
	for (size_t i = 0; i < s->profile.n_rules; i++) {
		struct seccomp_rule *rule = &s->rules[i];
		size_t name = pick(ARRAY_SIZE(names));

		rule->names = &names[name];
		rule->n_names = 1;
		rule->action = name % 3 ? SECCOMP_DO_ALLOW : SECCOMP_DO_TRAP;
		rule->args = s->args[i];
		rule->n_args = pick(4);
		for (size_t k = 0; k < rule->n_args; k++)
			s->args[i][k] = (struct seccomp_arg){
				.index = (uint32_t)k,
				.op = (enum seccomp_op)pick(SECCOMP_IS_MASKED_EQ + 1),
				.value = values[pick(ARRAY_SIZE(values))],
				.value_two = values[pick(ARRAY_SIZE(values))]};
	}
}

static bool holds(const struct seccomp_arg *a, uint64_t arg, uint64_t width)
{
	uint64_t v = a->value & width, w = a->value_two & width;

	arg &= width;
	switch (a->op) {
	case SECCOMP_IS_NE:
		return arg != v;
	case SECCOMP_IS_LT:
		return arg < v;
	case SECCOMP_IS_LE:
		return arg <= v;
	case SECCOMP_IS_EQ:
		return arg == v;
	case SECCOMP_IS_GE:
		return arg >= v;
	case SECCOMP_IS_GT:
		return arg > v;
	default:
		return (arg & v) == (w & v);
	}
}

/* What the profile says of a call, read rule by rule. */
static uint32_t expected(const struct seccomp_profile *p, const char *name,
			 const struct seccomp_data *d, uint64_t width)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct seccomp_rule *rule = &p->rules[i];
		bool all = strcmp(rule->names[0], name) == 0;

		for (size_t k = 0; all && k < rule->n_args; k++)
			all = holds(&rule->args[k], d->args[rule->args[k].index], width);
		if (all)
			return seccomp_rule_bits(rule);
	}
	return seccomp_default_bits(p);
}

static void take(const struct buf *bytes, struct bpf_filter *f)
{
	assert_true(bytes->len <= sizeof(f->v));
	memcpy(f->v, bytes->data, bytes->len);
	f->n = bytes->len / sizeof(f->v[0]);
}

static struct bpf_filter f;

static void generate(const struct seccomp_profile *p)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20);

	assert_int_equal(seccomp_generate(p, &bytes), 0);
	take(&bytes, &f);
}

static void compare(const struct seccomp_profile *p, const char *name, struct seccomp_data d,
		    uint64_t width)
{
	for (int round = 0; round < 40; round++) {
		uint32_t got, want;

		for (size_t i = 0; i < 3; i++)
			d.args[i] = values[pick(ARRAY_SIZE(values))];
		got = bpf_ask(&f, &d);
		want = expected(p, name, &d, width);
		if (got != want)
			fail_msg("arch %#x %s (%#llx, %#llx, %#llx): %#x and not %#x", d.arch, name,
				 d.args[0], d.args[1], d.args[2], got, want);
	}
}

static void random_profiles_answer_as_they_read(void **state)
{
	static const char *const newest = "epoll_pwait2";

	if (seccomp_native_arch() != AUDIT_ARCH_X86_64)
		skip();
	for (int round = 0; round < ROUNDS; round++) {
		struct sample s;

		make_sample(&s);
		/* The newest call is named, so that none of the others is newer than the profile.
		 */
		s.rules[0].names = &newest;
		s.rules[0].action = SECCOMP_DO_ALLOW;
		s.profile.arches[0] = AUDIT_ARCH_I386;
		s.profile.arches[1] = SECCOMP_ARCH_X32;
		s.profile.n_arches = 2;
		generate(&s.profile);
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			const struct seccomp_data wide = {.nr = numbers[i].x86_64,
							  .arch = AUDIT_ARCH_X86_64};
			const struct seccomp_data narrow = {.nr = numbers[i].i386,
							    .arch = AUDIT_ARCH_I386};

			compare(&s.profile, numbers[i].name, wide, UINT64_MAX);
			compare(&s.profile, numbers[i].name, narrow, UINT32_MAX);
		}
	}
}

/* libseccomp is right where each call has one rule; with several comparisons of one argument its
 * tree loses some (2.5.4). */
static void the_library_answers_alike_for_simple_profiles(void **state)
{
	static struct bpf_filter library;

	if (seccomp_native_arch() != AUDIT_ARCH_X86_64)
		skip();
	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20);
		struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64};
		struct sample s;

		make_sample(&s);
		for (size_t i = 0; i < s.profile.n_rules; i++) {
			s.rules[i].names = &names[i % ARRAY_SIZE(names)];
			s.rules[i].n_args = i < ARRAY_SIZE(names) ? MIN(s.rules[i].n_args, 1U) : 0;
		}
		s.profile.n_rules = MIN(s.profile.n_rules, ARRAY_SIZE(names));
		generate(&s.profile);
		assert_int_equal(seccomp_compile_by_library(&s.profile, &bytes, NULL), 0);
		take(&bytes, &library);
		for (d.nr = 0; d.nr < 520; d.nr++) {
			d.args[0] = values[pick(ARRAY_SIZE(values))];
			assert_int_equal(bpf_ask(&f, &d), bpf_ask(&library, &d));
		}
	}
}

static void i386_multiplexers_follow_the_calls_in_them(void **state)
{
	static const char *const calls[] = {"bind", "socket", "shmget"};
	static const struct seccomp_arg arg = {.op = SECCOMP_IS_EQ, .value = 2};
	const struct seccomp_rule rules[] = {
		{.names = &calls[0], .n_names = 1, .action = SECCOMP_DO_ALLOW},
		{.names = &calls[1],
		 .n_names = 1,
		 .action = SECCOMP_DO_ALLOW,
		 .args = &arg,
		 .n_args = 1},
		{.names = &calls[2],
		 .n_names = 1,
		 .action = SECCOMP_DO_TRAP,
		 .args = &arg,
		 .n_args = 1}};
	const struct seccomp_profile p = {.default_action = SECCOMP_DO_ERRNO,
					  .rules = rules,
					  .n_rules = 3,
					  .arches = {AUDIT_ARCH_I386},
					  .n_arches = 1};
	struct seccomp_data d = {.nr = 102, .arch = AUDIT_ARCH_I386, .args = {2}};

	if (seccomp_native_arch() != AUDIT_ARCH_X86_64)
		skip();
	generate(&p);
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ALLOW); /* socketcall(bind) */
	d.args[0] = 1;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ERRNO | EPERM); /* socketcall(socket) */
	d.nr = 117;
	d.args[0] = 23;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_TRAP); /* ipc(shmget) */
	d.nr = 359;
	d.args[0] = 2;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ALLOW); /* socket itself */
}

static void a_foreign_architecture_is_killed_and_x32_does_not_exist(void **state)
{
	static const char *const name[] = {"read"};
	const struct seccomp_rule rule = {.names = name, .n_names = 1, .action = SECCOMP_DO_ALLOW};
	const struct seccomp_profile p = {
		.default_action = SECCOMP_DO_ERRNO, .rules = &rule, .n_rules = 1};
	struct seccomp_data d = {.nr = SYS_read, .arch = AUDIT_ARCH_PPC};

	if (seccomp_native_arch() != AUDIT_ARCH_X86_64)
		skip();
	generate(&p);
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_KILL_THREAD);
	d.arch = AUDIT_ARCH_X86_64;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ALLOW);
	d.nr |= (int)SECCOMP_X32_BIT;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ERRNO | ENOSYS);
}

static void a_permissive_profile_lets_newer_calls_pass(void **state)
{
	static const char *const name[] = {"read"};
	const struct seccomp_rule rule = {.names = name, .n_names = 1, .action = SECCOMP_DO_ERRNO};
	const struct seccomp_profile p = {
		.default_action = SECCOMP_DO_ALLOW, .rules = &rule, .n_rules = 1};
	struct seccomp_data d = {.nr = 499, .arch = seccomp_native_arch()};

	generate(&p);
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ALLOW);
	d.nr = SYS_read;
	assert_int_equal(bpf_ask(&f, &d), SECCOMP_RET_ERRNO | EPERM);
}

static void an_architecture_of_others_goes_to_the_library(void **state)
{
	const struct seccomp_profile p = {
		.default_action = SECCOMP_DO_ERRNO, .arches = {AUDIT_ARCH_S390X}, .n_arches = 1};
	_cleanup_(buf_done) struct buf out = BUF_INIT(1 << 20);

	assert_int_equal(seccomp_generate(&p, &out), -EOPNOTSUPP);
	assert_int_equal(out.len, 0);
}

static void a_rule_that_makes_no_sense_names_its_call(void **state)
{
	static const char *const name[] = {"read"};
	const struct seccomp_arg arg = {.index = 6};
	const struct seccomp_rule rule = {.names = name, .n_names = 1, .args = &arg, .n_args = 1};
	const struct seccomp_profile p = {.rules = &rule, .n_rules = 1};
	_cleanup_(buf_done) struct buf out = BUF_INIT(1 << 20);
	struct seccomp_fault fault;

	assert_int_equal(seccomp_compile(&p, &out, &fault), -EINVAL);
	assert_string_equal(fault.name, "read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_profiles_answer_as_they_read),
		cmocka_unit_test(the_library_answers_alike_for_simple_profiles),
		cmocka_unit_test(i386_multiplexers_follow_the_calls_in_them),
		cmocka_unit_test(a_foreign_architecture_is_killed_and_x32_does_not_exist),
		cmocka_unit_test(a_permissive_profile_lets_newer_calls_pass),
		cmocka_unit_test(an_architecture_of_others_goes_to_the_library),
		cmocka_unit_test(a_rule_that_makes_no_sense_names_its_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
