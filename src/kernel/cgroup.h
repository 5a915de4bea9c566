/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups: version 1, version 2 and the mix of both (hybrid: controllers on version 1, and
 * the unified hierarchy beside them), three implementations behind one interface of plain structs.
 *
 * Order of a start: cgroup_host_open, cgroup_create with the limits, then clone3 with
 * CLONE_INTO_CGROUP where cgroup_clone_fd gives a descriptor, then in the child cgroup_join_fds
 * and unshare(CLONE_NEWCGROUP). The namespace must come after the join, on version 2 also: its
 * root is the cgroup in which the caller of clone3 or unshare is at that moment.
 *
 * All functions return 0 or a negative errno, and fill *FAULT (which may be NULL) where a
 * controller or a file is the cause:
 *   -ENODEV      the machine has no such controller (FAULT names it; file may be empty)
 *   -EOPNOTSUPP  the controller is there and cannot do this (FAULT names the file)
 *   anything else is what the kernel said to the write of fault.value into fault.file.
 * Paths are relative to the root of the hierarchies as they are mounted here ("kogge/4f1c"); a
 * leading '/' is skipped; empty components, "." and ".." are -EINVAL. */
#ifndef KOGGE_KERNEL_CGROUP_H
#define KOGGE_KERNEL_CGROUP_H

#include "base/macro.h"

#include <sys/types.h>

/* The layout of the machine. */
enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_HYBRID };

/* Controllers as bits. */
enum cgroup_controller {
	CGROUP_CPU = 1 << 0,
	CGROUP_CPUACCT = 1 << 1,
	CGROUP_CPUSET = 1 << 2,
	CGROUP_MEMORY = 1 << 3,
	CGROUP_PIDS = 1 << 4,
	CGROUP_IO = 1 << 5, /* "blkio" on version 1 */
	CGROUP_DEVICES = 1 << 6,
	CGROUP_FREEZER = 1 << 7,
	CGROUP_HUGETLB = 1 << 8,
	CGROUP_RDMA = 1 << 9,
	CGROUP_MISC = 1 << 10,
	CGROUP_NET_CLS = 1 << 11,
	CGROUP_NET_PRIO = 1 << 12,
	CGROUP_PERF_EVENT = 1 << 13,
	CGROUP_NAMED = 1 << 14,   /* a hierarchy of version 1 without controller ("name=systemd") */
	CGROUP_UNIFIED = 1 << 15, /* the hierarchy of version 2 itself */
};

/* For `need` of struct cgroup_limits: a cgroup in every hierarchy, as runc makes them. */
#define CGROUP_NEED_ALL UINT32_MAX

/* What cgroup_stats answers from. */
#define CGROUP_NEED_STATS (CGROUP_CPUACCT | CGROUP_MEMORY | CGROUP_PIDS | CGROUP_UNIFIED)

#define CGROUP_HIERARCHIES_MAX 20

#define CGROUP_PATH_MAX 512

/* Which controller, file and value a failure is about. Empty strings where not known. STOP is the
 * cgroup of version 2 below which the controller is not delegated ("/" for the root); then the
 * failure is -ENODEV or the kernel's to the write there. */
struct cgroup_fault {
	char controller[32];
	char file[64];
	char value[96];
	char stop[CGROUP_PATH_MAX];
};

/* ---- limits -------------------------------------------------------------------------------- */

/* What a device may be used for, as bits. */
enum cgroup_access { CGROUP_READ = 1, CGROUP_WRITE = 2, CGROUP_MKNOD = 4 };

/* One rule of the device list; the last one that matches decides. */
struct cgroup_device {
	bool allow;
	char type;      /* 'a' (block and character), 'b' or 'c' */
	int64_t major;  /* -1: any */
	int64_t minor;  /* -1: any */
	uint8_t access; /* enum cgroup_access */
};

/* A value for one block device: a weight, bytes or operations a second. */
struct cgroup_blkdev {
	uint32_t major, minor;
	uint64_t value;
};

/* A list of them, borrowed. */
struct cgroup_blkdevs {
	const struct cgroup_blkdev *v;
	size_t n;
};

struct cgroup_hugetlb {
	const char *page_size; /* as in the file names: "2MB", "1GB" */
	uint64_t limit;        /* bytes */
};

/* The priority of what is sent through a network device, version 1 only. */
struct cgroup_netprio {
	const char *device;
	uint32_t priority;
};

/* Limits of one RDMA device; -1: leave. */
struct cgroup_rdma {
	const char *device;
	int64_t handles, objects;
};

struct cgroup_unified {
	const char *key; /* a file of version 2: "memory.high" */
	const char *value;
};

/* Limits as the runtime specification names them (config-linux.md, "Control groups"). Zeroed, it
 * sets nothing. 0 in a number means: leave it alone; where 0 is a value of its own there is a
 * has_ flag. -1 means: no limit. Borrowed pointers. */
struct cgroup_limits {
	/* Controllers that are wanted besides those that the limits below need (a cgroup in them,
	 * for its figures); what the machine lacks of these is no error. */
	uint32_t need;
	/* What is there already belongs to this cgroup, with the processes in it: systemd made it.
	 */
	bool adopt;

