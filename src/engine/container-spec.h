/* SPDX-License-Identifier: Apache-2.0 */
/* What a user asks of a new container: the flags of `create` and `run` as plain data, checked for
 * form and range by whoever filled it (cli/run-options.c; later the API), but not against the
 * image or the machine: that is container_create's work. Every string and array lives in the
 * arena of the spec. "Not given" is NULL, 0 or the enumerator named ..._DEFAULT unless a field
 * says otherwise. */
#ifndef KOGGE_ENGINE_CONTAINER_SPEC_H
#define KOGGE_ENGINE_CONTAINER_SPEC_H

#include "base/arena.h"

/* --ipc, --pid, --uts, --userns, --cgroupns, --network. Which of them a namespace may have is
 * checked when the flag is parsed. */
enum spec_ns_mode {
	SPEC_NS_DEFAULT,   /* not given: Docker's default for that namespace */
	SPEC_NS_PRIVATE,   /* its own */
	SPEC_NS_HOST,      /* the host's */
	SPEC_NS_NONE,      /* network: only a loopback; ipc: its own without /dev/shm */
	SPEC_NS_SHAREABLE, /* ipc: its own, and other containers may join */
	SPEC_NS_CONTAINER, /* that of the container REF */
	SPEC_NS_NAMED      /* network: a network by the name REF ("bridge" too) */
};

/* Which namespace of one kind: the host's, a new one, or another container's. */
struct spec_ns {
	enum spec_ns_mode mode;
	const char *ref;
};

/* A switch that may have been left alone. */
enum spec_tri { SPEC_UNSET, SPEC_FALSE, SPEC_TRUE };

/* --label, --annotation, --sysctl, --add-host (host, address). */
struct spec_pair {
	const char *key;
	const char *value; /* never NULL */
};

/* --tmpfs DEST[:OPTIONS] */
struct spec_tmpfs {
	const char *dest;    /* absolute, cleaned (str_path_clean) */
	const char *options; /* as given, "size=64m,mode=1777"; "" where none. Checked for form. */
};

/* --device HOST[:CONTAINER][:PERMISSIONS] */
struct spec_device {
	const char *host;
	const char *container; /* absolute */
	const char *perms;     /* of "rwm" */
};

#define SPEC_DEV_ANY (-1)

/* --device-cgroup-rule 'c 1:3 mr' */
struct spec_device_rule {
	char type;            /* 'a', 'b' or 'c' */
	int64_t major, minor; /* or SPEC_DEV_ANY */
	const char *perms;    /* of "rwm" */
};

/* What a disk may be asked for: a share, or bytes or operations in a second. */
enum spec_io_kind {
	SPEC_IO_WEIGHT,
	SPEC_IO_READ_BPS,
	SPEC_IO_WRITE_BPS,
	SPEC_IO_READ_IOPS,
	SPEC_IO_WRITE_IOPS,
	SPEC_IO_KINDS
};

/* --blkio-weight-device, --device-read-bps, ...: the host's PATH of a disk and the number. */
struct spec_io_limit {
	const char *path;
	uint64_t value;
};

/* --ulimit NAME=SOFT[:HARD] */
struct spec_ulimit {
	const char *name;   /* as Docker writes it: "nofile", "core", ... */
	int64_t soft, hard; /* -1: unlimited */
};

/* The filter: Docker's default profile, none, or a file. */
enum spec_seccomp { SPEC_SECCOMP_DEFAULT, SPEC_SECCOMP_UNCONFINED, SPEC_SECCOMP_PROFILE };

/* --security-opt */
struct spec_security {
	const char *const *opts; /* as given, for inspect; a profile's file name already replaced by
				  * its content, as Docker does. NULL-terminated or NULL */
	enum spec_seccomp seccomp;
	const char *seccomp_profile; /* JSON text, where SPEC_SECCOMP_PROFILE */
	bool no_new_privileges;
	bool systempaths_unconfined;      /* nothing masked, nothing read-only */
	const char *apparmor;             /* profile name, "unconfined" */
	bool label_disable;               /* label=disable */
	const char *const *label_options; /* "user:U", "role:R", "type:T", "level:L" */
};

