/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic is done on 128 bits, most significant byte first; of an IPv4 address the first four
 * bytes are used, so that one code serves both. */
#include "net/address.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef unsigned __int128 wide;

unsigned net_ip_width(const struct net_ip *ip)
{
	return ip->family == AF_INET ? 32 : 128;
}

/* The address as a number of net_ip_width bits. */
static wide number(const struct net_ip *ip)
{
	wide v = 0;

	for (unsigned i = 0; i < net_ip_width(ip) / 8; i++)
		v = v << 8 | ip->a[i];
	return v;
}

static struct net_ip from_number(const struct net_ip *like, wide v)
{
	struct net_ip ip = {.family = like->family, .bits = like->bits};

	for (unsigned i = net_ip_width(like) / 8; i-- > 0; v >>= 8)
		ip.a[i] = (uint8_t)v;
	return ip;
}

/* The bits behind the prefix, all set. */
static wide host_mask(const struct net_ip *ip)
{
	unsigned n = net_ip_width(ip) - ip->bits;

	return n >= 128 ? ~(wide)0 : ((wide)1 << n) - 1;
}

/* ---- text ---- */

int net_ip_parse(const char *s, struct net_ip *ret)
{
	struct net_ip ip = {.family = strchr(s, ':') ? AF_INET6 : AF_INET};

	if (inet_pton(ip.family, s, ip.a) != 1)
		return -EINVAL;
	ip.bits = (uint8_t)net_ip_width(&ip);
	*ret = ip;
	return 0;
}

int net_prefix_parse(const char *s, bool host, struct net_ip *ret)
{
	const char *slash = strchr(s, '/');
	char text[NET_IP_TEXT];
	struct net_ip ip;
	uint64_t bits;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (net_ip_parse(text, &ip) < 0 || num_u64(slash + 1, 0, net_ip_width(&ip), &bits) < 0)
		return -EINVAL;
	ip.bits = (uint8_t)bits;
	if (!host && number(&ip) & host_mask(&ip))
		return -EINVAL;
	*ret = ip;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_mac_parse(const char *s, uint8_t ret[6])
{
	uint8_t mac[6], any = 0;

	if (strlen(s) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int hi = hex_digit(s[3 * i]), lo = hex_digit(s[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && s[3 * i + 2] != s[2]))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
		any |= mac[i];
	}
	if ((s[2] != ':' && s[2] != '-') || mac[0] & 1 || !any)
		return -EINVAL;
	memcpy(ret, mac, 6);
	return 0;
}

const char *net_ip_text(const struct net_ip *ip, char out[NET_IP_TEXT])
{
	if (!ip->family || !inet_ntop(ip->family, ip->a, out, NET_IP_TEXT))
		out[0] = '\0';
	return out;
}

const char *net_prefix_text(const struct net_ip *ip, char out[NET_IP_TEXT])
{
	size_t n = strlen(net_ip_text(ip, out));

	if (n)
		snprintf(out + n, NET_IP_TEXT - n, "/%u", ip->bits);
	return out;
}

const char *net_mac_text(const uint8_t mac[6], char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return out;
}

void net_mac_of(const struct net_ip *ip, uint8_t ret[6])
{
	ret[0] = 0x02;
	ret[1] = 0x42;
	memcpy(ret + 2, ip->a, 4);
}

/* ---- sets of addresses ---- */

bool net_ip_eq(const struct net_ip *a, const struct net_ip *b)
{
	return a->family == b->family && memcmp(a->a, b->a, sizeof(a->a)) == 0;
}

int net_ip_compare(const void *a, const void *b)
{
	const struct net_ip *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->a, y->a, sizeof(x->a));
}

struct net_ip net_ip_prefix(const struct net_ip *ip)
{
	return from_number(ip, number(ip) & ~host_mask(ip));
}

bool net_prefix_has(const struct net_ip *prefix, const struct net_ip *ip)
{
	return prefix->family && prefix->family == ip->family && ip->bits >= prefix->bits &&
	       ((number(prefix) ^ number(ip)) & ~host_mask(prefix)) == 0;
}

bool net_prefix_overlaps(const struct net_ip *a, const struct net_ip *b)
{
	const struct net_ip *wider = a->bits < b->bits ? a : b;

	return a->family && a->family == b->family &&
	       ((number(a) ^ number(b)) & ~host_mask(wider)) == 0;
}

struct net_ip net_prefix_nth(const struct net_ip *prefix, uint64_t n)
{
	if (!prefix->family || n > host_mask(prefix))
		return (struct net_ip){.family = 0};
	return from_number(prefix, (number(prefix) & ~host_mask(prefix)) + n);
}

/* ---- pools ---- */

#define IP4(p, q, r, s)                                                                            \
	{                                                                                          \
		.family = AF_INET, .bits = 16, .a = { p, q, r, s }                                 \
	}

