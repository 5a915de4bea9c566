/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the rules, as a table of constants: docs/formats/nftables.md has it in nft's own
 * language, rule by rule. It never changes while containers come and go; they are elements of its
 * sets. What is added here changes FRAME_MARK's name, so that an older frame is replaced. */
#include "net/net-internal.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#define FRAME_MARK "frame-2"

enum { READ_TRIES = 8 };

const struct nft_place net_table = {NFPROTO_INET, "kogge"};
const struct nft_place net_bridge_table = {NFPROTO_BRIDGE, "kogge"};

/* ---- sets ---- */

#define S(n, ...)                                                                                  \
	{                                                                                          \
		.name = n, .key = { __VA_ARGS__ }                                                  \
	}

static const struct nft_set sets[] = {
	S("bridges", NFT_T_IFNAME),
	S("segments", NFT_T_IFNAME),
	S("self", NFT_T_IFNAME, NFT_T_IFNAME),
	S("icc", NFT_T_IFNAME),
	S("internal", NFT_T_IFNAME),
	S("masquerade4", NFT_T_IFNAME),
	S("masquerade6", NFT_T_IFNAME),
	S("gateway4", NFT_T_IFNAME, NFT_T_IP4),
	S("gateway6", NFT_T_IFNAME, NFT_T_IP6),
	S("loop4", NFT_T_IP4, NFT_T_IP4),
	S("loop6", NFT_T_IP6, NFT_T_IP6),
	S("open4", NFT_T_IP4, NFT_T_PROTOCOL, NFT_T_PORT),
	S("open6", NFT_T_IP6, NFT_T_PROTOCOL, NFT_T_PORT),
	{.name = "publish4",
	 .key = {NFT_T_IP4, NFT_T_PROTOCOL, NFT_T_PORT},
	 .value = {NFT_T_IP4, NFT_T_PORT}},
	{.name = "publish6",
	 .key = {NFT_T_IP6, NFT_T_PROTOCOL, NFT_T_PORT},
	 .value = {NFT_T_IP6, NFT_T_PORT}},
	{.name = "publish4_any",
	 .key = {NFT_T_PROTOCOL, NFT_T_PORT},
	 .value = {NFT_T_IP4, NFT_T_PORT}},
	{.name = "publish6_any",
	 .key = {NFT_T_PROTOCOL, NFT_T_PORT},
	 .value = {NFT_T_IP6, NFT_T_PORT}},
};

static const struct nft_set bridge_sets[] = {
	S("mac", NFT_T_IFNAME, NFT_T_ETHER),
	S("address4", NFT_T_IFNAME, NFT_T_IP4),
	S("address6", NFT_T_IFNAME, NFT_T_IP6),
	S("unchecked", NFT_T_IFNAME),
};

/* ---- chains: those without a hook first, because rules name them ---- */

