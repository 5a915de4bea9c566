/* SPDX-License-Identifier: Apache-2.0 */
/* Names are cleaned as text first, as Go's path.Clean does it and so Docker and containerd; then
 * the directory is resolved inside the root, where symbolic links that earlier entries made may
 * lead anywhere but out. The last few directories stay open: archives come sorted by directory,
 * and resolving is most of what a small file costs. */
#include "unpack/unpack-internal.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int unpack_name_set(struct unpack_name *n, const char *prefix, const char *name, struct err *e)
{
	size_t floor = strlen(prefix), len = floor;

	if (floor >= sizeof(n->path))
		return err_set(e, ERR_INVALID, ENAMETOOLONG, "the directory to copy to");
	memcpy(n->path, prefix, floor + 1);
	while (*name) {
		size_t part = strcspn(name, "/");

		if (part == 2 && name[0] == '.' && name[1] == '.') {
			if (len == floor)
				return err_set(e, ERR_HOSTILE, 0, "the name leads out of the root");
			while (len > floor && n->path[--len] != '/')
				;
		} else if (part > 0 && !(part == 1 && name[0] == '.')) {
			if (len + 1 + part >= sizeof(n->path))
				return err_set(e, ERR_INVALID, ENAMETOOLONG, "the name");
			if (len > 0)
				n->path[len++] = '/';
			memcpy(n->path + len, name, part);
			len += part;
		}
		n->path[len] = '\0';
		name += part;
		name += strspn(name, "/");
	}
	n->root = len == floor;
	n->last = strrchr(n->path, '/');
	n->last = n->last ? n->last + 1 : n->path;
	return 0;
}

static void slot_clear(struct parent_slot *s)
{
	if (s->path)
		fd_close(&s->fd);
	free(s->path);
	*s = (struct parent_slot){.fd = -1};
}

void unpack_parents_forget(struct unpack *u)
{
	for (size_t i = 0; i < PARENT_SLOTS; i++)
		slot_clear(&u->parents[i]);
}

void unpack_parent_put(struct unpack *u, const char *path, int fd)
{
	struct parent_slot *s = &u->parents[0];
	char *copy = strdup(path);

	for (size_t i = 0; i < PARENT_SLOTS; i++) {
		struct parent_slot *t = &u->parents[i];

		if (t->path && strcmp(t->path, path) == 0) {
			s = t;
			break;
		}
		if (t->used < s->used)
			s = t;
	}
	slot_clear(s);
	if (!copy) {
		fd_close(&fd);
		return;
	}
	*s = (struct parent_slot){.path = copy, .fd = fd, .used = ++u->clock};
}

/* What was changed below a directory changed the directory: all of PATH counts as touched. */
static int touch_above(struct unpack *u, char *path, struct err *e)
{
	for (char *p = path;; p++) {
		_cleanup_(fd_close) int fd = -1;
		char saved = *p;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		fd = path_open(u->root, path, O_PATH, u->path_flags);
		*p = saved;
		if (fd < 0)
			return err_errno(e, fd, "opening a directory");
		if (unpack_touch(u, fd, e) < 0)
			return -1;
		if (!saved)
			return 0;
	}
}

/* Opens the directory PATH, making what is missing. */
static int open_parent(struct unpack *u, char *path, struct err *e)
{
	int fd = path_open(u->root, path, O_PATH | O_DIRECTORY, u->path_flags);

	if (fd == -ENOENT) {
		u->inodes++;
		for (const char *p = path; *p; p++)
			u->inodes += *p == '/';
		if (u->limits.max_inodes && u->inodes > u->limits.max_inodes)
			return err_set(e, ERR_LIMIT, 0, "more than %llu files",
				       (unsigned long long)u->limits.max_inodes);
		fd = path_mkdirs(u->root, path, 0755, u->path_flags);
	}
	if (fd < 0)
		return err_errno(e, fd, "opening its directory");
	if (u->mode == UNPACK_APPLY && touch_above(u, path, e) < 0) {
		fd_close(&fd);
		return -1;
	}
	return fd;
}

int unpack_parent(struct unpack *u, const struct unpack_name *n, struct err *e)
{
	char path[PATH_MAX] = "";
	int fd;

	if (n->last > n->path)
		memcpy(path, n->path, (size_t)(n->last - n->path) - 1);
	for (size_t i = 0; i < PARENT_SLOTS; i++) {
		struct parent_slot *s = &u->parents[i];

		if (s->path && strcmp(s->path, path) == 0) {
			s->used = ++u->clock;
			return s->fd;
		}
	}
	if (!*path) {
		fd = fcntl(u->root, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_errno(e, errno, "opening its directory");
	} else {
		fd = open_parent(u, path, e);
		if (fd < 0)
			return -1;
	}
	unpack_parent_put(u, path, fd);
	for (size_t i = 0; i < PARENT_SLOTS; i++)
		if (u->parents[i].path && strcmp(u->parents[i].path, path) == 0)
			return u->parents[i].fd;
	return err_errno(e, ENOMEM, "opening its directory");
}
