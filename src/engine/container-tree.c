/* SPDX-License-Identifier: Apache-2.0 */
/* A running container's mounts can only be cloned inside of its mount namespace: a child of ours
 * joins it, clones, sends the descriptor back and ends. It is not in the container's pid namespace,
 * so that nothing there sees it, and it executes nothing. The clone is a snapshot of the mounts,
 * with the read-only ones read-only, and has nothing above it.
 *
 * The process is PID 1 of the container where its cgroup says so after its namespace was opened
 * (E37): a number alone might have been given out again. */
#include "engine/container-tree.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "codec/sink.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/proc-info.h"
#include "monitor/monitor.h"
#include "oci/passwd.h"
#include "store/tree-tar.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TREE_WAIT_MS = 10000 };

struct container_tree {
	struct engine *en;
	struct container c;
	int root;
	int run_dir, lock; /* of a container that does not run */
};

static bool is_alive(const struct container *c)
{
	return c->state != ENGINE_CREATED && c->state != ENGINE_EXITED;
}

/* ---- a container that runs ---- */

struct clone_wish {
	int ns;
	bool recursive;
};

static int clone_inside(void *arg)
{
	const struct clone_wish *w = arg;
	int r = ns_join(w->ns, CLONE_NEWNS);

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (r < 0)
		return r;
	r = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	return r < 0 ? r : mount_clone(r, w->recursive);
}

static int clone_mounts(int ns, bool recursive)
{
	return process_fork_fd(clone_inside, &(struct clone_wish){ns, recursive});
}

static bool is_init_of(int proc, const struct container *c)
{
	_cleanup_(arena_done) struct arena arena = ARENA_INIT;
	struct proc_cgroup *groups = NULL;
	size_t n = 0;

	if (proc_read_cgroup(proc, c->pid, &arena, &groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strstr(groups[i].path, c->id))
			return true;
	return false;
}

/* 1; 0 where its process has ended meanwhile. */
static int open_alive(struct container_tree *t, unsigned flags, struct err *e)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(fd_close) int ns = proc < 0 ? proc : ns_open(proc, t->c.pid, CLONE_NEWNS);
	int fd;

	if (ns == -ENOENT || ns == -ESRCH || (ns >= 0 && !is_init_of(proc, &t->c)))
		return 0;
	fd = ns < 0 ? ns : clone_mounts(ns, flags & CONTAINER_TREE_MOUNTS);
	if (fd < 0)
		return err_errno(e, fd, "reaching the files of container %.12s", t->c.id);
	t->root = fd;
	return 1;
}

/* ---- a container that does not ---- */

/* 1; 0 where somebody else has it: a start, a removal, another copy. */
static int open_stopped(struct container_tree *t, unsigned flags, struct err *e)
{
	_cleanup_(fd_close) int root = -1;
	char id[ID_SIZE];
	int r = container_own(t->en, t->c.id, &t->run_dir, &t->lock, e);

	if (r <= 0)
		return r;
	memcpy(id, t->c.id, sizeof(id));
	container_done(&t->c);
	t->c = CONTAINER_INIT;
	if (container_load(t->en, id, &t->c, e) < 0)
		return -1;
	/* It was started and its monitor died: container_refresh comes first. */
	if (is_alive(&t->c)) {
		fd_close(&t->lock);
		fd_close(&t->run_dir);
		return 0;
	}
	root = container_mount_rootfs(t->en, &t->c, e);
	if (root < 0)
		return -1;
	t->root = flags & CONTAINER_TREE_MOUNTS && t->c.spec.n_points > 0
			  ? container_compose(t->en, &t->c, root, e)
			  : TAKE_FD(root);
	return t->root < 0 ? -1 : 1;
}

/* The run directory was made for its lock alone. */
static void disown(struct container_tree *t)
{
	_cleanup_(fd_close) int parent =
		path_open_own(store_run_fd(t->en->store), "containers", O_PATH | O_DIRECTORY, 0);

	path_remove_tree(t->run_dir, MONITOR_LOCK);
	if (parent >= 0)
		unlinkat(parent, t->c.id, AT_REMOVEDIR);
}

static int open_tree_of(struct container_tree *t, const char *ref, unsigned flags, struct err *e)
{
	int64_t end = clock_monotonic() + TREE_WAIT_MS * INT64_C(1000000);
	char id[ID_SIZE];
	int r;

	if (engine_reconcile(t->en, e) < 0 || container_resolve(t->en, ref, id, e) < 0)
		return -1;
	for (;;) {
		container_done(&t->c);
		t->c = CONTAINER_INIT;
		if (container_load(t->en, id, &t->c, e) < 0 ||
		    container_refresh(t->en, &t->c, e) < 0)
			return -1;
		r = is_alive(&t->c) ? open_alive(t, flags, e) : open_stopped(t, flags, e);
		if (r)
			return r < 0 ? -1 : 0;
		if (clock_monotonic() > end)
			return err_set(e, ERR_CONFLICT, 0,
				       "container %s is being started, removed or copied", ref);
		/* Its program has ended and the row says so in a moment, or it is started again by
		 * its policy: nobody tells of that to who has not asked before. */
		if (is_alive(&t->c))
			poll(NULL, 0, 2);
		else
			container_await_change(t->en, id, TREE_WAIT_MS);
	}
}

