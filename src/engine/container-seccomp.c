/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp filter of a container: Docker's default for its capabilities, or a profile that the
 * user gave. The default set's filter was compiled with the program. */
#include "base/arena.h"
#include "base/buf.h"
#include "engine/engine-internal.h"
#include "runtime/seccomp-default.h"

enum { PROFILE_MAX = 4 << 20 };

int container_seccomp(const struct container_spec *s, uint64_t caps, struct buf *out, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct seccomp_target target = seccomp_target_here(caps, false);
	_cleanup_(buf_done) struct buf text = BUF_INIT(PROFILE_MAX);
	struct seccomp_profile profile;
	int r = 0;

	if (s->privileged || s->security.seccomp == SPEC_SECCOMP_UNCONFINED)
		return 0;
	if (s->security.seccomp == SPEC_SECCOMP_PROFILE &&
	    buf_puts(&text, s->security.seccomp_profile) < 0)
		return err_set(e, ERR_LIMIT, 0, "the seccomp profile is too large");
	if (s->security.seccomp == SPEC_SECCOMP_PROFILE)
		r = seccomp_profile_parse(&text, &target, &a, &profile, e);
	else
		r = seccomp_default(&target, &a, &profile, e);
	return r < 0 ? -1 : seccomp_filter_bytes(&profile, out, e);
}
