/* SPDX-License-Identifier: Apache-2.0 */
#include "base/seccomp-profile.h"

#include "base/str.h"

#include <errno.h>
#include <linux/audit.h>

#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif

static const struct {
	const char *word;
	unsigned value;
} actions[] =
	{
		{"SCMP_ACT_KILL", SECCOMP_DO_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SECCOMP_DO_KILL_PROCESS},
		{"SCMP_ACT_KILL_THREAD", SECCOMP_DO_KILL_THREAD},
		{"SCMP_ACT_TRAP", SECCOMP_DO_TRAP},
		{"SCMP_ACT_ERRNO", SECCOMP_DO_ERRNO},
		{"SCMP_ACT_TRACE", SECCOMP_DO_TRACE},
		{"SCMP_ACT_LOG", SECCOMP_DO_LOG},
		{"SCMP_ACT_ALLOW", SECCOMP_DO_ALLOW},
		{"SCMP_ACT_NOTIFY", SECCOMP_DO_NOTIFY},
},
  ops[] =
	  {
		  {"SCMP_CMP_NE", SECCOMP_IS_NE},
		  {"SCMP_CMP_LT", SECCOMP_IS_LT},
		  {"SCMP_CMP_LE", SECCOMP_IS_LE},
		  {"SCMP_CMP_EQ", SECCOMP_IS_EQ},
		  {"SCMP_CMP_GE", SECCOMP_IS_GE},
		  {"SCMP_CMP_GT", SECCOMP_IS_GT},
		  {"SCMP_CMP_MASKED_EQ", SECCOMP_IS_MASKED_EQ},
},
  flags[] =
	  {
		  {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_WITH_TSYNC},
		  {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_WITH_LOG},
		  {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_WITH_SPEC_ALLOW},
		  {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_WITH_WAIT_KILLABLE},
},
  arches[] = {
	  {"SCMP_ARCH_X86", AUDIT_ARCH_I386},
	  {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64},
	  {"SCMP_ARCH_X32", SECCOMP_ARCH_X32},
	  {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM},
	  {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64},
	  {"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
	  {"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS},
	  {"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64},
	  {"SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64N32},
	  {"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL},
	  {"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64},
	  {"SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32},
	  {"SCMP_ARCH_PPC", AUDIT_ARCH_PPC},
	  {"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64},
	  {"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE},
	  {"SCMP_ARCH_S390", AUDIT_ARCH_S390},
	  {"SCMP_ARCH_S390X", AUDIT_ARCH_S390X},
	  {"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC},
	  {"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64},
	  {"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64},
};

#define PARSE(table, s, ret)                                                                       \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(table); i_++) {                                \
			if (!str_eq(table[i_].word, s))                                            \
				continue;                                                          \
			*(ret) = table[i_].value;                                                  \
			return 0;                                                                  \
		}                                                                                  \
		return -EINVAL;                                                                    \
	} while (0)

#define WORD(table, v)                                                                             \
	do {                                                                                       \
		for (size_t i_ = ARRAY_SIZE(table); i_ > 0; i_--)                                  \
			if (table[i_ - 1].value == (v))                                            \
				return table[i_ - 1].word;                                         \
		return "";                                                                         \
	} while (0)

int seccomp_action_parse(const char *s, enum seccomp_action *ret)
{
	PARSE(actions, s, ret);
}

int seccomp_arch_parse(const char *s, uint32_t *ret)
{
	PARSE(arches, s, ret);
}

int seccomp_op_parse(const char *s, enum seccomp_op *ret)
{
	PARSE(ops, s, ret);
}

int seccomp_flag_parse(const char *s, unsigned *ret)
{
	PARSE(flags, s, ret);
}

const char *seccomp_action_word(enum seccomp_action action)
{
	WORD(actions, action);
}

const char *seccomp_op_word(enum seccomp_op op)
{
	WORD(ops, op);
}

const char *seccomp_arch_word(uint32_t arch)
{
	WORD(arches, arch);
}

uint32_t seccomp_native_arch(void)
{
#if defined(__x86_64__)
	return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	return AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
	return AUDIT_ARCH_RISCV64;
#elif defined(__s390x__)
	return AUDIT_ARCH_S390X;
#elif defined(__powerpc64__)
	return AUDIT_ARCH_PPC64LE;
#elif defined(__loongarch__)
	return AUDIT_ARCH_LOONGARCH64;
#elif defined(__i386__)
	return AUDIT_ARCH_I386;
#elif defined(__arm__)
	return AUDIT_ARCH_ARM;
#else
#error "no AUDIT_ARCH for this architecture"
#endif
}

const char *seccomp_arch_at(size_t i)
{
	return i < ARRAY_SIZE(arches) ? arches[i].word : NULL;
}

const char *seccomp_flag_at(size_t i)
{
	return i < ARRAY_SIZE(flags) ? flags[i].word : NULL;
}
