/* SPDX-License-Identifier: Apache-2.0 */
/* The mount of type "cgroup". The container sees its own cgroup and nothing above it: clones of
 * the directories that cgroup_create made, so that the cgroup namespace, where it has one, shows
 * them as the root. On version 2 that is one directory; on version 1 a tmpfs that is filled here
 * while it is detached, read-only from the start, with a directory for each hierarchy. */
#include "runtime/plan-build-internal.h"

#include "base/fd.h"
#include "base/str.h"
#include "kernel/mount.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int clone_dir(int dir, uint64_t attr)
{
	struct mount_change c = {.set = attr, .propagation = MS_PRIVATE};
	int mnt = mount_clone_peer(dir, false);
	int r = mnt < 0 ? mnt : mount_set(mnt, &c, false);

	if (r < 0)
		fd_close(&mnt);
	return r < 0 ? r : mnt;
}

static void add_tree(struct plan_builder *b, const char *target, int mnt)
{
	plan_add(b->plan, (struct plan_step){.op = PLAN_MOUNT_TREE,
					     .str = {plan_str(target)},
					     .fd = {plan_fd(b->plan, mnt, true)}});
}

/* The directory's name of a hierarchy in /sys/fs/cgroup. */
static const char *dir_name(const struct cgroup_hierarchy *h)
{
	const char *named = str_after(h->name, "name=");

	if (h->controllers & CGROUP_UNIFIED)
		return "unified";
	return named ? named : h->name;
}

/* "cpu" and "cpuacct" for the directory "cpu,cpuacct". */
static int link_parts(struct plan_builder *b, int tmpfs, const char *name)
{
	const char **parts;

	if (!strchr(name, ','))
		return 0;
	parts = str_split(&b->arena, name, ',', NULL);
	if (!parts)
		return -ENOMEM;
	for (; *parts; parts++)
		if (symlinkat(name, tmpfs, *parts) < 0 && errno != EEXIST)
			return -errno;
	return 0;
}

static int make_tmpfs(struct plan_builder *b, const struct cgroup *cg, uint64_t attr)
{
	static const struct mount_param params[] = {{.key = "mode", .value = "755"},
						    {.key = "size", .value = "64k"}};
	struct mount_change c = {.set = attr};
	int mnt = mount_fs_new("tmpfs", "tmpfs", params, ARRAY_SIZE(params),
			       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int r = mnt;

	for (size_t i = 0; r >= 0 && i < cg->host->n; i++) {
		const char *name = dir_name(&cg->host->h[i]);

		if (!cgroup_has(cg, i))
			continue;
		if (mkdirat(mnt, name, 0755) < 0)
			r = -errno;
		else
			r = link_parts(b, mnt, name);
	}
	if (r >= 0)
		r = mount_set(mnt, &c, false);
	if (r < 0)
		fd_close(&mnt);
	return r < 0 ? r : mnt;
}

/* One directory at TARGET: a clone of it. */
static int add_dir(struct plan_builder *b, const char *target, int dir, uint64_t attr)
{
	const struct plan_bind bind = {.own = {.set = attr}};
	int mnt;

	if (!target)
		return -ENOMEM;
	if (b->classic)
		return plan_bind_classic(b, target, dir, &bind, NULL) < 0 ? -ENOSYS : 0;
	mnt = clone_dir(dir, attr);
	if (mnt >= 0)
		add_tree(b, target, mnt);
	return mnt < 0 ? mnt : 0;
}

/* The tmpfs where nothing can be made while it is detached: the stage makes it, and what is in it
 * by mounting there. Read-only comes after that. */
static int add_tmpfs(struct plan_builder *b, const char *target)
{
	static const char *const data[] = {"mode=755", "size=64k", NULL};

	plan_add(b->plan, (struct plan_step){
				  .op = PLAN_MOUNT_FS,
				  .num = {MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
				  .str = {plan_str(target), plan_str("tmpfs"), plan_str("tmpfs"),
					  plan_strv(b, data)}});
	return 0;
}

static int add_v1(struct plan_builder *b, const struct oci_mount *m, const struct cgroup *cg,
		  uint64_t attr)
{
	int r = b->classic ? add_tmpfs(b, m->destination) : make_tmpfs(b, cg, attr);

	if (r < 0)
		return r;
	if (!b->classic)
		add_tree(b, m->destination, r);
	for (size_t i = 0; i < cg->host->n; i++) {
		const char *target;

		if (!cgroup_has(cg, i))
			continue;
		target =
			arena_printf(&b->arena, "%s/%s", m->destination, dir_name(&cg->host->h[i]));
		r = add_dir(b, target, cg->dir[i], attr);
		if (r < 0)
			return r;
	}
	if (b->classic && attr & MOUNT_ATTR_RDONLY)
		plan_step_str(b, PLAN_READONLY, m->destination, NULL);
	return 0;
}

int plan_build_cgroup_mount(struct plan_builder *b, const struct oci_mount *m, uint64_t attr,
			    struct err *e)
{
	const struct cgroup *cg = b->in->cgroup ? &b->in->cgroup->cg : NULL;
	int r = 0;

	/* Without a cgroup of its own there is nothing to show, and what is there already, by a
	 * bind of the host's /sys, must not be seen (CVE-2023-25809) */
	if (!cg || !cg->host) {
		plan_step_str(b, PLAN_MASK, m->destination, NULL);
		return 0;
	}
	if (cg->host->mode == CGROUP_V2) {
		r = add_dir(b, m->destination, cg->dir[0], attr);
	} else {
		r = add_v1(b, m, cg, attr);
	}
	return r < 0 ? err_errno(e, r, "mounting '%s' (cgroup)", m->destination) : 0;
}
