/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's default seccomp profile (moby/profiles, seccomp/default.json, June 2026) as a table. A
 * system call that no rule allows gives EPERM, one that is newer than the profile ENOSYS
 * (kernel/seccomp-compile.h).
 *
 * What is missing here is missing on purpose: new mounts and namespaces, keys (not namespaced),
 * kexec, kernel modules, swap, userfaultfd, io_uring, bpf, perf and what sets clocks. */
#include "oci/seccomp-profile-internal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif
#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)
#define CAP(n) (UINT64_C(1) << CAP_##n)

/* The calls of one rule, or the architectures of a condition. */
#define LIST(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define CALLS(v) .names = (v), .n_names = ARRAY_SIZE(v) - 1
#define CALL(n)  .names = LIST(n), .n_names = 1
#define ALLOW    .action = SECCOMP_DO_ALLOW

/* One comparison of an argument. */
#define ARG(i, o, v, w)                                                                            \
	.args =                                                                                    \
		&(const struct seccomp_arg){                                                       \
			.index = (i), .op = (o), .value = (v), .value_two = (w)},                  \
	.n_args = 1
#define ARG_IS(i, o, v) ARG(i, o, v, 0)

#define PERSONALITY(v)                                                                             \
	{                                                                                          \
		.rule = { CALL("personality"), ALLOW, ARG_IS(0, SECCOMP_IS_EQ, v) }                \
	}
#define SOCKET(o, v)                                                                               \
	{                                                                                          \
		.rule = { CALL("socket"), ALLOW, ARG_IS(0, o, v) }                                 \
	}
#define WITH_CAP(v, c)                                                                             \
	{                                                                                          \
		.rule = {CALLS(v), ALLOW}, .includes = {.caps = CAP(c) }                           \
	}
#define WITH_ARCH(v, ...)                                                                          \
	{                                                                                          \
		.rule = {CALLS(v), ALLOW}, .includes = {.arches = LIST(__VA_ARGS__) }              \
	}

/* For every container. */
static const char *const always[] = {
	"accept",
	"accept4",
	"access",
	"adjtimex",
	"alarm",
	"bind",
	"brk",
	"capget",
	"capset",
	"chdir",
	"chmod",
	"chown",
	"chown32",
	"clock_adjtime",
	"clock_adjtime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_gettime",
	"clock_gettime64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"close",
	"close_range",
	"connect",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_ctl_old",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"epoll_wait_old",
	"eventfd",
	"eventfd2",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fadvise64_64",
	"fallocate",
	"fanotify_mark",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchown",
	"fchown32",
	"fchownat",
	"fcntl",
	"fcntl64",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fork",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstat64",
	"fstatat64",
	"fstatfs",
	"fstatfs64",
	"fsync",
	"ftruncate",
	"ftruncate64",
	"futex",
	"futex_time64",
	"futex_waitv",
	"futimesat",
	"get_robust_list",
	"get_thread_area",
	"getcpu",
	"getcwd",
	"getdents",
	"getdents64",
	"getegid",
	"getegid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getgroups",
	"getgroups32",
	"getitimer",
	"getpeername",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getrandom",
	"getresgid",
	"getresgid32",
	"getresuid",
	"getresuid32",
	"getrlimit",
	"getrusage",
	"getsid",
	"getsockname",
	"getsockopt",
	"gettid",
	"gettimeofday",
	"getuid",
	"getuid32",
	"getxattr",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"io_cancel",
	"io_destroy",
	"io_getevents",
	"io_pgetevents",
	"io_pgetevents_time64",
	"io_setup",
	"io_submit",
	"ioctl",
	"ioprio_get",
	"ioprio_set",
	"ipc",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"lchown",
	"lchown32",
	"lgetxattr",
	"link",
	"linkat",
	"listen",
	"listxattr",
	"llistxattr",
	"_llseek",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"lstat64",
	"madvise",
	"membarrier",
	"memfd_create",
	"memfd_secret",
	"mincore",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mmap2",
	"mprotect",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedreceive_time64",
	"mq_timedsend",
	"mq_timedsend_time64",
	"mq_unlink",
	"mremap",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"name_to_handle_at",
	"nanosleep",
	"newfstatat",
	"_newselect",
	"open",
	"openat",
	"openat2",
	"pause",
	"pidfd_open",
	"pidfd_send_signal",
	"pipe",
	"pipe2",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"poll",
	"ppoll",
	"ppoll_time64",
	"prctl",
	"pread64",
	"preadv",
	"preadv2",
	"prlimit64",
	"process_mrelease",
	"pselect6",
	"pselect6_time64",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"recv",
	"recvfrom",
	"recvmmsg",
	"recvmmsg_time64",
	"recvmsg",
	"remap_file_pages",
	"removexattr",
	"rename",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rmdir",
	"rseq",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_rr_get_interval_time64",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"select",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"semtimedop_time64",
	"send",
	"sendfile",
	"sendfile64",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"set_robust_list",
	"set_thread_area",
	"set_tid_address",
	"setfsgid",
	"setfsgid32",
	"setfsuid",
	"setfsuid32",
	"setgid",
	"setgid32",
	"setgroups",
	"setgroups32",
	"setitimer",
	"setpgid",
	"setpriority",
	"setregid",
	"setregid32",
	"setresgid",
	"setresgid32",
	"setresuid",
	"setresuid32",
	"setreuid",
	"setreuid32",
	"setrlimit",
	"setsid",
	"setsockopt",
	"setuid",
	"setuid32",
	"setxattr",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	"shutdown",
	"sigaltstack",
	"signalfd",
	"signalfd4",
	"sigprocmask",
	"sigreturn",
	"socketcall",
	"socketpair",
	"splice",
	"stat",
	"stat64",
	"statfs",
	"statfs64",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"syncfs",
	"sysinfo",
	"tee",
	"tgkill",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_gettime64",
	"timer_settime",
	"timer_settime64",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_gettime64",
	"timerfd_settime",
	"timerfd_settime64",
	"times",
	"tkill",
	"truncate",
	"truncate64",
	"ugetrlimit",
	"umask",
	"uname",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimensat_time64",
	"utimes",
	"vfork",
	"vmsplice",
	"wait4",
	"waitid",
	"waitpid",
	"write",
	"writev",
	NULL,
};

