/* SPDX-License-Identifier: Apache-2.0 */
/* Everything runs in children with a mount namespace of their own, on a tmpfs over /tmp; a check
 * that fails ends the child. */
#include "kernel/mount.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/mount-internal.h"
#include "kernel/ns.h"
#include "kernel/proc-info.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cmocka.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #what,             \
				strerrorname_np(errno));                                           \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void in_own_mounts(void (*fn)(void))
{
	int pidfd, status;
	pid_t pid;

	if (geteuid() != 0)
		skip(); /* needs CAP_SYS_ADMIN */
	pid = ns_fork(CLONE_NEWNS, -1, &pidfd);
	assert_true(pid >= 0);
	if (pid == 0) {
		CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
		fn();
		_exit(0);
	}
	assert_int_equal(process_wait_pidfd(pidfd, false, &status), 0);
	close(pidfd);
	assert_int_equal(status, 0);
}

static int dir_at(const char *path)
{
	int fd;

	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	CHECK(fd_write_full(fd, text, strlen(text)) == 0);
	close(fd);
}

static bool holds(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char got[64] = "";

	if (fd < 0)
		return false;
	CHECK(fd_read_full(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	return str_eq(got, text);
}

static size_t count_mounts(void)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(fd_close) int proc = proc_open(0);
	struct proc_mount *m;
	size_t n;

	CHECK(proc_read_mounts(proc, PROC_SELF, &a, &m, &n) == 0);
	return n;
}

static unsigned long flags_of(int fd)
{
	struct statvfs st;

	CHECK(fstatvfs(fd, &st) == 0);
	return st.f_flag;
}

static void new_tmpfs(void)
{
	const struct mount_param params[] = {{.key = "size", .value = "1m"},
					     {.key = "mode", .value = "0700"},
					     {.key = "nr_inodes", .value = "10"}};
	const struct mount_param bad = {.key = "no-such", .value = "1"};
	size_t before = count_mounts();
	int fd = mount_fs_new("tmpfs", "source", params, 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	int target = dir_at("/tmp/t");
	struct stat st;

	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(count_mounts() == before);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK((flags_of(fd) & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) == (ST_NOSUID | ST_NODEV));
	put(fd, "x", "detached");
	CHECK(mount_move(fd, target) == 0);
	CHECK(count_mounts() == before + 1);
	CHECK(holds(AT_FDCWD, "/tmp/t/x", "detached"));
	CHECK(mount_detach(fd) == 0);
	CHECK(count_mounts() == before);
	CHECK(mount_fs_new("tmpfs", NULL, &bad, 1, 0) == -EINVAL);
	CHECK(mount_fs_new("no-such-fs", NULL, NULL, 0, 0) == -ENODEV);
}

static void a_new_file_system_is_detached_until_it_is_moved(void **state)
{
	in_own_mounts(new_tmpfs);
}

static void clones(void)
{
	int outer = mount_fs_new("tmpfs", NULL, NULL, 0, 0), target = dir_at("/tmp/a"), inner, flat,
	    deep, file;
	const struct mount_change ro = {.set = MOUNT_ATTR_RDONLY, .propagation = MS_SLAVE};
	const struct mount_change rw = {.clear = MOUNT_ATTR_RDONLY};

	CHECK(mount_move(outer, target) == 0);
	inner = dir_at("/tmp/a/sub");
	CHECK(mount_move(mount_fs_new("tmpfs", NULL, NULL, 0, 0), inner) == 0);
	put(AT_FDCWD, "/tmp/a/sub/x", "inner");
	flat = mount_clone(outer, false);
	deep = mount_clone(outer, true);
	CHECK(flat >= 0 && deep >= 0);
	CHECK(faccessat(flat, "sub/x", F_OK, 0) < 0);
	CHECK(holds(deep, "sub/x", "inner"));
	CHECK(mount_set(deep, &ro, false) == 0);
	CHECK(openat(deep, "y", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	put(deep, "sub/y", "still writable");
	CHECK(mount_set(deep, &ro, true) == 0);
	CHECK(openat(deep, "sub/z", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	CHECK(mount_set(deep, &rw, true) == 0);
	put(deep, "sub/z", "again");
	put(outer, "w", "the original is not changed");
	/* A single file is a mount too. */
	file = openat(outer, "w", O_PATH | O_CLOEXEC);
	put(AT_FDCWD, "/tmp/target", "");
	CHECK(mount_move(mount_clone(file, false), open("/tmp/target", O_PATH | O_CLOEXEC)) == 0);
	CHECK(holds(AT_FDCWD, "/tmp/target", "the original is not changed"));
	CHECK(mount_move(mount_clone(file, false), target) == -EINVAL);
}

static void clones_have_flags_of_their_own(void **state)
{
	in_own_mounts(clones);
}

/* Whether the source shows what is mounted on the folder "sub" of its clone. */
static bool clone_shows(int (*clone)(int fd, bool recursive), const char *place)
{
	int source = dir_at("/tmp/shared"), mnt = clone(source, true), at = dir_at(place), sub;

	CHECK(mount_move(mnt, at) == 0);
	sub = openat(mnt, "sub", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(sub >= 0 && mount_move(mount_fs_new("tmpfs", NULL, NULL, 0, 0), sub) == 0);
	sub = openat(mnt, "sub", O_PATH | O_DIRECTORY | O_CLOEXEC);
	put(sub, "mine", "of the clone");
	return access("/tmp/shared/sub/mine", F_OK) == 0;
}

static void clones_of_shared(void)
{
	const struct mount_change shared = {.propagation = MS_SHARED};
	int source = mount_fs_new("tmpfs", NULL, NULL, 0, 0);

	CHECK(mount_move(source, dir_at("/tmp/shared")) == 0);
	dir_at("/tmp/shared/sub");
	CHECK(mount_set(source, &shared, false) == 0);
	CHECK(!clone_shows(mount_clone, "/tmp/a"));
	CHECK(clone_shows(mount_clone_peer, "/tmp/b"));
}

static void a_clone_of_a_shared_mount_is_private(void **state)
{
	in_own_mounts(clones_of_shared);
}

/* Whether both ways to change a mount's flags say the same. */
static void set_both(const struct mount_change *c)
{
	const uint64_t start = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME;
	int a = mount_fs_new("tmpfs", NULL, NULL, 0, start);
	int b = mount_fs_new("tmpfs", NULL, NULL, 0, start);
	unsigned long fa, fb;

	CHECK(mount_move(a, dir_at("/tmp/a")) == 0);
	CHECK(mount_move(b, dir_at("/tmp/b")) == 0);
	CHECK(mount_set(a, c, false) == 0);
	CHECK(mount_set_classic(b, c, false) == 0);
	fa = flags_of(a);
	fb = flags_of(b);
	if (fa != fb)
		fprintf(stderr, "set %#llx clear %#llx: mount_setattr %#lx, mount %#lx\n",
			(unsigned long long)c->set, (unsigned long long)c->clear, fa, fb);
	CHECK(fa == fb);
	CHECK(mount_detach(a) == 0 && mount_detach(b) == 0);
	close(a);
	close(b);
}

static void set_ways(void)
{
	static const struct mount_change changes[] = {
		{.set = MOUNT_ATTR_RDONLY},
		{.set = MOUNT_ATTR_NOEXEC, .clear = MOUNT_ATTR_NOSUID},
		{.clear = MOUNT_ATTR_NODIRATIME},
		{.set = MOUNT_ATTR_STRICTATIME, .clear = MOUNT_ATTR__ATIME},
		{.set = MOUNT_ATTR_RELATIME, .clear = MOUNT_ATTR__ATIME},
		{.set = MOUNT_ATTR_NOATIME, .clear = MOUNT_ATTR__ATIME},
		{.clear = MOUNT_ATTR__ATIME},
		{.set = MOUNT_ATTR_NODEV, .propagation = MS_UNBINDABLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		set_both(&changes[i]);
	CHECK(mount_set_classic(0, &changes[0], true) == -ENOSYS);
}

static void mount_setattr_and_mount_say_the_same(void **state)
{
	in_own_mounts(set_ways);
}

enum { LAYERS = 120 };

/* An overlay of N layers made in one way: layer i holds "f<i>" and all hold "top". */
static void overlay(enum mount_overlay_way way, size_t n, int want)
{
	struct mount_overlay o = {.n_lower = n, .attr = MOUNT_ATTR_NODEV};
	int lower[LAYERS], mnt;
	size_t before = count_mounts();
	char name[32], text[16], cwd[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "/tmp/l%zu", i);
		lower[i] = dir_at(name);
		snprintf(name, sizeof(name), "f%zu", i);
		snprintf(text, sizeof(text), "%zu", i);
		put(lower[i], name, text);
		put(lower[i], "top", text);
	}
	o.lower = lower;
	o.upper = dir_at("/tmp/upper");
	o.work = dir_at("/tmp/work");
	mnt = mount_overlay_by(&o, way);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strstr(cwd, "/fd"));
	if (want < 0) {
		CHECK(mnt == want);
	} else {
		if (mnt < 0)
			fprintf(stderr, "way %d, %zu layers: %d\n", way, n, mnt);
		CHECK(mnt >= 0);
		CHECK(fcntl(mnt, F_GETFD) & FD_CLOEXEC);
		CHECK(count_mounts() == before);
		CHECK(holds(mnt, "top", "0"));
		snprintf(name, sizeof(name), "f%zu", n - 1);
		CHECK(faccessat(mnt, name, F_OK, 0) == 0);
		CHECK(flags_of(mnt) & ST_NODEV);
		put(mnt, "new", "in upper");
		CHECK(holds(o.upper, "new", "in upper"));
		close(mnt);
	}
	for (size_t i = 0; i < n; i++)
		close(lower[i]);
	close(o.upper);
	close(o.work);
}

static void overlay_ways(void)
{
	unsigned f = mount_features();

	if (f & MOUNT_HAS_LOWER_FD)
		overlay(MOUNT_OVERLAY_BY_FD, LAYERS, 0);
	if (f & MOUNT_HAS_LOWER_ADD)
		overlay(MOUNT_OVERLAY_BY_NAME, LAYERS, 0);
	overlay(MOUNT_OVERLAY_JOINED, 2, 0);
	overlay(MOUNT_OVERLAY_JOINED, 60, 0);
	overlay(MOUNT_OVERLAY_JOINED, LAYERS, -E2BIG);
	overlay(MOUNT_OVERLAY_CLASSIC, 2, 0);
	overlay(MOUNT_OVERLAY_CLASSIC, LAYERS, 0);
}

static void overlays_are_the_same_in_every_way(void **state)
{
	in_own_mounts(overlay_ways);
}

static void overlay_rest(void)
{
	int lower[2] = {dir_at("/tmp/a"), dir_at("/tmp/b")};
	struct mount_overlay o = {.lower = lower, .n_lower = 2, .upper = -1, .work = -1};
	struct statfs fs;
	int mnt;

	put(lower[0], "x", "1");
	put(lower[1], "y", "2");
	mnt = mount_overlay_new(&o);
	CHECK(mnt >= 0);
	CHECK(fstatfs(mnt, &fs) == 0 && fs.f_type == 0x794c7630);
	CHECK(holds(mnt, "x", "1") && holds(mnt, "y", "2"));
	CHECK(openat(mnt, "z", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	o.n_lower = 0;
	CHECK(mount_overlay_new(&o) == -EINVAL);
}

static void an_overlay_without_upper_is_read_only(void **state)
{
	in_own_mounts(overlay_rest);
}

static void idmapped(void)
{
	const struct proc_idmap map = {0, 100000, 65536};
	_cleanup_(fd_close) int proc = proc_open(0);
	struct mount_change c = {0};
	int source = dir_at("/tmp/a"), mnt;
	struct stat st;

	put(source, "x", "1");
	c.userns = ns_user_new(proc, &map, 1, &map, 1);
	CHECK(c.userns >= 0 && ns_check(c.userns, CLONE_NEWUSER) == 0);
	CHECK(ns_check(c.userns, CLONE_NEWNET) == -EINVAL && ns_check(0, CLONE_NEWNET) == -EINVAL);
	mnt = mount_clone(source, false);
	CHECK(mnt >= 0);
	if (mount_set(mnt, &c, false) == -EINVAL)
		return; /* tmpfs knows identity maps since 6.3 */
	CHECK(fstatat(mnt, "x", &st, 0) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
}

static void a_user_namespace_maps_a_clone(void **state)
{
	in_own_mounts(idmapped);
}

static void pivots(void)
{
	int root = mount_fs_new("tmpfs", NULL, NULL, 0, 0), target = dir_at("/tmp/root"), here;

	CHECK(mount_move(root, target) == 0);
	put(root, "here", "new root");
	CHECK(mkdirat(root, "proc", 0755) == 0);
	here = openat(root, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(mount_move(mount_fs_new("proc", "proc", NULL, 0, 0), here) == 0);
	CHECK(mount_pivot(root) == 0);
	CHECK(holds(AT_FDCWD, "/here", "new root"));
	CHECK(holds(AT_FDCWD, "/../../here", "new root"));
	CHECK(count_mounts() == 2);
}

static void the_old_root_is_gone_after_pivot(void **state)
{
	in_own_mounts(pivots);
}

static void features_are_those_of_this_kernel(void **state)
{
	unsigned f = mount_features();

	assert_true(f & MOUNT_HAS_OPENAT2);
	assert_true(!(f & MOUNT_HAS_LOWER_FD) || (f & MOUNT_HAS_LOWER_ADD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_system_is_detached_until_it_is_moved),
		cmocka_unit_test(clones_have_flags_of_their_own),
		cmocka_unit_test(a_clone_of_a_shared_mount_is_private),
		cmocka_unit_test(mount_setattr_and_mount_say_the_same),
		cmocka_unit_test(overlays_are_the_same_in_every_way),
		cmocka_unit_test(an_overlay_without_upper_is_read_only),
		cmocka_unit_test(a_user_namespace_maps_a_clone),
		cmocka_unit_test(the_old_root_is_gone_after_pivot),
		cmocka_unit_test(features_are_those_of_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
