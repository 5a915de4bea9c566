/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/build-watch.h"

#include "base/fd.h"
#include "base/id.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/network-internal.h"
#include "kernel/cgroup.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CGROUP_WAIT_MS = 10000, STEPS_MAX = 256, KEPT_FD = 100 };

struct build_watch {
	int sock;
	pid_t pid;
};

struct watch_step {
	char id[ID_SIZE]; /* "" : free */
	char cgroup[192];
};

/* What goes over the socket; a step without a cgroup is over. */

static void end_step(const struct watch_step *step, int dir)
{
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	struct err ignored = ERR_INIT;

	runtime_kill_all(step->cgroup, &ignored);
	if (cgroup_host_open(&host) == 0)
		cgroup_destroy(&host, step->cgroup, CGROUP_WAIT_MS);
	path_remove_tree(dir, step->id);
}

static void note_step(struct watch_step *steps, const struct watch_step *m)
{
	struct watch_step *free_slot = NULL;

	for (size_t i = 0; i < STEPS_MAX; i++) {
		if (!steps[i].id[0])
			free_slot = free_slot ? free_slot : &steps[i];
		else if (str_eq(steps[i].id, m->id))
			free_slot = &steps[i];
	}
	if (free_slot)
		*free_slot = m->cgroup[0] ? *m : (struct watch_step){.id = ""};
}

/* Only the socket and the run directory stay open: this process must keep neither locks of
 * the store nor anybody's pipe. */
static void keep_only(int *const fds[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, KEPT_FD);
		if (*fds[i] < 0)
			_exit(1);
	}
	close_range(0, KEPT_FD - 1, 0);
	close_range(KEPT_FD + (unsigned)n, ~0U, 0);
}

static void end_all(const struct watch_step *steps, int run_dir)
{
	_cleanup_(fd_close) int dir =
		path_open_own(run_dir, BUILD_RUN_DIR, O_PATH | O_DIRECTORY, 0);
	bool any = false;

	for (size_t i = 0; i < STEPS_MAX; i++) {
		if (!steps[i].id[0])
			continue;
		end_step(&steps[i], dir);
		any = true;
	}
	if (any)
		keeper_poke(run_dir); /* their addresses */
}

static _noreturn_ void watch(int sock, int run_dir)
{
	static struct watch_step steps[STEPS_MAX];
	struct watch_step m;
	ssize_t n;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "kogge-build", 0, 0, 0);
	keep_only((int *const[]){&sock, &run_dir}, 2);
	process_clean_start();
	while ((n = recv(sock, &m, sizeof(m), 0)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n == (ssize_t)sizeof(m))
			note_step(steps, &m);
	}
	end_all(steps, run_dir);
	_exit(0);
}

int build_watch_new(struct engine *en, struct build_watch **ret, struct err *e)
{
	_cleanup_(build_watch_freep) struct build_watch *w = calloc(1, sizeof(*w));
	_cleanup_(fd_close) int dir = path_mkdirs(store_run_fd(en->store), BUILD_RUN_DIR, 0700, 0);
	_cleanup_(fd_close) int theirs = -1;
	int pair[2];

	if (!w)
		return err_errno(e, ENOMEM, "starting a build");
	w->sock = -1;
	if (dir < 0)
		return err_errno(e, dir, "making the folder of builds");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "making a socket pair");
	w->sock = pair[0];
	theirs = pair[1];
	w->pid = fork();
	if (w->pid < 0)
		return err_errno(e, errno, "starting the watcher of a build");
	if (w->pid == 0)
		watch(theirs, store_run_fd(en->store));
	*ret = TAKE_PTR(w);
	return 0;
}

void build_watch_free(struct build_watch *w)
{
	if (!w)
		return;
	fd_close(&w->sock);
	while (w->pid > 0 && waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(w);
}

static int tell(struct build_watch *w, const char *id, const char *cgroup)
{
	struct watch_step m = {.id = ""};

	snprintf(m.id, sizeof(m.id), "%s", id);
	snprintf(m.cgroup, sizeof(m.cgroup), "%s", cgroup);
	return send(w->sock, &m, sizeof(m), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int build_watch_add(struct build_watch *w, const char *id, const char *cgroup, struct err *e)
{
	int r = tell(w, id, cgroup);

	return r < 0 ? err_errno(e, r, "the watcher of this build is gone") : 0;
}

void build_watch_remove(struct build_watch *w, const char *id)
{
	(void)tell(w, id, "");
}