struct spec_resources {
	uint64_t memory;             /* bytes; 0: no limit */
	int64_t memory_swap;         /* bytes with memory counted in; 0: not given; -1: unlimited */
	uint64_t memory_reservation; /* bytes; 0: none */
	int64_t memory_swappiness;   /* 0 to 100; -1: not given */
	int64_t nano_cpus;           /* 10^-9 CPUs; 0: no limit */
	uint64_t cpu_shares;         /* 0: not given */
	int64_t cpu_period;          /* microseconds; 0: not given */
	int64_t cpu_quota;           /* microseconds; 0: not given; -1: unlimited */
	const char *cpuset_cpus;     /* "0-3,7" */
	const char *cpuset_mems;
	int64_t pids_limit;    /* 0: not given; -1: unlimited */
	uint16_t blkio_weight; /* 10 to 1000; 0: not given */
	const struct spec_io_limit *io[SPEC_IO_KINDS];
	size_t n_io[SPEC_IO_KINDS];
	enum spec_tri oom_kill_disable;
	int oom_score_adj; /* -1000 to 1000 */
	const char *cgroup_parent;
	const struct spec_ulimit *ulimits;
	size_t n_ulimits;
	const struct spec_device *devices;
	size_t n_devices;
	const struct spec_device_rule *device_rules;
	size_t n_device_rules;
};

/* What a mount shows. */
enum spec_mount_type { SPEC_MOUNT_BIND, SPEC_MOUNT_VOLUME, SPEC_MOUNT_TMPFS, SPEC_MOUNT_IMAGE };

/* bind-recursive: what happens to the mounts below the source. */
enum spec_recursive {
	SPEC_RECURSIVE_ENABLED,  /* they come along, read-only with it where the kernel can */
	SPEC_RECURSIVE_DISABLED, /* they are left out */
	SPEC_RECURSIVE_WRITABLE, /* they come along and stay writable */
	SPEC_RECURSIVE_READONLY  /* they come along read-only, or the start fails */
};

/* One mount, as data: where from, where to, and how. Neither a path that was resolved nor a
 * descriptor: whoever starts the container, by the kernel's namespaces or otherwise, opens the
 * source and finds the place below the container's root. */
struct spec_mount {
	enum spec_mount_type type;
	const char *source; /* bind: absolute path of the host; volume: its name, NULL for a new one
			     * without a name; image: its reference; tmpfs: NULL */
	const char *target; /* absolute, cleaned */
	bool read_only;
	const char *propagation; /* "rprivate", "shared", ...; NULL: rprivate */
	enum spec_recursive recursive;
	bool make_source;    /* bind: a directory is made where nothing is (-v) */
	bool no_copy;        /* volume: not filled from the image */
	const char *subpath; /* volume, image: relative; "" never */
	const char *driver;  /* volume: of one that is made; NULL: local */
	const struct spec_pair *driver_opts, *labels;
	size_t n_driver_opts, n_labels;
	uint64_t tmpfs_size;     /* bytes; 0: the kernel's default */
	unsigned tmpfs_mode;     /* 0: 1777 */
	const char *consistency; /* accepted as in Docker, without effect on Linux */

	/* Known once the container exists (container_spec.points). */
	const char *mode;     /* what inspect shows as Mode */
	bool anonymous;       /* a volume that was made for this container */
	const char *snapshot; /* image: the view that keeps its layers */
};

/* --network NAME with what belongs to it, `network connect`: one network that the container is on.
 */
struct spec_endpoint {
	const char *network;        /* name or ID, as given */
	const char *const *aliases; /* NULL-terminated or NULL */
	const char *ip, *ip6, *mac; /* checked for form; NULL: one is chosen */
	const char *const *link_local;
	const struct spec_pair *driver_opts;
	size_t n_driver_opts;
	int64_t gw_priority;
};

/* --publish: a port of the container and one of the host. A range was taken apart. */
struct spec_port {
	uint16_t port;                  /* of the container */
	const char *proto;              /* "tcp", "udp", "sctp" */
	const char *host_ip;            /* "": all addresses */
	uint16_t host_first, host_last; /* one of these; 0: any free one */
};

/* --restart */
enum spec_restart_policy {
	SPEC_RESTART_NO,
	SPEC_RESTART_ALWAYS,
	SPEC_RESTART_UNLESS_STOPPED,
	SPEC_RESTART_ON_FAILURE
};

