/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the cgroup module. */
#ifndef KOGGE_KERNEL_CGROUP_INTERNAL_H
#define KOGGE_KERNEL_CGROUP_INTERNAL_H

#include "kernel/cgroup.h"

/* What the three layouts do differently. Everything else (finding, opening, joining, listing and
 * removing) is the same for all and stands in cgroup.c and cgroup-tree.c. */
struct cgroup_ops {
	/* What a cgroup needs to be killed and frozen. */
	uint32_t base_need;
	/* Makes the directories of CG that NEED asks for and that are not there yet. */
	int (*make)(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault);
	/* Writes what LIMITS says about one controller, whose directory exists. */
	int (*set)(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *limits,
		   struct cgroup_fault *fault);
	int (*kill)(const struct cgroup *cg);
	int (*freeze)(const struct cgroup *cg, bool frozen, int timeout_ms);
	void (*stats)(const struct cgroup *cg, struct cgroup_stats *ret);
};

extern const struct cgroup_ops cgroup_v1_ops, cgroup_v2_ops, cgroup_hybrid_ops;

/* The parts of v1 and v2 of which hybrid is made. */
int cgroup_v1_make(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault);
int cgroup_v1_set(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *limits,
		  struct cgroup_fault *fault);
void cgroup_v1_stats(const struct cgroup *cg, struct cgroup_stats *ret);
int cgroup_v2_make(struct cgroup *cg, uint32_t need, struct cgroup_fault *fault);
int cgroup_v2_set(struct cgroup *cg, uint32_t controller, const struct cgroup_limits *limits,
		  struct cgroup_fault *fault);
int cgroup_v2_kill(const struct cgroup *cg);
int cgroup_v2_freeze(const struct cgroup *cg, bool frozen, int timeout_ms);
void cgroup_v2_stats(const struct cgroup *cg, struct cgroup_stats *ret);

/* The index of the hierarchy with this controller (one bit), or -1. */
int cgroup_find(const struct cgroup_host *host, uint32_t controller);

/* The directory of CG for a controller, or -1. */
int cgroup_dir(const struct cgroup *cg, uint32_t controller);

/* Sends SIGKILL to what cgroup_pids lists. */
int cgroup_signal_all(const struct cgroup *cg);

/* Waits until all that cgroup_pids lists have ended, or the deadline (CLOCK_MONOTONIC). */
void cgroup_wait_ends(const struct cgroup *cg, int64_t deadline_ns);

/* ---- files ---- */

/* What RDMA limits are on both versions. */
int cgroup_set_rdma(int dir, const struct cgroup_limits *l, struct cgroup_fault *fault);

/* -EBUSY where L wants a check and FILE says that more memory than its limit is in use. */
int cgroup_check_usage(int dir, const struct cgroup_limits *l, const char *file,
		       struct cgroup_fault *fault);

/* Writes VALUE with one write(2). On failure fills file and value of FAULT (may be NULL). A file
 * that does not exist: -EOPNOTSUPP. */
int cgroup_write(int dir, const char *file, const char *value, struct cgroup_fault *fault);

/* The two halves of it, for a file that takes many values: opens FILE for cgroup_write_open (the
 * descriptor, or an errno as above), which writes VALUE with one write(2). */
int cgroup_open_file(int dir, const char *file);
int cgroup_write_open(int fd, const char *value);
int cgroup_write_i64(int dir, const char *file, int64_t value, struct cgroup_fault *fault);

/* As cgroup_write_i64 with "max" for every negative value. */
int cgroup_write_max(int dir, const char *file, int64_t value, struct cgroup_fault *fault);

/* Writes two values of which the kernel holds one below the other: in either order, whichever it
 * accepts. Empty strings are left out. */
struct cgroup_pair {
	const char *file_a, *file_b;
	char a[48], b[48];
};
int cgroup_write_pair(int dir, const struct cgroup_pair *pair, struct cgroup_fault *fault);

/* Reads at most N - 1 bytes and ends them with NUL, without a last newline. Returns the length. */
ssize_t cgroup_read(int dir, const char *file, char *out, size_t n);

/* Reads one number ("max" is UINT64_MAX); *RET stays where that fails. */
void cgroup_read_u64(int dir, const char *file, uint64_t *ret);

/* One key of a file of "key value" lines, multiplied by SCALE; *RET stays where that fails. */
struct cgroup_key {
	const char *key;
	uint64_t *ret;
	uint64_t scale;
};
void cgroup_read_keys(int dir, const char *file, const struct cgroup_key *keys, size_t n);

/* Whether FILE exists in DIR. */
bool cgroup_file_exists(int dir, const char *file);

int cgroup_fail(struct cgroup_fault *fault, int r, const char *file, const char *value);

/* ---- directories ---- */

/* The path of a cgroup below the base of a hierarchy. OUT has CGROUP_FULL_MAX bytes. */
#define CGROUP_FULL_MAX (CGROUP_PATH_MAX + 80)
int cgroup_full_path(const struct cgroup_hierarchy *h, const char *path, char *out);

/* Makes the directory of CG in hierarchy I, with its parents, and opens it into cg->dir[i]. A
 * leftover without processes is made anew; one with processes: -EEXIST. */
int cgroup_tree_make(struct cgroup *cg, size_t i);

/* Opens the directory PATH of a hierarchy. -ENOENT. */
int cgroup_tree_open(const struct cgroup_hierarchy *h, const char *path);

/* Removes the directory and all below it. -EBUSY where there are processes. */
int cgroup_tree_remove(const struct cgroup_hierarchy *h, const char *path);

/* ---- devices on version 2 ---- */

/* Replaces the device program of the cgroup by one for LIMITS' rules. */
int cgroup_devices_attach(int dir, const struct cgroup_device *rules, size_t n,
			  struct cgroup_fault *fault);

#endif
