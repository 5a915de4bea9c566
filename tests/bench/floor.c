/* SPDX-License-Identifier: Apache-2.0 */
/* The floor under every container start: only the bare system calls. An overlay of LOWER and a
 * fresh upper directory (or with "-" for SCRATCH, a bind mount of LOWER), one clone3 with every
 * namespace, that as the root, exec, wait. No cgroup, no limits, no devices, no filter, no
 * database.
 *
 *     floor LOWER SCRATCH PROGRAM [ARGUMENT]...
 *
 * SCRATCH is a directory on the same file system; what is made below it is removed again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static int check(long result, const char *what)
{
	if (result < 0)
		die(what);
	return (int)result;
}

static void set(int fs, const char *key, const char *value)
{
	check(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0), key);
}

static int overlay(const char *lower)
{
	int fs = check(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), "fsopen");

	set(fs, "lowerdir", lower);
	set(fs, "upperdir", "upper");
	set(fs, "workdir", "work");
	check(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "fsconfig");
	return check(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0), "fsmount");
}

/* An overlay in a new directory, whose name goes into SCRATCH; it is the working directory then. */
static int fresh_overlay(const char *lower, const char *folder, char *scratch)
{
	check(chdir(folder), folder);
	if (!mkdtemp(scratch))
		die("mkdtemp");
	check(chdir(scratch), scratch);
	check(mkdir("upper", 0755) | mkdir("work", 0755), "mkdir");
	return overlay(lower);
}

static void enter(int root, char **argv)
{
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	check(syscall(SYS_move_mount, root, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH), "move");
	check(chdir("/mnt"), "chdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	execv(argv[0], argv);
	die(argv[0]);
}

int main(int argc, char **argv)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
			 CLONE_NEWCGROUP | CLONE_VFORK,
		.exit_signal = SIGCHLD,
	};
	char scratch[] = "floor-XXXXXX";
	int root, status = 0;
	bool bind;
	pid_t pid;

	if (argc < 4)
		return 2;
	bind = strcmp(argv[2], "-") == 0;
	if (bind)
		root = check(syscall(SYS_open_tree, AT_FDCWD, argv[1], OPEN_TREE_CLONE), argv[1]);
	else
		root = fresh_overlay(argv[1], argv[2], scratch);
	pid = check(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
	if (pid == 0)
		enter(root, argv + 3);
	check(waitpid(pid, &status, 0), "wait");
	close(root);
	if (!bind) {
		rmdir("work/work");
		check(rmdir("work") | rmdir("upper") | chdir("..") | rmdir(scratch), "rmdir");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
