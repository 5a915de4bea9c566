/* SPDX-License-Identifier: Apache-2.0 */
#include "store/test-store.h"
#include "store/tree-tar.h"

#include "base/buf.h"
#include "codec/sink.h"
#include "codec/tar.h"

#include <sys/stat.h>

/* A directory with one of everything, and what the archive of it says, a line for each entry. */
struct tree {
	char path[256];
	int dir;
	struct buf archive, text;
	struct err e;
};

static void put(int dir, const char *name, const char *text, mode_t mode)
{
	_cleanup_(fd_close) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int make(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	_cleanup_(fd_close) int sub = -1;
	char base[128];

	t->archive = BUF_INIT(1 << 24);
	t->text = BUF_INIT(1 << 20);
	assert_non_null(getcwd(base, sizeof(base)));
	snprintf(t->path, sizeof(t->path), "%s/test-tree-tar-XXXXXX", base);
	assert_non_null(mkdtemp(t->path));
	t->dir = path_open_host(t->path, O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(mkdirat(t->dir, "b", 0750), 0);
	sub = openat(t->dir, "b", O_RDONLY | O_DIRECTORY);
	put(sub, "file", "hello", 0644);
	put(t->dir, "a", "x", 04755);
	assert_int_equal(linkat(t->dir, "a", sub, "again", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", t->dir, "c"), 0);
	assert_int_equal(mknodat(t->dir, "fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(mknodat(sub, "sock", S_IFSOCK | 0600, 0), 0);
	*state = t;
	return 0;
}

static int unmake(void **state)
{
	struct tree *t = *state;
	char *name = strrchr(t->path, '/');
	_cleanup_(fd_close) int parent = -1;

	*name = '\0';
	parent = path_open_host(t->path, O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(path_remove_tree(parent, name + 1), 0);
	fd_close(&t->dir);
	buf_done(&t->archive);
	buf_done(&t->text);
	free(t);
	return 0;
}

static const char *listed(struct tree *t)
{
	_cleanup_(stream_freep) struct stream *in =
		stream_from_mem(t->archive.data, t->archive.len, &t->e);
	_cleanup_(tar_reader_freep) struct tar_reader *r = tar_reader_new(in, &t->e);
	const struct tar_entry *entry;
	int n;

	buf_clear(&t->text);
	while ((n = tar_reader_next(r, &entry, &t->e)) > 0)
		buf_printf(&t->text, "%d %s %s %o %llu\n", entry->type, entry->name,
			   entry->linkname, entry->mode, (unsigned long long)entry->size);
	if (n < 0)
		fail_msg("%s", t->e.msg);
	return buf_str(&t->text);
}

static const char *written(struct tree *t, const struct tree_tar_opts *o, const char *entry,
			   const char *as)
{
	_cleanup_(sink_freep) struct sink *out = NULL;
	_cleanup_(fd_close) int fd = -1;
	int r;

	buf_clear(&t->archive);
	out = sink_to_buf(&t->archive, &t->e);
	assert_non_null(out);
	fd = entry ? path_open_own(t->dir, entry, O_PATH | O_NOFOLLOW, 0) : -1;
	r = entry ? tree_tar_write_file(fd, as, o, out, &t->e)
		  : tree_tar_write(t->dir, o, out, &t->e);
	return r < 0 ? t->e.msg : listed(t);
}

static void a_tree_becomes_its_entries_in_order(void **state)
{
	const struct tree_tar_opts o = {.flags = 0};

	assert_string_equal(written(*state, &o, NULL, NULL),
			    "0 a  4755 1\n5 b/  750 0\n1 b/again a 4755 0\n0 b/file  644 5\n"
			    "2 c /etc/passwd 777 0\n6 fifo  600 0\n");
}

static void names_start_with_the_prefix(void **state)
{
	const struct tree_tar_opts o = {.prefix = "top"};

	assert_non_null(strstr(written(*state, &o, NULL, NULL), "5 top/  700 0\n0 top/a "));
}

static void one_entry_gets_the_name_that_it_shall_have(void **state)
{
	const struct tree_tar_opts o = {.flags = 0};

	assert_string_equal(written(*state, &o, "a", "z"), "0 z  4755 1\n");
	assert_string_equal(written(*state, &o, "b", "q"),
			    "5 q/  750 0\n0 q/again  4755 1\n0 q/file  644 5\n");
	assert_string_equal(written(*state, &o, "c", "link"), "2 link /etc/passwd 777 0\n");
}

static int leave_b(void *arg, const struct tree_entry *t, struct err *e)
{
	return strcmp(t->path, "b") == 0 ? TREE_SKIP : TREE_GO;
}

static void a_filter_leaves_entries_out_with_all_below(void **state)
{
	const struct tree_tar_opts o = {.filter = leave_b};

	assert_string_equal(written(*state, &o, NULL, NULL),
			    "0 a  4755 1\n2 c /etc/passwd 777 0\n6 fifo  600 0\n");
}

static void changes_become_a_layer(void **state)
{
	static const struct tree_tar_change changes[] = {
		{"b", false}, {"b/.wh.forged", false}, {"b/again", false}, {"b/gone", true},
		{"c", false}, {"vanished", false},     {"z", true},
	};
	struct tree *t = *state;
	_cleanup_(fd_close) int sub = openat(t->dir, "b", O_RDONLY | O_DIRECTORY);
	_cleanup_(sink_freep) struct sink *out = sink_to_buf(&t->archive, &t->e);

	put(sub, ".wh.forged", "x", 0644);
	if (tree_tar_write_changes(t->dir, changes, ARRAY_SIZE(changes), out, &t->e) < 0)
		fail_msg("%s", t->e.msg);
	assert_string_equal(listed(t), "5 b/  750 0\n0 b/again  4755 1\n0 b/.wh.gone  600 0\n"
				       "2 c /etc/passwd 777 0\n0 .wh.z  600 0\n");
}

static void the_same_tree_gives_the_same_bytes(void **state)
{
	const struct tree_tar_opts o = {.flags = 0};
	_cleanup_(freep) char *first = NULL;
	struct tree *t = *state;
	size_t n;

	written(t, &o, NULL, NULL);
	n = t->archive.len;
	first = malloc(n);
	memcpy(first, t->archive.data, n);
	written(t, &o, NULL, NULL);
	assert_int_equal(t->archive.len, n);
	assert_memory_equal(t->archive.data, first, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tree_becomes_its_entries_in_order, make, unmake),
		cmocka_unit_test_setup_teardown(names_start_with_the_prefix, make, unmake),
		cmocka_unit_test_setup_teardown(one_entry_gets_the_name_that_it_shall_have, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_filter_leaves_entries_out_with_all_below, make,
						unmake),
		cmocka_unit_test_setup_teardown(changes_become_a_layer, make, unmake),
		cmocka_unit_test_setup_teardown(the_same_tree_gives_the_same_bytes, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
