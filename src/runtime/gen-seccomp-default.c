/* SPDX-License-Identifier: Apache-2.0 */
/* Runs while Kogge is built: prints the default seccomp filter as C. It is compiled for the
 * machine that Kogge is built for, so a cross build needs that machine's emulator. */
#include "base/arena.h"
#include "base/buf.h"
#include "kernel/seccomp-compile.h"
#include "oci/seccomp-profile.h"

#include <inttypes.h>
#include <stdio.h>

static int print_filter(const char *name, bool native_only)
{
	const struct seccomp_target target = {.caps = SECCOMP_DEFAULT_CAPS,
					      .arch = seccomp_native_arch(),
					      .kernel_major = 4,
					      .kernel_minor = 8,
					      .native_only = native_only};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(1 << 20);
	struct seccomp_profile profile;
	struct err e = ERR_INIT;
	uint64_t word;

	if (seccomp_default_profile(&target, &a, &profile, &e) < 0 ||
	    seccomp_compile(&profile, &bytes, NULL) < 0)
		return -1;
	printf("const uint64_t seccomp_built_%s[] = {\n", name);
	for (size_t i = 0; i + sizeof(word) <= bytes.len; i += sizeof(word)) {
		memcpy(&word, bytes.data + i, sizeof(word));
		printf("\tUINT64_C(0x%016" PRIx64 "),\n", word);
	}
	printf("};\nconst size_t seccomp_n_built_%s = %zu;\n", name, bytes.len / sizeof(word));
	return 0;
}

int main(void)
{
	printf("/* Written by gen-seccomp-default. */\n"
	       "#include \"runtime/seccomp-default-internal.h\"\n");
	return print_filter("full", false) < 0 || print_filter("native", true) < 0;
}
