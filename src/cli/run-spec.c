/* SPDX-License-Identifier: Apache-2.0 */
/* From parsed options to a container_spec: what needs the file system, the environment, or more
 * than one option. */
#include "cli/run-network.h"
#include "cli/run-options.h"

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/container-spec.h"
#include "engine/spec-life.h"
#include "kernel/caps.h"
#include "kernel/sig.h"
#include "oci/platform.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PROFILE_MAX ((size_t)1 << 20)

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

/* Declares fill_X, which parses each word of a list into an array of the spec. */
#define DEFINE_FILL(name, type, parse)                                                             \
	static int fill_##name(struct arena *a, const struct cli_list *list,                       \
			       const struct type **ret, size_t *ret_n, struct err *e)              \
	{                                                                                          \
		struct type *v = arena_array(a, list->n + 1, sizeof(*v));                          \
                                                                                                   \
		for (size_t i = 0; v && i < list->n; i++)                                          \
			if (parse(a, list->v[i], &v[i], e) < 0)                                    \
				return -1;                                                         \
		*ret = v;                                                                          \
		*ret_n = list->n;                                                                  \
		return v ? 0 : fail_oom(e);                                                        \
	}

DEFINE_FILL(tmpfs, spec_tmpfs, run_parse_tmpfs)
DEFINE_FILL(devices, spec_device, run_parse_device)
DEFINE_FILL(device_rules, spec_device_rule, run_parse_device_rule)
DEFINE_FILL(io_weight, spec_io_limit, run_parse_io_weight)
DEFINE_FILL(io_bps, spec_io_limit, run_parse_io_bps)
DEFINE_FILL(io_iops, spec_io_limit, run_parse_io_iops)
DEFINE_FILL(ulimits, spec_ulimit, run_parse_ulimit)
DEFINE_FILL(sysctls, spec_pair, run_parse_sysctl)
DEFINE_FILL(hosts, spec_pair, run_parse_host)
DEFINE_FILL(mounts, spec_mount, run_parse_mount)
DEFINE_FILL(pairs, spec_pair, run_parse_pair)

/* -- environment, labels ------------------------------------------------------------------------
 */

struct lines {
	struct arena *arena;
	const char **v;
	size_t n;
};

static int lines_add(struct lines *l, const char *line, struct err *e)
{
	return arena_strv_push(l->arena, &l->v, &l->n, line) < 0 ? fail_oom(e) : 0;
}

/* NAME alone takes the caller's value. UNSET: what to keep where the caller has none. */
static int env_add(struct lines *l, const char *line, bool keep_unset, struct err *e)
{
	const char *value = strchr(line, '=') ? NULL : getenv(line);

	if (value) {
		line = arena_printf(l->arena, "%s=%s", line, value);
		return line ? lines_add(l, line, e) : fail_oom(e);
	}
	return strchr(line, '=') || keep_unset ? lines_add(l, line, e) : 0;
}

static int env_line(void *arg, const char *line, struct err *e)
{
	return env_add(arg, line, false, e);
}

static int label_line(void *arg, const char *line, struct err *e)
{
	return lines_add(arg, line, e);
}

int run_read_env(struct arena *a, const struct cli_list *files, const struct cli_list *vars,
		 const char *const **ret, struct err *e)
{
	struct lines l = {.arena = a};

	for (size_t i = 0; i < files->n; i++)
		if (run_read_lines(a, files->v[i], env_line, &l, e) < 0)
			return -1;
	for (size_t i = 0; i < vars->n; i++)
		if (env_add(&l, vars->v[i], true, e) < 0)
			return -1;
	*ret = (const char *const *)l.v;
	return 0;
}

static int fill_labels(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	struct lines l = {.arena = &s->arena};
	struct cli_list all;

	for (size_t i = 0; i < o->label_file.n; i++)
		if (run_read_lines(&s->arena, o->label_file.v[i], label_line, &l, e) < 0)
			return -1;
	for (size_t i = 0; i < o->label.n; i++)
		if (lines_add(&l, o->label.v[i], e) < 0)
			return -1;
	all = (struct cli_list){l.v, l.n};
	return fill_pairs(&s->arena, &all, &s->labels, &s->n_labels, e);
}

