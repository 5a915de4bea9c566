/* SPDX-License-Identifier: Apache-2.0 */
/* State directories: ROOT/ID, 0700, locked by flock while a command changes it. The lock dies with
 * its holder, so that what a killed command left can be told from what one is doing. A child that
 * is just being started shares the lock until its exec, also when its parent has been killed: so
 * a command waits for the lock, for a while. Reading needs none: state.json is replaced whole. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_SECONDS = 10 };

int runtime_root_open(const struct runtime_program *p, struct err *e)
{
	int fd = path_open_host(p->root, O_PATH | O_DIRECTORY, 0);

	/* What climbs would be clamped below */
	if (fd == -ENOENT && (*p->root == '/' || !strstr(p->root, ".."))) {
		const char *from = *p->root == '/' ? "/" : ".";
		_cleanup_(fd_close) int top = path_open_host(from, O_PATH | O_DIRECTORY, 0);

		fd = top < 0 ? top : path_mkdirs(top, p->root, 0700, 0);
	}
	return fd < 0 ? err_errno(e, fd, "opening the state folder '%s'", p->root) : fd;
}

static void on_alarm(int signo)
{
}

/* Waits for the lock; a directory that was removed meanwhile is -ENOENT. */
static int lock(int dir)
{
	const struct sigaction act = {.sa_handler = on_alarm}; /* no SA_RESTART */
	struct sigaction old;
	struct stat sb;
	int r = 0;

	if (flock(dir, LOCK_EX | LOCK_NB) < 0) {
		sigaction(SIGALRM, &act, &old);
		alarm(LOCK_SECONDS);
		r = flock(dir, LOCK_EX) < 0 ? -errno : 0;
		alarm(0);
		sigaction(SIGALRM, &old, NULL);
	}
	if (r < 0)
		return r == -EINTR ? -EBUSY : r;
	if (fstat(dir, &sb) < 0)
		return -errno;
	return sb.st_nlink ? 0 : -ENOENT;
}

void runtime_state_unlock(int dir)
{
	flock(dir, LOCK_UN);
}

static int open_dir(int root, const char *id, bool locked)
{
	int dir, r;

	if (!runtime_id_check(id))
		return -EINVAL;
	dir = path_open_own(root, id, O_RDONLY | O_DIRECTORY, 0);
	r = dir < 0 ? dir : locked ? lock(dir) : 0;
	if (r < 0)
		fd_close(&dir);
	return r < 0 ? r : dir;
}

int runtime_state_open(int root, const char *id, bool locked, struct err *e)
{
	int dir = open_dir(root, id, locked);

	if (dir == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "container '%s' does not exist", id);
	if (dir == -EBUSY)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is in use by another command",
			       id);
	return dir < 0 ? err_errno(e, dir, "opening container '%s'", id) : dir;
}

/* Removes what a killed creation left in DIR; another state there is ERR_EXISTS. */
static int take_over(int dir, const char *id, struct err *e)
{
	_cleanup_(container_state_done) struct container_state s = CONTAINER_STATE_INIT;
	struct err why = ERR_INIT;

	if (container_state_read(dir, &s, &why) < 0) {
		if (why.class == ERR_NOT_FOUND)
			return 0;
		*e = why;
		return -1;
	}
	if (s.status != CONTAINER_CREATING)
		return err_set(e, ERR_EXISTS, 0, "container '%s' exists", id);
	return runtime_delete_other(dir, true, e);
}

int runtime_state_make(int root, const char *id, struct err *e)
{
	int dir = open_dir(root, id, true);

	if (dir == -ENOENT) {
		int made = path_mkdirs(root, id, 0700, PATH_NO_SYMLINKS);

		if (made < 0)
			return err_errno(e, made, "making the state folder of '%s'", id);
		fd_close(&made);
		dir = open_dir(root, id, true);
	}
	if (dir == -EINVAL)
		return err_set(e, ERR_INVALID, 0, "'%s' is no container ID", id);
	if (dir == -EBUSY)
		return err_set(e, ERR_EXISTS, 0, "container '%s' exists", id);
	if (dir < 0)
		return err_errno(e, dir, "opening the state folder of '%s'", id);
	if (take_over(dir, id, e) < 0) {
		fd_close(&dir);
		return -1;
	}
	return dir;
}

int runtime_config_load(int dir, struct buf *text, struct runtime_config *ret, struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open(dir, CONTAINER_CONFIG_FILE, O_RDONLY | O_NONBLOCK, 0);
	int r = fd < 0 ? fd : fd_read_all(fd, text, RUNTIME_CONFIG_MAX);

	if (r < 0)
		return err_errno(e, r, "reading config.json of the bundle");
	return runtime_config_parse(buf_str(text), text->len, ret, e);
}

int runtime_target_config(const struct runtime_target *t, struct runtime_config *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(RUNTIME_CONFIG_MAX + 1);

	return runtime_config_load(t->dir, &text, ret, e);
}

int runtime_target_open(const struct runtime_program *p, const char *id, bool locked,
			struct runtime_target *ret, struct err *e)
{
	ret->root = runtime_root_open(p, e);
	if (ret->root < 0)
		return -1;
	ret->dir = runtime_state_open(ret->root, id, locked, e);
	if (ret->dir < 0)
		return -1;
	if (container_state_read(ret->dir, &ret->state, e) >= 0)
		return 0;
	if (e && e->class == ERR_CORRUPT)
		err_hint(e, "'delete --force %s' removes it", id);
	return err_wrap(e, "container '%s'", id);
}

void runtime_target_done(struct runtime_target *t)
{
	container_state_done(&t->state);
	fd_close(&t->dir);
	fd_close(&t->root);
}
