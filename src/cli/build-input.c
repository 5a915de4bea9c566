/* SPDX-License-Identifier: Apache-2.0 */
/* A folder is read in place, by the descriptor that was opened first. What comes on stdin is an
 * archive or a Dockerfile, by its first bytes; an archive is unpacked, by the confined program,
 * into a directory of the store that goes with this process, and is thrown away whole where that
 * fails (B11). A Dockerfile and what says what is left out are looked for below the context only,
 * with links followed inside of it. */
#include "cli/build-input.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "build/url.h"
#include "dockerfile/dockerfile.h"
#include "remote/remote.h"
#include "store/build-context.h"
#include "store/store.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 500 * 1024, HEAD_SIZE = 512 };

#define CONTEXT_MAX (INT64_C(16) << 30)

void build_input_done(struct build_input *in)
{
	struct err ignored = ERR_INIT;
	struct store *s = in->unpacked[0] ? cli_store(in->c, &ignored) : NULL;

	for (size_t i = 0; i < in->n_contexts; i++)
		fd_close(&in->contexts[i].root);
	if (s)
		snapshot_layer_abort(s, in->unpacked);
	buf_done(&in->text);
	ignore_done(&in->ignore);
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "reading what to build");
}

/* ---- contexts ---- */

static struct build_context *add_context(struct build_input *in, const char *name)
{
	struct build_context *c = &in->contexts[in->n_contexts++];

	*c = (struct build_context){.name = name, .root = -1};
	return c;
}

static bool is_url(const char *s)
{
	return str_after(s, "http://") || str_after(s, "https://");
}

/* As Docker tells them from URLs of files. */
static bool is_repository(const char *s)
{
	static const char *const schemes[] = {"git://", "git@", "ssh://", "github.com/"};
	size_t n = strcspn(s, "#?");

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_after(s, schemes[i]))
			return true;
	return is_url(s) && n > 4 && memcmp(s + n - 4, ".git", 4) == 0;
}

/* Of where a context comes from, for messages: a URL may have a password in it. */
static const char *said_of(const char *from)
{
	return str_eq(from, "-") ? "stdin" : "its URL";
}

static int open_folder(struct build_input *in, const char *path, struct build_context *to,
		       struct err *e)
{
	to->root = path_open_host(path, O_RDONLY | O_DIRECTORY, 0);
	if (to->root == -ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "unable to prepare context: path \"%s\" not found", path);
	if (to->root == -ENOTDIR)
		return err_set(e, ERR_INVALID, 0,
			       "unable to prepare context: path \"%s\" is not a directory", path);
	return to->root < 0 ? err_errno(e, to->root, "unable to prepare context: path \"%s\"", path)
			    : 0;
}

static int open_named(struct build_input *in, const char *option, struct err *e)
{
	const char *value;
	const char *name = str_cut(&in->c->arena, option, '=', &value);
	struct build_context *to;

	if (!name)
		return no_memory(e);
	if (!*name || str_empty(value))
		return err_set(e, ERR_INVALID, 0, "invalid context value: %s, expected key=value",
			       option);
	to = add_context(in, name);
	if (str_after(value, "docker-image://"))
		return 0; /* an image: no files of ours */
	if (is_url(value) || is_repository(value) || str_after(value, "oci-layout://")) {
		to->why = "this version reads folders and images only";
		return 0;
	}
	return open_folder(in, value, to, e);
}

/* ---- stdin and URLs ---- */

static bool looks_like_archive(const char *head, size_t n)
{
	static const char gzip[] = "\x1f\x8b", bzip2[] = "BZh",
			  xz[] = "\xfd"
				 "7zXZ",
			  zstd[] = "\x28\xb5\x2f\xfd";

	if (n >= 262 && memcmp(head + 257, "ustar", 5) == 0)
		return true;
	return n >= 5 && (memcmp(head, gzip, 2) == 0 || memcmp(head, bzip2, 3) == 0 ||
			  memcmp(head, xz, 5) == 0 || memcmp(head, zstd, 4) == 0);
}

