/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of the machine. /proc/self/cgroup says which hierarchies exist; where they are
 * mounted is first looked for in the usual place, /sys/fs/cgroup and /sys/fs/cgroup/<name>, which
 * costs one look each; only what is not found there is looked up in /proc/self/mountinfo, which
 * costs more the more mounts the machine has. */
#include "kernel/cgroup-internal.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
	uint32_t bit;
	const char *name;
} names[] = {
	{CGROUP_CPU, "cpu"},
	{CGROUP_CPUACCT, "cpuacct"},
	{CGROUP_CPUSET, "cpuset"},
	{CGROUP_MEMORY, "memory"},
	{CGROUP_PIDS, "pids"},
	{CGROUP_IO, "blkio"},
	{CGROUP_DEVICES, "devices"},
	{CGROUP_FREEZER, "freezer"},
	{CGROUP_HUGETLB, "hugetlb"},
	{CGROUP_RDMA, "rdma"},
	{CGROUP_MISC, "misc"},
	{CGROUP_NET_CLS, "net_cls"},
	{CGROUP_NET_PRIO, "net_prio"},
	{CGROUP_PERF_EVENT, "perf_event"},
	{CGROUP_IO, "io"},
	{CGROUP_UNIFIED, "unified"},
	{CGROUP_NAMED, "named"},
};

/* What version 2 does without a controller of that name. */
#define UNIFIED_OWN (CGROUP_DEVICES | CGROUP_FREEZER | CGROUP_CPUACCT)

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const words[] = {"none", "v1", "v2", "hybrid"};

	return words[mode];
}

const char *cgroup_controller_name(enum cgroup_mode mode, uint32_t bit)
{
	if (bit == CGROUP_IO && mode == CGROUP_V2)
		return "io";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return "";
}

static uint32_t bit_of(const char *s, size_t n)
{
	if (n > 5 && memcmp(s, "name=", 5) == 0)
		return CGROUP_NAMED;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == n && memcmp(names[i].name, s, n) == 0)
			return names[i].bit;
	return 0;
}

uint32_t cgroup_controllers_parse(const char *list)
{
	uint32_t bits = 0;

	while (*list) {
		size_t n = strcspn(list, ", \n");

		bits |= bit_of(list, n);
		list += n;
		list += strspn(list, ", \n");
	}
	return bits;
}

int cgroup_find(const struct cgroup_host *host, uint32_t controller)
{
	for (size_t i = 0; i < host->n; i++)
		if (host->h[i].controllers & controller)
			return (int)i;
	return -1;
}

uint32_t cgroup_host_controllers(const struct cgroup_host *host)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < host->n; i++)
		bits |= host->h[i].controllers;
	return bits;
}

void cgroup_host_done(struct cgroup_host *host)
{
	for (size_t i = 0; i < host->n; i++)
		if (host->h[i].own_base)
			fd_close(&host->h[i].base);
	host->n = 0;
	fd_close(&host->sysfs);
}

/* Whether the directory PREFIX of /sys/fs/cgroup is a hierarchy of this version: a file says so
 * that each directory of it has, also the root, and none of the other version (one call, where to
 * open it and to ask for its file system's type takes three). */
static bool usual_place(int sysfs, const char *prefix, bool v2)
{
	char file[CGROUP_FULL_MAX];

	snprintf(file, sizeof(file), "%s%s%s", prefix, *prefix ? "/" : "",
		 v2 ? "cgroup.subtree_control" : "cgroup.clone_children");
	return faccessat(sysfs, file, F_OK, 0) == 0;
}

/* The entry for a line of /proc/self/cgroup, in its usual place. Returns whether it is there. */
static bool find_usual(const struct cgroup_host *host, const struct proc_cgroup *line,
		       struct cgroup_hierarchy *h)
{
	const char *named = str_after(line->controllers, "name=");
	const char *dir = named ? named : line->controllers;
	bool v2 = !*line->controllers;

	h->base = host->sysfs;
	h->own_base = false;
	if (v2 && usual_place(host->sysfs, "", true)) {
		h->prefix[0] = '\0';
		return true;
	}
	if (strlen(dir) >= sizeof(h->prefix) || strchr(dir, '/') || str_eq(dir, ".."))
		return false;
	snprintf(h->prefix, sizeof(h->prefix), "%s", v2 ? "unified" : dir);
	return usual_place(host->sysfs, h->prefix, v2);
}

/* Whether the mount M is the hierarchy of LINE: the file system's own options name it. */
static bool is_mount_of(const struct proc_mount *m, const struct proc_cgroup *line)
{
	uint32_t want = cgroup_controllers_parse(line->controllers);

	if (!*line->controllers)
		return str_eq(m->fstype, "cgroup2");
	if (!str_eq(m->fstype, "cgroup"))
		return false;
	if (want == CGROUP_NAMED)
		return strstr(m->super_options, line->controllers) != NULL;
	return want && (cgroup_controllers_parse(m->super_options) & ~CGROUP_NAMED) == want;
}

