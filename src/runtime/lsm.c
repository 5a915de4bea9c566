/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/lsm.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/proc.h"

#include <fcntl.h>
#include <string.h>

enum { FILE_SYSTEMS_MAX = 64 << 10 };

static bool has_apparmor(void)
{
	_cleanup_(fd_close) int fd =
		path_open_host("/sys/module/apparmor/parameters/enabled", O_RDONLY, 0);
	char answer = 'N';

	return fd >= 0 && fd_read_full(fd, &answer, 1) == 1 && answer == 'Y';
}

/* A kernel with SELinux enabled has its file system. */
static bool has_selinux(void)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(fd_close) int fd =
		proc < 0 ? proc : proc_open_file(proc, PROC_ROOT, "filesystems", O_RDONLY);
	_cleanup_(buf_done) struct buf text = BUF_INIT(FILE_SYSTEMS_MAX);

	return fd >= 0 && fd_read_all(fd, &text, FILE_SYSTEMS_MAX) >= 0 &&
	       strstr(buf_str(&text), "\tselinuxfs\n");
}

static int lacks(const char *field, const char *label, const char *what, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "config.json: %s: '%s': this kernel has no %s, or it "
		       "is off",
		       field, label, what);
}

int runtime_lsm_check(const struct oci_process *p, const char *mount_label, struct err *e)
{
	bool selinux = !str_empty(p->selinux_label) || !str_empty(mount_label);

	if (!str_empty(p->apparmor_profile) && !has_apparmor())
		return lacks("process.apparmorProfile", p->apparmor_profile, "AppArmor", e);
	if (!selinux || has_selinux())
		return 0;
	if (!str_empty(p->selinux_label))
		return lacks("process.selinuxLabel", p->selinux_label, "SELinux", e);
	return lacks("linux.mountLabel", mount_label, "SELinux", e);
}
