/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side. The child gets a detached mount of the target alone, made here: such a
 * descriptor has nothing above it, so that ".." ends where it should even before the child confines
 * itself. What the child sends is not trusted: sizes, types and strings are checked, and a
 * descriptor is used only where it is a directory of the target's own file system, for a mark that
 * cannot reach beyond this layer. */
#include "unpack/unpack-client.h"

#include "base/fd.h"
#include "base/process.h"
#include "kernel/mount.h"
#include "unpack/unpack-protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_SIZE = 1 << 20, NUMBER_SIZE = 24 };

/* What the child sees: the directory, a mount that is given away, or for a filter nothing. On
 * kernels without detached mounts it gets the directory itself, or no descriptor. */
static int target_mount(const struct unpack_request *req, int *ret)
{
	int r;

	if (req->mode == UNPACK_FILTER)
		r = mount_fs_new("tmpfs", "none", NULL, 0, MOUNT_ATTR_RDONLY);
	else
		r = req->detached ? -ENOSYS : mount_clone(req->target, false);
	if (r == -ENOSYS && req->mode == UNPACK_FILTER)
		return 0;
	if (r == -ENOSYS) {
		r = fcntl(req->target, F_DUPFD_CLOEXEC, 3);
		r = r < 0 ? -errno : r;
	}
	*ret = r;
	return r < 0 ? r : 0;
}

/* The child's arguments: mode, limits, and whether a plain input is hashed already. */
static int spawn(struct unpack_job *job, int program, const struct unpack_request *req, int input,
		 struct err *e)
{
	_cleanup_(fd_close) int target = -1;
	_cleanup_(fd_close) int ours = -1;
	_cleanup_(fd_close) int theirs = -1;
	const struct unpack_limits *l = &req->limits;
	const uint64_t values[] = {l->max_bytes, l->max_inodes, l->max_ratio, l->ratio_slack,
				   req->hashed,  req->owner,    req->uid,     req->gid};
	char numbers[ARRAY_SIZE(values)][NUMBER_SIZE];
	const char *argv[ARRAY_SIZE(values) + 4] = {"kogge-unpack", unpack_mode_names[req->mode]};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p = PROCESS_INIT;
	int fds[] = {input, req->mode == UNPACK_FILTER ? req->output : -1, -1, -1, -1};
	int pair[2], rc = target_mount(req, &target);

	if (rc < 0)
		return err_errno(e, rc, "mounting the directory to unpack to");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "making a socket");
	ours = pair[0];
	theirs = pair[1];
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, values[i]);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		argv[2 + i] = numbers[i];
	argv[2 + ARRAY_SIZE(values)] = req->prefix ? req->prefix : "";
	fds[UNPACK_FD_TARGET] = target;
	fds[UNPACK_FD_SOCKET] = theirs;
	s.exe = program;
	s.argv = argv;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	rc = process_spawn(&s, &p);
	if (rc < 0)
		return err_errno(e, rc, "starting kogge-unpack");
	job->pid = p.pid;
	job->pidfd = p.pidfd;
	job->socket = TAKE_FD(ours);
	return 0;
}

int unpack_job_start(struct unpack_job *job, int program, const struct unpack_request *req,
		     struct err *e)
{
	_cleanup_(fd_close) int input = -1;
	_cleanup_(fd_close) int feed = -1;
	int pair[2];

	*job = UNPACK_JOB_INIT;
	job->target = req->target;
	if (req->input < 0) {
		int rc = fd_pipe(pair);

		if (rc < 0)
			return err_errno(e, rc, "making a pipe");
		input = pair[0];
		feed = pair[1];
		/* Larger where root's limit allows; the default works too. */
		fcntl(feed, F_SETPIPE_SZ, PIPE_SIZE);
		rc = fd_nonblock(feed, true);
		if (rc < 0)
			return err_errno(e, rc, "making a pipe");
	}
	if (spawn(job, program, req, req->input < 0 ? input : req->input, e) < 0)
		return -1;
	job->feed = TAKE_FD(feed);
	return 0;
}

int unpack_filter_start(struct unpack_job *job, int program, struct unpack_request *req,
			struct err *e)
{
	_cleanup_(fd_close) int ours = -1, theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "making a socket");
	ours = pair[0];
	theirs = pair[1];
	req->mode = UNPACK_FILTER;
	req->output = theirs;
	return unpack_job_start(job, program, req, e) < 0 ? -1 : TAKE_FD(ours);
}

/* --- what the child says --- */

static int nonsense(struct unpack_job *job, struct err *e)
{
	unpack_job_done(job);
	return err_set(e, ERR_INTERNAL, 0, "kogge-unpack gave a malformed answer");
}

static int take_opaque(struct unpack_job *job, int dir, struct err *e)
{
	static const char done = 1;
	struct stat target, st;

	if (dir < 0 || fstat(dir, &st) < 0 || fstat(job->target, &target) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_dev != target.st_dev)
		return nonsense(job, e);
	if (unpack_set_opaque(NULL, dir, e) < 0)
		return -1;
	/* A child that is gone will be noticed when it is asked next. */
	fd_send(job->socket, &done, 1, NULL, 0);
	return 0;
}