static bool find_mounted(const struct proc_mount *mounts, size_t n, const struct proc_cgroup *line,
			 struct cgroup_hierarchy *h)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_mount_of(&mounts[i], line))
			continue;
		h->base = path_open_host(mounts[i].target, O_PATH | O_DIRECTORY, 0);
		if (h->base < 0)
			continue;
		h->own_base = true;
		h->prefix[0] = '\0';
		return true;
	}
	return false;
}

/* The controllers of a hierarchy; for version 2 those that its root offers. */
static uint32_t controllers_of(const struct cgroup_hierarchy *h)
{
	char file[CGROUP_FULL_MAX], text[256];

	if (*h->name)
		return cgroup_controllers_parse(h->name);
	snprintf(file, sizeof(file), "%s%scgroup.controllers", h->prefix, *h->prefix ? "/" : "");
	if (cgroup_read(h->base, file, text, sizeof(text)) <= 0)
		return CGROUP_UNIFIED;
	return CGROUP_UNIFIED | cgroup_controllers_parse(text);
}

struct layout {
	struct arena arena;
	struct proc_cgroup *lines;
	size_t n_lines;
	struct proc_mount *mounts; /* read when first needed */
	size_t n_mounts;
	bool have_mounts;
	int proc;
};

static void layout_done(struct layout *l)
{
	fd_close(&l->proc);
	arena_done(&l->arena);
}

static bool find_line(struct layout *l, const struct cgroup_host *host,
		      const struct proc_cgroup *line, struct cgroup_hierarchy *h)
{
	if (host->sysfs >= 0 && find_usual(host, line, h))
		return true;
	if (!l->have_mounts) {
		l->have_mounts = true;
		if (proc_read_mounts(l->proc, PROC_SELF, &l->arena, &l->mounts, &l->n_mounts) < 0)
			l->n_mounts = 0;
	}
	return find_mounted(l->mounts, l->n_mounts, line, h);
}

static void settle(struct cgroup_host *host)
{
	int unified = cgroup_find(host, CGROUP_UNIFIED);

	if (unified >= 0) {
		uint32_t v1 = 0;

		for (size_t i = 0; i < host->n; i++)
			if ((int)i != unified)
				v1 |= host->h[i].controllers;
		host->h[unified].controllers |= UNIFIED_OWN & ~v1;
	}
	if (!host->n)
		host->mode = CGROUP_NONE;
	else if (unified < 0)
		host->mode = CGROUP_V1;
	else
		host->mode = host->n == 1 ? CGROUP_V2 : CGROUP_HYBRID;
	host->ops = host->mode == CGROUP_V1   ? &cgroup_v1_ops
		    : host->mode == CGROUP_V2 ? &cgroup_v2_ops
					      : &cgroup_hybrid_ops;
}

/* Opens what the hierarchies are found by: L, and sysfs of HOST. */
static int begin(struct layout *l, struct cgroup_host *host)
{
	int r;

	l->proc = proc_open(PROC_PID_ONLY);
	if (l->proc < 0)
		return l->proc;
	r = proc_read_cgroup(l->proc, PROC_SELF, &l->arena, &l->lines, &l->n_lines);
	if (r < 0 && r != -ENOENT)
		return r;
	host->sysfs = path_open_host("/sys/fs/cgroup", O_PATH | O_DIRECTORY, 0);
	return 0;
}

int cgroup_host_open(struct cgroup_host *ret)
{
	_cleanup_(layout_done) struct layout l = {.arena = ARENA_INIT, .proc = -1};
	struct cgroup_host host = CGROUP_HOST_INIT;
	int r = begin(&l, &host);

	if (r < 0)
		return r;
	for (size_t i = 0; i < l.n_lines && host.n < CGROUP_HIERARCHIES_MAX; i++) {
		struct cgroup_hierarchy *h = &host.h[host.n];

		if (!find_line(&l, &host, &l.lines[i], h))
			continue;
		snprintf(h->name, sizeof(h->name), "%s", l.lines[i].controllers);
		h->below_root = !str_eq(l.lines[i].path, "/");
		h->controllers = controllers_of(h);
		host.n++;
	}
	settle(&host);
	*ret = host;
	return 0;
}

bool cgroup_host_is_v2(void)
{
	_cleanup_(layout_done) struct layout l = {.arena = ARENA_INIT, .proc = -1};
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;

	if (begin(&l, &host) < 0)
		return false;
	for (size_t i = 0; i < l.n_lines; i++) {
		struct cgroup_hierarchy *h = &host.h[0];

		host.n = find_line(&l, &host, &l.lines[i], h) ? 1 : 0;
		if (host.n)
			/* That of version 2 is the last line: what comes before it is version 1. */
			return !*l.lines[i].controllers;
	}
	return false;
}