static const struct nft_chain chains[] = {
	{"publish", NULL, 0, 0},
	{"to-published", NULL, 0, 0},
	{"from", NULL, 0, 0},
	{"inside", NULL, 0, 0},
	{"to", NULL, 0, 0},
	{"to-host", NULL, 0, 0},
	{"raw-prerouting", "filter", NF_INET_PRE_ROUTING, -300},
	{"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
	{"output", "nat", NF_INET_LOCAL_OUT, -100},
	{"forward", "filter", NF_INET_FORWARD, 0},
	{"input", "filter", NF_INET_LOCAL_IN, 0},
	{"postrouting", "nat", NF_INET_POST_ROUTING, 100},
	{FRAME_MARK, NULL, 0, 0},
};

static const struct nft_chain bridge_chains[] = {
	{"ip4", NULL, 0, 0},
	{"arp", NULL, 0, 0},
	{"ip6", NULL, 0, 0},
	{"icmp6", NULL, 0, 0},
	/* NF_BR_PRE_ROUTING, before the bridge learns from the frame */
	{"ingress", "filter", 0, -300},
};

/* ---- expressions ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES32(v)                                                                                 \
	{                                                                                          \
		(v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 & 0xff                    \
	}
#else
#define BYTES32(v)                                                                                 \
	{                                                                                          \
		(v) >> 24 & 0xff, (v) >> 16 & 0xff, (v) >> 8 & 0xff, (v)&0xff                      \
	}
#endif
#define X(o, ...)   ((struct nft_expr){.op = NFT_OP_##o, __VA_ARGS__})
#define IIFNAME(r)  X(META, .a = NFT_META_IIFNAME, .b = (r))
#define OIFNAME(r)  X(META, .a = NFT_META_OIFNAME, .b = (r))
#define PROTOCOL(r) X(META, .a = NFT_META_L4PROTO, .b = (r))
#define LOAD(base, o, len, r)                                                                      \
	X(PAYLOAD, .a = NFT_PAYLOAD_##base##_HEADER, .b = (o), .c = (r), .n = (len))
#define DPORT(r)        LOAD(TRANSPORT, 2, 2, r)
#define DADDR4(r)       LOAD(NETWORK, 16, 4, r)
#define DADDR6(r)       LOAD(NETWORK, 24, 16, r)
#define SADDR4(r)       LOAD(NETWORK, 12, 4, r)
#define SADDR6(r)       LOAD(NETWORK, 8, 16, r)
#define EQ(r, len, ...) X(CMP, .a = (r), .b = NFT_CMP_EQ, .n = (len), .data = {__VA_ARGS__})
#define NE(r, len, ...) X(CMP, .a = (r), .b = NFT_CMP_NEQ, .n = (len), .data = {__VA_ARGS__})
#define IN(r, set)      X(LOOKUP, .a = (r), .name = set)
#define NOT_IN(r, set)  X(LOOKUP, .a = (r), .b = NFT_LOOKUP_F_INV, .name = set)
#define TO(r, map, d)   X(MAP, .a = (r), .b = (d), .name = map)
#define ACCEPT          X(VERDICT, .a = NF_ACCEPT)
#define DROP            X(VERDICT, .a = NF_DROP)
#define RETURN          X(VERDICT, .a = (uint32_t)NFT_RETURN)
#define GOTO(chain)     X(VERDICT, .a = (uint32_t)NFT_GOTO, .name = chain)
#define IS4             X(META, .a = NFT_META_NFPROTO, .b = 0), EQ(0, 1, NFPROTO_IPV4)
#define IS6             X(META, .a = NFT_META_NFPROTO, .b = 0), EQ(0, 1, NFPROTO_IPV6)
#define LOOPBACK4(r)    EQ(r, 1, 127)
#define LOOPBACK6(r)    EQ(r, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
#define CT_BITS(key, bits)                                                                         \
	X(CT, .a = NFT_CT_##key, .b = 0), X(MASK, .a = 0, .n = 4, .data = BYTES32(bits)),          \
		NE(0, 4, 0)
/* nf_conntrack_common.h: established and related as bits of the state; IPS_DST_NAT */
#define KNOWN      CT_BITS(STATE, 2U | 4U)
#define TRANSLATED CT_BITS(STATUS, 1U << 5)
#define TO_HOST                                                                                    \
	X(FIB, .a = NFTA_FIB_F_DADDR, .b = NFT_FIB_RESULT_ADDRTYPE, .c = 0),                       \
		X(CMP, .a = 0, .b = NFT_CMP_EQ, .n = 4, .data = BYTES32(RTN_LOCAL))
#define DNAT4      X(DNAT, .a = NFPROTO_IPV4, .b = 8, .c = 9)
#define DNAT6      X(DNAT, .a = NFPROTO_IPV6, .b = 8, .c = 12)
#define MASQUERADE X(MASQUERADE, .a = 0)

#define EXPRS_MAX 10
struct rule {
	char chain[NFT_NAME_SIZE];
	struct nft_expr x[EXPRS_MAX]; /* op 0 ends */
};

/* Every packet of the host meets these, so that in each rule what is cheap comes first: a set is
 * looked at by those for which it matters. */
static const struct rule rules[] = {
	/* Bridged frames meet these chains as well where br_netfilter is on: once is enough. */
	{"raw-prerouting",
	 {IIFNAME(0), EQ(0, 3, 'k', 'g', 's'), IN(0, "segments"), X(NOTRACK, .a = 0)}},
	/* route_localnet is on for our bridges: this keeps containers out (N09). */
	{"raw-prerouting", {IS4, DADDR4(0), LOOPBACK4(0), IIFNAME(0), IN(0, "bridges"), DROP}},

	/* From outside nothing reaches what is published on loopback (N01); only addresses of
	 * the host itself are published (N03). */
	{"prerouting", {IS4, DADDR4(0), LOOPBACK4(0), RETURN}},
	{"prerouting", {TO_HOST, GOTO("to-published")}},
	{"to-published", {IIFNAME(0), IN(0, "internal"), RETURN}},
	{"to-published", {GOTO("publish")}},
	/* The kernel never routes ::1, whatever it is translated to: a refusal is better than
	   silence. */
	{"output", {IS6, DADDR6(0), LOOPBACK6(0), RETURN}},
	{"output", {TO_HOST, GOTO("publish")}},
	{"publish", {IS4, DADDR4(0), PROTOCOL(1), DPORT(2), TO(0, "publish4", 8), DNAT4}},
	{"publish", {IS4, PROTOCOL(1), DPORT(2), TO(1, "publish4_any", 8), DNAT4}},
	{"publish", {IS6, DADDR6(0), PROTOCOL(4), DPORT(5), TO(0, "publish6", 8), DNAT6}},
	{"publish", {IS6, PROTOCOL(4), DPORT(5), TO(4, "publish6_any", 8), DNAT6}},

	/* What began may go on: where nothing may begin, nothing has. */
	{"forward", {KNOWN, ACCEPT}},
	{"forward", {IIFNAME(0), IN(0, "bridges"), GOTO("from")}},
	{"forward", {OIFNAME(0), IN(0, "bridges"), GOTO("to")}},
	{"from", {IIFNAME(0), OIFNAME(4), IN(0, "self"), GOTO("inside")}},
	{"from", {IIFNAME(0), IN(0, "internal"), DROP}},
	{"from", {OIFNAME(0), IN(0, "bridges"), GOTO("to")}},
	{"from", {ACCEPT}},
	{"inside", {TRANSLATED, ACCEPT}},
	{"inside", {IIFNAME(0), IN(0, "icc"), ACCEPT}},
	{"inside", {DROP}},
	{"to", {OIFNAME(0), IN(0, "internal"), DROP}},
	{"to", {TRANSLATED, ACCEPT}},
	{"to", {IS4, DADDR4(0), PROTOCOL(1), DPORT(2), IN(0, "open4"), ACCEPT}},
	{"to", {IS6, DADDR6(0), PROTOCOL(4), DPORT(5), IN(0, "open6"), ACCEPT}},
	{"to", {DROP}},

	/* Of the host, an internal network sees the gateway's address and nothing else. */
	{"input", {IIFNAME(0), IN(0, "internal"), GOTO("to-host")}},
	{"to-host", {KNOWN, ACCEPT}},
	{"to-host", {IS4, IIFNAME(0), DADDR4(4), IN(0, "gateway4"), ACCEPT}},
	{"to-host", {IS6, IIFNAME(0), DADDR6(4), IN(0, "gateway6"), ACCEPT}},
	{"to-host", {IS6, PROTOCOL(0), EQ(0, 1, IPPROTO_ICMPV6), ACCEPT}},
	{"to-host", {DROP}},

	/* The host's own connections to what it publishes on loopback */
	{"postrouting", {IS4, SADDR4(0), LOOPBACK4(0), OIFNAME(0), IN(0, "bridges"), MASQUERADE}},
	/* Hairpin: the answer must come back this way. */
	{"postrouting", {TRANSLATED, IIFNAME(0), OIFNAME(4), IN(0, "self"), MASQUERADE}},
	/* A container that uses its own published port, by its address: frames that br_netfilter
	   shows have no iifname here. */
	{"postrouting", {TRANSLATED, IS4, SADDR4(0), DADDR4(1), IN(0, "loop4"), MASQUERADE}},
	{"postrouting", {TRANSLATED, IS6, SADDR6(0), DADDR6(4), IN(0, "loop6"), MASQUERADE}},
	{"postrouting", {OIFNAME(0), IN(0, "bridges"), RETURN}},
	{"postrouting", {IS4, IIFNAME(0), IN(0, "masquerade4"), MASQUERADE}},
	{"postrouting", {IS6, IIFNAME(0), IN(0, "masquerade6"), MASQUERADE}},
};

#define ETHER(t)     LOAD(LL, 12, 2, 0), EQ(0, 2, (t) >> 8, (t)&0xff)
#define MULTICAST_LL 0x01, 0x80, 0xc2, 0x00, 0x00

/* What a container may send (N07, N08): from its own addresses, and nothing that only a bridge, a
 * router or a DHCP server says. Everything that is not IP or ARP goes, with it VLAN tags. */
static const struct rule bridge_rules[] = {
	{"ingress", {IIFNAME(0), NE(0, 3, 'k', 'g', 'v'), ACCEPT}},
	{"ingress", {IIFNAME(0), IN(0, "unchecked"), ACCEPT}},
	{"ingress", {LOAD(LL, 0, 5, 0), EQ(0, 5, MULTICAST_LL), DROP}},
	{"ingress", {IIFNAME(0), LOAD(LL, 6, 6, 4), NOT_IN(0, "mac"), DROP}},
	{"ingress", {ETHER(ETH_P_IP), GOTO("ip4")}},
	{"ingress", {ETHER(ETH_P_ARP), GOTO("arp")}},
	{"ingress", {ETHER(ETH_P_IPV6), GOTO("ip6")}},
	{"ingress", {DROP}},

	{"ip4", {IIFNAME(0), SADDR4(4), NOT_IN(0, "address4"), DROP}},
	{"ip4",
	 {PROTOCOL(0), EQ(0, 1, IPPROTO_UDP), LOAD(TRANSPORT, 0, 2, 0), EQ(0, 2, 0, 67), DROP}},
	{"ip4", {ACCEPT}},

	{"arp", {LOAD(NETWORK, 0, 6, 0), NE(0, 6, 0, 1, 8, 0, 6, 4), DROP}},
	{"arp", {IIFNAME(0), LOAD(NETWORK, 8, 6, 4), NOT_IN(0, "mac"), DROP}},
	/* RFC 5227: a probe has no sender yet. */
	{"arp", {LOAD(NETWORK, 14, 4, 0), EQ(0, 4, 0), ACCEPT}},
	{"arp", {IIFNAME(0), LOAD(NETWORK, 14, 4, 4), NOT_IN(0, "address4"), DROP}},
	{"arp", {ACCEPT}},

	{"ip6", {PROTOCOL(0), EQ(0, 1, IPPROTO_ICMPV6), GOTO("icmp6")}},
	{"ip6", {IIFNAME(0), SADDR6(4), NOT_IN(0, "address6"), DROP}},
	{"ip6",
	 {PROTOCOL(0), EQ(0, 1, IPPROTO_UDP), LOAD(TRANSPORT, 0, 2, 0), EQ(0, 2, 2, 35), DROP}},
	{"ip6", {ACCEPT}},
	/* Router advertisement, redirect, foreign neighbour advertisement */
	{"icmp6", {LOAD(TRANSPORT, 0, 1, 0), EQ(0, 1, 134), DROP}},
	{"icmp6", {LOAD(TRANSPORT, 0, 1, 0), EQ(0, 1, 137), DROP}},
	{"icmp6",
	 {LOAD(TRANSPORT, 0, 1, 0), EQ(0, 1, 136), IIFNAME(0), LOAD(TRANSPORT, 8, 16, 4),
	  NOT_IN(0, "address6"), DROP}},
	/* Duplicate address detection has no sender. */
	{"icmp6", {SADDR6(0), EQ(0, 16, 0), ACCEPT}},
	{"icmp6", {IIFNAME(0), SADDR6(4), NOT_IN(0, "address6"), DROP}},
	{"icmp6", {ACCEPT}},
};

static void put_rules(struct nl_batch *b, const struct nft_place *at, const struct rule *r,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct nft_rule rule = {.chain = r[i].chain, .exprs = r[i].x};

		while (rule.n < EXPRS_MAX && r[i].x[rule.n].op)
			rule.n++;
		nft_rule_add(b, at, &rule);
	}
}

