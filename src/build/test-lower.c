/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering, as text: the vertices that the target needs, and the history. */
#include "base/buf.h"
#include "base/str.h"
#include "build/lower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const char base_config[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"FROM=base\"],"
	"\"WorkingDir\":\"/srv\",\"OnBuild\":[\"RUN echo $FROM\",\"LABEL by=trigger\"]},"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
	"\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]}}";

static int resolve(void *arg, const char *ref, const char *platform, struct lower_image *ret,
		   struct err *e)
{
	if (!str_eq(ref, "base"))
		return err_set(e, ERR_NOT_FOUND, 0, "no image '%s'", ref);
	digest_of(base_config, sizeof(base_config) - 1, (struct digest *)ret->id);
	return image_config_parse(base_config, sizeof(base_config) - 1, &ret->config, e);
}

static const char *const build_args[] = {"GIVEN=given", "http_proxy=http://p", NULL};

static struct lower_opts options(void)
{
	struct lower_opts o = {
		.project = "Dockerfile", .build_args = build_args, .resolve = resolve};
	struct err e = ERR_INIT;

	platform_parse("linux/amd64", &o.platform, &e);
	o.build_platform = o.platform;
	return o;
}

/* Fails the test where TEXT cannot be lowered. */
static void lowered_of(const char *text, const struct lower_opts *o, struct lowered *ret)
{
	struct dockerfile d = DOCKERFILE_INIT;
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, strlen(text), &d, &e) < 0 || lower(&d, o, ret, &e) < 0)
		fail_msg("%u: %s", ret->failed_at.first, e.msg);
	dockerfile_done(&d);
}

/* The history that TEXT makes, a line each; "-" before an empty layer. */
static void history_is(const char *text, const char *expected)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(65536);
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();

	lowered_of(text, &o, &l);
	for (size_t i = 0; i < l.n_history; i++)
		buf_printf(&out, "%s%s\n", l.history[i].vertex < 0 ? "-" : "",
			   l.history[i].h.created_by);
	assert_string_equal(buf_str(&out), expected);
	lowered_done(&l);
}

/* The parameters of the vertex that is the target's tree. */
static void target_is(const char *text, const char *name, const char *params)
{
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();

	lowered_of(text, &o, &l);
	assert_string_equal(l.graph.v[l.target].name, name);
	assert_string_equal(l.graph.v[l.target].params, params);
	lowered_done(&l);
}

/* "LINE MESSAGE" */
static void fails(const char *text, const char *target, const char *expected)
{
	struct dockerfile d = DOCKERFILE_INIT;
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();
	struct err e = ERR_INIT;
	char found[1200];

	o.target = target;
	assert_int_equal(dockerfile_parse(text, strlen(text), &d, &e), 0);
	assert_int_equal(lower(&d, &o, &l, &e), -1);
	snprintf(found, sizeof(found), "%u %s", l.failed_at.first, e.msg);
	assert_string_equal(found, expected);
	lowered_done(&l);
	dockerfile_done(&d);
}

static void history_is_as_buildkit_writes_it(void **state)
{
	history_is("FROM scratch\nARG A=1 B\nENV X=$A Y=\"two words\"\nLABEL l=$Y\n"
		   "CMD [\"sh\", \"-c\", \"echo \\\"hi\\\"\"]\nENTRYPOINT run $X\n"
		   "EXPOSE 80 443/TCP 8000-8001/udp\nVOLUME /a /b\nUSER me:you\n"
		   "WORKDIR /w\nWORKDIR ..\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/x\", \"-e\"]\n"
		   "HEALTHCHECK --interval=90s --retries=3 CMD true\nMAINTAINER somebody\n"
		   "RUN a $X\nCOPY --chown=u:g a b /c/\nADD <<EOF /d\nx\nEOF\nONBUILD RUN z\n",
		   "-ARG A=1 B\n-ENV X=1 Y=two words\n-LABEL l=two words\n"
		   "-CMD [\"sh\" \"-c\" \"echo \\\"hi\\\"\"]\n"
		   "-ENTRYPOINT [\"/bin/sh\" \"-c\" \"run $X\"]\n"
		   "-EXPOSE map[443/tcp:{} 80/tcp:{} 8000/udp:{} 8001/udp:{}]\n"
		   "-VOLUME [/a /b]\n-USER me:you\nWORKDIR /w\n-WORKDIR /\n-STOPSIGNAL SIGINT\n"
		   "-SHELL [/bin/x -e]\n"
		   "-HEALTHCHECK &{[\"CMD-SHELL\" \"true\"] \"1m30s\" \"0s\" \"0s\" '\\x03'}\n"
		   "-MAINTAINER somebody\nRUN |2 A=1 B= /bin/x -e a $X # buildkit\n"
		   "COPY --chown=u:g a b /c/ # buildkit\nADD <<EOF /d # buildkit\n");
}