	int64_t memory;             /* bytes */
	int64_t memory_swap;        /* bytes of memory and swap together */
	int64_t memory_reservation; /* bytes: soft limit, memory.low on version 2 */
	uint64_t swappiness;        /* 0..100, version 1 only */
	bool has_swappiness;
	bool oom_kill_disable;                    /* version 1 only */
	int64_t memory_kernel, memory_kernel_tcp; /* bytes, version 1 only */
	bool memory_check; /* -EBUSY where more than MEMORY is in use already */

	uint64_t cpu_shares; /* 2..262144; converted to a weight on version 2 */
	int64_t cpu_quota;   /* microseconds a period */
	uint64_t cpu_period; /* microseconds */
	uint64_t cpu_burst;  /* microseconds */
	bool has_cpu_burst;
	int64_t cpu_idle;
	bool has_cpu_idle;
	int64_t cpu_rt_runtime;  /* microseconds, version 1 only */
	uint64_t cpu_rt_period;  /* microseconds, version 1 only */
	const char *cpuset_cpus; /* "0-3,7"; NULL or "": leave */
	const char *cpuset_mems;

	int64_t pids;

	uint16_t io_weight;      /* 10..1000, as blkio.weight */
	uint16_t io_leaf_weight; /* version 1 only */
	struct cgroup_blkdevs io_weight_device;
	struct cgroup_blkdevs io_leaf_weight_device; /* version 1 only */
	struct cgroup_blkdevs io_read_bps, io_write_bps, io_read_iops, io_write_iops;

	const struct cgroup_hugetlb *hugetlb;
	size_t n_hugetlb;
	bool has_net_classid;
	uint32_t net_classid; /* version 1 only */
	const struct cgroup_netprio *netprio;
	size_t n_netprio;
	const struct cgroup_rdma *rdma;
	size_t n_rdma;
	const struct cgroup_unified *unified; /* version 2 only */
	size_t n_unified;

	/* n_devices 0: the devices are left alone. Otherwise access starts at "nothing". */
	const struct cgroup_device *devices;
	size_t n_devices;
};

/* ---- the machine --------------------------------------------------------------------------- */

/* One mounted hierarchy: the directory PREFIX below the descriptor BASE ("" for BASE itself). */
struct cgroup_hierarchy {
	uint32_t controllers; /* bits; CGROUP_UNIFIED is set for version 2 */
	int base;             /* owned where own_base */
	bool own_base;
	char prefix[64];
	char name[64];   /* as in /proc/self/cgroup: "cpu,cpuacct", "name=systemd", "" for version 2
			  */
	bool below_root; /* this process is somewhere below its root */
};

struct cgroup_ops;

/* The layout of the machine. Read only after it was opened; any number of cgroups borrow it. */
struct cgroup_host {
	enum cgroup_mode mode;
	const struct cgroup_ops *ops;
	int sysfs; /* /sys/fs/cgroup */
	size_t n;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
};

#define CGROUP_HOST_INIT ((struct cgroup_host){.sysfs = -1})

/* Finds the hierarchies: by /proc/self/cgroup and the usual place /sys/fs/cgroup, and only where
 * that does not fit by /proc/self/mountinfo, which grows with the machine's mounts. No cgroups at
 * all: 0 with mode CGROUP_NONE. */
int cgroup_host_open(struct cgroup_host *ret);

/* Whether cgroup_host_open would find mode CGROUP_V2; stops at the first hierarchy. */
bool cgroup_host_is_v2(void);
void cgroup_host_done(struct cgroup_host *host);

/* The controllers that this machine offers here, as bits. */
uint32_t cgroup_host_controllers(const struct cgroup_host *host);

/* "v1", "v2", "hybrid", "none". */
const char *cgroup_mode_name(enum cgroup_mode mode);

/* The name of one bit ("memory"; "blkio" or "io" by the mode). */
const char *cgroup_controller_name(enum cgroup_mode mode, uint32_t bit);

/* The bits of a list of names ("cpu,cpuacct" or "cpu io"); unknown ones count as nothing. */
uint32_t cgroup_controllers_parse(const char *list);

/* The controllers that LIMITS asks for. */
uint32_t cgroup_limits_need(const struct cgroup_host *host, const struct cgroup_limits *limits);

/* ---- one cgroup ---------------------------------------------------------------------------- */

/* A container's cgroup: for each hierarchy its directory, or -1 where it has none there. */
struct cgroup {
	const struct cgroup_host *host; /* borrowed */
	char path[CGROUP_PATH_MAX];     /* without leading '/' */
	int dir[CGROUP_HIERARCHIES_MAX];
};

/* The leaf into which processes move out of the way of a cgroup that hands controllers down. */
#define CGROUP_HOST_LEAF "kogge.host"

/* For declaring; cgroup_create and cgroup_open fill it. */
#define CGROUP_INIT ((struct cgroup){.host = NULL})

/* Closes the descriptors; the cgroup itself stays. */
void cgroup_done(struct cgroup *cg);

