/* SPDX-License-Identifier: Apache-2.0 */
/* The default filter, run by an interpreter of classic BPF over every system call number, and
 * profile files in Docker's format. */
#include "runtime/seccomp-default.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "kernel/seccomp-filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
/* Last: it wants the four headers before it. */
#include <cmocka.h>

#include "kernel/test-bpf.h"

#define ALLOW  SECCOMP_RET_ALLOW
#define NO(e)  (SECCOMP_RET_ERRNO | (e))
#define X32    0x40000000
#define NEWEST 449 /* the last call that the profile and libseccomp 2.5.4 both know */
#define CAP(n) (UINT64_C(1) << CAP_##n)
#define OTHERS (CAP(SYS_ADMIN) | CAP(SYS_PTRACE))

static uint32_t call(const struct bpf_filter *f, uint32_t arch, int nr, uint64_t arg0)
{
	const struct seccomp_data d = {.nr = nr, .arch = arch, .args = {arg0}};

	return bpf_ask(f, &d);
}

static void compile(const struct seccomp_profile *p, struct bpf_filter *f)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	if (seccomp_filter_bytes(p, &bytes, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(bytes.len <= sizeof(f->v));
	memcpy(f->v, bytes.data, bytes.len);
	f->n = bytes.len / sizeof(f->v[0]);
}

static void make_default(uint64_t caps, bool native_only, struct bpf_filter *f)
{
	const struct seccomp_target target = {.caps = caps,
					      .arch = seccomp_native_arch(),
					      .kernel_major = 6,
					      .native_only = native_only};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct seccomp_profile p;

	assert_int_equal(seccomp_default(&target, &a, &p, NULL), 0);
	assert_int_equal(p.compiled != NULL, caps == SECCOMP_DEFAULT_CAPS);
	compile(&p, f);
}

static struct bpf_filter f, g;

#ifdef __x86_64__
/* Figures of docs/SECURITY.md, E28: 292 of 362 calls allowed, and 3 by their arguments. */
static void the_default_allows_what_dockers_does_test_E28(void **state)
{
	int allowed = 0, by_argument = 0;

	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	for (int nr = 0; nr <= NEWEST; nr++) {
		bool none = call(&f, AUDIT_ARCH_X86_64, nr, 0) == ALLOW;
		bool all = call(&f, AUDIT_ARCH_X86_64, nr, 40) == ALLOW &&
			   call(&f, AUDIT_ARCH_X86_64, nr, CLONE_NEWNS) == ALLOW;

		allowed += none && all;
		by_argument += none && !all;
	}
	assert_int_equal(allowed, 292);
	assert_int_equal(by_argument, 3);
}

static void what_is_dangerous_is_refused_test_E28(void **state)
{
	static const int bad[] = {SYS_mount,          SYS_umount2,     SYS_unshare,
				  SYS_setns,          SYS_bpf,         SYS_init_module,
				  SYS_keyctl,         SYS_add_key,     SYS_kexec_load,
				  SYS_reboot,         SYS_swapon,      SYS_perf_event_open,
				  SYS_io_uring_setup, SYS_userfaultfd, SYS_open_by_handle_at,
				  SYS_move_mount,     SYS_fsopen,      SYS_open_tree,
				  SYS_pivot_root};

	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(call(&f, AUDIT_ARCH_X86_64, bad[i], 0), NO(EPERM));
		assert_true(call(&f, AUDIT_ARCH_X86_64, bad[i] | X32, 0) != ALLOW);
	}
	/* mount, unshare, bpf, keyctl by int 0x80 */
	assert_int_equal(call(&f, AUDIT_ARCH_I386, 21, 0), NO(EPERM));
	assert_int_equal(call(&f, AUDIT_ARCH_I386, 310, 0), NO(EPERM));
	assert_int_equal(call(&f, AUDIT_ARCH_I386, 357, 0), NO(EPERM));
	assert_int_equal(call(&f, AUDIT_ARCH_I386, 288, 0), NO(EPERM));
	assert_int_equal(call(&f, AUDIT_ARCH_I386, 3, 0), ALLOW);
}

static void vsock_and_alg_sockets_are_refused_test_E29(void **state)
{
	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	for (uint64_t family = 0; family < 64; family++)
		assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_socket, family),
				 family == 38 || family == 40 ? NO(EPERM) : ALLOW);
}

