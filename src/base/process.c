/* SPDX-License-Identifier: Apache-2.0 */
/* The child shares the caller's memory until it execs (CLONE_VM | CLONE_VFORK, on a stack of its
 * own): it may only make system calls and write to its own struct. All signals are blocked around
 * the clone, so that no handler of the caller ever runs in the child.
 *
 * process_spawn_begin leaves CLONE_VFORK away, and the child gets a thread area of its own, because
 * errno is there and the caller goes on. The kernel clears `busy` and wakes who waits for it when
 * the child leaves the shared memory, by execve or by its end (CLONE_CHILD_CLEARTID).
 *
 * Descriptors are placed without clobbering each other: every source is first copied above the
 * highest target, then brought down by dup2, then the rest is closed by close_range. */
#include "base/process.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, SIGNALS = 64, TLS_SIZE = 4096 };

/* What the child reads and the one thing that it writes. */
struct child {
	const struct process_spawn *s;
	int null;
	pid_t parent;
	sigset_t mask;
	int error;    /* negative errno of the step that failed */
	bool overlap; /* the caller goes on before the child has executed its program */
	int busy;     /* not 0: the child still uses this memory */
};

struct process_begun {
	struct child child;
	struct process_spawn spawn;
	char *stack;
};

static int keep_caps(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return -errno;
	for (unsigned cap = 0; cap < 64; cap++)
		if (data[cap / 32].permitted & (1U << (cap % 32)))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return 0;
}

static void default_signals(void)
{
	/* The kernel's own call and struct, here all zeroes: libc refuses its signals 32 and 33. */
	const uint64_t def[4] = {0};

	for (int sig = 1; sig <= SIGNALS; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			syscall(SYS_rt_sigaction, sig, def, NULL, sizeof(uint64_t));
}

/* Closes what the caller left open; one by one before Linux 5.9 or where a filter denies it. */
static void close_from(int first)
{
	struct rlimit limit;
	int last = 65536;

	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)last)
		last = (int)limit.rlim_cur;
	for (int fd = first; fd < last; fd++)
		close(fd);
}

/* FD, or where it is among the N first ones, which are about to be written over, a copy behind
 * them. */
static int out_of_the_way(int fd, size_t n)
{
	return fd > (int)n ? fd : fcntl(fd, F_DUPFD_CLOEXEC, (int)n + 1);
}

/* Brings the descriptors into place. The program's own descriptor moves to *EXE. */
static int place_fds(const struct child *c, int *exe)
{
	const struct process_spawn *s = c->s;
	size_t n = MAX(s->n_fds, (size_t)3);
	int high[PROCESS_FDS_MAX];

	for (size_t i = 0; i < n; i++) {
		int fd = i < s->n_fds ? s->fds[i] : -1;

		if (fd < 0 && i < 3)
			fd = c->null;
		high[i] = fd < 0 ? -1 : out_of_the_way(fd, n);
		if (fd >= 0 && high[i] < 0)
			return -errno;
	}
	*exe = out_of_the_way(s->exe, n);
	if (*exe < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		if (high[i] < 0)
			close((int)i);
		else if (dup2(high[i], (int)i) < 0)
			return -errno;
	}
	/* The program's descriptor takes the first place after them. */
	if (dup3(*exe, (int)n, O_CLOEXEC) < 0)
		return -errno;
	*exe = (int)n;
	close_from((int)n + 1);
	return 0;
}

/* Asks for the signal at the parent's death, and looks whether it died before that; in a new pid
 * namespace its number cannot be seen. */
static int watch_parent(const struct child *c)
{
	if (!c->s->pdeathsig)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, c->s->pdeathsig, 0, 0, 0) < 0)
		return -errno;
	return !(c->s->clone_flags & CLONE_NEWPID) && getppid() != c->parent ? -ESRCH : 0;
}

static int prepare(struct child *c, int *exe)
{
	const struct process_spawn *s = c->s;
	int r;

	default_signals();
	r = watch_parent(c);
	if (r < 0)
		return r;
	if ((s->flags & PROCESS_NEW_SESSION) && setsid() < 0)
		return -errno;
	if ((s->flags & PROCESS_NEW_GROUP) && setpgid(0, 0) < 0)
		return -errno;
	if (s->cwd >= 0 && fchdir(s->cwd) < 0)
		return -errno;
	r = place_fds(c, exe);
	if (r == 0 && (s->flags & PROCESS_KEEP_CAPS))
		r = keep_caps();
	return r;
}

