/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pull.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/str.h"

#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

struct opts {
	const char *user, *password;
	bool password_stdin;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"password", 'p', CLI_STRING, O(password), "The password"},
	{"password-stdin", 0, CLI_BOOL, O(password_stdin), "Read the password from stdin"},
	{"username", 'u', CLI_STRING, O(user), "The user"},
	{NULL},
};
static const struct cli_option no_options[] = {{NULL}};

/* A line from stdin; on a terminal it is asked for, and not shown where it is SECRET. */
static const char *ask(struct cli_context *c, const char *what, bool secret, struct err *e)
{
	char *line = arena_array(&c->arena, SECRET_MAX, 1);
	struct termios old, quiet;
	bool shown = !secret || tcgetattr(c->in_fd, &old) < 0;
	size_t n = 0;

	if (!line)
		return err_set(e, ERR_LIMIT, 0, "out of memory"), NULL;
	fprintf(c->out, "%s: ", what);
	fflush(c->out);
	if (!shown) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(c->in_fd, TCSAFLUSH, &quiet);
	}
	while (n + 1 < SECRET_MAX && fd_read_full(c->in_fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	if (!shown) {
		tcsetattr(c->in_fd, TCSAFLUSH, &old);
		fputc('\n', c->out);
	}
	return line;
}

static const char *read_stdin(struct cli_context *c, struct err *e)
{
	char *text = arena_array(&c->arena, SECRET_MAX, 1);
	ssize_t n = text ? fd_read_full(c->in_fd, text, SECRET_MAX - 1) : -1;

	if (n < 0)
		return err_set(e, ERR_IO, 0, "reading the password from stdin"), NULL;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = '\0';
	return text;
}

static int gather(struct cli_context *c, const struct opts *o, struct credentials *ret,
		  struct err *e)
{
	if (o->password_stdin && o->password)
		return err_set(e, ERR_INVALID, 0,
			       "--password and --password-stdin are mutually exclusive");
	if (o->password_stdin && str_empty(o->user))
		return err_set(e, ERR_INVALID, 0, "Must provide --username with --password-stdin");
	if (!isatty(c->in_fd) && !o->password_stdin && (str_empty(o->user) || !o->password))
		return err_set(e, ERR_INVALID, 0,
			       "Error: Cannot perform an interactive login from a non TTY device");
	if (o->password)
		fprintf(c->err, "WARNING! Using --password via the CLI is insecure. Use "
				"--password-stdin.\n");
	ret->user = o->user ? o->user : ask(c, "Username", false, e);
	ret->password = o->password_stdin ? read_stdin(c, e)
			: o->password     ? o->password
					  : ask(c, "Password", true, e);
	if (!ret->user || !ret->password)
		return -1;
	if (!*ret->user || !*ret->password || strchr(ret->user, ':'))
		return err_set(e, ERR_INVALID, 0, "a user name and a password are required");
	return 0;
}

/* "https://host/" as people write it, too. */
static int host_of(const struct cli_args *a, struct reference *ret, struct err *e)
{
	const char *host = a->argc ? a->argv[0] : "docker.io";
	const char *bare = str_after(host, "https://");
	size_t n;

	if (!bare)
		bare = str_after(host, "http://");
	if (bare)
		host = bare;
	n = strcspn(host, "/");
	if (n == 0 || n >= sizeof(ret->domain))
		return err_set(e, ERR_INVALID, 0, "'%s' is no registry", host);
	*ret = (struct reference){.path = ""};
	memcpy(ret->domain, host, n);
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	struct credentials as = {.user = NULL};
	struct reference ref;
	const char *where;
	bool was;

	if (host_of(a, &ref, e) < 0 || gather(c, a->opts, &as, e) < 0 ||
	    registry_open_as(c, &ref, false, &as, &r, e) < 0)
		return 1;
	if (remote_ping(&r, e) < 0)
		return err_wrap(e, "login to %s", ref.domain), 1;
	if (credentials_store(ref.domain, &as, &c->arena, &where, &was, e) < 0)
		return 1;
	if (strchr(where, '/'))
		fprintf(c->err,
			"WARNING! Your password is stored unencrypted in %s. Configure a "
			"credential helper to avoid that.\n",
			where);
	fprintf(c->out, "Login Succeeded\n");
	return 0;
}

static int run_logout(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct reference ref;
	const char *where;
	bool was;

	if (host_of(a, &ref, e) < 0 ||
	    credentials_store(ref.domain, NULL, &c->arena, &where, &was, e) < 0)
		return 1;
	if (was)
		fprintf(c->out, "Removing login credentials for %s\n", ref.domain);
	else
		fprintf(c->out, "Not logged in to %s\n", ref.domain);
	return 0;
}

const struct cli_command cli_login = {.name = "login",
				      .usage = "[OPTIONS] [SERVER]",
				      .summary = "Log in to a registry",
				      .max_args = 1,
				      .options = options,
				      .opts_size = sizeof(struct opts),
				      .run = run};
const struct cli_command cli_logout = {.name = "logout",
				       .usage = "[SERVER]",
				       .summary = "Log out from a registry",
				       .max_args = 1,
				       .options = no_options,
				       .opts_size = sizeof(struct opts),
				       .run = run_logout};
