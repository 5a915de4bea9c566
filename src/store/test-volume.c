/* SPDX-License-Identifier: Apache-2.0 */
#include "store/test-store.h"

#include "base/arena.h"
#include "base/failpoint.h"
#include "store/check.h"
#include "store/container-store.h"
#include "store/snapshot.h"
#include "store/volume-store.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

static const struct volume_row data_row = {.name = "data", .driver = "local", .created = 1};

static void put(int dir, const char *name, const char *text)
{
	int fd = path_open_own(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static bool has(int dir, const char *name)
{
	_cleanup_(fd_close) int fd = path_open_own(dir, name, O_PATH | O_NOFOLLOW, 0);

	return fd >= 0;
}

/* A tree to fill volumes from: below the store's root, where the file system is the same. */
static int source(struct test_store *t)
{
	int root = store_root_fd(t->s), fd;

	assert_int_equal(mkdirat(root, "source", 0710), 0);
	fd = path_open_own(root, "source", O_RDONLY | O_DIRECTORY, 0);
	put(fd, "a", "from the image");
	put(fd, "b", "from the image");
	return fd;
}

static void names_are_dockers(void **state)
{
	char longest[VOLUME_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[VOLUME_NAME_MAX] = '\0';
	assert_true(volume_name_is_valid("app-data"));
	assert_true(volume_name_is_valid("0_.-"));
	assert_true(volume_name_is_valid(longest));
	longest[VOLUME_NAME_MAX] = 'x';
	longest[VOLUME_NAME_MAX + 1] = '\0';
	assert_false(volume_name_is_valid(longest));
	for (const char *const *bad = (const char *const[]){"a", "", "..", ".a", "a/b", "-a", "a b",
							    "a\n", "\303\244a", NULL};
	     *bad; bad++)
		assert_false(volume_name_is_valid(*bad));
}

static void a_volume_in_use_is_not_removed(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct volume_row row;
	struct test_store t;

	test_new(&t, "vfs");
	assert_int_equal(volume_row_add(t.s, &data_row, &t.e), 1);
	assert_int_equal(volume_row_add(t.s, &data_row, &t.e), 0);
	test_ok(&t, volume_use(t.s, "data", "c1", &t.e));
	assert_int_equal(volume_row_remove(t.s, "data", &t.e), -1);
	assert_int_equal(t.e.class, ERR_CONFLICT);
	assert_string_equal(t.e.msg, "remove data: volume is in use - [c1]");
	test_ok(&t, volume_unuse(t.s, "c1", &t.e));
	test_ok(&t, volume_row_remove(t.s, "data", &t.e));
	assert_int_equal(volume_row_get(t.s, "data", &a, &row, &t.e), -1);
	assert_int_equal(t.e.class, ERR_NOT_FOUND);
	assert_int_equal(volume_use(t.s, "data", "c1", &t.e), -1);
	test_done(&t);
}

static void a_new_volume_never_has_the_files_of_a_removed_one(void **state)
{
	struct test_store t;
	int fd;

	test_new(&t, "vfs");
	test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
	fd = volume_open(t.s, "data", &t.e);
	test_ok(&t, fd);
	put(fd, "old", "x");
	fd_close(&fd);
	test_ok(&t, volume_row_remove(t.s, "data", &t.e));
	/* Before the sweep, and the sweep afterwards leaves the new one alone. */
	test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
	fd = volume_open(t.s, "data", &t.e);
	assert_false(has(fd, "old"));
	put(fd, "new", "x");
	test_ok(&t, volume_sweep(t.s, &t.e));
	assert_true(has(fd, "new"));
	fd_close(&fd);
	fd = path_open_own(store_root_fd(t.s), "volumes/data/_data/new", O_PATH, 0);
	assert_true(fd >= 0);
	fd_close(&fd);
	test_done(&t);
}

static void a_volume_is_filled_once_with_the_owner_and_mode(void **state)
{
	struct test_store t;
	struct stat st;
	int from, fd;

	test_new(&t, "vfs");
	from = source(&t);
	test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
	assert_int_equal(volume_is_empty(t.s, "data", &t.e), 1);
	assert_int_equal(volume_fill(t.s, "data", from, &t.e), 1);
	assert_int_equal(volume_is_empty(t.s, "data", &t.e), 0);
	fd = volume_open(t.s, "data", &t.e);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0710);
	assert_true(has(fd, "a") && has(fd, "b"));
	assert_int_equal(unlinkat(fd, "a", 0), 0);
	assert_int_equal(volume_fill(t.s, "data", from, &t.e), 0);
	assert_false(has(fd, "a"));
	fd_close(&fd);
	fd_close(&from);
	test_done(&t);
}

static void F01_a_broken_off_copy_is_nothing_and_a_whole_one_is_finished(void **state)
{
	static const char *const at[] = {"store.volume.copied=error", "store.volume.fill=error",
					 "store.volume.move=error@2"};

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct test_store t;
		int from, fd;

		test_new(&t, "vfs");
		from = source(&t);
		test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
		assert_int_equal(failpoint_set(at[i]), 0);
		assert_int_equal(volume_fill(t.s, "data", from, &t.e), -1);
		failpoint_set(NULL);
		fd = volume_open(t.s, "data", &t.e);
		test_ok(&t, fd);
		assert_int_equal(has(fd, "a"), i > 0);
		assert_int_equal(has(fd, "b"), i > 0);
		assert_false(has(fd, "../_fill"));
		fd_close(&fd);
		assert_int_equal(volume_fill(t.s, "data", from, &t.e), i == 0);
		fd_close(&from);
		test_done(&t);
	}
}

static void what_users_wrote_meanwhile_stays(void **state)
{
	struct test_store t;
	char *text = NULL;
	int from, fd;

	test_new(&t, "vfs");
	from = source(&t);
	test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
	assert_int_equal(failpoint_set("store.volume.fill=error"), 0);
	assert_int_equal(volume_fill(t.s, "data", from, &t.e), -1);
	failpoint_set(NULL);
	fd = path_open_own(store_root_fd(t.s), "volumes/data/_data", O_RDONLY | O_DIRECTORY, 0);
	put(fd, "a", "mine");
	fd_close(&fd);
	fd = volume_open(t.s, "data", &t.e);
	assert_true(has(fd, "b"));
	assert_int_equal(path_read_file(fd, "a", 100, &text, NULL), 0);
	assert_string_equal(text, "mine");
	free(text);
	fd_close(&fd);
	fd_close(&from);
	test_done(&t);
}

static void note(void *arg, const struct check_finding *f)
{
	snprintf(arg, 64, "%s %s", f->kind, f->object);
}

static void a_directory_without_a_row_is_told_and_gets_one(void **state)
{
	struct check_counts counts;
	char found[64] = "";
	struct test_store t;
	int fd;

	test_new(&t, "vfs");
	test_ok(&t, volume_row_add(t.s, &data_row, &t.e));
	fd = volume_open(t.s, "data", &t.e);
	put(fd, "mine", "x");
	fd_close(&fd);
	test_ok(&t, db_run(store_db(t.s), NULL, &t.e, "DELETE FROM volumes", ""));
	test_ok(&t, store_check(t.s, CHECK_REPAIR, note, found, &counts, &t.e));
	assert_string_equal(found, "volume data");
	assert_int_equal(counts.orphans, 1);
	fd = volume_open(t.s, "data", &t.e);
	assert_true(has(fd, "mine"));
	fd_close(&fd);
	test_ok(&t, store_check(t.s, 0, note, found, &counts, &t.e));
	assert_int_equal(counts.orphans + counts.damaged, 0);
	test_done(&t);
}

static void F17_a_store_of_format_1_gets_the_tables(void **state)
{
	static const char back[] = "DROP TABLE volumes; DROP TABLE container_volumes;"
				   "DROP TABLE networks; DROP TABLE endpoints; DROP TABLE ports;"
				   "DROP TABLE build_records; DROP TABLE build_keys;"
				   "ALTER TABLE containers DROP COLUMN brief;"
				   "PRAGMA user_version=1";
	struct test_store t;
	sqlite3 *db = NULL;
	char path[300];
	int format;

	test_new(&t, "vfs");
	snprintf(path, sizeof(path), "%s/kogge.db", t.root);
	test_close(&t);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	/* Broken off in the middle it is as before. */
	assert_int_equal(failpoint_set("store.db.migrate=error"), 0);
	assert_int_equal(
		store_open(&(struct store_opts){.root = t.root, .run_root = t.run}, &t.s, &t.e),
		-1);
	failpoint_set(NULL);
	test_open(&t, NULL);
	format = db_format(store_db(t.s), &t.e);
	assert_int_equal(format, STORE_FORMAT);
	assert_int_equal(volume_row_add(t.s, &data_row, &t.e), 1);
	test_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_dockers),
		cmocka_unit_test(a_volume_in_use_is_not_removed),
		cmocka_unit_test(a_new_volume_never_has_the_files_of_a_removed_one),
		cmocka_unit_test(a_volume_is_filled_once_with_the_owner_and_mode),
		cmocka_unit_test(F01_a_broken_off_copy_is_nothing_and_a_whole_one_is_finished),
		cmocka_unit_test(what_users_wrote_meanwhile_stays),
		cmocka_unit_test(a_directory_without_a_row_is_told_and_gets_one),
		cmocka_unit_test(F17_a_store_of_format_1_gets_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
