/* SPDX-License-Identifier: Apache-2.0 */
/* run and create. What fails before the container's program runs exits with 125, 126 or 127 by the
 * class of the error. */
#include "cli/pull.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "monitor/client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The file that --cidfile names: made before the container, so that a wrong path costs nothing. */
static int cidfile_open(const char *path, int *ret, struct err *e)
{
	int fd;

	if (!path)
		return 0;
	fd = path_open_host(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd == -EEXIST)
		return err_set(
			e, ERR_EXISTS, 0,
			"container ID file found, make sure the other container isn't running "
			"or delete %s",
			path);
	if (fd < 0)
		return err_errno(e, fd, "failed to create the container ID file '%s'", path);
	*ret = fd;
	return 0;
}

/* Takes the empty file away again where no container came of it. */
static void cidfile_remove(struct cli_context *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = !slash ? arena_strdup(&c->arena, ".")
			   : arena_strndup(&c->arena, path, (size_t)(slash - path) + 1);
	_cleanup_(fd_close) int fd = dir ? path_open_host(dir, O_PATH | O_DIRECTORY, 0) : -1;

	if (fd >= 0)
		(void)path_remove_tree(fd, slash ? slash + 1 : path);
}

/* An image that is not there is pulled once, unless that is not wanted. Asked after the failure: a
 * run of what is there asks nothing. */
static bool pulls_missing(struct cli_context *c, const struct run_opts *o, const char *image,
			  struct err *e)
{
	const struct pull_opts po = {.platform = o->platform, .quiet = o->quiet, .out = c->err};

	/* It may be the image of a mount, too. */
	if (e->class != ERR_NOT_FOUND || !str_eq0(str_after(e->msg, "no such image: "), image) ||
	    str_eq(o->pull, "never"))
		return false;
	*e = ERR_INIT;
	return pull_for_run(c, image, false, &po, e) == 0;
}

/* Where the identifier goes once the container is there. */
struct cidfile {
	int fd;
	const char *path;
	FILE *out; /* a detached run prints it, as Docker does: before the start, which may fail */
};

static int cidfile_write(void *arg, const char *id, struct err *e)
{
	const struct cidfile *f = arg;
	int r = f->fd < 0 ? 0 : fd_write_full(f->fd, id, strlen(id));

	if (r < 0)
		return err_errno(e, r, "writing the container ID to '%s'", f->path);
	if (f->out) {
		fprintf(f->out, "%s\n", id);
		fflush(f->out);
	}
	return 0;
}

static int prepare(struct cli_context *c, const struct run_opts *o,
		   const struct container_spec *spec, struct cidfile *f, struct err *e)
{
	const struct pull_opts po = {.platform = o->platform, .quiet = o->quiet, .out = c->err};

	if (spec->network.mode == SPEC_NS_HOST && spec->n_ports)
		fputs("WARNING: Published ports are discarded when using host network mode\n",
		      c->err);
	f->path = o->cidfile;
	if (!cli_engine(c, e) ||
	    (str_eq(o->pull, "always") && pull_for_run(c, spec->image, true, &po, e) < 0))
		return -1;
	return cidfile_open(o->cidfile, &f->fd, e);
}

/* Without a container the file is empty; then it goes. */
static void finish(struct cli_context *c, struct cidfile *f)
{
	struct stat st;

	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_size == 0)
		cidfile_remove(c, f->path);
	fd_close(&f->fd);
}

static int create(struct cli_context *c, const struct run_opts *o,
		  const struct container_spec *spec, struct cidfile *f, struct err *e)
{
	char id[ID_SIZE];

	if (container_create(c->engine, spec, id, e) < 0 &&
	    (!pulls_missing(c, o, spec->image, e) || container_create(c->engine, spec, id, e) < 0))
		return -1;
	if (cidfile_write(f, id, e) < 0) {
		(void)container_remove(c->engine, id, CONTAINER_REMOVE_FORCE, NULL);
		return -1;
	}
	fprintf(c->out, "%s\n", id);
	return 0;
}

static int run_create(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(container_spec_done) struct container_spec spec = CONTAINER_SPEC_INIT;
	struct cidfile f = {.fd = -1};
	int r;

	if (run_spec(a, &spec, e) < 0 || prepare(c, a->opts, &spec, &f, e) < 0)
		return 1;
	r = create(c, a->opts, &spec, &f, e);
	finish(c, &f);
	return r < 0;
}

static int check_tty(struct cli_context *c, const struct container_spec *spec)
{
	if (!spec->tty || !spec->attach_in || isatty(c->in_fd))
		return 0;
	fprintf(c->err, "the input device is not a TTY\n");
	return -1;
}

static int run_run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(container_spec_done) struct container_spec spec = CONTAINER_SPEC_INIT;
	const struct run_opts *o = a->opts;
	struct container_exit end = {.code = 125};
	struct cidfile f = {.fd = -1};
	struct attach_opts attach;
	int r;

	if (o->detach && o->attach.n) {
		fprintf(c->err, "conflicting options: cannot specify both --attach and --detach\n");
		return 1;
	}
	if (run_spec(a, &spec, e) < 0)
		return 125;
	if (check_tty(c, &spec) < 0)
		return 1;
	if (prepare(c, o, &spec, &f, e) < 0)
		return 125;
	attach = (struct attach_opts){.in = spec.attach_in ? c->in_fd : -1,
				      .out = spec.attach_out ? c->out_fd : -1,
				      .err_out = spec.attach_err ? c->err_fd : -1,
				      .sig_proxy = o->sig_proxy,
				      .detach = o->detach,
				      .detach_keys = o->detach_keys,
				      .created = cidfile_write,
				      .arg = &f};
	f.out = o->detach ? c->out : NULL;
	fflush(c->out);
	r = container_run(c->engine, &spec, &attach, &end, e);
	if (r < 0 && pulls_missing(c, o, spec.image, e))
		r = container_run(c->engine, &spec, &attach, &end, e);
	finish(c, &f);
	if (r < 0)
		return 125;
	if (end.detached && !o->detach)
		fputs(CLIENT_DETACHED, c->err);
	return end.detached ? 0 : end.code;
}

#define RUN_USAGE .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]", .min_args = 1, .max_args = -1

#define RUN                                                                                        \
	.name = "run", RUN_USAGE, .summary = "Make a container of an image and run it",            \
	.aliases = "container run,run", .options = run_options,                                    \
	.opts_size = sizeof(struct run_opts), .opts_init = &run_opts_init, .run = run_run

#define CREATE                                                                                     \
	.name = "create", RUN_USAGE, .summary = "Make a container of an image",                    \
	.aliases = "container create,create", .options = create_options, .flags = CLI_STOP_AT_ARG, \
	.opts_size = sizeof(struct run_opts), .opts_init = &run_opts_init, .run = run_create

const struct cli_command cli_run = {.flags = CLI_STOP_AT_ARG | CLI_EXIT_125 | CLI_COMMON, RUN};
const struct cli_command cli_container_run = {.flags = CLI_STOP_AT_ARG | CLI_EXIT_125, RUN};
const struct cli_command cli_create = {CREATE};
const struct cli_command cli_container_create = {CREATE};
