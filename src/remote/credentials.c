/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/credentials.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MAX = 1 << 20, ANSWER_MAX = 1 << 16 };

#define HUB_KEY "https://index.docker.io/v1/"

static const char *key_of(const char *host)
{
	return str_eq(host, "docker.io") || str_eq(host, "registry-1.docker.io") ? HUB_KEY : host;
}

static char *decoded(struct arena *a, const char *s)
{
	char *out = arena_array(a, BASE64_BYTES(strlen(s)) + 1, 1);
	ssize_t n = out ? base64_decode(s, out) : -ENOMEM;

	if (n < 0)
		return NULL;
	out[n] = '\0';
	return out;
}

static char *encoded(struct arena *a, const char *s, size_t n)
{
	char *out = arena_array(a, BASE64_SIZE(n), 1);

	if (out)
		base64_encode(s, n, out);
	return out;
}

/* ---- the document ---- */

static json_t *auth_of(const json_t *root, const char *host)
{
	const json_t *auths = json_object_get(root, "auths");
	json_t *found = json_object_get(auths, key_of(host));
	_cleanup_(buf_done) struct buf b = BUF_INIT(1024);

	/* Old clients wrote addresses. */
	if (!found && buf_printf(&b, "https://%s", host) == 0)
		found = json_object_get(auths, buf_str(&b));
	return found;
}

static int read_auth(const json_t *auth, struct arena *a, struct credentials *ret, struct err *e)
{
	const char *text = json_string_value(json_object_get(auth, "auth"));
	const char *token = json_string_value(json_object_get(auth, "identitytoken"));
	char *both = NULL, *colon = NULL;

	if (!str_empty(token))
		ret->identity_token = arena_strdup(a, token);
	if (str_empty(text))
		return 0;
	both = decoded(a, text);
	colon = both ? strchr(both, ':') : NULL;
	if (!colon)
		return err_set(e, ERR_INVALID, 0,
			       "config.json: 'auth' is not base64 of user:password");
	*colon = '\0';
	ret->user = both;
	ret->password = colon + 1;
	return 0;
}

int credentials_parse(const char *text, size_t n, const char *host, struct arena *a,
		      struct credentials *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *root = json_parse(text, n, "config.json", e);
	const char *helper, *all;

	*ret = (struct credentials){.user = NULL};
	if (!root)
		return -1;
	helper = json_string_value(
		json_object_get(json_object_get(root, "credHelpers"), key_of(host)));
	if (!helper)
		helper = json_string_value(
			json_object_get(json_object_get(root, "credHelpers"), host));
	all = json_string_value(json_object_get(root, "credsStore"));
	if (str_empty(helper))
		helper = all;
	if (!str_empty(helper)) {
		if (strchr(helper, '/'))
			return err_set(e, ERR_INVALID, 0,
				       "config.json: the helper '%.100s' is no name", helper);
		ret->helper = arena_strdup(a, helper);
		return ret->helper ? 0 : err_errno(e, ENOMEM, "reading config.json");
	}
	return read_auth(auth_of(root, host), a, ret, e);
}

/* ---- the file ---- */

static const char *config_dir(struct arena *a)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (!str_empty(dir))
		return dir;
	return arena_printf(a, "%s/.docker", str_empty(home) ? "/root" : home);
}