/* Docker's client finds this out alone, and calls it a wrong command line. */
static int as_usage(int r, struct err *e)
{
	if (r < 0 && e)
		e->class = ERR_USAGE;
	return r;
}

/* -- process ----------------------------------------------------------------------------------- */

static bool attach_has(const struct cli_list *list, const char *stream)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcasecmp(list->v[i], stream) == 0)
			return true;
	return false;
}

static int check_name(const char *s, struct err *e)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(s);

	if (n >= 2 && n <= 128 && !strchr("_.-", s[0]) && strspn(s, first) == n)
		return 0;
	return err_set(
		e, ERR_INVALID, 0,
		"invalid container name (%.200s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", s);
}

static int check_process(const struct run_opts *o, struct err *e)
{
	struct platform p;

	if (!str_empty(o->name) && check_name(o->name[0] == '/' ? o->name + 1 : o->name, e) < 0)
		return -1;
	if (!str_empty(o->workdir) && o->workdir[0] != '/')
		return err_set(e, ERR_INVALID, 0,
			       "the working directory '%s' is invalid, it needs to be an absolute "
			       "path",
			       o->workdir);
	if (!str_empty(o->stop_signal) && sig_number(o->stop_signal) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid signal: %s", o->stop_signal);
	if (o->stop_timeout > INT32_MAX)
		return err_set(e, ERR_INVALID, 0, "--stop-timeout: %lld is too long",
			       (long long)o->stop_timeout);
	if (!str_empty(o->platform) && platform_parse(o->platform, &p, e) < 0)
		return err_wrap(e, "error parsing specified platform");
	return 0;
}

static const char *or_null(const char *s)
{
	return str_empty(s) ? NULL : s;
}

/* A vector that holds one word, or none for "". */
static const char *const *one_word(struct arena *a, const char *s)
{
	const char **v = arena_array(a, 2, sizeof(*v));

	if (v && *s)
		v[0] = s;
	return (const char *const *)v;
}

static int fill_process(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	if (check_process(o, e) < 0)
		return -1;
	s->name = or_null(o->name && o->name[0] == '/' ? o->name + 1 : o->name);
	s->platform = or_null(o->platform);
	s->hostname = or_null(o->hostname);
	s->domainname = or_null(o->domainname);
	s->user = or_null(o->user);
	s->workdir = or_null(o->workdir);
	s->stop_signal = or_null(o->stop_signal);
	s->stop_timeout = (int)MAX(o->stop_timeout, -1);
	s->group_add = (const char *const *)o->group_add.v;
	s->tty = o->tty;
	s->interactive = o->interactive;
	s->attach_in = !o->detach && (o->interactive || attach_has(&o->attach, "stdin"));
	s->attach_out = !o->detach && (o->attach.n == 0 || attach_has(&o->attach, "stdout"));
	s->attach_err = !o->detach && (o->attach.n == 0 || attach_has(&o->attach, "stderr"));
	s->init = o->init;
	s->auto_remove = o->rm;
	if (o->entrypoint) {
		s->entrypoint = one_word(&s->arena, o->entrypoint);
		if (!s->entrypoint)
			return fail_oom(e);
	}
	return as_usage(run_read_env(&s->arena, &o->env_file, &o->env, &s->env, e), e);
}

/* -- isolation --------------------------------------------------------------------------------- */

static int fill_caps(struct arena *a, const struct cli_list *list, const char *title,
		     const char *const **ret, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const char *word = list->v[i];
		int number = cap_number(word);
		const char *name = strcasecmp(word, "ALL") == 0 ? "ALL"
				   : number >= 0                ? cap_name((unsigned)number)
								: NULL;

		if (!name)
			return err_set(e, ERR_INVALID, 0, "invalid %s: unknown capability: \"%s\"",
				       title, word);
		if (arena_strv_push(a, &v, &n, name) < 0)
			return fail_oom(e);
	}
	*ret = (const char *const *)v;
	return 0;
}

