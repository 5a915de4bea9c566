/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: the flat list of steps by which kogge-stage turns its own process into the container's.
 * Whoever builds a plan has looked at the configuration and opened what belongs to the host;
 * whoever executes it decides nothing. A plan is bytes: docs/formats/plan.md.
 *
 * A step has an operation, flags, up to PLAN_NUMS numbers, up to PLAN_STRS byte strings and up to
 * PLAN_FDS descriptors (as indexes into the plan's descriptors). What they mean stands in the one
 * table of operations, plan_ops. Safe after clone; links nothing but base/. */
#ifndef KOGGE_RUNTIME_PLAN_H
#define KOGGE_RUNTIME_PLAN_H

#include "base/buf.h"
#include "base/macro.h"

#define PLAN_NUMS      7
#define PLAN_STRS      4
#define PLAN_FDS       2
#define PLAN_MAX       ((size_t)16 << 20) /* bytes */
#define PLAN_FD_MAX    1024               /* descriptors */
#define PLAN_STEPS_MAX 65536

/* The operations, in no order; what their fields hold stands in plan-ops.c. Plan and stage come
 * from one build, so that numbers may change between versions. */
enum plan_op {
	PLAN_SETNS = 1,
	PLAN_JOIN,
	PLAN_FORK,
	PLAN_USERNS,
	PLAN_CGROUP_JOIN,
	PLAN_UNSHARE,
	PLAN_TIME_OFFSET,
	PLAN_SESSION,
	PLAN_KEYRING,
	PLAN_LOOPBACK,
	PLAN_PROPAGATION,
	PLAN_ROOT,
	PLAN_PIVOT,
	PLAN_MOUNT_FS,
	PLAN_MOUNT_TREE,
	PLAN_REMOUNT,
	PLAN_MKNOD,
	PLAN_SYMLINK,
	PLAN_CONSOLE,
	PLAN_DUP,
	PLAN_HOSTNAME,
	PLAN_DOMAINNAME,
	PLAN_SYSCTL,
	PLAN_MASK,
	PLAN_READONLY,
	PLAN_ROOT_ATTR,
	PLAN_RLIMIT,
	PLAN_OOM_SCORE,
	PLAN_PERSONALITY,
	PLAN_IO_PRIORITY,
	PLAN_SCHEDULER,
	PLAN_AFFINITY,
	PLAN_UMASK,
	PLAN_LABEL,
	PLAN_CWD,
	PLAN_CAPS_BOUND,
	PLAN_USER,
	PLAN_CAPS,
	PLAN_NO_NEW_PRIVS,
	PLAN_SECCOMP,
	PLAN_SYNC,
	PLAN_HOOK,
	PLAN_FIND,
	PLAN_WAIT,
	PLAN_EXEC,
	PLAN_OP_N,
};

/* A byte string. */
struct plan_blob {
	const char *data; /* followed by a NUL that is not counted */
	uint32_t len;
};

/* One step. */
struct plan_step {
	uint16_t op; /* enum plan_op */
	uint16_t n_num, n_str, n_fd;
	uint32_t flags;
	uint64_t num[PLAN_NUMS];
	struct plan_blob str[PLAN_STRS];
	uint32_t fd[PLAN_FDS]; /* PLAN_NO_FD: none */
};

#define PLAN_NO_FD UINT32_MAX

/* Flags of steps, by operation. */
enum plan_flags {
	PLAN_SETNS_TRY = 1 << 0,       /* SETNS: where it is denied, AGAIN tries later */
	PLAN_SETNS_AGAIN = 1 << 1,     /* SETNS: only where TRY was denied */
	PLAN_MOUNT_REAL_DIR = 1 << 0,  /* MOUNT_FS: no symbolic link on the way to the target */
	PLAN_MOUNT_COPY_UP = 1 << 1,   /* MOUNT_FS: fill the tmpfs with what is there */
	PLAN_MOUNT_KEEP_MODE = 1 << 2, /* MOUNT_FS: mode of the directory below */
	PLAN_MOUNT_IS_PROC = 1 << 3,   /* MOUNT_FS: later steps reach /proc through it */
	PLAN_MOUNT_IS_PTS = 1 << 4,    /* MOUNT_FS: CONSOLE makes its terminal there */
	PLAN_MOUNT_FILE = 1 << 5,      /* MOUNT_TREE: the target is a file */
	PLAN_MOUNT_RAW = 1 << 7,       /* MOUNT_TREE, ROOT: the source itself, no detached clone */
	PLAN_MOUNT_IN_ORDER =
		1 << 9, /* MOUNT_TREE: a clone newer than all mounts before; ROOT: such come */
	PLAN_MOUNT_ON_PROC = 1 << 8,   /* MOUNT_FS, MOUNT_TREE: the target may lie on a procfs */
	PLAN_MOUNT_NO_MAKE = 1 << 6,   /* MOUNT_FS, MOUNT_TREE: an absent target is skipped */
	PLAN_PIVOT_CHROOT = 1 << 0,    /* PIVOT: the process's root alone, not its namespace's */
	PLAN_PIVOT_MOVE = 1 << 1,      /* PIVOT: cover "/" and chroot, where pivot_root cannot be */
	PLAN_PIVOT_ELSEWHERE = 1 << 2, /* PIVOT, with MOVE: the root is not mounted over "/" yet */
	PLAN_RLIMIT_ROOM = 1 << 0, /* RLIMIT: only raise the hard limit where it is lower; the limit
				    * itself comes later */
	PLAN_CWD_TRY = 1 << 0,     /* CWD: where it is denied, a later CWD tries again */
	PLAN_CWD_MAKE = 1 << 1,    /* CWD: make what is missing, do not enter */
	PLAN_USER_KEEP = 1 << 0,   /* USER: capabilities survive the change of the user */
	PLAN_DEV_REPLACE = 1 << 0, /* SYMLINK: replace what is there */
	PLAN_CAPS_LOAD_FILTER = 1 << 0, /* CAPS: what loading a filter needs stays until the exec */
	PLAN_CONSOLE_ONLY = 1 << 0,     /* CONSOLE: not mounted over /dev/console */
	PLAN_EXEC_BLOCKED = 1 << 0,     /* EXEC: the program starts with all signals blocked */
};

/* Beside enum seccomp_flag, in a step that loads a filter: its listener goes to the runtime. */
#define PLAN_FILTER_NOTIFY (1U << 16)

/* The table of operations: name and what each field holds, for checks and printing. */
struct plan_op_info {
	const char *name;
	const char *num[PLAN_NUMS]; /* NULL after the last */
	const char *str[PLAN_STRS]; /* a name that ends in "[]" is a list of NUL-ended strings,
				       one that ends in "#" is binary, others have no NUL inside */
	const char *fd[PLAN_FDS];
};

/* The entry of OP, or NULL where there is no such operation. */
const struct plan_op_info *plan_op_info(unsigned op);

/* A plan being built. Errors stick: after a failed plan_add the plan is unusable and plan_end
 * tells why, so that builders need not check each call. */
struct plan {
	struct buf bytes;
	int *fds; /* owned where own[i] */
	bool *own;
	size_t n_fds;
	uint32_t n_steps;
	int error; /* the first negative errno */
};

#define PLAN_INIT ((struct plan){.bytes = BUF_INIT(PLAN_MAX)})

/* Closes the descriptors that the plan owns. */
void plan_done(struct plan *p);

/* Makes FD part of the plan and returns its index; the plan closes it where TAKE is set (also
 * after a failure). Negative FD: PLAN_NO_FD. */
uint32_t plan_fd(struct plan *p, int fd, bool take);

/* Appends the step S. The counts n_num, n_str, n_fd are set from the table of operations. */
void plan_add(struct plan *p, struct plan_step s);

/* Completes the header. Returns 0, or the first negative errno of any call. */
int plan_end(struct plan *p);

/* A borrowed string as a blob; NULL is the empty one. */
struct plan_blob plan_str(const char *s);

/* Reading. plan_check verifies N bytes whole: header, lengths, known operations, their counts,
 * strings, descriptor indexes below N_FDS, no flags in the upper 16 bits, nothing after the end.
 * Returns 0 or -EBADMSG. plan_next may only read what plan_check accepted. */
int plan_check(const void *data, size_t n, size_t n_fds);

/* A place in a plan that is read. */
struct plan_cursor {
	const char *at, *end;
};

/* Places RET before the first step of N bytes that plan_check accepted. */
int plan_open(const void *data, size_t n, struct plan_cursor *ret);

/* 1 with the next step in *RET, its strings borrowed from the bytes; 0 at the end; -EBADMSG. */
int plan_next(struct plan_cursor *c, struct plan_step *ret);

/* Appends one line of text for people: "mount-fs target=/proc type=proc". */
int plan_print(const struct plan_step *s, struct buf *out);

/* Lists of strings in one blob ("a\0b\0"): pack appends V (may be NULL) to OUT. unpack stores
 * pointers into the blob, and a NULL at the end, in V, which has room for MAX; returns the count,
 * or -E2BIG. */
int plan_pack(const char *const *v, struct buf *out);
int plan_unpack(struct plan_blob b, const char **v, size_t max);

#endif
