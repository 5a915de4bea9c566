/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of Docker's stats. A container without limits is not in every hierarchy of cgroup
 * version 1; what is not counted there is summed up over its processes, so that what those used
 * that have ended is missing then. */
#include "engine/container-stats.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "kernel/cgroup.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, COLUMNS_MAX = 32 };

/* ---- text files of numbers ---- */

static uint64_t number(const char *s)
{
	uint64_t v = 0;
	char word[24];

	snprintf(word, sizeof(word), "%.*s", (int)MIN(strspn(s, "0123456789"), sizeof(word) - 1),
		 s);
	return num_u64(word, 0, UINT64_MAX, &v) == 0 ? v : 0;
}

/* Column N (0 is the first) of a line of blank-separated ones. */
static uint64_t column(const char *line, int n)
{
	line += strspn(line, " \t");
	while (n-- > 0) {
		line += strcspn(line, " \t\n");
		line += strspn(line, " \t");
	}
	return number(line);
}

/* The sum of the numbers after each WORD of a text. */
static uint64_t sum_after(const char *text, const char *word)
{
	uint64_t sum = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at, word)) {
		at += strlen(word);
		sum += number(at);
	}
	return sum;
}

/* ---- processes ---- */

struct sum {
	uint64_t cpu_ns, memory, read, written, pids;
};

/* Fields 14 and 15 of stat, and the resident pages of statm. */
static void add_process(int proc, pid_t pid, struct sum *s)
{
	_cleanup_(freep) char *stat = NULL;
	_cleanup_(freep) char *statm = NULL;
	_cleanup_(freep) char *io = NULL;
	const char *rest;

	if (proc_read(proc, pid, "stat", FILE_MAX, &stat) < 0)
		return;
	rest = strrchr(stat, ')');
	rest = rest ? rest + 1 : stat;
	s->cpu_ns += (column(rest, 11) + column(rest, 12)) *
		     (NUM_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	s->pids += column(rest, 17);
	if (proc_read(proc, pid, "statm", FILE_MAX, &statm) == 0)
		s->memory += column(statm, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (proc_read(proc, pid, "io", FILE_MAX, &io) == 0) {
		s->read += sum_after(io, "\nread_bytes: ");
		s->written += sum_after(io, "\nwrite_bytes: ");
	}
}

static void sum_processes(int proc, const struct cgroup *cg, struct sum *s)
{
	_cleanup_(freep) pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_pids(cg, &pids, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		add_process(proc, pids[i], s);
}

/* ---- the machine, block devices, network ---- */

static uint64_t machine_memory(int proc)
{
	_cleanup_(freep) char *text = NULL;
	const char *at;

	if (proc_read(proc, PROC_ROOT, "meminfo", FILE_MAX, &text) < 0)
		return 0;
	at = strstr(text, "MemTotal:");
	return at ? column(at, 1) * 1024 : 0;
}

static bool read_cgroup_file(const struct cgroup *cg, uint32_t controllers, const char *file,
			     char **ret)
{
	for (size_t i = 0; i < cg->host->n; i++)
		if (cgroup_has(cg, i) && (cg->host->h[i].controllers & controllers) &&
		    path_read_file(cg->dir[i], file, FILE_MAX, ret, NULL) >= 0)
			return true;
	return false;
}

static bool block_devices(const struct cgroup *cg, struct container_figures *f)
{
	_cleanup_(freep) char *v2 = NULL;
	_cleanup_(freep) char *v1 = NULL;

	if (read_cgroup_file(cg, CGROUP_UNIFIED, "io.stat", &v2)) {
		f->read = sum_after(v2, "rbytes=");
		f->written = sum_after(v2, "wbytes=");
		return true;
	}
	if (read_cgroup_file(cg, CGROUP_IO, "blkio.throttle.io_service_bytes", &v1)) {
		f->read = sum_after(v1, "Read ");
		f->written = sum_after(v1, "Write ");
		return true;
	}
	return false;
}

/* The interfaces of the container's own network but the loopback one. */
static void network(int proc, const struct container *c, struct container_figures *f)
{
	_cleanup_(freep) char *text = NULL;
	const char *line;

	if (c->spec.network.mode == SPEC_NS_HOST || c->pid <= 0 ||
	    proc_read(proc, c->pid, "net/dev", FILE_MAX, &text) < 0)
		return;
	for (line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *name = line + strspn(line, " ");
		const char *colon = strchr(name, ':'), *end = strchr(name, '\n');

		if (!colon || (end && colon > end) || str_after(name, "lo:"))
			continue;
		f->received += column(colon + 1, 0);
		f->sent += column(colon + 1, 8);
	}
}

/* ---- one look ---- */

static uint64_t known(uint64_t counted, uint64_t summed)
{
	return counted == UINT64_MAX ? summed : counted;
}

static void fill(const struct container *c, const struct cgroup *cg, int proc,
		 struct container_figures *f)
{
	struct cgroup_stats s;
	struct sum sum = {0};
	uint64_t machine = machine_memory(proc), cache;

	if (cgroup_stats(cg, &s) < 0)
		return;
	f->at = clock_monotonic();
	if (!block_devices(cg, f) || s.cpu_usage_ns == UINT64_MAX ||
	    s.memory_current == UINT64_MAX || s.pids == UINT64_MAX)
		sum_processes(proc, cg, &sum);
	if (f->read == 0 && f->written == 0) {
		f->read = sum.read;
		f->written = sum.written;
	}
	f->cpu_ns = known(s.cpu_usage_ns, sum.cpu_ns);
	cache = known(s.memory_cache, 0);
	f->memory = known(s.memory_current, sum.memory);
	f->memory -= s.memory_current != UINT64_MAX && cache < f->memory ? cache : 0;
	f->memory_limit = MIN(s.memory_limit, machine);
	f->pids = known(s.pids, sum.pids);
	network(proc, c, f);
}

int container_figures(struct engine *en, const char *ref, struct container_figures *ret,
		      struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	struct err gone = ERR_INIT;

	if (proc < 0)
		return err_errno(e, proc, "opening /proc");
	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	*ret = (struct container_figures){.running = c.state == ENGINE_RUNNING};
	memcpy(ret->id, c.id, sizeof(ret->id));
	snprintf(ret->name, sizeof(ret->name), "%s", c.name);
	if (!ret->running)
		return 0;
	/* It may end right now. */
	if (container_cgroup_open(&c, &host, &cg, &gone) < 0)
		ret->running = false;
	else
		fill(&c, &cg, proc, ret);
	return 0;
}
