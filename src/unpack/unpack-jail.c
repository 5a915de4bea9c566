/* SPDX-License-Identifier: Apache-2.0 */
/* Two walls that do not depend on each other: the file system that the process sees ends at the
 * target (its root is a mount of that directory alone, so that even ".." of its descriptors ends
 * there), and the system calls that it may make are the few that unpacking needs. Capabilities,
 * no_new_privs, namespaces, Landlock and limits on top.
 *
 * Order: namespaces and root need CAP_SYS_ADMIN and come first; then limits; the bounding set needs
 * CAP_SETPCAP and so comes before the drop; Landlock and seccomp last, since they forbid most of
 * this. */
#include "unpack/unpack-jail.h"

#include "base/fd.h"
#include "base/path.h"
#include "kernel/caps.h"
#include "kernel/mount-stash.h"
#include "kernel/mount.h"
#include "unpack/unpack-client.h"
#include "unpack/unpack-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers map terabytes and make calls of their own: under them the filter and the limits are
 * left out, and nothing that is installed is built so. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if SANITIZED
/* Finding leaks at the end needs /proc and a thread. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

/* CHOWN and FOWNER: owners, modes and times; DAC_OVERRIDE: below directories of others; FSETID:
 * setgid kept over fchmod; MKNOD: devices; SETFCAP: file capabilities. */
#define KEEP                                                                                       \
	(CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_FOWNER) |                 \
	 CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_MKNOD) | CAPS_BIT(CAP_SETFCAP))

/* A zstd window of 128 MiB, what a digest of directories needs, and room. */
#define MEMORY_MAX ((rlim_t)768 << 20)

enum { FILES_MAX = 256 };

/* --- the file system --- */

static int enter_namespaces(uint32_t *mask, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(e, errno, "making a mount namespace");
	/* Nothing else here opens sockets or queues: the filter forbids it too. */
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0)
		*mask |= UNPACK_CONFINED_NAMESPACES;
	return 0;
}

/* Where the kernel has no detached mounts TARGET is a directory, or nothing for an empty root: the
 * mount is made here, and takes its number. */
static int make_root(int target)
{
	struct mount_stash stash = MOUNT_STASH_INIT;
	_cleanup_(fd_close) int here = -1, mnt = -1;

	if (fcntl(target, F_GETFD) < 0) {
		mnt = mount_stash_fs(&stash, "tmpfs", NULL, NULL, MOUNT_ATTR_RDONLY);
	} else {
		here = mount_stash_reopen(target);
		mnt = here < 0 ? here : mount_stash_clone(&stash, here, false);
	}
	fd_close(&stash.dir);
	if (mnt < 0)
		return mnt;
	return dup3(mnt, target, O_CLOEXEC) < 0 ? -errno : 0;
}

static int enter_root(int target, uint32_t *mask, struct err *e)
{
	static const struct mount_change private = {.propagation = MS_PRIVATE};
	/* Where systemd is, "/" is shared and what is cloned of it, too: no root to pivot to. */
	static const struct mount_change quiet = {.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
							 MOUNT_ATTR_NOEXEC,
						  .propagation = MS_PRIVATE};
	_cleanup_(fd_close) int old = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	int rc = old;

	if (rc >= 0)
		rc = mount_set(old, &private, true);
	if (rc >= 0 && mount_is_classic())
		rc = make_root(target);
	if (rc >= 0)
		rc = mount_set(target, &quiet, true);
	if (rc == -ENOSYS) /* before Linux 5.12; what is mounted below has them from elsewhere */
		rc = mount_set(target, &quiet, false);
	if (rc >= 0)
		rc = mount_move(target, old);
	if (rc >= 0)
		rc = mount_pivot(target);
	if (rc < 0)
		err_errno(e, rc, "making the target the only file system");
	if (rc == -EINVAL)
		return err_hint(e, "is the root directory that kogge sees a mount point? That of a "
				   "chroot becomes one by `mount --bind DIR DIR` before chroot");
	if (rc < 0)
		return -1;
	*mask |= UNPACK_CONFINED_ROOT;
	return 0;
}

/* --- limits and capabilities --- */

static int set_limits(uint32_t *mask, struct err *e)
{
	static const struct {
		int resource;
		rlim_t max;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NPROC, 0},
		{RLIMIT_NOFILE, FILES_MAX},
		{RLIMIT_AS, SANITIZED ? RLIM_INFINITY : MEMORY_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l = {limits[i].max, limits[i].max};

		if (setrlimit(limits[i].resource, &l) < 0)
			return err_errno(e, errno, "limiting its resources");
	}
	*mask |= UNPACK_CONFINED_RLIMITS;
	return 0;
}

