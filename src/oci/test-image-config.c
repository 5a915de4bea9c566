/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/str.h"
#include "oci/image-change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define D1     "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}"

static int parse(const char *text, struct err *e)
{
	struct image_config c = IMAGE_CONFIG_INIT;
	int r = image_config_parse(text, strlen(text), &c, e);

	image_config_done(&c);
	return r;
}

static void image_config_writes_what_it_read(void **state)
{
	static const char text[] =
		"{\"architecture\":\"arm64\",\"author\":\"me\",\"config\":{\"User\":\"www\","
		"\"ExposedPorts\":{\"443/tcp\":{},\"80/tcp\":{}},\"Env\":[\"PATH=/bin\"],"
		"\"Cmd\":[\"sh\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":"
		"5000000000},"
		"\"ArgsEscaped\":true,\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/srv\","
		"\"Entrypoint\":[\"/init\"],\"OnBuild\":[\"RUN x\"],\"Labels\":{\"a\":\"1\","
		"\"b\":\"2\"},\"StopSignal\":\"SIGQUIT\",\"Shell\":[\"/bin/bash\",\"-c\"]},"
		"\"created\":\"2026-01-02T03:04:05Z\",\"history\":[{\"created_by\":\"x\"},"
		"{\"created_by\":\"y\",\"empty_layer\":true}],\"os\":\"linux\"," ROOTFS
		",\"variant\":\"v8\"}";
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(8192);
	struct err e = ERR_INIT;

	if (image_config_parse(text, strlen(text), &c, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(c.platform.architecture, "arm64");
	assert_string_equal(c.run.exposed_ports[1], "80/tcp");
	assert_int_equal(c.n_diff_ids, 1);
	assert_int_equal(c.n_history, 2);
	assert_true(c.run.health.interval == 5000000000);
	assert_int_equal(image_config_write(&c, &out, &e), 0);
	assert_string_equal(buf_str(&out), text);
}

static void test_U26_null_documents_are_refused(void **state)
{
	static const char *const bad[] = {
		"null",
		"",
		"[]",
		"\"x\"",
		"{}",
		"{\"rootfs\":null}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[null]}}",
		"{\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}",
		"{\"rootfs\":{\"diff_ids\":[]}}",
		"{\"history\":[null]," ROOTFS "}",
		"{\"history\":[{},{}]," ROOTFS "}",
		"{\"config\":[]," ROOTFS "}",
		"{\"config\":{\"Env\":[1]}," ROOTFS "}",
		"{\"config\":{\"Env\":{}}," ROOTFS "}",
		"{\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}",
		"{\"os\":\"../x\"," ROOTFS "}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (parse(bad[i], &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void image_config_accepts_nulls_where_go_writes_them(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(
		parse("{\"config\":{\"Env\":null,\"Cmd\":null,\"Volumes\":null,"
		      "\"Labels\":null,\"Healthcheck\":null,\"Entrypoint\":\"/x\"},"
		      "\"history\":null,\"id\":\"x\",\"container_config\":{\"Cmd\":1}," ROOTFS "}",
		      &e),
		0);
}

static void test_X15_large_documents_are_refused(void **state)
{
	_cleanup_(freep) char *big = calloc(1, IMAGE_CONFIG_SIZE_MAX + 2);
	struct err e = ERR_INIT;

	memset(big, ' ', IMAGE_CONFIG_SIZE_MAX + 1);
	assert_int_equal(parse(big, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
}

static void written(struct image_config *c, struct buf *out)
{
	struct err e = ERR_INIT;

	buf_clear(out);
	memcpy(c->platform.os, "linux", 6);
	memcpy(c->platform.architecture, "amd64", 6);
	assert_int_equal(image_config_write(c, out, &e), 0);
}

static void change_expect(const char *const *changes, const char *config)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(65536), want = BUF_INIT(65536);
	struct err e = ERR_INIT;

	if (image_change_apply(&c, changes, &e) < 0)
		fail_msg("%s", e.msg);
	written(&c, &out);
	buf_printf(&want,
		   "{\"architecture\":\"amd64\",\"config\":%s,\"os\":\"linux\",\"rootfs\":"
		   "{\"type\":\"layers\",\"diff_ids\":[]}}",
		   config);
	assert_string_equal(buf_str(&out), buf_str(&want));
}

#define CHANGES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void changes_follow_dockerfile_syntax(void **state)
{
	change_expect(CHANGES("CMD [\"a\", \"b c\"]"), "{\"Cmd\":[\"a\",\"b c\"]}");
	change_expect(CHANGES("cmd echo  $HOME"), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo  $HOME\"]}");
	change_expect(CHANGES("CMD [\"a\""), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[\\\"a\\\"\"]}");
	change_expect(CHANGES("CMD x", "ENTRYPOINT [\"e\"]"),
		      "{\"Cmd\":[\"/bin/sh\",\"-c\",\"x\"],\"Entrypoint\":[\"e\"]}");
	change_expect(
		CHANGES("ENV A=1 B=\"x y\" C='$A' D=$A", "ENV A 2 3", "ENV E=${A}z F=${N:-d}"),
		"{\"Env\":[\"A=2 3\",\"B=x y\",\"C=$A\",\"D=\",\"E=2 3z\",\"F=d\"]}");
	change_expect(CHANGES("ENV A=1 B=a\\ b"), "{\"Env\":[\"A=1\",\"B=a b\"]}");
	change_expect(CHANGES("LABEL b=2 \"a b\"=\"c d\"", "LABEL b=3"),
		      "{\"Labels\":{\"a b\":\"c d\",\"b\":\"3\"}}");
	change_expect(CHANGES("EXPOSE 80 53/UDP 8000-8001"),
		      "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/"
		      "tcp\":{}}}");
	change_expect(CHANGES("VOLUME /a /b", "VOLUME [\"/c d\"]"),
		      "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}}");
	change_expect(CHANGES("WORKDIR /a/./b", "WORKDIR ../c//d"), "{\"WorkingDir\":\"/a/c/d\"}");
	change_expect(CHANGES("WORKDIR ../../x"), "{\"WorkingDir\":\"/x\"}");
	change_expect(CHANGES("USER www:www", "STOPSIGNAL SIGTERM"),
		      "{\"User\":\"www:www\",\"StopSignal\":\"SIGTERM\"}");
	change_expect(CHANGES("ONBUILD RUN  a b"), "{\"OnBuild\":[\"RUN  a b\"]}");
	change_expect(
		CHANGES("HEALTHCHECK --interval=5s --retries=3 CMD curl x"),
		"{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl x\"],\"Interval\":5000000000,"
		"\"Retries\":3}}");
	change_expect(CHANGES("HEALTHCHECK NONE"), "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
	change_expect(CHANGES("ENV A=1 \\\n  # a comment\n  B=2\nUSER x", "  # another", ""),
		      "{\"User\":\"x\",\"Env\":[\"A=1\",\"B=2\"]}");
}

static void all_ports_can_be_exposed(void **state)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT,
							 again = IMAGE_CONFIG_INIT;
	_cleanup_(buf_done) struct buf out = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);
	struct err e = ERR_INIT;

	if (image_change_apply(&c, CHANGES("EXPOSE 0-65535 80 0-65535/udp 0-65535/sctp"), &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(strv_len(c.run.exposed_ports), 3 * 65536);
	written(&c, &out);
	assert_int_equal(image_config_parse(out.data, out.len, &again, &e), 0);
	assert_int_equal(strv_len(again.run.exposed_ports), 3 * 65536);
}

static void changes_refuse_what_docker_refuses(void **state)
{
	static const char *const bad[] = {"FROM x",
					  "RUN x",
					  "COPY a b",
					  "CMD",
					  "ENV",
					  "ENV A",
					  "ENV =x",
					  "ENV A=1 B",
					  "ENV A='x",
					  "ENV A=\"x",
					  "ENV A=${",
					  "ENV A=${}",
					  "ENV A=${b!c}",
					  "EXPOSE x",
					  "EXPOSE 80/icmp",
					  "EXPOSE 70000",
					  "EXPOSE 9-8",
					  "USER a b",
					  "VOLUME \"\"",
					  "STOPSIGNAL 0",
					  "STOPSIGNAL 1x",
					  "ONBUILD ONBUILD x",
					  "ONBUILD FROM x",
					  "HEALTHCHECK",
					  "HEALTHCHECK FOO",
					  "HEALTHCHECK CMD",
					  "HEALTHCHECK --interval=x CMD a",
					  "HEALTHCHECK --foo=1 CMD a",
					  "HEALTHCHECK --interval=-1s CMD a",
					  "LABEL x",
					  "WORKDIR \"\"",
					  "MAINTAINER x"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
		struct err e = ERR_INIT;

		if (image_change_apply(&c, CHANGES(bad[i]), &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void image_config_adds_layers(void **state)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	struct image_history h = {.created_by = "import", .comment = "c"};
	struct digest d;
	struct err e = ERR_INIT;

	digest_of("x", 1, &d);
	assert_int_equal(image_config_add_layer(&c, &d, &h, &e), 0);
	assert_int_equal(image_config_add_layer(&c, NULL, &h, &e), 0);
	assert_int_equal(c.n_diff_ids, 1);
	assert_int_equal(c.n_history, 2);
	assert_true(c.history[1].empty_layer);
	assert_false(c.history[0].empty_layer);
	assert_string_equal(c.history[0].created_by, "import");
	assert_null(c.history[0].author);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_config_writes_what_it_read),
		cmocka_unit_test(test_U26_null_documents_are_refused),
		cmocka_unit_test(image_config_accepts_nulls_where_go_writes_them),
		cmocka_unit_test(test_X15_large_documents_are_refused),
		cmocka_unit_test(changes_follow_dockerfile_syntax),
		cmocka_unit_test(changes_refuse_what_docker_refuses),
		cmocka_unit_test(all_ports_can_be_exposed),
		cmocka_unit_test(image_config_adds_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
