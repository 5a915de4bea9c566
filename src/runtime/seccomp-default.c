/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp-default.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/str.h"
#include "kernel/seccomp-compile.h"
#include "runtime/seccomp-default-internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

static bool is_built(const struct seccomp_target *t)
{
	return t->caps == SECCOMP_DEFAULT_CAPS && t->arch == seccomp_native_arch() &&
	       (t->kernel_major > 4 || (t->kernel_major == 4 && t->kernel_minor >= 8));
}

int seccomp_default(const struct seccomp_target *target, struct arena *a,
		    struct seccomp_profile *ret, struct err *e)
{
	if (seccomp_default_profile(target, a, ret, e) < 0)
		return -1;
	if (!is_built(target))
		return 0;
	ret->compiled = target->native_only ? seccomp_built_native : seccomp_built_full;
	ret->n_compiled = (target->native_only ? seccomp_n_built_native : seccomp_n_built_full) *
			  sizeof(uint64_t);
	return 0;
}

/* The leading number of *S, which moves behind it and the dot that follows. */
static unsigned leading_number(const char **s)
{
	char digits[8];
	uint32_t v = 0;
	size_t n = strspn(*s, "0123456789");

	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(n, sizeof(digits) - 1), *s);
	*s += n;
	*s += **s == '.';
	return num_u32(digits, &v) == 0 ? v : 0;
}

struct seccomp_target seccomp_target_here(uint64_t caps, bool native_only)
{
	struct seccomp_target t = {
		.caps = caps, .arch = seccomp_native_arch(), .native_only = native_only};
	struct utsname u;
	const char *release;

	if (uname(&u) == 0) {
		release = u.release;
		t.kernel_major = leading_number(&release);
		t.kernel_minor = leading_number(&release);
	}
	return t;
}

int seccomp_filter_bytes(const struct seccomp_profile *profile, struct buf *out, struct err *e)
{
	struct seccomp_fault fault;
	int r;

	if (profile->compiled)
		r = buf_put(out, profile->compiled, profile->n_compiled);
	else
		r = seccomp_compile(profile, out, &fault);
	if (r >= 0)
		return 0;
	if (profile->compiled || !*fault.what)
		return err_errno(e, r, "compiling the seccomp profile");
	return err_set(e, r == -EINVAL ? ERR_INVALID : ERR_UNSUPPORTED, r,
		       "compiling the seccomp profile: %s '%s'", fault.what, fault.name);
}
