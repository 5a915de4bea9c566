/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages (RFC 1035) as far as a resolver needs them that answers for containers and hands all
 * else on as it is: the header, one question, and answers of addresses and names. Bytes come from
 * containers and from the network: every length is checked, nothing is followed, nothing is
 * allocated. */
#ifndef KOGGE_NET_DNS_H
#define KOGGE_NET_DNS_H

#include "net/address.h"

#define DNS_HEADER   12
#define DNS_NAME_MAX 256 /* as text, with the NUL */
#define DNS_UDP_MAX  512 /* without EDNS0 */

/* Types and answer codes (RFC 1035, 3.2.2 and 4.1.1; RFC 3596). */
enum { DNS_TYPE_A = 1, DNS_TYPE_PTR = 12, DNS_TYPE_AAAA = 28, DNS_TYPE_ANY = 255 };
enum { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_REFUSED = 5 };

/* A question. */
struct dns_question {
	uint16_t id, type, class;
	bool plain;              /* the name is of printable characters, so that it may be ours */
	char name[DNS_NAME_MAX]; /* lower case, dots between labels, none at the end; "" is the root
				  */
	size_t end;              /* where the question ends in the message */
};

/* Reads a query: one question, no answers before it, no compression. 0 or -EBADMSG. */
int dns_question_read(const uint8_t *msg, size_t n, struct dns_question *ret);

/* Whether the N bytes of MSG are an answer with this ID to the question that QUERY (with Q) asks.
 */
bool dns_answers(const uint8_t *msg, size_t n, uint16_t id, const uint8_t *query,
		 const struct dns_question *q);

/* What an answer says: addresses (those whose family fits the question's type), or a name for PTR.
 */
struct dns_answer {
	int rcode;
	const struct net_ip *ips;
	size_t n_ips;
	size_t first;     /* which address comes first: they go round */
	const char *name; /* PTR; or NULL */
};

/* Writes the answer to QUERY into OUT of MAX bytes (at least DNS_UDP_MAX); what does not fit is
 * left out, with TC set. Returns the length. */
size_t dns_answer_write(const uint8_t *query, const struct dns_question *q,
			const struct dns_answer *a, uint8_t *out, size_t max);

/* The address that a name below in-addr.arpa or ip6.arpa stands for; false where it is none. */
bool dns_reverse_parse(const char *name, struct net_ip *ret);

#endif
