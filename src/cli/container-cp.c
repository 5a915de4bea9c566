/* SPDX-License-Identifier: Apache-2.0 */
/* cp: one side makes a tar stream, the other one takes it. What is read, in a container or on the
 * host, is found below a descriptor of that side's root; what is written is written by
 * kogge-unpack, confined to the container's files or to the directory on the host. So neither the
 * links that a container has nor the ones that it makes meanwhile lead out (E14; CVE-2018-15664,
 * CVE-2019-14271: nothing of the container is executed or loaded). */
#include "cli/copy-path.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/sink.h"
#include "engine/container-tree.h"
#include "kernel/mount.h"
#include "store/tree-tar.h"
#include "store/tree-untar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct opts {
	bool archive, follow_link, quiet;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"archive", 'a', CLI_BOOL, O(archive), "Give copies to the container's user"},
	{"follow-link", 'L', CLI_BOOL, O(follow_link), "Copy what a link in SRC_PATH names"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Say nothing; so it is without a terminal"},
	{NULL},
};

struct copy {
	struct cli_context *c;
	const struct opts *o;
	bool quiet;
	const char *container; /* as the user named it */
	struct container_tree *tree;
	int host; /* "/" */
	const char *cwd;
	struct copy_source src;
	const char *name; /* of the source in the archive */
	uint64_t bytes;   /* of the archive */
};

static void copy_done(struct copy *m)
{
	copy_source_done(&m->src);
	container_tree_free(m->tree);
	fd_close(&m->host);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "copying");
}

/* ---- the archive ---- */

/* Counts what passes. */
struct counting {
	struct sink sink; /* first */
	struct sink *out;
	uint64_t *n;
};

static int counting_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	struct counting *c = (struct counting *)s;

	*c->n += n;
	return sink_write(c->out, data, n, e);
}

static int write_source(void *arg, struct sink *out, struct err *e)
{
	static const struct sink_ops ops = {.write = counting_write};
	const struct tree_tar_opts tar = {.flags = TREE_TAR_NO_KERNEL};
	struct copy *m = arg;
	struct counting counting = {{&ops}, out, &m->bytes};

	return tree_tar_write_file(m->src.fd, m->name, &tar, &counting.sink, e);
}

static int find_source(struct copy *m, int root, const char *path, struct err *e)
{
	const char *clean = copy_path_clean(&m->c->arena, root == m->host ? m->cwd : "", path);
	int r = clean ? copy_source_find(&m->c->arena, root, clean, m->o->follow_link, &m->src)
		      : -ENOMEM;

	if (r >= 0 || r == -ENOMEM)
		return r < 0 ? no_memory(e) : 0;
	if (root == m->host)
		return err_errno(e, r, "lstat %s", clean);
	if (r == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "could not find the file %s in container %s",
			       path, m->container);
	return err_errno(e, r, "the file %s in container %s", path, m->container);
}

static void report(const struct copy *m, const char *to)
{
	char size[32];

	if (!m->quiet)
		fprintf(m->c->err, "Successfully copied %s to %s\n",
			num_human_size((double)m->bytes, size), to);
}

/* ---- from a container ---- */

/* What Docker's ValidateOutputPath refuses. */
static int check_output(const char *path, const struct copy_target *t, struct err *e)
{
	if (!t->exists || t->is_dir || S_ISREG(t->st.st_mode))
		return 0;
	return err_set(e, ERR_INVALID, 0,
		       "invalid output path: \"%s\" must be a directory or a regular file: got %s",
		       path,
		       S_ISCHR(t->st.st_mode) || S_ISBLK(t->st.st_mode) ? "a device"
									: "an irregular file");
}

/* The host's directory PATH as a mount to give away; on kernels without such mounts as it is. */
static int mount_host(const struct copy *m, const char *path, struct err *e)
{
	_cleanup_(fd_close) int dir = path_open(m->host, path, O_PATH | O_DIRECTORY, 0);
	int fd;

	if (dir == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "invalid output path: directory \"%s\" does not exist", path);
	fd = dir < 0 ? dir : mount_clone(dir, true);
	if (fd == -ENOSYS)
		return TAKE_FD(dir);
	return fd < 0 ? err_errno(e, fd, "opening '%s'", path) : fd;
}

static int copy_to_host(struct copy *m, const char *path, struct err *e)
{
	const char *clean = copy_path_clean(&m->c->arena, m->cwd, path), *dir;
	_cleanup_(fd_close) int mount = -1;
	struct copy_target target;
	struct tree_untar to = {.owner = UNPACK_OWNER_NONE};
	int r = clean ? copy_target_find(&m->c->arena, m->host, clean, &target) : -ENOMEM;

	if (r < 0)
		return err_errno(e, r, "invalid output path '%s'", path);
	if (check_output(path, &target, e) < 0 ||
	    copy_prepare(&m->c->arena, &m->src, &target, &dir, &m->name, e) < 0)
		return -1;
	to.mount = mount = mount_host(m, dir, e);
	if (mount < 0 || tree_untar_from(&to, write_source, m, e) < 0)
		return -1;
	report(m, clean);
	return 0;
}

static int copy_out(struct copy *m, const char *src, const char *to, struct err *e)
{
	_cleanup_(sink_freep) struct sink *out = NULL;

	if (find_source(m, container_tree_root(m->tree), src, e) < 0)
		return -1;
	container_tree_event(m->tree, "archive-path");
	m->name = m->src.name;
	if (!str_eq(to, "-"))
		return copy_to_host(m, to, e);
	out = sink_to_fd(m->c->out_fd, e);
	return !out || write_source(m, out, e) < 0 ? -1 : sink_finish(out, e);
}

