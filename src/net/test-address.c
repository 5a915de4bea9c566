/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct net_ip prefix(const char *s)
{
	struct net_ip ip = {.family = 0};

	assert_int_equal(net_prefix_parse(s, true, &ip), 0);
	return ip;
}

static struct net_ip address(const char *s)
{
	struct net_ip ip = {.family = 0};

	assert_int_equal(net_ip_parse(s, &ip), 0);
	return ip;
}

static void assert_ip(const struct net_ip *ip, const char *want)
{
	char text[NET_IP_TEXT];

	assert_string_equal(net_ip_text(ip, text), want);
}

static void texts_are_strict(void **state)
{
	static const char *const bad[] = {"",    "1.2.3",    "01.2.3.4", "1.2.3.4 ", "fe80::1%eth0",
					  ":::", "256.1.1.1"};
	struct net_ip ip;
	uint8_t mac[6];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(net_ip_parse(bad[i], &ip) < 0);
	assert_true(net_prefix_parse("10.0.0.1/8", false, &ip) < 0);
	assert_true(net_prefix_parse("10.0.0.0/33", false, &ip) < 0);
	assert_true(net_prefix_parse("10.0.0.0", false, &ip) < 0);
	assert_int_equal(net_prefix_parse("fd00::/64", false, &ip), 0);
	assert_int_equal(net_mac_parse("02:42:ac:11:00:02", mac), 0);
	assert_true(net_mac_parse("03:42:ac:11:00:02", mac) < 0);
	assert_true(net_mac_parse("00:00:00:00:00:00", mac) < 0);
	assert_true(net_mac_parse("02:42:ac:11:00", mac) < 0);
	assert_true(net_mac_parse("02:42-ac:11:00:02", mac) < 0);
}

static void prefixes_know_what_is_in_them(void **state)
{
	struct net_ip a = prefix("172.17.0.0/16"), b = prefix("172.17.128.0/17");
	struct net_ip c = prefix("172.18.0.0/16"), all = prefix("0.0.0.0/0"), ip;

	ip = address("172.17.255.255");
	assert_true(net_prefix_has(&a, &ip));
	assert_true(net_prefix_has(&a, &b));
	assert_false(net_prefix_has(&b, &a));
	assert_true(net_prefix_overlaps(&a, &b));
	assert_true(net_prefix_overlaps(&b, &a));
	assert_true(net_prefix_overlaps(&all, &c));
	assert_false(net_prefix_overlaps(&a, &c));
	ip = prefix("::/0");
	assert_false(net_prefix_overlaps(&ip, &all));
}

static void pools_go_round_what_is_taken(void **state)
{
	struct net_ip taken[3] = {prefix("172.17.0.0/16"), prefix("172.18.4.0/24"),
				  prefix("172.19.0.0/16")};
	struct err e = ERR_INIT;
	struct net_ip got;

	assert_int_equal(
		net_pool_choose(net_default_pools, net_n_default_pools, taken, 3, &got, &e), 0);
	assert_ip(&got, "172.20.0.0");
	taken[0] = prefix("172.16.0.0/12");
	assert_int_equal(
		net_pool_choose(net_default_pools, net_n_default_pools, taken, 1, &got, &e), 0);
	assert_ip(&got, "192.168.0.0");
	assert_int_equal(got.bits, 20);
}

static void empty_pools_say_what_to_do(void **state)
{
	struct net_ip taken[] = {prefix("172.16.0.0/12"), prefix("192.168.0.0/16")};
	struct err e = ERR_INIT;
	struct net_ip got;

	assert_int_equal(
		net_pool_choose(net_default_pools, net_n_default_pools, taken, 2, &got, &e), -1);
	assert_int_equal(e.class, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "network prune"));
}

static void all_31_subnets_of_the_default_pools_come(void **state)
{
	struct net_ip taken[64];
	struct err e = ERR_INIT;
	size_t n = 0;

	while (n < 64 && net_pool_choose(net_default_pools, net_n_default_pools, taken, n,
					 &taken[n], &e) == 0)
		n++;
	assert_int_equal(n, 31);
}

