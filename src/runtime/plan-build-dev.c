/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for devices: those of the specification (config-linux.md, "Default Devices"), those of the
 * configuration, and the usual links. Nodes are made by mknod; in a user namespace, which must not
 * make any, the host's nodes are bound. */
#include "runtime/plan-build-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct oci_device default_devices[] = {
	{.type = 'c', .path = "/dev/null", .major = 1, .minor = 3},
	{.type = 'c', .path = "/dev/zero", .major = 1, .minor = 5},
	{.type = 'c', .path = "/dev/full", .major = 1, .minor = 7},
	{.type = 'c', .path = "/dev/random", .major = 1, .minor = 8},
	{.type = 'c', .path = "/dev/urandom", .major = 1, .minor = 9},
	{.type = 'c', .path = "/dev/tty", .major = 5, .minor = 0},
};

static const char *const links[][2] = {
	{"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
	{"/dev/core", "/proc/kcore"},       {"/dev/ptmx", "pts/ptmx"},
};

/* A host's /dev that is bound is not ours to fill. */
static bool dev_is_bound(const struct runtime_config *c)
{
	bool bound = false;

	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];

		if (str_eq(m->destination, "/dev") || str_eq(m->destination, "/dev/"))
			bound = str_eq0(m->type, "bind") ||
				strv_has((const char *const *)m->options, "bind") ||
				strv_has((const char *const *)m->options, "rbind");
	}
	return bound;
}

static mode_t node_type(char type)
{
	return type == 'c' ? S_IFCHR : type == 'b' ? S_IFBLK : S_IFIFO;
}

static int bind_device(struct plan_builder *b, const struct oci_device *d, struct err *e)
{
	_cleanup_(fd_close) int node = path_open_host(d->path, O_PATH, 0);
	struct stat sb;
	int mnt;

	if (node < 0 || fstat(node, &sb) < 0)
		return err_errno(e, node < 0 ? node : errno, "opening the device '%s'", d->path);
	if ((sb.st_mode & S_IFMT) != node_type(d->type) ||
	    (d->type != 'p' && sb.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor)))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "binding the device '%s': the host's is another one", d->path);
	if (b->classic)
		return plan_bind_classic(b, d->path, node,
					 &(struct plan_bind){.flags = PLAN_MOUNT_FILE}, e);
	mnt = mount_clone(node, false);
	if (mnt < 0)
		return err_errno(e, mnt, "binding the device '%s'", d->path);
	plan_add(b->plan, (struct plan_step){.op = PLAN_MOUNT_TREE,
					     .flags = PLAN_MOUNT_FILE,
					     .str = {plan_str(d->path)},
					     .fd = {plan_fd(b->plan, mnt, true)}});
	return 0;
}

static int add_device(struct plan_builder *b, const struct oci_device *d, struct err *e)
{
	mode_t mode = d->file_mode.set ? (mode_t)d->file_mode.value & 07777 : 0666;

	if (b->userns)
		return bind_device(b, d, e);
	plan_add(b->plan, (struct plan_step){.op = PLAN_MKNOD,
					     .num = {node_type(d->type) | mode, (uint64_t)d->major,
						     (uint64_t)d->minor,
						     (uint64_t)(d->uid.set ? d->uid.value : 0),
						     (uint64_t)(d->gid.set ? d->gid.value : 0)},
					     .str = {plan_str(d->path)}});
	return 0;
}

static bool is_listed(const struct oci_linux *l, const char *path)
{
	for (size_t i = 0; i < l->n_devices; i++)
		if (str_eq(l->devices[i].path, path))
			return true;
	return false;
}

int plan_build_devices(struct plan_builder *b, struct err *e)
{
	const struct oci_linux *l = &b->c->linux_;

	if (dev_is_bound(b->c))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		if (!is_listed(l, default_devices[i].path) &&
		    add_device(b, &default_devices[i], e) < 0)
			return -1;
	for (size_t i = 0; i < l->n_devices; i++)
		if (add_device(b, &l->devices[i], e) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		plan_step_str(b, PLAN_SYMLINK, links[i][0], links[i][1]);
	return 0;
}
