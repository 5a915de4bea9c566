/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that build a plan. */
#ifndef KOGGE_RUNTIME_PLAN_BUILD_INTERNAL_H
#define KOGGE_RUNTIME_PLAN_BUILD_INTERNAL_H

#include "base/arena.h"
#include "kernel/mount.h"
#include "runtime/plan-build.h"

struct plan_builder {
	const struct plan_input *in;
	const struct runtime_config *c;
	struct plan *plan;
	struct arena arena; /* strings until the plan is complete */
	bool in_order;      /* binds are cloned again in the stage, each in its turn */
	bool classic;       /* the stage makes every mount: this process can make none detached */
	bool userns;        /* runs in a user namespace other than ours: no device nodes */
	int userns_fd;      /* a user namespace with the config's maps for idmapped mounts, or -1 */
	struct plan_blob filter; /* the seccomp filter that the exec loads; empty: none */
	uint32_t filter_flags;
};

/* Shorthands: a step of strings, numbers, or a descriptor. */
void plan_step_str(struct plan_builder *b, enum plan_op op, const char *a, const char *s);
void plan_step_num(struct plan_builder *b, enum plan_op op, uint64_t x, uint64_t y);

/* A NULL-terminated vector as a blob in the arena. */
struct plan_blob plan_strv(struct plan_builder *b, const char *const *v);

/* The parts, in the order of the plan. Each returns 0, or -1 with E set. */
int plan_build_namespaces(struct plan_builder *b, struct err *e);
int plan_build_root(struct plan_builder *b, struct err *e);
int plan_build_mounts(struct plan_builder *b, struct err *e);
int plan_build_cgroup_mount(struct plan_builder *b, const struct oci_mount *m, uint64_t attr,
			    struct err *e);
int plan_build_devices(struct plan_builder *b, struct err *e);
void plan_build_process(struct plan_builder *b);
/* The limit of descriptors: when nothing needs one any more. */
void plan_build_nofile(struct plan_builder *b);
void plan_build_console(struct plan_builder *b, uint32_t flags);
void plan_build_exec(struct plan_builder *b, uint32_t flags);

/* What becomes of a bind mount that the stage has to make itself. */
struct plan_bind {
	struct mount_change own, all; /* of this mount; of this and all below */
	uint32_t flags;               /* PLAN_MOUNT_FILE, ... */
	bool recursive, idmap;
};

/* A bind of FD (borrowed) at TARGET for kernels without detached mounts. */
int plan_bind_classic(struct plan_builder *b, const char *target, int fd,
		      const struct plan_bind *bind, struct err *e);

/* Sets the builder's filter; OUT keeps the bytes that were compiled for it. */
int plan_compile_filter(struct plan_builder *b, struct buf *out, struct err *e);

/* Writes it into the state directory, for processes that join later. */
int plan_keep_filter(const struct plan_builder *b, struct err *e);

#endif