/* DONE or FAILED. */
static int take_answer(struct unpack_job *job, const struct unpack_message *m, struct err *e)
{
	if (m->head.type == UNPACK_DONE && (unsigned)m->result.compression <= COMPRESSION_BZIP2) {
		job->result = m->result;
	} else if (m->head.type == UNPACK_FAILED && m->err.class > ERR_NONE &&
		   m->err.class < ERR_CLASS_N) {
		job->err = m->err;
		job->err.msg[sizeof(job->err.msg) - 1] = '\0';
		for (char *c = job->err.msg; *c; c++)
			*c = *c >= 0x20 && *c < 0x7f ? *c : '?';
	} else {
		return nonsense(job, e);
	}
	job->answered = true;
	return 0;
}

/* Reads one message. 1, or 0 where the child has closed. */
static int take_message(struct unpack_job *job, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	struct unpack_message m = {.head.magic = 0};
	ssize_t n = fd_recv(job->socket, &m, sizeof(m), &fd, 1);

	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return err_errno(e, (int)n, "listening to kogge-unpack");
	if ((size_t)n < sizeof(m.head) || m.head.magic != UNPACK_MAGIC || job->answered)
		return nonsense(job, e);
	if (m.head.type == UNPACK_OPAQUE && (size_t)n == sizeof(m.head))
		return take_opaque(job, fd, e) < 0 ? -1 : 1;
	if ((size_t)n != sizeof(m) || fd >= 0)
		return nonsense(job, e);
	return take_answer(job, &m, e) < 0 ? -1 : 1;
}

/* The child's own error, or what its silence means. */
static int give_up(struct unpack_job *job, struct err *e)
{
	int status = 0;

	if (job->err.class != ERR_NONE) {
		if (e)
			*e = job->err;
		return -1;
	}
	if (process_wait_pidfd(job->pidfd, false, &status) == 0)
		fd_close(&job->pidfd);
	return err_set(e, ERR_INTERNAL, 0, "kogge-unpack ended with status %d and no answer",
		       status);
}

int unpack_job_feed(struct unpack_job *job, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	while (n > 0) {
		struct pollfd fds[] = {{job->feed, POLLOUT, 0}, {job->socket, POLLIN, 0}};
		ssize_t w;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "waiting for kogge-unpack");
		if (fds[1].revents) {
			int rc = take_message(job, e);

			if (rc < 0)
				return -1;
			if (rc == 0 || job->answered)
				return give_up(job, e);
		}
		if (!fds[0].revents)
			continue;
		w = write(job->feed, p, n);
		if (w < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
			return err_errno(e, errno, "feeding kogge-unpack");
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

ssize_t unpack_job_try_feed(struct unpack_job *job, const void *data, size_t n, struct err *e)
{
	const char *p = data;
	size_t done = 0;

	for (;;) {
		struct pollfd fd = {job->socket, POLLIN, 0};
		int rc;

		if (poll(&fd, 1, 0) <= 0 || !fd.revents)
			break;
		rc = take_message(job, e);
		if (rc < 0)
			return -1;
		if (rc == 0 || job->answered)
			return give_up(job, e);
	}
	while (done < n) {
		ssize_t w = write(job->feed, p + done, n - done);

		if (w < 0 && (errno == EAGAIN || errno == EPIPE))
			break;
		if (w < 0 && errno != EINTR)
			return err_errno(e, errno, "feeding kogge-unpack");
		if (w > 0)
			done += (size_t)w;
	}
	return (ssize_t)done;
}

int unpack_job_finish(struct unpack_job *job, struct unpack_result *ret, struct err *e)
{
	int rc, status = 0;

	fd_close(&job->feed);
	do
		rc = take_message(job, e);
	while (rc > 0 && !job->answered);
	if (rc < 0)
		return -1;
	if (job->answered) {
		rc = process_wait_pidfd(job->pidfd, false, &status);
		if (rc < 0)
			return err_errno(e, rc, "waiting for kogge-unpack");
		fd_close(&job->pidfd);
	}
	if (!job->answered || job->err.class != ERR_NONE)
		return give_up(job, e);
	if (status != 0)
		return err_set(e, ERR_INTERNAL, 0, "kogge-unpack ended with status %d", status);
	*ret = job->result;
	return 0;
}

void unpack_job_done(struct unpack_job *job)
{
	if (job->pidfd >= 0) {
		struct process p = {.pidfd = TAKE_FD(job->pidfd), .pid = job->pid};

		process_kill(&p);
		process_done(&p);
	}
	fd_close(&job->feed);
	fd_close(&job->socket);
}

int unpack_in_child(int program, const struct unpack_request *req, struct unpack_result *ret,
		    struct err *e)
{
	_cleanup_(unpack_job_done) struct unpack_job job = UNPACK_JOB_INIT;

	if (unpack_job_start(&job, program, req, e) < 0)
		return -1;
	return unpack_job_finish(&job, ret, e);
}
