/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the verb events: block devices, CPU sets, huge pages, in runc's form. Version 1 has a
 * file for each list; version 2 has io.stat, whose keys are mapped as runc maps them. */
#include "cmd/runtime-figures.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_MAX = 1 << 20, FILE_MAX = 16384, SMALL = 64 };

static uint64_t number(const struct cgroup *cg, uint32_t controller, const char *file)
{
	char text[SMALL];
	uint64_t n = 0;

	if (cgroup_read_file(cg, controller, file, text, sizeof(text)) < 0)
		return 0;
	if (str_eq(text, "max"))
		return UINT64_MAX;
	num_u64(text, 0, UINT64_MAX, &n);
	return n;
}

/* ---- block devices ---- */

/* "8:0" and what was counted, as a member of the list OUT. */
static void put_entry(struct buf *out, const char *device, const char *op, uint64_t n)
{
	const char *minor = strchr(device, ':');

	if (!minor)
		return;
	buf_printf(out, "%s{\"major\":%.*s,\"minor\":%s,\"op\":\"%s\",\"value\":%" PRIu64 "}",
		   out->len ? "," : "", (int)(minor - device), device, minor + 1, op, n);
}

/* Version 1: lines "8:0 Read 4096", and "8:0 4096" in files that know no operation. */
static void read_v1(struct buf *out, const struct cgroup *cg, const char *file)
{
	char text[FILE_MAX], *at = text;

	if (cgroup_read_file(cg, CGROUP_IO, file, text, sizeof(text)) < 0)
		return;
	for (char *line; (line = strsep(&at, "\n"));) {
		char *op = strchr(line, ' '), *value = op ? strchr(op + 1, ' ') : NULL;
		char *minor = strchr(line, ':');
		uint64_t n;

		if (!op || !minor || minor > op)
			continue; /* the total */
		*op++ = '\0';
		if (value)
			*value++ = '\0';
		if (num_u64(value ? value : op, 0, UINT64_MAX, &n) == 0)
			put_entry(out, line, value ? op : "", n);
	}
}

/* Version 2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
static void read_v2(struct buf *out, const struct cgroup *cg, const char *const keys[2])
{
	char text[FILE_MAX], *at = text;

	if (cgroup_read_file(cg, CGROUP_UNIFIED, "io.stat", text, sizeof(text)) < 0)
		return;
	for (char *line; (line = strsep(&at, "\n"));) {
		const char *device = strsep(&line, " ");

		for (char *word; (word = strsep(&line, " "));) {
			const char *read = str_after(word, keys[0]);
			const char *write = str_after(word, keys[1]);
			uint64_t n;

			if ((read || write) && num_u64(read ? read : write, 0, UINT64_MAX, &n) == 0)
				put_entry(out, device, read ? "Read" : "Write", n);
		}
	}
}

void figures_put_blkio(struct buf *out, const struct cgroup *cg)
{
	static const struct {
		const char *name, *v1, *v2[2];
	} lists[] = {
		{"ioServiceBytesRecursive",
		 "blkio.throttle.io_service_bytes_recursive",
		 {"rbytes=", "wbytes="}},
		{"ioServicedRecursive", "blkio.throttle.io_serviced_recursive", {"rios=", "wios="}},
		{"ioQueueRecursive", "blkio.bfq.io_queued_recursive", {NULL}},
		{"ioServiceTimeRecursive", "blkio.bfq.io_service_time_recursive", {NULL}},
		{"ioWaitTimeRecursive", "blkio.bfq.io_wait_time_recursive", {NULL}},
		{"ioMergedRecursive", "blkio.bfq.io_merged_recursive", {NULL}},
		{"ioTimeRecursive", "blkio.bfq.time_recursive", {NULL}},
		{"sectorsRecursive", "blkio.bfq.sectors_recursive", {NULL}},
	};
	const char *comma = "";

	buf_printf(out, "\"blkio\":{");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_(buf_done) struct buf list = BUF_INIT(LIST_MAX);

		read_v1(&list, cg, lists[i].v1);
		if (!list.len && lists[i].v2[0])
			read_v2(&list, cg, lists[i].v2);
		if (!list.len)
			continue;
		buf_printf(out, "%s\"%s\":[%s]", comma, lists[i].name, buf_str(&list));
		comma = ",";
	}
	buf_printf(out, "},");
}

/* ---- CPU sets ---- */

/* "0-2,7" as "NAME":[0,1,2,7], which is left out where it is empty. */
static void put_set(struct buf *out, const struct cgroup *cg, const char *name, const char *file)
{
	_cleanup_(buf_done) struct buf list = BUF_INIT(LIST_MAX);
	char text[FILE_MAX], *at = text;

	if (cgroup_read_file(cg, CGROUP_CPUSET, file, text, sizeof(text)) < 0)
		return;
	for (char *part; (part = strsep(&at, ","));) {
		char *end = strchr(part, '-');
		uint64_t from, to;

		if (end)
			*end++ = '\0';
		if (num_u64(part, 0, UINT16_MAX, &from) < 0 ||
		    num_u64(end ? end : part, 0, UINT16_MAX, &to) < 0)
			return;
		for (; from <= to; from++)
			buf_printf(&list, "%s%" PRIu64, list.len ? "," : "", from);
	}
	if (list.len)
		buf_printf(out, "\"%s\":[%s],", name, buf_str(&list));
}