static int child_main(void *arg)
{
	static const char *const no_env[] = {NULL};
	struct child *c = arg;
	const struct process_spawn *s = c->s;
	sigset_t none;
	int exe = -1, r = prepare(c, &exe);

	if (r == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execveat(exe, "", (char *const *)(uintptr_t)s->argv,
			 (char *const *)(uintptr_t)(s->env ? s->env : no_env), AT_EMPTY_PATH);
		r = -errno;
	}
	c->error = r;
	_exit(127);
}

/* clone3 with a stack: the child must not return from this function's frame, so it runs FN on the
 * new stack. libc's clone() takes neither CLONE_INTO_CGROUP nor 64-bit flags; without these it
 * serves, which keeps assembler out of here. */
static pid_t clone_vm(struct child *c, char *stack, int *pidfd);

#if defined(__x86_64__)
/* The system call made so that parent and child take different ways before anything touches the
 * stack: the child calls child_main on its own. */
static long clone3_call(struct clone_args *args, int (*fn)(void *), void *arg)
{
	long r;

	__asm__ volatile("mov %[fn], %%r12\n\t"
			 "mov %[arg], %%r13\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(r)
			 : "a"((long)SYS_clone3), "D"(args),
			   "S"(sizeof(*args)), [fn] "r"(fn), [arg] "r"(arg)
			 : "rcx", "r11", "r12", "r13", "memory");
	return r;
}

/* A thread area at the end of STACK: zeroes, the pointer to itself that the ABI wants, and below it
 * room for the few thread-local variables of libc, errno first of all. */
static char *own_thread_area(char *stack)
{
	char *area = stack + STACK_SIZE - TLS_SIZE;

	*(uintptr_t *)(void *)area = (uintptr_t)area;
	return area;
}

static pid_t clone_vm(struct child *c, char *stack, int *pidfd)
{
	const struct process_spawn *s = c->s;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_PIDFD | s->clone_flags |
			 (c->overlap ? CLONE_SETTLS | CLONE_CHILD_CLEARTID : CLONE_VFORK) |
			 (s->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.child_tid = (uint64_t)(uintptr_t)&c->busy,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = STACK_SIZE - (size_t)2 * TLS_SIZE,
		.tls = c->overlap ? (uint64_t)(uintptr_t)own_thread_area(stack) : 0,
		.cgroup = s->cgroup >= 0 ? (uint64_t)s->cgroup : 0,
	};
	long r;

	c->busy = c->overlap;
	r = clone3_call(&args, child_main, c);
	if (r < 0)
		c->busy = 0;

	if (r == -ENOSYS && s->cgroup < 0 && !(s->clone_flags & CLONE_NEWTIME)) {
		r = clone(child_main, stack + STACK_SIZE,
			  (int)(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | s->clone_flags | SIGCHLD), c,
			  pidfd);
		if (r < 0)
			r = -errno;
	}
	return (pid_t)r;
}
#else
static pid_t clone_vm(struct child *c, char *stack, int *pidfd)
{
	const struct process_spawn *s = c->s;
	struct clone_args args = {
		.flags = CLONE_PIDFD | s->clone_flags | (s->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = s->cgroup >= 0 ? (uint64_t)s->cgroup : 0,
	};
	pid_t r;

	if (s->cgroup < 0 && !(s->clone_flags & CLONE_NEWTIME)) {
		r = clone(child_main, stack + STACK_SIZE,
			  (int)(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | s->clone_flags | SIGCHLD), c,
			  pidfd);
		return r < 0 ? -errno : r;
	}
	/* Another architecture's clone3 with a copy of the memory: the error comes back by the exit
	 * status alone. */
	r = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (r == 0)
		child_main(c);
	return r < 0 ? -errno : r;
}
#endif

/* There in sanitized builds only. */
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *p, size_t n);

/* The child leaves its frames by execve, so AddressSanitizer never learns that they are gone. */
static void process_stack_clean(char *stack)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(stack, STACK_SIZE);
}

/* Waits until the child has left the memory. */
static void wait_for_exec(struct child *c)
{
	int busy;

	while ((busy = __atomic_load_n(&c->busy, __ATOMIC_ACQUIRE)) != 0)
		syscall(SYS_futex, &c->busy, FUTEX_WAIT, busy, NULL, NULL, 0);
}

