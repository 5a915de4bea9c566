/* SPDX-License-Identifier: Apache-2.0 */
/* What the database says of containers on networks, for the keeper: as the resolver's table
 * (net/resolver.h), and as the rules' whole (net/rules.h). */
#include "base/json.h"
#include "base/str.h"
#include "engine/network-keep.h"
#include "engine/spec-network.h"

#include <errno.h>

enum { ENDPOINT_LINES_MAX = 1 << 16 };

void live_done(struct live *l)
{
	for (size_t i = 0; i < l->n_nets; i++)
		network_done(&l->nets[i]);
	arena_done(&l->arena);
	*l = LIVE_INIT;
}

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "keeping networks");
}

/* The rows come network by network. */
static struct network *net_of(struct engine *en, struct live *l, const char *id, struct err *e)
{
	struct network *last = l->n_nets ? &l->nets[l->n_nets - 1] : NULL;

	if (last && str_eq(last->id, id))
		return last;
	if (network_load(en, id, &l->nets[l->n_nets], e) < 0)
		return NULL;
	return &l->nets[l->n_nets++];
}

static int compare_containers(const void *a, const void *b)
{
	const struct endpoint_row *x = *(const struct endpoint_row *const *)a;
	const struct endpoint_row *y = *(const struct endpoint_row *const *)b;
	int r = strcmp(x->container, y->container);

	return r ? r : (x > y) - (x < y);
}

static void sort_rows(struct live *l)
{
	for (size_t i = 0; i < l->n_rows; i++)
		l->by_container[i] = &l->rows[i];
	if (l->n_rows)
		qsort(l->by_container, l->n_rows, sizeof(*l->by_container), compare_containers);
}

int live_load(struct engine *en, struct live *ret, struct err *e)
{
	struct live l = LIVE_INIT;
	struct err why = ERR_INIT;

	if (endpoints_all_live(en->store, &l.arena, &l.rows, &l.n_rows, e) < 0)
		return -1;
	l.nets = arena_array(&l.arena, l.n_rows + 1, sizeof(*l.nets));
	l.net_of = arena_array(&l.arena, l.n_rows + 1, sizeof(struct network *));
	l.by_container = arena_array(&l.arena, l.n_rows + 1, sizeof(*l.by_container));
	if (!l.nets || !l.net_of || !l.by_container) {
		live_done(&l);
		return fail_oom(e);
	}
	sort_rows(&l);
	for (size_t i = 0; i < l.n_rows; i++) {
		l.net_of[i] = net_of(en, &l, l.rows[i].network, &why);
		if (!l.net_of[i] && why.class != ERR_NOT_FOUND) {
			live_done(&l);
			return *e = why, -1;
		}
		why = ERR_INIT;
	}
	*ret = l;
	return 0;
}

bool live_has_names(const struct live *l, size_t i)
{
	return l->net_of[i] && !network_is_predefined(l->net_of[i]->name);
}

/* ---- the resolver's table ---- */

/* A name twice: alone, and with the network's behind it, as Docker's. */
static int put_name(struct buf *out, const struct network *n, const char *name)
{
	return str_empty(name) || strpbrk(name, " \n\t")
		       ? 0
		       : buf_printf(out, " %s %s.%s", name, name, n->name);
}

/* What else is known of the row. */
struct known {
	const json_t *live;
	struct spec_endpoint asked;
};

/* The first name is the one that the address is found under. */
static int put_names(struct buf *out, const struct live *l, size_t i, const struct net_ip *ip,
		     const struct known *x)
{
	const struct spec_endpoint *asked = &x->asked;
	const struct network *n = l->net_of[i];
	const json_t *live = x->live;
	const char *host = json_string_value(json_object_get(live, "Hostname"));
	char text[NET_IP_TEXT], shortid[ID_SHORT_SIZE];
	int r = buf_printf(out, "N %s %s %s.%s %s", n->id, net_ip_text(ip, text), l->rows[i].name,
			   n->name, l->rows[i].name);

	(void)snprintf(shortid, sizeof(shortid), "%.12s", l->rows[i].container);
	if (r == 0)
		r = put_name(out, n, shortid);
	if (r == 0 && host && !str_eq(host, shortid))
		r = put_name(out, n, host);
	for (size_t k = 0; asked->aliases && asked->aliases[k] && r == 0; k++)
		r = put_name(out, n, asked->aliases[k]);
	return r == 0 ? buf_putc(out, '\n') : r;
}

