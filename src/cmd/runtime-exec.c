/* SPDX-License-Identifier: Apache-2.0 */
/* The verb exec. What the process is stands in a file (--process, as containerd and conmon call
 * it), or is the container's own process with the command line's changes. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/control.h"
#include "runtime/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { FILTER_MAX = 1 << 20, STATE_TEXT_MAX = 1 << 20 };

/* What the command line says, and what was read for it. */
struct exec_args {
	struct runtime_args args;
	const char *process_file, *cwd, *user, *label, *apparmor, *pid_file, *console_socket;
	struct runtime_list env, gids, caps, cgroups;
	bool tty, detach, no_new_privs, ignore_paused;
	uint32_t preserve_fds;
	struct runtime_handover handover;
	struct runtime_target target;
	struct runtime_config config; /* gives the process without --process */
	struct oci_process process;
	char *filter;
	size_t n_filter;
	struct buf state_text;
	const char *state_json; /* for the agent of a filter that notifies */
	int pidfd, console;
};

#define AT(field) offsetof(struct exec_args, field)

const struct runtime_option runtime_exec_options[] = {
	{"process", 'p', OPTION_STR, AT(process_file), "FILE", "the process as JSON"},
	{"tty", 't', OPTION_FLAG, AT(tty), NULL, "with a terminal"},
	{"console-socket", 0, OPTION_STR, AT(console_socket), "SOCKET",
	 "send the terminal's master to SOCKET"},
	{"cwd", 0, OPTION_STR, AT(cwd), "DIR", "working directory"},
	{"env", 'e', OPTION_LIST, AT(env), "NAME=VALUE", "set a variable"},
	{"user", 'u', OPTION_STR, AT(user), "UID[:GID]", "user and group"},
	{"additional-gids", 'g', OPTION_LIST, AT(gids), "GID", "a further group"},
	{"cap", 'c', OPTION_LIST, AT(caps), "CAP_NAME", "add a capability"},
	{"no-new-privs", 0, OPTION_FLAG, AT(no_new_privs), NULL, "set no_new_privs"},
	{"process-label", 0, OPTION_STR, AT(label), "LABEL", "SELinux label"},
	{"apparmor", 0, OPTION_STR, AT(apparmor), "PROFILE", "AppArmor profile"},
	{"detach", 'd', OPTION_FLAG, AT(detach), NULL, "return when the program runs"},
	{"pid-file", 0, OPTION_STR, AT(pid_file), "FILE", "write the process's PID to FILE"},
	{"preserve-fds", 0, OPTION_U32, AT(preserve_fds), "N", "hand descriptors 3 to 2 + N over"},
	{"cgroup", 0, OPTION_LIST, AT(cgroups), "[CONTROLLER:]PATH",
	 "run in an existing cgroup below the container's"},
	{"ignore-paused", 0, OPTION_FLAG, AT(ignore_paused), NULL,
	 "wait for a paused container to be resumed"},
	{.name = NULL},
};

static void exec_args_done(struct exec_args *a)
{
	free(a->filter);
	buf_done(&a->state_text);
	fd_close(&a->pidfd);
	fd_close(&a->console);
	runtime_config_done(&a->config);
	runtime_target_done(&a->target);
	runtime_args_done(&a->args);
}

/* A number of 32 bits; (uid_t)-1 means "leave it" to the kernel. */
static int parse_id(const char *what, const char *s, uint32_t *ret, struct err *e)
{
	if (num_u32(s, ret) < 0 || *ret == UINT32_MAX)
		return err_set(e, ERR_INVALID, 0, "%s: '%s' is no ID", what, s);
	return 0;
}

static int apply_user(struct exec_args *a, struct err *e)
{
	struct oci_user *u = &a->process.user;
	const char *gid;
	char *uid;

	if (!a->user)
		return 0;
	uid = str_cut(&a->args.arena, a->user, ':', &gid);
	if (!uid)
		return err_errno(e, ENOMEM, "reading --user");
	if (parse_id("--user", uid, &u->uid, e) < 0)
		return -1;
	return gid ? parse_id("--user", gid, &u->gid, e) : 0;
}