/* The same, and newer than libseccomp 2.5.4. */
static const char *const always_newer[] = {
	"cachestat",        "fchmodat2",  "futex_requeue", "futex_wait",
	"futex_wake",       "getxattrat", "listmount",     "listxattrat",
	"map_shadow_stack", "mseal",      "removexattrat", "riscv_hwprobe",
	"setxattrat",       "statmount",  "uretprobe",     NULL,
};

/* Seeing other processes cannot bypass seccomp from 4.8 on. */
static const char *const ptrace_calls[] = {
	"process_vm_readv",
	"process_vm_writev",
	"ptrace",
	NULL,
};

static const char *const sys_admin[] = {
	"bpf",
	"clone",
	"clone3",
	"fanotify_init",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"lookup_dcookie",
	"lsm_get_self_attr",
	"lsm_list_modules",
	"lsm_set_self_attr",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"perf_event_open",
	"quotactl",
	"quotactl_fd",
	"setdomainname",
	"sethostname",
	"setns",
	"syslog",
	"umount",
	"umount2",
	"unshare",
	NULL,
};

static const char *const dac_read_search[] = {
	"open_by_handle_at",
	NULL,
};

static const char *const sys_boot[] = {
	"reboot",
	NULL,
};

static const char *const sys_chroot[] = {
	"chroot",
	NULL,
};

static const char *const sys_module[] = {
	"delete_module",
	"finit_module",
	"init_module",
	NULL,
};

static const char *const sys_pacct[] = {
	"acct",
	NULL,
};

static const char *const sys_ptrace[] = {
	"kcmp",   "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev",
	"ptrace", NULL,
};

static const char *const sys_rawio[] = {
	"ioperm",
	"iopl",
	NULL,
};

static const char *const sys_time[] = {
	"clock_settime", "clock_settime64", "settimeofday", "stime", NULL,
};

static const char *const sys_tty_config[] = {
	"vhangup",
	NULL,
};

static const char *const sys_nice[] = {
	"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node", NULL,
};

static const char *const syslog_calls[] = {
	"syslog",
	NULL,
};

static const char *const bpf_calls[] = {
	"bpf",
	NULL,
};

static const char *const perfmon[] = {
	"perf_event_open",
	NULL,
};

static const char *const on_ppc64le[] = {
	"swapcontext",
	"sync_file_range2",
	NULL,
};

static const char *const on_arm[] = {
	"arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush",
	"set_tls",          "sync_file_range2",    NULL,
};

static const char *const on_amd64[] = {
	"arch_prctl",
	NULL,
};

static const char *const on_amd64_x86[] = {
	"modify_ldt",
	NULL,
};

static const char *const on_s390[] = {
	"s390_pci_mmio_read",
	"s390_pci_mmio_write",
	"s390_runtime_instr",
	NULL,
};

