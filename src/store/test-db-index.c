/* SPDX-License-Identifier: Apache-2.0 */
#include "store/test-store.h"

#include "store/db.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#define MARK 100000 /* a size that SQLite gives the index at no time here */

static const char sql_write[] = "INSERT OR REPLACE INTO meta VALUES('test', ?)";
static const char sql_read[] = "SELECT value FROM meta WHERE key='test'";

static int open_file(struct test_store *t, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", t->root, name);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* A store that nobody has open, with VALUE in its log and an index of a size that tells whether it
 * is kept. */
static void leave(struct test_store *t, const char *value)
{
	int fd;

	assert_int_equal(db_run(t->s->db, NULL, &t->e, sql_write, "t", value), 0);
	test_close(t);
	fd = open_file(t, "kogge.db-shm");
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, MARK), 0);
	close(fd);
}

/* Opens the store again; returns whether the index was kept. What was written must be there. */
static bool kept(struct test_store *t, const char *value)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct stat sb;
	int fd;

	test_open(t, "vfs");
	assert_int_equal(db_row(t->s->db, &st, &t->e, sql_read, ""), 1);
	assert_string_equal(db_text(st, 0), value);
	fd = open_file(t, "kogge.db-shm");
	assert_int_equal(fstat(fd, &sb), 0);
	close(fd);
	return sb.st_size == MARK;
}

static bool has_attributes(struct test_store *t)
{
	int fd = open_file(t, "kogge.db-shm");
	char value[64];
	bool has = fgetxattr(fd, "user.kogge.boot", value, sizeof(value)) > 0;

	close(fd);
	return has;
}

static void the_index_of_this_boot_is_kept(void **state)
{
	struct test_store t;

	test_new(&t, "vfs");
	if (!has_attributes(&t)) {
		test_done(&t);
		skip();
	}
	leave(&t, "one");
	assert_true(kept(&t, "one"));
	leave(&t, "two");
	assert_true(kept(&t, "two"));
	test_done(&t);
}

static void the_index_of_another_boot_is_emptied(void **state)
{
	struct test_store t;
	int fd;

	test_new(&t, "vfs");
	leave(&t, "one");
	fd = open_file(&t, "kogge.db-shm");
	(void)fsetxattr(fd, "user.kogge.boot", "00000000-0000-0000-0000-000000000000", 36, 0);
	close(fd);
	assert_false(kept(&t, "one"));
	test_done(&t);
}

static void an_index_with_a_torn_header_is_emptied(void **state)
{
	struct test_store t;
	int fd;

	test_new(&t, "vfs");
	leave(&t, "one");
	fd = open_file(&t, "kogge.db-shm");
	assert_int_equal(pwrite(fd, "\xff", 1, 20), 1);
	close(fd);
	assert_false(kept(&t, "one"));
	test_done(&t);
}

/* The log is put back to what it was before the last commit. */
static void the_index_of_another_log_is_emptied(void **state)
{
	struct test_store t;
	struct stat before;
	int fd;

	test_new(&t, "vfs");
	leave(&t, "one");
	fd = open_file(&t, "kogge.db-wal");
	assert_int_equal(fstat(fd, &before), 0);
	test_open(&t, "vfs");
	leave(&t, "two");
	assert_int_equal(ftruncate(fd, before.st_size), 0);
	close(fd);
	assert_false(kept(&t, "one"));
	test_done(&t);
}

/* Its header is synced: by who moved the log, not by the next start. */
static void a_log_that_was_moved_has_a_header(void **state)
{
	struct test_store t;
	struct stat sb;
	int fd;

	test_new(&t, "vfs");
	assert_int_equal(db_run(t.s->db, NULL, &t.e, sql_write, "t", "one"), 0);
	db_checkpoint(t.s->db, 0);
	fd = open_file(&t, "kogge.db-wal");
	assert_int_equal(fstat(fd, &sb), 0);
	close(fd);
	assert_true(sb.st_size > 0 && sb.st_size < 4096);
	test_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_of_this_boot_is_kept),
		cmocka_unit_test(the_index_of_another_boot_is_emptied),
		cmocka_unit_test(an_index_with_a_torn_header_is_emptied),
		cmocka_unit_test(the_index_of_another_log_is_emptied),
		cmocka_unit_test(a_log_that_was_moved_has_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
