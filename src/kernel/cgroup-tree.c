/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of cgroups: made, listed and removed, one hierarchy at a time, always below the
 * descriptor of the hierarchy.
 *
 * Making tries the whole path first and walks only where a parent is missing. Removing tries one
 * rmdir first; where that says EBUSY it descends to the first leaf, removes it and starts again
 * from the top, so that no depth of nesting (a container may nest as it likes) costs stack or
 * descriptors. */
#include "kernel/cgroup-internal.h"

#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int cgroup_full_path(const struct cgroup_hierarchy *h, const char *path, char *out)
{
	int n = snprintf(out, CGROUP_FULL_MAX, "%s%s%s", h->prefix, *h->prefix ? "/" : "", path);

	return n < CGROUP_FULL_MAX ? 0 : -ENAMETOOLONG;
}

int cgroup_tree_open(const struct cgroup_hierarchy *h, const char *path)
{
	char full[CGROUP_FULL_MAX];
	int r = cgroup_full_path(h, path, full);
	int fd;

	if (r < 0)
		return r;
	fd = openat(h->base, full, DIR_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* Makes everything above the last component of FULL that is missing. */
static int make_parents(int base, char *full)
{
	for (char *slash = strchr(full, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdirat(base, full, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_dir(const struct cgroup_hierarchy *h, const char *path)
{
	char full[CGROUP_FULL_MAX];
	int r = cgroup_full_path(h, path, full);

	for (int attempt = 0; r == 0 && attempt < 3; attempt++) {
		if (mkdirat(h->base, full, 0755) == 0)
			return 0;
		if (errno == ENOENT)
			r = make_parents(h->base, full);
		else if (errno == EEXIST)
			/* A leftover: its limits may be anybody's, so it is made anew. */
			r = cgroup_tree_remove(h, path);
		else
			r = -errno;
	}
	return r == -EBUSY || r == 0 ? -EEXIST : r;
}

static int join_leaf(const struct cgroup_hierarchy *h, const char *path)
{
	_cleanup_(fd_close) int dir = -1;
	char full[CGROUP_FULL_MAX];
	int r = cgroup_full_path(h, path, full);

	if (r < 0)
		return r;
	r = make_parents(h->base, full);
	if (r == 0 && mkdirat(h->base, full, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0)
		return r;
	dir = cgroup_tree_open(h, path);
	return dir < 0 ? dir : cgroup_write(dir, "cgroup.procs", "0", NULL);
}

int cgroup_leave(const struct cgroup_host *host, const char *path)
{
	int failed = 0;

	for (size_t i = 0; i < host->n; i++) {
		const struct cgroup_hierarchy *h = &host->h[i];
		bool manages = (h->controllers & CGROUP_UNIFIED) || str_eq(h->name, "name=systemd");
		int r = manages && h->below_root ? join_leaf(h, path) : 0;

		if (r < 0 && failed == 0)
			failed = r;
	}
	return failed;
}

int cgroup_tree_make(struct cgroup *cg, size_t i)
{
	const struct cgroup_hierarchy *h = &cg->host->h[i];
	int r = make_dir(h, cg->path);

	if (r < 0)
		return r;
	r = cgroup_tree_open(h, cg->path);
	if (r < 0)
		return r;
	cg->dir[i] = r;
	return 0;
}

/* The name of the first directory in DIR, in NAME. 1, 0 where there is none, or an errno. */
static int first_child(int dir, char name[NAME_MAX + 1])
{
	int copy = openat(dir, ".", DIR_FLAGS);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	int r = 0;

	if (!d) {
		r = -errno;
		fd_close(&copy);
		return r;
	}
	for (struct dirent *entry; r == 0 && (entry = readdir(d)) != NULL;) {
		if (entry->d_type != DT_DIR || str_eq(entry->d_name, ".") ||
		    str_eq(entry->d_name, ".."))
			continue;
		snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
		r = 1;
	}
	closedir(d);
	return r;
}

/* Removes one leaf somewhere below TOP. 1, 0 where TOP has no children, or an errno. */
static int remove_leaf(int top)
{
	_cleanup_(fd_close) int at = openat(top, ".", DIR_FLAGS);
	char name[NAME_MAX + 1];
	int r = at < 0 ? -errno : first_child(at, name);

	while (r > 0) {
		int child;

		if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 1;
		if (errno != EBUSY)
			return -errno;
		child = openat(at, name, DIR_FLAGS);
		if (child < 0)
			return errno == ENOENT ? 1 : -errno;
		fd_close(&at);
		at = child;
		r = first_child(at, name);
		if (r == 0)
			return -EBUSY; /* a leaf with processes */
	}
	return r;
}

int cgroup_tree_remove(const struct cgroup_hierarchy *h, const char *path)
{
	_cleanup_(fd_close) int dir = -1;
	char full[CGROUP_FULL_MAX];
	int r = cgroup_full_path(h, path, full);

	if (r < 0)
		return r;
	for (;;) {
		if (unlinkat(h->base, full, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		if (dir < 0)
			dir = cgroup_tree_open(h, path);
		if (dir < 0)
			return dir == -ENOENT ? 0 : dir;
		r = remove_leaf(dir);
		if (r < 0)
			return r;
		if (r == 0)
			return -EBUSY;
	}
}
