/* SPDX-License-Identifier: Apache-2.0 */
/* Archives are built here entry by entry, so that each lie is in plain sight. */
#include "base/str.h"
#include "codec/sink.h"
#include "codec/tar-writer.h"
#include "image/archive.h"
#include "image/test-sink.h"
#include "oci/media-type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
/* Any bytes will do as a layer: nobody unpacks it here. */
#define LAYER "these are the bytes of a layer"

/* An archive on its way, and what came of it. */
struct fixture {
	struct buf bytes;
	struct sink *out;
	struct tar_writer tar;
	struct test_sink *sink;
	struct image_set set;
	struct err e;
	char config[512];
	struct digest config_digest, layer;
};

static void start(struct fixture *f)
{
	*f = (struct fixture){.bytes = BUF_INIT((size_t)64 << 20), .set = IMAGE_SET_INIT};
	f->out = sink_to_buf(&f->bytes, &f->e);
	assert_non_null(f->out);
	tar_writer_init(&f->tar, f->out);
	f->sink = test_sink_new();
	digest_of(LAYER, strlen(LAYER), &f->layer);
	snprintf(f->config, sizeof(f->config),
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"]}}",
		 f->layer.text);
	digest_of(f->config, strlen(f->config), &f->config_digest);
}

static void finish(struct fixture *f)
{
	sink_free(f->out);
	buf_done(&f->bytes);
	image_set_done(&f->set);
	test_sink_free(f->sink);
}

static void add(struct fixture *f, const char *name, const char *data)
{
	assert_int_equal(tar_writer_file(&f->tar, name, data, strlen(data), 0, &f->e), 0);
}

static void add_link(struct fixture *f, enum tar_type type, const char *name, const char *to)
{
	struct tar_entry t = {.type = type, .name = name, .linkname = to, .mode = 0777};

	assert_int_equal(tar_writer_entry(&f->tar, &t, &f->e), 0);
}

static void add_blob(struct fixture *f, const char *data, struct digest *ret)
{
	char path[100];

	digest_of(data, strlen(data), ret);
	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(ret));
	add(f, path, data);
}

static const char *blob_name(const struct digest *d)
{
	static char path[100];

	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(d));
	return path;
}

static int load_for(struct fixture *f, const char *platform)
{
	struct platform want;
	int fd, r;

	assert_int_equal(tar_writer_end(&f->tar, &f->e), 0);
	fd = fd_memfd("archive", f->bytes.data, f->bytes.len, false);
	assert_true(fd >= 0);
	if (platform)
		assert_int_equal(platform_parse(platform, &want, &f->e), 0);
	r = archive_read(fd, &f->sink->sink, platform ? &want : NULL, &f->set, &f->e);
	close(fd);
	return r;
}

static int load(struct fixture *f)
{
	return load_for(f, NULL);
}

static void expect_loaded(struct fixture *f, size_t n)
{
	if (load(f) < 0)
		fail_msg("%s", f->e.msg);
	assert_int_equal(f->set.n_images, n);
	finish(f);
}

static void expect_refused(struct fixture *f, enum err_class class, const char *says)
{
	assert_int_equal(load(f), -1);
	if (f->e.class != class || !strstr(f->e.msg, says))
		fail_msg("%s: %s", err_class_name(f->e.class), f->e.msg);
	finish(f);
}

static const char *name_of(const struct fixture *f, size_t image, size_t name)
{
	static char out[REFERENCE_TEXT_SIZE];

	assert_true(image < f->set.n_images && name < f->set.images[image].n_names);
	return reference_familiar(&f->set.images[image].names[name], out);
}

/* --- Docker archives --- */

/* manifest.json with one image. */
static void add_docker(struct fixture *f, const char *config, const char *layer)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "[{\"Config\":\"%s\",\"RepoTags\":[\"a:1\",\"b.c/d:2\"],\"Layers\":[\"%s\"]}]",
		 config, layer);
	add(f, "manifest.json", text);
}

