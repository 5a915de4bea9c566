/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes are those of linux/netfilter/nf_tables.h; numbers are in the net's order. What
 * nft(8) keeps besides in "userdata" is written where it needs it to print a rule's comment. */
#include "kernel/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { UDATA_COMMENT = 0, CONCAT_BITS = 6 };

static uint16_t type_of(uint16_t message)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static void begin(struct nl_batch *b, uint16_t message, uint16_t flags, uint8_t family)
{
	const struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	nl_begin(b, type_of(message), flags, &g, sizeof(g));
}

static void frame(struct nl_batch *b, uint16_t type)
{
	const struct nfgenmsg g = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

	nl_begin(b, type, 0, &g, sizeof(g));
}

void nft_begin(struct nl_batch *b)
{
	frame(b, NFNL_MSG_BATCH_BEGIN);
}

int nft_commit(int sock, struct nl_batch *b, struct nl_fault *ret_fault)
{
	/* Not every kernel acknowledges the end itself. */
	if (!b->failed) {
		struct nlmsghdr *last = (struct nlmsghdr *)(void *)(b->bytes.data + b->message);

		last->nlmsg_flags |= NLM_F_ACK;
	}
	frame(b, NFNL_MSG_BATCH_END);
	return nl_run(sock, b, ret_fault);
}

/* ---- tables, sets, chains ---- */

static void new_table(struct nl_batch *b, const struct nft_place *at, uint16_t flags)
{
	begin(b, NFT_MSG_NEWTABLE, flags, at->family);
	nl_put_str(b, NFTA_TABLE_NAME, at->table);
	nl_put_be32(b, NFTA_TABLE_FLAGS, 0);
}

void nft_table(struct nl_batch *b, const struct nft_place *at)
{
	new_table(b, at, NLM_F_CREATE);
}

void nft_table_first(struct nl_batch *b, const struct nft_place *at)
{
	new_table(b, at, NLM_F_CREATE | NLM_F_EXCL);
}

void nft_table_delete(struct nl_batch *b, const struct nft_place *at)
{
	begin(b, NFT_MSG_DELTABLE, 0, at->family);
	nl_put_str(b, NFTA_TABLE_NAME, at->table);
}

static uint32_t type_size(uint8_t type)
{
	switch (type) {
	case NFT_T_IP6:
	case NFT_T_IFNAME:
		return 16;
	case NFT_T_ETHER:
		return 6;
	case NFT_T_PORT:
		return 2;
	case NFT_T_PROTOCOL:
		return 1;
	default:
		return 4;
	}
}

/* The number of a concatenation as nft(8) has it, and its length. */
static uint32_t concat(const uint8_t types[4], uint32_t *ret_size)
{
	uint32_t type = 0, size = 0, n = 0;

	for (; n < 4 && types[n]; n++) {
		type = type << CONCAT_BITS | types[n];
		size += (type_size(types[n]) + 3) & ~3U;
	}
	*ret_size = n == 1 ? type_size(types[0]) : size;
	return type;
}

void nft_set_add(struct nl_batch *b, const struct nft_place *at, const struct nft_set *set)
{
	uint32_t size, type = concat(set->key, &size);

	begin(b, NFT_MSG_NEWSET, NLM_F_CREATE, at->family);
	nl_put_str(b, NFTA_SET_TABLE, at->table);
	nl_put_str(b, NFTA_SET_NAME, set->name);
	nl_put_be32(b, NFTA_SET_FLAGS, set->value[0] ? NFT_SET_MAP : 0);
	nl_put_be32(b, NFTA_SET_KEY_TYPE, type);
	nl_put_be32(b, NFTA_SET_KEY_LEN, size);
	if (set->value[0]) {
		type = concat(set->value, &size);
		nl_put_be32(b, NFTA_SET_DATA_TYPE, type);
		nl_put_be32(b, NFTA_SET_DATA_LEN, size);
	}
	/* Sets are named later in the same transaction by their name; the ID is required. */
	nl_put_be32(b, NFTA_SET_ID, b->n);
}

