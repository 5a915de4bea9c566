/* SPDX-License-Identifier: Apache-2.0 */
/* Each case runs twice, by openat2 and by the walk, and both must say the same. */
#include "base/path.h"

#include "base/fd.h"
#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

static int base = -1; /* the directory that holds the root and what is outside of it */
static int root = -1;
static char base_name[64];

static void put_file(int dir, const char *name)
{
	_cleanup_(fd_close) int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
}

static void put_link(const char *text, const char *name)
{
	assert_int_equal(symlinkat(text, root, name), 0);
}

static void make_tree(void)
{
	char name[256], text[32];

	assert_int_equal(mkdirat(base, "root", 0755), 0);
	assert_int_equal(mkdirat(base, "outside", 0755), 0);
	put_file(base, "outside/canary");
	root = openat(base, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	assert_int_equal(mkdirat(root, "a", 0755), 0);
	assert_int_equal(mkdirat(root, "a/b", 0755), 0);
	assert_int_equal(mkdirat(root, "a/b/c", 0755), 0);
	put_file(root, "a/b/file");
	assert_int_equal(mkdirat(root, "closed", 0), 0);
	assert_int_equal(mkdirat(root, "run", 0755), 0);
	assert_int_equal(mkdirat(root, "proc", 0755), 0);
	assert_int_equal(mkdirat(root, "mnt", 0755), 0);
	assert_int_equal(mkfifoat(root, "fifo", 0644), 0);
	memset(name, 'n', 255);
	name[255] = '\0';
	put_file(root, name);
	put_link("/run", "var-run");
	put_link("../outside", "out-relative");
	put_link("../../../../../../outside/canary", "out-far");
	put_link("/outside/canary", "out-absolute");
	put_link("/", "slash");
	put_link("..", "up");
	put_link("a/b", "into");
	put_link("a/b/", "into-slash");
	put_link("a/b/file/", "file-slash");
	put_link("../a/./b/../b/file", "winding");
	put_link("nothing", "dangling");
	put_link("loop-b", "loop-a");
	put_link("loop-a", "loop-b");
	put_link("self-loop", "self-loop");
	put_link("fifo", "to-fifo");
	put_link("/proc/self/root", "to-magic");
	put_link("/proc/self", "to-self");
	put_link("a/b/file", "chain0");
	for (int i = 1; i <= 41; i++) {
		snprintf(text, sizeof(text), "chain%d", i - 1);
		snprintf(name, sizeof(name), "chain%d", i);
		put_link(text, name);
	}
}

/* As root everything happens in a mount namespace and a tmpfs of our own, which end with us. */
static void own_mounts(void)
{
	if (geteuid() != 0)
		return;
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/tmp", "tmpfs", 0, NULL), 0);
}

static int set_up(void **state)
{
	own_mounts();
	snprintf(base_name, sizeof(base_name), "/tmp/test-path-%d", (int)getpid());
	assert_int_equal(mkdir(base_name, 0755), 0);
	base = open(base_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(base >= 0);
	make_tree();
	return 0;
}

static int tear_down(void **state)
{
	path_force_fallback(false);
	fd_close(&root);
	path_remove_tree(base, "root");
	path_remove_tree(base, "outside");
	fd_close(&base);
	return rmdir(base_name);
}

static const char *const paths[] = {
	"",
	"/",
	".",
	"..",
	"///",
	"../..",
	"a",
	"/a",
	"a/",
	"a//b",
	"a/./b",
	"a/../a",
	"a/b/file",
	"a/b/file/",
	"a/b/file/.",
	"a/b/file/..",
	"a/b/file/x",
	"a/b/../../..",
	"nope",
	"nope/x",
	"nope/",
	"var-run",
	"var-run/",
	"var-run/.",
	"out-relative",
	"out-far",
	"out-absolute",
	"slash",
	"slash/",
	"slash/a",
	"up",
	"up/up/up/a",
	"into",
	"into/",
	"into/file",
	"into/../b",
	"into/c/..",
	"into-slash",
	"into-slash/file",
	"file-slash",
	"winding",
	"winding/",
	"dangling",
	"dangling/",
	"dangling/x",
	"loop-a",
	"loop-a/x",
	"self-loop",
	"to-fifo",
	"fifo",
	"fifo/",
	"chain0",
	"chain38",
	"chain39",
	"chain40",
	"chain41",
	"chain41/x",
	"closed",
	"closed/.",
	"closed/x",
	"closed/..",
	"proc",
	"proc/self",
	"proc/self/root",
	"proc/self/exe",
	"proc/self/cwd/x",
	"proc/self/fd/0",
	"proc/self/ns/mnt",
	"proc/self/status",
	"proc/mounts",
	"proc/net",
	"proc/..",
	"to-magic",
	"to-magic/etc",
	"to-self",
	"to-self/status",
	"mnt",
	"mnt/inner",
	"mnt/..",
	"mnt/to-up",
	"mnt/to-up/a",
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn/x"};

static const int oflags[] = {
	O_PATH,
	O_PATH | O_NOFOLLOW,
	O_PATH | O_DIRECTORY,
	O_PATH | O_DIRECTORY | O_NOFOLLOW,
	O_RDONLY | O_NONBLOCK,
	O_RDONLY | O_NONBLOCK | O_NOFOLLOW,
	O_RDONLY | O_DIRECTORY,
	O_WRONLY | O_NONBLOCK,
};

/* Opens by one way; the identity of what was opened goes to ST. */
static int open_as(bool by_hand, const char *path, int oflag, unsigned flags, struct stat *st)
{
	_cleanup_(fd_close) int fd = -1;

	path_force_fallback(by_hand);
	fd = path_open(root, path, oflag, flags);
	path_force_fallback(false);
	if (fd < 0)
		return fd;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, st), 0);
	return 0;
}

/* The kernel may answer ELOOP to 21 links and more where its first, lockless attempt is disturbed
 * by a mount or rename anywhere on the machine: the second one goes on counting (total_link_count
 * of fs/namei.c). So a difference must hold to count. */
static void compare_one(const char *path, int oflag, unsigned flags)
{
	struct stat a = {0}, b = {0};
	int ra = 0, rb = 0;

	for (int i = 0; i < 200; i++) {
		ra = open_as(false, path, oflag, flags, &a);
		rb = open_as(true, path, oflag, flags, &b);
		if (ra == rb && (ra < 0 || (a.st_ino == b.st_ino && a.st_dev == b.st_dev)))
			return;
	}
	fail_msg("'%.60s' oflags %#x flags %u: openat2 %d (inode %ju), walk %d (inode %ju)", path,
		 (unsigned)oflag, flags, ra, (uintmax_t)a.st_ino, rb, (uintmax_t)b.st_ino);
}

static void compare_all(void)
{
	for (size_t p = 0; p < ARRAY_SIZE(paths); p++)
		for (size_t o = 0; o < ARRAY_SIZE(oflags); o++)
			for (unsigned flags = 0; flags < 8; flags++)
				compare_one(paths[p], oflags[o], flags);
}

static void walk_and_openat2_say_the_same(void **state)
{
	compare_all();
}

static void walk_and_openat2_say_the_same_without_privilege(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(setresuid(-1, 65534, -1), 0);
	compare_all();
	assert_int_equal(setresuid(-1, 0, -1), 0);
}

static void walk_and_openat2_say_the_same_across_mounts(void **state)
{
	char proc[128], mnt[128];

	if (geteuid() != 0)
		skip();
	snprintf(proc, sizeof(proc), "%s/root/proc", base_name);
	snprintf(mnt, sizeof(mnt), "%s/root/mnt", base_name);
	assert_int_equal(mount("proc", proc, "proc", 0, NULL), 0);
	assert_int_equal(mount("tmpfs", mnt, "tmpfs", 0, NULL), 0);
	put_file(root, "mnt/inner");
	put_link("..", "mnt/to-up");
	compare_all();
	assert_int_equal(umount2(proc, MNT_DETACH), 0);
	assert_int_equal(umount2(mnt, MNT_DETACH), 0);
}

static void nothing_leads_outside(void **state)
{
	static const char *const hostile[] = {"out-relative", "out-far",          "out-absolute",
					      "../outside",   "slash/../outside", "up/outside"};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++)
		for (int by_hand = 0; by_hand < 2; by_hand++) {
			assert_int_equal(open_as(by_hand, hostile[i], O_PATH, 0, &st), -ENOENT);
			assert_int_equal(open_as(by_hand, hostile[i], O_PATH, PATH_BENEATH, &st),
					 -EXDEV);
		}
}