static const char *const on_riscv64[] = {
	"riscv_flush_icache",
	NULL,
};

const struct seccomp_entry seccomp_default_entries[] = {
	{.rule = {CALLS(always), ALLOW}},
	{.rule = {CALLS(always_newer), ALLOW}},
	{.rule = {CALLS(ptrace_calls), ALLOW}, .includes = {.kernel_major = 4, .kernel_minor = 8}},
	/* Every family but AF_ALG (CVE-2026-31431) and AF_VSOCK. A 32-bit program's socketcall is
	 * beyond a filter's sight. */
	SOCKET(SECCOMP_IS_LT, AF_ALG),
	SOCKET(SECCOMP_IS_EQ, AF_ALG + 1),
	SOCKET(SECCOMP_IS_GT, AF_VSOCK),
	/* PER_LINUX, PER_LINUX32, UNAME26, both, and asking what it is */
	PERSONALITY(0x0),
	PERSONALITY(0x8),
	PERSONALITY(0x20000),
	PERSONALITY(0x20008),
	PERSONALITY(0xffffffff),
	WITH_ARCH(on_ppc64le, "ppc64le"),
	WITH_ARCH(on_arm, "arm", "arm64"),
	WITH_ARCH(on_amd64, "amd64", "x32"),
	WITH_ARCH(on_amd64_x86, "amd64", "x32", "x86"),
	WITH_ARCH(on_s390, "s390", "s390x"),
	WITH_ARCH(on_riscv64, "riscv64"),
	/* Without CAP_SYS_ADMIN no new namespaces: clone by its flags, clone3, whose flags are in
	 * memory, not at all, so that the C library falls back to clone. */
	{.rule = {CALL("clone"), ALLOW, ARG_IS(0, SECCOMP_IS_MASKED_EQ, NAMESPACES)},
	 .excludes = {.caps = CAP(SYS_ADMIN), .arches = LIST("s390", "s390x")}},
	{.rule = {CALL("clone"), ALLOW, ARG_IS(1, SECCOMP_IS_MASKED_EQ, NAMESPACES)},
	 .includes = {.arches = LIST("s390", "s390x")},
	 .excludes = {.caps = CAP(SYS_ADMIN)}},
	{.rule = {CALL("clone3"), .action = SECCOMP_DO_ERRNO, .has_errno = true,
		  .errno_ret = ENOSYS},
	 .excludes = {.caps = CAP(SYS_ADMIN)}},
	WITH_CAP(dac_read_search, DAC_READ_SEARCH),
	WITH_CAP(sys_admin, SYS_ADMIN),
	WITH_CAP(sys_boot, SYS_BOOT),
	WITH_CAP(sys_chroot, SYS_CHROOT),
	WITH_CAP(sys_module, SYS_MODULE),
	WITH_CAP(sys_pacct, SYS_PACCT),
	WITH_CAP(sys_ptrace, SYS_PTRACE),
	WITH_CAP(sys_rawio, SYS_RAWIO),
	WITH_CAP(sys_time, SYS_TIME),
	WITH_CAP(sys_tty_config, SYS_TTY_CONFIG),
	WITH_CAP(sys_nice, SYS_NICE),
	WITH_CAP(syslog_calls, SYSLOG),
	WITH_CAP(bpf_calls, BPF),
	WITH_CAP(perfmon, PERFMON),
};
const size_t seccomp_n_default_entries = ARRAY_SIZE(seccomp_default_entries);

const struct seccomp_family seccomp_families[] = {
	{AUDIT_ARCH_X86_64, {AUDIT_ARCH_I386, SECCOMP_ARCH_X32}},
	{AUDIT_ARCH_AARCH64, {AUDIT_ARCH_ARM}},
	{AUDIT_ARCH_MIPS64, {AUDIT_ARCH_MIPS, AUDIT_ARCH_MIPS64N32}},
	{AUDIT_ARCH_MIPS64N32, {AUDIT_ARCH_MIPS, AUDIT_ARCH_MIPS64}},
	{AUDIT_ARCH_MIPSEL64, {AUDIT_ARCH_MIPSEL, AUDIT_ARCH_MIPSEL64N32}},
	{AUDIT_ARCH_MIPSEL64N32, {AUDIT_ARCH_MIPSEL, AUDIT_ARCH_MIPSEL64}},
	{AUDIT_ARCH_S390X, {AUDIT_ARCH_S390}},
	{AUDIT_ARCH_RISCV64, {0}},
	{AUDIT_ARCH_LOONGARCH64, {0}},
};
const size_t seccomp_n_families = ARRAY_SIZE(seccomp_families);