static void docker_archive_loads(void **state)
{
	struct fixture f;

	start(&f);
	add_docker(&f, "c.json", "./x//layer.tar");
	add(&f, "c.json", f.config);
	add(&f, "x/VERSION", "1.0");
	add(&f, "x/json", "{}");
	add(&f, "./x/layer.tar", LAYER);
	if (load(&f) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(f.set.n_images, 1);
	assert_string_equal(f.set.images[0].config.text, f.config_digest.text);
	assert_string_equal(f.set.images[0].layers[0].blob.text, f.layer.text);
	assert_string_equal(f.set.images[0].layers[0].diff_id.text, f.layer.text);
	assert_int_equal(f.set.images[0].layers[0].size, strlen(LAYER));
	assert_string_equal(name_of(&f, 0, 0), "a:1");
	assert_string_equal(name_of(&f, 0, 1), "b.c/d:2");
	/* Configuration, layer and our manifest; nothing of what old readers need. */
	assert_int_equal(f.sink->n_blobs, 3);
	finish(&f);
}

static void docker_archive_follows_links_inside(void **state)
{
	struct fixture f;

	start(&f);
	add_docker(&f, "c.json", "y/layer.tar");
	add_link(&f, TAR_SYMLINK, "y/layer.tar", "../x/layer.tar");
	add_link(&f, TAR_HARDLINK, "x/layer.tar", "z.tar");
	add(&f, "z.tar", LAYER);
	add(&f, "c.json", f.config);
	expect_loaded(&f, 1);
}

static void test_U26_links_out_of_the_archive_are_refused(void **state)
{
	static const char *const targets[] = {"../../x/layer.tar", "../../../../etc/passwd",
					      "layer.tar", "../x/../../etc/passwd"};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		start(&f);
		add_docker(&f, "c.json", "y/layer.tar");
		add(&f, "c.json", f.config);
		add_link(&f, TAR_SYMLINK, "y/layer.tar", targets[i]);
		expect_refused(&f, ERR_HOSTILE, "link");
	}
	/* An absolute target is a name in the archive, and is not there. */
	start(&f);
	add_docker(&f, "c.json", "y/layer.tar");
	add(&f, "c.json", f.config);
	add_link(&f, TAR_SYMLINK, "y/layer.tar", "/etc/passwd");
	expect_refused(&f, ERR_NOT_FOUND, "missing");
}

static void test_U26_names_that_climb_are_refused(void **state)
{
	struct fixture f;

	start(&f);
	add_docker(&f, "../../../../etc/passwd", "z.tar");
	add(&f, "z.tar", LAYER);
	expect_refused(&f, ERR_HOSTILE, "..");
	start(&f);
	add_docker(&f, "c.json", "x/../../../../../etc/passwd");
	add(&f, "c.json", f.config);
	expect_refused(&f, ERR_HOSTILE, "..");
	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "../z.tar", LAYER);
	expect_refused(&f, ERR_HOSTILE, "..");
	/* The host's file is not what an absolute name means. */
	start(&f);
	add_docker(&f, "/etc/passwd", "z.tar");
	add(&f, "z.tar", LAYER);
	expect_refused(&f, ERR_NOT_FOUND, "missing");
}

static void test_U26_null_documents_are_refused(void **state)
{
	static const char *const manifests[] = {"null",
						"[]",
						"[null]",
						"{}",
						"[{}]",
						"[{\"Config\":null,\"Layers\":[]}]",
						"",
						"[{\"Config\":\"c.json\",\"Layers\":[null]}]",
						"[{\"Config\":\"c.json\",\"Layers\":[]}]"};
	struct fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(manifests); i++) {
		start(&f);
		add(&f, "manifest.json", manifests[i]);
		add(&f, "c.json", f.config);
		expect_refused(&f, ERR_INVALID, "");
	}
	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", "null");
	add(&f, "z.tar", LAYER);
	expect_refused(&f, ERR_INVALID, "image configuration");
}