/* *RET: heap; NULL where there is no file. */
static int read_config(struct arena *a, char **ret, size_t *ret_n, const char **ret_path,
		       struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(CONFIG_MAX);
	_cleanup_(fd_close) int fd = -1;
	const char *dir = config_dir(a);
	char chunk[4096];
	ssize_t n;

	*ret = NULL;
	*ret_path = dir ? arena_printf(a, "%s/config.json", dir) : NULL;
	if (!*ret_path)
		return err_errno(e, ENOMEM, "reading config.json");
	fd = path_open_host(*ret_path, O_RDONLY, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return err_errno(e, fd, "opening '%s'", *ret_path);
	while ((n = fd_read_full(fd, chunk, sizeof(chunk))) > 0)
		if (buf_put(&b, chunk, (size_t)n) < 0)
			return err_set(e, ERR_LIMIT, 0, "'%s' is too long", *ret_path);
	if (n < 0)
		return err_errno(e, (int)n, "reading '%s'", *ret_path);
	*ret_n = b.len;
	*ret = b.len ? buf_take(&b) : NULL;
	return 0;
}

/* ---- helpers ---- */

static int talk(int in, int out, const char *text, struct buf *answer)
{
	char chunk[4096];
	ssize_t n;
	int rc = fd_write_full(in, text, strlen(text));

	fd_close(&in);
	while (rc == 0 && (n = fd_read_full(out, chunk, sizeof(chunk))) != 0)
		rc = n < 0 ? (int)n : buf_put(answer, chunk, (size_t)n);
	return rc;
}

/* Runs docker-credential-NAME VERB with INPUT; its answer goes to OUT. It is the user's own program
 * and found as Docker finds it, by PATH; env does that, as many helpers are scripts. */
static int run_helper(const char *name, const char *verb, const char *input, struct buf *out,
		      struct err *e)
{
	_cleanup_(fd_close) int program = path_open_host("/usr/bin/env", O_PATH, 0);
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char *helper = arena_printf(&a, "docker-credential-%s", name);
	_cleanup_(process_done) struct process p = PROCESS_INIT;
	_cleanup_(fd_close) int in0 = -1, in1 = -1, out0 = -1, out1 = -1;
	const char *const argv[] = {"env", helper, verb, NULL};
	int in[2], back[2], status = 0, rc = fd_pipe(in);
	struct process_spawn s = PROCESS_SPAWN_INIT;

	if (program < 0 || !helper)
		return err_errno(e, helper ? program : -ENOMEM, "opening '/usr/bin/env'");
	if (rc == 0) {
		in0 = in[0];
		in1 = in[1];
		rc = fd_pipe(back);
	}
	if (rc == 0) {
		out0 = back[0];
		out1 = back[1];
		s.exe = program;
		s.argv = argv;
		s.env = (const char *const *)environ;
		s.fds = (const int[]){in0, out1, 2};
		s.n_fds = 3;
		rc = process_spawn(&s, &p);
	}
	if (rc < 0)
		return err_errno(e, rc, "starting docker-credential-%s", name);
	fd_close(&in0);
	fd_close(&out1);
	rc = talk(TAKE_FD(in1), out0, input, out);
	process_wait(&p, &status);
	if (rc < 0)
		return err_errno(e, rc, "talking to docker-credential-%s", name);
	return status;
}

static int ask_helper(const char *name, const char *host, struct arena *a, struct credentials *ret,
		      struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(ANSWER_MAX);
	_cleanup_(json_unref) json_t *j = NULL;
	const char *user, *secret;
	int status = run_helper(name, "get", key_of(host), &out, e);

	if (status < 0)
		return -1;
	if (status > 0) /* it has nothing, and says so */
		return 0;
	j = json_parse(buf_str(&out), out.len, "the credential helper's answer", e);
	if (!j)
		return -1;
	user = json_string_value(json_object_get(j, "Username"));
	secret = json_string_value(json_object_get(j, "Secret"));
	if (str_empty(user) || !secret)
		return 0;
	if (str_eq(user, "<token>")) {
		ret->identity_token = arena_strdup(a, secret);
	} else {
		ret->user = arena_strdup(a, user);
		ret->password = arena_strdup(a, secret);
	}
	return 0;
}

int credentials_find(const char *host, struct arena *a, struct credentials *ret, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	const char *path;
	size_t n = 0;

	*ret = (struct credentials){.user = NULL};
	if (read_config(a, &text, &n, &path, e) < 0)
		return -1;
	if (!text)
		return 0;
	if (credentials_parse(text, n, host, a, ret, e) < 0)
		return err_wrap(e, "'%s'", path);
	return ret->helper ? ask_helper(ret->helper, host, a, ret, e) : 0;
}

/* ---- login and logout ---- */

static int tell_helper(const char *helper, const char *host, const struct credentials *c,
		       struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(ANSWER_MAX), in = BUF_INIT(ANSWER_MAX);
	_cleanup_(json_unref) json_t *j = NULL;
	int status;

	if (!c)
		return run_helper(helper, "erase", key_of(host), &out, e) < 0 ? -1 : 0;
	j = json_pack("{s:s, s:s, s:s}", "ServerURL", key_of(host), "Username", c->user, "Secret",
		      c->password);
	if (!j || json_write(j, 0, &in) < 0)
		return err_errno(e, ENOMEM, "storing credentials");
	status = run_helper(helper, "store", buf_str(&in), &out, e);
	return status > 0 ? err_set(e, ERR_IO, 0, "docker-credential-%s store: exit code %d",
				    helper, status)
			  : status;
}

static int write_config(const char *path, const json_t *root, struct arena *a, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(CONFIG_MAX);
	_cleanup_(fd_close) int top = -1;
	_cleanup_(fd_close) int dir = -1;
	const char *folder = config_dir(a);
	int rc = folder ? json_write(root, JSON_INDENT(8), &b) : -ENOMEM;

	if (rc == 0)
		top = rc = path_open_host(folder[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY, 0);
	if (rc >= 0)
		dir = rc = path_mkdirs(top, folder, 0700, 0);
	if (rc >= 0)
		rc = path_write_file(dir, "config.json", buf_str(&b), b.len, 0600);
	return rc < 0 ? err_errno(e, rc, "writing '%s'", path) : 0;
}

static int change_auths(json_t *root, const char *host, const struct credentials *c,
			struct arena *a, bool *ret_was)
{
	json_t *auths = json_object_get(root, "auths");
	_cleanup_(buf_done) struct buf b = BUF_INIT(ANSWER_MAX);
	const char *text;

	if (!json_is_object(auths)) {
		auths = json_object();
		if (json_object_set_new(root, "auths", auths) < 0)
			return -1;
	}
	*ret_was = json_object_get(auths, key_of(host)) != NULL;
	if (!c)
		return *ret_was ? json_object_del(auths, key_of(host)) : 0;
	if (buf_printf(&b, "%s:%s", c->user, c->password) < 0)
		return -1;
	text = encoded(a, buf_str(&b), b.len);
	return text ? json_object_set_new(auths, key_of(host), json_pack("{s:s}", "auth", text))
		    : -1;
}

int credentials_store(const char *host, const struct credentials *c, struct arena *a,
		      const char **ret_where, bool *ret_was, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(json_unref) json_t *root = NULL;
	struct credentials now = {.user = NULL};
	const char *path;
	size_t n = 0;

	*ret_was = true;
	if (read_config(a, &text, &n, &path, e) < 0 ||
	    (text && credentials_parse(text, n, host, a, &now, e) < 0))
		return -1;
	*ret_where = now.helper ? now.helper : path;
	if (now.helper)
		return tell_helper(now.helper, host, c, e);
	root = text ? json_parse(text, n, "config.json", e) : json_object();
	if (!root)
		return -1;
	if (change_auths(root, host, c, a, ret_was) < 0)
		return err_errno(e, ENOMEM, "changing '%s'", path);
	return !c && !*ret_was ? 0 : write_config(path, root, a, e);
}