int process_spawn_end(struct process_begun *b, struct process *p)
{
	int r;

	if (!b)
		return 0;
	wait_for_exec(&b->child);
	r = b->child.error;
	process_stack_clean(b->stack);
	munmap(b->stack, STACK_SIZE);
	free(b);
	if (r < 0) {
		process_wait(p, NULL);
		process_done(p);
	}
	return r;
}

static int begin(struct process_begun *b, struct process *ret)
{
	_cleanup_(fd_close) int null = path_open_host("/dev/null", O_RDWR, 0);
	int pidfd = -1;
	sigset_t all;
	pid_t pid;

	if (null < 0)
		return null;
	b->child.null = null;
	b->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (b->stack == MAP_FAILED)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &b->child.mask);
	process_stack_clean(b->stack);
	pid = clone_vm(&b->child, b->stack, &pidfd);
	sigprocmask(SIG_SETMASK, &b->child.mask, NULL);
	if (pid < 0) {
		munmap(b->stack, STACK_SIZE);
		return pid;
	}
	*ret = (struct process){.pidfd = pidfd, .pid = pid};
	return 0;
}

static int spawn(const struct process_spawn *s, bool overlap, struct process *ret,
		 struct process_begun **ret_begun)
{
	struct process_begun *b;
	int r;

	if (s->n_fds > PROCESS_FDS_MAX || s->exe < 0)
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->spawn = *s;
	/* AddressSanitizer has thread-local variables that its functions need in the child. */
	b->child = (struct child){.s = &b->spawn,
				  .parent = getpid(),
				  .overlap = overlap && !__asan_unpoison_memory_region};
	r = begin(b, ret);
	if (r < 0)
		free(b);
	else
		*ret_begun = b;
	return r;
}

int process_spawn_begin(const struct process_spawn *s, struct process *ret,
			struct process_begun **ret_begun)
{
	return spawn(s, true, ret, ret_begun);
}

int process_spawn(const struct process_spawn *s, struct process *ret)
{
	struct process_begun *b = NULL;
	struct process p = PROCESS_INIT;
	int r = spawn(s, false, &p, &b);

	if (r == 0)
		r = process_spawn_end(b, &p);
	if (r == 0)
		*ret = p;
	return r;
}

int process_wait_pidfd(int pidfd, bool nohang, int *ret_status)
{
	siginfo_t info = {0};
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | (nohang ? WNOHANG : 0));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return -EAGAIN;
	if (ret_status)
		*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

int process_wait(const struct process *p, int *ret_status)
{
	return process_wait_pidfd(p->pidfd, false, ret_status);
}

void process_kill(struct process *p)
{
	if (p->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	process_wait_pidfd(p->pidfd, false, NULL);
	process_done(p);
}

void process_done(struct process *p)
{
	fd_close(&p->pidfd);
}

int process_clean_start(void)
{
	/* Ignored, it would make the kernel throw the exit status of children away. */
	signal(SIGCHLD, SIG_DFL);
	/* A file of ours must never become anybody's stdout. An open takes the first free number.
	 */
	for (int fd = 0; fd < 3; fd++) {
		int r = fcntl(fd, F_GETFD) >= 0 ? fd : path_open_host("/dev/null", O_RDWR, 0);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens the program NAME below DIR where it is a regular executable file. */
static int open_program(int dir, const char *name)
{
	_cleanup_(fd_close) int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return -EACCES;
	return TAKE_FD(fd);
}

int program_open(const char *name)
{
	_cleanup_(fd_close) int dir = -1, libexec = -1;
	char path[4096];
	ssize_t n;
	char *slash;
	int r;

	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	n = readlinkat(AT_FDCWD, "/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	slash[slash == path] = '\0';
	dir = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;
	r = open_program(dir, name);
	if (r != -ENOENT)
		return r;
	libexec = openat(dir, "../libexec/kogge", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return libexec < 0 ? -errno : open_program(libexec, name);
}

int process_fork_fd(int (*inside)(void *arg), void *arg)
{
	_cleanup_(fd_close) int ours = -1, theirs = -1, fd = -1;
	int pair[2], r = -EPIPE;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		fd = inside(arg);
		r = fd < 0 ? fd : 0;
		fd_send(theirs, &r, sizeof(r), fd < 0 ? NULL : &fd, fd < 0 ? 0 : 1);
		_exit(0);
	}
	fd_close(&theirs);
	if (fd_recv(ours, &r, sizeof(r), &fd, 1) != (ssize_t)sizeof(r) || (r == 0 && fd < 0))
		r = -EPIPE;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : TAKE_FD(fd);
}
