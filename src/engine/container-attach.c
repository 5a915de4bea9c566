/* SPDX-License-Identifier: Apache-2.0 */
/* Being with a container that runs already: its monitor gets this process's descriptors. */
#include "base/fd.h"
#include "engine/container-logs.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "monitor/client.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int attach_screen(const struct attach_opts *a)
{
	const int fds[] = {a->in, a->out, a->err_out};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0 && isatty(fds[i]))
			return fds[i];
	return -1;
}

static int send_attach(const struct container *c, const struct attach_opts *a, int sock, int in,
		       struct err *e)
{
	struct monitor_msg m = {.type = MONITOR_ATTACH}, size = {.type = MONITOR_RESIZE};
	struct winsize w;
	int fds[3], r;
	size_t n = 0;

	if (in >= 0) {
		m.a |= MONITOR_ATTACH_IN;
		fds[n++] = in;
	}
	if (a->out >= 0) {
		m.a |= MONITOR_ATTACH_OUT;
		fds[n++] = a->out;
	}
	if (a->err_out >= 0 && !c->spec.tty) {
		m.a |= MONITOR_ATTACH_ERR;
		fds[n++] = a->err_out;
	}
	r = fd_send(sock, &m, sizeof(m), fds, n);
	if (r < 0)
		return err_errno(e, r, "attaching to container %.12s", c->id);
	if (c->spec.tty && attach_screen(a) >= 0 && ioctl(attach_screen(a), TIOCGWINSZ, &w) == 0) {
		size.a = w.ws_row;
		size.b = w.ws_col;
		(void)!send(sock, &size, sizeof(size), MSG_NOSIGNAL);
	}
	return 0;
}

static int stay(struct client *client, struct container_exit *ret, struct err *e)
{
	struct client_exit how;

	do
		if (client_run(client, &how, e) < 0)
			return -1;
	while (how.settled);
	*ret = (struct container_exit){
		.code = how.code, .oom = how.oom, .detached = how.detached, .lost_kb = how.lost_kb};
	return 0;
}

int container_attach(struct engine *en, const char *ref, const struct attach_opts *a,
		     struct container_exit *ret, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1, sock = -1, in = -1;
	_cleanup_(client_freep) struct client *client = NULL;
	struct client_opts o = {.screen = attach_screen(a), .detach_keys = a->detach_keys};

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0,
			       "You cannot attach to a stopped container, start it first");
	if (c.paused)
		return err_set(e, ERR_CONFLICT, 0,
			       "You cannot attach to a paused container, unpause it first");
	if (c.restarting)
		return err_set(e, ERR_CONFLICT, 0,
			       "You cannot attach to a restarting container, wait until it is "
			       "running");
	run_dir = container_run_dir(en, c.id, false, e);
	sock = run_dir < 0 ? -1 : monitor_connect(run_dir);
	if (sock < 0)
		return err_set(e, ERR_NOT_FOUND, -sock, "reaching the monitor of container %.12s",
			       c.id);
	o.in = c.spec.interactive ? a->in : -1;
	o.terminal = c.spec.tty;
	o.sig_proxy = a->sig_proxy;
	if (client_new(&o, sock, &client, &in, e) < 0 || send_attach(&c, a, sock, in, e) < 0)
		return -1;
	fd_close(&in);
	event_container(en, &c, "attach", NULL);
	return stay(client, ret, e);
}
