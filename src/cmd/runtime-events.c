/* SPDX-License-Identifier: Apache-2.0 */
/* The verb events: a line of JSON with the container's figures at each interval, and one for each
 * time that the kernel killed for memory; ends with the container. The form is runc's (events.go
 * and types/events.go): unset lists are left out, numbers are unsigned, files that this machine or
 * cgroup lacks count as 0. Written as text, because JSON numbers above 2^63 are among them. */
#include "cmd/runtime-figures.h"
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "runtime/control.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 20, FILE_MAX = 16384 };

struct events_args {
	struct runtime_args args;
	const char *interval;
	bool stats;
};

const struct runtime_option runtime_events_options[] = {
	{"interval", 0, OPTION_STR, offsetof(struct events_args, interval), "TIME",
	 "between two lines of figures (5s)"},
	{"stats", 0, OPTION_FLAG, offsetof(struct events_args, stats), NULL,
	 "print the figures once"},
	{.name = NULL},
};

/* The number in the first of the two FILES (version 1's and version 2's name) that is there. */
static uint64_t read_number(const struct cgroup *cg, uint32_t controller,
			    const char *const files[2])
{
	char text[64];
	uint64_t n = 0;

	for (int i = 0; i < 2; i++) {
		if (!files[i] || cgroup_read_file(cg, controller, files[i], text, sizeof(text)) < 0)
			continue;
		if (str_eq(text, "max"))
			return UINT64_MAX;
		num_u64(text, 0, UINT64_MAX, &n);
		return n;
	}
	return 0;
}

/* "key value" lines as members of an object, with a comma before each but the first. */
static void put_keys(struct buf *out, char *text)
{
	char *at = text;
	bool first = true;

	for (char *line; (line = strsep(&at, "\n"));) {
		char *space = strchr(line, ' ');
		uint64_t n;

		if (!space || num_u64(space + 1, 0, UINT64_MAX, &n) < 0)
			continue;
		*space = '\0';
		buf_printf(out, "%s\"%s\":%" PRIu64, first ? "" : ",", line, n);
		first = false;
	}
}

/* One key of a file of "key value" lines, or 0. */
static uint64_t read_key(const struct cgroup *cg, uint32_t controller, const char *file,
			 const char *key)
{
	char text[FILE_MAX], *at = text;
	size_t len = strlen(key);
	uint64_t n = 0;

	if (cgroup_read_file(cg, controller, file, text, sizeof(text)) < 0)
		return 0;
	for (char *line; (line = strsep(&at, "\n"));)
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			num_u64(line + len + 1, 0, UINT64_MAX, &n);
	return n;
}

/* A list of numbers in a line as an array; nothing where the file is not there. */
static void put_percpu(struct buf *out, const struct cgroup *cg, const char *name, const char *file)
{
	char text[FILE_MAX], *at = text;
	bool first = true;

	if (cgroup_read_file(cg, CGROUP_CPUACCT, file, text, sizeof(text)) < 0)
		return;
	buf_printf(out, "\"%s\":[", name);
	for (char *w; (w = strsep(&at, " \n"));) {
		if (!*w)
			continue;
		buf_printf(out, "%s%s", first ? "" : ",", w);
		first = false;
	}
	buf_printf(out, "],");
}

static uint64_t known(uint64_t n)
{
	return n == UINT64_MAX ? 0 : n;
}

static void put_cpu(struct buf *out, const struct cgroup *cg, const struct cgroup_stats *s)
{
	uint64_t periods = read_key(cg, CGROUP_CPU, "cpu.stat", "nr_periods");
	uint64_t throttled = read_key(cg, CGROUP_CPU, "cpu.stat", "nr_throttled");

	buf_printf(out, "\"cpu\":{\"usage\":{\"total\":%" PRIu64 ",", known(s->cpu_usage_ns));
	put_percpu(out, cg, "percpu", "cpuacct.usage_percpu");
	put_percpu(out, cg, "percpu_kernel", "cpuacct.usage_percpu_sys");
	put_percpu(out, cg, "percpu_user", "cpuacct.usage_percpu_user");
	buf_printf(out, "\"kernel\":%" PRIu64 ",\"user\":%" PRIu64 "},\"throttling\":{",
		   known(s->cpu_system_ns), known(s->cpu_user_ns));
	if (periods)
		buf_printf(out,
			   "\"periods\":%" PRIu64 ",\"throttledPeriods\":%" PRIu64
			   ",\"throttledTime\":%" PRIu64,
			   periods, throttled, known(s->cpu_throttled_ns));
	buf_printf(out, "}},");
}

static void put_memory_part(struct buf *out, const char *name, const uint64_t n[4])
{
	buf_printf(out,
		   "\"%s\":{\"limit\":%" PRIu64 ",\"usage\":%" PRIu64 ",\"max\":%" PRIu64
		   ",\"failcnt\":%" PRIu64 "},",
		   name, n[0], n[1], n[2], n[3]);
}

