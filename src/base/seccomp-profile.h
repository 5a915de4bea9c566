/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp profile as plain data, between those who read it (oci/) and who compiles it
 * (kernel/). The names are those of the runtime specification (config-linux.md, "Seccomp").
 * Everything is borrowed, mostly from an arena. */
#ifndef KOGGE_BASE_SECCOMP_PROFILE_H
#define KOGGE_BASE_SECCOMP_PROFILE_H

#include "base/macro.h"

enum seccomp_action {
	SECCOMP_DO_KILL_PROCESS,
	SECCOMP_DO_KILL_THREAD, /* SCMP_ACT_KILL and SCMP_ACT_KILL_THREAD */
	SECCOMP_DO_TRAP,
	SECCOMP_DO_ERRNO,
	SECCOMP_DO_TRACE,
	SECCOMP_DO_LOG,
	SECCOMP_DO_ALLOW,
	SECCOMP_DO_NOTIFY,
};

enum seccomp_op {
	SECCOMP_IS_NE,
	SECCOMP_IS_LT,
	SECCOMP_IS_LE,
	SECCOMP_IS_EQ,
	SECCOMP_IS_GE,
	SECCOMP_IS_GT,
	SECCOMP_IS_MASKED_EQ, /* (argument & value) == value_two */
};

/* Flags of the filter, as bits. */
enum seccomp_flag {
	SECCOMP_WITH_TSYNC = 1 << 0,
	SECCOMP_WITH_LOG = 1 << 1,
	SECCOMP_WITH_SPEC_ALLOW = 1 << 2,
	SECCOMP_WITH_WAIT_KILLABLE = 1 << 3,
};

struct seccomp_arg {
	uint32_t index; /* 0..5 */
	enum seccomp_op op;
	uint64_t value, value_two;
};

/* The system calls NAMES get ACTION where all arguments match. Two comparisons of the same
 * argument within one rule are alternatives, as libseccomp cannot hold them together and runc
 * has therefore always read them so. */
struct seccomp_rule {
	const char *const *names;
	size_t n_names;
	enum seccomp_action action;
	bool has_errno; /* otherwise EPERM */
	uint32_t errno_ret;
	const struct seccomp_arg *args;
	size_t n_args;
};

#define SECCOMP_ARCHES_MAX 24

struct seccomp_profile {
	enum seccomp_action default_action;
	bool has_default_errno;
	uint32_t default_errno;
	/* AUDIT_ARCH_* values, x32 as SECCOMP_ARCH_X32; none: the native one alone. */
	uint32_t arches[SECCOMP_ARCHES_MAX];
	size_t n_arches;
	unsigned flags; /* enum seccomp_flag */
	const struct seccomp_rule *rules;
	size_t n_rules;
	const char *listener_path;     /* NULL where there is none */
	const char *listener_metadata; /* NULL where there is none */
	/* The filter of exactly this profile where somebody has compiled it before (bytes of struct
	 * sock_filter), else NULL. */
	const void *compiled;
	size_t n_compiled;
};

/* x32 has the AUDIT_ARCH of x86_64; this stands for it. */
#define SECCOMP_ARCH_X32 UINT32_C(0xffffff32)

/* From the words of the specification: "SCMP_ACT_ERRNO", "SCMP_ARCH_X86_64", "SCMP_CMP_EQ",
 * "SECCOMP_FILTER_FLAG_LOG". 0 or -EINVAL. */
int seccomp_action_parse(const char *s, enum seccomp_action *ret);
int seccomp_arch_parse(const char *s, uint32_t *ret);
int seccomp_op_parse(const char *s, enum seccomp_op *ret);
int seccomp_flag_parse(const char *s, unsigned *ret);

/* The words themselves; "" past the end. For `features` and for writing a profile. */
const char *seccomp_action_word(enum seccomp_action action);
const char *seccomp_op_word(enum seccomp_op op);
const char *seccomp_arch_word(uint32_t arch);

/* The architecture of this program. */
uint32_t seccomp_native_arch(void);

/* The I-th word that seccomp_arch_parse or seccomp_flag_parse knows; NULL past the last. */
const char *seccomp_arch_at(size_t i);
const char *seccomp_flag_at(size_t i);

#endif
