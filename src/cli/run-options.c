/* SPDX-License-Identifier: Apache-2.0 */
/* The table. Each value is checked while it is parsed where its form alone decides, so that the
 * message names the option; what needs several options or files is run-spec.c's. */
#include "cli/run-options.h"

#include "cli/run-network.h"

#include "base/str.h"
#include "engine/container-spec.h"
#include "engine/spec-life.h"

#include <string.h>
#include <strings.h>

#define O(field) offsetof(struct run_opts, field)

const struct run_opts run_opts_init = {
	.sig_proxy = true, .pull = "missing", .stop_timeout = -1, .memory_swappiness = -1};

/* A check that parses a value and throws the result away. */
#define DEFINE_CHECK(name, type, parse)                                                            \
	static int check_##name(const char *value, struct err *e)                                  \
	{                                                                                          \
		_cleanup_(arena_done) struct arena a = ARENA_INIT;                                 \
		struct type ret;                                                                   \
                                                                                                   \
		return parse(&a, value, &ret, e);                                                  \
	}

DEFINE_CHECK(host, spec_pair, run_parse_host)
DEFINE_CHECK(pair, spec_pair, run_parse_pair)
DEFINE_CHECK(device_rule, spec_device_rule, run_parse_device_rule)
DEFINE_CHECK(device, spec_device, run_parse_device)
DEFINE_CHECK(io_weight, spec_io_limit, run_parse_io_weight)
DEFINE_CHECK(io_bps, spec_io_limit, run_parse_io_bps)
DEFINE_CHECK(io_iops, spec_io_limit, run_parse_io_iops)
DEFINE_CHECK(ulimit, spec_ulimit, run_parse_ulimit)
DEFINE_CHECK(mount, spec_mount, run_parse_mount)
DEFINE_CHECK(sysctl, spec_pair, run_parse_sysctl)

int run_check_env(const char *value, struct err *e)
{
	if (value[0] && value[0] != '=')
		return 0;
	return err_set(e, ERR_INVALID, 0, "invalid environment variable: %s", value);
}

static int check_label(const char *value, struct err *e)
{
	if (value[0] && value[0] != '=')
		return 0;
	return err_set(e, ERR_INVALID, 0, "invalid label '%s': empty name", value);
}

static int check_attach(const char *value, struct err *e)
{
	static const char *const streams[] = {"stdin", "stdout", "stderr"};

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (strcasecmp(streams[i], value) == 0)
			return 0;
	return err_set(e, ERR_INVALID, 0, "valid streams are STDIN, STDOUT and STDERR");
}

static int check_pull(const char *value, struct err *e)
{
	static const char *const policies[] = {"always", "missing", "never", NULL};

	if (strv_has(policies, value))
		return 0;
	return err_set(e, ERR_INVALID, 0,
		       "invalid pull option: '%s': must be one of \"always\", \"missing\" or "
		       "\"never\"",
		       value);
}

static int check_restart(const char *value, struct err *e)
{
	struct spec_restart ret;

	return spec_restart_parse(value, &ret, e);
}

