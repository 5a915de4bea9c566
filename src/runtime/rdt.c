/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rdt.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMATA_MAX = 1 << 16 };

const char *runtime_rdt_class(const struct oci_linux *l, const char *id)
{
	if (!l->has_intel_rdt)
		return NULL;
	return str_empty(l->intel_rdt.clos_id) ? id : l->intel_rdt.clos_id;
}

int runtime_rdt_open(struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	struct proc_mount *v = NULL;
	size_t n = 0;
	int r = proc < 0 ? proc : proc_read_mounts(proc, PROC_SELF, &a, &v, &n);

	if (r < 0)
		return err_errno(e, r, "looking for resctrl");
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(v[i].fstype, "resctrl") || !str_eq(v[i].root, "/"))
			continue;
		r = path_open_host(v[i].target, O_PATH | O_DIRECTORY, 0);
		return r < 0 ? err_errno(e, r, "opening '%s'", v[i].target) : r;
	}
	err_set(e, ERR_UNSUPPORTED, 0,
		"config.json: linux.intelRdt: there is no file system of the type resctrl: the "
		"processor or the kernel has no resource control, or it is not mounted");
	return err_hint(e, "mount -t resctrl resctrl /sys/fs/resctrl");
}

/* The kernel takes whole lines, one write a call (Documentation/filesystems/resctrl.rst). */
static int write_line(int dir, const char *file, const char *line)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SCHEMATA_MAX);
	_cleanup_(fd_close) int fd = path_open_own(dir, file, O_WRONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (buf_printf(&text, "%s\n", line) < 0)
		return -E2BIG;
	n = write(fd, text.data, text.len);
	return n < 0 ? -errno : n == (ssize_t)text.len ? 0 : -EIO;
}

static int write_schema(int dir, const char *line, struct err *e)
{
	int r = str_empty(line) ? 0 : write_line(dir, "schemata", line);

	return r < 0 ? err_errno(e, r, "config.json: linux.intelRdt: writing '%.200s' to schemata",
				 line)
		     : 0;
}

static int write_schemata(int dir, const struct oci_intel_rdt *r, struct err *e)
{
	if (write_schema(dir, r->l3, e) < 0 || write_schema(dir, r->mem_bw, e) < 0)
		return -1;
	for (const char *const *s = (const char *const *)r->schemata; s && *s; s++)
		if (write_schema(dir, *s, e) < 0)
			return -1;
	return 0;
}

static bool asks(const struct oci_intel_rdt *r)
{
	return r->l3 || r->mem_bw || (r->schemata && r->schemata[0]);
}

int runtime_rdt_make(int root, const struct oci_intel_rdt *r, const char *name, struct err *e)
{
	bool named = !str_empty(r->clos_id), made;
	_cleanup_(fd_close) int dir = -1;

	/* config-linux.md, IntelRdt: without schemata the class must be there */
	dir = path_open_own(root, name, O_PATH | O_DIRECTORY, 0);
	if (dir == -ENOENT && named && !asks(r))
		return err_set(e, ERR_NOT_FOUND, ENOENT,
			       "config.json: linux.intelRdt.closID: there is no class '%s'", name);
	made = dir == -ENOENT;
	if (made && mkdirat(root, name, 0755) < 0)
		return err_errno(e, errno, "config.json: linux.intelRdt: making the class '%s'",
				 name);
	if (made)
		dir = path_open_own(root, name, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return err_errno(e, dir, "opening the class '%s' of resctrl", name);
	if (write_schemata(dir, r, e) == 0)
		return 0;
	if (made)
		unlinkat(root, name, AT_REMOVEDIR);
	return -1;
}

int runtime_rdt_join(int root, const char *name, pid_t pid, struct err *e)
{
	_cleanup_(fd_close) int dir = path_open_own(root, name, O_PATH | O_DIRECTORY, 0);
	char text[16];
	int r = dir;

	snprintf(text, sizeof(text), "%d", pid);
	if (r >= 0)
		r = write_line(dir, "tasks", text);
	return r < 0 ? err_errno(e, r, "putting process %d into the class '%s' of resctrl", pid,
				 name)
		     : 0;
}

int runtime_rdt_remove(int root, const char *name, struct err *e)
{
	if (unlinkat(root, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return err_errno(e, errno, "removing the class '%s' of resctrl", name);
}