static int fill_namespaces(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	if (run_parse_ns(&s->arena, "pid", o->pid, &s->pid, e) < 0 ||
	    run_parse_ns(&s->arena, "ipc", o->ipc, &s->ipc, e) < 0 ||
	    run_parse_ns(&s->arena, "uts", o->uts, &s->uts, e) < 0 ||
	    run_parse_ns(&s->arena, "userns", o->userns, &s->userns, e) < 0 ||
	    run_parse_ns(&s->arena, "cgroupns", o->cgroupns, &s->cgroupns, e) < 0)
		return -1;
	if (s->uts.mode == SPEC_NS_HOST && (s->hostname || s->domainname))
		return err_set(e, ERR_INVALID, 0, "conflicting options: hostname and the UTS mode");
	return 0;
}

static int read_profile(struct container_spec *s, const char *path, struct err *e)
{
	_cleanup_(json_unref) json_t *j = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT(PROFILE_MAX);
	const char *raw;

	s->security.seccomp = SPEC_SECCOMP_PROFILE;
	raw = run_read_file(&s->arena, path, PROFILE_MAX, e);
	if (!raw)
		return err_wrap(e, "opening seccomp profile (%s) failed", path);
	j = json_parse(raw, strlen(raw), "seccomp profile", e);
	if (!j)
		return err_wrap(e, "compacting json for seccomp profile (%s) failed", path);
	if (json_write(j, JSON_COMPACT, &text) < 0)
		return fail_oom(e);
	s->security.seccomp_profile = arena_strdup(&s->arena, buf_str(&text));
	return s->security.seccomp_profile ? 0 : fail_oom(e);
}

struct security {
	struct container_spec *spec;
	const char **labels;
	size_t n_labels;
};

static int security_value(struct security *x, const char *key, const char *value, const char *whole,
			  struct err *e)
{
	struct spec_security *s = &x->spec->security;

	if (str_eq(key, "seccomp")) {
		s->seccomp =
			str_eq(value, "builtin") ? SPEC_SECCOMP_DEFAULT : SPEC_SECCOMP_UNCONFINED;
		return str_eq(value, "unconfined") || str_eq(value, "builtin")
			       ? 0
			       : as_usage(read_profile(x->spec, value, e), e);
	}
	if (str_eq(key, "apparmor")) {
		s->apparmor = value;
		return 0;
	}
	if (str_eq(key, "no-new-privileges") && num_bool(value, &s->no_new_privileges) == 0)
		return 0;
	if (str_eq(key, "systempaths") && str_eq(value, "unconfined")) {
		s->systempaths_unconfined = true;
		return 0;
	}
	if (str_eq(key, "label") && str_eq(value, "disable")) {
		s->label_disable = true;
		return 0;
	}
	if (str_eq(key, "label") && strchr(value, ':'))
		return arena_strv_push(&x->spec->arena, &x->labels, &x->n_labels, value) < 0
			       ? fail_oom(e)
			       : 0;
	return err_set(e, ERR_USAGE, 0, "invalid --security-opt: \"%s\"", whole);
}

static int security_option(struct security *x, const char *word, struct err *e)
{
	const char *value = NULL;
	const char *key = str_cut(&x->spec->arena, word, strchr(word, '=') ? '=' : ':', &value);

	if (!key)
		return fail_oom(e);
	if (!value && !str_eq(key, "no-new-privileges"))
		return err_set(e, ERR_USAGE, 0, "invalid --security-opt: \"%s\"", word);
	return security_value(x, key, value ? value : "true", word, e);
}

static int fill_security(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	struct security x = {.spec = s};
	const char **opts = NULL;
	size_t n = 0;

	for (size_t i = 0; i < o->security_opt.n; i++) {
		const char *word = o->security_opt.v[i];
		const char *before = TAKE_PTR(s->security.seccomp_profile);

		if (security_option(&x, word, e) < 0)
			return -1;
		if (s->security.seccomp_profile) /* inspect shows the profile, as Docker's does */
			word = arena_printf(&s->arena, "seccomp=%s", s->security.seccomp_profile);
		else
			s->security.seccomp_profile = before;
		if (!word || arena_strv_push(&s->arena, &opts, &n, word) < 0)
			return fail_oom(e);
	}
	s->security.opts = (const char *const *)opts;
	s->security.label_options = (const char *const *)x.labels;
	return 0;
}