static void newer_calls_and_clone3_give_ENOSYS_test_E30(void **state)
{
	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_clone3, 0), NO(ENOSYS));
	assert_int_equal(call(&f, AUDIT_ARCH_I386, SYS_clone3, 0), NO(ENOSYS));
	for (int nr = 480; nr <= 500; nr++) {
		assert_int_equal(call(&f, AUDIT_ARCH_X86_64, nr, 0), NO(ENOSYS));
		assert_int_equal(call(&f, AUDIT_ARCH_I386, nr, 0), NO(ENOSYS));
	}
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, X32 | 1000, 0), NO(ENOSYS));
	/* mseal is in the profile and newer than the library; lsm_get_self_attr is not. */
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, 462, 0), ALLOW);
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, 459, 0), NO(ENOSYS));
}

static void new_namespaces_by_clone_are_refused_test_E30(void **state)
{
	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	for (int bit = 0; bit < 32; bit++)
		assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_clone, UINT64_C(1) << bit),
				 UINT64_C(0x7e020000) >> bit & 1 ? NO(EPERM) : ALLOW);
	make_default(SECCOMP_DEFAULT_CAPS | CAP(SYS_ADMIN), false, &f);
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_clone, CLONE_NEWNS), ALLOW);
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_clone3, 0), ALLOW);
	assert_int_equal(call(&f, AUDIT_ARCH_X86_64, SYS_mount, 0), ALLOW);
}

static void the_native_filter_takes_no_other_architecture_test_E29(void **state)
{
	make_default(SECCOMP_DEFAULT_CAPS, true, &f);
	make_default(SECCOMP_DEFAULT_CAPS, false, &g);
	for (int nr = 0; nr <= 500; nr++) {
		assert_int_equal(call(&f, AUDIT_ARCH_X86_64, nr, 0),
				 call(&g, AUDIT_ARCH_X86_64, nr, 0));
		assert_true(call(&f, AUDIT_ARCH_I386, nr, 0) != ALLOW);
		assert_true(call(&f, AUDIT_ARCH_X86_64, nr | X32, 0) != ALLOW);
	}
}
#endif

static void what_the_build_holds_is_what_would_be_compiled(void **state)
{
	const struct seccomp_target target = seccomp_target_here(SECCOMP_DEFAULT_CAPS, false);
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct seccomp_profile p;

	assert_true(target.kernel_major >= 4);
	assert_int_equal(seccomp_default(&target, &a, &p, NULL), 0);
	compile(&p, &f);
	p.compiled = NULL;
	compile(&p, &g);
	assert_int_equal(f.n, g.n);
	assert_memory_equal(f.v, g.v, f.n * sizeof(f.v[0]));
}

static void the_kernel_takes_the_filter(void **state)
{
	int status = 0;
	unsigned flags = 0;
	pid_t pid;

	make_default(SECCOMP_DEFAULT_CAPS, false, &f);
	assert_int_equal(seccomp_filter_probe(&flags), 0);
	assert_true(flags & SECCOMP_WITH_LOG);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_filter_load(f.v, f.n * sizeof(f.v[0]), SECCOMP_WITH_LOG, NULL) < 0)
			_exit(1);
		if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
			_exit(2);
		_exit(syscall(480) == -1 && errno == ENOSYS ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void bytes_that_are_no_filter_are_refused(void **state)
{
	assert_int_equal(seccomp_filter_load("abc", 3, 0, NULL), -EINVAL);
	assert_int_equal(seccomp_filter_load("", 0, 0, NULL), -EINVAL);
}

static int parse(const char *json, struct arena *a, struct seccomp_profile *p, struct err *e)
{
	const struct seccomp_target target = {
		.caps = CAP(SYS_PTRACE), .arch = AUDIT_ARCH_X86_64, .kernel_major = 5};

	_cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);

	assert_int_equal(buf_puts(&text, json), 0);
	return seccomp_profile_parse(&text, &target, a, p, e);
}