const struct net_pool net_default_pools[] = {
	{IP4(172, 17, 0, 0), 16},
	{{.family = AF_INET, .bits = 15, .a = {172, 18}}, 16},
	{{.family = AF_INET, .bits = 14, .a = {172, 20}}, 16},
	{{.family = AF_INET, .bits = 13, .a = {172, 24}}, 16},
	{IP4(192, 168, 0, 0), 20},
};
const size_t net_n_default_pools = ARRAY_SIZE(net_default_pools);

struct net_pool net_ula_pool(const void *seed, size_t n)
{
	struct net_pool p = {.base = {.family = AF_INET6, .bits = 48, .a = {0xfd}}, .size = 64};
	const uint8_t *s = seed;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	/* FNV-1a: it only has to differ from machine to machine. */
	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * UINT64_C(0x100000001b3);
	for (int i = 1; i < 6; i++, h >>= 8)
		p.base.a[i] = (uint8_t)h;
	return p;
}

/* The first taken prefix that overlaps WANT, or NULL. */
static const struct net_ip *clash(const struct net_ip *taken, size_t n, const struct net_ip *want)
{
	for (size_t i = 0; i < n; i++)
		if (net_prefix_overlaps(&taken[i], want))
			return &taken[i];
	return NULL;
}

/* Goes through the pool, past all of what is taken at once: a pool of 2^16 subnets below one route
 * is one step. */
static bool choose_in(const struct net_pool *pool, const struct net_ip *taken, size_t n_taken,
		      struct net_ip *ret)
{
	const wide first = number(&pool->base) & ~host_mask(&pool->base);
	const wide last = first | host_mask(&pool->base);
	struct net_ip want = pool->base;
	wide at = first;

	want.bits = pool->size;
	for (;;) {
		const struct net_ip *hit;
		wide end;

		want = from_number(&want, at);
		hit = clash(taken, n_taken, &want);
		if (!hit) {
			*ret = want;
			return true;
		}
		end = number(hit->bits < want.bits ? hit : &want) |
		      host_mask(hit->bits < want.bits ? hit : &want);
		if (end >= last)
			return false;
		at = end + 1;
	}
}

int net_pool_choose(const struct net_pool *pools, size_t n_pools, const struct net_ip *taken,
		    size_t n_taken, struct net_ip *ret, struct err *e)
{
	for (size_t i = 0; i < n_pools; i++)
		if (pools[i].size >= pools[i].base.bits &&
		    pools[i].size <= net_ip_width(&pools[i].base) &&
		    choose_in(&pools[i], taken, n_taken, ret))
			return 0;
	err_set(e, ERR_LIMIT, 0, "all subnets of the address pools are taken");
	return err_hint(e, "remove networks that nobody uses with 'kogge network prune', or name a "
			   "free one with --subnet");
}

/* ---- one subnet ---- */

/* Whether hosts may not have it: the network's own and the broadcast address (RFC 3021 and 6164:
 * not with /31, /32, /127, /128; the first of IPv6 is the routers' anycast address). */
static bool reserved(const struct net_ip *subnet, wide v)
{
	const wide mask = host_mask(subnet);

	if (mask <= 1)
		return false;
	return (v & mask) == 0 || (subnet->family == AF_INET && (v & mask) == mask);
}

static bool is_aux(const struct net_subnet *s, const struct net_ip *ip)
{
	for (size_t i = 0; i < s->n_aux; i++)
		if (net_ip_eq(&s->aux[i], ip))
			return true;
	return false;
}

static const struct net_ip *range_of(const struct net_subnet *s)
{
	return s->range.family ? &s->range : &s->subnet;
}

static int check_inside(const struct net_subnet *s, const struct net_ip *ip, const char *what,
			struct err *e)
{
	char a[NET_IP_TEXT], b[NET_IP_TEXT];

	if (net_prefix_has(&s->subnet, ip))
		return 0;
	return err_set(e, ERR_INVALID, 0, "%s %s is not in the subnet %s", what, net_ip_text(ip, a),
		       net_prefix_text(&s->subnet, b));
}

/* A plain address of S: what is compared with prefixes has its whole width as bits. */
static struct net_ip plain(const struct net_ip *ip)
{
	struct net_ip p = *ip;

	p.bits = (uint8_t)net_ip_width(ip);
	return p;
}

static int check_gateway(struct net_subnet *s, struct err *e)
{
	struct net_ip gw = plain(&s->gateway);
	char a[NET_IP_TEXT], b[NET_IP_TEXT];

	if (check_inside(s, &gw, "the gateway", e) < 0)
		return -1;
	if (reserved(&s->subnet, number(&gw)) && s->subnet.family == AF_INET)
		return err_set(e, ERR_INVALID, 0,
			       "the gateway %s is the network or broadcast address of %s",
			       net_ip_text(&gw, a), net_prefix_text(&s->subnet, b));
	s->gateway.bits = s->subnet.bits;
	return 0;
}