struct spec_restart {
	enum spec_restart_policy policy;
	int retries; /* on-failure: at most so many; 0: no limit */
};

/* --log-driver, --log-opt */
struct spec_log {
	const char *driver; /* NULL: json-file */
	const struct spec_pair *opts;
	size_t n_opts;
};

/* --health-... or the image's HEALTHCHECK. Durations in nanoseconds, 0: not given. */
struct spec_health {
	const char *const *test; /* {"CMD", ...}, {"CMD-SHELL", ...}, {"NONE"}; NULL: none, or the
				  * image's */
	int64_t interval, timeout, start_period, start_interval;
	int64_t retries;
};

struct container_spec {
	struct arena arena;

	/* image and process */
	const char *image;             /* as the user wrote it */
	const char *platform;          /* "linux/amd64"; checked for form */
	const char *name;              /* checked for form; NULL: make one */
	const char *const *cmd;        /* NULL-terminated; NULL: the image's */
	const char *const *entrypoint; /* NULL: the image's; an empty vector: none at all */
	const char *const *env;        /* "KEY=VALUE"; "KEY" alone removes the image's. Files and
					* the caller's environment are already read. */
	const char *const *group_add;  /* names or numbers, resolved in the container */
	const char *user;              /* "name|uid[:group|gid]" */
	const char *workdir;           /* absolute */
	const char *stop_signal;       /* checked: "TERM", "SIGTERM" or "15" */
	int stop_timeout;              /* seconds; -1: not given */
	bool tty, interactive;         /* -t; -i: keep stdin open */
	bool attach_in, attach_out, attach_err;
	bool init;        /* --init */
	bool auto_remove; /* --rm */

	/* identity */
	const char *hostname, *domainname;
	const struct spec_pair *labels;
	size_t n_labels;
	const struct spec_pair *annotations;
	size_t n_annotations;
	const struct spec_pair *extra_hosts; /* host -> address, or "host-gateway" */
	size_t n_extra_hosts;

	/* network. Of a container on networks (network.mode is SPEC_NS_NAMED) the first endpoint is
	 * network.ref; the endpoints are rows of their own once the container exists. */
	const struct spec_endpoint *endpoints;
	size_t n_endpoints;
	const struct spec_port *ports;
	size_t n_ports;
	const char *const *exposed; /* "80/tcp"; with the image's once the container exists */
	bool publish_all;
	const char *const *dns; /* addresses */
	const char *const *dns_search, *const *dns_options;
	const char *mac; /* --mac-address */

	/* isolation */
	struct spec_ns ipc, pid, uts, userns, cgroupns, network;
	const char *const *cap_add; /* "CAP_..." or "ALL", NULL-terminated or NULL */
	const char *const *cap_drop;
	bool privileged;
	bool read_only; /* the root file system */
	struct spec_security security;
	const struct spec_pair *sysctls;
	size_t n_sysctls;

	/* files */
	const struct spec_tmpfs *tmpfs;
	size_t n_tmpfs;
	const char *const *binds;        /* -v: "/host:/there:ro", "volume:/there" */
	const char *const *volumes;      /* -v and the image: paths that get a new volume */
	const char *const *volumes_from; /* "CONTAINER[:ro|rw]" */
	const char *volume_driver;       /* of the volumes that binds and volumes make */
	const struct spec_mount *mounts; /* --mount */
	size_t n_mounts;
	/* What all of these come to: made by container_create, never given. In the order in which
	 * they are shown; tmpfs are not among them. */
	const struct spec_mount *points;
	size_t n_points;
	uint64_t shm_size; /* bytes; 0: 64 MiB */

	struct spec_resources resources;

	/* its life */
	struct spec_restart restart;
	struct spec_log log;
	struct spec_health health;
};

#define CONTAINER_SPEC_INIT                                                                        \
	((struct container_spec){                                                                  \
		.arena = ARENA_INIT, .stop_timeout = -1, .resources = {.memory_swappiness = -1}})

/* Releases everything that the spec holds. */
static inline void container_spec_done(struct container_spec *s)
{
	arena_done(&s->arena);
}

#endif
