/* SPDX-License-Identifier: Apache-2.0 */
/* The container's configuration: config.json of the OCI runtime-spec 1.2, for Linux, as plain
 * structs. Data only: nothing here looks at the machine. A configuration comes from a file
 * (runtime_config_parse) or is built in memory (runtime_config_init, then set fields whose strings
 * live in its arena or outlive it). Absent strings are NULL, absent numbers have set = false, and
 * vectors of strings are NULL-terminated or NULL. Field names are the specification's; where a
 * comment names a section, it is a section of runtime-spec's config.md or config-linux.md. */
#ifndef KOGGE_OCI_RUNTIME_CONFIG_H
#define KOGGE_OCI_RUNTIME_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/seccomp-profile.h"

#include <sys/types.h>

struct buf;

#define OCI_RUNTIME_VERSION "1.2.0"

/* Bounds on what a configuration may hold. */
#define RUNTIME_CONFIG_MAX ((size_t)16 << 20) /* bytes of JSON */
#define OCI_LIST_MAX       65536              /* elements of one list */

/* A number that may be absent. */
struct oci_int {
	bool set;
	int64_t value;
};

/* A boolean that may be absent. */
struct oci_flag {
	bool set;
	bool value;
};

/* One entry of an object of strings. */
struct oci_pair {
	const char *key, *value;
};

/* Key and value pairs in the order of the document; keys are unique. */
struct oci_map {
	struct oci_pair *v;
	size_t n;
};

/* process.user */
struct oci_user {
	uint32_t uid, gid;
	struct oci_int umask;
	const uint32_t *gids; /* additionalGids */
	size_t n_gids;
};

/* process.rlimits[] */
struct oci_rlimit {
	int resource; /* RLIMIT_NOFILE, ... */
	uint64_t soft, hard;
};

/* process.capabilities: bit N is the capability number N of <linux/capability.h>. */
struct oci_caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

enum oci_sched_policy { /* the kernel's numbers of SCHED_* */
			OCI_SCHED_OTHER = 0,
			OCI_SCHED_FIFO = 1,
			OCI_SCHED_RR = 2,
			OCI_SCHED_BATCH = 3,
			OCI_SCHED_IDLE = 5,
			OCI_SCHED_DEADLINE = 6,
};

/* process.scheduler; FLAGS are the kernel's SCHED_FLAG_* */
struct oci_scheduler {
	bool set;
	unsigned policy;
	int32_t nice, priority;
	uint64_t flags, runtime, deadline, period;
};

/* process.ioPriority; CLASS is IOPRIO_CLASS_*: 1 real time, 2 best effort, 3 idle */
struct oci_io_priority {
	bool set;
	unsigned class;
	int priority;
};

/* process.execCPUAffinity: lists of CPUs ("0-3,7"), NULL or empty where absent. For processes that
 * join a container, not for its first one. */
struct oci_affinity {
	const char *initial, *final;
};

struct oci_process {
	bool terminal;
	unsigned console_height, console_width; /* consoleSize; 0 where absent */
	struct oci_user user;
	const char **args;
	const char **env;
	const char *cwd; /* absolute */
	bool has_caps;   /* without them the process keeps none */
	struct oci_caps caps;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	const char *selinux_label;
	struct oci_int oom_score_adj;
	struct oci_scheduler scheduler;
	struct oci_io_priority io_priority;
	struct oci_affinity affinity;
};

/* SIZE IDs from CONTAINER_ID on are the IDs from HOST_ID on outside. */
struct oci_id_map {
	uint32_t container_id, host_id, size;
};

/* A list of mappings. */
struct oci_id_maps {
	struct oci_id_map *v;
	size_t n;
};

/* mounts[] */
struct oci_mount {
	const char *destination; /* a relative one, deprecated, starts at the root too */
	const char *type;        /* NULL or "none" for a bind mount */
	const char *source;
	const char **options;
	struct oci_id_maps uid_maps, gid_maps; /* for an id-mapped mount */
};