void rules_frame(struct nl_batch *b)
{
	nft_table(b, &net_table);
	nft_table(b, &net_bridge_table);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		nft_set_add(b, &net_table, &sets[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bridge_sets); i++)
		nft_set_add(b, &net_bridge_table, &bridge_sets[i]);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		nft_chain_add(b, &net_table, &chains[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bridge_chains); i++)
		nft_chain_add(b, &net_bridge_table, &bridge_chains[i]);
	put_rules(b, &net_table, rules, ARRAY_SIZE(rules));
	put_rules(b, &net_bridge_table, bridge_rules, ARRAY_SIZE(bridge_rules));
}

static int count_rule(void *arg, const struct nft_rule_seen *rule)
{
	(void)rule;
	++*(size_t *)arg;
	return 0;
}

/* Somebody may have emptied a chain. */
static int chain_whole(int sock, const struct nft_place *at, const char *chain,
		       const struct rule *r, size_t n)
{
	size_t wanted = 0, seen = 0;
	int got = nft_rules_each(sock, at, chain, count_rule, &seen);

	for (size_t i = 0; i < n; i++)
		wanted += strcmp(r[i].chain, chain) == 0;
	return got < 0 ? got : seen == wanted;
}

static int frame_whole(int sock)
{
	int r = nft_chain_find(sock, &net_table, FRAME_MARK);

	if (r > 0)
		r = nft_chain_find(sock, &net_bridge_table, "ingress");
	for (size_t i = 0; i < ARRAY_SIZE(chains) && r > 0; i++)
		r = chain_whole(sock, &net_table, chains[i].name, rules, ARRAY_SIZE(rules));
	for (size_t i = 0; i < ARRAY_SIZE(bridge_chains) && r > 0; i++)
		r = chain_whole(sock, &net_bridge_table, bridge_chains[i].name, bridge_rules,
				ARRAY_SIZE(bridge_rules));
	return r == -ENOENT ? 0 : r;
}

int net_rules_present(struct net_session *s, struct err *e)
{
	int sock = net_session_nft(s, e), r = -EINTR;

	if (sock < 0)
		return -1;
	/* Somebody changes rules while they are read. */
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++)
		r = frame_whole(sock);
	return r < 0 ? err_errno(e, r, "asking for the rules of networks") : r;
}