static void test_U22_docker_archive_digests_hold(void **state)
{
	struct fixture f;
	char name[100];

	/* A layer that is not what the configuration says. */
	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", "something else");
	expect_refused(&f, ERR_CORRUPT, "not compressed");
	/* A configuration that is not what its name says; and its twin. */
	for (int lie = 0; lie < 2; lie++) {
		start(&f);
		snprintf(name, sizeof(name), "%s.json",
			 digest_hex(lie ? &f.layer : &f.config_digest));
		add_docker(&f, name, "z.tar");
		add(&f, name, f.config);
		add(&f, "z.tar", LAYER);
		if (lie)
			expect_refused(&f, ERR_CORRUPT, "has the digest");
		else
			expect_loaded(&f, 1);
	}
}

static void test_U23_twins_are_refused(void **state)
{
	struct fixture f;

	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", LAYER);
	add(&f, "./z.tar", "another");
	expect_refused(&f, ERR_HOSTILE, "two different files");
	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add_docker(&f, "c.json", "y.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", LAYER);
	expect_refused(&f, ERR_HOSTILE, "two different files");
	/* The same file twice is no lie. */
	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", LAYER);
	add(&f, "z.tar", LAYER);
	expect_loaded(&f, 1);
}

static void no_archive_is_said_to_be_none(void **state)
{
	struct fixture f;

	start(&f);
	expect_refused(&f, ERR_INVALID, "no image archive");
	start(&f);
	add(&f, "etc/passwd", "root");
	expect_refused(&f, ERR_INVALID, "no image archive");
	start(&f);
	add(&f, "repositories", "{}");
	expect_refused(&f, ERR_UNSUPPORTED, "1.10");
	start(&f);
	add_link(&f, TAR_SYMLINK, "manifest.json", "x");
	expect_refused(&f, ERR_HOSTILE, "no regular file");
}

static void test_U25_documents_are_bounded(void **state)
{
	_cleanup_(freep) char *big = calloc(1, ARCHIVE_DOCUMENT_MAX + 2);
	struct fixture f;

	memset(big, ' ', ARCHIVE_DOCUMENT_MAX + 1);
	start(&f);
	add(&f, "manifest.json", big);
	expect_refused(&f, ERR_LIMIT, "larger than");
}

/* --- OCI layouts --- */

static void describe(struct buf *out, const char *type, const struct digest *d, size_t size)
{
	buf_printf(out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu", type, d->text,
		   size);
}

/* The manifest of the fixture's configuration and layer. */
static void manifest_text(const struct fixture *f, struct buf *out)
{
	buf_puts(out, "{\"schemaVersion\":2,\"config\":");
	describe(out, MEDIA_OCI_CONFIG, &f->config_digest, strlen(f->config));
	buf_puts(out, "},\"layers\":[");
	describe(out, MEDIA_OCI_LAYER, &f->layer, strlen(LAYER));
	buf_puts(out, "}]}");
}

/* All but index.json. */
static void add_image(struct fixture *f, struct digest *ret, size_t *ret_size)
{
	struct buf m = BUF_INIT(4096);
	struct digest d;

	manifest_text(f, &m);
	add(f, "oci-layout", LAYOUT);
	add_blob(f, LAYER, &d);
	add_blob(f, f->config, &d);
	add_blob(f, buf_str(&m), ret);
	*ret_size = m.len;
	buf_done(&m);
}

/* index.json with one entry of TYPE and what TAIL says after its size. */
static void add_index(struct fixture *f, const char *type, const struct digest *d, size_t size,
		      const char *tail)
{
	struct buf x = BUF_INIT(4096);

	buf_puts(&x, "{\"schemaVersion\":2,\"manifests\":[");
	describe(&x, type, d, size);
	buf_printf(&x, "%s}]}", tail);
	add(f, "index.json", buf_str(&x));
	buf_done(&x);
}

