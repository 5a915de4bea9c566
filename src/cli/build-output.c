/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar is that of buildx (docs.docker.com/reference/cli/docker/buildx/build, --output):
 * fields with commas between them; a single word is the folder of type=local, "-" a tar on stdout.
 */
#include "cli/build-output.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/build-progress.h"
#include "cli/copy-path.h"
#include "cli/output-file.h"
#include "codec/sink.h"
#include "engine/engine.h"
#include "engine/image-export.h"
#include "kernel/mount.h"
#include "store/image-transfer.h"
#include "store/store.h"
#include "store/tree-untar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "reading --output");
}

/* ---- reading ---- */

struct fields {
	const char *type, *dest;
	const char *const *names;
	bool tar, push;
};

static int take_bool(const char *key, const char *value, bool *ret, struct err *e)
{
	return num_bool(value, ret) < 0
		       ? err_set(e, ERR_INVALID, 0, "invalid value for %s: %s", key, value)
		       : 0;
}

static int take_names(struct cli_context *c, const char *value, struct fields *f, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; f->names && f->names[i]; i++)
		if (arena_strv_push(&c->arena, &v, &n, f->names[i]) < 0)
			return no_memory(e);
	if (arena_strv_push(&c->arena, &v, &n, value) < 0)
		return no_memory(e);
	f->names = (const char *const *)v;
	return 0;
}

static int take_field(struct cli_context *c, const char *text, struct fields *f, struct err *e)
{
	const char *value;
	const char *key = str_cut(&c->arena, text, '=', &value);

	if (!key)
		return no_memory(e);
	if (!value)
		return err_set(e, ERR_INVALID, 0, "invalid value %s", text);
	if (str_eq(key, "type"))
		f->type = value;
	else if (str_eq(key, "dest"))
		f->dest = value;
	else if (str_eq(key, "name"))
		return take_names(c, value, f, e);
	else if (str_eq(key, "tar"))
		return take_bool(key, value, &f->tar, e);
	else if (str_eq(key, "push"))
		return take_bool(key, value, &f->push, e);
	else
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--output: the option '%s' is not known (type, dest, name, tar, "
			       "push are)",
			       key);
	return 0;
}

static int parse_fields(struct cli_context *c, const char *text, struct fields *f, struct err *e)
{
	const char **v;

	if (str_eq(text, "-")) {
		*f = (struct fields){.type = "tar", .dest = "-"};
		return 0;
	}
	if (!strpbrk(text, "=,")) {
		*f = (struct fields){.type = "local", .dest = text};
		return 0;
	}
	v = str_split(&c->arena, text, ',', NULL);
	if (!v)
		return no_memory(e);
	for (; *v; v++)
		if (take_field(c, *v, f, e) < 0)
			return -1;
	return f->type ? 0
		       : err_set(e, ERR_INVALID, 0, "--output: type is required (\"%s\")", text);
}

static int to_stdout(const struct cli_context *c, const struct fields *f, struct err *e)
{
	if (isatty(c->out_fd))
		return err_set(e, ERR_INVALID, 0,
			       "dest file is required for %s exporter. refusing to write to "
			       "console",
			       f->type);
	return 0;
}

static int choose(const struct cli_context *c, struct fields *f, struct build_output *ret,
		  struct err *e)
{
	bool oci = str_eq(f->type, "oci"), docker = str_eq(f->type, "docker");

	*ret = (struct build_output){.type = f->type, .names = f->names};
	if (f->push)
		return err_hint((err_set(e, ERR_UNSUPPORTED, 0, "--output: push=true"), e),
				"push the image by 'kogge push' when it is built");
	if (str_eq(f->type, "image") || (docker && !f->dest))
		return 0;
	ret->dest = f->dest ? f->dest : "-";
	if (str_eq(f->type, "local")) {
		ret->kind = BUILD_OUTPUT_LOCAL;
		return !f->dest               ? err_set(e, ERR_INVALID, 0,
							"output directory is required for local exporter")
		       : str_eq(f->dest, "-") ? err_set(e, ERR_INVALID, 0,
							"dest cannot be stdout for local exporter")
					      : 0;
	}
	if (oci && !f->tar) {
		ret->kind = BUILD_OUTPUT_LAYOUT;
		return f->dest && !str_eq(f->dest, "-")
			       ? 0
			       : err_set(e, ERR_INVALID, 0,
					 "dest is required for oci exporter with tar=false");
	}
	ret->kind = str_eq(f->type, "tar") ? BUILD_OUTPUT_TAR : BUILD_OUTPUT_ARCHIVE;
	if (ret->kind == BUILD_OUTPUT_ARCHIVE && !oci && !docker)
		return err_set(e, ERR_INVALID, 0,
			       "--output: unsupported type '%s' (local, tar, oci, docker and image "
			       "are there)",
			       f->type);
	return str_eq(ret->dest, "-") ? to_stdout(c, f, e) : 0;
}

