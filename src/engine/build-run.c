/* SPDX-License-Identifier: Apache-2.0 */
/* The order, and what undoes it:
 *
 *   snapshot row with our lease       a dead lease
 *   watcher knows run directory and cgroup
 *   run directory, root file system   watcher; the mount is detached and goes with its descriptor
 *   address on a network              the networks' keeper, which the watcher tells
 *   process                           watcher
 *
 * What a mount needs is made in the root file system where it is missing, and taken away again
 * before the layer is read: in the snapshot's own directory, when nothing is mounted any more, only
 * where it is still empty, and never through a link (B02). */
#include "engine/build-run.h"

#include "base/buf.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/build-watch.h"
#include "engine/engine-internal.h"
#include "engine/mount-internal.h"
#include "engine/network-internal.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, FILTER_MAX = 1 << 20 };

#define HOSTNAME "buildkitsandbox"

struct build_run {
	struct engine *en;
	struct container c;
	struct build_watch *watch;
	struct start_facts facts;
	struct runtime_config config;
	struct runtime_opts opts;
	struct buf seccomp;
	struct container_proc proc;
	struct endpoints endpoints; /* none, or one */
	const char *chain;
	char run_path[PATH_SIZE], cgroup[192];
	int run_dir, rootfs;
	int out[2];
	int *files; /* those of mounts with data, owned */
	size_t n_files;
	const char **stubs; /* what is missing for mounts, nearest to the root first */
	size_t n_stubs;
	bool watched, snapshot, ended;
};

static void step_end(struct build_run *r)
{
	struct err ignored = ERR_INIT;

	if (r->proc.pid > 0 && !r->ended) {
		runtime_signal(r->proc.pidfd, SIGKILL, &ignored);
		process_wait_pidfd(r->proc.pidfd, false, NULL);
	}
	if (r->proc.pid > 0)
		runtime_delete(&r->opts, &r->proc, &ignored);
	container_proc_done(&r->proc);
	r->proc = CONTAINER_PROC_INIT;
	if (r->endpoints.n)
		(void)step_network_end(r->en, r->c.id, &ignored);
	endpoints_done(&r->endpoints);
	fd_close(&r->rootfs);
	r->facts.rootfs = -1;
}

static void run_dir_remove(struct build_run *r)
{
	_cleanup_(fd_close) int parent =
		path_open_own(store_run_fd(r->en->store), BUILD_RUN_DIR, O_PATH | O_DIRECTORY, 0);

	if (parent >= 0)
		path_remove_tree(parent, r->c.id);
}

void build_run_free(struct build_run *r)
{
	if (!r)
		return;
	step_end(r);
	if (r->snapshot)
		build_layer_abort(r->en->store, r->c.snapshot);
	if (r->watched) {
		run_dir_remove(r);
		build_watch_remove(r->watch, r->c.id);
	}
	fd_close(&r->run_dir);
	fd_close(&r->out[0]);
	fd_close(&r->out[1]);
	fd_close(&r->facts.shared_shm);
	for (size_t i = 0; i < r->n_files; i++)
		fd_close(&r->files[i]);
	free(r->files);
	free(r->facts.sources.fds); /* the descriptors are the caller's */
	runtime_config_done(&r->config);
	buf_done(&r->seccomp);
	container_done(&r->c);
	free(r);
}

/* ---- what it is ---- */

static int fill_points(struct build_run *r, const struct build_run_opts *o, struct err *e)
{
	struct container_spec *s = &r->c.spec;
	struct spec_mount *v = arena_array(&s->arena, o->n_mounts, sizeof(*v));

	r->facts.sources.fds = calloc(o->n_mounts + 1, sizeof(int));
	if (!v || !r->facts.sources.fds)
		return err_errno(e, ENOMEM, "preparing mounts");
	for (size_t i = 0; i < o->n_mounts; i++) {
		const struct build_run_mount *m = &o->mounts[i];

		v[i] = (struct spec_mount){
			.type = m->source < 0 && !m->data ? SPEC_MOUNT_TMPFS : SPEC_MOUNT_BIND,
			.target = str_path_clean(&s->arena, m->target),
			.read_only = m->read_only,
			.recursive =
				m->source < 0 ? SPEC_RECURSIVE_ENABLED : SPEC_RECURSIVE_DISABLED,
			.tmpfs_size = m->size,
		};
		if (!v[i].target)
			return err_errno(e, ENOMEM, "preparing mounts");
		r->facts.sources.fds[i] = m->source;
	}
	s->points = v;
	s->n_points = r->facts.sources.n = o->n_mounts;
	return 0;
}