/* Makes the cgroup PATH with what is missing above it and sets LIMITS. Only the
 * hierarchies that LIMITS needs, those of limits->need that exist, and what kill and freeze need
 * get a directory: each costs a start some tens of microseconds (docs/design: cgroups). A directory
 * that exists is taken over where no process is in it, else -EEXIST. On failure nothing of it is
 * left. */
int cgroup_create(const struct cgroup_host *host, const char *path,
		  const struct cgroup_limits *limits, struct cgroup *ret,
		  struct cgroup_fault *fault);

/* Opens an existing cgroup wherever it has a directory. -ENOENT where it has none. */
int cgroup_open(const struct cgroup_host *host, const char *path, struct cgroup *ret);

/* Changes the limits of a cgroup that may have processes. A version 1 hierarchy which it did not
 * need before is joined now by all of its processes. */
int cgroup_set(struct cgroup *cg, const struct cgroup_limits *limits, struct cgroup_fault *fault);

/* A descriptor for CLONE_INTO_CGROUP, borrowed, or -1 where there is no version 2. */
int cgroup_clone_fd(const struct cgroup *cg);

/* Opens the files into which the child, single-threaded, writes "0" to put itself into the
 * cgroup: `tasks` of version 1 (cheap: a thread that moves itself takes no global lock), and with
 * UNIFIED set also cgroup.procs of version 2, for a child that was not cloned into it. Returns
 * how many, owned by the caller; RET has room for CGROUP_HIERARCHIES_MAX. */
int cgroup_join_fds(const struct cgroup *cg, bool unified, int *ret);

/* Moves a running process with all of its threads into the cgroup. Costs milliseconds. */
int cgroup_attach(const struct cgroup *cg, pid_t pid);

/* Moves this process, in the hierarchies by which a service manager keeps its services together
 * (version 2, "name=systemd"), into the leaf PATH, which is made: the end of whatever service it
 * was started from is not its own. Nothing where it is in the root, which is nobody's service.
 * Costs milliseconds. Returns the first error; the other hierarchies are tried all the same. */
int cgroup_leave(const struct cgroup_host *host, const char *path);

/* Sends SIGKILL to all processes in it and below, also to those that are being forked. Returns
 * when all have got it, not when they are gone: cgroup_destroy waits. */
int cgroup_kill(const struct cgroup *cg);

/* Stops or continues all processes and waits until that has happened (at most TIMEOUT_MS;
 * -ETIMEDOUT). -ENODEV where there is neither version 2 nor the freezer. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms);

/* 1 where cgroup_freeze stopped it (or is about to), 0 where not, or a negative errno. */
int cgroup_frozen(const struct cgroup *cg);

/* Reads FILE of the directory that the cgroup has for one CONTROLLER (CGROUP_UNIFIED: that of
 * version 2) into OUT, at most N - 1 bytes, without a last newline. Returns the length; -ENOENT
 * where it has no such directory or file. For what cgroup_stats does not count. */
ssize_t cgroup_read_file(const struct cgroup *cg, uint32_t controller, const char *file, char *out,
			 size_t n);

/* The processes in it and below. *RET is heap memory owned by the caller. */
int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n);

/* The figures of a cgroup with all below it. */
struct cgroup_stats {
	/* UINT64_MAX where the machine or this cgroup does not count it (or has no limit). */
	uint64_t memory_current, memory_peak, memory_limit; /* bytes */
	uint64_t memory_cache;                              /* bytes of inactive file pages */
	uint64_t oom_kills;                                 /* processes killed for memory */
	uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
	uint64_t cpu_throttled_ns;
	uint64_t pids, pids_limit;
};

/* Reads what there is; a hierarchy in which the cgroup has no directory leaves its figures at
 * UINT64_MAX. Fails only where the cgroup is gone (-ENODEV). */
int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret);

/* A watch for processes that the kernel kills for memory. Poll FD for EVENTS. On version 1 the end
 * of the cgroup is reported like a kill. */
struct cgroup_oom {
	int fd;
	short events;
	bool v1;
	uint64_t kills; /* counted so far */
};

#define CGROUP_OOM_INIT ((struct cgroup_oom){.fd = -1})

/* Begins to watch. -ENOENT where the cgroup has no memory controller. */
int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom *ret);

/* How many were killed since the last call (version 1: how often that happened). */
int cgroup_oom_take(struct cgroup_oom *o);

void cgroup_oom_done(struct cgroup_oom *o);

/* Removes the cgroup PATH and everything below it from every hierarchy, also from those that a
 * killed create had just reached. What still runs in it is killed and waited for (at most
 * TIMEOUT_MS, then -EBUSY). An absent cgroup is no error. The parents stay. */
int cgroup_destroy(const struct cgroup_host *host, const char *path, int timeout_ms);

/* ---- for those who mount it into a container ------------------------------------------------ */

/* Whether the cgroup has a directory of its own in hierarchy I of its host: only such ones may be
 * shown to a container. */
static inline bool cgroup_has(const struct cgroup *cg, size_t i)
{
	return cg->host && i < cg->host->n && cg->dir[i] >= 0;
}

#endif
