/* SPDX-License-Identifier: Apache-2.0 */
/* load, import and save with the real kogge-unpack, whose path is the first argument. */
#include "store/test-store.h"

#include "base/failpoint.h"
#include "codec/sink.h"
#include "codec/tar-writer.h"
#include "store/check.h"
#include "store/gc.h"
#include "store/image-transfer.h"

#include <errno.h>
#include <sys/wait.h>

static const char *unpack_path;

/* A store whose kogge-unpack is the one of the build. */
static void transfer_open(struct test_store *t, const char *driver)
{
	test_open(t, driver);
	t->s->unpack = path_open_host(unpack_path, O_PATH, 0);
	assert_true(t->s->unpack >= 0);
}

static void transfer_new(struct test_store *t, const char *driver)
{
	test_new(t, driver);
	test_close(t);
	transfer_open(t, NULL);
}

static bool can_run(void)
{
	if (geteuid() == 0)
		return true;
	print_message("[  SKIPPED ] kogge-unpack confines itself: not root\n");
	return false;
}

/* A root file system as a tar in a memfd. */
static int make_rootfs(void)
{
	int fd = fd_memfd("rootfs", "", 0, false);
	struct err e = ERR_INIT;
	struct sink *out = sink_to_fd(fd, &e);
	struct tar_writer w;

	tar_writer_init(&w, out);
	assert_int_equal(tar_writer_dir(&w, "etc", 0, &e), 0);
	assert_int_equal(tar_writer_file(&w, "etc/hostname", "kogge\n", 6, 0, &e), 0);
	assert_int_equal(tar_writer_file(&w, "etc/big", e.msg, sizeof(e.msg), 0, &e), 0);
	assert_int_equal(tar_writer_end(&w, &e), 0);
	sink_free(out);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int import_rootfs(struct test_store *t, const char *name, char ret_id[IMAGE_ID_SIZE])
{
	const char *changes[] = {"CMD [\"/bin/sh\"]", "ENV A=b", NULL};
	struct image_import_opts o = {.name = name, .message = "by a test", .changes = changes};
	_cleanup_(fd_close) int fd = make_rootfs();

	return image_import(t->s, fd, &o, ret_id, &t->e);
}

/* The image DEBIAN saved into a memfd. */
static int make_archive(const char *driver)
{
	const char *const refs[] = {"debian"};
	int fd = fd_memfd("archive", "", 0, false);
	char id[IMAGE_ID_SIZE];
	struct test_store t;

	transfer_new(&t, driver);
	test_ok(&t, import_rootfs(&t, "debian", id));
	test_ok(&t, image_save(t.s, refs, 1, fd, &t.e));
	test_done(&t);
	return fd;
}

static int load(struct test_store *t, int archive, image_loaded_fn fn, void *arg)
{
	lseek(archive, 0, SEEK_SET);
	return image_load(t->s, archive, NULL, fn, arg, &t->e);
}

static void assert_clean(struct test_store *t, uint64_t images)
{
	struct check_counts counts;

	test_ok(t, store_check(t->s, 0, NULL, NULL, &counts, &t->e));
	assert_int_equal(counts.damaged, 0);
	assert_int_equal(counts.orphans, 0);
	assert_int_equal(counts.images, images);
}

static void an_imported_tree_is_an_image(void **state)
{
	const char *const drivers[] = {"overlay", "vfs"};

	for (size_t i = 0; can_run() && i < 2; i++) {
		struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
		struct image img = IMAGE_INIT;
		struct arena a = ARENA_INIT;
		struct image_step *steps;
		char id[IMAGE_ID_SIZE];
		struct test_store t;
		char *text;
		size_t n;

		transfer_new(&t, drivers[i]);
		test_ok(&t, import_rootfs(&t, "debian", id));
		test_ok(&t, image_resolve(t.s, "debian:latest", IMAGE_NAMES, &img, &t.e));
		assert_string_equal(img.id, id);
		assert_int_equal(img.n_layers, 1);
		assert_int_equal(img.size, 6 + ERR_MSG_MAX);
		assert_non_null(strstr(img.config, "A=b"));
		test_ok(&t, snapshot_mounts_chain(t.s, img.chain, &m, &t.e));
		assert_int_equal(path_read_file(m.root, "etc/hostname", 100, &text, NULL), 0);
		assert_string_equal(text, "kogge\n");
		free(text);
		snapshot_mounts_done(&m);
		test_ok(&t, image_history(t.s, "debian", &a, &steps, &n, &t.e));
		assert_int_equal(n, 1);
		assert_string_equal(steps[0].comment, "by a test");
		assert_int_equal(steps[0].size, img.size);
		arena_done(&a);
		image_done(&img);
		assert_clean(&t, 1);
		test_ok(&t, image_remove(t.s, "debian", 0, NULL, NULL, &t.e));
		assert_clean(&t, 0);
		test_done(&t);
	}
}

static void note_loaded(void *arg, const char *id, const char *name)
{
	snprintf(arg, 100, "%s", name ? name : "(none)");
}

static void what_was_saved_loads_and_loads_again(void **state)
{
	char name[100] = "";
	struct test_store t;
	int archive;

	if (!can_run())
		return;
	archive = make_archive("vfs");
	transfer_new(&t, "overlay");
	test_ok(&t, load(&t, archive, note_loaded, name));
	assert_string_equal(name, "debian:latest");
	assert_clean(&t, 1);
	test_ok(&t, load(&t, archive, note_loaded, name));
	assert_clean(&t, 1);
	test_done(&t);
	fd_close(&archive);
}

static void a_cut_archive_leaves_nothing(void **state)
{
	struct test_store t;
	int archive;

	if (!can_run())
		return;
	archive = make_archive("vfs");
	transfer_new(&t, "overlay");
	assert_int_equal(ftruncate(archive, lseek(archive, 0, SEEK_END) - 4000), 0);
	assert_int_equal(load(&t, archive, NULL, NULL), -1);
	assert_clean(&t, 0);
	test_done(&t);
	fd_close(&archive);
}

static void an_empty_import_is_refused(void **state)
{
	struct image_import_opts o = {.name = NULL};
	int fd = fd_memfd("empty", "", 0, false);
	char id[IMAGE_ID_SIZE];
	struct test_store t;

	test_new(&t, "vfs");
	assert_int_equal(image_import(t.s, fd, &o, id, &t.e), -1);
	assert_int_equal(t.e.class, ERR_INVALID);
	assert_clean(&t, 0);
	test_done(&t);
	fd_close(&fd);
}

/* F01: killed at each step; the next command finds nothing half, and the load works then. */
static void test_F01_killed_at_each_step(void **state)
{
	static const char *const points[] = {
		"store.blob.create",         "store.blob.before_rename",
		"store.blob.after_rename",   "store.layer.create",
		"store.publish.before_sync", "store.sync",
		"store.publish.after_sync",  "store.publish.rows",
		"store.db.commit",           "store.publish.after_commit",
	};
	int archive = can_run() ? make_archive("vfs") : -1;

	for (size_t i = 0; archive >= 0 && i < ARRAY_SIZE(points); i++) {
		struct test_store t;
		int status;
		pid_t pid;

		transfer_new(&t, "overlay");
		test_close(&t);
		pid = fork();
		if (pid == 0) {
			char spec[64];

			snprintf(spec, sizeof(spec), "%s=kill", points[i]);
			transfer_open(&t, NULL);
			failpoint_set(spec);
			load(&t, archive, NULL, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("%s was not reached", points[i]);
		transfer_open(&t, NULL);
		assert_clean(&t, strstr(points[i], "after_commit") != NULL);
		test_ok(&t, load(&t, archive, NULL, NULL));
		assert_clean(&t, 1);
		test_done(&t);
	}
	fd_close(&archive);
}

/* F03 for a whole load. */
static void test_F03_load_with_every_nth_write_failing(void **state)
{
	int archive = can_run() ? make_archive("vfs") : -1;
	bool failed = archive >= 0;

	for (int nth = 1; failed; nth++) {
		struct test_store t;
		char spec[64];

		transfer_new(&t, "overlay");
		snprintf(spec, sizeof(spec), "io.write=error(ENOSPC)@%d*1", nth);
		test_close(&t);
		failpoint_set("io.write=off"); /* the database looks when it opens */
		transfer_open(&t, NULL);
		failpoint_set(spec);
		failed = load(&t, archive, NULL, NULL) < 0;
		failpoint_set(NULL);
		if (nth > 200)
			fail_msg("no end of writes: %s", t.e.msg);
		assert_clean(&t, !failed);
		test_ok(&t, load(&t, archive, NULL, NULL));
		assert_clean(&t, 1);
		test_done(&t);
	}
	fd_close(&archive);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_imported_tree_is_an_image),
		cmocka_unit_test(what_was_saved_loads_and_loads_again),
		cmocka_unit_test(a_cut_archive_leaves_nothing),
		cmocka_unit_test(an_empty_import_is_refused),
		cmocka_unit_test(test_F01_killed_at_each_step),
		cmocka_unit_test(test_F03_load_with_every_nth_write_failing),
	};

	if (argc != 2)
		return 77;
	unpack_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