static int fill_volumes(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	const char **binds = NULL, **volumes = NULL;
	size_t n_binds = 0, n_volumes = 0;

	for (size_t i = 0; i < o->volume.n; i++) {
		const char *text;
		bool bind;
		int r;

		if (run_parse_volume(&s->arena, o->volume.v[i], &bind, &text, e) < 0)
			return -1;
		r = bind ? arena_strv_push(&s->arena, &binds, &n_binds, text)
			 : arena_strv_push(&s->arena, &volumes, &n_volumes, text);
		if (r < 0)
			return fail_oom(e);
	}
	s->binds = (const char *const *)binds;
	s->volumes = (const char *const *)volumes;
	s->volumes_from = (const char *const *)o->volumes_from.v;
	s->volume_driver = or_null(o->volume_driver);
	return fill_mounts(&s->arena, &o->mount, &s->mounts, &s->n_mounts, e);
}

static int fill_isolation(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	s->privileged = o->privileged;
	s->read_only = o->read_only;
	s->shm_size = (uint64_t)MAX(o->shm_size, 0);
	if (fill_namespaces(o, s, e) < 0 || fill_security(o, s, e) < 0 ||
	    fill_caps(&s->arena, &o->cap_add, "CapAdd", &s->cap_add, e) < 0 ||
	    fill_caps(&s->arena, &o->cap_drop, "CapDrop", &s->cap_drop, e) < 0)
		return -1;
	if (fill_sysctls(&s->arena, &o->sysctl, &s->sysctls, &s->n_sysctls, e) < 0 ||
	    fill_tmpfs(&s->arena, &o->tmpfs, &s->tmpfs, &s->n_tmpfs, e) < 0)
		return -1;
	if (fill_hosts(&s->arena, &o->add_host, &s->extra_hosts, &s->n_extra_hosts, e) < 0)
		return -1;
	return run_network(o, s, e);
}

/* -- resources --------------------------------------------------------------------------------- */

#define MEMORY_MIN (INT64_C(6) << 20)
#define CPUSET_MAX 8191
#define ONLINE_MAX 4096
#define NANO_CPU   1000000000
#define CFS_MIN_US 1000
#define CFS_MAX_US 1000000

static int check_memory(const struct run_opts *o, struct err *e)
{
	if (o->memory > 0 && o->memory < MEMORY_MIN)
		return err_set(e, ERR_INVALID, 0, "minimum memory limit allowed is 6MB");
	if (o->memory_swap > 0 && o->memory == 0)
		return err_set(
			e, ERR_INVALID, 0,
			"you should always set the memory limit when using memoryswap limit, "
			"see usage");
	if (o->memory_swap > 0 && o->memory_swap < o->memory)
		return err_set(e, ERR_INVALID, 0,
			       "minimum memoryswap limit should be larger than memory limit, see "
			       "usage");
	if (o->memory_reservation > 0 && o->memory_reservation < MEMORY_MIN)
		return err_set(e, ERR_INVALID, 0, "minimum memory reservation allowed is 6MB");
	if (o->memory > 0 && o->memory < o->memory_reservation)
		return err_set(
			e, ERR_INVALID, 0,
			"minimum memory limit can not be less than memory reservation limit, "
			"see usage");
	if (o->memory_swappiness < -1 || o->memory_swappiness > 100)
		return err_set(e, ERR_USAGE, 0,
			       "invalid value: %lld, valid memory swappiness range is 0-100",
			       (long long)o->memory_swappiness);
	return 0;
}

static int check_cpus(const struct run_opts *o, struct err *e)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->cpus && (o->cpu_period || o->cpu_quota))
		return err_set(
			e, ERR_INVALID, 0,
			"conflicting options: nano CPUs and CPU period or quota cannot both be "
			"set");
	if (o->cpus < 0 || (o->cpus && o->cpus < NANO_CPU / 100) ||
	    o->cpus > online * (int64_t)NANO_CPU)
		return err_set(e, ERR_INVALID, 0,
			       "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs "
			       "available",
			       online, online);
	if (o->cpu_period && (o->cpu_period < CFS_MIN_US || o->cpu_period > CFS_MAX_US))
		return err_set(
			e, ERR_INVALID, 0,
			"CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
			"(i.e. 1000000)");
	if (o->cpu_quota > 0 && o->cpu_quota < CFS_MIN_US)
		return err_set(e, ERR_INVALID, 0,
			       "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (o->cpu_shares < 0)
		return err_set(e, ERR_INVALID, 0,
			       "invalid CPU shares (%lld): value must be a "
			       "positive integer",
			       (long long)o->cpu_shares);
	return 0;
}