static int drop_capabilities(uint32_t *mask, struct err *e)
{
	int rc = caps_limit_bounding(KEEP);

	if (rc == 0)
		rc = caps_set_ambient(0);
	if (rc == 0)
		rc = caps_set(KEEP, KEEP, 0);
	if (rc < 0)
		return err_errno(e, rc, "dropping capabilities");
	*mask |= UNPACK_CONFINED_CAPS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(e, errno, "giving up new privileges");
	*mask |= UNPACK_CONFINED_NNP;
	return 0;
}

/* --- Landlock --- */

/* The rights of the first version (5.13), but for executing; REFER (second version) is what lets
 * hard links cross directories. */
#define LANDLOCK_V1     ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_REFER_ (UINT64_C(1) << 13)

/* Good to have: a kernel without it leaves its bit out of the mask. */
static void enter_landlock(int target, uint32_t *mask)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t rights = LANDLOCK_V1 | LANDLOCK_REFER_;
	struct {
		uint64_t handled_access_fs;
	} attr = {rights};
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = rights & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE,
		.parent_fd = target};
	_cleanup_(fd_close) int rules = -1;

	/* The first version denies every link and rename between directories. */
	if (version < 2)
		return;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 &&
	    syscall(SYS_landlock_restrict_self, rules, 0) == 0)
		*mask |= UNPACK_CONFINED_LANDLOCK;
}

/* --- system calls --- */

static const int allowed_calls[] = {
	/* bytes */
	SYS_read,
	SYS_pwrite64,
	SYS_lseek,
	SYS_ftruncate,
	SYS_close,
	SYS_sendmsg,
	/* files, each by a descriptor of its directory */
	SYS_openat2,
	SYS_openat,
	SYS_mkdirat,
	SYS_mknodat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_unlinkat,
	SYS_getdents64,
	SYS_fstat,
	SYS_newfstatat,
	SYS_readlinkat,
	SYS_statx,
	SYS_fstatfs,
	SYS_dup,
	SYS_fcntl,
	/* attributes */
	SYS_fchown,
	SYS_fchownat,
	SYS_fchmod,
	SYS_fchmodat,
	UNPACK_FCHMODAT2,
	SYS_utimensat,
	SYS_fsetxattr,
	SYS_fgetxattr,
	/* memory (mmap and mprotect without PROT_EXEC: below) and the end */
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_getrandom,

	SYS_exit_group,
	SYS_rt_sigreturn,
};

#define ARG_LOW(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32  0x40000000
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define X32  0xffffffff
#else
#error "kogge-unpack: name the architecture for its seccomp filter"
#endif

enum { CALL_N = ARRAY_SIZE(allowed_calls), FILTER_MAX = 2 * CALL_N + 32 };
_Static_assert(CALL_N + 2 <= 40, "SECURITY.md: at most 40 calls");

struct program {
	struct sock_filter code[FILTER_MAX];
	unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->code[p->n++] = (struct sock_filter){code, jt, jf, k};
}

/* Call NR only without the bits BITS in argument ARG. The accumulator holds the call's number. */
static void emit_without(struct program *p, uint32_t nr, uint32_t arg, uint32_t bits)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, nr);
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)ARG_LOW(arg));
	emit(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static int enter_seccomp(uint32_t *mask, struct err *e)
{
	struct program p = {.n = 0};
	struct sock_fprog prog;

	if (SANITIZED)
		return 0;
	emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32);
	emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit_without(&p, SYS_mmap, 2, PROT_EXEC);
	emit_without(&p, SYS_mprotect, 2, PROT_EXEC);
	for (size_t i = 0; i < CALL_N; i++) {
		emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)allowed_calls[i]);
		emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	}
	emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	prog = (struct sock_fprog){p.n, p.code};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_errno(e, errno, "limiting its system calls");
	*mask |= UNPACK_CONFINED_SECCOMP;
	return 0;
}

int unpack_jail_enter(int target, unsigned last_fd, uint32_t *ret_confined, struct err *e)
{
	uint32_t mask = 0;

	/* Before anything is opened: what the parent left open by mistake. */
	if (syscall(SYS_close_range, last_fd + 1, ~0U, 0) < 0)
		return err_errno(e, errno, "closing descriptors");
	if (enter_namespaces(&mask, e) < 0 || enter_root(target, &mask, e) < 0 ||
	    set_limits(&mask, e) < 0 || drop_capabilities(&mask, e) < 0)
		return err_wrap(e, "confining");
	enter_landlock(target, &mask);
	if (enter_seccomp(&mask, e) < 0)
		return err_wrap(e, "confining");
	*ret_confined = mask;
	return 0;
}
