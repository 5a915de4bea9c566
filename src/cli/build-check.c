/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build-check.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "dockerfile/lint.h"
#include "oci/image-config.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/image-store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DOCS "https://docs.docker.com/go/dockerfile/rule/"

/* One check: the files that it reads, and what it asks the store. */
struct check {
	struct cli_context *c;
	const struct build_check_opts *o;
	const char *name; /* of the Dockerfile, for messages */
	struct buf text;
	struct ignore ignore;
	const char **args; /* NAME=value */
};

/* ---- files ---- */

/* The descriptor of FOLDER/NAME, or of NAME alone; negative errno. */
static int open_file(struct check *k, const char *folder, const char *name)
{
	const char *path = folder ? arena_printf(&k->c->arena, "%s/%s", folder, name) : name;

	return path ? path_open_host(path, O_RDONLY | O_NONBLOCK, 0) : -ENOMEM;
}

static int open_dockerfile(struct check *k, struct err *e)
{
	const char *context = k->o->context;
	int fd;

	if (str_eq(context, "-") || str_eq0(k->o->file, "-")) {
		k->name = "Dockerfile";
		fd = dup(k->c->in_fd);
		return fd < 0 ? err_errno(e, errno, "reading the Dockerfile from stdin") : fd;
	}
	k->name = k->o->file ? k->o->file : "Dockerfile";
	fd = open_file(k, k->o->file ? NULL : context, k->name);
	if (fd == -ENOENT && !k->o->file)
		fd = open_file(k, context, "dockerfile");
	if (fd < 0) {
		err_errno(e, fd, "opening %s%s%s", k->o->file ? "" : context, k->o->file ? "" : "/",
			  k->name);
		return k->o->file ? -1 : err_hint(e, "-f FILE names another Dockerfile");
	}
	return fd;
}

static int read_dockerfile(struct check *k, struct err *e)
{
	_cleanup_(fd_close) int fd = open_dockerfile(k, e);
	int r;

	if (fd < 0)
		return -1;
	r = fd_read_all(fd, &k->text, DOCKERFILE_SIZE_MAX);
	return r < 0 ? err_errno(e, r, "reading %s", k->name) : 0;
}

/* FILE.dockerignore beside the Dockerfile, else .dockerignore of the context. None is none. */
static int read_ignore(struct check *k, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(IGNORE_SIZE_MAX);
	_cleanup_(fd_close) int fd = -1;
	const char *own = arena_printf(&k->c->arena, "%s.dockerignore", k->name);
	int r;

	if (str_eq(k->o->context, "-") || !own)
		return 0;
	fd = open_file(k, k->o->file ? NULL : k->o->context, own);
	if (fd == -ENOENT)
		fd = open_file(k, k->o->context, ".dockerignore");
	if (fd < 0)
		return fd == -ENOENT ? 0 : err_errno(e, fd, "opening .dockerignore");
	r = fd_read_all(fd, &text, IGNORE_SIZE_MAX);
	if (r < 0)
		return err_errno(e, r, "reading .dockerignore");
	if (ignore_parse(buf_str(&text), text.len, &k->ignore, e) < 0)
		return err_wrap(e, ".dockerignore");
	return 0;
}

/* ---- what the check asks ---- */

/* An image that the store does not have, or a store that cannot be read, is no error: then a
 * variable may well be the image's. */
static const char *const *base_env(void *arg, const char *name)
{
	static const char *const none[] = {NULL};
	struct check *k = arg;
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(image_config_done) struct image_config config = IMAGE_CONFIG_INIT;
	struct err ignored = ERR_INIT;
	struct store *s = geteuid() == 0 ? cli_store(k->c, &ignored) : NULL;
	const char **env = NULL;
	size_t n = 0;

	if (!s || image_resolve(s, name, 0, &img, &ignored) < 0 ||
	    image_config_parse(img.config, img.config_len, &config, &ignored) < 0)
		return NULL;
	for (size_t i = 0; config.run.env && config.run.env[i]; i++) {
		const char *copy = arena_strdup(&k->c->arena, config.run.env[i]);

		if (!copy || arena_strv_push(&k->c->arena, &env, &n, copy) < 0)
			return NULL;
	}
	return env ? env : none;
}

static bool is_image(void *arg, const char *name)
{
	struct reference r;

	return reference_parse(name, &r, NULL) >= 0;
}

