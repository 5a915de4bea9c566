/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/seccomp-filter.h"

#include "base/fd.h"
#include "base/seccomp-profile.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const struct {
	unsigned ours;
	unsigned long kernels;
} flag_table[] = {
	{SECCOMP_WITH_TSYNC, SECCOMP_FILTER_FLAG_TSYNC},
	{SECCOMP_WITH_LOG, SECCOMP_FILTER_FLAG_LOG},
	{SECCOMP_WITH_SPEC_ALLOW, SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{SECCOMP_WITH_WAIT_KILLABLE, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

static unsigned long kernel_flags(unsigned flags)
{
	unsigned long bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flag_table); i++)
		if (flags & flag_table[i].ours)
			bits |= flag_table[i].kernels;
	return bits;
}

int seccomp_filter_load(const void *bytes, size_t n, unsigned flags, int *ret_listener)
{
	unsigned long bits = kernel_flags(flags);
	struct sock_fprog program;
	long r;

	if (n == 0 || n % sizeof(struct sock_filter) || n / sizeof(struct sock_filter) > UINT16_MAX)
		return -EINVAL;
	program.len = (unsigned short)(n / sizeof(struct sock_filter));
	/* The kernel only reads it; the structure has no const. */
	program.filter = (struct sock_filter *)(uintptr_t)bytes;
	if (ret_listener) {
		bits |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
		/* Both give a number back: a thread or a descriptor. */
		if (bits & SECCOMP_FILTER_FLAG_TSYNC)
			bits |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	}
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, bits, &program);
	if (r < 0)
		return -errno;
	if (ret_listener)
		*ret_listener = (int)r;
	else if (r > 0)
		return -ESRCH; /* TSYNC: this thread could not be brought along */
	return 0;
}

int seccomp_filter_probe(unsigned *ret_flags)
{
	unsigned known = 0;

	/* A filter at address 0: -EFAULT where the kernel got as far as reading it, -EINVAL where
	 * it does not know the flag (seccomp(2)). */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL, NULL) == 0 || errno != EFAULT)
		return errno == ENOSYS ? -ENOSYS : -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(flag_table); i++) {
		unsigned long bits = flag_table[i].kernels;

		if (flag_table[i].ours == SECCOMP_WITH_WAIT_KILLABLE)
			bits |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, bits, NULL) != 0 &&
		    errno == EFAULT)
			known |= flag_table[i].ours;
	}
	*ret_flags = known;
	return 0;
}