static void rules_of_a_file_hold_by_their_conditions(void **state)
{
	static const char json[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"archMap\":["
		"{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[]},"
		"{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],"
		"\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":null,\"includes\":{}}"
		","
		"{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"minKernel\":\"5."
		"1\"}},"
		"{\"names\":[\"b\"],\"action\":\"SCMP_ACT_LOG\",\"excludes\":{\"minKernel\":\"4."
		"8\"}},"
		"{\"names\":[\"c\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"caps\":[\"CAP_"
		"BPF\"]}},"
		"{\"names\":[\"d\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"caps\":[\"CAP_NO\"]"
		"}},"
		"{\"names\":[\"e\"],\"action\":\"SCMP_ACT_LOG\",\"excludes\":{\"caps\":[\"CAP_SYS_"
		"PTRACE\"]}},"
		"{\"names\":[\"f\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"arches\":["
		"\"arm64\"]}},"
		"{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_LOG\","
		"\"includes\":{\"caps\":[\"CAP_SYS_PTRACE\"],\"arches\":[\"amd64\"]}}]}";
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct seccomp_profile p = {0};
	struct err e = ERR_INIT;

	if (parse(json, &a, &p, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(p.default_errno, 38);
	assert_int_equal(p.n_arches, 2);
	assert_int_equal(p.arches[1], AUDIT_ARCH_I386);
	assert_int_equal(p.n_rules, 3);
	assert_string_equal(p.rules[1].names[0], "write");
	assert_true(p.rules[1].args[0].value == UINT64_MAX);
	assert_string_equal(p.rules[2].names[0], "ptrace");
}

static void an_empty_file_is_no_filter(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct seccomp_profile p = {0};

	assert_int_equal(parse("{}", &a, &p, NULL), 0);
	assert_int_equal(p.default_action, SECCOMP_DO_ALLOW);
	assert_int_equal(p.n_rules, 0);
}

static void files_that_are_wrong_name_the_field(void **state)
{
	static const struct {
		const char *json, *field;
	} bad[] = {
		{"{\"defaultAction\":\"SCMP_ACT_NO\"}", "defaultAction"},
		{"{\"syscalls\":[{\"names\":[\"read\"],\"action\":\"ALLOW\"}]}",
		 "syscalls[0].action"},
		{"{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		 "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86\"}]}",
		 "archMap"},
		{"{\"syscalls\":[{\"name\":\"a\",\"names\":[\"b\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		 "syscalls[0].name"},
		{"{\"syscalls\":[{\"name\":\"a\",\"action\":\"SCMP_ACT_LOG\","
		 "\"includes\":{\"minKernel\":\"five\"}}]}",
		 "includes.minKernel"},
		{"[]", "profile"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(arena_done) struct arena a = ARENA_INIT;
		struct seccomp_profile p = {0};
		struct err e = ERR_INIT;

		assert_int_equal(parse(bad[i].json, &a, &p, &e), -1);
		if (!strstr(e.msg, bad[i].field))
			fail_msg("'%s' does not name %s", e.msg, bad[i].field);
	}
}

static void rules_for_one_argument_twice_are_alternatives(void **state)
{
	static const char *const names[] = {"kill"};
	static const struct seccomp_arg args[] = {{.index = 0, .op = SECCOMP_IS_EQ, .value = 1},
						  {.index = 0, .op = SECCOMP_IS_EQ, .value = 2}};
	const struct seccomp_rule rule = {.names = names,
					  .n_names = 1,
					  .action = SECCOMP_DO_ALLOW,
					  .args = args,
					  .n_args = 2};
	const struct seccomp_profile p = {
		.default_action = SECCOMP_DO_ERRNO, .rules = &rule, .n_rules = 1};

	compile(&p, &f);
	assert_int_equal(call(&f, seccomp_native_arch(), SYS_kill, 1), ALLOW);
	assert_int_equal(call(&f, seccomp_native_arch(), SYS_kill, 2), ALLOW);
	assert_int_equal(call(&f, seccomp_native_arch(), SYS_kill, 3), NO(EPERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(the_default_allows_what_dockers_does_test_E28),
		cmocka_unit_test(what_is_dangerous_is_refused_test_E28),
		cmocka_unit_test(vsock_and_alg_sockets_are_refused_test_E29),
		cmocka_unit_test(newer_calls_and_clone3_give_ENOSYS_test_E30),
		cmocka_unit_test(new_namespaces_by_clone_are_refused_test_E30),
		cmocka_unit_test(the_native_filter_takes_no_other_architecture_test_E29),
#endif
		cmocka_unit_test(what_the_build_holds_is_what_would_be_compiled),
		cmocka_unit_test(the_kernel_takes_the_filter),
		cmocka_unit_test(bytes_that_are_no_filter_are_refused),
		cmocka_unit_test(rules_of_a_file_hold_by_their_conditions),
		cmocka_unit_test(an_empty_file_is_no_filter),
		cmocka_unit_test(files_that_are_wrong_name_the_field),
		cmocka_unit_test(rules_for_one_argument_twice_are_alternatives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
