/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/media-type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define D1 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CONFIG                                                                                     \
	"\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D1 "\",\"size\":7}"
#define LAYER "{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP "\",\"digest\":\"" D1 "\",\"size\":9}"
#define GOOD                                                                                       \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," CONFIG                    \
	",\"layers\":[" LAYER "]}"

static int parse(const char *text, const char *expected, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	int r = manifest_parse(text, strlen(text), expected, &m, e);

	manifest_done(&m);
	return r;
}

static void manifest_reads_and_writes_the_same_bytes(void **state)
{
	struct manifest m = MANIFEST_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(4096);
	struct err e = ERR_INIT;

	assert_int_equal(manifest_parse(GOOD, strlen(GOOD), MEDIA_OCI_MANIFEST, &m, &e), 0);
	assert_int_equal(m.n_layers, 1);
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.layers[0].size, 9);
	assert_true(manifest_is_image(&m));
	assert_int_equal(manifest_write(&m, &out, &e), 0);
	assert_string_equal(buf_str(&out), GOOD);
	manifest_done(&m);
}

static void manifest_takes_its_type_from_whoever_knows_it(void **state)
{
	struct err e = ERR_INIT;
	const char *untyped = "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}";

	assert_int_equal(parse(untyped, NULL, &e), 0);
	assert_int_equal(parse(untyped, MEDIA_DOCKER_MANIFEST, &e), 0);
	assert_int_equal(parse(untyped, MEDIA_OCI_INDEX, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
}

static void test_U23_manifest_refuses_ambiguous_documents(void **state)
{
	static const char *const bad[] = {
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"Layers\":[]}",
		"{\"schemaVersion\":2,\"Config\":{}," CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"fsLayers\":[]}",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"," CONFIG
		",\"layers\":[]}",
	};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(bad[i], MEDIA_OCI_MANIFEST, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_HOSTILE);
	}
	/* Duplicate keys and trailing documents never get past the JSON parser. */
	assert_int_equal(parse("{\"schemaVersion\":2,\"schemaVersion\":2," CONFIG ",\"layers\":[]}",
			       NULL, &e),
			 -1);
	assert_int_equal(parse(GOOD GOOD, NULL, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
}

static void manifest_refuses_malformed_documents(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"schemaVersion\":2}",
		"{\"schemaVersion\":3," CONFIG ",\"layers\":[]}",
		"{\"schemaVersion\":2," CONFIG "}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":null}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[null]}",
		"{\"schemaVersion\":2,\"config\":null,\"layers\":[]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"" D1
		"\",\"size\":-1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"" D1
		"\"}]}",
		"{\"schemaVersion\":2," CONFIG
		",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:../../x\",\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" D1 "\",\"size\":1}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (parse(bad[i], NULL, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void test_U25_manifest_bounds_size_and_layers(void **state)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(16 << 20);
	struct err e = ERR_INIT;

	buf_puts(&b, "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER);
	for (int i = 1; i < 10000; i++)
		buf_puts(&b, "," LAYER);
	buf_puts(&b, "]}");
	assert_int_equal(parse(buf_str(&b), NULL, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
	while (b.len <= MANIFEST_SIZE_MAX)
		buf_puts(&b, "                                        ");
	assert_int_equal(parse(buf_str(&b), NULL, &e), -1);
	assert_non_null(strstr(e.msg, "bytes"));
}

static void manifest_of_schema_1_is_unsupported(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(parse("{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, &e), -1);
	assert_int_equal(e.class, ERR_UNSUPPORTED);
}

#define ENTRY(os, arch, variant)                                                                   \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1 "\",\"size\":1,"              \
	"\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\",\"variant\":\"" variant     \
	"\"}}"

static void index_chooses_the_platform(void **state)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" ENTRY("linux", "386", "") "," ENTRY(
		"linux", "arm",
		"v6") "," ENTRY("linux", "arm",
				"v7") "," ENTRY("linux", "arm64",
						"v8") "," ENTRY("linux", "amd64",
								"") "," ENTRY("unknown", "unknown",
									      "") "," ENTRY("window"
											    "s",
											    "amd64",
											    "") "]"
												"}";
	static const struct {
		const char *want;
		size_t n;
		size_t order[4];
	} cases[] = {
		{"linux/amd64", 2, {4, 0}},
		{"linux/arm64", 3, {3, 2, 1}},
		{"linux/arm64/v8", 3, {3, 2, 1}},
		{"linux/arm/v7", 2, {2, 1}},
		{"linux/arm/v6", 1, {1}},
		{"linux/arm/v5", 0, {0}},
		{"linux/386", 1, {0}},
		{"linux/s390x", 0, {0}},
		{"windows/amd64", 1, {6}},
	};
	struct index x = INDEX_INIT;
	struct err e = ERR_INIT;
	struct platform want;
	size_t order[7];

	if (index_parse(text, strlen(text), NULL, &x, &e) < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(platform_parse(cases[i].want, &want, &e), 0);
		if (index_select(&x, &want, order) != cases[i].n)
			fail_msg("%s: %zu found", cases[i].want, index_select(&x, &want, order));
		assert_memory_equal(order, cases[i].order, cases[i].n * sizeof(*order));
	}
	index_done(&x);
}

static void test_U23_index_refuses_ambiguous_documents(void **state)
{
	static const char *const bad[] = {
		"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
		"{\"schemaVersion\":2,\"manifests\":[]," CONFIG "}",
		"{\"schemaVersion\":2,\"manifests\":[],\"Manifests\":[]}",
		"{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"" MEDIA_DOCKER_INDEX "\"}",
	};
	struct index x = INDEX_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (index_parse(bad[i], strlen(bad[i]), MEDIA_OCI_INDEX, &x, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_HOSTILE);
	}
}

static void test_U25_index_visits_are_bounded(void **state)
{
	static struct index_visits v;
	struct err e = ERR_INIT;
	struct digest d;

	for (int i = 0; i < INDEX_VISITS_MAX; i++) {
		digest_of(&i, sizeof(i), &d);
		assert_int_equal(index_visit(&v, &d, &e), 1);
		assert_int_equal(index_visit(&v, &d, &e), 0);
	}
	digest_of("x", 1, &d);
	assert_int_equal(index_visit(&v, &d, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
}

static void platform_parses_as_containerd(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"linux/amd64", "linux/amd64"},       {"linux/x86_64", "linux/amd64"},
		{"Linux/AARCH64", "linux/arm64"},     {"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64/v9"}, {"linux/arm", "linux/arm/v7"},
		{"linux/armhf", "linux/arm/v7"},      {"linux/armel", "linux/arm/v6"},
		{"linux/arm/6", "linux/arm/v6"},      {"linux/i386", "linux/386"},
		{"linux/amd64/v1", "linux/amd64"},    {"linux/amd64/v3", "linux/amd64/v3"},
		{"macos/arm64", "darwin/arm64"},      {"arm64", "linux/arm64"},
		{"riscv64", "linux/riscv64"},
	};
	static const char *const bad[] = {"",        "/",   "linux/",    "linux//v8",
					  "a/b/c/d", "foo", "linux/a b", "linux/../x"};
	char out[PLATFORM_TEXT_SIZE];
	struct platform p, host;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_INIT;

		if (platform_parse(cases[i].in, &p, &e) < 0)
			fail_msg("%s: %s", cases[i].in, e.msg);
		assert_string_equal(platform_text(&p, out), cases[i].out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (platform_parse(bad[i], &p, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
	}
	platform_host(&host);
	assert_int_equal(platform_match(&host, &host), PLATFORM_MATCH_MAX);
	assert_int_equal(platform_parse("linux", &p, NULL), 0);
	assert_int_equal(platform_match(&host, &p), PLATFORM_MATCH_MAX);
}

static void media_types_are_known(void **state)
{
	assert_int_equal(media_type_find(MEDIA_DOCKER_LAYER)->compression, MEDIA_GZIP);
	assert_int_equal(media_type_find(MEDIA_OCI_INDEX "; charset=utf-8")->kind, MEDIA_INDEX);
	assert_int_equal(media_type_find("x")->kind, MEDIA_UNKNOWN);
	assert_int_equal(media_type_find(NULL)->kind, MEDIA_UNKNOWN);
	assert_int_equal(media_type_find("")->kind, MEDIA_UNKNOWN);
	assert_int_equal(media_compression_of_magic("\x1f\x8b\x08\x00", 4), MEDIA_GZIP);
	assert_int_equal(media_compression_of_magic("\x28\xb5\x2f\xfd", 4), MEDIA_ZSTD);
	assert_int_equal(media_compression_of_magic("", 0), MEDIA_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest_reads_and_writes_the_same_bytes),
		cmocka_unit_test(manifest_takes_its_type_from_whoever_knows_it),
		cmocka_unit_test(test_U23_manifest_refuses_ambiguous_documents),
		cmocka_unit_test(manifest_refuses_malformed_documents),
		cmocka_unit_test(test_U25_manifest_bounds_size_and_layers),
		cmocka_unit_test(manifest_of_schema_1_is_unsupported),
		cmocka_unit_test(index_chooses_the_platform),
		cmocka_unit_test(test_U23_index_refuses_ambiguous_documents),
		cmocka_unit_test(test_U25_index_visits_are_bounded),
		cmocka_unit_test(platform_parses_as_containerd),
		cmocka_unit_test(media_types_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