static int check_list(const char *wanted, const char *what, const char *file, struct err *e)
{
	_cleanup_(arena_done) struct arena arena = ARENA_INIT;
	struct err ignored = ERR_INIT;
	const char *all;

	if (str_empty(wanted))
		return 0;
	if (num_list_check(wanted, CPUSET_MAX) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid value %s for cpuset %s", wanted,
			       what[0] == 'C' ? "cpus" : "mems");
	all = run_read_file(&arena, file, ONLINE_MAX, &ignored);
	all = all ? arena_strndup(&arena, all, strcspn(all, "\n")) : NULL;
	if (!all || num_list_within(wanted, all, CPUSET_MAX))
		return 0;
	return err_set(e, ERR_INVALID, 0,
		       "requested %s are not available: requested %s, available: %s", what, wanted,
		       all);
}

int run_check_cpuset(const char *cpus, const char *mems, struct err *e)
{
	return check_list(cpus, "CPUs", "/sys/devices/system/cpu/online", e) < 0
		       ? -1
		       : check_list(mems, "memory nodes", "/sys/devices/system/node/online", e);
}

static int check_rest(const struct run_opts *o, struct err *e)
{
	if (o->blkio_weight && (o->blkio_weight < 10 || o->blkio_weight > 1000))
		return err_set(e, ERR_INVALID, 0, "range of blkio weight is from 10 to 1000");
	if (o->oom_score_adj < -1000 || o->oom_score_adj > 1000)
		return err_set(e, ERR_INVALID, 0,
			       "invalid value %lld, range for oom score adj is [-1000, 1000]",
			       (long long)o->oom_score_adj);
	return 0;
}

static int fill_io(const struct run_opts *o, struct arena *a, struct spec_resources *r,
		   struct err *e)
{
	const struct {
		const struct cli_list *list;
		enum spec_io_kind kind;
		int (*fill)(struct arena *a, const struct cli_list *list,
			    const struct spec_io_limit **ret, size_t *ret_n, struct err *e);
	} all[] = {
		{&o->blkio_weight_device, SPEC_IO_WEIGHT, fill_io_weight},
		{&o->read_bps, SPEC_IO_READ_BPS, fill_io_bps},
		{&o->write_bps, SPEC_IO_WRITE_BPS, fill_io_bps},
		{&o->read_iops, SPEC_IO_READ_IOPS, fill_io_iops},
		{&o->write_iops, SPEC_IO_WRITE_IOPS, fill_io_iops},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].list->n &&
		    all[i].fill(a, all[i].list, &r->io[all[i].kind], &r->n_io[all[i].kind], e) < 0)
			return -1;
	return 0;
}

static int fill_resources(const struct cli_args *a, struct container_spec *s, struct err *e)
{
	const struct run_opts *o = a->opts;
	struct spec_resources *r = &s->resources;

	if (check_memory(o, e) < 0 || check_cpus(o, e) < 0 ||
	    run_check_cpuset(o->cpuset_cpus, o->cpuset_mems, e) < 0 || check_rest(o, e) < 0)
		return -1;
	r->memory = (uint64_t)o->memory;
	r->memory_swap = o->memory_swap;
	r->memory_reservation = (uint64_t)o->memory_reservation;
	r->memory_swappiness = o->memory_swappiness;
	r->nano_cpus = o->cpus;
	r->cpu_shares = (uint64_t)o->cpu_shares;
	r->cpu_period = o->cpu_period;
	r->cpu_quota = o->cpu_quota < 0 ? -1 : o->cpu_quota;
	r->cpuset_cpus = or_null(o->cpuset_cpus);
	r->cpuset_mems = or_null(o->cpuset_mems);
	r->pids_limit = o->pids_limit < 0 ? -1 : o->pids_limit;
	r->blkio_weight = (uint16_t)o->blkio_weight;
	r->oom_score_adj = (int)o->oom_score_adj;
	r->cgroup_parent = or_null(o->cgroup_parent);
	if (cli_given(a, "oom-kill-disable"))
		r->oom_kill_disable = o->oom_kill_disable ? SPEC_TRUE : SPEC_FALSE;
	if (fill_io(o, &s->arena, r, e) < 0 ||
	    fill_ulimits(&s->arena, &o->ulimit, &r->ulimits, &r->n_ulimits, e) < 0 ||
	    fill_devices(&s->arena, &o->device, &r->devices, &r->n_devices, e) < 0)
		return -1;
	return fill_device_rules(&s->arena, &o->device_rule, &r->device_rules, &r->n_device_rules,
				 e);
}

