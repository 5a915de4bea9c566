/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/journal.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char name[32];
	int dir, parent;
};

static int setup(void **state)
{
	static struct fixture f;

	snprintf(f.name, sizeof(f.name), "kogge-journal-%d", (int)getpid());
	f.parent = path_open_host("/tmp", O_PATH | O_DIRECTORY, 0);
	f.dir = path_mkdirs(f.parent, f.name, 0700, 0);
	*state = &f;
	return f.dir < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	path_remove_tree(f->parent, f->name);
	fd_close(&f->dir);
	fd_close(&f->parent);
	return 0;
}

static const struct journal_event sample = {.type = "container",
					    .action = "exec_create: echo \"a\\b\"\n\xff\xc3\xa4",
					    .id = "4f1c",
					    .from = "busybox",
					    .attributes = "\"name\":\"web\"",
					    .time = 1500000000000000007};

static void a_line_has_the_form_of_dockers_events(void **state)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(4096);

	assert_int_equal(journal_line(&sample, &out), 0);
	assert_string_equal(
		buf_str(&out),
		"{\"status\":\"exec_create: echo \\\"a\\\\b\\\"\\u000a\\ufffd\xc3\xa4\","
		"\"id\":\"4f1c\",\"from\":\"busybox\",\"Type\":\"container\","
		"\"Action\":\"exec_create: echo \\\"a\\\\b\\\"\\u000a\\ufffd\xc3\xa4\","
		"\"Actor\":{\"ID\":\"4f1c\",\"Attributes\":{\"name\":\"web\"}},\"scope\":\"local\","
		"\"time\":1500000000,\"timeNano\":1500000000000000007}\n");
}

static void attributes_are_joined_by_commas(void **state)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(4096);

	assert_int_equal(journal_put_attribute(&out, "a", "1"), 0);
	assert_int_equal(journal_put_attribute(&out, "b", "2"), 0);
	assert_string_equal(buf_str(&out), "\"a\":\"1\",\"b\":\"2\"");
}

static void a_full_journal_is_moved_away_and_the_next_event_is_in_a_new_one(void **state)
{
	struct fixture *f = *state;
	_cleanup_(journal_done) struct journal j = JOURNAL_INIT(f->dir);
	int64_t written = 0;
	struct stat old, now;

	while (written <= JOURNAL_MAX) {
		assert_int_equal(journal_write(&j, &sample), 0);
		written += 250;
		if (fstatat(f->dir, JOURNAL_DIR "/" JOURNAL_OLD, &old, 0) == 0)
			break;
	}
	assert_int_equal(fstatat(f->dir, JOURNAL_DIR "/" JOURNAL_OLD, &old, 0), 0);
	assert_true(old.st_size > JOURNAL_MAX);
	assert_int_equal(journal_write(&j, &sample), 0);
	assert_int_equal(fstatat(f->dir, JOURNAL_DIR "/" JOURNAL_FILE, &now, 0), 0);
	assert_true(now.st_size > 0 && now.st_size < 1000);
	assert_int_equal(now.st_mode & 07777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_the_form_of_dockers_events),
		cmocka_unit_test(attributes_are_joined_by_commas),
		cmocka_unit_test_setup_teardown(
			a_full_journal_is_moved_away_and_the_next_event_is_in_a_new_one, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
