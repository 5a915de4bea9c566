/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run` and `create`, and how they become a container_spec. */
#ifndef KOGGE_CLI_RUN_OPTIONS_H
#define KOGGE_CLI_RUN_OPTIONS_H

#include "cli/cli.h"

struct container_spec;
struct spec_device;
struct spec_device_rule;
struct spec_io_limit;
struct spec_mount;
struct spec_ns;
struct spec_pair;
struct spec_tmpfs;
struct spec_ulimit;

/* Values as the parser stores them. */
struct run_opts {
	/* the client's own */
	bool quiet, sig_proxy, detach;
	const char *cidfile, *detach_keys, *pull;

	/* the container's */
	bool tty, interactive, init, rm, privileged, read_only, oom_kill_disable, no_healthcheck;
	const char *name, *platform, *hostname, *domainname, *user, *workdir, *entrypoint;
	const char *ipc, *pid, *uts, *userns, *cgroupns, *stop_signal, *cgroup_parent;
	const char *cpuset_cpus, *cpuset_mems;
	int64_t stop_timeout, oom_score_adj, pids_limit, cpu_shares, cpu_period, cpu_quota, cpus;
	int64_t memory, memory_swap, memory_reservation, memory_swappiness, shm_size, blkio_weight;
	struct cli_list attach, env, env_file, label, label_file, annotation, add_host, group_add;
	struct cli_list cap_add, cap_drop, security_opt, tmpfs, device, device_rule, ulimit, sysctl;
	struct cli_list blkio_weight_device, read_bps, write_bps, read_iops, write_iops;
	struct cli_list network, network_alias, link_local_ip, publish, expose;
	struct cli_list dns, dns_search, dns_option;
	const char *ip, *ip6, *mac;
	bool publish_all;
	struct cli_list volume, mount, volumes_from;
	const char *volume_driver;
	const char *restart, *log_driver, *health_cmd;
	struct cli_list log_opt;
	int64_t health_interval, health_timeout, health_start_period, health_start_interval;
	int64_t health_retries;
};

/* What the parser starts with. */
extern const struct run_opts run_opts_init;

/* The option tables of `run` and `create`. */
extern const struct cli_option run_options[], create_options[];

/* Checks the options and fills RET, which is CONTAINER_SPEC_INIT; the positional arguments are
 * image, command and its arguments. Reads the files that options name and, for "-e NAME", the
 * environment. -1 with E set in Docker's words. */
int run_spec(const struct cli_args *a, struct container_spec *ret, struct err *e);

/* -- parsers of single values. They allocate in A; -1 with E set. ---------------------------------
 */

/* "DEST[:OPTIONS]" */
int run_parse_tmpfs(struct arena *a, const char *s, struct spec_tmpfs *ret, struct err *e);

/* "HOST[:CONTAINER][:PERMISSIONS]" */
int run_parse_device(struct arena *a, const char *s, struct spec_device *ret, struct err *e);

/* "c 1:3 rwm" */
int run_parse_device_rule(struct arena *a, const char *s, struct spec_device_rule *ret,
			  struct err *e);

/* "NAME=SOFT[:HARD]" */
int run_parse_ulimit(struct arena *a, const char *s, struct spec_ulimit *ret, struct err *e);

/* "NAME=VALUE", NAME one that belongs to a namespace */
int run_parse_sysctl(struct arena *a, const char *s, struct spec_pair *ret, struct err *e);

/* "HOST:ADDRESS" or "HOST=ADDRESS" */
int run_parse_host(struct arena *a, const char *s, struct spec_pair *ret, struct err *e);

/* "[HOST:|VOLUME:]TARGET[:MODE]": whether it has a source, and the text for the engine, a relative
 * HOST made absolute. */
int run_parse_volume(struct arena *a, const char *s, bool *ret_bind, const char **ret,
		     struct err *e);

/* "/dev/DISK:NUMBER" of --blkio-weight-device, of --device-read-bps and -write-bps (with a unit),
 * of
 * --device-read-iops and -write-iops. */
int run_parse_io_weight(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e);
int run_parse_io_bps(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e);
int run_parse_io_iops(struct arena *a, const char *s, struct spec_io_limit *ret, struct err *e);

/* --mount: "type=bind,source=...,target=..." */
int run_parse_mount(struct arena *a, const char *s, struct spec_mount *ret, struct err *e);

/* The form of -v. */
int run_check_volume(const char *value, struct err *e);

/* The form of -e. */
int run_check_env(const char *value, struct err *e);

/* The form of --detach-keys. */
int run_check_detach_keys(const char *value, struct err *e);

/* "KEY[=VALUE]" */
int run_parse_pair(struct arena *a, const char *s, struct spec_pair *ret, struct err *e);

/* A namespace option. WHICH is its name ("ipc"); NULL for S leaves *RET. */
int run_parse_ns(struct arena *a, const char *which, const char *s, struct spec_ns *ret,
		 struct err *e);

/* Reads a file of lines "KEY=value" or "KEY": comments and blank lines are left out, blanks before
 * a key too. FN gets each line. */
typedef int (*run_line_fn)(void *arg, const char *line, struct err *e);
int run_read_lines(struct arena *a, const char *path, run_line_fn fn, void *arg, struct err *e);

/* --cpuset-cpus and --cpuset-mems (NULL: not given): lists of what the machine has. Where the
 * kernel does not say that, of anything. */
int run_check_cpuset(const char *cpus, const char *mems, struct err *e);

/* --env-file and --env: "KEY=VALUE" (for "KEY" alone the caller's value), or "KEY" where --env
 * names what the caller lacks. A NULL-terminated vector in A, NULL where there is nothing. */
int run_read_env(struct arena *a, const struct cli_list *files, const struct cli_list *vars,
		 const char *const **ret, struct err *e);

/* A file's content as a string in A, at most MAX bytes. NULL with E set. */
const char *run_read_file(struct arena *a, const char *path, size_t max, struct err *e);

#endif