/* ---- to a container ---- */

static int find_target(struct copy *m, const char *path, struct copy_target *ret, struct err *e)
{
	const char *clean = copy_path_clean(&m->c->arena, "", path);
	int r = clean ? copy_target_find(&m->c->arena, container_tree_root(m->tree), clean, ret)
		      : -ENOMEM;

	if (r < 0)
		return err_errno(e, r, "the path %s in container %s", path, m->container);
	if (ret->exists && (S_ISCHR(ret->st.st_mode) || S_ISBLK(ret->st.st_mode)))
		return err_set(e, ERR_INVALID, 0,
			       "destination \"%s:%s\" must be a directory or a regular file: got a "
			       "device",
			       m->container, path);
	return 0;
}

/* The directory that the archive is unpacked in has to be there, and to be writable. */
static int check_directory(struct copy *m, const char *dir, struct err *e)
{
	_cleanup_(fd_close) int fd =
		path_open(container_tree_root(m->tree), dir, O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "could not find the file %s in container %s",
			       dir, m->container);
	if (fd == -ENOTDIR)
		return err_set(e, ERR_INVALID, 0, "extraction point is not a directory");
	if (fd < 0)
		return err_errno(e, fd, "the path %s in container %s", dir, m->container);
	return container_tree_check_writable(m->tree, fd, e);
}

static int copy_in(struct copy *m, const char *src, const char *path, struct err *e)
{
	struct tree_untar to = {.mount = container_tree_root(m->tree)};
	bool from_stdin = str_eq(src, "-");
	struct copy_target target;
	int r;

	if (find_target(m, path, &target, e) < 0)
		return -1;
	if (from_stdin && !target.is_dir)
		return err_set(e, ERR_INVALID, 0, "destination \"%s:%s\" must be a directory",
			       m->container, path);
	to.prefix = target.path;
	if (!from_stdin &&
	    (find_source(m, m->host, src, e) < 0 ||
	     copy_prepare(&m->c->arena, &m->src, &target, &to.prefix, &m->name, e) < 0))
		return -1;
	r = check_directory(m, to.prefix, e);
	if (r == 0 && m->o->archive)
		r = container_tree_owner(m->tree, &to.uid, &to.gid, e);
	if (r < 0)
		return -1;
	to.owner = r > 0 ? UNPACK_OWNER_GIVEN : UNPACK_OWNER_ARCHIVE;
	r = from_stdin ? tree_untar_fd(&to, m->c->in_fd, e)
		       : tree_untar_from(&to, write_source, m, e);
	if (r < 0)
		return -1;
	container_tree_event(m->tree, "extract-to-dir");
	if (!from_stdin)
		report(m, arena_printf(&m->c->arena, "%s:%s", m->container, target.path));
	return 0;
}

/* ---- both ---- */

/* "CONTAINER:PATH" or a path on the host: the container's name, or NULL. */
static const char *split_arg(struct cli_context *c, const char *arg, const char **ret_path)
{
	const char *colon = *arg == '/' || *arg == '.' ? NULL : strchr(arg, ':');

	*ret_path = colon ? colon + 1 : arg;
	return colon ? arena_strndup(&c->arena, arg, (size_t)(colon - arg)) : NULL;
}

static int copy(struct copy *m, const char *from, const char *to, struct err *e)
{
	const char *src, *dst;
	const char *source = split_arg(m->c, from, &src);
	const char *target = split_arg(m->c, to, &dst);
	char cwd[PATH_MAX];
	struct engine *en;

	if (!*from || !*to)
		return err_set(e, ERR_INVALID, 0, "%s can not be empty",
			       !*from ? "source" : "destination");
	if (source && target)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "copying between containers is not supported");
	if (!source && !target)
		return err_set(e, ERR_INVALID, 0, "must specify at least one container source");
	if (!*src || !*dst)
		return err_set(e, ERR_INVALID, 0, "bad parameter: path cannot be empty");
	m->container = source ? source : target;
	m->cwd = getcwd(cwd, sizeof(cwd));
	m->host = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	if (!m->cwd || m->host < 0)
		return err_errno(e, m->cwd ? m->host : errno, "finding the current directory");
	en = cli_engine(m->c, e);
	if (!en || container_tree_open(en, m->container, CONTAINER_TREE_MOUNTS, &m->tree, e) < 0)
		return -1;
	return source ? copy_out(m, src, dst, e) : copy_in(m, src, dst, e);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(copy_done) struct copy m = {
		.c = c,
		.o = o,
		.quiet = cli_given(a, "quiet") ? o->quiet : !isatty(c->out_fd),
		.host = -1,
		.src = COPY_SOURCE_INIT,
	};

	return copy(&m, a->argv[0], a->argv[1], e) < 0;
}

#define CP                                                                                         \
	.name = "cp",                                                                              \
	.usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tkogge cp [OPTIONS] SRC_PATH|- "      \
		 "CONTAINER:DEST_PATH",                                                            \
	.summary = "Copy files between a container and the host", .aliases = "container cp,cp",    \
	.min_args = 2, .max_args = 2, .options = options, .opts_size = sizeof(struct opts),        \
	.run = run

const struct cli_command cli_container_cp = {CP};
const struct cli_command cli_cp = {CP};