static int put_row(const struct live *l, size_t i, struct buf *out, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *live = json_loads(l->rows[i].live, 0, NULL);
	struct known x = {.live = live};
	struct net_ip ip4, ip6;
	int r = 0;

	if (!live)
		return fail_oom(e);
	if (spec_endpoint_read(&a, l->rows[i].doc, &x.asked, e) < 0)
		return -1;
	endpoint_addresses(&l->rows[i], l->net_of[i], &ip4, &ip6);
	if (ip4.family)
		r = put_names(out, l, i, &ip4, &x);
	if (r == 0 && ip6.family)
		r = put_names(out, l, i, &ip6, &x);
	return r < 0 ? fail_oom(e) : 0;
}

/* The rows of one container: N of live.by_container. */
struct group {
	const struct endpoint_row *const *v;
	size_t n;
};

static size_t row_number(const struct live *l, const struct group *g, size_t k)
{
	return (size_t)(g->v[k] - l->rows);
}

static bool group_has_names(const struct live *l, const struct group *g)
{
	for (size_t k = 0; k < g->n; k++)
		if (live_has_names(l, row_number(l, g, k)))
			return true;
	return false;
}

static int put_servers(const struct live *l, size_t i, struct buf *out)
{
	_cleanup_(json_unref) json_t *live = json_loads(l->rows[i].live, 0, NULL);
	const json_t *dns = json_object_get(live, "Dns");
	json_t *server;
	size_t k;
	int r = 0;

	if (!json_array_size(dns))
		return 0;
	r = buf_printf(out, "U %s", l->rows[i].container);
	json_array_foreach (dns, k, server)
		if (r == 0)
			r = buf_printf(out, " %s", json_string_value(server));
	return r == 0 ? buf_putc(out, '\n') : r;
}

static int put_view(const struct live *l, const struct group *g, struct buf *out)
{
	const char *container = g->v[0]->container;
	bool internal = true;
	size_t first = SIZE_MAX;
	int r = buf_printf(out, "V %s", container);

	for (size_t k = 0; k < g->n && r == 0; k++) {
		size_t i = row_number(l, g, k);

		if (!l->net_of[i])
			continue;
		internal = internal && l->net_of[i]->net.internal;
		if (!live_has_names(l, i))
			continue;
		first = MIN(first, i);
		r = buf_printf(out, " %s", l->net_of[i]->id);
	}
	if (r == 0)
		r = buf_putc(out, '\n');
	if (r == 0)
		r = put_servers(l, first, out);
	return r == 0 && internal ? buf_printf(out, "I %s\n", container) : r;
}

static int put_group(const struct live *l, const struct group *g, struct buf *out, struct err *e)
{
	if (!group_has_names(l, g))
		return 0;
	if (put_view(l, g, out) < 0)
		return fail_oom(e);
	for (size_t k = 0; k < g->n; k++) {
		size_t i = row_number(l, g, k);

		/* A step of a build asks for names and has none. */
		if (live_has_names(l, i) && !endpoint_row_is_step(&l->rows[i]) &&
		    put_row(l, i, out, e) < 0)
			return -1;
	}
	return 0;
}

int live_table(const struct live *l, struct buf *out, struct err *e)
{
	struct group g = {.n = 0};

	for (size_t at = 0; at < l->n_rows; at += g.n) {
		g = (struct group){.v = l->by_container + at, .n = 1};
		while (at + g.n < l->n_rows && str_eq(g.v[g.n]->container, g.v[0]->container))
			g.n++;
		if (put_group(l, &g, out, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the rules ---- */

/* Every network with a link and its endpoints, so that the tables are whole. */
int live_restore(struct engine *en, const struct live *l, struct net_session *s, bool merge,
		 struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct net_rules_net *all = arena_array(&a, l->n_nets + 1, sizeof(*all));
	struct net_endpoint *at = arena_array(&a, l->n_rows + 1, sizeof(*at));
	size_t done = 0;

	if (!all || !at)
		return fail_oom(e);
	for (size_t k = 0; k < l->n_nets; k++) {
		all[k] = (struct net_rules_net){.net = &l->nets[k].net, .endpoints = at + done};
		for (size_t i = 0; i < l->n_rows; i++) {
			struct endpoint ep = {.net = NETWORK_INIT};
			int r;

			if (l->net_of[i] != &l->nets[k])
				continue;
			r = endpoint_from_row(en, &l->rows[i], &a, &ep, e);
			network_done(&ep.net);
			if (r < 0)
				return -1;
			at[done++] = ep.at;
			all[k].n_endpoints++;
		}
	}
	return merge ? net_rules_merge(s, all, l->n_nets, e) : net_rules_sync(s, all, l->n_nets, e);
}
