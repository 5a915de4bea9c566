/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts as directories, with what an attacker puts in the place of a blob. */
#include "image/archive.h"
#include "image/test-sink.h"
#include "oci/media-type.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define LAYER "these are the bytes of a layer"

struct fixture {
	char path[64];
	int dir;
	struct test_sink *sink;
	struct image_set set;
	struct err e;
	char layer_path[128];
};

static void put(struct fixture *f, const char *name, const char *data)
{
	int fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, data, strlen(data)), 0);
	close(fd);
}

static const char *put_blob(struct fixture *f, const char *data, struct digest *ret)
{
	static char name[128];

	digest_of(data, strlen(data), ret);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(ret));
	put(f, name, data);
	return name;
}

/* A layout with one good image. */
static void start(struct fixture *f)
{
	struct digest layer, config, manifest;
	char text[1024], doc[2048];

	*f = (struct fixture){.path = "/tmp/kogge-test-layout-XXXXXX", .sink = test_sink_new()};
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	assert_int_equal(mkdirat(f->dir, "blobs", 0755), 0);
	assert_int_equal(mkdirat(f->dir, "blobs/sha256", 0755), 0);
	snprintf(f->layer_path, sizeof(f->layer_path), "%s", put_blob(f, LAYER, &layer));
	snprintf(text, sizeof(text),
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"]}}",
		 layer.text);
	put_blob(f, text, &config);
	snprintf(doc, sizeof(doc),
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		 "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER
		 "\",\"digest\":\"%s\",\"size\":%zu}]}",
		 config.text, strlen(text), layer.text, strlen(LAYER));
	put_blob(f, doc, &manifest);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
		 "\",\"digest\":\"%s\",\"size\":%zu}]}",
		 manifest.text, strlen(doc));
	put(f, "index.json", text);
	put(f, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int read_layout(struct fixture *f)
{
	return layout_read(f->dir, &f->sink->sink, NULL, &f->set, &f->e);
}

static void finish(struct fixture *f)
{
	close(f->dir);
	nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	image_set_done(&f->set);
	test_sink_free(f->sink);
}

static void expect_refused(struct fixture *f, enum err_class class)
{
	assert_int_equal(read_layout(f), -1);
	if (f->e.class != class)
		fail_msg("%s: %s", err_class_name(f->e.class), f->e.msg);
	finish(f);
}

static void layout_directory_loads(void **state)
{
	struct fixture f;

	start(&f);
	if (read_layout(&f) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(f.set.n_images, 1);
	assert_int_equal(f.sink->n_blobs, 3);
	finish(&f);
}

static void test_U24_blob_is_a_symbolic_link(void **state)
{
	struct fixture f;

	start(&f);
	put(&f, "elsewhere", LAYER);
	assert_int_equal(unlinkat(f.dir, f.layer_path, 0), 0);
	assert_int_equal(symlinkat("../../elsewhere", f.dir, f.layer_path), 0);
	expect_refused(&f, ERR_HOSTILE);
	/* Also above it. */
	start(&f);
	assert_int_equal(renameat(f.dir, "blobs", f.dir, "other"), 0);
	assert_int_equal(symlinkat("other", f.dir, "blobs"), 0);
	expect_refused(&f, ERR_HOSTILE);
}

static void test_U24_blob_is_a_fifo(void **state)
{
	struct fixture f;

	start(&f);
	assert_int_equal(unlinkat(f.dir, f.layer_path, 0), 0);
	assert_int_equal(mkfifoat(f.dir, f.layer_path, 0644), 0);
	expect_refused(&f, ERR_HOSTILE);
	start(&f);
	assert_int_equal(unlinkat(f.dir, "index.json", 0), 0);
	assert_int_equal(mkfifoat(f.dir, "index.json", 0644), 0);
	expect_refused(&f, ERR_HOSTILE);
}

static void test_U24_blob_is_a_directory(void **state)
{
	struct fixture f;

	start(&f);
	assert_int_equal(unlinkat(f.dir, f.layer_path, 0), 0);
	assert_int_equal(mkdirat(f.dir, f.layer_path, 0755), 0);
	expect_refused(&f, ERR_HOSTILE);
}

static void test_U24_blob_is_a_device(void **state)
{
	struct fixture f;

	start(&f);
	assert_int_equal(unlinkat(f.dir, f.layer_path, 0), 0);
	/* 1:5 is /dev/zero. */
	if (mknodat(f.dir, f.layer_path, S_IFCHR | 0644, makedev(1, 5)) < 0) {
		finish(&f);
		print_message("needs CAP_MKNOD\n");
		skip();
	}
	expect_refused(&f, ERR_HOSTILE);
}

static void test_U22_blob_has_another_digest(void **state)
{
	struct fixture f;

	start(&f);
	put(&f, f.layer_path, "these are the bytes of a LAYER");
	expect_refused(&f, ERR_CORRUPT);
	start(&f);
	put(&f, f.layer_path, "");
	expect_refused(&f, ERR_CORRUPT);
	start(&f);
	assert_int_equal(unlinkat(f.dir, f.layer_path, 0), 0);
	expect_refused(&f, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_directory_loads),
		cmocka_unit_test(test_U24_blob_is_a_symbolic_link),
		cmocka_unit_test(test_U24_blob_is_a_fifo),
		cmocka_unit_test(test_U24_blob_is_a_directory),
		cmocka_unit_test(test_U24_blob_is_a_device),
		cmocka_unit_test(test_U22_blob_has_another_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
