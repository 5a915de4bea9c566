/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups of a process that joins a container. In each hierarchy it goes where the container
 * has a directory, or into one below that: never beside or above it. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/proc-info.h"
#include "runtime/exec-internal.h"

#include <errno.h>
#include <string.h>

/* Takes over the directories of SUB in the hierarchies with one of CONTROLLERS (0: all). */
static bool replace_dirs(struct cgroup *cg, struct cgroup *sub, uint32_t controllers)
{
	bool any = false;

	for (size_t i = 0; i < cg->host->n; i++) {
		if (sub->dir[i] < 0 || (controllers && !(cg->host->h[i].controllers & controllers)))
			continue;
		fd_close(&cg->dir[i]);
		cg->dir[i] = TAKE_FD(sub->dir[i]);
		any = true;
	}
	return any;
}

/* One of x->sub_cgroups: "PATH" or "CONTROLLERS:PATH". */
static int open_sub(struct runtime_cgroup *c, const char *base, const char *spec, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(cgroup_done) struct cgroup sub = CGROUP_INIT;
	const char *colon = strchr(spec, ':'), *rel = colon ? colon + 1 : spec;
	const char *names = colon ? arena_strndup(&a, spec, (size_t)(colon - spec)) : "";
	const char *path;
	int r;

	rel += strspn(rel, "/");
	if (!*rel)
		return 0;
	path = arena_printf(&a, "%s/%s", base, rel);
	r = path && names ? cgroup_open(&c->host, path, &sub) : -ENOMEM;
	if (r >= 0 && !replace_dirs(&c->cg, &sub, cgroup_controllers_parse(names)))
		r = -ENOENT;
	return r < 0 ? err_errno(e, r, "opening the cgroup '%s' of the container", spec) : 0;
}

int exec_cgroup_open(const struct runtime_exec *x, struct runtime_cgroup **ret, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	*ret = NULL;
	if (!x->cgroup_path)
		return 0;
	if (runtime_cgroup_new(NULL, &c, e) < 0)
		return -1;
	if (c->host.mode == CGROUP_NONE)
		return 0;
	r = cgroup_open(&c->host, x->cgroup_path, &c->cg);
	/* One with processes cannot be removed: the container never got it (an ordinary user's) */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_errno(e, r, "opening the container's cgroup '%s'", x->cgroup_path);
	for (const char *const *s = x->sub_cgroups; s && *s; s++)
		if (open_sub(c, x->cgroup_path, *s, e) < 0)
			return -1;
	*ret = TAKE_PTR(c);
	return 0;
}

/* The target's path in the unified hierarchy, where it lies below the container's. */
static const char *target_path(const struct runtime_exec *x, int proc, struct arena *a)
{
	const char *base = x->cgroup_path + strspn(x->cgroup_path, "/");
	size_t len = strlen(base), n = 0;
	struct proc_cgroup *lines;

	if (proc_read_cgroup(proc, x->pid, a, &lines, &n) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *path = lines[i].path + strspn(lines[i].path, "/");

		if (!*lines[i].controllers && strncmp(path, base, len) == 0 &&
		    (path[len] == '/' || !path[len]))
			return path;
	}
	return NULL;
}

int exec_cgroup_of_target(const struct runtime_exec *x, int proc, struct runtime_cgroup *c,
			  struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(cgroup_done) struct cgroup own = CGROUP_INIT;
	const char *path = target_path(x, proc, &a);
	int r = path ? cgroup_open(&c->host, path, &own) : -EBUSY;

	if (r >= 0 && !replace_dirs(&c->cg, &own, CGROUP_UNIFIED))
		r = -EBUSY;
	return r < 0 ? err_errno(e, r, "joining the container's cgroup '%s'", x->cgroup_path) : 0;
}
