/* SPDX-License-Identifier: Apache-2.0 */
/* Two walls. Landlock: the store, keys and everything else of root's that needs no capability to
 * be read stays out of reach. seccomp: a list of what is refused and not of what is allowed, since
 * libcurl, OpenSSL and the modules of the name service come from the distribution and change. */
#include "remote/confine.h"

#include "base/fd.h"
#include "base/path.h"
#include "kernel/caps.h"
#include "kernel/seccomp-filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers read /proc and stop the process from a child at the end: under them, and in nothing
 * that is installed, reading and the filter are left out. */
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

#define CHANGES                                                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static const char *const readable[] = {
	"/usr",
	"/lib",
	"/lib64",
	"/etc/ssl",
	"/etc/pki",
	"/etc/ca-certificates",
	"/etc/crypto-policies",
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/localtime",
	"/run/systemd/resolve",
	"/dev/urandom",
	"/dev/random",
	"/dev/null",
};

static void allow(int rules, const char *path)
{
	_cleanup_(fd_close) int fd = path ? path_open_host(path, O_PATH, 0) : -1;
	struct landlock_path_beneath_attr beneath = {.allowed_access = READS, .parent_fd = fd};

	if (fd < 0)
		return;
	/* A file has no directory to be read. */
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0) {
		beneath.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
		(void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath,
			      0);
	}
}

/* Kernels without Landlock, and sandboxes that forbid it, do without. */
static int forbid_files(struct err *e)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs =
							   SANITIZED ? CHANGES : CHANGES | READS};
	_cleanup_(fd_close) int fd =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (fd < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM))
		return 0;
	if (fd < 0)
		return err_errno(e, errno, "giving up files");
	for (size_t i = 0; i < ARRAY_SIZE(readable) && !SANITIZED; i++)
		allow(fd, readable[i]);
	if (!SANITIZED)
		allow(fd, getenv("SSL_CERT_FILE"));
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_errno(e, errno, "giving up files");
	return 0;
}

/* ---- system calls ---- */

static const int refused[] = {
	SYS_execve,
	SYS_execveat,
#ifdef SYS_fork
	SYS_fork,
	SYS_vfork,
#endif
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_kill,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsmount,
	SYS_mount_setattr,
	SYS_open_by_handle_at,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_init_module,
	SYS_finit_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_setuid,
	SYS_setresuid,
	SYS_listen,
	SYS_accept,
	SYS_accept4,
	SYS_memfd_create,
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32  0x40000000
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define X32  0xffffffff
#else
#error "kogge-remote: name the architecture for its seccomp filter"
#endif

#define ARG_LOW(n)     (offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD(offset)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define EQ(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define RETURN(what)   BPF_STMT(BPF_RET | BPF_K, (what))
#define ERROR(number)  RETURN(SECCOMP_RET_ERRNO | (number))

enum { REFUSED_N = ARRAY_SIZE(refused), FILTER_MAX = 2 * REFUSED_N + 32 };

static int load_filter(void)
{
	static const struct sock_filter head[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		EQ(ARCH, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1),
		ERROR(ENOSYS),
		/* glibc tries clone where this is not there: its flags can be looked at */
		EQ(SYS_clone3, 0, 1),
		ERROR(ENOSYS),
		EQ(SYS_clone, 0, 4),
		LOAD(ARG_LOW(0)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		ERROR(EPERM),
		EQ(SYS_socket, 0, 7),
		LOAD(ARG_LOW(0)),
		EQ(AF_INET, 4, 0),
		EQ(AF_INET6, 3, 0),
		EQ(AF_UNIX, 2, 0),
		EQ(AF_NETLINK, 1, 0),
		ERROR(EAFNOSUPPORT),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[FILTER_MAX];
	size_t n = 0;

	for (; n < ARRAY_SIZE(head); n++)
		code[n] = head[n];
	for (size_t i = 0; i < REFUSED_N; i++) {
		code[n++] = (struct sock_filter)EQ((uint32_t)refused[i], 0, 1);
		code[n++] = (struct sock_filter)ERROR(EPERM);
	}
	code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return seccomp_filter_load(code, n * sizeof(*code), 0, NULL);
}

int remote_confine(struct err *e)
{
	const struct rlimit none = {0, 0};
	int rc = caps_limit_bounding(0);

	if (rc == 0)
		rc = caps_set_ambient(0);
	if (rc == 0)
		rc = caps_set(0, 0, 0);
	if (rc < 0)
		return err_errno(e, rc, "dropping capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return err_set(e, ERR_IO, 0, "giving up privileges");
	if (forbid_files(e) < 0)
		return -1;
	rc = SANITIZED ? 0 : load_filter();
	return rc < 0 ? err_errno(e, rc, "giving up system calls") : 0;
}
