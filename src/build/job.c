/* SPDX-License-Identifier: Apache-2.0 */
/* The child of the solver that does one step. It takes the lock of its key, asks whether it is
 * still to be done (another build may have been faster), does it, tells the result and ends when
 * the solver has recorded it: until then what it made is held by its own lease. */
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "build/solver-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- messages ---- */

void job_send(struct build_job *j, enum job_message kind, const void *data, size_t n)
{
	char byte = (char)kind;
	struct iovec iov[] = {{&byte, 1}, {(void *)(uintptr_t)data, n}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n ? 2 : 1};

	if (j->sock < 0) {
		if (j->tell)
			j->tell(j->arg, kind, data, n);
		return;
	}
	while (sendmsg(j->sock, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(1);
}

void build_job_log(struct build_job *j, int stream, const void *data, size_t n)
{
	char piece[(16 << 10) + 1];

	piece[0] = (char)stream;
	for (size_t at = 0; at < n;) {
		size_t m = MIN(n - at, sizeof(piece) - 1);

		memcpy(piece + 1, (const char *)data + at, m);
		job_send(j, JOB_LOG, piece, m + 1);
		at += m;
	}
}

void build_job_progress(struct build_job *j, const char *id, uint64_t current, uint64_t total,
			bool done)
{
	struct job_progress p;
	char packet[sizeof(p) + 256];
	size_t n = MIN(strlen(id), (size_t)255);

	memset(&p, 0, sizeof(p));
	p = (struct job_progress){.current = current, .total = total, .done = done};
	memcpy(packet, &p, sizeof(p));
	memcpy(packet + sizeof(p), id, n);
	packet[sizeof(p) + n] = '\0';
	job_send(j, JOB_PROGRESS, packet, sizeof(p) + n + 1);
}

int build_job_cancel_fd(const struct build_job *j)
{
	return j->sock;
}

/* The solver's answer. */
static bool job_may_go_on(struct build_job *j)
{
	char c = JOB_STOP;
	ssize_t n;

	do
		n = recv(j->sock, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 && c == JOB_GO;
}

/* ---- results ---- */

int job_pack_result(const struct build_result *r, struct buf *out)
{
	const char *const text[] = {r->digest, r->data, r->chain, r->blob};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		const char *s = text[i] ? text[i] : "";

		if (buf_put(out, s, strlen(s) + 1) < 0)
			return -ENOMEM;
	}
	return buf_put(out, &r->size, sizeof(r->size));
}

int job_unpack_result(const char *data, size_t n, struct arena *a, struct build_result *ret)
{
	const char **text[] = {&ret->digest, &ret->data, &ret->chain, &ret->blob};
	const char *end = data + n;

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		size_t len = strnlen(data, (size_t)(end - data));

		if (data + len == end)
			return -EPROTO;
		*text[i] = arena_strndup(a, data, len);
		if (!*text[i])
			return -ENOMEM;
		data += len + 1;
	}
	if ((size_t)(end - data) != sizeof(ret->size))
		return -EPROTO;
	memcpy(&ret->size, data, sizeof(ret->size));
	return 0;
}

/* ---- the child ---- */

static _noreturn_ void job_fail(struct build_job *j, const struct err *e)
{
	job_send(j, JOB_FAILED, e, sizeof(*e));
	_exit(1);
}

/* The byte of the lock file that stands for KEY. Two keys with the same byte wait for each other
 * for nothing, once in 2^40. */
static off_t lock_byte(const char *key)
{
	uint64_t h = 0;

	for (const char *p = key; *p; p++)
		h = h * 31 + (unsigned char)*p;
	return (off_t)(h & ((UINT64_C(1) << 40) - 1));
}

static void job_lock(struct build_job *j, const struct job_run *r)
{
	struct flock l = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock_byte(r->key), .l_len = 1};

	if (fcntl(r->locks, F_SETLK, &l) == 0)
		return;
	job_send(j, JOB_WAITING, NULL, 0);
	while (fcntl(r->locks, F_SETLKW, &l) < 0)
		if (errno != EINTR)
			return; /* without the lock it is done twice, and right */
}

static void job_content(struct build_job *j, const struct job_run *r)
{
	_cleanup_(arena_done) struct arena a = {.max = BUILD_FILES_MAX * 4};
	struct build_content c = {.files = NULL};
	struct err e = ERR_INIT;

	if (r->op->content_key(r->step, j, &a, &c, &e) < 0)
		job_fail(j, &e);
	for (size_t at = 0, n = c.files ? strlen(c.files) : 0; at < n;) {
		size_t m = MIN(n - at, JOB_PACKET_MAX);

		job_send(j, JOB_FILES, c.files + at, m);
		at += m;
	}
	job_send(j, JOB_CONTENT, c.digest.text, sizeof(c.digest.text));
}

static void job_execute(struct build_job *j, const struct job_run *r)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(buf_done) struct buf packet = BUF_INIT(JOB_PACKET_MAX);
	struct build_result result = {.digest = NULL};
	struct err e = ERR_INIT;

	if (r->key && r->locks >= 0) {
		job_lock(j, r);
		job_send(j, JOB_LOCKED, NULL, 0);
		if (!job_may_go_on(j))
			return;
	}
	if (r->op->execute(r->step, j, &a, &result, &e) < 0)
		job_fail(j, &e);
	if (job_pack_result(&result, &packet) < 0) {
		err_set(&e, ERR_LIMIT, 0, "the result of a build step is too large");
		job_fail(j, &e);
	}
	job_send(j, JOB_RESULT, packet.data, packet.len);
	job_may_go_on(j);
}

/* Nothing of how the solver treats signals stays. */
static void job_signals(void)
{
	static const int reset[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGQUIT, SIGWINCH};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(reset); i++)
		signal(reset[i], SIG_DFL);
	signal(SIGINT, SIG_IGN); /* the solver hears it and says when to end */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

void job_run(const struct job_run *r, int sock)
{
	struct build_job j = {.sock = sock};

	job_signals();
	if (r->execute)
		job_execute(&j, r);
	else
		job_content(&j, r);
	_exit(0);
}
