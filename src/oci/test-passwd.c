/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "oci/passwd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "broken:x:abc:0::/:\n"
			     "short\n"
			     "\n"
			     "zero::::/evil:\n"
			     "www:x:33:33:www:/var/www:/bin/sh\n"
			     "4294967296:x:0:0::/:\n"
			     "0x0:x:0:0::/:\n"
			     "nobody:x:65534:65534::/nonexistent:\n"
			     "rel:x:7:7::home/rel:";
static const char group[] = "root:x:0:\nwww:x:33:\nadm:x:4:www,root\naudio:x:29:nobody,www\n"
			    "bad:x:x:www\nvideo:x:44:";
static const struct passwd_files files = {passwd, sizeof(passwd) - 1, group, sizeof(group) - 1};

static void expect(const char *spec, const char *const *add, const char *want)
{
	struct passwd_identity i = PASSWD_IDENTITY_INIT;
	struct err e = ERR_INIT;
	_cleanup_(buf_done) struct buf got = BUF_INIT(4096);

	if (passwd_resolve(spec, add, &files, &i, &e) < 0)
		fail_msg("%s: %s", spec ? spec : "NULL", e.msg);
	buf_printf(&got, "%u %u %s:", i.uid, i.gid, i.home);
	for (size_t k = 0; k < i.n_gids; k++)
		buf_printf(&got, " %u", i.gids[k]);
	assert_string_equal(buf_str(&got), want);
	passwd_identity_done(&i);
}

static void passwd_resolves_as_moby(void **state)
{
	expect(NULL, NULL, "0 0 /root: 0 4");
	expect("", NULL, "0 0 /root: 0 4");
	expect("root", NULL, "0 0 /root: 0 4");
	expect("0", NULL, "0 0 /root: 0 4");
	expect("www", NULL, "33 33 /var/www: 4 29 33");
	expect("33", NULL, "33 33 /var/www: 4 29 33");
	expect("1000", NULL, "1000 0 /: 0");
	expect("1000:", NULL, "1000 0 /: 0");
	expect("www:video", NULL, "33 44 /var/www: 44");
	expect("www:77", NULL, "33 77 /var/www: 77");
	expect("rel", NULL, "7 7 /: 7");
	expect(":video", NULL, "0 44 /root: 44");
	expect("2147483647:2147483647", NULL, "2147483647 2147483647 /: 2147483647");
	expect("www", (const char *const[]){"video", "900", "adm", NULL},
	       "33 33 /var/www: 4 29 33 44 900");
}

static void test_E22_primary_group_is_supplementary_too(void **state)
{
	expect("1000:1000", NULL, "1000 1000 /: 1000");
}

static void test_E20_odd_numbers_are_never_root(void **state)
{
	char digits[5001];
	const char *const bad[] = {"4294967296",
				   "-1",
				   "+0",
				   "0x0",
				   " 0",
				   "0 ",
				   "00",
				   "000",
				   "2147483648",
				   "-0",
				   "+",
				   "-",
				   "0b0",
				   "0o0",
				   "0_0",
				   "\t0",
				   "0\n",
				   "1000:-1",
				   "1000:+0",
				   "1000:0x0",
				   "1000:4294967296",
				   "1000:0:0",
				   "18446744073709551616",
				   "::",
				   "0:00",
				   digits};

	memset(digits, '0', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct passwd_identity id = PASSWD_IDENTITY_INIT;
		struct err e = ERR_INIT;

		if (passwd_resolve(bad[i], NULL, &files, &id, &e) != -1)
			fail_msg("accepted: '%s' as %u", bad[i], id.uid);
		assert_int_equal(e.class, ERR_INVALID);
	}
}

static void passwd_names_what_it_did_not_find(void **state)
{
	struct passwd_identity id = PASSWD_IDENTITY_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(passwd_resolve("nemo", NULL, &files, &id, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "unable to find user nemo: no matching entries in passwd file");
	assert_int_equal(passwd_resolve("0:nemo", NULL, &files, &id, &e), -1);
	assert_string_equal(e.msg, "unable to find group nemo: no matching entries in group file");
	/* Lines whose numbers cannot be read do not make anyone root. */
	assert_int_equal(passwd_resolve("broken", NULL, &files, &id, &e), -1);
	assert_int_equal(passwd_resolve("zero", NULL, &files, &id, &e), -1);
	assert_int_equal(passwd_resolve("short", NULL, &files, &id, &e), -1);
}

static void passwd_works_without_files(void **state)
{
	static const struct passwd_files none = {NULL, 0, NULL, 0};
	struct passwd_identity id = PASSWD_IDENTITY_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(passwd_resolve("0", NULL, &none, &id, &e), 0);
	assert_string_equal(id.home, "/");
	passwd_identity_done(&id);
	assert_int_equal(passwd_resolve("root", NULL, &none, &id, &e), -1);
	assert_int_equal(passwd_resolve(NULL, NULL, &none, &id, &e), 0);
	passwd_identity_done(&id);
}

static void test_E15_passwd_bounds_lines_and_groups(void **state)
{
	_cleanup_(buf_done) struct buf p = BUF_INIT(32 << 20), g = BUF_INIT(32 << 20);
	struct passwd_identity id = PASSWD_IDENTITY_INIT;
	struct passwd_files f;
	struct err e = ERR_INIT;

	buf_puts(&p, "long:x:0:0:");
	while (p.len < PASSWD_LINE_MAX + 10)
		buf_puts(&p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	buf_puts(&p, ":/:\nu:x:5:5::/u:\n");
	for (int i = 0; i < 70000; i++)
		buf_printf(&g, "g%d:x:%d:u\n", i, i + 10);
	f = (struct passwd_files){buf_str(&p), p.len, buf_str(&g), g.len};
	assert_int_equal(passwd_resolve("long", NULL, &f, &id, &e), -1);
	assert_int_equal(e.class, ERR_NOT_FOUND);
	assert_int_equal(passwd_resolve("u", NULL, &f, &id, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
	f.n_group = 0;
	assert_int_equal(passwd_resolve("u", NULL, &f, &id, &e), 0);
	passwd_identity_done(&id);
	f.n_passwd = PASSWD_SIZE_MAX + 1;
	assert_int_equal(passwd_resolve("u", NULL, &f, &id, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwd_resolves_as_moby),
		cmocka_unit_test(test_E22_primary_group_is_supplementary_too),
		cmocka_unit_test(test_E20_odd_numbers_are_never_root),
		cmocka_unit_test(passwd_names_what_it_did_not_find),
		cmocka_unit_test(passwd_works_without_files),
		cmocka_unit_test(test_E15_passwd_bounds_lines_and_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