/* "https://user:password@host/": the two parts, the second decoded. */
static int fetch_url(struct build_input *in, const char *text, int fd, struct err *e)
{
	struct remote_url url = {.max = CONTEXT_MAX};
	int64_t modified;

	if (url_split(&in->c->arena, text, &url.url, &url.user_password) < 0)
		return no_memory(e);
	return remote_fetch_url(&url, fd, &modified, e);
}

/* All of stdin, or of what is at a URL, in a file without a name: what it is decides who reads it.
 */
static int spool(struct build_input *in, const char *from, struct err *e)
{
	struct store *s = cli_store(in->c, e);
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (!s)
		return -1;
	fd = path_open_own(store_root_fd(s), ".", O_TMPFILE | O_RDWR, 0600);
	if (fd >= 0 && !str_eq(from, "-") && fetch_url(in, from, fd, e) < 0)
		return -1;
	r = fd < 0 ? fd : str_eq(from, "-") ? fd_copy(in->c->in_fd, fd, UINT64_MAX, NULL) : 0;
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, r, "reading the context from %s", said_of(from)) : TAKE_FD(fd);
}

/* FROM: "-", or a URL. */
static int open_stream(struct build_input *in, const char *from, struct build_context *to,
		       struct err *e)
{
	_cleanup_(fd_close) int fd = spool(in, from, e);
	char head[HEAD_SIZE];
	ssize_t n = fd < 0 ? -1 : fd_pread_full(fd, head, sizeof(head), 0);
	int r;

	if (fd < 0)
		return -1;
	if (n < 0)
		return err_errno(e, (int)n, "reading the context from %s", said_of(from));
	if (looks_like_archive(head, (size_t)n)) {
		to->root = build_context_unpack(cli_store(in->c, e), fd, in->unpacked, e);
		return to->root < 0 ? err_wrap(e, "unpacking the context") : 0;
	}
	to->why = str_eq(from, "-") ? "only a Dockerfile came on stdin"
				    : "the URL is that of a Dockerfile alone";
	in->name = "Dockerfile";
	r = fd_read_all(fd, &in->text, DOCKERFILE_SIZE_MAX);
	return r < 0 ? err_errno(e, r, "reading the Dockerfile from %s", said_of(from)) : 0;
}

static int open_contexts(struct build_input *in, const char *context, struct err *e)
{
	struct build_context *to;

	in->contexts = arena_array(&in->c->arena, in->o->contexts.n + 1, sizeof(*in->contexts));
	if (!in->contexts)
		return no_memory(e);
	to = add_context(in, "context");
	if (is_repository(context))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "this version does not fetch repositories: clone it, and give the "
			       "folder");
	if ((str_eq(context, "-") || is_url(context) ? open_stream(in, context, to, e)
						     : open_folder(in, context, to, e)) < 0)
		return -1;
	for (size_t i = 0; i < in->o->contexts.n; i++)
		if (open_named(in, in->o->contexts.v[i], e) < 0)
			return -1;
	return 0;
}

/* ---- Dockerfile and what is left out ---- */

static int read_fd(int fd, struct buf *to, size_t max, const char *name, struct err *e)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;

	if (r == 0)
		r = fd_read_all(fd, to, max);
	return r < 0 ? err_errno(e, r, "failed to read dockerfile: %s", name) : 0;
}