void nft_chain_add(struct nl_batch *b, const struct nft_place *at, const struct nft_chain *chain)
{
	size_t hook;

	begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, at->family);
	nl_put_str(b, NFTA_CHAIN_TABLE, at->table);
	nl_put_str(b, NFTA_CHAIN_NAME, chain->name);
	if (!chain->type)
		return;
	hook = nl_nest(b, NFTA_CHAIN_HOOK);
	nl_put_be32(b, NFTA_HOOK_HOOKNUM, chain->hook);
	nl_put_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
	nl_nest_end(b, hook);
	nl_put_be32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_put_str(b, NFTA_CHAIN_TYPE, chain->type);
}

/* ---- expressions ---- */

static uint32_t reg(uint32_t n)
{
	return NFT_REG32_00 + n;
}

static void put_data(struct nl_batch *b, uint16_t type, const void *data, size_t n)
{
	size_t nest = nl_nest(b, type);

	nl_put(b, NFTA_DATA_VALUE, data, n);
	nl_nest_end(b, nest);
}

static void put_meta(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_META_KEY, x->a);
	nl_put_be32(b, NFTA_META_DREG, reg(x->b));
}

static void put_payload(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_PAYLOAD_DREG, reg(x->c));
	nl_put_be32(b, NFTA_PAYLOAD_BASE, x->a);
	nl_put_be32(b, NFTA_PAYLOAD_OFFSET, x->b);
	nl_put_be32(b, NFTA_PAYLOAD_LEN, x->n);
}

static void put_cmp(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_CMP_SREG, reg(x->a));
	nl_put_be32(b, NFTA_CMP_OP, x->b);
	put_data(b, NFTA_CMP_DATA, x->data, x->n);
}

static void put_mask(struct nl_batch *b, const struct nft_expr *x)
{
	static const uint8_t zero[NFT_DATA_MAX];

	nl_put_be32(b, NFTA_BITWISE_SREG, reg(x->a));
	nl_put_be32(b, NFTA_BITWISE_DREG, reg(x->a));
	nl_put_be32(b, NFTA_BITWISE_LEN, x->n);
	put_data(b, NFTA_BITWISE_MASK, x->data, x->n);
	put_data(b, NFTA_BITWISE_XOR, zero, x->n);
}

static void put_lookup(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_str(b, NFTA_LOOKUP_SET, x->name);
	nl_put_be32(b, NFTA_LOOKUP_SREG, reg(x->a));
	if (x->op == NFT_OP_MAP)
		nl_put_be32(b, NFTA_LOOKUP_DREG, reg(x->b));
	else if (x->b)
		nl_put_be32(b, NFTA_LOOKUP_FLAGS, x->b);
}

static void put_ct(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_CT_KEY, x->a);
	nl_put_be32(b, NFTA_CT_DREG, reg(x->b));
}

static void put_fib(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_FIB_FLAGS, x->a);
	nl_put_be32(b, NFTA_FIB_RESULT, x->b);
	nl_put_be32(b, NFTA_FIB_DREG, reg(x->c));
}

static void put_verdict(struct nl_batch *b, const struct nft_expr *x)
{
	size_t data, verdict;

	nl_put_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nl_nest(b, NFTA_DATA_VERDICT);
	nl_put_be32(b, NFTA_VERDICT_CODE, x->a);
	if (x->name[0])
		nl_put_str(b, NFTA_VERDICT_CHAIN, x->name);
	nl_nest_end(b, verdict);
	nl_nest_end(b, data);
}

static void put_dnat(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nl_put_be32(b, NFTA_NAT_FAMILY, x->a);
	nl_put_be32(b, NFTA_NAT_REG_ADDR_MIN, reg(x->b));
	nl_put_be32(b, NFTA_NAT_REG_PROTO_MIN, reg(x->c));
}