int build_outputs_parse(struct cli_context *c, const struct cli_list *texts,
			const struct cli_list *tags, struct build_outputs *ret, struct err *e)
{
	struct build_outputs o = {.v = arena_array(&c->arena, texts->n + 1, sizeof(*o.v)),
				  .image = texts->n == 0};

	if (!o.v)
		return no_memory(e);
	for (; o.n < texts->n; o.n++) {
		struct fields f = {.tar = true};

		if (parse_fields(c, texts->v[o.n], &f, e) < 0 || choose(c, &f, &o.v[o.n], e) < 0)
			return -1;
		if (!o.v[o.n].names)
			o.v[o.n].names = tags->v;
		o.image = o.image || o.v[o.n].kind == BUILD_OUTPUT_IMAGE;
	}
	*ret = o;
	return 0;
}

/* ---- writing ---- */

/* One output being written. */
struct writing {
	struct cli_context *c;
	const struct build_output *o;
	const char *id;
};

static int write_to(struct writing *w, int fd, struct err *e)
{
	_cleanup_(sink_freep) struct sink *out = NULL;

	if (w->o->kind == BUILD_OUTPUT_ARCHIVE)
		return image_save_as(cli_store(w->c, e), w->id, w->o->names, fd, e);
	out = sink_to_fd(fd, e);
	return !out || image_export(cli_engine(w->c, e), w->id, out, e) < 0 ? -1
									    : sink_finish(out, e);
}

static int write_file(struct writing *w, struct err *e)
{
	_cleanup_(output_file_done) struct output_file out = OUTPUT_FILE_INIT;

	if (str_eq(w->o->dest, "-"))
		return write_to(w, w->c->out_fd, e);
	if (output_file_open(&out, w->o->dest, e) < 0 || write_to(w, out.fd, e) < 0)
		return -1;
	output_file_keep(&out);
	return 0;
}

static int write_root(void *arg, struct sink *out, struct err *e)
{
	struct writing *w = arg;

	return image_export(cli_engine(w->c, e), w->id, out, e);
}

/* The folder DEST, made where it is not there, as a mount to give away. */
static int open_folder(struct cli_context *c, const char *dest, struct err *e)
{
	_cleanup_(fd_close) int host = path_open_host("/", O_PATH | O_DIRECTORY, 0), dir = -1;
	const char *clean;
	char cwd[PATH_MAX];
	int fd;

	if (host < 0 || !getcwd(cwd, sizeof(cwd)))
		return err_errno(e, host < 0 ? host : errno, "finding the current directory");
	clean = copy_path_clean(&c->arena, cwd, dest);
	if (!clean)
		return no_memory(e);
	dir = path_mkdirs(host, clean, 0755, 0);
	fd = dir < 0 ? dir : mount_clone(dir, true);
	if (fd == -ENOSYS)
		return TAKE_FD(dir);
	return fd < 0 ? err_errno(e, fd, "opening the folder '%s'", dest) : fd;
}

/* All belongs to who builds, as with BuildKit. */
static int write_folder(struct writing *w, struct err *e)
{
	struct tree_untar to = {.owner = UNPACK_OWNER_GIVEN, .uid = getuid(), .gid = getgid()};
	_cleanup_(fd_close) int mount = open_folder(w->c, w->o->dest, e);

	to.mount = mount;
	return mount < 0 ? -1 : tree_untar_from(&to, write_root, w, e);
}

/* The archive on its way into a folder. */
static int write_layout(struct writing *w, struct err *e)
{
	struct tree_untar to = {.owner = UNPACK_OWNER_GIVEN, .uid = getuid(), .gid = getgid()};
	_cleanup_(fd_close) int mount = open_folder(w->c, w->o->dest, e);
	struct store *s = cli_store(w->c, e);
	_cleanup_(fd_close) int archive = -1;

	if (mount < 0)
		return -1;
	archive = path_open_own(store_root_fd(s), ".", O_TMPFILE | O_RDWR, 0600);
	if (archive < 0)
		return err_errno(e, archive, "making a file for the archive");
	if (image_save_as(s, w->id, w->o->names, archive, e) < 0)
		return -1;
	if (lseek(archive, 0, SEEK_SET) < 0)
		return err_errno(e, errno, "reading the archive");
	to.mount = mount;
	return tree_untar_fd(&to, archive, e);
}

static int write_one(struct writing *w, struct err *e)
{
	switch (w->o->kind) {
	case BUILD_OUTPUT_LOCAL:
		return write_folder(w, e);
	case BUILD_OUTPUT_LAYOUT:
		return write_layout(w, e);
	case BUILD_OUTPUT_IMAGE:
		return 0;
	case BUILD_OUTPUT_ARCHIVE:
	case BUILD_OUTPUT_TAR:
		break;
	}
	return write_file(w, e);
}

static const char *title(const struct build_output *o)
{
	return o->kind == BUILD_OUTPUT_LOCAL ? "exporting to client directory"
	       : o->kind == BUILD_OUTPUT_TAR ? "exporting to client tarball"
	       : str_eq(o->type, "docker")   ? "exporting to docker image format"
					     : "exporting to oci image format";
}

int build_outputs_write(struct cli_context *c, const struct build_outputs *o, const char *id,
			struct build_progress *progress, struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		struct writing w = {c, &o->v[i], id};
		int64_t started = clock_monotonic();

		if (o->v[i].kind == BUILD_OUTPUT_IMAGE)
			continue;
		if (write_one(&w, e) < 0)
			return err_wrap(e, "%s", title(&o->v[i]));
		build_progress_note(progress, title(&o->v[i]), NULL, clock_monotonic() - started);
	}
	return 0;
}
