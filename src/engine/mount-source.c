/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of a container's mounts, opened once at its start: what is mounted is what was looked
 * at. A missing source of `-v` becomes a directory, as with Docker; a start that fails takes it
 * away again. */
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "kernel/mount.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Directories that were made: PATH down to, and without, its first KEPT bytes. */
struct mount_made {
	char *path;
	size_t kept;
};

/* ---- directories for -v ---- */

/* How much of PATH is there already, in bytes. */
static size_t existing(int top, const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);
	size_t n = strlen(path);

	while (copy && n > 1) {
		_cleanup_(fd_close) int fd = path_open(top, copy, O_PATH, 0);

		if (fd >= 0)
			return n;
		while (n > 1 && copy[n - 1] != '/')
			n--;
		while (n > 1 && copy[n - 1] == '/')
			n--;
		copy[n] = '\0';
	}
	return n;
}

static int make_source(const char *path, struct mount_sources *s, struct err *e)
{
	_cleanup_(fd_close) int top = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	struct mount_made made = {.path = strdup(path)};
	int fd;

	if (top < 0 || !made.path) {
		free(made.path);
		return err_errno(e, top < 0 ? top : ENOMEM, "making '%s'", path);
	}
	made.kept = existing(top, path);
	s->made[s->n_made++] = made;
	fd = path_mkdirs(top, path, 0755, 0);
	if (fd < 0)
		return err_errno(e, fd, "error while creating mount source path '%s'", path);
	return fd;
}

static void unmake(const struct mount_made *m)
{
	_cleanup_(fd_close) int top = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	size_t n = strlen(m->path);

	while (top >= 0 && n > m->kept && n > 1) {
		_cleanup_(fd_close) int parent = -1;
		const char *last;

		m->path[n] = '\0';
		parent = path_open_parent(top, m->path, 0, &last);
		if (parent < 0 || unlinkat(parent, last, AT_REMOVEDIR) < 0)
			break;
		while (n > 1 && m->path[n - 1] != '/')
			n--;
		while (n > 1 && m->path[n - 1] == '/')
			n--;
	}
}

/* ---- one source ---- */

/* The mount that PATH is on, by the text of the table: the longest target that it is below. */
static const struct proc_mount *mount_of(const char *path, const struct proc_mount *v, size_t n)
{
	const struct proc_mount *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const char *rest = str_after(path, v[i].target);

		if (!rest || (*rest && *rest != '/' && !str_eq(v[i].target, "/")))
			continue;
		/* Of two at one place the later covers the other. */
		if (!best || strlen(v[i].target) >= strlen(best->target))
			best = &v[i];
	}
	return best;
}

/* Docker's check: what is to come through must come through a mount that lets it. */
static int check_propagation(const struct spec_mount *m, int fd, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = -1;
	bool shared = str_ends(m->propagation, "shared"), slave = str_ends(m->propagation, "slave");
	const struct proc_mount *at;
	struct proc_mount *v = NULL;
	char path[4096];
	size_t n = 0;

	if (!shared && !slave)
		return 0;
	proc = proc_open(0);
	if (proc < 0 || proc_read_mounts(proc, getpid(), &a, &v, &n) < 0)
		return 0;
	at = mount_of(path_of_fd(fd, path, sizeof(path)), v, n);
	if (!at || strstr(at->propagation, "shared:") ||
	    (slave && strstr(at->propagation, "master:")))
		return 0;
	return err_set(e, ERR_INVALID, 0, "path %s is mounted on %s but it is not a shared%s mount",
		       path, at->target, slave ? " or slave" : "");
}

static int open_bind(const struct spec_mount *m, struct mount_sources *s, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_host(m->source, O_PATH, 0);

	if (fd == -ENOENT && m->make_source)
		fd = make_source(m->source, s, e);
	else if (fd == -ENOENT)
		return err_set(e, ERR_INVALID, 0,
			       "invalid mount config for type \"bind\": bind source path does not "
			       "exist: %s",
			       m->source);
	else if (fd < 0)
		return err_errno(e, fd, "opening '%s'", m->source);
	if (fd < 0 || (m->propagation && check_propagation(m, fd, e) < 0))
		return -1;
	return TAKE_FD(fd);
}

