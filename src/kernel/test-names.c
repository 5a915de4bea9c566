/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of names: signals, capabilities, limits, namespaces, mount options. */
#include "kernel/caps.h"
#include "kernel/mount-option.h"
#include "kernel/ns.h"
#include "kernel/rlimit.h"
#include "kernel/sig.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <cmocka.h>

static void signals_are_read_as_docker_reads_them(void **state)
{
	static const struct {
		const char *name;
		int number;
	} good[] = {{"TERM", 15},    {"SIGTERM", 15}, {"sigterm", 15},   {"15", 15},
		    {"KILL", 9},     {"RTMIN", 34},   {"RTMIN+3", 37},   {"RTMAX", 64},
		    {"RTMAX-2", 62}, {"64", 64},      {"SIGRTMIN+1", 35}};
	static const char *const bad[] = {"",       "0",          "65",       "-1",       "SIG",
					  "FOO",    "SIGSIGTERM", "RTMIN+31", "RTMAX-31", "RTMIN3",
					  "RTMIN+", " TERM",      "15 ",      "RTMIN-1"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(sig_number(good[i].name), good[i].number);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sig_number(bad[i]), -EINVAL);
}

static void every_signals_name_leads_back_to_it(void **state)
{
	char name[SIG_NAME_SIZE];

	for (int i = 1; i <= SIG_NUMBER_MAX; i++)
		assert_int_equal(sig_number(sig_name(i, name)), i);
	assert_string_equal(sig_name(SIGABRT, name), "ABRT");
	assert_string_equal(sig_name(SIGCHLD, name), "CHLD");
}

static void capabilities_have_all_their_names(void **state)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < CAPS_N; i++)
		assert_int_equal(cap_number(cap_name(i)), i);
	assert_null(cap_name(CAPS_N));
	assert_int_equal(cap_number("sys_admin"), 21);
	assert_int_equal(cap_number("cap_Net_Raw"), 13);
	assert_int_equal(cap_number("CAP_"), -EINVAL);
	assert_int_equal(cap_number("CAP_CAP_CHOWN"), -EINVAL);
	assert_int_equal(cap_number("ALL"), -EINVAL);
	assert_int_equal(caps_parse("all", &mask), 0);
	assert_true(mask == CAPS_ALL);
	assert_int_equal(caps_parse("mknod", &mask), 0);
	assert_true(mask == CAPS_BIT(27));
	assert_int_equal(caps_parse("x", &mask), -EINVAL);
	assert_true(caps_last() >= 37);
}

static void limits_have_both_forms(void **state)
{
	assert_int_equal(rlimit_number("RLIMIT_NOFILE"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_number("nofile"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_number("memlock"), RLIMIT_MEMLOCK);
	assert_int_equal(rlimit_number("RLIMIT_"), -EINVAL);
	assert_int_equal(rlimit_number(""), -EINVAL);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		assert_int_equal(rlimit_number(rlimit_name(i)), i);
	assert_null(rlimit_name(99));
}

static void limits_are_set_and_read(void **state)
{
	uint64_t soft, hard, s, h;

	assert_int_equal(rlimit_get(0, RLIMIT_CORE, &soft, &hard), 0);
	assert_int_equal(rlimit_set(0, RLIMIT_CORE, 0, hard), 0);
	assert_int_equal(rlimit_get(0, RLIMIT_CORE, &s, &h), 0);
	assert_true(s == 0 && h == hard);
	assert_int_equal(rlimit_set(0, RLIMIT_CORE, soft, hard), 0);
	assert_int_equal(rlimit_set(0, RLIMIT_CORE, 2, 1), -EINVAL);
}

static void namespaces_are_found_by_both_names(void **state)
{
	assert_true(ns_find("mount")->flag == CLONE_NEWNS);
	assert_ptr_equal(ns_find("mnt"), ns_find("mount"));
	assert_ptr_equal(ns_find("net"), ns_find("network"));
	assert_ptr_equal(ns_find_flag(CLONE_NEWTIME), ns_find("time"));
	assert_null(ns_find("x"));
	assert_null(ns_find_flag(CLONE_NEWNS | CLONE_NEWPID));
	assert_string_equal(ns_types[0].name, "user");
	assert_string_equal(ns_types[NS_TYPE_N - 1].name, "mount");
}

static struct mount_options options_of(const char *const *names)
{
	struct mount_options o = {0};

	for (; *names; names++)
		assert_true(mount_option_add(&o, *names));
	return o;
}

#define OPTIONS(...) options_of((const char *const[]){__VA_ARGS__, NULL})

static void the_last_of_contrary_options_wins(void **state)
{
	struct mount_options o = OPTIONS("ro", "nosuid", "rw");

	assert_true(o.set == MOUNT_ATTR_NOSUID && o.clear == MOUNT_ATTR_RDONLY);
	o = OPTIONS("noatime", "strictatime");
	assert_true((o.set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME);
	assert_true((o.clear & MOUNT_ATTR__ATIME) == MOUNT_ATTR__ATIME);
	o = OPTIONS("rro", "ro", "rprivate", "slave");
	assert_true(o.rec_set == MOUNT_ATTR_RDONLY && o.set == MOUNT_ATTR_RDONLY);
	assert_true(o.propagation == MS_SLAVE && !o.rec_propagation);
	o = OPTIONS("rbind", "ridmap", "tmpcopyup", "sync", "async", "dirsync");
	assert_int_equal(o.bits,
			 MOUNT_BIND | MOUNT_RBIND | MOUNT_IDMAP | MOUNT_RIDMAP | MOUNT_TMPCOPYUP);
	assert_true(o.sb_set == MS_DIRSYNC && o.sb_clear == MS_SYNCHRONOUS);
}

static void options_of_file_systems_are_left_to_them(void **state)
{
	static const char *const others[] = {"size=64m", "mode=755", "RO", "", "gid=5", "ro "};
	struct mount_options o = {0};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(mount_option_add(&o, others[i]));
	assert_true(o.set == 0 && o.clear == 0 && o.bits == 0);
}

/* The names that the runtime-spec (config.md, Linux mount options) lists. */
static void all_options_of_the_specification_are_known(void **state)
{
	static const char all[] =
		"async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand "
		"noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime "
		"nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime "
		"remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime "
		"rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime "
		"rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow "
		"sync tmpcopyup unbindable idmap ridmap acl noacl";
	struct mount_options o = {0};
	const char *keys[MOUNT_SB_KEYS_MAX];
	char name[32];

	for (const char *p = all; *p;) {
		size_t n = strcspn(p, " ");

		memcpy(name, p, n);
		name[n] = '\0';
		if (!mount_option_add(&o, name))
			fail_msg("'%s' is not known", name);
		p += n + strspn(p + n, " ");
	}
	assert_true(mount_option_sb_keys(&o, keys) <= MOUNT_SB_KEYS_MAX);
	for (size_t i = 0; mount_option_name(i); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(mount_option_name(i), mount_option_name(j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_read_as_docker_reads_them),
		cmocka_unit_test(every_signals_name_leads_back_to_it),
		cmocka_unit_test(capabilities_have_all_their_names),
		cmocka_unit_test(limits_have_both_forms),
		cmocka_unit_test(limits_are_set_and_read),
		cmocka_unit_test(namespaces_are_found_by_both_names),
		cmocka_unit_test(the_last_of_contrary_options_wins),
		cmocka_unit_test(options_of_file_systems_are_left_to_them),
		cmocka_unit_test(all_options_of_the_specification_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
