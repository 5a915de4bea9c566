/* SPDX-License-Identifier: Apache-2.0 */
/* The stage's entry: receives descriptors and plan, checks the plan whole, executes it. It decides
 * nothing: what a step means for the container was decided when the plan was built.
 *
 * Invariants:
 *   1. Not dumpable from the first instruction (or message, see stage.h) until exec
 * (CVE-2016-9962): no other process of the container can trace it or take its descriptors.
 *   2. Every descriptor but 0 to 2 and the preserved ones is close-on-exec, and again marked so
 *      as a whole right before exec (CVE-2024-21626). */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/trace.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const stage_fn operations[PLAN_OP_N] = {
	[PLAN_SETNS] = stage_setns,
	[PLAN_JOIN] = stage_join,
	[PLAN_FORK] = stage_fork,
	[PLAN_USERNS] = stage_userns,
	[PLAN_CGROUP_JOIN] = stage_cgroup_join,
	[PLAN_UNSHARE] = stage_unshare,
	[PLAN_TIME_OFFSET] = stage_time_offset,
	[PLAN_SESSION] = stage_session,
	[PLAN_KEYRING] = stage_keyring,
	[PLAN_LOOPBACK] = stage_loopback,
	[PLAN_PROPAGATION] = stage_propagation,
	[PLAN_ROOT] = stage_root,
	[PLAN_PIVOT] = stage_pivot,
	[PLAN_MOUNT_FS] = stage_mount_fs,
	[PLAN_MOUNT_TREE] = stage_mount_tree,
	[PLAN_REMOUNT] = stage_remount,
	[PLAN_MKNOD] = stage_mknod,
	[PLAN_SYMLINK] = stage_symlink,
	[PLAN_CONSOLE] = stage_console,
	[PLAN_DUP] = stage_dup,
	[PLAN_HOSTNAME] = stage_hostname,
	[PLAN_DOMAINNAME] = stage_domainname,
	[PLAN_SYSCTL] = stage_sysctl,
	[PLAN_MASK] = stage_mask,
	[PLAN_READONLY] = stage_readonly,
	[PLAN_ROOT_ATTR] = stage_root_attr,
	[PLAN_RLIMIT] = stage_rlimit,
	[PLAN_OOM_SCORE] = stage_oom_score,
	[PLAN_PERSONALITY] = stage_personality,
	[PLAN_IO_PRIORITY] = stage_io_priority,
	[PLAN_SCHEDULER] = stage_scheduler,
	[PLAN_AFFINITY] = stage_affinity,
	[PLAN_UMASK] = stage_umask,
	[PLAN_LABEL] = stage_label,
	[PLAN_CWD] = stage_cwd,
	[PLAN_CAPS_BOUND] = stage_caps_bound,
	[PLAN_USER] = stage_user,
	[PLAN_CAPS] = stage_caps,
	[PLAN_NO_NEW_PRIVS] = stage_no_new_privs,
	[PLAN_SECCOMP] = stage_seccomp,
	[PLAN_SYNC] = stage_sync,
	[PLAN_HOOK] = stage_hook,
	[PLAN_FIND] = stage_find,
	[PLAN_WAIT] = stage_wait,
	[PLAN_EXEC] = stage_exec,
};

int stage_send(const struct stage *st, const struct stage_msg *m, int fd)
{
	size_t n = m->kind == STAGE_FAILED ? sizeof(*m) : offsetof(struct stage_msg, err);

	return fd_send(st->sock, m, n, &fd, fd >= 0 ? 1 : 0);
}

int stage_wait_reply(const struct stage *st, char wanted, struct err *e)
{
	char reply = 0;
	ssize_t n = fd_recv(st->sock, &reply, 1, NULL, 0);

	if (n != 1 || reply != wanted)
		return err_set(e, ERR_INTERNAL, n < 0 ? (int)n : 0, "the runtime has gone away");
	return 0;
}

int stage_fd(const struct stage *st, const struct plan_step *s, size_t i)
{
	return s->fd[i] == PLAN_NO_FD ? -1 : st->fds[s->fd[i]];
}

int stage_proc(struct stage *st)
{
	if (st->proc < 0)
		st->proc = proc_open(PROC_PRIVATE);
	return st->proc;
}