/* -f names a file of the context where it is relative and there, else of the caller. */
static int open_dockerfile(struct build_input *in, struct err *e)
{
	int root = in->contexts[0].root, fd;
	const char *name = in->o->file;

	if (name && str_eq(name, "-"))
		return in->name = "Dockerfile", fcntl(in->c->in_fd, F_DUPFD_CLOEXEC, 3);
	in->name = name ? name : "Dockerfile";
	if (name) {
		fd = path_open_host(name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
		if (fd == -ENOENT && name[0] != '/' && root >= 0)
			fd = path_open(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	} else {
		fd = path_open(root, in->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
		if (fd == -ENOENT)
			fd = path_open(root, "dockerfile", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	}
	if (fd < 0)
		return err_errno(e, fd, "failed to read dockerfile: open %s", in->name);
	return fd;
}

static int read_dockerfile(struct build_input *in, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;

	if (in->name) /* it came on stdin */
		return 0;
	fd = open_dockerfile(in, e);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		in->newest = st.st_mtim.tv_sec * (int64_t)NUM_NS_PER_S;
	return read_fd(fd, &in->text, DOCKERFILE_SIZE_MAX, in->name, e);
}

/* <Dockerfile>.dockerignore beside the Dockerfile, else .dockerignore of the context. */
static int open_ignore(struct build_input *in)
{
	int root = in->contexts[0].root, fd = -ENOENT;
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

	in->ignore_name = arena_printf(&in->c->arena, "%s.dockerignore", in->name);
	if (!in->ignore_name)
		return -ENOMEM;
	if (!in->o->file)
		fd = path_open(root, in->ignore_name, flags, 0);
	else if (!str_eq(in->o->file, "-"))
		fd = path_open_host(in->ignore_name, flags, 0);
	if (fd != -ENOENT)
		return fd;
	in->ignore_name = arena_strdup(&in->c->arena, ".dockerignore");
	return path_open(root, ".dockerignore", flags, 0);
}

/* An archive is the context as it is. */
static int read_ignore(struct build_input *in, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(IGNORE_SIZE_MAX + 1);
	_cleanup_(fd_close) int fd =
		in->contexts[0].root < 0 || in->unpacked[0] ? -ENOENT : open_ignore(in);

	if (fd == -ENOENT) {
		in->ignore_name = NULL;
		return 0;
	}
	if (fd < 0)
		return err_errno(e, fd, "opening %s", in->ignore_name);
	if (read_fd(fd, &text, IGNORE_SIZE_MAX, in->ignore_name, e) < 0)
		return -1;
	if (ignore_parse(buf_str(&text), text.len, &in->ignore, e) < 0)
		return err_wrap(e, "%s", in->ignore_name);
	if (in->ignore.n > 0)
		in->contexts[0].ignore = &in->ignore;
	return 0;
}

/* ---- times ---- */

static int note_time(void *arg, const struct tree_entry *t, struct err *e)
{
	struct build_input *in = arg;
	int64_t ns = t->st.st_mtim.tv_sec * (int64_t)NUM_NS_PER_S;

	if (in->ignore.n > 0 && ignore_matches(&in->ignore, t->path))
		return in->ignore.exceptions ? TREE_GO : TREE_SKIP;
	if (!S_ISDIR(t->st.st_mode) && ns > in->newest)
		in->newest = ns;
	return TREE_GO;
}

/* The newest file: nothing in the image shall be younger, whenever it is built. */
static int find_newest(struct build_input *in, struct err *e)
{
	static const struct tree_ops ops = {.entry = note_time};
	_cleanup_(fd_close) int fd = -1;

	if (in->contexts[0].root < 0)
		return 0;
	fd = path_open_own(in->contexts[0].root, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_errno(e, fd, "reading the context");
	return tree_walk(fd, &ops, in, e) < 0 ? err_wrap(e, "reading the context") : 0;
}

/* ---- secrets and agents ---- */

/* "id=x,src=file" as fields; unknown ones are refused. */
struct secret_fields {
	const char *id, *src, *env, *type;
};

static int parse_secret(struct build_input *in, const char *text, struct secret_fields *f,
			struct err *e)
{
	const char **v = str_split(&in->c->arena, text, ',', NULL);

	for (; v && *v; v++) {
		const char *value;
		const char *key = str_cut(&in->c->arena, *v, '=', &value);

		if (!key || !value)
			return err_set(e, ERR_INVALID, 0,
				       "invalid field '%s' must be a key=value pair", *v);
		if (str_eq(key, "id"))
			f->id = value;
		else if (str_eq(key, "src") || str_eq(key, "source"))
			f->src = value;
		else if (str_eq(key, "env"))
			f->env = value;
		else if (str_eq(key, "type"))
			f->type = value;
		else
			return err_set(e, ERR_INVALID, 0, "unexpected key '%s' in '%s'", key, *v);
	}
	if (!v)
		return no_memory(e);
	if (f->type && !str_eq(f->type, "file") && !str_eq(f->type, "env"))
		return err_set(e, ERR_INVALID, 0, "unsupported secret type \"%s\"", f->type);
	if (str_eq0(f->type, "env") && !f->env)
		f->env = f->src;
	return 0;
}

static int read_secret_file(struct build_input *in, const char *path, struct build_secret *to,
			    struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SECRET_MAX + 1);
	_cleanup_(fd_close) int fd = path_open_host(path, O_RDONLY | O_NOCTTY, 0);
	int r = fd < 0 ? fd : fd_read_all(fd, &text, SECRET_MAX);

	if (r < 0)
		return err_errno(e, r, "reading the secret %s from %s", to->id, path);
	to->data = arena_strndup(&in->c->arena, buf_str(&text), 0);
	to->data = arena_alloc(&in->c->arena, text.len + 1);
	if (!to->data)
		return no_memory(e);
	memcpy((char *)(uintptr_t)to->data, buf_str(&text), text.len);
	to->n = text.len;
	return 0;
}

static int read_secret(struct build_input *in, const char *text, struct err *e)
{
	struct build_secret *to = &in->secrets[in->n_secrets];
	struct secret_fields f = {.id = NULL};

	if (parse_secret(in, text, &f, e) < 0)
		return -1;
	to->id = f.id;
	if (str_empty(f.id))
		return err_set(e, ERR_INVALID, 0, "secret missing id: %s", text);
	in->n_secrets++;
	if (!f.src && !f.env)
		f.env = getenv(f.id) ? f.id : NULL;
	if (!f.env)
		return read_secret_file(in, f.src ? f.src : f.id, to, e);
	to->data = getenv(f.env);
	if (!to->data)
		return err_set(e, ERR_NOT_FOUND, 0, "secret %s: there is no variable %s", f.id,
			       f.env);
	to->n = strlen(to->data);
	return 0;
}

static int read_ssh(struct build_input *in, const char *text, struct err *e)
{
	struct build_ssh *to = &in->ssh[in->n_ssh++];

	to->id = str_cut(&in->c->arena, text, '=', &to->socket);
	if (!to->id)
		return no_memory(e);
	if (!to->socket)
		to->socket = getenv("SSH_AUTH_SOCK");
	if (str_empty(to->socket))
		return err_set(e, ERR_INVALID, 0,
			       "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
	return 0;
}

static int read_secrets(struct build_input *in, struct err *e)
{
	const struct build_opts *o = in->o;

	in->secrets = arena_array(&in->c->arena, o->secrets.n, sizeof(*in->secrets));
	in->ssh = arena_array(&in->c->arena, o->ssh.n, sizeof(*in->ssh));
	if (!in->secrets || !in->ssh)
		return no_memory(e);
	for (size_t i = 0; i < o->secrets.n; i++)
		if (read_secret(in, o->secrets.v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < o->ssh.n; i++)
		if (read_ssh(in, o->ssh.v[i], e) < 0)
			return -1;
	return 0;
}

int build_input_read(struct cli_context *c, const struct build_opts *o, const char *context,
		     struct build_input *ret, struct err *e)
{
	char path[4096];

	*ret = (struct build_input){
		.c = c, .o = o, .text = BUF_INIT(DOCKERFILE_SIZE_MAX + 1), .ignore = IGNORE_INIT};
	if (str_eq(context, "-") && o->file && str_eq(o->file, "-"))
		return err_set(e, ERR_INVALID, 0,
			       "invalid argument: can't use stdin for both build context and "
			       "dockerfile");
	if (open_contexts(ret, context, e) < 0 || read_dockerfile(ret, e) < 0 ||
	    read_ignore(ret, e) < 0 || read_secrets(ret, e) < 0 || find_newest(ret, e) < 0)
		return -1;
	ret->project = ret->contexts[0].root < 0
			       ? "-"
			       : path_of_fd(ret->contexts[0].root, path, sizeof(path));
	ret->project = arena_printf(&c->arena, "%s#%s", ret->project, ret->name);
	return ret->project ? 0 : no_memory(e);
}