static void put_load(struct nl_batch *b, const struct nft_expr *x)
{
	size_t data;

	nl_put_be32(b, NFTA_IMMEDIATE_DREG, reg(x->a));
	data = nl_nest(b, NFTA_IMMEDIATE_DATA);
	nl_put(b, NFTA_DATA_VALUE, x->data, x->n);
	nl_nest_end(b, data);
}

static void put_payload_set(struct nl_batch *b, const struct nft_expr *x)
{
	nl_put_be32(b, NFTA_PAYLOAD_SREG, reg(x->c));
	nl_put_be32(b, NFTA_PAYLOAD_BASE, x->a);
	nl_put_be32(b, NFTA_PAYLOAD_OFFSET, x->b);
	nl_put_be32(b, NFTA_PAYLOAD_LEN, x->n);
	nl_put_be32(b, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nl_put_be32(b, NFTA_PAYLOAD_CSUM_OFFSET, x->data[0]);
}

static void put_nothing(struct nl_batch *b, const struct nft_expr *x)
{
	(void)b;
	(void)x;
}

static const struct {
	const char *name;
	void (*put)(struct nl_batch *b, const struct nft_expr *x);
} kinds[] = {
	[NFT_OP_META] = {"meta", put_meta},
	[NFT_OP_PAYLOAD] = {"payload", put_payload},
	[NFT_OP_CMP] = {"cmp", put_cmp},
	[NFT_OP_MASK] = {"bitwise", put_mask},
	[NFT_OP_LOOKUP] = {"lookup", put_lookup},
	[NFT_OP_MAP] = {"lookup", put_lookup},
	[NFT_OP_CT] = {"ct", put_ct},
	[NFT_OP_FIB] = {"fib", put_fib},
	[NFT_OP_VERDICT] = {"immediate", put_verdict},
	[NFT_OP_DNAT] = {"nat", put_dnat},
	[NFT_OP_MASQUERADE] = {"masq", put_nothing},
	[NFT_OP_NOTRACK] = {"notrack", put_nothing},
	[NFT_OP_LOAD] = {"immediate", put_load},
	[NFT_OP_PAYLOAD_SET] = {"payload", put_payload_set},
};

static void put_tag(struct nl_batch *b, const char *tag)
{
	uint8_t data[2 + 64];
	size_t n = strlen(tag) + 1;

	if (n > sizeof(data) - 2) {
		b->failed = b->failed ? b->failed : -EMSGSIZE;
		return;
	}
	data[0] = UDATA_COMMENT;
	data[1] = (uint8_t)n;
	memcpy(data + 2, tag, n);
	nl_put(b, NFTA_RULE_USERDATA, data, n + 2);
}

void nft_rule_add(struct nl_batch *b, const struct nft_place *at, const struct nft_rule *rule)
{
	size_t list, item, data;

	begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | (rule->before ? 0 : NLM_F_APPEND), at->family);
	nl_put_str(b, NFTA_RULE_TABLE, at->table);
	nl_put_str(b, NFTA_RULE_CHAIN, rule->chain);
	if (rule->before)
		nl_put_be64(b, NFTA_RULE_POSITION, rule->before);
	list = nl_nest(b, NFTA_RULE_EXPRESSIONS);
	for (size_t i = 0; i < rule->n; i++) {
		const struct nft_expr *x = &rule->exprs[i];

		item = nl_nest(b, NFTA_LIST_ELEM);
		nl_put_str(b, NFTA_EXPR_NAME, kinds[x->op].name);
		data = nl_nest(b, NFTA_EXPR_DATA);
		kinds[x->op].put(b, x);
		nl_nest_end(b, data);
		nl_nest_end(b, item);
	}
	nl_nest_end(b, list);
	if (rule->tag)
		put_tag(b, rule->tag);
}

/* ---- elements ---- */

void nft_key_put(struct nft_key *k, const void *data, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;

	if (padded > sizeof(k->data) - k->n)
		return;
	memset(k->data + k->n, 0, padded);
	memcpy(k->data + k->n, data, n);
	k->n += padded;
}