const char **stage_strv(struct plan_blob b)
{
	size_t n = 1;
	const char **v;

	for (uint32_t i = 0; i < b.len; i++)
		n += b.data[i] == '\0';
	v = calloc(n, sizeof(*v));
	if (v && plan_unpack(b, v, n) < 0)
		v[0] = NULL;
	return v;
}

/* Moves a descriptor above those that the user's program will have (PLAN_DUP puts them there). */
static int move_up(const struct stage *st, int *fd)
{
	int least = STAGE_SOCKET + (int)st->n_preserve, up;

	if (*fd >= least)
		return 0;
	up = fcntl(*fd, F_DUPFD_CLOEXEC, least);
	if (up < 0)
		return -errno;
	close(*fd);
	*fd = up;
	return 0;
}

static int receive_fds(struct stage *st, int *fds, size_t n)
{
	for (size_t i = 0; i < n; i += STAGE_FD_BATCH) {
		size_t batch = MIN(n - i, (size_t)STAGE_FD_BATCH);
		char byte;
		ssize_t r = fd_recv(st->sock, &byte, 1, fds + i, batch);

		if (r != 1)
			return r < 0 ? (int)r : -EPIPE;
		for (size_t k = i; k < i + batch; k++) {
			int moved = fds[k] < 0 ? -EBADMSG : move_up(st, &fds[k]);

			if (moved < 0)
				return moved;
		}
	}
	st->fds = fds;
	st->n_fds = n;
	return 0;
}

static int receive_plan(const struct stage *st, char *plan, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = fd_recv(st->sock, plan + at, MIN(n - at, STAGE_CHUNK), NULL, 0);

		if (r <= 0)
			return r < 0 ? (int)r : -EPIPE;
		at += (size_t)r;
	}
	return plan_check(plan, n, st->n_fds);
}

static int receive(struct stage *st, char **ret_plan, size_t *ret_n)
{
	struct stage_hello h;
	int *fds;
	int r;

	if (fd_recv(st->sock, &h, sizeof(h), NULL, 0) != sizeof(h))
		return -EPIPE;
	if (h.plan_bytes > PLAN_MAX || h.n_fds > PLAN_FD_MAX || h.n_preserve > PLAN_FD_MAX)
		return -EMSGSIZE;
	st->n_preserve = h.n_preserve;
	r = move_up(st, &st->sock);
	fds = calloc(h.n_fds + 1, sizeof(*fds));
	*ret_plan = malloc((size_t)h.plan_bytes + 1);
	*ret_n = h.plan_bytes;
	if (r < 0 || !fds || !*ret_plan)
		return r < 0 ? r : -ENOMEM;
	r = receive_fds(st, fds, h.n_fds);
	return r < 0 ? r : receive_plan(st, *ret_plan, *ret_n);
}

static int execute(struct stage *st, const char *plan, size_t n, struct err *e)
{
	struct plan_cursor c;
	struct plan_step s;

	if (plan_open(plan, n, &c) < 0)
		return err_set(e, ERR_INTERNAL, EBADMSG, "reading the plan");
	while (plan_next(&c, &s) > 0) {
		if (operations[s.op](st, &s, e) < 0)
			return -1;
		TRACE("%s", plan_op_info(s.op)->name);
	}
	return err_set(e, ERR_INTERNAL, 0, "the plan has no exec");
}

int stage_main(int sock, bool mapped_later)
{
	struct stage st = {.sock = sock,
			   .root = -1,
			   .proc = -1,
			   .pts = -1,
			   .empty_dir = -1,
			   .null = -1,
			   .stash = MOUNT_STASH_INIT};
	struct stage_msg m = {.kind = STAGE_FAILED};
	char *plan = NULL;
	size_t n = 0;
	int r;

	if (mapped_later && recv(sock, NULL, 0, MSG_PEEK) < 0)
		return 1;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return 1;
	umask(0);
	TRACE("stage starts");
	r = receive(&st, &plan, &n);
	TRACE("plan received");
	if (r < 0)
		err_set(&m.err, ERR_INTERNAL, r, "receiving the plan");
	else
		execute(&st, plan, n, &m.err);
	/* The runtime gets the reason; nobody else would read it. */
	stage_send(&st, &m, -1);
	return 1;
}
