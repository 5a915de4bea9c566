/* SPDX-License-Identifier: Apache-2.0 */
/* nftables by nfnetlink: tables, sets, chains and rules as messages of one transaction, all or
 * nothing. Expressions are plain data, so that a rule set is a table of constants. Knows nothing of
 * what the rules are for.
 *
 *   nft_begin(&b); nft_table(...); nft_set(...); ...; r = nft_commit(sock, &b, &fault);
 */
#ifndef KOGGE_KERNEL_NFT_H
#define KOGGE_KERNEL_NFT_H

#include "kernel/netlink.h"

/* Before linux/netfilter.h, whose own version gives way to it. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define NFT_DATA_MAX 16
#define NFT_KEY_MAX  64

/* What an expression does. Registers are those of 32 bits, numbered 0 to 15. */
enum nft_op {
	NFT_OP_META = 1, /* A: NFT_META_..., to register B */
	NFT_OP_PAYLOAD,  /* N bytes from base A, offset B, to register C */
	NFT_OP_CMP,      /* register A, NFT_CMP_... B, N bytes of DATA */
	NFT_OP_MASK,     /* register A & N bytes of DATA */
	NFT_OP_LOOKUP,   /* register A in set NAME; B: NFT_LOOKUP_F_INV */
	NFT_OP_MAP,      /* register A by map NAME to register B */
	NFT_OP_CT,       /* A: NFT_CT_..., to register B */
	NFT_OP_FIB,      /* flags A, result B, to register C */
	NFT_OP_VERDICT,  /* A: NF_DROP, NF_ACCEPT, NFT_JUMP, NFT_GOTO, NFT_RETURN; chain NAME */
	NFT_OP_DNAT,     /* family A, address from register B, port from register C */
	NFT_OP_MASQUERADE,
	NFT_OP_NOTRACK,
	NFT_OP_LOAD,        /* N bytes of DATA to register A */
	NFT_OP_PAYLOAD_SET, /* N bytes of register C to base A, offset B; DATA[0]: where the
			       internet checksum of that header is, which follows */
};

/* Names in expressions of ours, with their NUL. */
#define NFT_NAME_SIZE 16

/* One expression. Without pointers: a table of them costs a start no relocations. */
struct nft_expr {
	uint8_t op; /* enum nft_op */
	uint8_t n;  /* bytes of DATA or of the payload */
	uint32_t a, b, c;
	char name[NFT_NAME_SIZE];
	uint8_t data[NFT_DATA_MAX];
};

/* Types of keys and values as nft(8) numbers them, so that it can print what we made. */
enum nft_type {
	NFT_T_IP4 = 7,
	NFT_T_IP6 = 8,
	NFT_T_ETHER = 9,
	NFT_T_PROTOCOL = 12,
	NFT_T_PORT = 13,
	NFT_T_IFNAME = 41,
};

/* A set, or a map where N_VALUES is not 0. Keys of more than one type are concatenations, each part
 * padded to 4 bytes. */
struct nft_set {
	const char *name;
	uint8_t key[4]; /* enum nft_type, 0 ends */
	uint8_t value[4];
};

/* A chain; TYPE NULL: only jumped to. */
struct nft_chain {
	const char *name;
	const char *type; /* "filter", "nat", "route" */
	uint32_t hook;    /* NF_INET_..., NF_BR_... */
	int32_t priority;
};

/* Where things are. */
struct nft_place {
	uint8_t family; /* NFPROTO_... */
	const char *table;
};

/* A key or value that is being put together. */
struct nft_key {
	uint8_t data[NFT_KEY_MAX];
	size_t n;
};

/* Begins and ends a transaction. */
void nft_begin(struct nl_batch *b);
int nft_commit(int sock, struct nl_batch *b, struct nl_fault *ret_fault);

/* Make (NLM_F_CREATE is implied; making what is there changes nothing) or, with nft_table_delete,
 * remove the table with all in it; it must exist. */
void nft_table(struct nl_batch *b, const struct nft_place *at);
/* Makes the table; the transaction fails (-EEXIST) where it is there. */
void nft_table_first(struct nl_batch *b, const struct nft_place *at);
void nft_table_delete(struct nl_batch *b, const struct nft_place *at);
void nft_set_add(struct nl_batch *b, const struct nft_place *at, const struct nft_set *set);
void nft_chain_add(struct nl_batch *b, const struct nft_place *at, const struct nft_chain *chain);

/* Appends a rule of N expressions to CHAIN, or puts it before the rule with that handle. TAG (may
 * be NULL) is kept with the rule, shown by nft as its comment. */
struct nft_rule {
	const char *chain;
	const struct nft_expr *exprs;
	size_t n;
	const char *tag;
	uint64_t before; /* 0: behind all */
};
void nft_rule_add(struct nl_batch *b, const struct nft_place *at, const struct nft_rule *rule);

/* Adds or (DEL) removes one element. VALUE is NULL for a set. */
struct nft_element {
	const char *set;
	const struct nft_key *key, *value;
	bool del;
};
void nft_element(struct nl_batch *b, const struct nft_place *at, const struct nft_element *e);

/* Append a part to a key, padded to 4 bytes; an interface's name takes 16. */
void nft_key_put(struct nft_key *k, const void *data, size_t n);
void nft_key_name(struct nft_key *k, const char *ifname);

/* A rule of somebody's chain, as nft_rules_each shows it. */
struct nft_rule_seen {
	uint64_t handle;
	char tag[64];   /* our comment, or "" */
	bool drops_all; /* every packet that comes to it ends here, by drop or reject */
};

/* Calls FN for the rules of CHAIN in order. -ENOENT: no such table or chain. */
typedef int (*nft_rule_fn)(void *arg, const struct nft_rule_seen *rule);
int nft_rules_each(int sock, const struct nft_place *at, const char *chain, nft_rule_fn fn,
		   void *arg);

/* Removes the rule. */
void nft_rule_delete(struct nl_batch *b, const struct nft_place *at, const char *chain,
		     uint64_t handle);

/* Whether the chain is there: 1 or 0. */
int nft_chain_find(int sock, const struct nft_place *at, const char *chain);

/* A base chain of somebody's, of type filter. */
struct nft_chain_seen {
	uint8_t family; /* NFPROTO_... */
	char table[NFT_NAME_MAXLEN], name[NFT_NAME_MAXLEN];
	uint32_t hook;
	bool drop; /* its policy */
};

/* Calls FN for each of them, in all families. */
typedef int (*nft_chain_fn)(void *arg, const struct nft_chain_seen *chain);
int nft_chains_each(int sock, nft_chain_fn fn, void *arg);

#endif