void nft_key_name(struct nft_key *k, const char *ifname)
{
	char name[16] = {0};

	memcpy(name, ifname, strnlen(ifname, sizeof(name) - 1));
	nft_key_put(k, name, sizeof(name));
}

void nft_element(struct nl_batch *b, const struct nft_place *at, const struct nft_element *e)
{
	size_t list, item;

	begin(b, e->del ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM, e->del ? 0 : NLM_F_CREATE,
	      at->family);
	nl_put_str(b, NFTA_SET_ELEM_LIST_TABLE, at->table);
	nl_put_str(b, NFTA_SET_ELEM_LIST_SET, e->set);
	list = nl_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = nl_nest(b, NFTA_LIST_ELEM);
	put_data(b, NFTA_SET_ELEM_KEY, e->key->data, e->key->n);
	if (e->value && !e->del)
		put_data(b, NFTA_SET_ELEM_DATA, e->value->data, e->value->n);
	nl_nest_end(b, item);
	nl_nest_end(b, list);
}

/* ---- looking at other people's chains ---- */

void nft_rule_delete(struct nl_batch *b, const struct nft_place *at, const char *chain,
		     uint64_t handle)
{
	begin(b, NFT_MSG_DELRULE, 0, at->family);
	nl_put_str(b, NFTA_RULE_TABLE, at->table);
	nl_put_str(b, NFTA_RULE_CHAIN, chain);
	nl_put_be64(b, NFTA_RULE_HANDLE, handle);
}

struct rule_walk {
	const char *table, *chain;
	nft_rule_fn fn;
	void *arg;
};

/* The comment in a rule's userdata, which is whatever its maker wrote. */
static void read_tag(const struct nl_attr *a, char *ret, size_t size)
{
	const uint8_t *p = a->data;
	size_t n = a->n;

	ret[0] = '\0';
	while (p && n >= 2 && p[1] <= n - 2) {
		if (p[0] == UDATA_COMMENT && p[1] && p[1] <= size) {
			memcpy(ret, p + 2, p[1]);
			ret[p[1] - 1] = '\0';
			return;
		}
		n -= 2U + p[1];
		p += 2U + p[1];
	}
}

/* One expression: 1, it drops; 0, it lets every packet go on to the next; -1, neither is sure. */
static int ends_all(const struct nl_attr *expr)
{
	struct nl_attr a[NFTA_EXPR_DATA + 1], i[NFTA_IMMEDIATE_DATA + 1], d[NFTA_DATA_VERDICT + 1];
	struct nl_attr v[NFTA_VERDICT_CODE + 1];
	char name[16];

	if (nl_parse(expr->data, expr->n, a, NFTA_EXPR_DATA) < 0)
		return -1;
	nl_str(&a[NFTA_EXPR_NAME], name, sizeof(name));
	if (strcmp(name, "counter") == 0 || strcmp(name, "log") == 0)
		return 0;
	if (strcmp(name, "reject") == 0)
		return 1;
	if (strcmp(name, "immediate") != 0 ||
	    nl_parse(a[NFTA_EXPR_DATA].data, a[NFTA_EXPR_DATA].n, i, NFTA_IMMEDIATE_DATA) < 0 ||
	    nl_parse(i[NFTA_IMMEDIATE_DATA].data, i[NFTA_IMMEDIATE_DATA].n, d, NFTA_DATA_VERDICT) <
		    0 ||
	    nl_parse(d[NFTA_DATA_VERDICT].data, d[NFTA_DATA_VERDICT].n, v, NFTA_VERDICT_CODE) < 0)
		return -1;
	return v[NFTA_VERDICT_CODE].data && ntohl(nl_u32(&v[NFTA_VERDICT_CODE])) == NF_DROP ? 1
											    : -1;
}

static bool drops_all(struct nl_attr exprs)
{
	struct nl_attr one;
	int r = 0;

	while (r == 0 && nl_next(&exprs, &one) > 0)
		r = ends_all(&one);
	return r == 1;
}

