/* SPDX-License-Identifier: Apache-2.0 */
/* Every source is held by a descriptor from the moment it was found until the step has ended: what
 * happens to its name meanwhile, by another step that shares a cache, is of no consequence (B01,
 * B08). The identifier of a cache is never a path (B06, B09): its folder is named by a digest. */
#include "engine/build-run-mounts.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mount-internal.h"
#include "kernel/mount.h"
#include "store/build-mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRIVATE_MAX = 64 };

struct build_mount_source {
	struct build_tree tree;
	struct build_scratch scratch;
	int fd, lock;
};

struct opening {
	struct engine *en;
	const struct build_step *step;
	const struct build_session *session;
	struct arena *a;
	struct build_mounts *to;
};

void build_mounts_done(struct build_mounts *m)
{
	for (size_t i = 0; i < m->n_sources; i++) {
		fd_close(&m->sources[i].fd);
		build_tree_done(&m->sources[i].tree);
		build_scratch_done(&m->sources[i].scratch);
		fd_close(&m->sources[i].lock);
	}
	free(m->sources);
	*m = (struct build_mounts){.n = 0};
}

/* ---- bind ---- */

/* What is left out of a context is not seen by a mount either, and what is in it belongs to root:
 * a copy. */
static int copy_context(struct opening *o, struct build_mount_source *src, struct err *e)
{
	const char *const all[] = {"/", NULL};
	const struct build_copy c = {.from = src->tree.source, .paths = all, .dest = "/"};

	if (build_scratch_open(o->en, "", &src->scratch, e) < 0)
		return -1;
	return build_copy_run(src->scratch.root, &c, e);
}

static int open_tree_for(struct opening *o, const struct run_mount *m,
			 struct build_mount_source *src, int *ret_root, struct err *e)
{
	const struct build_result *r = &o->step->inputs[m->input];

	if (!m->readonly && !str_empty(r->chain)) {
		if (build_scratch_open(o->en, r->chain, &src->scratch, e) < 0)
			return -1;
		*ret_root = src->scratch.root;
		return 0;
	}
	if (build_tree_open(o->en, o->session, r, &src->tree, e) < 0)
		return -1;
	if (src->tree.is_context && copy_context(o, src, e) < 0)
		return -1;
	*ret_root = src->tree.is_context ? src->scratch.root : src->tree.root;
	return 0;
}

/* A part of a mount that is detached needs a mount of its own. */
static int open_part(int root, const char *path, struct err *e)
{
	_cleanup_(fd_close) int fd = path_open(root, path, O_PATH, 0);
	int part;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return err_set(e, ERR_NOT_FOUND, 0, "\"%s\": not found", path);
	if (fd < 0)
		return err_errno(e, fd, "opening '%s'", path);
	part = mount_clone(fd, false);
	if (part == -EINVAL)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "a mount's source= needs Linux 6.15 or later");
	return part < 0 ? err_errno(e, part, "mounting '%s'", path) : part;
}

static int open_bind(struct opening *o, const struct run_mount *m, struct build_mount_source *src,
		     struct err *e)
{
	int root = -1;

	if (m->input >= o->step->v->n_inputs)
		return err_set(e, ERR_INVALID, 0, "a mount of what is no input");
	if (open_tree_for(o, m, src, &root, e) < 0)
		return -1;
	src->fd = open_part(root, *m->source ? m->source : "/", e);
	return src->fd < 0 ? -1 : 0;
}

/* ---- cache ---- */

