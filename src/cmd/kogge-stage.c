/* SPDX-License-Identifier: Apache-2.0 */
/* The container's first process: see runtime/stage.h. */
#include "runtime/stage.h"

#ifdef __SANITIZE_ADDRESS__
/* Finding leaks at the end needs the container's /proc, which may be anything. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
	(void)argv;
	return stage_main(STAGE_SOCKET, argc > 1);
}