/* NUL-terminated strings of the caller outlive the step: nothing is copied. */
static int fill_container(struct build_run *r, const struct build_run_opts *o, struct err *e)
{
	struct container_spec *s = &r->c.spec;
	int got = id_new(r->c.id);

	if (got < 0)
		return err_errno(e, got, "making an identifier");
	s->env = o->env;
	s->user = o->user;
	s->workdir = o->workdir;
	s->hostname = str_empty(o->hostname) ? HOSTNAME : o->hostname;
	s->privileged = o->insecure;
	s->network = (struct spec_ns){o->network, o->network_name};
	s->auto_remove = true;
	s->extra_hosts = o->extra_hosts;
	s->n_extra_hosts = o->n_extra_hosts;
	s->shm_size = o->shm_size;
	if (o->resources)
		s->resources = *o->resources;
	r->c.name = r->c.id;
	container_cgroup_path(&r->c, r->cgroup);
	return fill_points(r, o, e);
}

/* ---- places for mounts ---- */

static int note_missing(struct build_run *r, const char *target)
{
	struct arena *a = &r->c.spec.arena;
	char *path = arena_strdup(a, target);
	int got = path ? 0 : -ENOMEM;

	for (char *p = path ? path + 1 : NULL; p && got == 0; p++) {
		_cleanup_(fd_close) int fd = -1;
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		fd = path_open(r->rootfs, path, O_PATH, 0);
		if (fd < 0)
			got = arena_strv_push(a, &r->stubs, &r->n_stubs, arena_strdup(a, path));
		*p = c;
		if (!c)
			break;
	}
	return got;
}

static int note_stubs(struct build_run *r, struct err *e)
{
	int got = 0;

	for (size_t i = 0; got == 0 && container_made_for_mounts[i]; i++)
		if (!str_eq(container_made_for_mounts[i], "/etc/hostname"))
			got = note_missing(r, container_made_for_mounts[i]);
	for (size_t i = 0; got == 0 && i < r->c.spec.n_points; i++)
		got = note_missing(r, r->c.spec.points[i].target);
	return got < 0 ? err_errno(e, got, "looking for the places of mounts") : 0;
}

