/* SPDX-License-Identifier: Apache-2.0 */
/* Making a network: what the user left open is chosen, against what other networks and the host
 * have, in the transaction that writes the row. moby: daemon/network.go, libnetwork/ipam. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/network-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { NAME_MAX_LEN = 255, TAKEN_MAX = 65536, MACHINE_ID_MAX = 256 };

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "making a network");
}

/* Names are shown, stand in files and in zones (N14). */
static int check_name(const char *name, struct err *e)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(name);

	if (n && n <= NAME_MAX_LEN && !strchr("_.-", name[0]) && strspn(name, all) == n)
		return 0;
	return err_set(e, ERR_INVALID, 0,
		       "invalid network name: '%.100s': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed",
		       name);
}

static bool is_link_name(const char *s)
{
	size_t n = strlen(s);

	return n && n < NET_LINK_SIZE && !strpbrk(s, "/ \t\n:") && !str_eq(s, ".") &&
	       !str_eq(s, "..");
}

static int check_options(const struct network_spec *spec, struct err *e)
{
	static const char *const truths[] = {NETWORK_OPT_ICC, NETWORK_OPT_MASQUERADE,
					     NETWORK_OPT_DEFAULT, NETWORK_OPT_SPOOF, NULL};

	for (size_t i = 0; i < spec->n_opts; i++) {
		const char *key = spec->opts[i].key, *value = spec->opts[i].value;
		struct net_ip ip;
		uint64_t mtu;
		bool on;

		if (strv_has(truths, key) && num_bool(value, &on) < 0)
			return err_set(e, ERR_INVALID, 0, "failed to parse %s value: \"%s\"", key,
				       value);
		if (str_eq(key, NETWORK_OPT_MTU) && num_u64(value, 0, UINT16_MAX, &mtu) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid MTU: '%s'", value);
		if (str_eq(key, NETWORK_OPT_NAME) && !is_link_name(value))
			return err_set(e, ERR_INVALID, 0, "'%s' is no name for an interface",
				       value);
		if (str_eq(key, NETWORK_OPT_BINDING) && *value && net_ip_parse(value, &ip) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid IP address: '%s'", value);
	}
	return 0;
}

static int check_spec(const struct network_spec *spec, struct err *e)
{
	int driver = net_driver_parse(spec->driver ? spec->driver : "bridge");

	if (check_name(spec->name, e) < 0)
		return -1;
	if (driver < 0)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "could not find a driver of the name %s: plugin \"%s\" not found",
			       spec->driver, spec->driver);
	if ((driver == NET_HOST || driver == NET_NONE) && !network_is_predefined(spec->name))
		return err_set(e, ERR_DENIED, 0, "only one instance of \"%s\" network is allowed",
			       net_driver_name((enum net_driver)driver));
	return check_options(spec, e);
}

/* ---- addresses ---- */

struct taken {
	struct net_ip *v;
	size_t n;
};

/* The subnets of all networks, and with HOST what the host's routes lead to. */
static int take_stock(struct engine *en, struct arena *a, bool host, struct taken *ret,
		      struct err *e)
{
	_cleanup_(freep) struct net_ip *routes = NULL;
	_cleanup_(net_session_done) struct net_session session = NET_SESSION_INIT;
	struct network_row *rows = NULL;
	size_t n_rows = 0, n_routes = 0;

	if (network_rows(en->store, a, &rows, &n_rows, e) < 0 ||
	    (host && net_host_prefixes(&session, &routes, &n_routes, e) < 0))
		return -1;
	ret->v = arena_array(a, n_routes + 4 * n_rows + 1, sizeof(*ret->v));
	if (!ret->v || n_rows > TAKEN_MAX)
		return fail_oom(e);
	if (n_routes)
		memcpy(ret->v, routes, n_routes * sizeof(*routes));
	ret->n = n_routes;
	for (size_t i = 0; i < n_rows; i++) {
		const char **words = str_split(a, rows[i].subnets, ' ', NULL);

		if (!words)
			return fail_oom(e);
		for (size_t k = 0; k < 4 && words[k]; k++)
			ret->n += net_prefix_parse(words[k], false, &ret->v[ret->n]) == 0;
	}
	return 0;
}

/* Docker's pools are 31 networks; then come small ones out of 10.128.0.0/9. */
static int choose4(const struct taken *t, struct net_ip *ret, struct err *e)
{
	struct net_pool more = {.size = 24};
	struct err why = ERR_INIT;

	if (net_pool_choose(net_default_pools, net_n_default_pools, t->v, t->n, ret, &why) == 0)
		return 0;
	if (net_prefix_parse("10.128.0.0/9", false, &more.base) == 0 &&
	    net_pool_choose(&more, 1, t->v, t->n, ret, &why) == 0)
		return 0;
	*e = why;
	return -1;
}

static int choose6(const struct taken *t, struct net_ip *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf id = BUF_INIT(MACHINE_ID_MAX);
	_cleanup_(fd_close) int fd = path_open_host("/etc/machine-id", O_RDONLY, 0);
	struct net_pool pool;

	if (fd >= 0 && fd_read_all(fd, &id, MACHINE_ID_MAX - 1) < 0)
		buf_clear(&id);
	pool = net_ula_pool(buf_str(&id), id.len);
	return net_pool_choose(&pool, 1, t->v, t->n, ret, e);
}

/* One --subnet with its --ip-range, --gateway and --aux-address. */
static int read_pool(struct network *n, const struct network_pool_spec *p, struct net_subnet *s,
		     struct err *e)
{
	struct net_ip *aux = arena_array(&n->arena, p->n_aux + 1, sizeof(*aux));

	if (!aux)
		return fail_oom(e);
	if (net_prefix_parse(p->subnet, true, &s->subnet) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid subnet %s: invalid CIDR address: %s",
			       p->subnet, p->subnet);
	s->subnet = net_ip_prefix(&s->subnet);
	if (p->range && net_prefix_parse(p->range, true, &s->range) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid ip-range %s", p->range);
	if (p->range)
		s->range = net_ip_prefix(&s->range);
	if (p->gateway && net_ip_parse(p->gateway, &s->gateway) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid gateway address: %s", p->gateway);
	if (p->gateway)
		s->gateway.bits = s->subnet.bits;
	for (size_t i = 0; i < p->n_aux; i++)
		if (net_ip_parse(p->aux[i].value, &aux[i]) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid auxiliary address: %s",
				       p->aux[i].value);
	s->aux = aux;
	s->n_aux = p->n_aux;
	return 0;
}

static int check_overlap(const struct taken *t, const struct network *n, struct err *e)
{
	char text[NET_IP_TEXT];

	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct net_ip *mine = &n->subnets[i].subnet;

		for (size_t k = 0; k < t->n; k++)
			if (net_prefix_overlaps(mine, &t->v[k]))
				return err_set(e, ERR_DENIED, 0,
					       "invalid pool request: pool overlaps with other one "
					       "on this address space: %s",
					       net_prefix_text(&t->v[k], text));
		for (size_t k = 0; k < i; k++)
			if (net_prefix_overlaps(mine, &n->subnets[k].subnet))
				return err_set(e, ERR_INVALID, 0,
					       "multiple overlapping subnet configuration is not "
					       "supported");
	}
	return 0;
}

static int add_given(struct engine *en, struct network *n, const struct network_spec *spec,
		     struct err *e)
{
	struct taken taken = {.n = 0};
	bool gateway = !(n->net.driver == NET_MACVLAN && n->net.internal);

	for (size_t i = 0; i < spec->n_pools; i++) {
		struct net_subnet *s = &n->subnets[n->n_subnets];

		if (read_pool(n, &spec->pools[i], s, e) < 0 || net_subnet_check(s, gateway, e) < 0)
			return -1;
		n->aux[n->n_subnets++] = spec->pools[i].aux;
	}
	n->own_subnets = n->n_subnets > 0;
	/* What the host has is the user's business here, as with Docker. */
	return n->own_subnets && take_stock(en, &n->arena, false, &taken, e) < 0
		       ? -1
		       : check_overlap(&taken, n, e);
}

static int add_chosen(struct network *n, const struct net_ip *subnet, struct err *e)
{
	struct net_subnet *s = &n->subnets[n->n_subnets];

	s->subnet = *subnet;
	if (net_subnet_check(s, true, e) < 0)
		return -1;
	n->n_subnets++;
	return 0;
}

static int put_subnets(struct engine *en, struct network *n, const struct network_spec *spec,
		       struct err *e)
{
	struct taken taken = {.n = 0};
	struct net_ip chosen;
	bool need4, need6;

	n->subnets = arena_array(&n->arena, spec->n_pools + 3, sizeof(*n->subnets));
	n->aux = arena_array(&n->arena, spec->n_pools + 3, sizeof(struct spec_pair *));
	if (!n->subnets || !n->aux)
		return fail_oom(e);
	if (n->net.driver == NET_HOST || n->net.driver == NET_NONE)
		return 0;
	if (add_given(en, n, spec, e) < 0)
		return -1;
	n->ipv6 = n->ipv6 || network_subnet(n, AF_INET6);
	need4 = n->ipv4 && !network_subnet(n, AF_INET);
	need6 = n->ipv6 && !network_subnet(n, AF_INET6);
	if ((need4 || need6) && take_stock(en, &n->arena, true, &taken, e) < 0)
		return -1;
	if (need4 && (choose4(&taken, &chosen, e) < 0 || add_chosen(n, &chosen, e) < 0))
		return -1;
	return need6 && (choose6(&taken, &chosen, e) < 0 || add_chosen(n, &chosen, e) < 0) ? -1 : 0;
}

/* The store's own default bridge is kogge0; that of another root may not be. */
static int put_link(struct engine *en, struct network *n, struct err *e)
{
	const char *given = network_option(n, NETWORK_OPT_NAME);
	char name[NET_LINK_SIZE];

	if (n->net.driver != NET_BRIDGE)
		return 0;
	net_link_name(n->net.id, name);
	if (str_eq(n->name, "bridge") && str_eq(en->root, STORE_ROOT_DEFAULT))
		snprintf(name, sizeof(name), "kogge0");
	n->link = arena_strdup(&n->arena, given ? given : name);
	return n->link ? 0 : fail_oom(e);
}

static int fill(struct engine *en, const struct network_spec *spec, struct network *n,
		struct err *e)
{
	char id[ID_SIZE];
	int r = id_new(id);

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	n->id = arena_strdup(&n->arena, id);
	n->name = arena_strdup(&n->arena, spec->name);
	n->driver = arena_strdup(&n->arena, spec->driver ? spec->driver : "bridge");
	if (!n->id || !n->name || !n->driver)
		return fail_oom(e);
	n->created = clock_now();
	n->net.internal = spec->internal;
	n->attachable = spec->attachable;
	n->ipv4 = !spec->no_ipv4;
	n->ipv6 = spec->ipv6;
	n->opts = spec->opts;
	n->n_opts = spec->n_opts;
	n->labels = spec->labels;
	n->n_labels = spec->n_labels;
	network_settle(n);
	if (put_link(en, n, e) < 0 || put_subnets(en, n, spec, e) < 0)
		return -1;
	network_settle(n);
	return 0;
}

int network_make(struct engine *en, const struct network_spec *spec, struct network *ret,
		 struct err *e)
{
	struct network n = NETWORK_INIT;

	if (check_spec(spec, e) < 0 || store_begin(en->store, true, e) < 0)
		return -1;
	if (fill(en, spec, &n, e) < 0 || network_add(en, &n, e) < 0) {
		store_abort(en->store);
		network_done(&n);
		return -1;
	}
	if (store_commit(en->store, e) < 0) {
		network_done(&n);
		return -1;
	}
	*ret = n;
	return 0;
}