static void too_long_paths_are_refused_alike(void **state)
{
	static char path[9000];

	for (size_t i = 0; i < 4096; i++)
		memcpy(path + 2 * i, "a/", 2);
	compare_one(path, O_PATH, 0);
	path[4095] = '\0';
	compare_one(path, O_PATH, 0);
	path[4096] = '\0';
	for (size_t i = 0; i < 2048; i++)
		memcpy(path + 2 * i, "./", 2);
	compare_one(path, O_PATH, 0);
	path[4095] = '\0';
	compare_one(path, O_PATH, 0);
}

static void mkdirs_stays_inside_through_dangling_links(void **state)
{
	_cleanup_(fd_close) int fd = -1, again = -1;
	struct stat a, b;

	assert_int_equal(symlinkat("/../outside/new", root, "evil"), 0);
	fd = path_mkdirs(root, "evil/x/y", 0755, 0);
	assert_true(fd >= 0);
	assert_int_equal(faccessat(base, "outside/new", F_OK, 0), -1);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(root, "outside/new/x/y", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	again = path_mkdirs(root, "evil/x/y", 0755, 0);
	assert_true(again >= 0);
	assert_int_equal(path_mkdirs(root, "a/b/file", 0755, 0), -ENOTDIR);
	assert_int_equal(path_mkdirs(root, "a/b/file/x", 0755, 0), -ENOTDIR);
	assert_int_equal(path_mkdirs(root, "loop-a/x", 0755, 0), -ELOOP);
	assert_int_equal(path_mkdirs(root, "out-relative/z", 0755, PATH_BENEATH), -EXDEV);
}

static void mkdirs_holds_against_who_removes(void **state)
{
	const struct timespec pause = {.tv_nsec = 20000};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Who waits for the folder's lock gets it next: without the pause the maker may
		 * lose any number of times, and its tries are bounded. */
		for (;;)
			if (unlinkat(root, "came/gone", AT_REMOVEDIR) == 0)
				nanosleep(&pause, NULL);
	}
	for (int i = 0; i < 500; i++) {
		int fd = path_mkdirs(root, "came/gone", 0755, PATH_NO_SYMLINKS);

		assert_true(fd >= 0);
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	path_remove_tree(root, "came");
}

static void mount_points_are_made_in_both_kinds(void **state)
{
	_cleanup_(fd_close) int dir = -1, file = -1, old = -1, device = -1;
	struct stat st;

	dir = path_mount_point(root, "m/dir", false, 0755);
	file = path_mount_point(root, "m/sub/file", true, 0644);
	old = path_mount_point(root, "into/file", true, 0644);
	assert_true(dir >= 0 && file >= 0 && old >= 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(fstatat(root, "m/sub", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(path_mount_point(root, "a", true, 0644), -EISDIR);
	assert_int_equal(path_mount_point(root, "a/b/file", false, 0755), -ENOTDIR);
	device = path_mount_point(root, "fifo", true, 0644); /* must not block */
	assert_true(device >= 0);
}

static void create_never_opens_what_is_there(void **state)
{
	_cleanup_(fd_close) int fd = path_create(root, "into/made", 0600, 0);

	assert_true(fd >= 0);
	assert_int_equal(path_create(root, "a/b/made", 0600, 0), -EEXIST);
	assert_int_equal(path_create(root, "dangling", 0600, 0), -EEXIST);
	assert_int_equal(path_create(root, "fifo", 0600, 0), -EEXIST);
	assert_int_equal(path_create(root, "a/..", 0600, 0), -EINVAL);
	assert_int_equal(path_create(root, "a/new/", 0600, 0), -EINVAL);
	assert_int_equal(path_create(root, "", 0600, 0), -EINVAL);
}

static void own_files_know_no_links(void **state)
{
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		_cleanup_(fd_close) int fd = -1;

		path_force_fallback(by_hand);
		assert_int_equal(path_open_own(root, "into/file", O_RDONLY, 0), -ELOOP);
		assert_int_equal(path_open_own(root, "dangling", O_WRONLY | O_CREAT, 0600), -ELOOP);
		assert_int_equal(path_open_own(root, "../outside/canary", O_RDONLY, 0), -EXDEV);
		assert_int_equal(path_open_own(root, "/a", O_RDONLY, 0), -EXDEV);
		fd = path_open_own(root, by_hand ? "a/own1" : "a/own0", O_RDWR | O_CREAT, 0600);
		assert_true(fd >= 0);
		path_force_fallback(false);
	}
}

static void files_are_replaced_whole(void **state)
{
	_cleanup_(freep) char *text = NULL;
	size_t n;

	assert_int_equal(path_write_file(root, "a/data", "one", 3, 0600), 0);
	assert_int_equal(path_write_file(root, "a/data", "three", 5, 0600 | PATH_DURABLE), 0);
	assert_int_equal(path_read_file(root, "a/data", 100, &text, &n), 0);
	assert_string_equal(text, "three");
	assert_int_equal(n, 5);
	assert_int_equal(path_read_file(root, "a/data", 4, &text, &n), -EFBIG);
	for (int i = 0; i < 2; i++) { /* new, and replaced */
		_cleanup_(freep) char *now = NULL;

		assert_int_equal(path_write_file(root, "a/vol", i ? "second" : "first", 6 - !i,
						 0600 | PATH_VOLATILE),
				 0);
		assert_int_equal(path_read_file(root, "a/vol", 100, &now, NULL), 0);
		assert_string_equal(now, i ? "second" : "first");
	}
	assert_int_equal(path_write_file(root, "nope/data", "x", 1, 0600), -ENOENT);
}

static void tree_of_4096_levels_is_removed(void **state)
{
	struct rlimit limit, few = {100, 100};
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 4096; i++) {
		int next;

		assert_int_equal(mkdirat(fd, i ? "d" : "deep", 0755), 0);
		next = openat(fd, i ? "d" : "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		if (i % 100 == 0)
			put_file(fd, "z-file");
		if (i % 500 == 0)
			assert_int_equal(mkdirat(fd, "a-dir", 0), 0);
	}
	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	few.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(path_remove_tree(root, "deep"), 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(faccessat(root, "deep", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void make_wide(const char *top, int dirs, int files)
{
	_cleanup_(fd_close) int fd = path_mkdirs(root, top, 0755, 0);
	char name[300];

	assert_true(fd >= 0);
	for (int i = 0; i < dirs; i++) {
		memset(name, 'x', sizeof(name));
		snprintf(name + 245, 11, "%010d", i);
		assert_int_equal(mkdirat(fd, name, i % 3 ? 0755 : 0), 0);
	}
	for (int i = 0; i < files; i++) {
		memset(name, 'f', sizeof(name));
		snprintf(name + 200, 11, "%010d", i);
		put_file(fd, name);
	}
	assert_int_equal(symlinkat("../../outside", fd, "link"), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0), 0);
}

static void wide_trees_are_removed_and_links_not_followed(void **state)
{
	make_wide("wide", 700, 3000);
	assert_int_equal(path_remove_tree(root, "wide"), 0);
	assert_int_equal(faccessat(root, "wide", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(faccessat(base, "outside/canary", F_OK, 0), 0);
	assert_int_equal(path_remove_tree(root, "wide"), 0);
	assert_int_equal(symlinkat("../outside", root, "tree-link"), 0);
	assert_int_equal(path_remove_tree(root, "tree-link"), 0);
	assert_int_equal(faccessat(base, "outside/canary", F_OK, 0), 0);
	assert_int_equal(path_remove_tree(root, "a/b"), -EINVAL);
	assert_int_equal(path_remove_tree(root, ".."), -EINVAL);
}

static void trees_are_removed_without_privilege(void **state)
{
	_cleanup_(fd_close) int fd = -1;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdirat(root, "theirs", 0777), 0);
	assert_int_equal(fchmodat(root, "theirs", 0777, 0), 0);
	fd = path_mkdirs(root, "theirs", 0777, 0);
	assert_int_equal(setresuid(-1, 65534, -1), 0);
	make_wide("theirs/wide", 20, 20);
	assert_int_equal(fchmodat(fd, "wide", 0, 0), 0);
	assert_int_equal(path_remove_tree(fd, "wide"), 0);
	assert_int_equal(setresuid(-1, 0, -1), 0);
	assert_int_equal(faccessat(fd, "wide", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void mounts_below_are_not_entered(void **state)
{
	_cleanup_(fd_close) int fd = -1;
	char target[128];

	if (geteuid() != 0)
		skip();
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		fd_close(&fd);
		fd = path_mkdirs(root, "has/mount", 0755, 0);
		assert_true(fd >= 0);
		put_file(root, "has/file");
		snprintf(target, sizeof(target), "%s/root/has/mount", base_name);
		assert_int_equal(mount("tmpfs", target, "tmpfs", 0, NULL), 0);
		put_file(root, "has/mount/kept");
		path_force_fallback(by_hand);
		assert_int_equal(path_remove_tree(root, "has"), -EXDEV);
		path_force_fallback(false);
		assert_int_equal(faccessat(root, "has/mount/kept", F_OK, 0), 0);
		assert_int_equal(faccessat(root, "has/file", F_OK, 0), -1);
		assert_int_equal(umount2(target, MNT_DETACH), 0);
	}
	assert_int_equal(path_remove_tree(root, "has"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk_and_openat2_say_the_same),
		cmocka_unit_test(walk_and_openat2_say_the_same_without_privilege),
		cmocka_unit_test(walk_and_openat2_say_the_same_across_mounts),
		cmocka_unit_test(nothing_leads_outside),
		cmocka_unit_test(too_long_paths_are_refused_alike),
		cmocka_unit_test(mkdirs_stays_inside_through_dangling_links),
		cmocka_unit_test(mkdirs_holds_against_who_removes),
		cmocka_unit_test(mount_points_are_made_in_both_kinds),
		cmocka_unit_test(create_never_opens_what_is_there),
		cmocka_unit_test(own_files_know_no_links),
		cmocka_unit_test(files_are_replaced_whole),
		cmocka_unit_test(tree_of_4096_levels_is_removed),
		cmocka_unit_test(wide_trees_are_removed_and_links_not_followed),
		cmocka_unit_test(trees_are_removed_without_privilege),
		cmocka_unit_test(mounts_below_are_not_entered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
