/* SPDX-License-Identifier: Apache-2.0 */
/* Two generators: our own (seccomp-generate.c) for the architectures that it knows, libseccomp's
 * for the rest. The names and numbers of system calls are libseccomp's in both.
 *
 * libseccomp's filter gets a prologue, as runc has one (its "-ENOSYS stub"):
 *
 *   ld arch
 *   for each AUDIT_ARCH: jne next; ld nr; [x86_64: jge 0x40000000 -> x32]; jgt last -> newer; ja
 * filter newer: jeq number -> allow; ...; ret ENOSYS filter:
 */
#include "kernel/seccomp-compile-internal.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

#define SECCOMP_X32_BIT  UINT32_C(0x40000000)
#define PROGRAM_MAX      ((size_t)BPF_MAXINSNS * sizeof(struct sock_filter))
#define PROLOGUE_MAX     1024
#define SECCOMP_NR       offsetof(struct seccomp_data, nr)
#define SECCOMP_ARCH_OFF offsetof(struct seccomp_data, arch)

/* Calls that libseccomp may not know yet (include/uapi/asm-generic/unistd.h). */
static const struct {
	const char *name;
	uint32_t nr;
} newer_calls[] = {
	{"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
	{"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
	{"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
	{"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
	{"removexattrat", 466},     {"open_tree_attr", 467},   {"file_getattr", 468},
	{"file_setattr", 469},      {"listns", 470},
};

struct compiler {
	const struct seccomp_profile *profile;
	scmp_filter_ctx ctx;
	uint32_t default_action;
	struct seccomp_fault *fault;
};

static void compiler_done(struct compiler *c)
{
	if (c->ctx)
		seccomp_release(c->ctx);
}

static int fail(const struct compiler *c, int r, const char *what, const char *name)
{
	if (c->fault) {
		snprintf(c->fault->what, sizeof(c->fault->what), "%s", what);
		snprintf(c->fault->name, sizeof(c->fault->name), "%s", name);
	}
	return r;
}

bool seccomp_syscall_known(const char *name)
{
	return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

uint32_t seccomp_action_bits(enum seccomp_action action, uint32_t errno_ret)
{
	switch (action) {
	case SECCOMP_DO_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case SECCOMP_DO_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case SECCOMP_DO_TRAP:
		return SCMP_ACT_TRAP;
	case SECCOMP_DO_ERRNO:
		return SCMP_ACT_ERRNO(errno_ret);
	case SECCOMP_DO_TRACE:
		return SCMP_ACT_TRACE(errno_ret);
	case SECCOMP_DO_LOG:
		return SCMP_ACT_LOG;
	case SECCOMP_DO_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case SECCOMP_DO_ALLOW:
		break;
	}
	return SCMP_ACT_ALLOW;
}

uint32_t seccomp_rule_bits(const struct seccomp_rule *rule)
{
	return seccomp_action_bits(rule->action, rule->has_errno ? rule->errno_ret : EPERM);
}

uint32_t seccomp_default_bits(const struct seccomp_profile *p)
{
	return seccomp_action_bits(p->default_action,
				   p->has_default_errno ? p->default_errno : EPERM);
}

/* As runc decides it: a tracer is expected to know newer calls itself. */
bool seccomp_wants_enosys(const struct seccomp_profile *p)
{
	return p->default_action != SECCOMP_DO_ALLOW && p->default_action != SECCOMP_DO_LOG &&
	       p->default_action != SECCOMP_DO_TRACE;
}

static uint32_t scmp_arch(uint32_t arch)
{
	return arch == SECCOMP_ARCH_X32 ? SCMP_ARCH_X32 : arch;
}

static struct scmp_arg_cmp compare(const struct seccomp_arg *a)
{
	static const enum scmp_compare ops[] = {
		[SECCOMP_IS_NE] = SCMP_CMP_NE,
		[SECCOMP_IS_LT] = SCMP_CMP_LT,
		[SECCOMP_IS_LE] = SCMP_CMP_LE,
		[SECCOMP_IS_EQ] = SCMP_CMP_EQ,
		[SECCOMP_IS_GE] = SCMP_CMP_GE,
		[SECCOMP_IS_GT] = SCMP_CMP_GT,
		[SECCOMP_IS_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	return (struct scmp_arg_cmp){
		.arg = a->index, .op = ops[a->op], .datum_a = a->value, .datum_b = a->value_two};
}

bool seccomp_rule_is_split(const struct seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & (1U << rule->args[i].index))
			return true;
		seen |= 1U << rule->args[i].index;
	}
	return false;
}

/* Adds the rule for one call. */
static int add_call(struct compiler *c, const struct seccomp_rule *rule, const char *name,
		    uint32_t action)
{
	struct scmp_arg_cmp cmp[6];
	int nr = seccomp_syscall_resolve_name(name);
	int r = 0;

	if (nr == __NR_SCMP_ERROR)
		return 0;
	for (size_t i = 0; i < rule->n_args; i++)
		cmp[i] = compare(&rule->args[i]);
	if (!seccomp_rule_is_split(rule)) {
		r = seccomp_rule_add_array(c->ctx, action, nr, (unsigned)rule->n_args, cmp);
	} else {
		for (size_t i = 0; r == 0 && i < rule->n_args; i++)
			r = seccomp_rule_add_array(c->ctx, action, nr, 1, &cmp[i]);
	}
	/* A second, identical rule says nothing new. */
	return r < 0 && r != -EEXIST ? fail(c, r, "adding a rule for the call", name) : 0;
}

static int add_rule(struct compiler *c, const struct seccomp_rule *rule)
{
	uint32_t action = seccomp_rule_bits(rule);
	int r = 0;

	/* What happens anyway libseccomp does not take as a rule. */
	if (action == c->default_action)
		return 0;
	for (size_t i = 0; r == 0 && i < rule->n_names; i++)
		r = add_call(c, rule, rule->names[i], action);
	return r;
}

static int add_arches(struct compiler *c)
{
	for (size_t i = 0; i < c->profile->n_arches; i++) {
		uint32_t arch = c->profile->arches[i];
		int r = seccomp_arch_add(c->ctx, scmp_arch(arch));

		/* Those that this libseccomp does not know, or that differ in byte order, are not
		 * met on this machine either. */
		if (r < 0 && r != -EEXIST && r != -EINVAL && r != -EDOM)
			return fail(c, r, "adding the architecture", seccomp_arch_word(arch));
	}
	return 0;
}

/* The largest number of a call that the profile names, in one architecture; 0 for none. */
uint32_t seccomp_last_call(const struct seccomp_profile *p, uint32_t arch)
{
	uint32_t last = 0;

	for (size_t i = 0; i < p->n_rules; i++) {
		for (size_t k = 0; k < p->rules[i].n_names; k++) {
			int nr = seccomp_syscall_resolve_name_arch(arch, p->rules[i].names[k]);

			if (nr > 0 && (uint32_t)nr > last)
				last = (uint32_t)nr;
		}
	}
	return last;
}

static bool allows(const struct seccomp_profile *p, const char *name)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct seccomp_rule *rule = &p->rules[i];

		if (rule->action != SECCOMP_DO_ALLOW || rule->n_args)
			continue;
		for (size_t k = 0; k < rule->n_names; k++)
			if (str_eq(rule->names[k], name))
				return true;
	}
	return false;
}

size_t seccomp_newer_calls(const struct seccomp_profile *p, uint32_t ret[SECCOMP_NEWER_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(newer_calls) && n < SECCOMP_NEWER_MAX; i++)
		if (!seccomp_syscall_known(newer_calls[i].name) && allows(p, newer_calls[i].name))
			ret[n++] = newer_calls[i].nr;
	return n;
}

/* ---- the prologue -------------------------------------------------------------------------- */

struct prologue {
	struct sock_filter v[PROLOGUE_MAX];
	size_t n;
	uint32_t newer[SECCOMP_NEWER_MAX]; /* numbers to allow */
	size_t n_newer;
};

static void emit(struct prologue *p, unsigned code, uint32_t k, size_t jt, size_t jf)
{
	if (p->n < PROLOGUE_MAX)
		p->v[p->n++] = (struct sock_filter){
			.code = (uint16_t)code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k};
}

/* A jump to the filter, whose distance is filled in at the end. */
static void emit_to_filter(struct prologue *p)
{
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void emit_newer(struct prologue *p, uint32_t last, uint32_t bit)
{
	if (last == 0) {
		emit_to_filter(p);
		return;
	}
	emit(p, BPF_JMP | BPF_JGT | BPF_K, last, 0, 2 * p->n_newer + 1);
	for (size_t i = 0; i < p->n_newer; i++) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, p->newer[i] | bit, 0, 1);
		emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	}
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	emit_to_filter(p);
}

static bool has_arch(const struct seccomp_profile *p, uint32_t arch)
{
	for (size_t i = 0; i < p->n_arches; i++)
		if (p->arches[i] == arch)
			return true;
	return false;
}

static void emit_arch(struct prologue *p, const struct seccomp_profile *profile, uint32_t arch)
{
	size_t jump = p->n, x32;

	emit(p, BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 0);
	emit(p, BPF_LD | BPF_W | BPF_ABS, SECCOMP_NR, 0, 0);
	if (arch == AUDIT_ARCH_X86_64) {
		x32 = p->n;
		emit(p, BPF_JMP | BPF_JGE | BPF_K, SECCOMP_X32_BIT, 0, 0);
		emit_newer(p,
			   has_arch(profile, SECCOMP_ARCH_X32)
				   ? seccomp_last_call(profile, SCMP_ARCH_X32)
				   : 0,
			   SECCOMP_X32_BIT);
		p->v[x32].jf = (uint8_t)(p->n - x32 - 1);
	}
	emit_newer(p, seccomp_last_call(profile, arch), 0);
	p->v[jump].jf = (uint8_t)(p->n - jump - 1);
}

static bool is_mips(uint32_t arch)
{
	return (arch & 0xffff) == EM_MIPS;
}

static void build_prologue(struct prologue *p, const struct seccomp_profile *profile)
{
	uint32_t native = seccomp_native_arch();

	if (!seccomp_wants_enosys(profile))
		return;
	if (!is_mips(native)) /* its numbers start elsewhere */
		p->n_newer = seccomp_newer_calls(profile, p->newer);
	emit(p, BPF_LD | BPF_W | BPF_ABS, SECCOMP_ARCH_OFF, 0, 0);
	emit_arch(p, profile, native);
	for (size_t i = 0; i < profile->n_arches; i++)
		if (profile->arches[i] != native && profile->arches[i] != SECCOMP_ARCH_X32)
			emit_arch(p, profile, profile->arches[i]);
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].code == (BPF_JMP | BPF_JA))
			p->v[i].k = (uint32_t)(p->n - i - 1);
}

