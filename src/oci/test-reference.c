/* SPDX-License-Identifier: Apache-2.0 */
/* The table follows distribution/reference's normalize_test.go and reference_test.go. */
#include "oci/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define A16  "aaaaaaaaaaaaaaaa"
#define A64  A16 A16 A16 A16
#define A128 A64 A64

static void reference_normalises_as_docker(void **state)
{
	static const struct {
		const char *in, *text, *familiar;
	} cases[] = {
		{"debian", "docker.io/library/debian:latest", "debian:latest"},
		{"debian:12", "docker.io/library/debian:12", "debian:12"},
		{"library/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"index.docker.io/private/x", "docker.io/private/x:latest", "private/x:latest"},
		{"user/app:1.0", "docker.io/user/app:1.0", "user/app:1.0"},
		{"localhost/app", "localhost/app:latest", "localhost/app:latest"},
		{"localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"},
		{"127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t"},
		{"[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"},
		{"[2001:db8::1]/app:x", "[2001:db8::1]/app:x", "[2001:db8::1]/app:x"},
		{"registry.example.org/a/b/c", "registry.example.org/a/b/c:latest",
		 "registry.example.org/a/b/c:latest"},
		{"Upper/app", "Upper/app:latest", "Upper/app:latest"},
		{"xn--n3h.com/myimage", "xn--n3h.com/myimage:latest", "xn--n3h.com/myimage:latest"},
		{"foo_bar.com/x", "foo_bar.com/x:latest", "foo_bar.com/x:latest"},
		{"a__b/c-d--e.f_g:T.a-g_1", "docker.io/a__b/c-d--e.f_g:T.a-g_1",
		 "a__b/c-d--e.f_g:T.a-g_1"},
		{"debian@sha256:" HEX, "docker.io/library/debian@sha256:" HEX,
		 "debian@sha256:" HEX},
		{"debian:12@sha256:" HEX, "docker.io/library/debian:12@sha256:" HEX,
		 "debian:12@sha256:" HEX},
		{"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
		{"docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"},
		{"docker.io/a.b", "docker.io/library/a.b:latest", "a.b:latest"},
		{"docker.io/library/" HEX, "docker.io/library/" HEX ":latest",
		 "docker.io/library/" HEX ":latest"},
		{"foo:5000", "docker.io/library/foo:5000", "foo:5000"},
		{"a:" A128, "docker.io/library/a:" A128, "a:" A128},
		{"debian:_x", "docker.io/library/debian:_x", "debian:_x"},
	};
	char out[REFERENCE_TEXT_SIZE];
	struct reference r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_INIT;

		if (reference_parse_tagged(cases[i].in, &r, &e) < 0)
			fail_msg("%s: %s", cases[i].in, e.msg);
		assert_string_equal(reference_text(&r, out), cases[i].text);
		assert_string_equal(reference_familiar(&r, out), cases[i].familiar);
	}
}

static void reference_round_trips(void **state)
{
	struct reference a, b;
	char out[REFERENCE_TEXT_SIZE];
	struct err e = ERR_INIT;

	assert_int_equal(reference_parse("debian:12@sha256:" HEX, &a, &e), 0);
	assert_int_equal(reference_parse(reference_familiar(&a, out), &b, &e), 0);
	assert_true(reference_eq(&a, &b));
	assert_int_equal(reference_parse("debian", &b, &e), 0);
	assert_string_equal(b.tag, "");
	assert_false(reference_eq(&a, &b));
	assert_string_equal(reference_repository(&a, true, out), "debian");
	assert_string_equal(reference_repository(&a, false, out), "docker.io/library/debian");
}

static void reference_refuses_what_docker_refuses(void **state)
{
	static const char *const bad[] = {"",
					  ":tag",
					  "@sha256:" HEX,
					  "/debian",
					  "debian/",
					  "a//b",
					  "-a",
					  "a-",
					  "a..b",
					  "a._b",
					  "a___b",
					  ".a",
					  "a.",
					  "debian:",
					  "debian:-x",
					  "debian:a/b",
					  "debian:a:b",
					  "a b",
					  "a\n",
					  "debian@",
					  "debian@sha256:",
					  "debian@sha256:abc",
					  "debian@sha256:" HEX "zz",
					  "debian@:" HEX,
					  "-host.com/a",
					  "host-.com/a",
					  "ho st/a",
					  "host.com:port/a",
					  "host.com:/a",
					  "[::1/a",
					  "[]/a",
					  "[g::]/a",
					  "a:" A128 "a",
					  "../a",
					  "a/../b",
					  HEX,
					  "http://host/a",
					  "docker.io//a",
					  "docker.io/",
					  "localhost:5000/",
					  "\xc3\xa4",
					  "aa/asdf$$^/aa",
					  "debian@sha256:" HEX "@sha256:" HEX};
	struct reference r;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (reference_parse(bad[i], &r, &e) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void reference_says_lowercase(void **state)
{
	struct reference r;
	struct err e = ERR_INIT;

	assert_int_equal(reference_parse("Debian:12", &r, &e), -1);
	assert_string_equal(e.msg,
			    "invalid reference format: repository name (library/Debian) must "
			    "be lowercase");
	assert_int_equal(reference_parse("a.b/App", &r, &e), -1);
	assert_non_null(strstr(e.msg, "must be lowercase"));
	assert_int_equal(reference_parse("a::b", &r, &e), -1);
	assert_non_null(strstr(e.msg, "invalid reference format"));
}

static void reference_bounds_the_path(void **state)
{
	struct reference r;
	struct err e = ERR_INIT;

	/* "library/" is 8 of 255. */
	char name[300];
	memset(name, 'a', sizeof(name));
	name[247] = '\0';
	assert_int_equal(reference_parse(name, &r, &e), 0);
	assert_int_equal(strlen(r.path), 255);
	name[247] = 'a';
	name[248] = '\0';
	assert_int_equal(reference_parse(name, &r, &e), -1);
	assert_string_equal(e.msg, "repository name must not be more than 255 characters");
}

static void reference_knows_what_may_be_an_id(void **state)
{
	const char *hex = NULL;

	assert_true(reference_maybe_id("abc", &hex));
	assert_string_equal(hex, "abc");
	assert_true(reference_maybe_id("sha256:" HEX, &hex));
	assert_string_equal(hex, HEX);
	assert_false(reference_maybe_id("debian", &hex));
	assert_false(reference_maybe_id("sha256:", &hex));
	assert_false(reference_maybe_id("", &hex));
	assert_false(reference_maybe_id(HEX "0", &hex));
	assert_false(reference_maybe_id("../abc", &hex));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_normalises_as_docker),
		cmocka_unit_test(reference_round_trips),
		cmocka_unit_test(reference_refuses_what_docker_refuses),
		cmocka_unit_test(reference_says_lowercase),
		cmocka_unit_test(reference_bounds_the_path),
		cmocka_unit_test(reference_knows_what_may_be_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