static void arguments_have_their_scope(void **state)
{
	history_is("ARG V=7\nARG GIVEN=x\nFROM scratch AS a\nRUN one\nFROM a\nARG V\nARG GIVEN=y\n"
		   "ARG TARGETARCH\nRUN two\n",
		   "RUN /bin/sh -c one # buildkit\n-ARG V=7\n-ARG GIVEN=given\n"
		   "-ARG TARGETARCH=amd64\n"
		   "RUN |3 V=7 GIVEN=given TARGETARCH=amd64 /bin/sh -c two # buildkit\n");
}

static void triggers_of_the_base_run_first(void **state)
{
	history_is("FROM base\nRUN last\n",
		   "RUN /bin/sh -c echo $FROM # buildkit\n-LABEL by=trigger\n"
		   "RUN /bin/sh -c last # buildkit\n");
}

static void run_has_its_environment_and_mounts(void **state)
{
	target_is("FROM scratch\nARG A=1\nENV B=2\nWORKDIR /\nUSER u\n"
		  "RUN --mount=type=cache,target=c --mount=type=secret,id=s,env=S "
		  "--mount=type=tmpfs,dst=/t,size=1m --network=none make\n",
		  "[1/2] RUN --mount=type=cache,target=c --mount=type=secret,id=s,env=S "
		  "--mount=type=tmpfs,dst=/t,size=1m --network=none make",
		  "{\"args\":[\"/bin/sh\",\"-c\",\"make\"],\"cwd\":\"/\",\"env\":["
		  "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
		  "\"A=1\",\"B=2\"],\"mounts\":[{\"id\":\"/c\",\"mode\":493,\"sharing\":\"shared\","
		  "\"source\":\"/\",\"target\":\"/c\",\"type\":\"cache\"},"
		  "{\"env\":\"S\",\"id\":\"s\",\"mode\":256,\"type\":\"secret\"},"
		  "{\"size\":1048576,\"target\":\"/t\",\"type\":\"tmpfs\"}],\"network\":\"none\","
		  "\"security\":\"sandbox\",\"user\":\"u\"}");
}

static void here_documents_become_scripts_and_files(void **state)
{
	target_is("FROM scratch\nENV A=1\nCOPY <<one <<'two' /d/\na $A\none\nb $A\ntwo\n",
		  "[1/1] COPY <<one <<'two' /d/",
		  "{\"dest\":\"/d/\",\"sources\":[{\"data\":\"a 1\\n\",\"path\":\"one\"},"
		  "{\"data\":\"b $A\\n\",\"path\":\"two\"}]}");
	history_is("FROM scratch\nRUN <<EOF\na\nb\nEOF\nRUN <<X cat\nc\nX\n",
		   "RUN /bin/sh -c a\nb\n # buildkit\nRUN /bin/sh -c <<X cat\nc\nX # buildkit\n");
}

static void add_knows_urls_and_repositories(void **state)
{
	target_is("FROM scratch\nADD --chmod=644 https://h/x/f.tar?q a.tar /d/\n",
		  "[1/1] ADD --chmod=644 https://h/x/f.tar?q a.tar /d/",
		  "{\"add\":true,\"chmod\":\"644\",\"dest\":\"/d/\",\"sources\":["
		  "{\"input\":1,\"no_wildcards\":true,\"path\":\"/f.tar\"},"
		  "{\"input\":2,\"path\":\"/a.tar\",\"unpack\":true}]}");
}