static int open_image(struct engine *en, const struct spec_mount *m, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts d = SNAPSHOT_MOUNTS_INIT;

	if (!m->snapshot)
		return err_set(e, ERR_CORRUPT, 0, "the mount of the image '%s' has no view",
			       m->source);
	if (snapshot_mounts(en->store, m->snapshot, &d, e) < 0)
		return -1;
	return mount_snapshot(&d, false, e);
}

/* A part of a mount that is detached, and goes when its descriptor does (Linux 6.15). */
static int clone_part(const struct spec_mount *m, int part, struct err *e)
{
	int fd = mount_clone(part, false);

	if (fd == -EINVAL)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "mounting the subpath '%s' of '%s' needs Linux 6.15 or later",
			       m->subpath, m->source);
	return fd < 0 ? err_errno(e, fd, "mounting the subpath '%s' of '%s'", m->subpath, m->source)
		      : fd;
}

/* The part of a volume or image: what leads out of it is refused, not clamped. */
static int open_subpath(struct engine *en, const struct spec_mount *m, int top, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open(top, m->subpath, O_PATH, PATH_BENEATH);
	int detached;

	if (fd == -EXDEV || fd == -ELOOP)
		return err_set(e, ERR_HOSTILE, -fd, "the subpath '%s' leads out of '%s'",
			       m->subpath, m->source);
	if (fd < 0)
		return err_errno(e, fd, "cannot access path '%s' of '%s'", m->subpath, m->source);
	detached = m->type == SPEC_MOUNT_IMAGE ? 1 : volume_is_mounted(en, m->source, e);
	if (detached < 0)
		return -1;
	return detached ? clone_part(m, fd, e) : TAKE_FD(fd);
}

static int open_one(struct engine *en, const struct spec_mount *m, struct mount_sources *s,
		    struct err *e)
{
	_cleanup_(fd_close) int fd = -1;

	switch (m->type) {
	case SPEC_MOUNT_TMPFS:
		return -1;
	case SPEC_MOUNT_BIND:
		return open_bind(m, s, e);
	case SPEC_MOUNT_VOLUME:
		fd = volume_source(en, m->source, e);
		break;
	case SPEC_MOUNT_IMAGE:
		fd = open_image(en, m, e);
		break;
	}
	if (fd < 0)
		return -1;
	return m->subpath ? open_subpath(en, m, fd, e) : TAKE_FD(fd);
}

int mount_sources_open(struct engine *en, const struct container *c, struct mount_sources *ret,
		       struct err *e)
{
	size_t n = c->spec.n_points;

	if (n == 0)
		return 0;
	ret->fds = calloc(n, sizeof(*ret->fds));
	ret->made = calloc(n, sizeof(*ret->made));
	if (!ret->fds || !ret->made)
		return err_set(e, ERR_LIMIT, ENOMEM, "opening the sources of mounts");
	for (; ret->n < n; ret->n++) {
		const struct spec_mount *m = &c->spec.points[ret->n];

		ret->fds[ret->n] = open_one(en, m, ret, e);
		if (ret->fds[ret->n] < 0 && m->type != SPEC_MOUNT_TMPFS)
			return -1;
	}
	return FAILPOINT("engine.mounts.opened", e);
}

void mount_sources_done(struct mount_sources *m, bool undo)
{
	for (size_t i = 0; i < m->n; i++)
		fd_close(&m->fds[i]);
	for (size_t i = m->n_made; i-- > 0;) {
		if (undo)
			unmake(&m->made[i]);
		free(m->made[i].path);
	}
	free(m->fds);
	free(m->made);
	*m = (struct mount_sources){.n = 0};
}
