/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "oci/runtime-config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX = 2 << 20 };

/* The socket by its descriptor: an address holds 107 bytes, a path more. */
static int connect_agent(const char *path)
{
	_cleanup_(fd_close) int at = path_open_host(path, O_PATH, 0), sock = -1;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (at < 0)
		return at;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", at);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(sock);
}

static int write_state(const struct seccomp_profile *p, const char *state, pid_t pid,
		       struct buf *out, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_object(), *container = NULL;
	json_t *fds = json_array();
	int r;

	container = json_parse(state, strlen(state), "the state", e);
	if (!container)
		return -1;
	json_array_append_new(fds, json_string("seccompFd"));
	json_object_set_new(j, "ociVersion", json_string(OCI_RUNTIME_VERSION));
	json_object_set_new(j, "fds", fds);
	json_object_set_new(j, "pid", json_integer(pid));
	if (p->listener_metadata)
		json_object_set_new(j, "metadata", json_string_nocheck(p->listener_metadata));
	json_object_set(j, "state", container);
	r = json_write(j, 0, out);
	return r < 0 ? err_errno(e, r, "writing the process state") : 0;
}

int runtime_listener_send(const struct seccomp_profile *p, const char *state, pid_t pid,
			  int listener, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(MESSAGE_MAX);
	_cleanup_(fd_close) int agent = -1;
	int r;

	if (write_state(p, state, pid, &text, e) < 0)
		return -1;
	agent = p->listener_path ? connect_agent(p->listener_path) : -ENOENT;
	if (agent < 0)
		return err_errno(e, agent,
				 "config.json: linux.seccomp.listenerPath: connecting to '%s'",
				 p->listener_path ? p->listener_path : "");
	r = fd_send(agent, text.data, text.len, &listener, 1);
	return r < 0 ? err_errno(e, r, "sending the seccomp listener to '%s'", p->listener_path)
		     : 0;
}