static int on_rule(void *arg, const struct nl_message *m)
{
	struct rule_walk *w = arg;
	struct nl_attr a[NFTA_RULE_USERDATA + 1];
	struct nft_rule_seen seen = {.handle = 0};
	struct nfgenmsg g;
	char name[NFT_NAME_MAXLEN];
	uint64_t handle;
	int r = nl_parse_message(m, &g, sizeof(g), a, NFTA_RULE_USERDATA);

	if (r < 0 || m->type != type_of(NFT_MSG_NEWRULE))
		return r;
	nl_str(&a[NFTA_RULE_TABLE], name, sizeof(name));
	if (strcmp(name, w->table) != 0)
		return 0;
	nl_str(&a[NFTA_RULE_CHAIN], name, sizeof(name));
	if (strcmp(name, w->chain) != 0 || a[NFTA_RULE_HANDLE].n < sizeof(handle))
		return 0;
	memcpy(&handle, a[NFTA_RULE_HANDLE].data, sizeof(handle));
	seen.handle = be64toh(handle);
	read_tag(&a[NFTA_RULE_USERDATA], seen.tag, sizeof(seen.tag));
	seen.drops_all = drops_all(a[NFTA_RULE_EXPRESSIONS]);
	return w->fn(w->arg, &seen);
}

int nft_rules_each(int sock, const struct nft_place *at, const char *chain, nft_rule_fn fn,
		   void *arg)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct rule_walk w = {.table = at->table, .chain = chain, .fn = fn, .arg = arg};

	begin(&b, NFT_MSG_GETRULE, NLM_F_DUMP, at->family);
	nl_put_str(&b, NFTA_RULE_TABLE, at->table);
	nl_put_str(&b, NFTA_RULE_CHAIN, chain);
	return nl_ask(sock, &b, on_rule, &w);
}

static int on_chain_there(void *arg, const struct nl_message *m)
{
	return 0;
}

int nft_chain_find(int sock, const struct nft_place *at, const char *chain)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	int r;

	begin(&b, NFT_MSG_GETCHAIN, 0, at->family);
	nl_put_str(&b, NFTA_CHAIN_TABLE, at->table);
	nl_put_str(&b, NFTA_CHAIN_NAME, chain);
	r = nl_ask(sock, &b, on_chain_there, NULL);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

struct chain_walk {
	nft_chain_fn fn;
	void *arg;
};

static int on_chain(void *arg, const struct nl_message *m)
{
	const struct chain_walk *w = arg;
	struct nl_attr a[NFTA_CHAIN_TYPE + 1], hook[NFTA_HOOK_HOOKNUM + 1];
	struct nft_chain_seen seen = {.drop = false};
	struct nfgenmsg g;
	char type[16];
	int r = nl_parse_message(m, &g, sizeof(g), a, NFTA_CHAIN_TYPE);

	if (r < 0 || m->type != type_of(NFT_MSG_NEWCHAIN))
		return r;
	nl_str(&a[NFTA_CHAIN_TYPE], type, sizeof(type));
	if (strcmp(type, "filter") != 0 ||
	    nl_parse(a[NFTA_CHAIN_HOOK].data, a[NFTA_CHAIN_HOOK].n, hook, NFTA_HOOK_HOOKNUM) < 0)
		return 0;
	seen.family = g.nfgen_family;
	nl_str(&a[NFTA_CHAIN_TABLE], seen.table, sizeof(seen.table));
	nl_str(&a[NFTA_CHAIN_NAME], seen.name, sizeof(seen.name));
	seen.hook = ntohl(nl_u32(&hook[NFTA_HOOK_HOOKNUM]));
	seen.drop = a[NFTA_CHAIN_POLICY].data && ntohl(nl_u32(&a[NFTA_CHAIN_POLICY])) == NF_DROP;
	return w->fn(w->arg, &seen);
}

int nft_chains_each(int sock, nft_chain_fn fn, void *arg)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct chain_walk w = {.fn = fn, .arg = arg};

	begin(&b, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_UNSPEC);
	return nl_ask(sock, &b, on_chain, &w);
}
