/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into crun where the machine denies raising RLIMIT_MEMLOCK, which crun insists on:
 * that one call is said to have succeeded. The bench says so when it uses this. */
#include <dlfcn.h>
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	int (*real)(__rlimit_resource_t, const struct rlimit *) =
		(int (*)(__rlimit_resource_t, const struct rlimit *))dlsym(RTLD_NEXT, "setrlimit");
	int result = real(resource, limit);

	return resource == RLIMIT_MEMLOCK ? 0 : result;
}