/* The lock of the folder NAME: 1 with *RET; 0 where somebody has it and WAIT is not set. */
static int lock_cache(int dir, const char *name, bool shared, bool wait, int *ret)
{
	char file[64];
	int fd;

	snprintf(file, sizeof(file), "%s.lock", name);
	fd = path_open_own(dir, file, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fd;
	while (flock(fd, (shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		close(fd);
		return errno == EWOULDBLOCK ? 0 : -errno;
	}
	*ret = fd;
	return 1;
}

/* Chooses the folder in DIR and locks it. */
static int take_cache(int dir, const char *sharing, char name[32], int *ret_lock)
{
	int r;

	snprintf(name, 32, "data");
	if (!str_eq(sharing, "private"))
		return lock_cache(dir, name, !str_eq(sharing, "locked"), true, ret_lock);
	for (int i = 0; i < PRIVATE_MAX; i++) {
		r = lock_cache(dir, name, false, false, ret_lock);
		if (r != 0)
			return r;
		snprintf(name, 32, "data-%d", i + 1);
	}
	return -EBUSY;
}

/* What a new cache holds: nothing, or what the input has. */
static int fill_cache(struct opening *o, const struct run_mount *m, int data, struct err *e)
{
	_cleanup_(build_tree_done) struct build_tree tree = BUILD_TREE_INIT;
	const char *const paths[] = {*m->source ? m->source : "/", NULL};
	struct build_copy c = {.paths = paths, .dest = "/"};

	if (fchown(data, (uid_t)m->uid, (gid_t)m->gid) < 0 || fchmod(data, (mode_t)m->mode) < 0)
		return err_errno(e, errno, "making the cache '%s'", m->id);
	if (!m->input)
		return 0;
	if (m->input >= o->step->v->n_inputs ||
	    build_tree_open(o->en, o->session, &o->step->inputs[m->input], &tree, e) < 0)
		return -1;
	c.from = tree.source;
	return build_copy_run(data, &c, e);
}

static int open_cache_data(struct opening *o, const struct run_mount *m, int dir, const char *name,
			   struct err *e)
{
	_cleanup_(fd_close) int fd = path_open_own(dir, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT) {
		fd = path_mkdirs(dir, name, 0755, 0);
		fd_close(&fd);
		fd = path_open_own(dir, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd >= 0 && fill_cache(o, m, fd, e) < 0) {
			path_remove_tree(dir, name);
			return -1;
		}
	}
	return fd < 0 ? err_errno(e, fd, "opening the cache '%s'", m->id) : TAKE_FD(fd);
}

static int open_cache(struct opening *o, const struct run_mount *m, struct build_mount_source *src,
		      struct err *e)
{
	_cleanup_(fd_close) int dir = build_mount_dir(o->en->store, m->id, e);
	_cleanup_(fd_close) int data = -1;
	char name[32];
	int r = dir < 0 ? dir : take_cache(dir, m->sharing, name, &src->lock);

	if (dir < 0)
		return -1;
	if (r < 0)
		return err_errno(e, r, "locking the cache '%s'", m->id);
	build_mount_touch(src->lock);
	data = open_cache_data(o, m, dir, name, e);
	if (data < 0)
		return -1;
	if (m->input || str_empty(m->source) || str_eq(m->source, "/")) {
		src->fd = TAKE_FD(data);
		return 0;
	}
	/* Another step may have put a link there (CVE-2024-23651). */
	src->fd = path_open(data, m->source[0] == '/' ? m->source + 1 : m->source,
			    O_PATH | O_DIRECTORY, PATH_BENEATH | PATH_NO_SYMLINKS);
	if (src->fd == -ELOOP || src->fd == -EXDEV)
		return err_set(e, ERR_HOSTILE, -src->fd, "source=%s of the cache '%s'", m->source,
			       m->id);
	return src->fd < 0 ? err_errno(e, src->fd, "source=%s of the cache '%s'", m->source, m->id)
			   : 0;
}

/* ---- secrets and agents ---- */

static const struct build_secret *find_secret(const struct build_session *s, const char *id)
{
	for (size_t i = 0; i < s->n_secrets; i++)
		if (str_eq(s->secrets[i].id, id))
			return &s->secrets[i];
	return NULL;
}

static int open_secret(struct opening *o, const struct run_mount *m, struct build_run_mount *to,
		       struct err *e)
{
	const struct build_secret *s = find_secret(o->session, m->id);
	const char *env;

	if (!s)
		return m->required ? err_set(e, ERR_NOT_FOUND, 0, "secret %s: not found", m->id)
				   : 1;
	if (*m->env) {
		env = arena_printf(o->a, "%s=%.*s", m->env, (int)s->n, s->data);
		if (!env || arena_strv_push(o->a, &o->to->env, &o->to->n_env, env) < 0)
			return err_errno(e, ENOMEM, "secret %s", m->id);
	}
	if (!*m->target)
		return 1;
	to->data = s->data;
	to->n = s->n;
	return 0;
}

/* The variable is set even where there is no agent, as BuildKit does. */
static int open_ssh(struct opening *o, const struct run_mount *m, struct build_mount_source *src,
		    struct err *e)
{
	const struct build_ssh *found = NULL;
	const char *env = arena_printf(o->a, "SSH_AUTH_SOCK=%s", m->target);

	for (size_t i = 0; i < o->session->n_ssh; i++)
		if (str_eq(o->session->ssh[i].id, m->id))
			found = &o->session->ssh[i];
	if (!found && m->required)
		return err_set(e, ERR_NOT_FOUND, 0, "unset ssh forward key %s", m->id);
	if (!strv_env_get((const char *const *)o->to->env, "SSH_AUTH_SOCK") &&
	    (!env || arena_strv_push(o->a, &o->to->env, &o->to->n_env, env) < 0))
		return err_errno(e, ENOMEM, "ssh %s", m->id);
	if (!found)
		return 1;
	src->fd = path_open_host(found->socket, O_PATH, 0);
	return src->fd < 0 ? err_errno(e, src->fd, "opening the agent '%s'", found->socket) : 0;
}

/* ---- all ---- */

/* 1 where there is nothing to mount. */
static int open_one(struct opening *o, const struct run_mount *m, struct build_run_mount *to,
		    struct err *e)
{
	struct build_mount_source *src = &o->to->sources[o->to->n_sources++];
	int r = 0;

	*src = (struct build_mount_source){
		.tree = BUILD_TREE_INIT, .scratch = BUILD_SCRATCH_INIT, .fd = -1, .lock = -1};
	*to = (struct build_run_mount){.target = m->target,
				       .source = -1,
				       .read_only = m->readonly,
				       .mode = (unsigned)m->mode,
				       .uid = (uint32_t)m->uid,
				       .gid = (uint32_t)m->gid};
	if (str_eq(m->type, "tmpfs"))
		to->size = m->size;
	else if (str_eq(m->type, "bind"))
		r = open_bind(o, m, src, e);
	else if (str_eq(m->type, "cache"))
		r = open_cache(o, m, src, e);
	else if (str_eq(m->type, "secret"))
		r = open_secret(o, m, to, e);
	else if (str_eq(m->type, "ssh"))
		r = open_ssh(o, m, src, e);
	else if (str_eq(m->type, "file"))
		*to = (struct build_run_mount){.target = m->target,
					       .source = -1,
					       .data = m->data,
					       .n = strlen(m->data),
					       .mode = (unsigned)m->mode};
	else
		r = err_set(e, ERR_INVALID, 0, "a mount of type '%s'", m->type);
	to->source = src->fd;
	return r < 0 ? -1 : r;
}

int build_mounts_open(struct engine *en, const struct build_step *s, const struct run_params *p,
		      struct arena *a, struct build_mounts *ret, struct err *e)
{
	struct opening o = {.en = en, .step = s, .session = s->arg, .a = a, .to = ret};

	ret->v = arena_array(a, p->n_mounts, sizeof(*ret->v));
	ret->sources = calloc(p->n_mounts + 1, sizeof(*ret->sources));
	if (!ret->v || !ret->sources)
		return err_errno(e, ENOMEM, "opening mounts");
	for (size_t i = 0; i < p->n_mounts; i++) {
		int r = open_one(&o, &p->mounts[i], &ret->v[ret->n], e);

		if (r < 0)
			return -1;
		ret->n += r == 0;
	}
	return 0;
}
