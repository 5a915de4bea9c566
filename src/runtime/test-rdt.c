/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of resctrl in an ordinary folder, with the files that the kernel would make. */
#include "runtime/rdt.h"

#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int root = -1;

static int make_root(void **state)
{
	static char name[] = "/tmp/test-rdt-XXXXXX";

	*state = name;
	if (!mkdtemp(name))
		return -1;
	root = path_open_host(name, O_PATH | O_DIRECTORY, 0);
	if (root < 0 || mkdirat(root, "given", 0755) < 0)
		return -1;
	return path_write_file(root, "given/schemata", "", 0, 0600) < 0 ||
	       path_write_file(root, "given/tasks", "", 0, 0600) < 0;
}

static int remove_root(void **state)
{
	path_remove_tree(root, "given");
	fd_close(&root);
	return rmdir(*state);
}

static void check_file(const char *rel, const char *want)
{
	_cleanup_(freep) char *text = NULL;
	size_t n;

	assert_int_equal(path_read_file(root, rel, 4096, &text, &n), 0);
	assert_string_equal(text, want);
}

static void a_class_that_is_there_gets_schemata_and_the_process(void **state)
{
	const struct oci_intel_rdt r = {.clos_id = "given", .l3 = "L3:0=f"};
	struct err e = ERR_INIT;

	assert_int_equal(runtime_rdt_make(root, &r, "given", &e), 0);
	assert_int_equal(runtime_rdt_join(root, "given", 1234, &e), 0);
	check_file("given/schemata", "L3:0=f\n");
	check_file("given/tasks", "1234\n");
}

static void a_named_class_must_be_there_where_nothing_is_to_be_written(void **state)
{
	const struct oci_intel_rdt r = {.clos_id = "none"};
	struct err e = ERR_INIT;

	assert_int_equal(runtime_rdt_make(root, &r, "none", &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, "closID"));
}

static void a_class_of_its_own_is_made_and_removed(void **state)
{
	const struct oci_intel_rdt r = {.clos_id = NULL};
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(runtime_rdt_make(root, &r, "box", &e), 0);
	assert_int_equal(fstatat(root, "box", &st, 0), 0);
	assert_int_equal(runtime_rdt_remove(root, "box", &e), 0);
	assert_int_equal(fstatat(root, "box", &st, 0), -1);
	assert_int_equal(runtime_rdt_remove(root, "box", &e), 0);
}

static void a_class_whose_schemata_are_refused_does_not_stay(void **state)
{
	const struct oci_intel_rdt r = {.mem_bw = "MB:0=10"};
	struct err e = ERR_INIT;
	struct stat st;

	/* No kernel has made the file. */
	assert_int_equal(runtime_rdt_make(root, &r, "box", &e), -1);
	assert_non_null(strstr(e.msg, "MB:0=10"));
	assert_int_equal(fstatat(root, "box", &st, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_class_that_is_there_gets_schemata_and_the_process),
		cmocka_unit_test(a_named_class_must_be_there_where_nothing_is_to_be_written),
		cmocka_unit_test(a_class_of_its_own_is_made_and_removed),
		cmocka_unit_test(a_class_whose_schemata_are_refused_does_not_stay),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