/* -- its life -------------------------------------------------------------------------------- */

static int fill_log(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	struct log_config config;

	s->log.driver = or_null(o->log_driver);
	if (fill_pairs(&s->arena, &o->log_opt, &s->log.opts, &s->log.n_opts, e) < 0)
		return -1;
	return spec_log_config(&s->log, &config, e);
}

/* Docker's words and limit. */
static int check_health_times(const struct run_opts *o, struct err *e)
{
	const struct {
		int64_t value;
		const char *name;
	} all[] = {{o->health_interval, "Interval"},
		   {o->health_timeout, "Timeout"},
		   {o->health_start_period, "StartPeriod"},
		   {o->health_start_interval, "StartInterval"}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value && all[i].value < (int64_t)(NUM_NS_PER_S / 1000))
			return err_set(e, ERR_INVALID, 0,
				       "%s in Healthcheck cannot be less than 1ms", all[i].name);
	return 0;
}

static int check_health(const struct run_opts *o, struct err *e)
{
	const struct {
		int64_t value;
		const char *name;
	} all[] = {{o->health_interval, "interval"},
		   {o->health_timeout, "timeout"},
		   {o->health_retries, "retries"},
		   {o->health_start_period, "start-period"},
		   {o->health_start_interval, "start-interval"}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (o->no_healthcheck && all[i].value)
			return err_set(e, ERR_USAGE, 0,
				       "--no-healthcheck conflicts with --health-* options");
		if (all[i].value < 0)
			return err_set(e, ERR_USAGE, 0, "--health-%s cannot be negative",
				       all[i].name);
	}
	return check_health_times(o, e) < 0 ? -1
	       : !o->no_healthcheck || str_empty(o->health_cmd)
		       ? 0
		       : err_set(e, ERR_USAGE, 0,
				 "--no-healthcheck conflicts with --health-* options");
}

static int fill_health(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	const char **test = NULL;
	size_t n = 0;
	int r = 0;

	if (check_health(o, e) < 0)
		return -1;
	if (o->no_healthcheck)
		r = arena_strv_push(&s->arena, &test, &n, "NONE");
	else if (!str_empty(o->health_cmd))
		r = arena_strv_push(&s->arena, &test, &n, "CMD-SHELL") < 0
			    ? -1
			    : arena_strv_push(&s->arena, &test, &n, o->health_cmd);
	s->health = (struct spec_health){.test = (const char *const *)test,
					 .interval = o->health_interval,
					 .timeout = o->health_timeout,
					 .start_period = o->health_start_period,
					 .start_interval = o->health_start_interval,
					 .retries = o->health_retries};
	return r < 0 ? fail_oom(e) : 0;
}

static int fill_life(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	if (o->restart && spec_restart_parse(o->restart, &s->restart, e) < 0)
		return -1;
	if (s->auto_remove && s->restart.policy != SPEC_RESTART_NO)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot specify both --restart and --rm");
	return fill_log(o, s, e) < 0 ? -1 : fill_health(o, s, e);
}

int run_spec(const struct cli_args *a, struct container_spec *ret, struct err *e)
{
	const struct run_opts *o = a->opts;

	ret->image = a->argv[0];
	ret->cmd = a->argc > 1 ? a->argv + 1 : NULL;
	if (fill_process(o, ret, e) < 0 || as_usage(fill_labels(o, ret, e), e) < 0 ||
	    fill_volumes(o, ret, e) < 0 ||
	    fill_pairs(&ret->arena, &o->annotation, &ret->annotations, &ret->n_annotations, e) < 0)
		return -1;
	if (fill_life(o, ret, e) < 0)
		return -1;
	return fill_isolation(o, ret, e) < 0 ? -1 : fill_resources(a, ret, e);
}
