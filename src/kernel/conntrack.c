/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/conntrack.h"

#include "kernel/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

struct walk {
	const struct conntrack_match *m;
	struct nl_batch removals;
	size_t n;
};

struct tuple {
	struct nl_attr source;
	uint8_t protocol;
	uint16_t port; /* of the destination */
};

static int read_tuple(const struct nl_attr *a, uint8_t family, struct tuple *ret)
{
	struct nl_attr t[CTA_TUPLE_PROTO + 1], ip[CTA_IP_V6_DST + 1], proto[CTA_PROTO_DST_PORT + 1];
	int r = nl_parse(a->data, a->n, t, CTA_TUPLE_PROTO);

	if (r == 0)
		r = nl_parse(t[CTA_TUPLE_IP].data, t[CTA_TUPLE_IP].n, ip, CTA_IP_V6_DST);
	if (r == 0)
		r = nl_parse(t[CTA_TUPLE_PROTO].data, t[CTA_TUPLE_PROTO].n, proto,
			     CTA_PROTO_DST_PORT);
	if (r < 0)
		return r;
	*ret = (struct tuple){.source = ip[family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC]};
	if (proto[CTA_PROTO_NUM].n >= 1)
		memcpy(&ret->protocol, proto[CTA_PROTO_NUM].data, 1);
	if (proto[CTA_PROTO_DST_PORT].n >= 2)
		memcpy(&ret->port, proto[CTA_PROTO_DST_PORT].data, 2);
	ret->port = ntohs(ret->port);
	return 0;
}

static bool matches(const struct conntrack_match *m, const struct tuple *original,
		    const struct tuple *reply)
{
	const size_t width = m->family == AF_INET ? 4 : 16;

	if (original->protocol != m->protocol)
		return false;
	if (m->address && reply->source.n == width &&
	    memcmp(reply->source.data, m->address, width) == 0)
		return true;
	for (size_t i = 0; i < m->n; i++)
		if (original->port == m->ports[i])
			return true;
	return false;
}

static void begin(struct nl_batch *b, uint16_t message, uint16_t flags, uint8_t family)
{
	const struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	nl_begin(b, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message), flags, &g, sizeof(g));
}

static int on_connection(void *arg, const struct nl_message *msg)
{
	struct walk *w = arg;
	struct nl_attr a[CTA_ID + 1];
	struct tuple original, reply;
	struct nfgenmsg g;
	int r = nl_parse_message(msg, &g, sizeof(g), a, CTA_ID);

	if (r < 0 || g.nfgen_family != w->m->family)
		return r;
	r = read_tuple(&a[CTA_TUPLE_ORIG], g.nfgen_family, &original);
	if (r == 0)
		r = read_tuple(&a[CTA_TUPLE_REPLY], g.nfgen_family, &reply);
	if (r < 0 || !matches(w->m, &original, &reply))
		return r;
	begin(&w->removals, IPCTNL_MSG_CT_DELETE, 0, g.nfgen_family);
	nl_put(&w->removals, CTA_TUPLE_ORIG | NLA_F_NESTED, a[CTA_TUPLE_ORIG].data,
	       a[CTA_TUPLE_ORIG].n);
	nl_put(&w->removals, CTA_ID, a[CTA_ID].data, a[CTA_ID].n);
	w->n++;
	return 0;
}

int conntrack_forget(int sock, const struct conntrack_match *m, size_t *ret_n)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct walk w = {.m = m, .removals = NL_BATCH_INIT};
	int r;

	begin(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, m->family);
	r = nl_ask(sock, &b, on_connection, &w);
	/* What was found before the table changed goes, too. */
	if ((r == 0 || r == -EINTR) && w.n)
		r = nl_run(sock, &w.removals, NULL);
	nl_batch_done(&w.removals);
	if (ret_n)
		*ret_n = w.n;
	return r == -ENOENT || r == -EINTR ? 0 : r;
}