/* hooks.*[] */
struct oci_hook {
	const char *path; /* absolute */
	const char **args;
	const char **env;
	struct oci_int timeout; /* seconds, > 0 */
};

/* When hooks run (section POSIX-platform Hooks). */
enum oci_hook_point {
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_N,
};

/* The hooks of one point, in order. */
struct oci_hooks {
	struct oci_hook *v;
	size_t n;
};

/* Types of namespaces. */
enum oci_ns {
	OCI_NS_MOUNT,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_USER,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_N,
};

/* linux.namespaces, indexed by enum oci_ns: absent ones are shared with the caller; present ones
 * are new, or joined where there is a path. */
struct oci_namespace {
	bool present;
	const char *path; /* absolute, NULL for a new one */
};

/* linux.devices[] */
struct oci_device {
	char type; /* 'c' (also for "u"), 'b' or 'p' */
	const char *path;
	int64_t major, minor;
	struct oci_int file_mode, uid, gid;
};

/* linux.resources.devices[]: TYPE 'a', 'b' or 'c'; numbers -1 for all; ACCESS of r, w, m bits */
struct oci_device_rule {
	bool allow;
	char type;
	int64_t major, minor;
	bool read, write, mknod;
};

/* linux.resources.memory, in bytes; -1 means unlimited */
struct oci_memory {
	struct oci_int limit, reservation, swap, kernel, kernel_tcp, swappiness;
	struct oci_flag disable_oom_killer, use_hierarchy, check_before_update;
};

/* linux.resources.cpu; times in microseconds */
struct oci_cpu {
	struct oci_int shares, quota, burst, period, realtime_runtime, realtime_period, idle;
	const char *cpus, *mems;
};

/* A device with a weight (WEIGHT, LEAF_WEIGHT) or with a rate (RATE). */
struct oci_blkio_device {
	int64_t major, minor;
	struct oci_int weight, leaf_weight;
	uint64_t rate;
};

/* Devices with a weight or a rate. */
struct oci_blkio_list {
	struct oci_blkio_device *v;
	size_t n;
};

/* linux.resources.blockIO */
struct oci_blkio {
	struct oci_int weight, leaf_weight;
	struct oci_blkio_list weight_device, read_bps, write_bps, read_iops, write_iops;
};

struct oci_hugepage {
	const char *page_size; /* "2MB" */
	uint64_t limit;
};

/* linux.resources.network.priorities[] */
struct oci_net_prio {
	const char *name;
	uint32_t priority;
};

/* linux.resources.rdma, one device */
struct oci_rdma {
	const char *device;
	struct oci_int handles, objects;
};

/* linux.resources; -1 in memory, pids and quota means unlimited */
struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory memory;
	struct oci_cpu cpu;
	struct oci_int pids_limit;
	struct oci_blkio blkio;
	struct oci_hugepage *hugepages;
	size_t n_hugepages;
	struct oci_int net_classid;
	struct oci_net_prio *net_prios;
	size_t n_net_prios;
	struct oci_rdma *rdma;
	size_t n_rdma;
	struct oci_map unified; /* cgroup v2: file name and value, written as they are */
};

/* linux.timeOffsets, one clock */
struct oci_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

/* linux.intelRdt (config-linux.md, IntelRdt). */
struct oci_intel_rdt {
	const char *clos_id;     /* the class of service; NULL: one of the container's own */
	const char *l3, *mem_bw; /* lines of schemata, or NULL */
	const char **schemata;   /* further lines; NULL-terminated, or NULL */
};