/* As Docker: the first address of the range where there is one. */
static int choose_gateway(struct net_subnet *s, struct err *e)
{
	const struct net_ip *range = range_of(s);
	const wide first = number(range) & ~host_mask(range), last = first | host_mask(range);
	char a[NET_IP_TEXT];

	for (wide v = first;; v++) {
		struct net_ip ip = from_number(&s->subnet, v);

		if (!reserved(&s->subnet, v) && !is_aux(s, &ip)) {
			s->gateway = ip;
			return 0;
		}
		if (v == last)
			return err_set(e, ERR_INVALID, 0, "no address of %s is left for a gateway",
				       net_prefix_text(&s->subnet, a));
	}
}

int net_subnet_check(struct net_subnet *s, bool want_gateway, struct err *e)
{
	char a[NET_IP_TEXT], b[NET_IP_TEXT];

	if (number(&s->subnet) & host_mask(&s->subnet))
		return err_set(e, ERR_INVALID, 0, "subnet %s has bits set behind its prefix",
			       net_prefix_text(&s->subnet, a));
	if (s->subnet.bits == 0 || host_mask(&s->subnet) == 0)
		return err_set(e, ERR_INVALID, 0, "subnet %s: a prefix of 1 to %u bits is needed",
			       net_prefix_text(&s->subnet, a), net_ip_width(&s->subnet) - 1);
	if (s->range.family && !net_prefix_has(&s->subnet, &s->range))
		return err_set(e, ERR_INVALID, 0, "the range %s is not in the subnet %s",
			       net_prefix_text(&s->range, a), net_prefix_text(&s->subnet, b));
	for (size_t i = 0; i < s->n_aux; i++) {
		struct net_ip ip = plain(&s->aux[i]);

		if (check_inside(s, &ip, "the auxiliary address", e) < 0)
			return -1;
	}
	if (s->gateway.family)
		return check_gateway(s, e);
	return want_gateway ? choose_gateway(s, e) : 0;
}

int net_subnet_allows(const struct net_subnet *s, const struct net_ip *address, struct err *e)
{
	struct net_ip ip = plain(address);
	char a[NET_IP_TEXT], b[NET_IP_TEXT];

	if (check_inside(s, &ip, "the address", e) < 0)
		return -1;
	if (reserved(&s->subnet, number(&ip)))
		return err_set(e, ERR_INVALID, 0,
			       "%s is the network or broadcast address of the subnet %s",
			       net_ip_text(&ip, a), net_prefix_text(&s->subnet, b));
	if (s->gateway.family && net_ip_eq(&ip, &s->gateway))
		return err_set(e, ERR_CONFLICT, 0, "address %s is the gateway's",
			       net_ip_text(&ip, a));
	if (is_aux(s, &ip))
		return err_set(e, ERR_CONFLICT, 0, "address %s is an auxiliary address",
			       net_ip_text(&ip, a));
	return 0;
}

static bool usable(const struct net_subnet *s, wide v)
{
	struct net_ip ip = from_number(&s->subnet, v);

	return !reserved(&s->subnet, v) && !(s->gateway.family && net_ip_eq(&ip, &s->gateway)) &&
	       !is_aux(s, &ip);
}

static int none_left(const struct net_subnet *s, struct err *e)
{
	char a[NET_IP_TEXT];

	err_set(e, ERR_LIMIT, 0, "no address is left in %s", net_prefix_text(range_of(s), a));
	return err_hint(e, "remove containers, or make a network with a larger --subnet or "
			   "--ip-range");
}

int net_address_choose(const struct net_subnet *s, const struct net_ip *last, net_taken_fn taken,
		       void *arg, struct net_ip *ret, struct err *e)
{
	const struct net_ip *range = range_of(s);
	const wide first = number(range) & ~host_mask(range), end = first | host_mask(range);
	wide start = first, at;

	if (last->family == range->family && number(last) >= first && number(last) < end)
		start = number(last) + 1;
	at = start;
	do {
		struct net_ip ip = from_number(&s->subnet, at);

		if (usable(s, at) && !taken(arg, &ip)) {
			*ret = ip;
			return 0;
		}
		at = at == end ? first : at + 1;
	} while (at != start);
	return none_left(s, e);
}

int net_address_choose_sorted(const struct net_subnet *s, const struct net_ip *sorted, size_t n,
			      struct net_ip *ret, struct err *e)
{
	const struct net_ip *range = range_of(s);
	wide at = number(range) & ~host_mask(range);
	const wide end = at | host_mask(range);
	size_t i = 0;

	for (;; at++) {
		while (i < n && (sorted[i].family != range->family || number(&sorted[i]) < at))
			i++;
		if ((i == n || number(&sorted[i]) != at) && usable(s, at)) {
			*ret = from_number(&s->subnet, at);
			return 0;
		}
		if (at == end)
			return none_left(s, e);
	}
}