static int apply_gids(struct exec_args *a, struct err *e)
{
	struct oci_user *u = &a->process.user;
	uint32_t *gids = arena_array(&a->args.arena, u->n_gids + a->gids.n + 1, sizeof(*gids));

	if (!gids)
		return err_errno(e, ENOMEM, "reading --additional-gids");
	if (u->n_gids)
		memcpy(gids, u->gids, u->n_gids * sizeof(*gids));
	for (size_t i = 0; i < a->gids.n; i++)
		if (parse_id("--additional-gids", a->gids.v[i], &gids[u->n_gids + i], e) < 0)
			return -1;
	u->gids = gids;
	u->n_gids += a->gids.n;
	return 0;
}

/* In every set but the inheritable one (CVE-2022-29162). */
static int apply_caps(struct exec_args *a, struct err *e)
{
	struct oci_caps *c = &a->process.caps;

	for (size_t i = 0; i < a->caps.n; i++) {
		int cap = oci_cap_parse(a->caps.v[i]);

		if (cap < 0)
			return err_set(e, ERR_INVALID, 0, "--cap: there is no capability '%s'",
				       a->caps.v[i]);
		c->bounding |= UINT64_C(1) << cap;
		c->effective |= UINT64_C(1) << cap;
		c->permitted |= UINT64_C(1) << cap;
		c->ambient |= UINT64_C(1) << cap;
	}
	return 0;
}

static int apply_env(struct exec_args *a, struct err *e)
{
	struct oci_process *p = &a->process;
	const char **env = NULL;
	size_t n = 0;
	int r = 0;

	for (const char **v = p->env; r >= 0 && v && *v; v++)
		r = arena_strv_push(&a->args.arena, &env, &n, *v);
	for (size_t i = 0; r >= 0 && i < a->env.n; i++)
		r = arena_strv_push(&a->args.arena, &env, &n, a->env.v[i]);
	p->env = env;
	return r < 0 ? err_errno(e, r, "reading --env") : 0;
}

/* The container's own process with what the command line changes. */
static int process_of_container(struct exec_args *a, struct err *e)
{
	struct oci_process *p = &a->process;

	if (a->args.n_rest < 2)
		return err_set(e, ERR_INVALID, 0, "exec: a program or --process is needed");
	if (runtime_target_config(&a->target, &a->config, e) < 0)
		return -1;
	*p = a->config.process;
	p->args = a->args.rest + 1;
	p->terminal = a->tty;
	p->cwd = a->cwd ? a->cwd : p->cwd;
	p->selinux_label = a->label ? a->label : p->selinux_label;
	p->apparmor_profile = a->apparmor ? a->apparmor : p->apparmor_profile;
	p->no_new_privileges |= a->no_new_privs;
	if (apply_user(a, e) < 0 || apply_gids(a, e) < 0 || apply_caps(a, e) < 0)
		return -1;
	return apply_env(a, e);
}

static int process_of_file(struct exec_args *a, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(RUNTIME_CONFIG_MAX + 1);
	_cleanup_(fd_close) int fd = path_open_host(a->process_file, O_RDONLY, 0);
	int r = fd < 0 ? fd : fd_read_all(fd, &text, RUNTIME_CONFIG_MAX);

	if (r < 0)
		return err_errno(e, r, "reading '%s'", a->process_file);
	if (runtime_config_parse_process(buf_str(&text), text.len, &a->args.arena, &a->process, e) <
	    0)
		return err_wrap(e, "%s", a->process_file);
	return 0;
}