void container_tree_free(struct container_tree *t)
{
	if (!t)
		return;
	fd_close(&t->root);
	if (t->lock >= 0)
		disown(t);
	fd_close(&t->lock);
	fd_close(&t->run_dir);
	container_done(&t->c);
	free(t);
}

int container_tree_open(struct engine *en, const char *ref, unsigned flags,
			struct container_tree **ret, struct err *e)
{
	_cleanup_(container_tree_freep) struct container_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return err_errno(e, ENOMEM, "opening the files of container %s", ref);
	t->en = en;
	t->c = CONTAINER_INIT;
	t->root = t->run_dir = t->lock = -1;
	if (open_tree_of(t, ref, flags, e) < 0)
		return -1;
	*ret = TAKE_PTR(t);
	return 0;
}

int container_tree_root(const struct container_tree *t)
{
	return t->root;
}

void container_tree_event(const struct container_tree *t, const char *action)
{
	event_container(t->en, &t->c, action, NULL);
}

/* ---- questions ---- */

int container_tree_check_writable(const struct container_tree *t, int dir, struct err *e)
{
	struct statx root, there;
	struct statvfs fs;

	if (statx(t->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &root) < 0 ||
	    statx(dir, "", AT_EMPTY_PATH, STATX_MNT_ID, &there) < 0 || fstatvfs(dir, &fs) < 0)
		return err_errno(e, errno, "looking at the directory to copy to");
	if (root.stx_mnt_id == there.stx_mnt_id) {
		if (t->c.spec.read_only || fs.f_flag & ST_RDONLY)
			return err_set(e, ERR_DENIED, 0, "container rootfs is marked read-only");
	} else if (fs.f_flag & ST_RDONLY) {
		return err_set(e, ERR_DENIED, 0, "mounted volume is marked read-only");
	}
	return 0;
}

/* A file of the container that may be missing. */
static int read_file(int root, const char *path, char **ret, size_t *ret_n, struct err *e)
{
	_cleanup_(fd_close) int held = path_open(root, path, O_PATH, 0);
	_cleanup_(fd_close) int fd = -1;
	struct buf b = BUF_INIT(PASSWD_SIZE_MAX);
	struct stat st;
	int r;

	if (held < 0 || fstat(held, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fd = fd_reopen(held, O_RDONLY);
	r = fd < 0 ? fd : fd_read_all(fd, &b, PASSWD_SIZE_MAX);
	if (r < 0) {
		buf_done(&b);
		return err_errno(e, r, "reading '%s' of the container", path);
	}
	*ret_n = b.len;
	*ret = buf_take(&b);
	return 0;
}

int container_tree_owner(const struct container_tree *t, uint32_t *ret_uid, uint32_t *ret_gid,
			 struct err *e)
{
	_cleanup_(passwd_identity_done) struct passwd_identity who = PASSWD_IDENTITY_INIT;
	_cleanup_(freep) char *passwd = NULL, *group = NULL;
	struct passwd_files files = {.n_passwd = 0};

	if (str_empty(t->c.spec.user))
		return 0;
	if (read_file(t->root, "/etc/passwd", &passwd, &files.n_passwd, e) < 0 ||
	    read_file(t->root, "/etc/group", &group, &files.n_group, e) < 0)
		return -1;
	files.passwd = passwd;
	files.group = group;
	if (passwd_resolve(t->c.spec.user, NULL, &files, &who, e) < 0)
		return -1;
	*ret_uid = who.uid;
	*ret_gid = who.gid;
	return 1;
}

/* ---- export ---- */

int container_export(struct engine *en, const char *ref, int fd, struct err *e)
{
	_cleanup_(container_tree_freep) struct container_tree *t = NULL;
	_cleanup_(sink_freep) struct sink *out = sink_to_fd(fd, e);
	const struct tree_tar_opts opts = {.flags = 0};

	if (!out || container_tree_open(en, ref, 0, &t, e) < 0)
		return -1;
	container_tree_event(t, "export");
	if (tree_tar_write(t->root, &opts, out, e) < 0 || sink_finish(out, e) < 0)
		return err_wrap(e, "exporting container %s", ref);
	return 0;
}
