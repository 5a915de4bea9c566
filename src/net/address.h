/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, prefixes, and who gets which one: pure functions over plain values. Nothing here asks
 * the kernel; what the host has (routes, other networks) is handed in. Parsers return 0 or a
 * negative errno and write *RET only on success. */
#ifndef KOGGE_NET_ADDRESS_H
#define KOGGE_NET_ADDRESS_H

#include "base/err.h"
#include "base/macro.h"

#include <netinet/in.h>

/* An address, a prefix, or an address with the length of its prefix ("172.17.0.2/16"). FAMILY is
 * AF_INET, AF_INET6, or 0: there is none. Bytes after the fourth are 0 for AF_INET, so that two of
 * them are equal exactly where their bytes are. */
struct net_ip {
	uint8_t family;
	uint8_t bits; /* 0 to 32 or 128; net_ip_width for a plain address */
	uint8_t a[16];
};

/* "192.0.2.1", "fd00::1": strict (no leading zeros, no zone). */
int net_ip_parse(const char *s, struct net_ip *ret);

/* "192.0.2.0/24". HOST says whether bits behind the prefix may be set; else -EINVAL. */
int net_prefix_parse(const char *s, bool host, struct net_ip *ret);

/* "aa:bb:cc:dd:ee:ff", unicast and not zero. */
int net_mac_parse(const char *s, uint8_t ret[6]);

/* Room for "ffff:...:255.255.255.255/128". */
#define NET_IP_TEXT 64

/* The address alone, and with "/bits". Both return OUT; "" where there is none. */
const char *net_ip_text(const struct net_ip *ip, char out[NET_IP_TEXT]);
const char *net_prefix_text(const struct net_ip *ip, char out[NET_IP_TEXT]);

/* "02:42:ac:11:00:02". */
const char *net_mac_text(const uint8_t mac[6], char out[18]);

/* 32 or 128. */
unsigned net_ip_width(const struct net_ip *ip);

/* The same address, whatever the prefix lengths. */
bool net_ip_eq(const struct net_ip *a, const struct net_ip *b);

/* The prefix that IP with its bits lies in: the bits behind it cleared. */
struct net_ip net_ip_prefix(const struct net_ip *ip);

/* Whether IP (its address; for a prefix all of it) lies in PREFIX. */
bool net_prefix_has(const struct net_ip *prefix, const struct net_ip *ip);

/* Whether the two prefixes share an address. */
bool net_prefix_overlaps(const struct net_ip *a, const struct net_ip *b);

/* The Nth address of PREFIX, with its bits; family 0 where there are not so many. */
struct net_ip net_prefix_nth(const struct net_ip *prefix, uint64_t n);

/* The MAC address that Docker gives to a container with that IPv4 address: 02:42 and the four
 * bytes. */
void net_mac_of(const struct net_ip *ip, uint8_t ret[6]);

/* A pool out of which subnets are cut ("default-address-pools" of Docker). */
struct net_pool {
	struct net_ip base;
	uint8_t size; /* bits of each subnet */
};

/* Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in /20. */
extern const struct net_pool net_default_pools[];
extern const size_t net_n_default_pools;

/* A ULA of /48 for this machine (RFC 4193; from SEED, for example the machine ID), cut into /64. */
struct net_pool net_ula_pool(const void *seed, size_t n);

/* The first subnet of the pools that overlaps none of the N_TAKEN prefixes: subnets of other
 * networks and the host's routes. ERR_LIMIT with a hint where none is left. */
int net_pool_choose(const struct net_pool *pools, size_t n_pools, const struct net_ip *taken,
		    size_t n_taken, struct net_ip *ret, struct err *e);

/* One subnet of a network. */
struct net_subnet {
	struct net_ip subnet;     /* bits behind the prefix are 0 */
	struct net_ip range;      /* addresses are chosen in it; family 0: the whole subnet */
	struct net_ip gateway;    /* with the subnet's bits; family 0: none (--internal macvlan) */
	const struct net_ip *aux; /* never given to a container. Borrowed */
	size_t n_aux;
};

/* Checks the subnet (at least 2 usable addresses; /31 and /127 have both, RFC 3021 and 6164),
 * range, gateway and aux addresses against each other, and fills in the gateway (first address
 * of the range or subnet that is free) where it has none and WANT_GATEWAY. ERR_INVALID. */
int net_subnet_check(struct net_subnet *s, bool want_gateway, struct err *e);

/* Whether ADDRESS may be given to a container of S by --ip: inside, neither network nor broadcast
 * address nor gateway. ERR_INVALID; ERR_CONFLICT for the gateway and aux addresses. */
int net_subnet_allows(const struct net_subnet *s, const struct net_ip *address, struct err *e);

/* Whether ADDRESS is taken, for net_address_choose. */
typedef bool (*net_taken_fn)(void *arg, const struct net_ip *address);

/* The next free address of S after LAST (family 0: from the start), going round once, as Docker
 * does, so that an address is not used again at once. TAKEN is asked for each candidate; a sorted
 * list should be handed to net_address_choose_sorted. ERR_LIMIT where all are taken. */
int net_address_choose(const struct net_subnet *s, const struct net_ip *last, net_taken_fn taken,
		       void *arg, struct net_ip *ret, struct err *e);

/* The lowest free address of S, where SORTED are the N taken ones in ascending order. */
int net_address_choose_sorted(const struct net_subnet *s, const struct net_ip *sorted, size_t n,
			      struct net_ip *ret, struct err *e);

/* Ascending order by family and address: for qsort and bsearch over struct net_ip. */
int net_ip_compare(const void *a, const void *b);

#endif
