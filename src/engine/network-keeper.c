/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper as others see it. It holds the lock of <run root>/keeper.lock for as long as it lives,
 * and listens at <run root>/keeper. Who finds the lock free makes socket and keeper, so that
 * whoever comes next can say what it has to say at once: the socket has a queue.
 *
 * The keeper leaves under the database's write lock, where it sees that no container is on a
 * network; whoever takes endpoints does so under that lock, too, and looks for the keeper
 * afterwards. So it is there whenever endpoints are. */
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/trace.h"
#include "engine/network-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define KEEPER_SOCKET "keeper"
#define KEEPER_LOCK   "keeper.lock"

enum { LEAVE_MS = 10000, BACKLOG = 4096, ANSWER_S = 20, SOCK_FD = 3, LOCK_FD = 4 };

static socklen_t address(int run_dir, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" KEEPER_SOCKET,
		     run_dir);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
}

static int listen_new(int run_dir)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	socklen_t n = address(run_dir, &addr);
	mode_t old;
	int r;

	if (fd < 0)
		return -errno;
	(void)path_remove_tree(run_dir, KEEPER_SOCKET);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, n) < 0 ? -errno : 0;
	umask(old);
	if (r < 0)
		return r;
	return listen(fd, BACKLOG) < 0 ? -errno : TAKE_FD(fd);
}

static int spawn(struct engine *en, int sock, int lock)
{
	_cleanup_(fd_close) int exe = path_open_host("/proc/self/exe", O_PATH, 0);
	const char *argv[] = {"kogge",  "--root", en->root, "--run-root", en->run_root,
			      "__keep", "3",      "4",      NULL};
	const int fds[] = {-1, -1, -1, sock, lock};
	struct process_spawn s = PROCESS_SPAWN_INIT;
	struct process p = PROCESS_INIT;
	int r;

	s.exe = exe;
	s.argv = argv;
	s.fds = fds;
	s.n_fds = ARRAY_SIZE(fds);
	s.flags = PROCESS_NEW_SESSION;
	r = process_spawn(&s, &p);
	process_done(&p);
	return r;
}

/* 1: the lock is ours; 0: a keeper lives. One that leaves, or is just being started, has the lock
 * without a socket, for some milliseconds. */
static int take_lock(int run_dir, int lock)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < LEAVE_MS; i++) {
		_cleanup_(fd_close) int there = path_open_own(run_dir, KEEPER_SOCKET, O_PATH, 0);

		if (flock(lock, LOCK_EX | LOCK_NB) == 0)
			return 1;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (there >= 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

void keeper_leave(int run_dir)
{
	(void)path_remove_tree(run_dir, KEEPER_SOCKET);
}

int keeper_need(struct engine *en, struct err *e)
{
	int run_dir = store_run_fd(en->store), r;
	_cleanup_(fd_close) int lock = path_open_own(run_dir, KEEPER_LOCK, O_RDWR | O_CREAT, 0600);
	_cleanup_(fd_close) int sock = -1;

	if (lock < 0)
		return err_errno(e, lock, "opening the lock of the networks' keeper");
	r = take_lock(run_dir, lock);
	if (r <= 0)
		return r < 0 ? err_errno(e, r, "locking for the networks' keeper") : 0;
	sock = listen_new(run_dir);
	r = sock < 0 ? sock : spawn(en, sock, lock);
	TRACE("keeper started");
	return r < 0 ? err_errno(e, r, "starting the networks' keeper") : 0;
}

static int keeper_connect(int run_dir)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_un addr;
	socklen_t n = address(run_dir, &addr);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return connect(fd, (struct sockaddr *)&addr, n) < 0 ? -errno : TAKE_FD(fd);
}

int keeper_register(int run_dir, const char *id, int netns, struct err *e)
{
	_cleanup_(fd_close) int fd = keeper_connect(run_dir);
	struct keeper_msg m = {.kind = KEEPER_REGISTER};
	struct err answer = ERR_INIT;
	ssize_t n;
	int r;

	snprintf(m.id, sizeof(m.id), "%s", id);
	r = fd < 0 ? fd : fd_send(fd, &m, sizeof(m), &netns, 1);
	if (r < 0)
		return err_errno(e, r, "reaching the networks' keeper");
	do
		n = recv(fd, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(answer))
		return err_errno(e, n < 0 ? errno : EPIPE, "waiting for the names' resolver");
	answer.msg[ERR_MSG_MAX - 1] = '\0';
	if (answer.class == ERR_NONE)
		return 0;
	return *e = answer, -1;
}

/* Nobody waits for an answer, nor depends on its being heard. */
static void tell(int run_dir, uint32_t kind, const char *id, int with)
{
	_cleanup_(fd_close) int fd = keeper_connect(run_dir);
	struct keeper_msg m = {.kind = kind};

	snprintf(m.id, sizeof(m.id), "%s", id);
	if (fd >= 0)
		(void)fd_send(fd, &m, sizeof(m), &with, with >= 0);
}

void keeper_poke(int run_dir)
{
	tell(run_dir, KEEPER_POKE, "", -1);
}

void keeper_drop(int run_dir, const char *link, struct net_session *s)
{
	int nft = s ? s->nft : -1;

	if (link || nft >= 0)
		tell(run_dir, KEEPER_DROP, link ? link : "", nft);
	if (s)
		fd_close(&s->nft);
}
