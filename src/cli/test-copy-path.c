/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/copy-path.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void paths_are_cleaned_and_keep_their_end(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {
		{"/a/b", "/a/b"},   {"/a//b/", "/a/b/"}, {"/a/./b/.", "/a/b/."},   {"a", "/base/a"},
		{"a/", "/base/a/"}, {".", "/base/."},    {"./a/../b", "/base/b"},  {"/", "/"},
		{"/.", "/."},       {"/..", "/"},        {"../../../x/.", "/x/."}, {"..", "/"},
	};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(copy_path_clean(&a, "/base", cases[i].path), cases[i].clean);
}

/* Docker's PrepareArchiveCopy: the directory and the name, or the error. */
static void a_copy_is_prepared_as_docker_does(void **state)
{
	enum { NOTHING, FILE_, DIR_ };
	static const struct {
		mode_t src;
		const char *name, *target;
		int there;
		const char *dir, *as;
	} cases[] = {
		{S_IFREG, "f", "/t", DIR_, "/t", "f"},
		{S_IFREG, "f", "/t/x", FILE_, "/t/", "x"},
		{S_IFREG, "f", "/t/x", NOTHING, "/t/", "x"},
		{S_IFREG, "f", "/t/x/", NOTHING, NULL, "no such directory"},
		{S_IFREG, "f", "/t/x/.", NOTHING, NULL, "no such directory"},
		{S_IFDIR, "d", "/t", DIR_, "/t", "d"},
		{S_IFDIR, ".", "/t", DIR_, "/t", "."},
		{S_IFDIR, "d", "/t/x", FILE_, NULL, "cannot copy directory"},
		{S_IFDIR, "d", "/t/x", NOTHING, "/t/", "x"},
		{S_IFDIR, ".", "/t/x/", NOTHING, "/t/", "x"},
		{S_IFDIR, "d", "/t/x/.", NOTHING, "/t/x/", "."},
	};
	_cleanup_(arena_done) struct arena a = ARENA_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct copy_source src = {
			.fd = -1, .st.st_mode = cases[i].src, .name = cases[i].name};
		const struct copy_target target = {.path = cases[i].target,
						   .exists = cases[i].there != NOTHING,
						   .is_dir = cases[i].there == DIR_};
		const char *dir = NULL, *as = NULL;
		struct err e = ERR_INIT;
		int r = copy_prepare(&a, &src, &target, &dir, &as, &e);

		if (cases[i].dir) {
			assert_int_equal(r, 0);
			assert_string_equal(dir, cases[i].dir);
			assert_string_equal(as, cases[i].as);
		} else {
			assert_int_equal(r, -1);
			assert_string_equal(e.msg, cases[i].as);
		}
	}
}

/* "file", "link" to it, "dir", "dlink" to it, "out" that climbs to "file", "broken", "loop". */
static int make_root(char path[64])
{
	static const char *const links[][2] = {{"file", "link"},
					       {"dir", "dlink"},
					       {"../../file", "out"},
					       {"nowhere", "broken"},
					       {"loop", "loop"}};
	_cleanup_(fd_close) int file = -1;
	int root;

	snprintf(path, 64, "test-copy-path-XXXXXX");
	assert_non_null(mkdtemp(path));
	root = path_open_host(path, O_RDONLY | O_DIRECTORY, 0);
	assert_true(root >= 0);
	file = openat(root, "file", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(mkdirat(root, "dir", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i][0], root, links[i][1]), 0);
	return root;
}

static void links_stay_below_the_root(void **state)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(copy_source_done) struct copy_source s = COPY_SOURCE_INIT;
	struct copy_target t;
	char path[64];
	_cleanup_(fd_close) int root = make_root(path);
	_cleanup_(fd_close) int here = path_open_host(".", O_RDONLY | O_DIRECTORY, 0);

	assert_int_equal(copy_source_find(&a, root, "/out", false, &s), 0);
	assert_true(S_ISLNK(s.st.st_mode));
	copy_source_done(&s);
	assert_int_equal(copy_source_find(&a, root, "/out", true, &s), 0);
	assert_true(S_ISREG(s.st.st_mode));
	assert_string_equal(s.name, "out");
	copy_source_done(&s);
	assert_int_equal(copy_source_find(&a, root, "/dlink/", false, &s), 0);
	assert_true(S_ISDIR(s.st.st_mode));
	copy_source_done(&s);
	assert_int_equal(copy_source_find(&a, root, "/file/", false, &s), -ENOTDIR);
	assert_int_equal(copy_source_find(&a, root, "/absent", false, &s), -ENOENT);
	assert_int_equal(copy_target_find(&a, root, "/dlink", &t), 0);
	assert_true(t.exists && t.is_dir);
	assert_int_equal(copy_target_find(&a, root, "/out", &t), 0);
	assert_true(t.exists && !t.is_dir);
	assert_int_equal(copy_target_find(&a, root, "/broken", &t), 0);
	assert_false(t.exists);
	assert_string_equal(t.path, "/nowhere");
	assert_int_equal(copy_target_find(&a, root, "/loop", &t), -ELOOP);
	assert_int_equal(path_remove_tree(here, path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_cleaned_and_keep_their_end),
		cmocka_unit_test(a_copy_is_prepared_as_docker_does),
		cmocka_unit_test(links_stay_below_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