static int check_state(struct exec_args *a, struct err *e)
{
	const struct container_state *s = &a->target.state;

	if (runtime_refresh(&a->target.state, &a->pidfd, e) < 0)
		return -1;
	if (a->pidfd < 0)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is %s: it cannot be joined",
			       s->id, container_status_name(s->status));
	if (s->status == CONTAINER_PAUSED && !a->ignore_paused) {
		err_set(e, ERR_CONFLICT, 0, "container '%s' is paused", s->id);
		return err_hint(e, "--ignore-paused waits until it is resumed");
	}
	return 0;
}

static int read_filter(struct exec_args *a, struct err *e)
{
	int r = path_read_file(a->target.dir, CONTAINER_FILTER_FILE, FILTER_MAX, &a->filter,
			       &a->n_filter);

	if (r < 0 && r != -ENOENT)
		return err_errno(e, r, "reading the container's filter");
	if (!a->target.state.listener_path)
		return 0;
	if (container_state_json(&a->target.state, &a->state_text, e) < 0)
		return -1;
	a->state_json = buf_str(&a->state_text);
	return 0;
}

static int open_all(const struct runtime_program *p, struct exec_args *a, struct err *e)
{
	if (runtime_handover_init(&a->handover, a->preserve_fds, e) < 0 ||
	    runtime_target_open(p, a->args.rest[0], false, &a->target, e) < 0 ||
	    check_state(a, e) < 0 || read_filter(a, e) < 0)
		return -1;
	if ((a->process_file ? process_of_file(a, e) : process_of_container(a, e)) < 0 ||
	    runtime_handover_env(&a->handover, a->process.env, &a->args.arena, e) < 0)
		return -1;
	a->process.env = a->handover.env;
	if (runtime_console_check(a->process.terminal, a->detach, a->console_socket, e) < 0)
		return -1;
	if (a->console_socket)
		a->console = runtime_console_connect(a->console_socket, e);
	return a->console_socket && a->console < 0 ? -1 : 0;
}

static struct runtime_exec request(const struct exec_args *a)
{
	const struct container_state *s = &a->target.state;
	struct runtime_exec x = RUNTIME_EXEC_INIT;

	x.pid = s->pid;
	x.pidfd = a->pidfd;
	x.process = &a->process;
	for (int i = 0; i < 3; i++)
		x.stdio[i] = i;
	x.console_fd = a->console;
	x.preserve = a->handover.fds;
	x.n_preserve = a->handover.n;
	x.cgroup_path = s->cgroup_path;
	x.sub_cgroups = (const char *const *)a->cgroups.v;
	x.seccomp = a->filter;
	x.n_seccomp = a->n_filter;
	x.seccomp_flags = s->seccomp_flags;
	x.listener_path = s->listener_path;
	x.listener_metadata = s->listener_metadata;
	x.state_json = a->state_json;
	x.keyring_id = s->no_keyring ? NULL : s->id;
	x.personality_32bit = s->personality_32bit;
	x.shared_root = s->shared_root;
	return x;
}

static int run(const struct exec_args *a, struct err *e)
{
	_cleanup_(exec_proc_done) struct exec_proc proc = EXEC_PROC_INIT;
	const struct runtime_exec x = request(a);

	if (runtime_exec(&x, &proc, e) < 0)
		return -1;
	if (runtime_pid_write(a->pid_file, proc.pid, e) < 0) {
		runtime_signal(proc.pidfd, SIGKILL, NULL);
		return -1;
	}
	return a->detach ? 0 : runtime_foreground(proc.pidfd, proc.pty, e);
}

int verb_exec(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	_cleanup_(exec_args_done) struct exec_args a = {.target = RUNTIME_TARGET_INIT,
							.config = RUNTIME_CONFIG_INIT,
							.state_text = BUF_INIT(STATE_TEXT_MAX),
							.pidfd = -1,
							.console = -1};

	if (runtime_options_parse(&p->verb->command, argc, argv, &a, e) < 0 ||
	    open_all(p, &a, e) < 0)
		return -1;
	return run(&a, e);
}
