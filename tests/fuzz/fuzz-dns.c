/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of containers: what is read is within bounds, and what is answered is an answer to it.
 */
#include "base/macro.h"
#include "net/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_ip ips[2] = {{.family = AF_INET, .bits = 32}, {.family = AF_INET6, .bits = 128}};
	struct dns_answer a = {.ips = ips, .n_ips = 2, .name = "web.net"};
	uint8_t out[DNS_UDP_MAX];
	struct dns_question q;
	struct net_ip ip;
	size_t n;

	if (dns_question_read(data, size, &q) < 0)
		return 0;
	if (q.end > size || strlen(q.name) >= DNS_NAME_MAX)
		abort();
	(void)dns_reverse_parse(q.name, &ip);
	n = dns_answer_write(data, &q, &a, out, sizeof(out));
	if (n > sizeof(out) || !dns_answers(out, n, q.id, data, &q))
		abort();
	return 0;
}
