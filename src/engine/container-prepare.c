/* SPDX-License-Identifier: Apache-2.0 */
/* What a start prepares before there is a process: the run directory with its lock, the root file
 * system and the mounts as descriptors, the configuration, the filter, pipes and sockets. */
#include "engine/container-start-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/spec-life.h"
#include "kernel/tty.h"
#include "monitor/client.h"
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void start_done(struct start *s)
{
	int *const all[] = {&s->run_dir,    &s->lock,      &s->rootfs,          &s->program,
			    &s->init,       &s->pair[0],   &s->pair[1],         &s->in[0],
			    &s->in[1],      &s->out[0],    &s->out[1],          &s->err_out[0],
			    &s->err_out[1], &s->client_in, &s->facts.shared_shm};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		fd_close(all[i]);
	mount_sources_done(&s->facts.sources, false);
	if (s->client)
		client_free(s->client);
	runtime_config_done(&s->config);
	buf_done(&s->seccomp);
	endpoints_done(&s->endpoints);
}

static int fill_run_dir(struct start *s, struct err *e)
{
	int r = snprintf(s->run_path, sizeof(s->run_path), "%s/containers/%s", s->en->run_root,
			 s->c->id);

	if (r < 0 || (size_t)r >= sizeof(s->run_path))
		return err_set(e, ERR_INVALID, ENAMETOOLONG, "run directory '%s'", s->en->run_root);
	path_remove_tree(s->run_dir, MONITOR_HEALTH);
	if (container_has_endpoints(s->c) && endpoints_take(s->en, s->c, &s->endpoints, e) < 0)
		return -1;
	return container_files_write(s->c, &s->endpoints, s->run_dir, e);
}

static int take_run_dir(struct start *s, struct err *e)
{
	int r;

	/* A restart has had it all the time. */
	if (s->lock >= 0)
		return fill_run_dir(s, e);
	r = s->fresh ? container_own(s->en, s->c->id, &s->run_dir, &s->lock, e)
		     : container_claim(s->en, s->c, &s->run_dir, &s->lock, e);
	if (r == 0)
		return err_set(e, ERR_CONFLICT, 0, "container %s is running already", s->c->name);
	if (r < 0)
		return -1;
	/* What an earlier run of a monitor that was killed has left. */
	path_remove_tree(s->run_dir, MONITOR_EXIT_RECORD);
	path_remove_tree(s->run_dir, MONITOR_CONTROL);
	return fill_run_dir(s, e);
}

/* The working directory is made where the image lacks it, as Docker does. */
static int make_workdir(struct start *s, struct err *e)
{
	const char *dir = s->c->spec.workdir;
	int fd;

	if (str_empty(dir) || str_eq(dir, "/"))
		return 0;
	fd = path_mkdirs(s->rootfs, dir, 0755, 0);
	if (fd < 0)
		return err_errno(e, fd, "making the working directory '%s' in the container", dir);
	fd_close(&fd);
	return 0;
}

static int open_programs(struct start *s, struct err *e)
{
	int r = monitor_check_paths(s->en->root, s->en->run_root);

	if (r < 0)
		return err_errno(e, r, "--root or --run-root");
	s->program = program_open("kogge-monitor");
	if (s->program < 0)
		return err_errno(e, s->program,
				 "finding kogge-monitor beside kogge or in "
				 "../libexec/kogge");
	if (!s->c->spec.init)
		return 0;
	s->init = program_open("kogge-init");
	if (s->init < 0)
		return err_errno(e, s->init,
				 "finding kogge-init beside kogge or in "
				 "../libexec/kogge");
	s->facts.init = path_of_fd(s->init, s->init_path, sizeof(s->init_path));
	return 0;
}

static int make_pipe(int pair[2], struct err *e)
{
	int r = fd_pipe(pair);

	if (r < 0)
		return err_errno(e, r, "making a pipe");
	/* As much as an unprivileged user may have: fewer turns for large output. */
	fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
	return 0;
}

static int make_stdio(struct start *s, struct err *e)
{
	const struct container_spec *spec = &s->c->spec;
	struct client_opts o = {
		.in = spec->interactive && !s->attach->detach ? s->attach->in : -1,
		.screen = attach_screen(s->attach),
		.terminal = spec->tty && !s->attach->detach,
		.sig_proxy = s->attach->sig_proxy && !s->attach->detach,
		.detach_keys = s->attach->detach_keys,
	};
	int r;

	if (!s->restart && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->pair) < 0)
		return err_errno(e, errno, "making a socket pair");
	if (!s->restart && client_new(&o, s->pair[0], &s->client, &s->client_in, e) < 0)
		return -1;
	if (spec->tty)
		return 0;
	if (spec->interactive && make_pipe(s->in, e) < 0)
		return -1;
	if (make_pipe(s->out, e) < 0 || make_pipe(s->err_out, e) < 0)
		return -1;
	/* The monitor's ends. */
	r = s->in[1] >= 0 ? fd_nonblock(s->in[1], true) : 0;
	if (r == 0)
		r = fd_nonblock(s->out[0], true);
	if (r == 0)
		r = fd_nonblock(s->err_out[0], true);
	return r < 0 ? err_errno(e, r, "preparing pipes") : 0;
}

static int make_config(struct start *s, struct err *e)
{
	const char **args = container_args(s->c, e);
	struct winsize w;
	uint64_t caps;

	s->facts.en = s->en;
	s->facts.c = s->c;
	s->facts.rootfs = s->rootfs;
	s->facts.run_dir = s->run_path;
	if (s->c->spec.tty && attach_screen(s->attach) >= 0 &&
	    tty_get_size(attach_screen(s->attach), &w) == 0) {
		s->facts.rows = w.ws_row;
		s->facts.columns = w.ws_col;
	}
	if (!args || container_runtime_config(&s->facts, args, &s->config, e) < 0 ||
	    container_capabilities(&s->c->spec, &caps, e) < 0)
		return -1;
	return container_seccomp(&s->c->spec, caps, &s->seccomp, e);
}

int start_prepare(struct start *s, struct err *e)
{
	struct log_config log;

	if (spec_log_config(&s->c->spec.log, &log, e) < 0 || spec_log_usable(&log, e) < 0)
		return -1;
	if (take_run_dir(s, e) < 0)
		return -1;
	s->rootfs = container_mount_rootfs(s->en, s->c, e);
	if (s->rootfs < 0)
		return -1;
	TRACE("root file system mounted");
	if (mount_sources_open(s->en, s->c, &s->facts.sources, e) < 0)
		return -1;
	if (make_workdir(s, e) < 0 || open_programs(s, e) < 0 || make_config(s, e) < 0)
		return -1;
	TRACE("configuration made");
	return make_stdio(s, e);
}