static void put_memory(struct buf *out, const struct cgroup *cg)
{
	static const struct {
		const char *name;
		const char *files[4][2]; /* limit, usage, max, failcnt; version 1 and 2 */
	} parts[] = {
		{"usage",
		 {{"memory.limit_in_bytes", "memory.max"},
		  {"memory.usage_in_bytes", "memory.current"},
		  {"memory.max_usage_in_bytes", "memory.peak"},
		  {"memory.failcnt", NULL}}},
		{"swap",
		 {{"memory.memsw.limit_in_bytes", "memory.swap.max"},
		  {"memory.memsw.usage_in_bytes", "memory.swap.current"},
		  {"memory.memsw.max_usage_in_bytes", "memory.swap.peak"},
		  {"memory.memsw.failcnt", NULL}}},
		{"kernel",
		 {{"memory.kmem.limit_in_bytes", NULL},
		  {"memory.kmem.usage_in_bytes", NULL},
		  {"memory.kmem.max_usage_in_bytes", NULL},
		  {"memory.kmem.failcnt", NULL}}},
		{"kernelTCP",
		 {{"memory.kmem.tcp.limit_in_bytes", NULL},
		  {"memory.kmem.tcp.usage_in_bytes", NULL},
		  {"memory.kmem.tcp.max_usage_in_bytes", NULL},
		  {"memory.kmem.tcp.failcnt", NULL}}},
	};
	char text[FILE_MAX];
	uint64_t cache = read_key(cg, CGROUP_MEMORY, "memory.stat", "cache");

	if (!cache)
		cache = read_key(cg, CGROUP_MEMORY, "memory.stat", "file");
	buf_printf(out, "\"memory\":{\"cache\":%" PRIu64 ",", cache);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t n[4];

		for (int k = 0; k < 4; k++)
			n[k] = read_number(cg, CGROUP_MEMORY, parts[i].files[k]);
		put_memory_part(out, parts[i].name, n);
	}
	buf_printf(out, "\"raw\":{");
	if (cgroup_read_file(cg, CGROUP_MEMORY, "memory.stat", text, sizeof(text)) >= 0)
		put_keys(out, text);
	buf_printf(out, "}},");
}

static int print_stats(const char *id, const struct cgroup *cg, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	struct cgroup_stats s;
	int r = cgroup_stats(cg, &s);

	if (r < 0)
		return err_errno(e, r, "reading the figures of container '%s'", id);
	buf_printf(&out, "{\"type\":\"stats\",\"id\":\"%s\",\"data\":{", id);
	put_cpu(&out, cg, &s);
	figures_put_cpuset(&out, cg);
	put_memory(&out, cg);
	buf_printf(&out, "\"pids\":{\"current\":%" PRIu64, known(s.pids));
	if (known(s.pids_limit))
		buf_printf(&out, ",\"limit\":%" PRIu64, s.pids_limit);
	buf_printf(&out, "},");
	figures_put_blkio(&out, cg);
	figures_put_hugetlb(&out, cg);
	r = buf_printf(&out, "\"intel_rdt\":{},\"network_interfaces\":null}}");
	return r < 0 ? err_errno(e, r, "writing the figures") : runtime_print(&out, e);
}

/* What is waited for. */
struct watch {
	const char *id;
	const struct cgroup *cg;
	struct cgroup_oom oom;
	int pidfd;
	int64_t interval_ns;
};

static int print_oom(struct watch *w, struct err *e)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);

	if (cgroup_oom_take(&w->oom) <= 0)
		return 0;
	buf_printf(&out, "{\"type\":\"oom\",\"id\":\"%s\"}", w->id);
	return runtime_print(&out, e);
}

static int follow(struct watch *w, struct err *e)
{
	int64_t next = clock_monotonic() + w->interval_ns;

	for (;;) {
		struct pollfd p[] = {{.fd = w->pidfd, .events = POLLIN},
				     {.fd = w->oom.fd, .events = w->oom.events}};
		int64_t now = clock_monotonic();
		int wait = next > now ? (int)((next - now) / 1000000 + 1) : 0;

		if (poll(p, ARRAY_SIZE(p), wait) < 0 && errno != EINTR)
			return err_errno(e, errno, "waiting for events");
		if (p[1].revents && print_oom(w, e) < 0)
			return -1;
		if (p[0].revents)
			return 0;
		if (clock_monotonic() < next)
			continue;
		if (print_stats(w->id, w->cg, e) < 0)
			return -1;
		next += w->interval_ns;
	}
}

static int parse_interval(const struct events_args *a, int64_t *ret_ns, struct err *e)
{
	*ret_ns = INT64_C(5000000000);
	if (a->interval && (num_duration(a->interval, ret_ns) < 0 || *ret_ns < 1000000 ||
			    *ret_ns > INT64_C(1000000000) * 86400))
		return err_set(e, ERR_INVALID, 0, "events: --interval: '%s' is no duration",
			       a->interval);
	return 0;
}

static int events(const struct runtime_program *p, const struct events_args *a, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	_cleanup_(fd_close) int pidfd = -1;
	struct watch w = {.id = a->args.rest[0], .oom = CGROUP_OOM_INIT};
	int r;

	if (parse_interval(a, &w.interval_ns, e) < 0 ||
	    runtime_target_open(p, w.id, false, &t, e) < 0 ||
	    container_state_refresh(&t.state, &pidfd, e) < 0)
		return -1;
	if (pidfd < 0)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is %s", w.id,
			       container_status_name(t.state.status));
	if (runtime_cgroup_open(&t.state, &c, e) < 0)
		return -1;
	if (!c)
		return err_set(e, ERR_UNSUPPORTED, 0, "container '%s' has no cgroup", w.id);
	w.cg = &c->cg;
	w.pidfd = pidfd;
	if (a->stats)
		return print_stats(w.id, w.cg, e);
	cgroup_oom_open(w.cg, &w.oom); /* without a memory limit there is nothing to tell */
	r = follow(&w, e);
	cgroup_oom_done(&w.oom);
	return r;
}

int verb_events(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	struct events_args a = {.interval = NULL};
	int r = runtime_options_parse(&p->verb->command, argc, argv, &a, e);

	if (r >= 0)
		r = events(p, &a, e);
	runtime_args_done(&a.args);
	return r;
}