void figures_put_cpuset(struct buf *out, const struct cgroup *cg)
{
	static const char *const flags[] = {
		"cpu_exclusive",      "mem_hardwall",       "mem_exclusive",   "memory_migrate",
		"memory_spread_page", "memory_spread_slab", "memory_pressure", "sched_load_balance",
	};
	char file[SMALL], level[SMALL];
	int64_t n = 0;

	buf_printf(out, "\"cpuset\":{");
	put_set(out, cg, "cpus", "cpuset.cpus");
	put_set(out, cg, "mems", "cpuset.mems");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		snprintf(file, sizeof(file), "cpuset.%s", flags[i]);
		buf_printf(out, "\"%s\":%" PRIu64 ",", flags[i], number(cg, CGROUP_CPUSET, file));
	}
	if (cgroup_read_file(cg, CGROUP_CPUSET, "cpuset.sched_relax_domain_level", level,
			     sizeof(level)) >= 0)
		num_i64(level, INT64_MIN, INT64_MAX, &n);
	buf_printf(out, "\"sched_relax_domain_level\":%" PRId64 "},", n);
}

/* ---- huge pages ---- */

/* The size as cgroup files have it: 2048 kB is "2MB" (kernel: mem_fmt in mm/hugetlb_cgroup.c). */
static const char *size_name(uint64_t kb, char out[SMALL])
{
	if (kb >= 1 << 20)
		snprintf(out, SMALL, "%" PRIu64 "GB", kb >> 20);
	else if (kb >= 1 << 10)
		snprintf(out, SMALL, "%" PRIu64 "MB", kb >> 10);
	else
		snprintf(out, SMALL, "%" PRIu64 "KB", kb);
	return out;
}

static uint64_t failures(const struct cgroup *cg, const char *size)
{
	char file[SMALL * 2], text[SMALL];
	const char *rest;
	uint64_t n = 0;

	snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
	if (cgroup_read_file(cg, CGROUP_HUGETLB, file, text, sizeof(text)) >= 0)
		num_u64(text, 0, UINT64_MAX, &n);
	snprintf(file, sizeof(file), "hugetlb.%s.events", size);
	if (cgroup_read_file(cg, CGROUP_HUGETLB, file, text, sizeof(text)) < 0)
		return n;
	rest = str_after(text, "max ");
	if (rest)
		num_u64(rest, 0, UINT64_MAX, &n);
	return n;
}

static void put_pages(struct buf *out, const struct cgroup *cg, uint64_t kb, bool first)
{
	static const char *const usage[] = {"usage_in_bytes", "current"};
	char size[SMALL], file[SMALL * 2];
	uint64_t n = 0, max;

	size_name(kb, size);
	for (size_t i = 0; i < ARRAY_SIZE(usage) && !n; i++) {
		snprintf(file, sizeof(file), "hugetlb.%s.%s", size, usage[i]);
		n = number(cg, CGROUP_HUGETLB, file);
	}
	snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
	max = number(cg, CGROUP_HUGETLB, file);
	buf_printf(out, "%s\"%s\":{", first ? "" : ",", size);
	if (n)
		buf_printf(out, "\"usage\":%" PRIu64 ",", n);
	if (max)
		buf_printf(out, "\"max\":%" PRIu64 ",", max);
	buf_printf(out, "\"failcnt\":%" PRIu64 "}", failures(cg, size));
}

/* The sizes that the kernel has, and this cgroup counts. */
void figures_put_hugetlb(struct buf *out, const struct cgroup *cg)
{
	int fd = path_open_host("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char size[SMALL], file[SMALL * 2], text[SMALL];
	const struct dirent *entry;
	bool first = true;

	if (!d)
		fd_close(&fd);
	buf_printf(out, "\"hugetlb\":{");
	while (d && (entry = readdir(d))) {
		const char *rest = str_after(entry->d_name, "hugepages-");
		uint64_t kb;

		if (!rest || !str_ends(rest, "kB"))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(strlen(rest) - 2), rest);
		if (num_u64(text, 1, UINT64_MAX, &kb) < 0)
			continue;
		snprintf(file, sizeof(file), "hugetlb.%s.%s", size_name(kb, size),
			 cg->host->mode == CGROUP_V2 ? "current" : "usage_in_bytes");
		if (cgroup_read_file(cg, CGROUP_HUGETLB, file, text, sizeof(text)) < 0)
			continue;
		put_pages(out, cg, kb, first);
		first = false;
	}
	if (d)
		closedir(d);
	buf_printf(out, "},");
}
