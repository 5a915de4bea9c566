/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's forward chains. nftables lets a packet through only where every base chain does,
 * so that a chain whose policy is to drop (Docker sets it, ufw does, and many a nftables.conf)
 * would cut our containers off, whatever our own table says. Into such a chain go two rules for
 * each bridge, at its very end: what its owner denies by a rule is denied, and only the policy
 * behind all rules is not reached. A last rule that drops or rejects everything is a policy, too:
 * ours go before it. They carry a comment by which they are found again. */
#include "base/buf.h"
#include "base/str.h"
#include "net/net-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TAG "kogge: "

/* Somebody changes rules while they are read. */
enum { CHAINS_MAX = 64, READ_TRIES = 8 };

/* One chain. */
struct walk {
	const struct foreign_wish *wish;
	struct nft_place at;
	const char *chain;
	struct nl_batch *b;
	bool *have;   /* one for each wanted */
	bool drop;    /* by its policy or last rule */
	uint64_t end; /* the rule that drops all, if the last one does */
};

static void put_rule(const struct walk *w, const char *link, bool in)
{
	struct nft_expr x[] = {
		{.op = NFT_OP_META, .a = in ? NFT_META_IIFNAME : NFT_META_OIFNAME},
		{.op = NFT_OP_CMP, .b = NFT_CMP_EQ, .n = NET_LINK_SIZE},
		{.op = NFT_OP_VERDICT, .a = NF_ACCEPT},
	};
	struct nft_rule rule = {
		.chain = w->chain, .exprs = x, .n = ARRAY_SIZE(x), .before = w->end};
	char tag[sizeof(TAG) + NET_LINK_SIZE];

	memcpy(x[1].data, link, strnlen(link, NET_LINK_SIZE - 1));
	snprintf(tag, sizeof(tag), TAG "%s", link);
	rule.tag = tag;
	nft_rule_add(w->b, &w->at, &rule);
}

bool foreign_stale(const struct foreign_wish *wish, const char *link)
{
	for (size_t i = 0; i < wish->n; i++)
		if (str_eq(link, wish->links[i]))
			return false;
	return !wish->only || str_eq(link, wish->only);
}

static int on_rule(void *arg, const struct nft_rule_seen *rule)
{
	struct walk *w = arg;
	const struct foreign_wish *wish = w->wish;
	const char *link;

	w->end = rule->drops_all ? rule->handle : 0;
	if (strncmp(rule->tag, TAG, sizeof(TAG) - 1) != 0)
		return 0;
	link = rule->tag + sizeof(TAG) - 1;
	for (size_t i = 0; i < wish->n; i++)
		w->have[i] |= str_eq(link, wish->links[i]);
	if (foreign_stale(wish, link))
		nft_rule_delete(w->b, &w->at, w->chain, rule->handle);
	return 0;
}

/* -ENOENT: somebody removed the chain or a rule meanwhile, which its news will tell. */
static int settle(int sock, const struct foreign_wish *wish, const struct nft_chain_seen *chain,
		  struct nl_fault *f)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(freep) bool *have = calloc(wish->n + 1, sizeof(*have));
	struct walk w = {.wish = wish, .chain = chain->name, .b = &b, .have = have};
	int r;

	if (!have)
		return -ENOMEM;
	w.at = (struct nft_place){.family = chain->family, .table = chain->table};
	nft_begin(&b);
	r = nft_rules_each(sock, &w.at, w.chain, on_rule, &w);
	for (size_t i = 0; r == 0 && (chain->drop || w.end) && i < wish->n; i++)
		if (!have[i]) {
			put_rule(&w, wish->links[i], true);
			put_rule(&w, wish->links[i], false);
		}
	if (r == 0 && b.n > 1)
		r = nft_commit(sock, &b, f);
	return r == -ENOENT ? 0 : r;
}

/* The chains that are to be settled. */
struct found {
	struct buf chains; /* struct nft_chain_seen, one after the other */
	bool firewalld;    /* there is its table, which it settles itself */
};

static int on_chain(void *arg, const struct nft_chain_seen *chain)
{
	struct found *found = arg;
	bool ours = chain->family == net_table.family && strcmp(chain->table, net_table.table) == 0;
	bool ip = chain->family == NFPROTO_INET || chain->family == NFPROTO_IPV4 ||
		  chain->family == NFPROTO_IPV6;

	if (!ip || ours || chain->hook != NF_INET_FORWARD)
		return 0;
	if (strcmp(chain->table, "firewalld") == 0) {
		found->firewalld = true;
		return 0;
	}
	return buf_put(&found->chains, chain, sizeof(*chain));
}

static void tell_firewalld(const struct foreign_wish *wish)
{
	if (wish->n == 0 && wish->only)
		firewalld_trust(wish->only, true);
	for (size_t i = 0; i < wish->n; i++)
		firewalld_trust(wish->links[i], false);
}

static int settle_chains(int sock, const struct foreign_wish *wish, struct nl_fault *f)
{
	struct found found = {.chains = BUF_INIT(CHAINS_MAX * sizeof(struct nft_chain_seen))};
	struct nft_chain_seen chain;
	int r = nft_chains_each(sock, on_chain, &found);

	for (size_t i = 0; r == 0 && i < found.chains.len; i += sizeof(chain)) {
		memcpy(&chain, found.chains.data + i, sizeof(chain));
		r = settle(sock, wish, &chain, f);
	}
	if (r == 0 && found.firewalld)
		tell_firewalld(wish);
	buf_done(&found.chains);
	return r;
}

static int settle_all(struct net_session *s, const struct foreign_wish *wish, struct err *e)
{
	struct nl_fault f = {.message = 0};
	int sock = net_session_nft(s, e);
	int r = -EINTR;

	if (sock < 0)
		return -1;
	for (int i = 0; i < READ_TRIES && r == -EINTR; i++)
		r = settle_chains(sock, wish, &f);
	f.errnum = r;
	legacy_iptables_settle(wish);
	return r < 0 ? net_fault(&f, "opening the forward chains of other tables", e) : 0;
}

int rules_foreign(struct net_session *s, const char *const *wanted, size_t n, struct err *e)
{
	const struct foreign_wish w = {.links = wanted, .n = n};

	return settle_all(s, &w, e);
}

int rules_foreign_one(struct net_session *s, const char *link, bool del, struct err *e)
{
	const struct foreign_wish w = {.links = &link, .n = del ? 0 : 1, .only = link};

	return settle_all(s, &w, e);
}