static void subnets_are_checked(void **state)
{
	static const struct {
		const char *subnet, *range, *gateway;
		bool good;
	} cases[] = {
		{"10.1.0.0/16", NULL, NULL, true},
		{"10.1.0.0/16", "10.1.2.0/24", NULL, true},
		{"10.1.0.0/16", "10.2.2.0/24", NULL, false},
		{"10.1.0.0/16", NULL, "10.1.255.254", true},
		{"10.1.0.0/16", NULL, "10.1.255.255", false},
		{"10.1.0.0/16", NULL, "10.2.0.1", false},
		{"10.1.0.0/31", NULL, NULL, true},
		{"10.1.0.0/32", NULL, NULL, false},
		{"0.0.0.0/0", NULL, NULL, false},
		{"fd00::/127", NULL, NULL, true},
		{"fd00::/64", NULL, "fd01::1", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_subnet s = {.subnet = prefix(cases[i].subnet)};
		struct err e = ERR_INIT;

		if (cases[i].range)
			s.range = prefix(cases[i].range);
		if (cases[i].gateway)
			s.gateway = address(cases[i].gateway);
		assert_int_equal(net_subnet_check(&s, true, &e), cases[i].good ? 0 : -1);
		if (!cases[i].good)
			assert_int_equal(e.class, ERR_INVALID);
	}
}

static bool in_list(void *arg, const struct net_ip *ip)
{
	const struct net_ip *list = arg;

	for (; list->family; list++)
		if (net_ip_eq(list, ip))
			return true;
	return false;
}

static void N17_a_subnet_runs_out_and_says_so(void **state)
{
	struct net_ip taken[8] = {{.family = 0}}, last = {.family = 0};
	struct net_subnet s = {.subnet = prefix("10.0.0.0/29")};
	struct err e = ERR_INIT;
	size_t n = 0;

	assert_int_equal(net_subnet_check(&s, true, &e), 0);
	assert_ip(&s.gateway, "10.0.0.1");
	while (n < 7 && net_address_choose(&s, &last, in_list, taken, &taken[n], &e) == 0)
		last = taken[n++];
	/* 8 less network, broadcast and gateway */
	assert_int_equal(n, 5);
	assert_int_equal(e.class, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "10.0.0.0/29"));
}

static void addresses_are_not_used_again_at_once(void **state)
{
	struct net_subnet s = {.subnet = prefix("10.0.0.0/24")};
	struct net_ip none = {.family = 0}, last = address("10.0.0.9"), got;
	struct err e = ERR_INIT;

	assert_int_equal(net_subnet_check(&s, true, &e), 0);
	assert_int_equal(net_address_choose(&s, &last, in_list, &none, &got, &e), 0);
	assert_ip(&got, "10.0.0.10");
	last = address("10.0.0.254");
	assert_int_equal(net_address_choose(&s, &last, in_list, &none, &got, &e), 0);
	assert_ip(&got, "10.0.0.2");
}

static void the_lowest_gap_is_found(void **state)
{
	struct net_ip sorted[3] = {address("10.0.0.2"), address("10.0.0.3"), address("10.0.0.5")};
	struct net_subnet s = {.subnet = prefix("10.0.0.0/24")};
	struct err e = ERR_INIT;
	struct net_ip got;

	assert_int_equal(net_subnet_check(&s, true, &e), 0);
	assert_int_equal(net_address_choose_sorted(&s, sorted, 3, &got, &e), 0);
	assert_ip(&got, "10.0.0.4");
	assert_int_equal(got.bits, 24);
}

static void N17_fixed_addresses_are_checked(void **state)
{
	struct net_ip aux = address("10.0.0.7");
	struct net_subnet s = {.subnet = prefix("10.0.0.0/24"), .aux = &aux, .n_aux = 1};
	static const struct {
		const char *ip;
		enum err_class class;
	} cases[] = {{"10.0.0.9", ERR_NONE},    {"10.0.0.1", ERR_CONFLICT},
		     {"10.0.0.0", ERR_INVALID}, {"10.0.0.255", ERR_INVALID},
		     {"10.0.1.9", ERR_INVALID}, {"fd00::9", ERR_INVALID},
		     {"10.0.0.7", ERR_CONFLICT}};

	assert_int_equal(net_subnet_check(&s, true, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_ip ip = address(cases[i].ip);
		struct err e = ERR_INIT;

		net_subnet_allows(&s, &ip, &e);
		assert_int_equal(e.class, cases[i].class);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_strict),
		cmocka_unit_test(prefixes_know_what_is_in_them),
		cmocka_unit_test(pools_go_round_what_is_taken),
		cmocka_unit_test(empty_pools_say_what_to_do),
		cmocka_unit_test(all_31_subnets_of_the_default_pools_come),
		cmocka_unit_test(subnets_are_checked),
		cmocka_unit_test(N17_a_subnet_runs_out_and_says_so),
		cmocka_unit_test(addresses_are_not_used_again_at_once),
		cmocka_unit_test(the_lowest_gap_is_found),
		cmocka_unit_test(N17_fixed_addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
