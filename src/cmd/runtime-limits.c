/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs pause, resume and update. */
#include "cmd/runtime.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/control.h"
#include "runtime/rdt.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

/* A created container that is frozen is so in its state, too: start does not look at the cgroup,
 * and would wait for a process that does not answer. The state says it for longer than it is true.
 */
static int freeze_created(struct runtime_target *t, bool frozen, struct err *e)
{
	struct container_state s = t->state;

	s.status = CONTAINER_PAUSED;
	if (frozen && container_state_write(t->dir, &s, e) < 0)
		return -1;
	if (runtime_freeze(&t->state, frozen, e) < 0)
		return -1;
	s.status = CONTAINER_CREATED;
	return frozen ? 0 : container_state_write(t->dir, &s, e);
}

static int freeze(const struct runtime_program *p, const char *id, bool frozen, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	enum container_event event = frozen ? CONTAINER_DO_PAUSE : CONTAINER_DO_RESUME;
	enum container_status to, known;
	bool created;

	if (runtime_target_open(p, id, true, &t, e) < 0)
		return -1;
	known = t.state.status;
	created = known == CONTAINER_CREATED || known == CONTAINER_PAUSED;
	if (runtime_refresh(&t.state, NULL, e) < 0 ||
	    container_check(id, t.state.status, event, &to, e) < 0)
		return -1;
	return created ? freeze_created(&t, frozen, e) : runtime_freeze(&t.state, frozen, e);
}

static int freeze_verb(const struct runtime_program *p, int argc, char **argv, bool frozen,
		       struct err *e)
{
	_cleanup_(runtime_args_done) struct runtime_args args = {.rest = NULL};

	if (runtime_options_parse(&p->verb->command, argc, argv, &args, e) < 0)
		return -1;
	return freeze(p, args.rest[0], frozen, e);
}

int verb_pause(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	return freeze_verb(p, argc, argv, true, e);
}

int verb_resume(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	return freeze_verb(p, argc, argv, false, e);
}

/* The values as they were written; NULL where they were not. */
struct update_args {
	struct runtime_args args;
	const char *file;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period,
		*cpu_rt_runtime, *cpu_idle, *cpus, *mems;
	const char *memory, *reservation, *swap, *kernel, *kernel_tcp, *pids, *l3, *mem_bw;
};

#define AT(field) offsetof(struct update_args, field)

const struct runtime_option runtime_update_options[] = {
	{"resources", 'r', OPTION_STR, AT(file), "FILE",
	 "linux.resources as JSON, '-' for stdin; other options are ignored then"},
	{"blkio-weight", 0, OPTION_STR, AT(blkio_weight), "N", "10 to 1000"},
	{"cpu-period", 0, OPTION_STR, AT(cpu_period), "US", "period of the quota"},
	{"cpu-quota", 0, OPTION_STR, AT(cpu_quota), "US", "CPU time a period, -1: no limit"},
	{"cpu-burst", 0, OPTION_STR, AT(cpu_burst), "US", "what may be saved up of it"},
	{"cpu-share", 0, OPTION_STR, AT(cpu_share), "N", "weight, 1024 is everybody's"},
	{"cpu-rt-period", 0, OPTION_STR, AT(cpu_rt_period), "US", "period of real-time tasks"},
	{"cpu-rt-runtime", 0, OPTION_STR, AT(cpu_rt_runtime), "US", "their CPU time a period"},
	{"cpu-idle", 0, OPTION_STR, AT(cpu_idle), "0|1", "run only where nobody else does"},
	{"cpuset-cpus", 0, OPTION_STR, AT(cpus), "LIST", "CPUs to use (0-3,7)"},
	{"cpuset-mems", 0, OPTION_STR, AT(mems), "LIST", "memory nodes to use"},
	{"memory", 0, OPTION_STR, AT(memory), "BYTES", "limit, -1: none"},
	{"memory-reservation", 0, OPTION_STR, AT(reservation), "BYTES", "soft limit"},
	{"memory-swap", 0, OPTION_STR, AT(swap), "BYTES", "memory and swap together, -1: no limit"},
	{"kernel-memory", 0, OPTION_STR, AT(kernel), "BYTES", "ignored, as by runc"},
	{"kernel-memory-tcp", 0, OPTION_STR, AT(kernel_tcp), "BYTES", "ignored, as by runc"},
	{"pids-limit", 0, OPTION_STR, AT(pids), "N", "processes, -1: no limit"},
	{"l3-cache-schema", 0, OPTION_STR, AT(l3), "SCHEMA",
	 "the line of its class of resctrl for the L3 cache"},
	{"mem-bw-schema", 0, OPTION_STR, AT(mem_bw), "SCHEMA", "that for memory bandwidth"},
	{.name = NULL},
};

