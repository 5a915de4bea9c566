/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp profiles in Docker's format. */
#include "base/arena.h"
#include "base/buf.h"
#include "oci/seccomp-profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seccomp_target target = {.caps = SECCOMP_DEFAULT_CAPS,
					      .arch = seccomp_native_arch(),
					      .kernel_major = 6,
					      .kernel_minor = 1};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(buf_done) struct buf json = BUF_INIT(1 << 20);
	struct seccomp_profile p = {0};
	struct err e = ERR_INIT;

	if (buf_put(&json, data, size) == 0)
		(void)seccomp_profile_parse(&json, &target, &a, &p, &e);
	return 0;
}