static void passwords_of_urls_are_in_no_name_and_no_key(void **state)
{
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();

	lowered_of("FROM scratch\nADD https://u:p%40w@h/a%2fb%20c/ https://me@h/../x@y /d/\n", &o,
		   &l);
	for (size_t i = 0; i < l.graph.n; i++) {
		assert_null(strstr(l.graph.v[i].name, "u:p"));
		assert_null(strstr(l.graph.v[i].params, "p%40w"));
		assert_null(strstr(l.graph.v[i].params, "p@w"));
	}
	assert_string_equal(l.graph.v[1].name, "https://xxxxx:xxxxx@h/a%2fb%20c/");
	assert_string_equal(l.graph.v[1].params,
			    "{\"filename\":\"b c\",\"url\":\"https://h/a%2fb%20c/\"}");
	assert_string_equal(l.graph.v[1].aside, "{\"user_password\":\"u:p@w\"}");
	assert_true(l.graph.v[1].no_cache);
	assert_string_equal(l.graph.v[2].params,
			    "{\"filename\":\"x@y\",\"url\":\"https://h/../x@y\"}");
	lowered_done(&l);
}

static void stages_are_lowered_where_they_are_needed(void **state)
{
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();

	lowered_of("FROM nothing AS unneeded\nRUN x\nFROM scratch AS a\nRUN a\nFROM scratch AS b\n"
		   "COPY --from=a /x /\nFROM scratch\nCOPY --from=b / /\nCOPY --from=1 /y /\n",
		   &o, &l);
	assert_int_equal(l.graph.n, 5); /* scratch, a, b, two copies */
	assert_string_equal(l.graph.v[l.target].name, "[stage-3 2/2] COPY --from=1 /y /");
	assert_string_equal(l.graph.v[1].name, "[a 1/1] RUN a");
	lowered_done(&l);
}

static void errors_name_their_line(void **state)
{
	fails("FROM scratch\nCOPY --from=9 a b\n", NULL, "2 from=9: there are 1 stages, from 0");
	fails("FROM scratch AS a\nCOPY --from=a x y\n", NULL,
	      "2 circular dependency: the stage 'a' needs itself");
	fails("FROM scratch AS build\n", "biuld",
	      "0 target stage \"biuld\" could not be found (did you mean build?)");
	fails("FROM scratch\nRUN --mount=type=cahce,target=/x y\n", NULL,
	      "2 --mount: no type 'cahce' (did you mean cache?)");
	fails("FROM nothing\n", NULL, "1 no image 'nothing'");
	fails("FROM scratch\nEXPOSE 99999\n", NULL,
	      "2 EXPOSE 99999: no port, and no range of ports");
	fails("FROM scratch\nSTOPSIGNAL NO\n", NULL, "2 STOPSIGNAL NO: no such signal");
}

static void proxies_are_no_part_of_the_step(void **state)
{
	struct lowered l = LOWERED_INIT;
	struct lower_opts o = options();

	lowered_of("FROM scratch\nRUN x\n", &o, &l);
	assert_string_equal(l.graph.v[l.target].aside, "{\"proxy\":[\"http_proxy=http://p\"]}");
	assert_null(strstr(l.graph.v[l.target].params, "proxy"));
	lowered_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_is_as_buildkit_writes_it),
		cmocka_unit_test(arguments_have_their_scope),
		cmocka_unit_test(triggers_of_the_base_run_first),
		cmocka_unit_test(run_has_its_environment_and_mounts),
		cmocka_unit_test(here_documents_become_scripts_and_files),
		cmocka_unit_test(add_knows_urls_and_repositories),
		cmocka_unit_test(passwords_of_urls_are_in_no_name_and_no_key),
		cmocka_unit_test(stages_are_lowered_where_they_are_needed),
		cmocka_unit_test(errors_name_their_line),
		cmocka_unit_test(proxies_are_no_part_of_the_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
