/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container that does not run, as it will see them: its root file system with its
 * volumes and binds on it. A mount can only be attached inside of a mount namespace: a child of
 * ours makes one, puts everything together in it, clones the result, sends it back and ends; the
 * host's table never sees any of it. Sources are cloned before, in the namespace in which they are.
 */
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/mount-internal.h"
#include "kernel/mount.h"
#include "kernel/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct compose {
	const struct spec_mount *points;
	size_t n;
	int *clones; /* detached mounts, one for each point; -1 */
	size_t *order;
	int root;
};

static void compose_done(struct compose *c)
{
	for (size_t i = 0; c->clones && i < c->n; i++)
		fd_close(&c->clones[i]);
	free(c->clones);
	free(c->order);
}

/* ---- before: in the host's namespace ---- */

static int clone_source(const struct spec_mount *m, int source)
{
	static const struct mount_change read_only = {.set = MOUNT_ATTR_RDONLY};
	bool recursive = m->type == SPEC_MOUNT_BIND && m->recursive != SPEC_RECURSIVE_DISABLED;
	int fd = mount_clone(source, recursive), r;

	/* A detached mount (of an image, of a volume with options): as it is. */
	if (fd == -EINVAL) {
		fd = fcntl(source, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -errno;
	}
	if (fd < 0 || !m->read_only)
		return fd;
	r = mount_set(fd, &read_only, recursive);
	if (r < 0)
		fd_close(&fd);
	return r < 0 ? r : fd;
}

/* What lies below another mount comes after it. */
static void sort_points(struct compose *c)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t k = i;

		for (; k > 0 &&
		       strlen(c->points[c->order[k - 1]].target) > strlen(c->points[i].target);
		     k--)
			c->order[k] = c->order[k - 1];
		c->order[k] = i;
	}
}

static int clone_sources(struct compose *c, const struct mount_sources *s, struct err *e)
{
	c->clones = calloc(c->n, sizeof(*c->clones));
	c->order = calloc(c->n, sizeof(*c->order));
	if (!c->clones || !c->order)
		return err_errno(e, ENOMEM, "mounting volumes");
	for (size_t i = 0; i < c->n; i++)
		c->clones[i] = -1;
	for (size_t i = 0; i < c->n; i++) {
		if (s->fds[i] < 0)
			continue;
		c->clones[i] = clone_source(&c->points[i], s->fds[i]);
		if (c->clones[i] < 0)
			return err_errno(e, c->clones[i], "mounting '%s'", c->points[i].target);
	}
	sort_points(c);
	return 0;
}

/* ---- the child ---- */

static int attach_point(const struct compose *c, size_t i)
{
	_cleanup_(fd_close) int at = -1;
	struct stat st;

	if (c->clones[i] < 0)
		return 0;
	if (fstat(c->clones[i], &st) < 0)
		return -errno;
	at = path_mount_point(c->root, c->points[i].target, !S_ISDIR(st.st_mode), 0755);
	return at < 0 ? at : mount_move(c->clones[i], at);
}

/* Returns the clone of it all, or a negative errno. */
static int compose_inside(void *arg)
{
	const struct compose *c = arg;
	static const struct mount_change private = {.propagation = MS_PRIVATE};
	_cleanup_(fd_close) int top = -1;
	int r = ns_unshare(CLONE_NEWNS);

	if (r < 0)
		return r;
	top = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	r = top < 0 ? top : mount_set(top, &private, true);
	if (r == 0)
		r = mount_move(c->root, top);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = attach_point(c, c->order[i]);
	return r < 0 ? r : mount_clone(c->root, true);
}

int container_compose(struct engine *en, const struct container *c, int root, struct err *e)
{
	_cleanup_(compose_done) struct compose all = {
		.points = c->spec.points, .n = c->spec.n_points, .root = root};
	struct mount_sources sources = {.n = 0};
	int r = mount_sources_open(en, c, &sources, e);

	if (r == 0)
		r = clone_sources(&all, &sources, e);
	if (r == 0) {
		r = process_fork_fd(compose_inside, &all);
		if (r < 0)
			err_errno(e, r, "mounting the volumes of container %.12s", c->id);
	}
	/* As Docker: a source of -v that was missing is there from now on. */
	mount_sources_done(&sources, r < 0);
	return r < 0 ? -1 : r;
}