static void layout_loads_with_its_name(void **state)
{
	static const struct {
		const char *annotations, *name;
	} cases[] = {
		{"{\"org.opencontainers.image.ref.name\":\"12\"}", NULL},
		{"{\"org.opencontainers.image.ref.name\":\"debian:12\"}", "debian:12"},
		{"{\"org.opencontainers.image.ref.name\":\"12\",\"io.containerd.image.name\":"
		 "\"docker.io/library/debian:12\"}",
		 "debian:12"},
		{"{}", NULL},
	};
	struct fixture f;
	struct digest d;
	char tail[300];
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&f);
		add_image(&f, &d, &n);
		snprintf(tail, sizeof(tail), ",\"annotations\":%s", cases[i].annotations);
		add_index(&f, MEDIA_OCI_MANIFEST, &d, n, tail);
		if (load(&f) < 0)
			fail_msg("%s", f.e.msg);
		assert_int_equal(f.set.n_images, 1);
		assert_string_equal(f.set.images[0].manifest.text, d.text);
		assert_int_equal(f.set.images[0].n_names, cases[i].name ? 1 : 0);
		if (cases[i].name)
			assert_string_equal(name_of(&f, 0, 0), cases[i].name);
		finish(&f);
	}
}

static void test_U22_layout_sizes_and_digests_hold(void **state)
{
	struct fixture f;
	struct digest d, lie;
	size_t n;

	start(&f);
	add_image(&f, &d, &n);
	add_index(&f, MEDIA_OCI_MANIFEST, &d, n + 1, "");
	expect_refused(&f, ERR_CORRUPT, "its descriptor says");
	/* A blob under a name that is not its digest. */
	start(&f);
	digest_of("x", 1, &lie);
	add(&f, blob_name(&lie), "y");
	expect_refused(&f, ERR_CORRUPT, "");
	start(&f);
	add(&f, "blobs/sha256/../../etc/passwd", "y");
	expect_refused(&f, ERR_HOSTILE, "..");
	start(&f);
	add(&f, "blobs/sha256/xyz", "y");
	expect_refused(&f, ERR_INVALID, "not named by a digest");
	/* A blob that is not there. */
	start(&f);
	add_image(&f, &d, &n);
	add_index(&f, MEDIA_OCI_MANIFEST, &lie, n, "");
	expect_refused(&f, ERR_NOT_FOUND, "missing");
	/* A digest that is a path. */
	start(&f);
	add_image(&f, &d, &n);
	memcpy(lie.text, "sha256:../../../../etc/passwd", 30);
	add_index(&f, MEDIA_OCI_MANIFEST, &lie, n, "");
	expect_refused(&f, ERR_INVALID, "digest");
}

static void test_U23_layout_types_must_agree(void **state)
{
	struct fixture f;
	struct digest d;
	size_t n;

	start(&f);
	add_image(&f, &d, &n);
	add_index(&f, MEDIA_OCI_INDEX, &d, n, "");
	expect_refused(&f, ERR_HOSTILE, "CVE-2021-41190");
	start(&f);
	add(&f, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	add(&f, "index.json", "{}");
	expect_refused(&f, ERR_UNSUPPORTED, "version");
}

static void layout_prefers_the_wanted_platform(void **state)
{
	struct fixture f;
	struct digest d, absent, index;
	struct buf x = BUF_INIT(4096);
	size_t n;

	digest_of("absent", 6, &absent);
	for (int strict = 0; strict < 2; strict++) {
		buf_clear(&x);
		start(&f);
		add_image(&f, &d, &n);
		buf_puts(&x, "{\"schemaVersion\":2,\"manifests\":[");
		describe(&x, MEDIA_OCI_MANIFEST, &absent, 6);
		buf_puts(&x, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}},");
		describe(&x, MEDIA_OCI_MANIFEST, &absent, 6);
		buf_puts(&x, ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},");
		describe(&x, MEDIA_OCI_MANIFEST, &d, n);
		buf_puts(&x, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}");
		add_blob(&f, buf_str(&x), &index);
		add_index(&f, MEDIA_OCI_INDEX, &index, x.len, "");
		if (strict)
			assert_int_equal(load_for(&f, "linux/arm64"), -1);
		else
			assert_int_equal(load_for(&f, "linux/amd64"), 0);
		if (strict)
			assert_int_equal(f.e.class, ERR_NOT_FOUND);
		finish(&f);
	}
	buf_done(&x);
}

