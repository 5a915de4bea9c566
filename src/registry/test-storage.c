/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every storage of a registry; run with the directory. */
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "registry/storage-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct storage *s;
static char root[64];
static struct err e;

static int setup(void **state)
{
	snprintf(root, sizeof(root), "test-storage-XXXXXX");
	e = ERR_INIT;
	if (!mkdtemp(root))
		return -1;
	s = storage_directory_open(root, &e);
	return s ? 0 : -1;
}

static int teardown(void **state)
{
	storage_free(s);
	return path_remove_tree(AT_FDCWD, root);
}

static void assert_object(const char *key, const char *text)
{
	char got[64];

	if (storage_read(s, key, got, sizeof(got), &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(got, text);
}

static void put(const char *key, const char *text)
{
	if (s->ops->put(s, key, text, strlen(text), &e) < 0)
		fail_msg("%s", e.msg);
}

static void what_was_put_is_read_again(void **state)
{
	struct storage_stat st;

	put("repositories/a/b/_tags/x", "one");
	assert_object("repositories/a/b/_tags/x", "one");
	put("repositories/a/b/_tags/x", "two");
	assert_object("repositories/a/b/_tags/x", "two");
	assert_int_equal(s->ops->stat(s, "repositories/a/b/_tags/x", &st, &e), 0);
	assert_int_equal(st.size, 3);
	assert_int_equal(s->ops->stat(s, "repositories/a/b", &st, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_int_equal(s->ops->get(s, "repositories/none", NULL, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
}

static void swap_changes_only_what_is_as_expected(void **state)
{
	assert_int_equal(s->ops->swap(s, "a/t", "x", "y", 1, &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(s->ops->swap(s, "a/t", NULL, "1", 1, &e), 0);
	assert_int_equal(s->ops->swap(s, "a/t", NULL, "2", 1, &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(s->ops->swap(s, "a/t", "1", "2", 1, &e), 0);
	assert_int_equal(s->ops->swap(s, "a/t", "1", "3", 1, &e), -1);
	assert_object("a/t", "2");
}

static void what_was_touched_is_not_removed_by_who_saw_it_before(void **state)
{
	struct storage_stat st;

	put("a/t", "1");
	assert_int_equal(s->ops->stat(s, "a/t", &st, &e), 0);
	assert_int_equal(s->ops->touch(s, "a/t", &e), 0);
	assert_int_equal(s->ops->remove(s, "a/t", &st, &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(s->ops->stat(s, "a/t", &st, &e), 0);
	assert_int_equal(s->ops->remove(s, "a/t", &st, &e), 0);
	assert_int_equal(s->ops->remove(s, "a/t", NULL, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_int_equal(s->ops->touch(s, "a/t", &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
}

static int count(void *arg, const char *name, bool folder, struct err *err)
{
	int *n = arg;

	n[folder]++;
	return *name == '!' ? -1 : 0;
}

static void a_listing_has_objects_and_folders(void **state)
{
	int n[2] = {0};

	put("l/a", "");
	put("l/b", "");
	put("l/c/d", "");
	assert_int_equal(s->ops->list(s, "l", count, n, &e), 0);
	assert_int_equal(n[false], 2);
	assert_int_equal(n[true], 1);
	assert_int_equal(s->ops->list(s, "none", count, n, &e), 0);
	assert_int_equal(n[false], 2);
	put("l/!", "");
	assert_int_equal(s->ops->list(s, "l", count, n, &e), -1);
}

static void an_upload_goes_on_and_becomes_an_object(void **state)
{
	char id[STORAGE_UPLOAD_ID_SIZE], text[8] = "";
	struct storage_upload *u, *other;
	uint64_t size;

	assert_int_equal(s->ops->upload_open(s, id, true, &u, &size, &e), 0);
	assert_int_equal(size, 0);
	assert_int_equal(s->ops->upload_write(u, "abc", 3, &e), 0);
	assert_int_equal(s->ops->upload_open(s, id, false, &other, &size, &e), -1);
	assert_int_equal(e.class, ERR_CONFLICT);
	assert_int_equal(s->ops->upload_close(u, NULL, true, &e), 0);
	assert_int_equal(s->ops->upload_open(s, id, false, &u, &size, &e), 0);
	assert_int_equal(size, 3);
	assert_int_equal(s->ops->upload_write(u, "def", 3, &e), 0);
	assert_int_equal(s->ops->upload_read(u, 2, text, 3, &e), 3);
	assert_string_equal(text, "cde");
	assert_int_equal(s->ops->upload_close(u, "blobs/x/y", false, &e), 0);
	assert_object("blobs/x/y", "abcdef");
	assert_int_equal(s->ops->upload_open(s, id, false, &u, &size, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
}

static void a_cancelled_upload_leaves_nothing(void **state)
{
	char id[STORAGE_UPLOAD_ID_SIZE];
	struct storage_upload *u;
	uint64_t size;
	int n[2] = {0};

	assert_int_equal(s->ops->upload_open(s, id, true, &u, &size, &e), 0);
	assert_int_equal(s->ops->upload_close(u, NULL, false, &e), 0);
	assert_int_equal(s->ops->list(s, "uploads", count, n, &e), 0);
	assert_int_equal(n[false], 0);
}

static void a_failure_before_the_rename_publishes_nothing(void **state)
{
#ifdef KOGGE_FAILPOINTS
	char id[STORAGE_UPLOAD_ID_SIZE];
	struct storage_upload *u;
	struct storage_stat st;
	uint64_t size;

	assert_int_equal(s->ops->upload_open(s, id, true, &u, &size, &e), 0);
	failpoint_set("registry.upload.before_sync=error(ENOSPC)");
	assert_int_equal(s->ops->upload_close(u, "blobs/x", false, &e), -1);
	failpoint_set(NULL);
	assert_int_equal(e.class, ERR_LIMIT);
	assert_int_equal(s->ops->stat(s, "blobs/x", &st, &e), -1);
#else
	skip();
#endif
}

static void a_link_is_no_object(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/blobs/link", root);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(s->ops->get(s, "blobs/link", NULL, &e), -1);
	snprintf(path, sizeof(path), "%s/blobs/folder", root);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(s->ops->get(s, "blobs/folder/passwd", NULL, &e), -1);
}

static void another_layout_is_refused(void **state)
{
	put("kogge-registry", "2\n");
	assert_null(storage_directory_open(root, &e));
	assert_int_equal(e.class, ERR_UNSUPPORTED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_put_is_read_again),
		TEST(swap_changes_only_what_is_as_expected),
		TEST(what_was_touched_is_not_removed_by_who_saw_it_before),
		TEST(a_listing_has_objects_and_folders),
		TEST(an_upload_goes_on_and_becomes_an_object),
		TEST(a_cancelled_upload_leaves_nothing),
		TEST(a_failure_before_the_rename_publishes_nothing),
		TEST(a_link_is_no_object),
		TEST(another_layout_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
