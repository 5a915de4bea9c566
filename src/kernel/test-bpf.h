/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests: an interpreter of classic BPF as far as seccomp has it. Include it after
 * <cmocka.h>. */
#ifndef KOGGE_KERNEL_TEST_BPF_H
#define KOGGE_KERNEL_TEST_BPF_H

#include "base/macro.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

/* A filter with room for the largest. */
struct bpf_filter {
	struct sock_filter v[4096];
	size_t n;
};

/* A word of the call's data. */
static inline void bpf_load(uint32_t *a, const struct seccomp_data *d, uint32_t offset)
{
	assert_true(offset % 4 == 0 && offset < sizeof(*d));
	memcpy(a, (const char *)d + offset, sizeof(*a));
}

/* How many instructions are skipped. */
static inline size_t bpf_jump(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		return a == i->k ? i->jt : i->jf;
	case BPF_JGE:
		return a >= i->k ? i->jt : i->jf;
	case BPF_JGT:
		return a > i->k ? i->jt : i->jf;
	default:
		return a & i->k ? i->jt : i->jf;
	}
}

/* What the filter answers: a SECCOMP_RET_ value. */
static inline uint32_t bpf_ask(const struct bpf_filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0, m[BPF_MEMWORDS] = {0};

	for (size_t pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &f->v[pc];

		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			bpf_load(&a, d, i->k);
		else if (BPF_CLASS(i->code) == BPF_JMP)
			pc += bpf_jump(i, a);
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == BPF_ST)
			m[i->k] = a;
		else if (i->code == (BPF_LD | BPF_MEM))
			a = m[i->k];
		else if (i->code == (BPF_RET | BPF_K))
			return i->k;
		else
			fail_msg("instruction %#x", i->code);
	}
	fail_msg("the filter ends without an answer");
	return 0;
}

#endif
