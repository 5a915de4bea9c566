/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the rules. A start or an end is one transaction of a few elements, whose cost does not
 * depend on how many there are. Invariants:
 *   R1  an element is made before the link that it lets through, and removed after it
 *   R2  whoever finds no frame makes it together with what he needs himself; what others had in it
 *       is the keeper's to restore (net_rules_sync) */
#include "base/failpoint.h"
#include "base/fd.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct adding {
	struct nl_batch *b;
	bool del;
};

static void add_one(void *arg, const struct rules_element *x)
{
	const struct adding *a = arg;
	const struct nft_element e = {.set = x->set,
				      .key = &x->key,
				      .value = x->value.n ? &x->value : NULL,
				      .del = a->del};

	nft_element(a->b, x->table, &e);
}

static void each(const struct rules_change *c, rules_element_fn fn, void *arg)
{
	if (c->what & RULES_NETWORK)
		rules_each_network(c->net, fn, arg);
	if (c->what & RULES_ENDPOINT)
		rules_each_endpoint(c->net, c->endpoint, fn, arg);
	if (c->what & RULES_PORTS)
		rules_each_port(c->net, c->endpoint, fn, arg);
}

static int transact(int sock, const struct rules_change *c, struct nl_fault *f)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct adding a = {.b = &b, .del = c->del};

	nft_begin(&b);
	each(c, add_one, &a);
	if (b.n == 1)
		return 0;
	return nft_commit(sock, &b, f);
}

/* ---- each for itself, where some are gone or another's ---- */

struct alone {
	int sock;
	bool del;
	int failed;
};

static void change_one(void *arg, const struct rules_element *x)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct alone *w = arg;
	struct adding a = {.b = &b, .del = w->del};
	int r;

	nft_begin(&b);
	add_one(&a, x);
	r = nft_commit(w->sock, &b, NULL);
	if (r < 0 && r != (w->del ? -ENOENT : -EEXIST) && w->failed == 0)
		w->failed = r;
}

static int change_each(int sock, const struct rules_change *c)
{
	struct alone w = {.sock = sock, .del = c->del};

	each(c, change_one, &w);
	return w.failed;
}

/* ---- the frame ---- */

/* A table can be removed only where it is, and making one that is there changes nothing. */
static void drop_tables(struct nl_batch *b)
{
	nft_table(b, &net_table);
	nft_table_delete(b, &net_table);
	nft_table(b, &net_bridge_table);
	nft_table_delete(b, &net_bridge_table);
}

/* One attempt at the tables with the elements of C. With FIRST it fails (-EEXIST) where somebody
 * has made a table since it was looked for: that one's elements are not to be lost. */
static int try_frame(int sock, const struct rules_change *c, bool first, struct nl_fault *f)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct adding a = {.b = &b};

	nft_begin(&b);
	if (first) {
		nft_table_first(&b, &net_table);
		nft_table_first(&b, &net_bridge_table);
	} else {
		drop_tables(&b);
	}
	rules_frame(&b);
	each(c, add_one, &a);
	return nft_commit(sock, &b, f);
}

static int make_frame(struct net_session *s, const struct rules_change *c, struct nl_fault *f,
		      struct err *e)
{
	struct rules_change all = *c;
	int present = net_rules_present(s, e), r = -EEXIST;

	all.what |= RULES_NETWORK;
	if (present == 0)
		r = try_frame(s->nft, &all, true, f);
	if (present == 0 && r == -EEXIST)
		present = net_rules_present(s, e);
	if (present < 0)
		return -1;
	if (present)
		f->errnum = transact(s->nft, &all, f);
	else if (r == -EEXIST)
		/* An older frame, or half of one */
		f->errnum = try_frame(s->nft, &all, false, f);
	return 0;
}

/* The kernel says that a map has another value for the key. */
static int taken(const struct rules_change *c, struct err *e)
{
	err_set(e, ERR_CONFLICT, 0, "publishing on network %s: a port is published already",
		c->net->name);
	return err_hint(e, "another container has it, or one that was killed has left it");
}

