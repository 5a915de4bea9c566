/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns.h"
#include "net/resolver-table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A query for WEB.Net, A, IN with ID 0x1234. */
static const uint8_t query[] = {0x12, 0x34, 1,   0, 0,   1,   0,   0, 0, 0, 0, 0, 3,
				'W',  'E',  'B', 3, 'N', 'e', 't', 0, 0, 1, 0, 1};

static void a_question_is_read_in_lower_case(void **state)
{
	struct dns_question q;

	assert_int_equal(dns_question_read(query, sizeof(query), &q), 0);
	assert_string_equal(q.name, "web.net");
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, DNS_TYPE_A);
	assert_int_equal(q.end, sizeof(query));
	assert_true(q.plain);
}

static void N10_what_is_no_question_is_refused(void **state)
{
	uint8_t bad[sizeof(query)];
	struct dns_question q;

	for (size_t n = 0; n < sizeof(query); n++)
		assert_int_equal(dns_question_read(query, n, &q), -EBADMSG);
	memcpy(bad, query, sizeof(bad));
	bad[2] = 0x81; /* an answer */
	assert_int_equal(dns_question_read(bad, sizeof(bad), &q), -EBADMSG);
	memcpy(bad, query, sizeof(bad));
	bad[12] = 0xc0; /* compression in a question */
	assert_int_equal(dns_question_read(bad, sizeof(bad), &q), -EBADMSG);
	memcpy(bad, query, sizeof(bad));
	bad[5] = 2; /* two questions */
	assert_int_equal(dns_question_read(bad, sizeof(bad), &q), -EBADMSG);
}

static void an_answer_has_the_addresses_of_its_type(void **state)
{
	struct net_ip ips[3];
	struct dns_answer a = {.ips = ips, .n_ips = 3, .first = 1};
	struct dns_question q;
	uint8_t out[DNS_UDP_MAX];
	size_t n;

	assert_int_equal(net_ip_parse("10.0.0.2", &ips[0]), 0);
	assert_int_equal(net_ip_parse("10.0.0.3", &ips[1]), 0);
	assert_int_equal(net_ip_parse("fd00::2", &ips[2]), 0);
	assert_int_equal(dns_question_read(query, sizeof(query), &q), 0);
	n = dns_answer_write(query, &q, &a, out, sizeof(out));
	assert_int_equal(n, sizeof(query) + 2 * 16);
	assert_int_equal(out[7], 2);
	assert_int_equal(out[sizeof(query) + 15], 3);
	assert_true(dns_answers(out, n, 0x1234, query, &q));
	assert_false(dns_answers(out, n, 0x1235, query, &q));
	out[13] = 'x';
	assert_false(dns_answers(out, n, 0x1234, query, &q));
}

static void reverse_names_are_read(void **state)
{
	struct net_ip ip;
	char text[NET_IP_TEXT];

	assert_true(dns_reverse_parse("4.3.2.1.in-addr.arpa", &ip));
	assert_string_equal(net_ip_text(&ip, text), "1.2.3.4");
	assert_true(dns_reverse_parse(
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", &ip));
	assert_string_equal(net_ip_text(&ip, text), "fd00::1");
	assert_false(dns_reverse_parse("5.4.3.2.1.in-addr.arpa", &ip));
	assert_false(dns_reverse_parse("256.3.2.1.in-addr.arpa", &ip));
	assert_false(dns_reverse_parse("3.2.1.in-addr.arpa", &ip));
	assert_false(dns_reverse_parse("web.net", &ip));
}

static void a_container_sees_its_networks_and_no_others(void **state)
{
	static const char text[] =
		"V c1 n1 n2\nU c1 192.0.2.53\nV c2 n3\nI c2\n"
		"N n1 10.0.0.2 web.one web web.one www\n"
		"N n2 10.1.0.2 db.two db\nN n3 10.2.0.2 web.three web\nnonsense\n";
	struct resolver_table t;
	const struct resolver_view *v;
	struct net_ip ips[RESOLVER_ANSWERS_MAX], ip;
	char out[NET_IP_TEXT];
	bool known, ours;

	assert_int_equal(resolver_table_read(text, &t), 0);
	v = resolver_table_view(&t, "c1");
	assert_non_null(v);
	assert_string_equal(v->servers[0], "192.0.2.53");
	assert_false(v->internal);
	assert_int_equal(resolver_table_find(&t, v, "web", ips, &known), 1);
	assert_string_equal(net_ip_text(&ips[0], out), "10.0.0.2");
	assert_int_equal(resolver_table_find(&t, v, "db", ips, &known), 1);
	assert_int_equal(resolver_table_find(&t, v, "web.three", ips, &known), 0);
	assert_false(known);
	assert_int_equal(net_ip_parse("10.2.0.2", &ip), 0);
	assert_null(resolver_table_reverse(&t, v, &ip, &ours));
	assert_true(ours);
	v = resolver_table_view(&t, "c2");
	assert_non_null(v);
	assert_true(v->internal);
	assert_string_equal(resolver_table_reverse(&t, v, &ip, &ours), "web.three");
	assert_null(resolver_table_view(&t, "c3"));
	resolver_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_read_in_lower_case),
		cmocka_unit_test(N10_what_is_no_question_is_refused),
		cmocka_unit_test(an_answer_has_the_addresses_of_its_type),
		cmocka_unit_test(reverse_names_are_read),
		cmocka_unit_test(a_container_sees_its_networks_and_no_others),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