/* ---- all together -------------------------------------------------------------------------- */

static int export(struct compiler *c, struct buf *out)
{
	_cleanup_(fd_close) int fd = fd_memfd("seccomp", "", 0, false);
	int r = fd < 0 ? fd : seccomp_export_bpf(c->ctx, fd);

	if (r < 0)
		return fail(c, r, "writing the filter", "");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return fd_read_all(fd, out, PROGRAM_MAX);
}

static int compile(struct compiler *c)
{
	int r;

	c->ctx = seccomp_init(c->default_action);
	if (!c->ctx)
		return fail(c, -EINVAL, "starting a filter with the default action",
			    seccomp_action_word(c->profile->default_action));
	r = add_arches(c);
	if (r == 0)
		r = seccomp_attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; r == 0 && i < c->profile->n_rules; i++)
		r = add_rule(c, &c->profile->rules[i]);
	return r;
}

int seccomp_compile_by_library(const struct seccomp_profile *profile, struct buf *out,
			       struct seccomp_fault *fault)
{
	_cleanup_(compiler_done) struct compiler c = {.profile = profile,
						      .fault = fault,
						      .default_action =
							      seccomp_default_bits(profile)};
	struct prologue prologue = {.n = 0};
	int r = compile(&c);

	if (r < 0)
		return r;
	build_prologue(&prologue, profile);
	r = buf_put(out, prologue.v, prologue.n * sizeof(prologue.v[0]));
	return r < 0 ? r : export(&c, out);
}

/* What both generators rely on. */
static int check(const struct seccomp_profile *profile, struct seccomp_fault *fault)
{
	const struct compiler c = {.fault = fault};

	for (size_t i = 0; i < profile->n_rules; i++) {
		const struct seccomp_rule *rule = &profile->rules[i];
		const char *name = rule->n_names ? rule->names[0] : "";

		if (rule->n_args > 6)
			return fail(&c, -EINVAL, "more than 6 arguments in the rule for", name);
		for (size_t k = 0; k < rule->n_args; k++)
			if (rule->args[k].index > 5)
				return fail(&c, -EINVAL, "an argument above 5 in the rule for",
					    name);
	}
	return 0;
}

int seccomp_compile(const struct seccomp_profile *profile, struct buf *out,
		    struct seccomp_fault *fault)
{
	int r;

	if (fault)
		*fault = (struct seccomp_fault){0};
	r = check(profile, fault);
	if (r == 0)
		r = seccomp_generate(profile, out);
	return r == -EOPNOTSUPP ? seccomp_compile_by_library(profile, out, fault) : r;
}