/* Where the kernel knows no rules there are none to remove: a module in use is not unloaded. */
static int nothing_there(const struct rules_change *c, struct err *e)
{
	if (!c->del || e->class != ERR_UNSUPPORTED)
		return -1;
	*e = ERR_INIT;
	return 0;
}

int rules_change(struct net_session *s, const struct rules_change *c, struct err *e)
{
	struct nl_fault f = {.message = 0};
	int sock = net_session_nft(s, e), r;

	if (sock < 0)
		return nothing_there(c, e);
	if (FAILPOINT("net.rules.before", e) < 0)
		return -1;
	r = transact(sock, c, &f);
	if (r == -EOPNOTSUPP && c->del)
		return 0;
	if (r == -ENOENT && c->del)
		r = f.errnum = change_each(sock, c);
	else if (r == -ENOENT && make_frame(s, c, &f, e) < 0)
		return -1;
	else if (r == -ENOENT)
		r = f.errnum;
	if (r == -EEXIST && !c->del)
		return taken(c, e);
	if (r < 0) {
		f.errnum = r;
		return net_fault(&f, c->del ? "removing rules" : "adding rules", e);
	}
	return 0;
}

/* ---- everything ---- */

static void each_of(const struct net_rules_net *all, size_t n, rules_element_fn fn, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		struct rules_change c = {.net = all[i].net, .what = RULES_NETWORK};

		each(&c, fn, arg);
		c.what = RULES_ENDPOINT | RULES_PORTS;
		for (size_t j = 0; j < all[i].n_endpoints; j++) {
			c.endpoint = &all[i].endpoints[j];
			each(&c, fn, arg);
		}
	}
}

int net_rules_sync(struct net_session *s, const struct net_rules_net *all, size_t n, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	_cleanup_(freep) const char **links = calloc(n + 1, sizeof(*links));
	struct adding a = {.b = &b};
	struct nl_fault f;
	size_t n_links = 0;
	int sock = net_session_nft(s, e);

	if (sock < 0 || !links)
		return links ? -1 : err_errno(e, ENOMEM, "restoring rules");
	nft_begin(&b);
	drop_tables(&b);
	if (n)
		rules_frame(&b);
	for (size_t i = 0; i < n; i++)
		if (all[i].net->driver == NET_BRIDGE && !all[i].net->internal)
			links[n_links++] = all[i].net->link;
	each_of(all, n, add_one, &a);
	if (nft_commit(sock, &b, &f) < 0)
		return net_fault(&f, "restoring rules", e);
	return rules_foreign(s, links, n_links, e);
}

int net_rules_pass(struct net_session *s, const struct net *n, struct err *e)
{
	struct rtnl_link l;
	int sock = net_session_route(s, e);

	if (sock < 0)
		return -1;
	if (n->driver != NET_BRIDGE || n->internal || rtnl_link_find(sock, n->link, &l) < 0)
		return 0;
	if (rules_foreign_one(s, n->link, false, e) < 0)
		return -1;
	/* Whoever removes the network removes the link and then these rules. */
	return rtnl_link_find(sock, n->link, &l) == -ENODEV ? rules_foreign_one(s, n->link, true, e)
							    : 0;
}

int net_rules_merge(struct net_session *s, const struct net_rules_net *all, size_t n, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct adding a = {.b = &b};
	struct nl_fault f = {.message = 0};
	int sock = net_session_nft(s, e), r;

	if (sock < 0)
		return -1;
	nft_begin(&b);
	each_of(all, n, add_one, &a);
	r = b.n == 1 ? 0 : nft_commit(sock, &b, &f);
	if (r == -EEXIST) {
		/* A port that another store has taken meanwhile: all the others come back. */
		struct alone w = {.sock = sock};

		each_of(all, n, change_one, &w);
		r = w.failed;
	}
	f.errnum = r;
	if (r < 0)
		return net_fault(&f, "restoring rules", e);
	for (size_t i = 0; i < n; i++)
		if (net_rules_pass(s, all[i].net, e) < 0)
			return -1;
	return 0;
}