static void test_U25_nested_indexes_are_bounded(void **state)
{
	struct fixture f;
	struct digest d;
	size_t n;

	start(&f);
	add_image(&f, &d, &n);
	for (int i = 0; i < 200; i++) {
		struct buf x = BUF_INIT(4096);

		buf_puts(&x, "{\"schemaVersion\":2,\"manifests\":[");
		describe(&x, i ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST, &d, n);
		buf_puts(&x, "},");
		describe(&x, i ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST, &d, n);
		buf_puts(&x, "}]}");
		n = x.len;
		add_blob(&f, buf_str(&x), &d);
		buf_done(&x);
	}
	add_index(&f, MEDIA_OCI_INDEX, &d, n, "");
	expect_refused(&f, ERR_LIMIT, "nested deeper");
}

/* --- writing --- */

static void saved_archives_load_again_byte_for_byte(void **state)
{
	struct buf first = BUF_INIT((size_t)1 << 20), second = BUF_INIT((size_t)1 << 20);
	struct fixture f;

	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", LAYER);
	assert_int_equal(load(&f), 0);
	for (int round = 0; round < 2; round++) {
		const struct image_entry *i = &f.set.images[0];
		struct archive_image save[2] = {{i->manifest, i->manifest_type, i->names, 1},
						{i->manifest, i->manifest_type, i->names + 1, 1}};
		struct image_set again = IMAGE_SET_INIT;
		int fd = fd_memfd("archive", "", 0, false);

		assert_int_equal(archive_write(fd, &f.sink->sink, save, 2, &f.e), 0);
		assert_true(lseek(fd, 0, SEEK_SET) == 0);
		assert_int_equal(fd_read_all(fd, round ? &second : &first, 1 << 19), 0);
		assert_true(lseek(fd, 0, SEEK_SET) == 0);
		if (archive_read(fd, &f.sink->sink, NULL, &again, &f.e) < 0)
			fail_msg("%s", f.e.msg);
		close(fd);
		image_set_done(&f.set);
		f.set = again;
		assert_int_equal(f.set.n_images, 1);
		assert_string_equal(name_of(&f, 0, 0), "a:1");
		assert_string_equal(name_of(&f, 0, 1), "b.c/d:2");
	}
	assert_int_equal(first.len, second.len);
	assert_int_equal(first.len % 512, 0);
	assert_memory_equal(first.data, second.data, first.len);
	buf_done(&first);
	buf_done(&second);
	finish(&f);
}

static void truncated_archives_are_refused_at_any_length(void **state)
{
	struct fixture f;
	size_t n;

	start(&f);
	add_docker(&f, "c.json", "z.tar");
	add(&f, "c.json", f.config);
	add(&f, "z.tar", LAYER);
	n = f.bytes.len;
	for (size_t cut = 0; cut < n; cut += 64) {
		int fd = fd_memfd("archive", f.bytes.data, cut, false);

		assert_int_equal(archive_read(fd, &f.sink->sink, NULL, &f.set, &f.e), -1);
		assert_int_equal(f.sink->open_writers, 0);
		close(fd);
	}
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_archive_loads),
		cmocka_unit_test(docker_archive_follows_links_inside),
		cmocka_unit_test(test_U26_links_out_of_the_archive_are_refused),
		cmocka_unit_test(test_U26_names_that_climb_are_refused),
		cmocka_unit_test(test_U26_null_documents_are_refused),
		cmocka_unit_test(test_U22_docker_archive_digests_hold),
		cmocka_unit_test(test_U23_twins_are_refused),
		cmocka_unit_test(no_archive_is_said_to_be_none),
		cmocka_unit_test(test_U25_documents_are_bounded),
		cmocka_unit_test(layout_loads_with_its_name),
		cmocka_unit_test(test_U22_layout_sizes_and_digests_hold),
		cmocka_unit_test(test_U23_layout_types_must_agree),
		cmocka_unit_test(layout_prefers_the_wanted_platform),
		cmocka_unit_test(test_U25_nested_indexes_are_bounded),
		cmocka_unit_test(saved_archives_load_again_byte_for_byte),
		cmocka_unit_test(truncated_archives_are_refused_at_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
