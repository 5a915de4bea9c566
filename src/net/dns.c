/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { TTL = 600, LABEL_MAX = 63, FLAG_QR = 0x80, FLAG_AA = 0x04, FLAG_TC = 0x02, FLAG_RA = 0x80 };

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The name at AT; returns where it ends, or 0. */
static size_t read_name(const uint8_t *msg, size_t n, size_t at, struct dns_question *q)
{
	size_t len = 0;

	q->plain = true;
	for (;;) {
		size_t label;

		if (at >= n)
			return 0;
		label = msg[at++];
		if (label == 0)
			break;
		if (label > LABEL_MAX || label > n - at || len + label + 1 >= DNS_NAME_MAX)
			return 0;
		if (len)
			q->name[len++] = '.';
		for (size_t i = 0; i < label; i++) {
			unsigned char c = msg[at + i];

			q->plain = q->plain && c > ' ' && c < 0x7f && c != '.';
			q->name[len++] = (char)tolower(c);
		}
		at += label;
	}
	q->name[len] = '\0';
	return at;
}

int dns_question_read(const uint8_t *msg, size_t n, struct dns_question *ret)
{
	struct dns_question q = {.plain = false};
	size_t at;

	/* A query of the plain kind with one question (RFC 1035, 4.1.1). */
	if (n < DNS_HEADER || (msg[2] & 0xf8) || get16(msg + 4) != 1 || get16(msg + 6) ||
	    get16(msg + 8))
		return -EBADMSG;
	at = read_name(msg, n, DNS_HEADER, &q);
	if (!at || n - at < 4)
		return -EBADMSG;
	q.id = (uint16_t)get16(msg);
	q.type = (uint16_t)get16(msg + at);
	q.class = (uint16_t)get16(msg + at + 2);
	q.end = at + 4;
	*ret = q;
	return 0;
}

bool dns_answers(const uint8_t *msg, size_t n, uint16_t id, const uint8_t *query,
		 const struct dns_question *q)
{
	return n >= q->end && get16(msg) == id && (msg[2] & FLAG_QR) && get16(msg + 4) == 1 &&
	       memcmp(msg + DNS_HEADER, query + DNS_HEADER, q->end - DNS_HEADER) == 0;
}

/* A name as labels; returns its length, 0 where it does not fit. */
static size_t write_name(const char *name, uint8_t *out, size_t max)
{
	size_t at = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > LABEL_MAX || at + label + 2 > max)
			return 0;
		out[at++] = (uint8_t)label;
		memcpy(out + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	if (at >= max)
		return 0;
	out[at++] = 0;
	return at;
}

/* Head of a record that answers the question's own name (a pointer to it). */
static size_t write_record(uint8_t *out, unsigned type, const void *data, size_t n)
{
	put16(out, 0xc000 | DNS_HEADER);
	put16(out + 2, type);
	put16(out + 4, 1);
	put16(out + 6, 0);
	put16(out + 8, TTL);
	put16(out + 10, (unsigned)n);
	memcpy(out + 12, data, n);
	return 12 + n;
}

size_t dns_answer_write(const uint8_t *query, const struct dns_question *q,
			const struct dns_answer *a, uint8_t *out, size_t max)
{
	int family = q->type == DNS_TYPE_A ? AF_INET : q->type == DNS_TYPE_AAAA ? AF_INET6 : 0;
	uint8_t name[DNS_NAME_MAX];
	size_t at = q->end, n = 0, len;

	memset(out, 0, DNS_HEADER);
	memcpy(out, query, q->end);
	out[2] = (uint8_t)(FLAG_QR | FLAG_AA | (query[2] & 0x01));
	out[3] = (uint8_t)(FLAG_RA | (a->rcode & 0x0f));
	put16(out + 6, 0);
	put16(out + 8, 0);
	put16(out + 10, 0);
	for (size_t i = 0; i < a->n_ips; i++) {
		const struct net_ip *ip = &a->ips[(a->first + i) % a->n_ips];

		if (ip->family != family)
			continue;
		len = net_ip_width(ip) / 8;
		if (at + 12 + len > max) {
			out[2] |= FLAG_TC;
			break;
		}
		at += write_record(out + at, q->type, ip->a, len);
		n++;
	}
	len = a->name ? write_name(a->name, name, sizeof(name)) : 0;
	if (len && at + 12 + len <= max) {
		at += write_record(out + at, DNS_TYPE_PTR, name, len);
		n++;
	}
	put16(out + 6, (unsigned)n);
	return at;
}

/* "4.3.2.1" is 1.2.3.4. */
static bool reverse4(const char *name, size_t n, struct net_ip *ret)
{
	char text[32];
	const char *part[4];
	size_t k = 0;

	if (n >= sizeof(text))
		return false;
	memcpy(text, name, n);
	text[n] = '\0';
	for (char *p = text; p && k < 4; k++) {
		char *dot = strchr(p, '.');

		part[k] = p;
		if (dot)
			*dot++ = '\0';
		p = dot;
		if (k == 3 && dot)
			return false;
	}
	if (k != 4)
		return false;
	*ret = (struct net_ip){.family = AF_INET, .bits = 32};
	for (size_t i = 0; i < 4; i++) {
		uint64_t v;

		if (num_u64(part[3 - i], 0, 255, &v) < 0)
			return false;
		ret->a[i] = (uint8_t)v;
	}
	return true;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool reverse6(const char *name, size_t n, struct net_ip *ret)
{
	if (n != 63)
		return false;
	*ret = (struct net_ip){.family = AF_INET6, .bits = 128};
	for (size_t i = 0; i < 32; i++) {
		int v = digit(name[2 * i]);

		if (v < 0 || (i < 31 && name[2 * i + 1] != '.'))
			return false;
		ret->a[15 - i / 2] |= (uint8_t)(i % 2 ? v << 4 : v);
	}
	return true;
}

bool dns_reverse_parse(const char *name, struct net_ip *ret)
{
	static const char end4[] = ".in-addr.arpa", end6[] = ".ip6.arpa";
	size_t n = strlen(name);

	if (str_ends(name, end4))
		return reverse4(name, n - (sizeof(end4) - 1), ret);
	return str_ends(name, end6) && reverse6(name, n - (sizeof(end6) - 1), ret);
}