struct oci_linux {
	struct oci_namespace ns[OCI_NS_N];
	struct oci_id_maps uid_maps, gid_maps;
	struct oci_time_offset monotonic, boottime;
	struct oci_device *devices;
	size_t n_devices;
	const char *cgroups_path;
	struct oci_resources resources;
	struct oci_map sysctl;
	bool has_seccomp;
	struct seccomp_profile seccomp; /* names that the machine does not know stay */
	const char
		*rootfs_propagation; /* private, shared, slave, unbindable, each with r, or NULL */
	const char **masked_paths, **readonly_paths;
	const char *mount_label;
	bool personality_32bit; /* personality.domain is LINUX32 */
	bool has_intel_rdt;
	struct oci_intel_rdt intel_rdt;
};

struct runtime_config {
	struct arena arena; /* owns what was parsed */
	const char *oci_version;
	bool has_process;
	struct oci_process process;
	const char *root_path;
	bool root_readonly;
	const char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hooks hooks[OCI_HOOK_N];
	struct oci_map annotations;
	struct oci_linux linux_; /* the underscore: `linux` is a macro of the compiler */
};

/* An empty configuration; nothing is allocated. */
#define RUNTIME_CONFIG_INIT ((struct runtime_config){.oci_version = OCI_RUNTIME_VERSION})

void runtime_config_done(struct runtime_config *c);

/* Parses and validates N bytes of config.json. Fields that are not known are ignored (section
 * Extensibility), malformed ones are errors that name the field ("linux.resources.memory.limit").
 * *RET must be empty and needs runtime_config_done also after a failure. Returns 0, or -1 with E
 * set (ERR_INVALID, ERR_LIMIT). */
int runtime_config_parse(const char *data, size_t n, struct runtime_config *ret, struct err *e);

/* Parses a process object alone (the argument of `exec --process`) into RET, its memory from A. */
int runtime_config_parse_process(const char *data, size_t n, struct arena *a,
				 struct oci_process *ret, struct err *e);

/* The rules that bind several fields or that a configuration built in memory could break:
 * absolute paths, known rlimits, mappings only with a user namespace, sysctls that belong to a
 * namespace of its own, ... Returns 0, or -1 with E set, ERR_INVALID. */
int runtime_config_validate(const struct runtime_config *c, struct err *e);

/* The type of namespace that the sysctl KEY (as sysctl(8) spells it) belongs to, OCI_NS_N where it
 * is the machine's. */
enum oci_ns oci_sysctl_ns(const char *key);

/* Parses linux.resources alone (the file of `update --resources`) into RET, its memory from A. */
int runtime_config_parse_resources(const char *data, size_t n, struct arena *a,
				   struct oci_resources *ret, struct err *e);

/* The rules of `process` alone, for a process that joins a container. */
int runtime_config_validate_process(const struct oci_process *p, struct err *e);

/* Appends C as indented JSON to OUT; reading it again gives an equal configuration. */
int runtime_config_write(const struct runtime_config *c, struct buf *out, struct err *e);

/* What `spec` prints: a shell in ./rootfs with the specification's default mounts, five
 * namespaces (with ROOTLESS also a user namespace that maps UID and GID to root). *RET must be
 * empty. */
int runtime_config_default(bool rootless, uint32_t uid, uint32_t gid, struct runtime_config *ret,
			   struct err *e);

/* The default mounts, masked and read-only paths alone, for configurations built in memory: the
 * arrays live in the arena of C. */
int runtime_config_default_mounts(struct runtime_config *c, struct err *e);
int runtime_config_default_paths(struct runtime_config *c, struct err *e);

/* Names, for messages and for `features`. */
const char *oci_ns_name(enum oci_ns ns);          /* "network" */
const char *oci_hook_name(enum oci_hook_point p); /* "createRuntime" */
const char *oci_rlimit_name(int resource);        /* "RLIMIT_NOFILE"; NULL where unknown */
int oci_rlimit_parse(const char *name);           /* the resource, or -1 */
const char *oci_cap_name(unsigned cap);           /* "CAP_CHOWN"; NULL past the last */
int oci_cap_parse(const char *name);              /* the number, or -1; upper case only */

#endif
