/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "engine/build-copy.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Two trees, and what is copied from the one to the other. */
struct trees {
	int top, from, to;
	char name[32];
	struct ignore ignore;
	struct err e;
};

static void put(int dir, const char *path, const char *text)
{
	char above[256];
	const char *last = strrchr(path, '/');
	int fd;

	snprintf(above, sizeof(above), "%.*s", last ? (int)(last - path) : 0, path);
	fd = path_mkdirs(dir, above, 0755, 0);
	assert_true(fd >= 0);
	close(fd);
	fd = path_create(dir, path, 0644, 0);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static void assert_holds(const struct trees *t, const char *path, const char *text)
{
	_cleanup_(freep) char *got = NULL;

	assert_int_equal(path_read_file(t->to, path, 4096, &got, NULL), 0);
	assert_string_equal(got, text);
}

static void assert_absent(const struct trees *t, const char *path)
{
	_cleanup_(fd_close) int fd = path_open(t->to, path, O_PATH | O_NOFOLLOW, 0);

	assert_true(fd < 0);
}

static int open_folder(int dir, const char *name)
{
	int fd = path_mkdirs(dir, name, 0755, 0);

	assert_true(fd >= 0);
	close(fd);
	return path_open_own(dir, name, O_RDONLY | O_DIRECTORY, 0);
}

static int setup(void **state)
{
	struct trees *t = calloc(1, sizeof(*t));
	int dir;

	assert_non_null(t);
	snprintf(t->name, sizeof(t->name), "kogge-copy-%d", (int)getpid());
	t->top = path_open_host("/tmp", O_RDONLY | O_DIRECTORY, 0);
	path_remove_tree(t->top, t->name);
	dir = open_folder(t->top, t->name);
	t->from = open_folder(dir, "from");
	t->to = open_folder(dir, "to");
	close(dir);
	t->ignore = IGNORE_INIT;
	assert_true(t->from >= 0 && t->to >= 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct trees *t = *state;

	ignore_done(&t->ignore);
	close(t->from);
	close(t->to);
	path_remove_tree(t->top, t->name);
	close(t->top);
	free(t);
	return 0;
}

/* Owners are left as they are, so that it works for everybody. */
static int copy(struct trees *t, const char *path, const char *dest)
{
	const char *const paths[] = {path, NULL};
	const struct build_copy c = {
		.from = {.root = t->from, .ignore = &t->ignore, .name = "the context"},
		.paths = paths,
		.dest = dest};

	t->e = ERR_INIT;
	return build_copy_run(t->to, &c, &t->e);
}

static void a_file_goes_to_a_name_or_into_a_folder(void **state)
{
	struct trees *t = *state;

	put(t->from, "a", "A");
	assert_int_equal(copy(t, "a", "/x"), 0);
	assert_holds(t, "x", "A");
	assert_int_equal(copy(t, "/a", "/d/"), 0);
	assert_holds(t, "d/a", "A");
	assert_int_equal(copy(t, "./a", "/d"), 0);
	assert_int_equal(copy(t, "a", "/new/deep/b"), 0);
	assert_holds(t, "new/deep/b", "A");
}

static void of_a_folder_its_content_is_copied(void **state)
{
	struct trees *t = *state;
	struct stat st;

	put(t->from, "s/one", "1");
	put(t->from, "s/sub/two", "2");
	assert_int_equal(fchmodat(t->from, "s/sub", 0701, 0), 0);
	put(t->to, "d/sub/old", "old");
	assert_int_equal(copy(t, "s", "/d"), 0);
	assert_holds(t, "d/one", "1");
	assert_holds(t, "d/sub/two", "2");
	assert_holds(t, "d/sub/old", "old");
	assert_int_equal(fstatat(t->to, "d/sub", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0701);
}

static void wildcards_find_files_in_folders_and_may_find_nothing(void **state)
{
	struct trees *t = *state;

	put(t->from, "a1.txt", "1");
	put(t->from, "a2.txt", "2");
	put(t->from, "b/c.txt", "3");
	assert_int_equal(copy(t, "a*.txt", "/d/"), 0);
	assert_holds(t, "d/a1.txt", "1");
	assert_holds(t, "d/a2.txt", "2");
	assert_int_equal(copy(t, "*/c.txt", "/e/"), 0);
	assert_holds(t, "e/c.txt", "3");
	assert_int_equal(copy(t, "nothing*", "/f/"), 0);
	assert_absent(t, "f");
}

static void a_source_that_is_not_there_is_an_error(void **state)
{
	struct trees *t = *state;

	assert_int_equal(copy(t, "gone", "/x"), -1);
	assert_int_equal(t->e.class, ERR_NOT_FOUND);
	assert_non_null(strstr(t->e.msg, "\"/gone\": not found"));
}

static void test_B15_links_and_dots_do_not_lead_out_of_the_context(void **state)
{
	struct trees *t = *state;

	put(t->to, "outside", "secret");
	assert_int_equal(symlinkat("../to/outside", t->from, "link"), 0);
	assert_int_equal(symlinkat("/etc", t->from, "etc"), 0);
	assert_int_equal(copy(t, "link", "/x"), -1);
	assert_int_equal(t->e.class, ERR_NOT_FOUND);
	assert_int_equal(copy(t, "../to/outside", "/x"), -1);
	assert_int_equal(copy(t, "etc/passwd", "/x"), -1);
	assert_absent(t, "x");
}

static void test_B12_a_destination_stays_below_the_root(void **state)
{
	struct trees *t = *state;

	put(t->from, "a", "A");
	assert_int_equal(copy(t, "a", "/../../x"), 0);
	assert_holds(t, "x", "A");
	assert_int_equal(symlinkat("/../../..", t->to, "up"), 0);
	assert_int_equal(copy(t, "a", "/up/y"), 0);
	assert_holds(t, "y", "A");
}

static void links_are_copied_as_links_below_a_folder(void **state)
{
	struct trees *t = *state;
	char text[16] = "";

	put(t->from, "s/a", "A");
	assert_int_equal(symlinkat("a", t->from, "s/l"), 0);
	assert_int_equal(linkat(t->from, "s/a", t->from, "s/h", 0), 0);
	assert_int_equal(copy(t, "s", "/d"), 0);
	assert_int_equal(readlinkat(t->to, "d/l", text, sizeof(text)), 1);
	assert_holds(t, "d/h", "A");
}

static void what_is_ignored_is_not_copied_and_exceptions_are(void **state)
{
	static const char text[] = "*.log\nnode\n!node/keep\n";
	struct trees *t = *state;

	assert_int_equal(ignore_parse(text, strlen(text), &t->ignore, &t->e), 0);
	put(t->from, "a.log", "no");
	put(t->from, "a.txt", "yes");
	put(t->from, "node/keep", "kept");
	put(t->from, "node/drop", "no");
	assert_int_equal(copy(t, ".", "/d/"), 0);
	assert_holds(t, "d/a.txt", "yes");
	assert_holds(t, "d/node/keep", "kept");
	assert_absent(t, "d/a.log");
	assert_absent(t, "d/node/drop");
	assert_int_equal(copy(t, "a.log", "/x"), -1);
	assert_int_equal(t->e.class, ERR_NOT_FOUND);
}

static void fifos_are_copied_and_sockets_left_out(void **state)
{
	struct trees *t = *state;
	struct stat st;

	put(t->from, "s/a", "A");
	assert_int_equal(mknodat(t->from, "s/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(mknodat(t->from, "s/sock", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(copy(t, "s", "/d"), 0);
	assert_int_equal(fstatat(t->to, "d/fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_absent(t, "d/sock");
}

static void digest(struct trees *t, const char *path, char hex[SHA256_HEX_SIZE])
{
	const char *const paths[] = {path, NULL};
	const struct build_copy c = {
		.from = {.root = t->from, .name = "the context"}, .paths = paths, .dest = "/"};
	struct build_digest d = {.newest = 0};
	unsigned char sum[SHA256_SIZE];

	sha256_init(&d.hash);
	assert_int_equal(build_copy_digest(&c, &d, &t->e), 0);
	sha256_end(&d.hash, sum);
	hex_encode(sum, sizeof(sum), hex);
}

static void a_content_key_knows_content_and_modes_and_no_times(void **state)
{
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char first[SHA256_HEX_SIZE], now[SHA256_HEX_SIZE];
	struct trees *t = *state;

	put(t->from, "s/a", "A");
	digest(t, "s", first);
	assert_int_equal(utimensat(t->from, "s/a", old, 0), 0);
	digest(t, "s", now);
	assert_string_equal(first, now);
	assert_int_equal(fchmodat(t->from, "s/a", 0755, 0), 0);
	digest(t, "s", now);
	assert_string_not_equal(first, now);
	assert_int_equal(fchmodat(t->from, "s/a", 0644, 0), 0);
	put(t->from, "s/b", "");
	digest(t, "s", now);
	assert_string_not_equal(first, now);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_file_goes_to_a_name_or_into_a_folder),
		T(of_a_folder_its_content_is_copied),
		T(wildcards_find_files_in_folders_and_may_find_nothing),
		T(a_source_that_is_not_there_is_an_error),
		T(test_B15_links_and_dots_do_not_lead_out_of_the_context),
		T(test_B12_a_destination_stays_below_the_root),
		T(links_are_copied_as_links_below_a_folder),
		T(what_is_ignored_is_not_copied_and_exceptions_are),
		T(fifos_are_copied_and_sockets_left_out),
		T(a_content_key_knows_content_and_modes_and_no_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
