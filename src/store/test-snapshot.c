/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of snapshot drivers: each test runs with both. */
#include "store/test-store.h"

#include "kernel/mount.h"
#include "oci/digest.h"
#include "store/check.h"
#include "store/container-store.h"
#include "store/gc.h"
#include "store/image-store.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static const char *const drivers[] = {"overlay", "vfs"};

/* Skips where the driver cannot work: overlay needs to be root on a fitting file system. */
static bool usable(const char *driver)
{
	if (strcmp(driver, "overlay") == 0 && geteuid() != 0) {
		print_message("[  SKIPPED ] overlay: not root\n");
		return false;
	}
	return true;
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = path_open_own(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static void assert_file(int dir, const char *name, const char *want)
{
	char *text = NULL;

	assert_int_equal(path_read_file(dir, name, 1000, &text, NULL), 0);
	assert_string_equal(text, want);
	free(text);
}

static void assert_absent(int dir, const char *name)
{
	int fd = path_open_own(dir, name, O_PATH | O_NOFOLLOW, 0);

	assert_int_equal(fd, -ENOENT);
}

/* Publishes a layer on PARENT (chain, or "") whose directory FILL fills. */
static void add_layer(struct test_store *t, const char *diff, const struct digest *parent,
		      void (*fill)(int dir, bool whiteouts), struct digest *ret)
{
	char id[SNAPSHOT_ID_SIZE], below[SNAPSHOT_ID_SIZE] = "";
	struct digest d;
	int dir;

	digest_of(diff, strlen(diff), &d);
	digest_chain_next(parent, &d, ret);
	if (digest_is_set(parent)) {
		_cleanup_(db_end) sqlite3_stmt *st = NULL;

		assert_int_equal(db_row(t->s->db, &st, &t->e,
					"SELECT snapshot FROM layers WHERE chain=?", "t",
					parent->text),
				 1);
		snprintf(below, sizeof(below), "%s", db_text(st, 0));
	}
	dir = snapshot_layer_begin(t->s, below[0] ? below : NULL, id, &t->e);
	test_ok(t, dir);
	fill(dir, snapshot_whiteouts_kept(t->s));
	fd_close(&dir);
	test_ok(t, store_begin(t->s, false, &t->e));
	test_ok(t,
		db_run(t->s->db, NULL, &t->e, "INSERT INTO layers VALUES(?, ?, ?, ?, 10)", "tttt",
		       ret->text, d.text, digest_is_set(parent) ? parent->text : NULL, id));
	test_ok(t, snapshot_layer_commit(t->s, id, &t->e));
	test_ok(t, store_lease_release(t->s, store_lease(t->s, &t->e), &t->e));
	test_ok(t, store_commit(t->s, &t->e));
}

static void fill_base(int dir, bool whiteouts)
{
	assert_int_equal(mkdirat(dir, "etc", 0755), 0);
	write_file(dir, "etc/a", "base a");
	write_file(dir, "etc/b", "base b");
	assert_int_equal(linkat(dir, "etc/a", dir, "etc/hard", 0), 0);
	assert_int_equal(symlinkat("etc/a", dir, "link"), 0);
	assert_int_equal(fchmod(dir, 0751), 0);
}

/* Replaces etc/a and removes etc/b. */
static void fill_top(int dir, bool whiteouts)
{
	if (whiteouts) {
		assert_int_equal(mkdirat(dir, "etc", 0755), 0);
		assert_int_equal(mknodat(dir, "etc/b", S_IFCHR, makedev(0, 0)), 0);
	} else {
		assert_int_equal(unlinkat(dir, "etc/b", 0), 0);
		assert_int_equal(unlinkat(dir, "etc/a", 0), 0);
	}
	write_file(dir, "etc/a", "top a");
	assert_int_equal(fchmod(dir, 0751), 0);
}

/* Mounts and opens the root; the mount is never attached. */
static int mount_it(const struct snapshot_mounts *m)
{
	struct mount_param params[8];
	struct mount_overlay o = {.lower = m->lower,
				  .n_lower = m->n_lower,
				  .upper = m->upper,
				  .work = m->work,
				  .params = params};

	if (!m->overlay)
		return path_open_own(m->root, ".", O_RDONLY | O_DIRECTORY, 0);
	for (size_t i = 0; m->opts[i]; i += 2)
		params[o.n_params++] = (struct mount_param){m->opts[i], m->opts[i + 1], -1};
	return mount_overlay_new(&o);
}

static void make_chain(struct test_store *t, struct digest *base, struct digest *top)
{
	struct digest none = DIGEST_NONE;

	add_layer(t, "base", &none, fill_base, base);
	add_layer(t, "top", base, fill_top, top);
}

static void a_writable_snapshot_shows_the_chain(const char *driver)
{
	struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	char id[SNAPSHOT_ID_SIZE];
	struct digest base, top;
	struct test_store t;
	struct stat st;
	int root;

	test_new(&t, driver);
	make_chain(&t, &base, &top);
	test_ok(&t, snapshot_prepare(t.s, top.text, id, &t.e));
	test_ok(&t, snapshot_mounts(t.s, id, &m, &t.e));
	assert_false(m.read_only);
	root = mount_it(&m);
	if (root < 0)
		fail_msg("mount: %s", strerror(-root));
	assert_file(root, "etc/a", "top a");
	assert_file(root, "etc/hard", "base a");
	assert_absent(root, "etc/b");
	assert_int_equal(fstat(root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	write_file(root, "new", "written");
	fd_close(&root);
	snapshot_mounts_done(&m);

	/* Once more: what was written is there, the layers are as they were. */
	test_ok(&t, snapshot_mounts(t.s, id, &m, &t.e));
	root = mount_it(&m);
	assert_file(root, "new", "written");
	fd_close(&root);
	snapshot_mounts_done(&m);
	test_ok(&t, snapshot_mounts_chain(t.s, top.text, &m, &t.e));
	assert_true(m.read_only);
	root = mount_it(&m);
	assert_absent(root, "new");
	assert_file(root, "etc/a", "top a");
	fd_close(&root);
	snapshot_mounts_done(&m);
	test_done(&t);
}

static void an_empty_chain_can_be_written(const char *driver)
{
	struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	char id[SNAPSHOT_ID_SIZE];
	struct test_store t;

	test_new(&t, driver);
	test_ok(&t, snapshot_prepare(t.s, NULL, id, &t.e));
	test_ok(&t, snapshot_mounts(t.s, id, &m, &t.e));
	assert_false(m.overlay);
	write_file(m.root, "file", "x");
	snapshot_mounts_done(&m);
	test_done(&t);
}

struct changes {
	char text[1000];
};

static int note_change(void *arg, enum snapshot_change_kind kind, const char *path)
{
	struct changes *c = arg;
	size_t n = strlen(c->text);

	snprintf(c->text + n, sizeof(c->text) - n, "%c %s\n", "CAD"[kind], path);
	return 0;
}

static void changes_are_those_of_the_container(const char *driver)
{
	struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	struct changes c = {.text = ""};
	char id[SNAPSHOT_ID_SIZE];
	struct digest base, top;
	struct test_store t;
	int root;

	test_new(&t, driver);
	make_chain(&t, &base, &top);
	test_ok(&t, snapshot_prepare(t.s, top.text, id, &t.e));
	test_ok(&t, snapshot_changes(t.s, id, NULL, note_change, &c, &t.e));
	assert_string_equal(c.text, "");
	test_ok(&t, snapshot_mounts(t.s, id, &m, &t.e));
	root = mount_it(&m);
	write_file(root, "etc/a", "changed by the container");
	write_file(root, "etc/new", "x");
	assert_int_equal(unlinkat(root, "etc/hard", 0), 0);
	fd_close(&root);
	snapshot_mounts_done(&m);
	test_ok(&t, snapshot_changes(t.s, id, NULL, note_change, &c, &t.e));
	assert_non_null(strstr(c.text, "C /etc\n"));
	assert_non_null(strstr(c.text, "C /etc/a\n"));
	assert_non_null(strstr(c.text, "A /etc/new\n"));
	assert_non_null(strstr(c.text, "D /etc/hard\n"));
	assert_null(strstr(c.text, "/link"));
	test_done(&t);
}

static void removing_takes_the_tree_away(const char *driver)
{
	struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;
	struct snapshot_usage usage;
	char id[SNAPSHOT_ID_SIZE];
	struct digest base, top;
	struct test_store t;

	test_new(&t, driver);
	make_chain(&t, &base, &top);
	test_ok(&t, snapshot_prepare(t.s, base.text, id, &t.e));
	test_ok(&t, snapshot_mounts(t.s, id, &m, &t.e));
	snapshot_mounts_done(&m);
	test_ok(&t, snapshot_usage(t.s, id, &usage, &t.e));
	test_ok(&t, snapshot_remove(t.s, id, &t.e));
	test_ok(&t, snapshot_sweep(t.s, &t.e));
	assert_int_equal(snapshot_open_dir(t.s->snapshots, id, NULL, O_PATH), -ENOENT);
	assert_int_equal(snapshot_mounts(t.s, id, &m, &t.e), -1);
	assert_int_equal(t.e.class, ERR_NOT_FOUND);
	test_done(&t);
}

/* Layers stay as long as a container stands on them, even without an image. */
static void the_collector_keeps_the_layers_of_snapshots(const char *driver)
{
	char id[SNAPSHOT_ID_SIZE];
	struct digest base, top;
	struct gc_result gc;
	struct test_store t;

	test_new(&t, driver);
	make_chain(&t, &base, &top);
	test_ok(&t, snapshot_prepare(t.s, base.text, id, &t.e));
	test_ok(&t, gc_run(t.s, NULL, NULL, &gc, &t.e));
	assert_int_equal(gc.layers, 1); /* the top one */
	test_ok(&t, snapshot_remove(t.s, id, &t.e));
	test_ok(&t, gc_run(t.s, NULL, NULL, &gc, &t.e));
	assert_int_equal(gc.layers, 1);
	test_ok(&t, gc_orphans(t.s, &gc, &t.e));
	assert_int_equal(gc.layers, 0);
	test_done(&t);
}

static void an_unfinished_layer_goes(const char *driver)
{
	struct check_counts counts;
	char id[SNAPSHOT_ID_SIZE];
	struct test_store t;
	int dir;

	test_new(&t, driver);
	dir = snapshot_layer_begin(t.s, NULL, id, &t.e);
	test_ok(&t, dir);
	write_file(dir, "half", "x");
	fd_close(&dir);
	test_close(&t); /* as a process that ends without publishing */
	test_open(&t, NULL);
	assert_int_equal(snapshot_open_dir(t.s->snapshots, id, NULL, O_PATH), -ENOENT);
	test_ok(&t, store_check(t.s, 0, NULL, NULL, &counts, &t.e));
	assert_int_equal(counts.orphans + counts.damaged, 0);
	test_done(&t);
}

static void a_directory_without_a_row_is_an_orphan(const char *driver)
{
	struct check_counts counts;
	struct test_store t;

	test_new(&t, driver);
	assert_int_equal(mkdirat(t.s->snapshots, "00112233445566ff", 0700), 0);
	test_ok(&t, store_check(t.s, CHECK_REPAIR, NULL, NULL, &counts, &t.e));
	assert_int_equal(counts.orphans, 1);
	test_ok(&t, store_check(t.s, 0, NULL, NULL, &counts, &t.e));
	assert_int_equal(counts.orphans, 0);
	test_done(&t);
}

#define EACH_DRIVER(name)                                                                          \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)                                   \
			if (usable(drivers[i]))                                                    \
				name(drivers[i]);                                                  \
	}

EACH_DRIVER(a_writable_snapshot_shows_the_chain)
EACH_DRIVER(an_empty_chain_can_be_written)
EACH_DRIVER(changes_are_those_of_the_container)
EACH_DRIVER(removing_takes_the_tree_away)
EACH_DRIVER(the_collector_keeps_the_layers_of_snapshots)
EACH_DRIVER(an_unfinished_layer_goes)
EACH_DRIVER(a_directory_without_a_row_is_an_orphan)

static void a_container_name_is_taken_once(void **state)
{
	struct container_record r = CONTAINER_RECORD_INIT;
	struct container_row row = {.name = "one", .doc = "{}", .created = 1};
	char id[ID_SIZE];
	struct test_store t;

	test_new(&t, "vfs");
	memset(row.id, 'a', 64);
	test_ok(&t, container_row_add(t.s, &row, &t.e));
	memset(row.id, 'b', 64);
	assert_int_equal(container_row_add(t.s, &row, &t.e), -1);
	assert_int_equal(t.e.class, ERR_CONFLICT);
	assert_non_null(strstr(t.e.msg, "aaaaaaaa"));
	row.name = "two";
	test_ok(&t, container_row_add(t.s, &row, &t.e));
	test_ok(&t, container_row_resolve(t.s, "/two", id, &t.e));
	assert_string_equal(id, row.id);
	test_ok(&t, container_row_resolve(t.s, "bbb", id, &t.e));
	assert_string_equal(id, row.id);
	assert_int_equal(container_row_rename(t.s, id, "one", &t.e), -1);
	assert_int_equal(t.e.class, ERR_CONFLICT);
	test_ok(&t, container_row_rename(t.s, id, "three", &t.e));
	test_ok(&t, container_row_get(t.s, id, &r, &t.e));
	assert_string_equal(r.row.name, "three");
	container_record_done(&r);
	test_ok(&t, container_row_delete(t.s, id, &t.e));
	assert_int_equal(container_row_resolve(t.s, "three", id, &t.e), -1);
	assert_int_equal(t.e.class, ERR_NOT_FOUND);
	test_done(&t);
}

static void add_image(struct test_store *t, const char *config, const char *name)
{
	char full[200];
	struct digest d;

	digest_of(config, strlen(config), &d);
	snprintf(full, sizeof(full), "docker.io/library/%s", name);
	test_ok(t, db_run(t->s->db, NULL, &t->e,
			  "INSERT INTO images VALUES(?1, ?1, NULL, ?2, 'linux', 'amd64', '', 1, 1,"
			  " 1, 0, 0)",
			  "tt", d.text, config));
	test_ok(t, db_run(t->s->db, NULL, &t->e,
			  "INSERT INTO names VALUES(?1, 'docker.io/library/debian', ?2, ?2, 1)",
			  "tt", full, d.text));
}

static void note_removed(void *arg, const char *what, const char *name)
{
	struct changes *c = arg;
	size_t n = strlen(c->text);

	snprintf(c->text + n, sizeof(c->text) - n, "%s: %.14s\n", what, name);
}

static void images_resolve_and_go_as_dockers_do(void **state)
{
	struct container_row row = {.name = "user", .doc = "{}", .running = true};
	struct changes c = {.text = ""};
	struct image img = IMAGE_INIT;
	struct test_store t;
	char id[100];

	test_new(&t, "vfs");
	add_image(&t, "{\"n\":1}", "debian:latest");
	add_image(&t, "{\"n\":2}", "debian:12");
	test_ok(&t, image_resolve(t.s, "debian", IMAGE_NAMES, &img, &t.e));
	assert_string_equal(img.config, "{\"n\":1}");
	assert_int_equal(img.n_names, 1);
	snprintf(id, sizeof(id), "%s", img.id);
	image_done(&img);
	test_ok(&t, image_resolve(t.s, id, 0, &img, &t.e));
	image_done(&img);
	id[7 + 12] = '\0';
	test_ok(&t, image_resolve(t.s, id + 7, 0, &img, &t.e));
	image_done(&img);
	assert_int_equal(image_resolve(t.s, "nothing:here", 0, &img, &t.e), -1);
	assert_int_equal(t.e.class, ERR_NOT_FOUND);
	assert_string_equal(t.e.msg, "no such image: nothing:here");

	test_ok(&t, image_resolve(t.s, "debian", 0, &img, &t.e));
	row.image = img.id;
	memset(row.id, 'c', 64);
	test_ok(&t, container_row_add(t.s, &row, &t.e));
	image_done(&img);
	assert_int_equal(image_remove(t.s, id + 7, IMAGE_REMOVE_FORCE, NULL, NULL, &t.e), -1);
	assert_non_null(strstr(t.e.msg, "(cannot be forced) - image is being used by running"));
	assert_int_equal(image_remove(t.s, "debian", 0, NULL, NULL, &t.e), -1);
	assert_non_null(strstr(t.e.msg, "container cccccccccccc is using its referenced image"));
	test_ok(&t, container_row_delete(t.s, row.id, &t.e));
	test_ok(&t, image_tag(t.s, "debian", "other:1", &t.e));
	test_ok(&t, image_remove(t.s, "debian", 0, note_removed, &c, &t.e));
	assert_string_equal(c.text, "Untagged: debian:latest\n");
	c.text[0] = '\0';
	test_ok(&t, image_remove(t.s, "other:1", 0, note_removed, &c, &t.e));
	assert_non_null(strstr(c.text, "Untagged: other:1\nDeleted: sha256:"));
	test_ok(&t, image_resolve(t.s, "debian:12", 0, &img, &t.e));
	image_done(&img);
	test_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_writable_snapshot_shows_the_chain),
		cmocka_unit_test(test_an_empty_chain_can_be_written),
		cmocka_unit_test(test_changes_are_those_of_the_container),
		cmocka_unit_test(test_removing_takes_the_tree_away),
		cmocka_unit_test(test_the_collector_keeps_the_layers_of_snapshots),
		cmocka_unit_test(test_an_unfinished_layer_goes),
		cmocka_unit_test(test_a_directory_without_a_row_is_an_orphan),
		cmocka_unit_test(a_container_name_is_taken_once),
		cmocka_unit_test(images_resolve_and_go_as_dockers_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