/* An option that is a number. Numbers of bytes may have a unit, as with runc ("512m"). */
struct number {
	const char *name, *text;
	struct oci_int *to;
	bool bytes;
};

static int parse_number(const struct number *n, struct err *e)
{
	uint64_t bytes;

	if (!n->text)
		return 0;
	n->to->set = true;
	if (num_i64(n->text, -1, INT64_MAX, &n->to->value) >= 0)
		return 0;
	if (!n->bytes || num_size(n->text, &bytes) < 0 || bytes > INT64_MAX)
		return err_set(e, ERR_INVALID, 0, "update: --%s: '%s' is no number", n->name,
			       n->text);
	n->to->value = (int64_t)bytes;
	return 0;
}

static int from_options(const struct update_args *a, struct oci_resources *r, struct err *e)
{
	const struct number numbers[] = {
		{"blkio-weight", a->blkio_weight, &r->blkio.weight, false},
		{"cpu-period", a->cpu_period, &r->cpu.period, false},
		{"cpu-quota", a->cpu_quota, &r->cpu.quota, false},
		{"cpu-burst", a->cpu_burst, &r->cpu.burst, false},
		{"cpu-share", a->cpu_share, &r->cpu.shares, false},
		{"cpu-rt-period", a->cpu_rt_period, &r->cpu.realtime_period, false},
		{"cpu-rt-runtime", a->cpu_rt_runtime, &r->cpu.realtime_runtime, false},
		{"cpu-idle", a->cpu_idle, &r->cpu.idle, false},
		{"memory", a->memory, &r->memory.limit, true},
		{"memory-reservation", a->reservation, &r->memory.reservation, true},
		{"memory-swap", a->swap, &r->memory.swap, true},
		{"pids-limit", a->pids, &r->pids_limit, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (parse_number(&numbers[i], e) < 0)
			return -1;
	r->cpu.cpus = a->cpus;
	r->cpu.mems = a->mems;
	return 0;
}

static int from_file(struct update_args *a, struct oci_resources *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(RUNTIME_CONFIG_MAX + 1);
	_cleanup_(fd_close) int own = -1;
	bool is_stdin = str_eq(a->file, "-");
	int fd, r;

	if (!is_stdin)
		own = path_open_host(a->file, O_RDONLY, 0);
	fd = is_stdin ? STDIN_FILENO : own;
	r = fd < 0 ? fd : fd_read_all(fd, &text, RUNTIME_CONFIG_MAX);
	if (r < 0)
		return err_errno(e, r, "update: reading '%s'", a->file);
	return runtime_config_parse_resources(buf_str(&text), text.len, &a->args.arena, ret, e);
}

static int update_rdt(const struct container_state *s, const struct update_args *a, struct err *e)
{
	struct oci_intel_rdt r = {.l3 = a->l3, .mem_bw = a->mem_bw};
	_cleanup_(fd_close) int root = -1;

	if (!a->l3 && !a->mem_bw)
		return 0;
	if (!s->rdt_class)
		return err_set(e, ERR_CONFLICT, 0,
			       "update: container '%s' has no class of resctrl: its configuration "
			       "has no linux.intelRdt",
			       s->id);
	root = runtime_rdt_open(e);
	return root < 0 ? -1 : runtime_rdt_make(root, &r, s->rdt_class, e);
}

static int update(const struct runtime_program *p, struct update_args *a, struct err *e)
{
	_cleanup_(runtime_target_done) struct runtime_target t = RUNTIME_TARGET_INIT;
	struct oci_resources r = {.n_devices = 0};

	if ((a->file ? from_file(a, &r, e) : from_options(a, &r, e)) < 0 ||
	    runtime_target_open(p, a->args.rest[0], true, &t, e) < 0 ||
	    container_state_refresh(&t.state, NULL, e) < 0)
		return -1;
	if (t.state.status == CONTAINER_STOPPED || t.state.status == CONTAINER_CREATING)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is %s: it cannot be updated",
			       t.state.id, container_status_name(t.state.status));
	return update_rdt(&t.state, a, e) < 0 ? -1 : runtime_update(&t.state, &r, e);
}

int verb_update(const struct runtime_program *p, int argc, char **argv, struct err *e)
{
	struct update_args a = {.file = NULL};
	int r = runtime_options_parse(&p->verb->command, argc, argv, &a, e);

	if (r >= 0)
		r = update(p, &a, e);
	runtime_args_done(&a.args);
	return r;
}