static void remove_stub(int tree, const char *path)
{
	const char *last;
	_cleanup_(fd_close) int dir = path_open_parent(tree, path, PATH_NO_SYMLINKS, &last);
	struct stat st;

	if (dir < 0 || fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		(void)unlinkat(dir, last, AT_REMOVEDIR);
	else if (S_ISREG(st.st_mode) && st.st_size == 0)
		(void)unlinkat(dir, last, 0);
}

static int remove_stubs(struct build_run *r, struct err *e)
{
	_cleanup_(fd_close) int tree = -1;

	if (r->n_stubs == 0)
		return 0;
	tree = snapshot_changed_tree(r->en->store, r->c.snapshot, e);
	if (tree < 0)
		return -1;
	for (size_t i = r->n_stubs; i-- > 0;)
		remove_stub(tree, r->stubs[i]);
	return 0;
}

/* ---- start ---- */

static int make_run_dir(struct build_run *r, struct err *e)
{
	_cleanup_(fd_close) int parent =
		path_mkdirs(store_run_fd(r->en->store), BUILD_RUN_DIR, 0700, 0);
	int n = snprintf(r->run_path, sizeof(r->run_path), "%s/%s/%s", r->en->run_root,
			 BUILD_RUN_DIR, r->c.id);

	if (n < 0 || (size_t)n >= sizeof(r->run_path))
		return err_set(e, ERR_INVALID, ENAMETOOLONG, "run directory '%s'", r->en->run_root);
	if (build_watch_add(r->watch, r->c.id, r->cgroup, e) < 0)
		return -1;
	r->watched = true;
	r->run_dir = parent < 0 ? parent : path_mkdirs(parent, r->c.id, 0755, 0);
	if (r->run_dir < 0)
		return err_errno(e, r->run_dir, "making the run directory of a step");
	if ((r->c.spec.network.mode == SPEC_NS_DEFAULT || container_has_endpoints(&r->c)) &&
	    step_network_take(r->en, &r->c, &r->endpoints, e) < 0)
		return -1;
	return container_files_write(&r->c, &r->endpoints, r->run_dir, e);
}

static int make_file(struct build_run *r, const struct build_run_mount *m, size_t i)
{
	_cleanup_(fd_close) int fd = -1;
	char name[32];
	int got;

	snprintf(name, sizeof(name), "file-%zu", i);
	fd = path_create(r->run_dir, name, 0600, PATH_NO_SYMLINKS);
	got = fd < 0 ? fd : fd_write_full(fd, m->data, m->n);
	if (got == 0 && (fchown(fd, m->uid, m->gid) < 0 || fchmod(fd, m->mode) < 0))
		got = -errno;
	return got < 0 ? got : path_open_own(r->run_dir, name, O_PATH, 0);
}

static int make_files(struct build_run *r, const struct build_run_opts *o, struct err *e)
{
	r->files = calloc(o->n_mounts + 1, sizeof(int));
	if (!r->files)
		return err_errno(e, ENOMEM, "preparing mounts");
	for (size_t i = 0; i < o->n_mounts; i++) {
		int fd = o->mounts[i].data ? make_file(r, &o->mounts[i], i) : -1;

		if (o->mounts[i].data && fd < 0)
			return err_errno(e, fd, "making the file for '%s'", o->mounts[i].target);
		if (fd >= 0)
			r->facts.sources.fds[i] = r->files[r->n_files++] = fd;
	}
	return 0;
}

/* As Docker does, where the image lacks it. */
static int make_workdir(struct build_run *r, struct err *e)
{
	const char *dir = r->c.spec.workdir;
	int fd = str_empty(dir) || str_eq(dir, "/") ? -1 : path_mkdirs(r->rootfs, dir, 0755, 0);

	if (fd < 0 && !str_empty(dir) && !str_eq(dir, "/"))
		return err_errno(e, fd, "making the working directory '%s'", dir);
	fd_close(&fd);
	return 0;
}

static int make_config(struct build_run *r, const char *const *args, struct err *e)
{
	uint64_t caps;

	r->facts.en = r->en;
	r->facts.c = &r->c;
	r->facts.rootfs = r->rootfs;
	r->facts.run_dir = r->run_path;
	r->facts.own_hostname = true;
	if (container_runtime_config(&r->facts, args, &r->config, e) < 0 ||
	    container_capabilities(&r->c.spec, &caps, e) < 0)
		return -1;
	return container_seccomp(&r->c.spec, caps, &r->seccomp, e);
}

static int make_output(struct build_run *r, struct err *e)
{
	int got = fd_pipe(r->out);

	if (got < 0)
		return err_errno(e, got, "making a pipe");
	fcntl(r->out[1], F_SETPIPE_SZ, 1 << 20);
	got = fd_nonblock(r->out[0], true);
	return got < 0 ? err_errno(e, got, "making a pipe") : 0;
}

static int connect_network(void *arg, int netns, struct err *e)
{
	const struct build_run *r = arg;

	return endpoints_attach(&r->endpoints, store_run_fd(r->en->store), netns, e);
}

static int launch(struct build_run *r, struct err *e)
{
	r->opts.id = r->c.id;
	r->opts.config = &r->config;
	r->opts.rootfs_fd = r->rootfs;
	r->opts.stdio[1] = r->opts.stdio[2] = r->out[1];
	r->opts.cgroup_path = r->cgroup;
	r->opts.seccomp = r->seccomp.data;
	r->opts.n_seccomp = r->seccomp.len;
	if (r->endpoints.n) {
		r->opts.network = connect_network;
		r->opts.network_arg = r;
	}
	if (runtime_run(&r->opts, &r->proc, e) < 0)
		return -1;
	fd_close(&r->out[1]);
	TRACE("step started");
	return FAILPOINT("engine.build.started", e);
}

static int start(struct build_run *r, const struct build_run_opts *o, struct err *e)
{
	if (fill_container(r, o, e) < 0 ||
	    build_layer_begin(r->en->store, o->chain, r->c.snapshot, e) < 0)
		return -1;
	r->snapshot = true;
	if (make_run_dir(r, e) < 0 || make_files(r, o, e) < 0)
		return -1;
	r->rootfs = container_mount_rootfs(r->en, &r->c, e);
	if (r->rootfs < 0)
		return -1;
	TRACE("root file system mounted");
	if (make_workdir(r, e) < 0 || note_stubs(r, e) < 0 || make_config(r, o->args, e) < 0 ||
	    make_output(r, e) < 0)
		return -1;
	return launch(r, e);
}

int build_run_start(struct engine *en, const struct build_run_opts *o, struct build_run **ret,
		    struct err *e)
{
	_cleanup_(build_run_freep) struct build_run *r = calloc(1, sizeof(*r));

	if (!r)
		return err_errno(e, ENOMEM, "starting a step");
	r->en = en;
	r->watch = o->watch;
	r->chain = o->chain;
	r->c = CONTAINER_INIT;
	r->facts = (struct start_facts){.shared_shm = -1, .rootfs = -1};
	r->config = RUNTIME_CONFIG_INIT;
	r->opts = RUNTIME_OPTS_INIT;
	r->proc = CONTAINER_PROC_INIT;
	r->endpoints = ENDPOINTS_INIT;
	r->seccomp = BUF_INIT(FILTER_MAX);
	r->run_dir = r->rootfs = r->out[0] = r->out[1] = -1;
	if (start(r, o, e) < 0)
		return -1;
	*ret = TAKE_PTR(r);
	return 0;
}

/* ---- end ---- */

int build_run_output(const struct build_run *r)
{
	return r->out[0];
}

int build_run_pidfd(const struct build_run *r)
{
	return r->proc.pidfd;
}

int build_run_wait(struct build_run *r, int *ret_status, struct err *e)
{
	int got = process_wait_pidfd(r->proc.pidfd, false, ret_status);

	if (got < 0)
		return err_errno(e, got, "waiting for a step");
	r->ended = true;
	step_end(r);
	TRACE("step ended");
	return 0;
}

int build_run_commit(struct build_run *r, int64_t newest, struct build_layer *ret, struct err *e)
{
	const struct build_layer_opts o = {.chain = r->chain, .newest = newest};

	if (remove_stubs(r, e) < 0)
		return -1;
	r->snapshot = false;
	return build_layer_commit(r->en->store, r->c.snapshot, &o, ret, e);
}