/* With exceptions a folder that is left out may hold a file that is not: nothing is known. */
static bool is_ignored(void *arg, const char *path)
{
	const struct check *k = arg;
	const char *clean = str_path_clean(&k->c->arena, path);

	if (!clean || k->ignore.exceptions)
		return false;
	return clean[1] ? ignore_matches(&k->ignore, clean + 1) : k->ignore.everything;
}

/* "NAME" alone is the value that it has here. */
static int collect_args(struct check *k, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < k->o->args->n; i++) {
		const char *s = k->o->args->v[i], *value;

		if (!strchr(s, '=')) {
			value = getenv(s);
			if (!value)
				continue;
			s = arena_printf(&k->c->arena, "%s=%s", s, value);
		}
		if (!s || arena_strv_push(&k->c->arena, &k->args, &n, s) < 0)
			return err_set(e, ERR_LIMIT, 0, "too many build arguments");
	}
	return 0;
}

/* ---- what it says ---- */

/* The lines AT of the Dockerfile with two more around them. */
static void print_source(const struct check *k, FILE *out, struct df_range at)
{
	const char *line = buf_str(&k->text), *end = line + k->text.len;
	unsigned first = at.first > 2 ? at.first - 2 : 1;

	fprintf(out, "%s:%u\n--------------------\n", k->name, at.first);
	for (unsigned n = 1; line < end && n <= at.last + 2; n++) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		int len = (int)((eol ? eol : end) - line);

		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (n >= first)
			fprintf(out, "%4u | %s %.*s\n", n,
				n >= at.first && n <= at.last ? ">>>" : "   ", len, line);
		line = eol ? eol + 1 : end;
	}
	fputs("--------------------\n", out);
}

static int failed(const struct check *k, struct df_range at, struct err *e)
{
	if (!at.first)
		return err_wrap(e, "%s", k->name), 1;
	print_source(k, k->c->err, at);
	return err_wrap(e, "%s:%u", k->name, at.first), 1;
}

static int report(const struct check *k, const struct df_lint *l)
{
	FILE *out = k->c->out;

	if (!l->n) {
		fputs("Check complete, no warnings found.\n", out);
		return 0;
	}
	fprintf(out, "Check complete, %zu warning%s been found!\n", l->n,
		l->n == 1 ? " has" : "s have");
	for (size_t i = 0; i < l->n; i++) {
		const struct df_rule_info *rule = df_rule_info(l->warnings[i].rule);

		fprintf(out, "\nWARNING: %s - " DOCS "%s/\n%s\n", rule->name, rule->slug,
			l->warnings[i].message);
		print_source(k, out, l->warnings[i].at);
	}
	return 1;
}

static int run_check(struct check *k, struct err *e)
{
	_cleanup_(dockerfile_done) struct dockerfile d = DOCKERFILE_INIT;
	_cleanup_(df_lint_done) struct df_lint l = DF_LINT_INIT;
	char host_text[PLATFORM_TEXT_SIZE], target_text[PLATFORM_TEXT_SIZE];
	struct platform host, target;
	struct df_lint_opts opts = {.target = k->o->target,
				    .build_args = k->args,
				    .base_env = base_env,
				    .is_image = is_image,
				    .ignored = is_ignored,
				    .arg = k};

	platform_host(&host);
	target = host;
	if (k->o->platform && platform_parse(k->o->platform, &target, e) < 0)
		return 1;
	opts.platform = platform_text(&host, host_text);
	opts.target_platform = platform_text(&target, target_text);
	if (dockerfile_parse(buf_str(&k->text), k->text.len, &d, e) < 0)
		return failed(k, d.failed_at, e);
	if (df_lint_run(&d, &opts, &l, e) < 0)
		return failed(k, l.failed_at, e);
	return report(k, &l);
}

int build_check(struct cli_context *c, const struct build_check_opts *o, struct err *e)
{
	struct check k = {
		.c = c, .o = o, .text = BUF_INIT(DOCKERFILE_SIZE_MAX + 1), .ignore = IGNORE_INIT};
	int r = 1;

	if (read_dockerfile(&k, e) == 0 && read_ignore(&k, e) == 0 && collect_args(&k, e) == 0)
		r = run_check(&k, e);
	buf_done(&k.text);
	ignore_done(&k.ignore);
	return r;
}
