/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a cgroup: listed, signalled, waited for. */
#include "kernel/cgroup-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 32
#define PIDS_MAX  (1 << 22) /* the kernel's own maximum */

struct pid_list {
	pid_t *v;
	size_t n, cap;
};

static void pid_list_done(struct pid_list *l)
{
	free(l->v);
	l->v = NULL;
}

static int push(struct pid_list *l, pid_t pid)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		pid_t *v = l->n >= PIDS_MAX ? NULL : realloc(l->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = pid;
	return 0;
}

/* Adds the numbers of TEXT, one a line, and moves what may be half a number to its front. */
static int push_lines(struct pid_list *l, char *text, size_t *n)
{
	char *line = text;

	text[*n] = '\0';
	for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		uint32_t pid;
		int r;

		*end = '\0';
		if (num_u32(line, &pid) < 0)
			return -EIO;
		r = pid ? push(l, (pid_t)pid) : 0; /* 0: of another pid namespace */
		if (r < 0)
			return r;
	}
	*n -= (size_t)(line - text);
	memmove(text, line, *n);
	return 0;
}

static int read_procs(int dir, struct pid_list *l)
{
	_cleanup_(fd_close) int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t n = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
		int r;

		if (got < 0 && errno == EINTR)
			continue;
		/* A cgroup of version 2 that takes only threads has no list of processes. */
		if (got < 0)
			return errno == EOPNOTSUPP ? 0 : -errno;
		if (got == 0)
			return 0;
		n += (size_t)got;
		r = push_lines(l, text, &n);
		if (r < 0)
			return r;
	}
}

static int read_tree(int dir, struct pid_list *l, unsigned depth)
{
	int r = read_procs(dir, l);
	int copy;
	DIR *d;

	if (r < 0 || depth > DEPTH_MAX)
		return r < 0 ? r : -ELOOP;
	copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		r = -errno;
		fd_close(&copy);
		return r;
	}
	for (struct dirent *entry; r >= 0 && (entry = readdir(d)) != NULL;) {
		_cleanup_(fd_close) int child = -1;

		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		child = openat(copy, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			r = read_tree(child, l, depth + 1);
		if (r == -ENODEV || r == -ENOENT)
			r = 0; /* removed meanwhile */
	}
	closedir(d);
	return r;
}

/* The hierarchy that is asked: the unified one, else any in which the cgroup is. */
static int any_dir(const struct cgroup *cg)
{
	int dir = cgroup_dir(cg, CGROUP_UNIFIED);

	for (size_t i = 0; dir < 0 && cg->host && i < cg->host->n; i++)
		dir = cg->dir[i];
	return dir;
}

int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n)
{
	_cleanup_(pid_list_done) struct pid_list l = {0};
	int dir = any_dir(cg);
	int r = dir < 0 ? -ENOENT : read_tree(dir, &l, 0);

	if (r < 0)
		return r;
	*ret_n = l.n;
	*ret = TAKE_PTR(l.v);
	return 0;
}

int cgroup_signal_all(const struct cgroup *cg)
{
	/* Twice, for what was forked between reading and killing. */
	for (int round = 0; round < 2; round++) {
		_cleanup_(freep) pid_t *pids = NULL;
		size_t n = 0;
		int r = cgroup_pids(cg, &pids, &n);

		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
	}
	return 0;
}

/* Waits for the end of one process, which may be a child of anybody. */
static void wait_pid(pid_t pid, int64_t deadline_ns)
{
	_cleanup_(fd_close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t now = clock_monotonic();

	if (fd >= 0 && now < deadline_ns)
		poll(&p, 1, (int)((deadline_ns - now) / 1000000 + 1));
}

void cgroup_wait_ends(const struct cgroup *cg, int64_t deadline_ns)
{
	_cleanup_(freep) pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_pids(cg, &pids, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		wait_pid(pids[i], deadline_ns);
}