#define CREATE_OPTIONS                                                                               \
	{"add-host",                                                                                 \
	 0,                                                                                          \
	 CLI_LIST,                                                                                   \
	 O(add_host),                                                                                \
	 "Put a host and its address into /etc/hosts (host:ip)",                                     \
	 .check = check_host},                                                                       \
		{"annotation",                                                                       \
		 0,                                                                                  \
		 CLI_MAP,                                                                            \
		 O(annotation),                                                                      \
		 "An annotation for the runtime configuration",                                      \
		 .default_text = "map[]",                                                            \
		 .check = check_pair},                                                               \
		{"attach",                                                                           \
		 'a',                                                                                \
		 CLI_LIST,                                                                           \
		 O(attach),                                                                          \
		 "Attach to STDIN, STDOUT or STDERR",                                                \
		 .check = check_attach},                                                             \
		{"blkio-weight",                                                                     \
		 0,                                                                                  \
		 CLI_UINT16,                                                                         \
		 O(blkio_weight),                                                                    \
		 "Share of block I/O, between 10 and 1000, or 0 for none",                           \
		 .default_text = "0"},                                                               \
		{"blkio-weight-device",                                                              \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(blkio_weight_device),                                                             \
		 "Share of block I/O of a device",                                                   \
		 .default_text = "[]",                                                               \
		 .check = check_io_weight},                                                          \
		{"cap-add", 0, CLI_LIST, O(cap_add), "Add Linux capabilities"},                      \
		{"cap-drop", 0, CLI_LIST, O(cap_drop), "Drop Linux capabilities"},                   \
		{"cgroup-parent", 0, CLI_STRING, O(cgroup_parent),                                   \
		 "The cgroup above the container's"},                                                \
		{"cgroupns", 0, CLI_STRING, O(cgroupns),                                             \
		 "Cgroup namespace to use (host|private)"},                                          \
		{"cidfile", 0, CLI_STRING, O(cidfile), "Write the container ID to this file"},       \
		{"cpu-period", 0, CLI_INT, O(cpu_period),                                            \
		 "Period of the CPU limit in microseconds"},                                         \
		{"cpu-quota", 0, CLI_INT, O(cpu_quota),                                              \
		 "CPU time in each period in microseconds"},                                         \
		{"cpu-rt-period",   0, CLI_INT, 0, "Period of real-time CPU in microseconds",        \
		 .flags = CLI_LATER},                                                                \
		{"cpu-rt-runtime",  0, CLI_INT, 0, "Real-time CPU in each period in microseconds",   \
		 .flags = CLI_LATER},                                                                \
		{"cpu-shares", 'c', CLI_INT, O(cpu_shares),                                          \
		 "Share of CPU beside other containers"},                                            \
		{"cpus", 0, CLI_DECIMAL, O(cpus), "Number of CPUs"},                                 \
		{"cpuset-cpus", 0, CLI_STRING, O(cpuset_cpus),                                       \
		 "CPUs that may be used (0-3, 0,1)"},                                                \
		{"cpuset-mems", 0, CLI_STRING, O(cpuset_mems),                                       \
		 "Memory nodes that may be used (0-3, 0,1)"},                                        \
		{"device",                                                                           \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(device),                                                                          \
		 "Give the container a device of the host",                                          \
		 .check = check_device},                                                             \
		{"device-cgroup-rule",                                                               \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(device_rule),                                                                     \
		 "Allow devices by a rule (\"c 1:3 rwm\")",                                          \
		 .check = check_device_rule},                                                        \
		{"device-read-bps",                                                                  \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(read_bps),                                                                        \
		 "Bytes per second read from a device",                                              \
		 .default_text = "[]",                                                               \
		 .check = check_io_bps},                                                             \
		{"device-read-iops",                                                                 \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(read_iops),                                                                       \
		 "Reads per second from a device",                                                   \
		 .default_text = "[]",                                                               \
		 .check = check_io_iops},                                                            \
		{"device-write-bps",                                                                 \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(write_bps),                                                                       \
		 "Bytes per second written to a device",                                             \
		 .default_text = "[]",                                                               \
		 .check = check_io_bps},                                                             \
		{"device-write-iops",                                                                \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(write_iops),                                                                      \
		 "Writes per second to a device",                                                    \
		 .default_text = "[]",                                                               \
		 .check = check_io_iops},                                                            \
		{"disable-content-trust", 0, CLI_BOOL, 0, "Has no effect", .default_text = "true",   \
		 .flags = CLI_IGNORED},                                                              \
		{"dns",                                                                              \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(dns),                                                                             \
		 "Name servers of the container",                                                    \
		 .check = run_check_ip},                                                             \
		{"dns-option", 0, CLI_LIST, O(dns_option), "Options of its resolver"},               \
		{"dns-search",                                                                       \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(dns_search),                                                                      \
		 "Domains that its resolver searches",                                               \
		 .check = run_check_dns_search},                                                     \
		{"domainname", 0, CLI_STRING, O(domainname), "NIS domain name of the container"},    \
		{"entrypoint", 0, CLI_STRING, O(entrypoint),                                         \
		 "Run this instead of the image's ENTRYPOINT"},                                      \
		{"env", 'e', CLI_LIST, O(env), "Set environment variables", .check = run_check_env}, \
		{"env-file", 0, CLI_LIST, O(env_file), "Read environment variables from a file"},    \
		{"expose",                                                                           \
		 0,                                                                                  \
		 CLI_LIST,                                                                           \
		 O(expose),                                                                          \
		 "Name a port or a range as in use",                                                 \
		 .check = run_check_expose},                                                         \
		{"gpus",                                                                             \
		 0,                                                                                  \
		 CLI_OTHER,                                                                          \
		 0,                                                                                  \
		 "GPUs to add (not yet)",                                                            \
		 "gpu-request",                                                                      \
		 .flags = CLI_LATER},                                                                \
		{"group-add", 0, CLI_LIST, O(group_add), "More groups to be in"},                    \
		{"help", 0, CLI_BOOL, 0, "Print usage", .flags = CLI_IGNORED},                       \
		{"health-cmd", 0, CLI_STRING, O(health_cmd),                                         \
		 "Command that tells whether the container is well"},                                \
		{"health-interval",                                                                  \
		 0,                                                                                  \
		 CLI_DURATION,                                                                       \
		 O(health_interval),                                                                 \
		 "Time between two checks",                                                          \
		 .default_text = "0s"},                                                              \
		{"health-retries", 0, CLI_INT, O(health_retries),                                    \
		 "Failures until it counts as unhealthy"},                                           \
		{"health-start-interval",                                                            \
		 0,                                                                                  \
		 CLI_DURATION,                                                                       \
		 O(health_start_interval),                                                           \
		 "Time between two checks at the start",                                             \
		 .default_text = "0s"},                                                              \
		{"health-start-period",                                                              \
		 0,                                                                                  \
		 CLI_DURATION,                                                                       \
		 O(health_start_period),                                                             \
		 "Time that a start may take",                                                       \
		 .default_text = "0s"},                                                              \
		{"health-timeout",                                                                   \
		 0,                                                                                  \
		 CLI_DURATION,                                                                       \
		 O(health_timeout),                                                                  \
		 "Time that one check may take",                                                     \
		 .default_text = "0s"},                                                              \
		{"hostname", 'h', CLI_STRING, O(hostname), "Host name of the container"},            \
		{"init", 0, CLI_BOOL, O(init),                                                       \
		 "Run a small init as PID 1 that forwards signals and reaps processes"},             \
		{"interactive", 'i', CLI_BOOL, O(interactive),                                       \
		 "Keep STDIN open even if not attached"},                                            \
		{"ip", 0, CLI_STRING, O(ip), "IPv4 address (e.g., 172.30.100.104)"},                 \
		{"ip6", 0, CLI_STRING, O(ip6), "IPv6 address (e.g., 2001:db8::33)"},                 \
		{"ipc", 0, CLI_STRING, O(ipc),                                                       \
		 "IPC namespace to use (none|private|shareable|host|container:ID)"},                 \
		{"isolation",       0, CLI_STRING, 0, "Isolation technology (not yet)",              \
		 .flags = CLI_LATER},                                                                \
		{"kernel-memory",   0, CLI_BYTES, 0, "Limit of kernel memory (not supported)",       \
		 .flags = CLI_LATER},                                                                \
		{"label", 'l', CLI_LIST, O(label), "Set a label", .check = check_label},             \
		{"label-file", 0, CLI_LIST, O(label_file), "Read labels from a file"},               \
		{"link", 0, CLI_LIST, 0, "Link to another container (not yet)", .flags = CLI_LATER}, \
		{"link-local-ip", 0, CLI_LIST, O(link_local_ip), "Link-local addresses"},            \
		{"log-driver", 0, CLI_STRING, O(log_driver),                                         \
		 "Where output is logged (json-file|local|journald|none)"},                          \
		{"log-opt", 0, CLI_LIST, O(log_opt), "Options of the log (max-size=, max-file=)"},   \
		{"mac-address", 0, CLI_STRING, O(mac), "MAC address (e.g., 92:d0:c6:0a:29:33)"},     \
		{"memory", 'm', CLI_BYTES, O(memory), "Memory limit"},                               \
		{"memory-reservation", 0, CLI_BYTES, O(memory_reservation), "Soft memory limit"},    \
		{"memory-swap",                                                                      \
		 0,                                                                                  \
		 CLI_BYTES,                                                                          \
		 O(memory_swap),                                                                     \
		 "Limit of memory and swap together: '-1' for unlimited swap",                       \
		 .flags = CLI_MINUS_ONE},                                                            \
		{"memory-swappiness",                                                                \
		 0,                                                                                  \
		 CLI_INT,                                                                            \
		 O(memory_swappiness),                                                               \
		 "How readily memory is swapped (0 to 100)",                                         \
		 .default_text = "-1"},                                                              \
		{"mount",                                                                            \
		 0,                                                                                  \
		 CLI_OTHER,                                                                          \
		 O(mount),                                                                           \
		 "Mount a volume, folder, tmpfs or image",                                           \
		 "mount",                                                                            \
		 .check = check_mount},                                                              \
		{"name", 0, CLI_STRING, O(name), "Name of the container"},                           \
		{"network",                                                                          \
		 0,                                                                                  \
		 CLI_OTHER,                                                                          \
		 O(network),                                                                         \
		 "Network of the container (NAME|none|host|container:ID)",                           \
		 "network"},                                                                         \
		{"net",                                                                              \
		 0,                                                                                  \
		 CLI_OTHER,                                                                          \
		 O(network),                                                                         \
		 "Network of the container",                                                         \
		 "network",                                                                          \
		 .flags = CLI_HIDDEN},                                                               \
		{"network-alias", 0, CLI_LIST, O(network_alias), "Another name on the network"},     \
		{"no-healthcheck", 0, CLI_BOOL, O(no_healthcheck), "Run no health checks"},          \
		{"oom-kill-disable", 0, CLI_BOOL, O(oom_kill_disable),                               \
		 "Do not kill processes for memory (cgroup v1)"},                                    \
		{"oom-score-adj", 0, CLI_INT, O(oom_score_adj),                                      \
		 "How readily it is killed for memory (-1000 to 1000)"},                             \
		{"pid", 0, CLI_STRING, O(pid), "PID namespace to use (host|container:ID)"},          \
		{"pids-limit", 0, CLI_INT, O(pids_limit), "Most processes (-1 for unlimited)"},      \
		{"platform", 0, CLI_STRING, O(platform),                                             \
		 "The platform, where the image has several"},                                       \
		{"privileged", 0, CLI_BOOL, O(privileged),                                           \
		 "All capabilities, all devices, no seccomp, nothing masked"},                       \
		{"publish",                                                                          \
		 'p',                                                                                \
		 CLI_LIST,                                                                           \
		 O(publish),                                                                         \
		 "Publish a port of the container on the host",                                      \
		 .check = run_check_publish},                                                        \
		{"publish-all", 'P', CLI_BOOL, O(publish_all),                                       \
		 "Publish all exposed ports on free ports"},                                         \
		{"pull",                                                                             \
		 0,                                                                                  \
		 CLI_STRING,                                                                         \
		 O(pull),                                                                            \
		 "Pull the image before (\"always\", \"missing\", \"never\")",                       \
		 .default_text = "\"missing\"",                                                      \
		 .check = check_pull},                                                               \
		{"quiet", 'q', CLI_BOOL, O(quiet), "Do not show the progress of a pull"},            \
		{"read-only", 0, CLI_BOOL, O(read_only), "Mount the root file system read-only"},    \
		{"restart",                                                                          \
		 0,                                                                                  \
		 CLI_STRING,                                                                         \
		 O(restart),                                                                         \
		 "When to start it again (no|on-failure[:n]|always|unless-stopped)",                 \
		 .default_text = "\"no\"",                                                           \
		 .flags = CLI_MEANING,                                                               \
		 .check = check_restart},                                                            \
		{"rm", 0, CLI_BOOL, O(rm), "Remove the container when it ends"},                     \
		{"runtime", 0, CLI_STRING, 0, "Runtime to use (there is one)", .flags = CLI_LATER},  \
		{"security-opt", 0, CLI_LIST, O(security_opt),                                       \
		 "Security options (seccomp=, no-new-privileges, apparmor=, label=, "                \
		 "systempaths=)"},                                                                   \
		{"shm-size", 0, CLI_BYTES, O(shm_size), "Size of /dev/shm"},                         \
		{"stop-signal", 0, CLI_STRING, O(stop_signal), "Signal that stops the container"},   \
		{"stop-timeout", 0, CLI_INT, O(stop_timeout),                                        \
		 "Seconds until a stop becomes a kill"},                                             \
		{"storage-opt",     0, CLI_LIST, 0, "Options of the storage driver (not yet)",       \
		 .flags = CLI_LATER},                                                                \
		{"sysctl",                                                                           \
		 0,                                                                                  \
		 CLI_MAP,                                                                            \
		 O(sysctl),                                                                          \
		 "Set a kernel parameter of the container",                                          \
		 .default_text = "map[]",                                                            \
		 .check = check_sysctl},                                                             \
		{"tmpfs", 0, CLI_LIST, O(tmpfs), "Mount a tmpfs here"},                              \
		{"tty", 't', CLI_BOOL, O(tty), "Give the container a terminal"},                     \
		{"ulimit",                                                                           \
		 0,                                                                                  \
		 CLI_OTHER,                                                                          \
		 O(ulimit),                                                                          \
		 "Resource limits of its processes",                                                 \
		 "ulimit",                                                                           \
		 .default_text = "[]",                                                               \
		 .check = check_ulimit},                                                             \
		{"use-api-socket",                                                                   \
		 0,                                                                                  \
		 CLI_BOOL,                                                                           \
		 0,                                                                                  \
		 "Give the container the engine's socket (not yet)",                                 \
		 .flags = CLI_LATER},                                                                \
		{"user", 'u', CLI_STRING, O(user),                                                   \
		 "User name or UID (format: <name|uid>[:<group|gid>])"},                             \
		{"userns", 0, CLI_STRING, O(userns), "User namespace to use (host)"},                \
		{"uts", 0, CLI_STRING, O(uts), "UTS namespace to use (host)"},                       \
		{"volume",                                                                           \
		 'v',                                                                                \
		 CLI_LIST,                                                                           \
		 O(volume),                                                                          \
		 "Mount a volume or folder",                                                         \
		 .check = run_check_volume},                                                         \
		{"volume-driver", 0, CLI_STRING, O(volume_driver), "Driver of new volumes"},         \
		{"volumes-from", 0, CLI_LIST, O(volumes_from),                                       \
		 "Mount the volumes of another container"},                                          \
	{                                                                                            \
		"workdir", 'w', CLI_STRING, O(workdir), "Working directory in the container"         \
	}

const struct cli_option create_options[] = {CREATE_OPTIONS, {NULL}};

const struct cli_option run_options[] = {
	CREATE_OPTIONS,
	{"detach", 'd', CLI_BOOL, O(detach),
	 "Run the container in the background and print its ID"},
	{"detach-keys", 0, CLI_STRING, O(detach_keys), "The keys that leave a container running",
	 .check = run_check_detach_keys},
	{"sig-proxy", 0, CLI_BOOL, O(sig_proxy), "Hand received signals on to the process",
	 .default_text = "true"},
	{NULL},
};
