/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>

int keyring_join(const char *name)
{
	long r = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);

	return r < 0 ? -errno : (int)r;
}
