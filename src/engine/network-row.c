/* SPDX-License-Identifier: Apache-2.0 */
/* A network's row and what it says, as structs; and the three networks that are always there. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/event.h"
#include "engine/network-internal.h"

#include <errno.h>
#include <stdio.h>

enum { DOC_MAX = 1 << 20, SUBNETS_MAX = 64, AUX_MAX = 4096 };

void network_done(struct network *n)
{
	arena_done(&n->arena);
	*n = NETWORK_INIT;
}

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "reading a network");
}

/* ---- options ---- */

const char *network_option(const struct network *n, const char *key)
{
	for (size_t i = 0; i < n->n_opts; i++)
		if (str_eq(n->opts[i].key, key))
			return n->opts[i].value;
	return NULL;
}

bool network_option_on(const struct network *n, const char *key, bool without)
{
	const char *s = network_option(n, key);
	bool on;

	return s && num_bool(s, &on) == 0 ? on : without;
}

const struct net_subnet *network_subnet(const struct network *n, int family)
{
	for (size_t i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].subnet.family == family)
			return &n->subnets[i];
	return NULL;
}

static bool mode_is_routed(const char *s)
{
	return s && (str_eq(s, "routed") || str_eq(s, "nat-unprotected"));
}

static enum net_macvlan_mode macvlan_mode(const struct network *n)
{
	static const char *const words[] = {"bridge", "private", "vepa", "passthru"};
	const char *s = network_option(n, "macvlan_mode");

	for (size_t i = 0; s && i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i], s))
			return (enum net_macvlan_mode)i;
	return NET_MACVLAN_BRIDGE;
}

/* What the kernel is told follows from the rest. */
void network_settle(struct network *n)
{
	const char *mtu = network_option(n, NETWORK_OPT_MTU);
	const char *parent = network_option(n, "parent");
	bool masquerade = network_option_on(n, NETWORK_OPT_MASQUERADE, true);
	struct net *k = &n->net;
	uint64_t bytes = 0;
	int driver = net_driver_parse(n->driver);

	k->driver = driver < 0 ? NET_NONE : (enum net_driver)driver;
	snprintf(k->id, sizeof(k->id), "%s", n->id);
	k->name = n->name;
	snprintf(k->link, sizeof(k->link), "%s",
		 k->driver == NET_MACVLAN ? (parent ? parent : "") : (n->link ? n->link : ""));
	k->subnets = n->subnets;
	k->n_subnets = n->n_subnets;
	if (!mtu)
		mtu = network_option(n, "mtu");
	if (mtu && num_u64(mtu, 0, UINT16_MAX, &bytes) == 0)
		k->mtu = (unsigned)bytes;
	k->ipv6 = n->ipv6;
	k->icc = network_option_on(n, NETWORK_OPT_ICC, true);
	k->routed4 = mode_is_routed(network_option(n, NETWORK_OPT_MODE4));
	k->routed6 = mode_is_routed(network_option(n, NETWORK_OPT_MODE6));
	k->masquerade4 = masquerade && !k->routed4;
	k->masquerade6 = masquerade && !k->routed6;
	k->no_spoof_check = !network_option_on(n, NETWORK_OPT_SPOOF, true);
	k->macvlan_mode = macvlan_mode(n);
}

/* ---- reading ---- */

static int read_pairs(const struct json_reader *r, const char *key, const struct spec_pair **ret,
		      size_t *ret_n, struct err *e)
{
	struct json_reader o;
	struct spec_pair *v;
	const char *name;
	json_t *value;
	size_t n = 0;
	int got = json_read_obj(r, key, &o, e);

	if (got < 0)
		return -1;
	v = arena_array(r->arena, (got ? json_object_size(o.obj) : 0) + 1, sizeof(*v));
	if (!v)
		return fail_oom(e);
	if (got)
		json_object_foreach ((json_t *)(uintptr_t)o.obj, name, value) {
			v[n].key = arena_strdup(r->arena, name);
			v[n++].value = arena_strdup(r->arena, json_string_value(value));
		}
	*ret = v;
	*ret_n = n;
	return 0;
}

static int read_subnet(const struct json_reader *r, struct net_subnet *s,
		       const struct spec_pair **ret_aux, struct err *e)
{
	const char *subnet = NULL, *range = NULL, *gateway = NULL;
	const struct spec_pair *aux = NULL;
	struct net_ip *ips;
	size_t n = 0;

	if (json_read_str(r, "Subnet", &subnet, e) < 0 ||
	    json_read_str(r, "IPRange", &range, e) < 0 ||
	    json_read_str(r, "Gateway", &gateway, e) < 0 ||
	    read_pairs(r, "AuxiliaryAddresses", &aux, &n, e) < 0)
		return -1;
	ips = arena_array(r->arena, n + 1, sizeof(*ips));
	if (!ips)
		return fail_oom(e);
	if (!subnet || net_prefix_parse(subnet, false, &s->subnet) < 0 ||
	    (range && net_prefix_parse(range, false, &s->range) < 0) ||
	    (gateway && net_ip_parse(gateway, &s->gateway) < 0))
		return json_read_fail(r, NULL, ERR_CORRUPT, e, "is no subnet");
	if (gateway)
		s->gateway.bits = s->subnet.bits;
	for (size_t i = 0; i < n; i++)
		if (!aux[i].value || net_ip_parse(aux[i].value, &ips[i]) < 0)
			return json_read_fail(r, NULL, ERR_CORRUPT, e, "is no subnet");
	s->aux = ips;
	s->n_aux = n;
	*ret_aux = aux;
	return 0;
}

static int read_subnets(const struct json_reader *r, struct network *n, struct err *e)
{
	if (json_read_array(r, "IPAM", SUBNETS_MAX, &n->n_subnets, e) < 0)
		return -1;
	n->subnets = arena_array(&n->arena, n->n_subnets + 1, sizeof(*n->subnets));
	n->aux = arena_array(&n->arena, n->n_subnets + 1, sizeof(struct spec_pair *));
	if (!n->subnets || !n->aux)
		return fail_oom(e);
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct json_reader one;

		if (json_read_elem(r, "IPAM", i, &one, e) < 0 ||
		    read_subnet(&one, &n->subnets[i], &n->aux[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_doc(struct network *n, const char *doc, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(doc, strlen(doc), "a network", e);
	struct json_reader r;

	n->ipv4 = true;
	if (!j || json_reader_init(&r, j, "a network", &n->arena, e) < 0 ||
	    json_read_bool(&r, "Internal", &n->net.internal, e) < 0 ||
	    json_read_bool(&r, "Attachable", &n->attachable, e) < 0 ||
	    json_read_bool(&r, "IPv4", &n->ipv4, e) < 0 ||
	    json_read_bool(&r, "IPv6", &n->ipv6, e) < 0 ||
	    json_read_bool(&r, "OwnSubnets", &n->own_subnets, e) < 0 ||
	    read_pairs(&r, "Options", &n->opts, &n->n_opts, e) < 0 ||
	    read_pairs(&r, "Labels", &n->labels, &n->n_labels, e) < 0)
		return -1;
	return read_subnets(&r, n, e);
}

int network_from_row(const struct network_row *row, struct network *ret, struct err *e)
{
	struct network n = NETWORK_INIT;

	n.id = arena_strdup(&n.arena, row->id);
	n.name = arena_strdup(&n.arena, row->name);
	n.driver = arena_strdup(&n.arena, row->driver);
	n.link = row->link ? arena_strdup(&n.arena, row->link) : NULL;
	n.created = row->created;
	if (!n.id || !n.name || !n.driver || read_doc(&n, row->doc, e) < 0) {
		network_done(&n);
		return err_wrap(e, "reading the network %s", row->name);
	}
	network_settle(&n);
	*ret = n;
	return 0;
}

/* ---- writing ---- */

static json_t *pairs_json(const struct spec_pair *v, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(o, v[i].key, json_string(v[i].value));
	return o;
}

json_t *network_ipam_json(const struct network *n)
{
	json_t *list = json_array();
	char text[NET_IP_TEXT];

	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct net_subnet *s = &n->subnets[i];
		json_t *o = json_pack("{s:s}", "Subnet", net_prefix_text(&s->subnet, text));

		if (s->range.family)
			(void)json_object_set_new(o, "IPRange",
						  json_string(net_prefix_text(&s->range, text)));
		if (s->gateway.family)
			(void)json_object_set_new(o, "Gateway",
						  json_string(net_ip_text(&s->gateway, text)));
		if (s->n_aux)
			(void)json_object_set_new(o, "AuxiliaryAddresses",
						  pairs_json(n->aux[i], s->n_aux));
		(void)json_array_append_new(list, o);
	}
	return list;
}

json_t *network_options_json(const struct network *n)
{
	return pairs_json(n->opts, n->n_opts);
}

json_t *network_shown_options(const struct network *n)
{
	json_t *o = network_options_json(n);

	if (network_is_predefined(n->name) && n->link) {
		(void)json_object_set_new(o, NETWORK_OPT_NAME, json_string(n->link));
		if (!n->net.mtu)
			(void)json_object_set_new(o, NETWORK_OPT_MTU, json_string("1500"));
	}
	return o;
}

json_t *network_labels_json(const struct network *n)
{
	return pairs_json(n->labels, n->n_labels);
}

int network_add(struct engine *en, const struct network *n, struct err *e)
{
	_cleanup_(buf_done) struct buf doc = BUF_INIT(DOC_MAX), subnets = BUF_INIT(DOC_MAX);
	_cleanup_(json_unref) json_t *j =
		json_pack("{s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "Internal", n->net.internal,
			  "Attachable", n->attachable, "IPv4", n->ipv4, "IPv6", n->ipv6,
			  "OwnSubnets", n->own_subnets, "Options", network_options_json(n),
			  "Labels", network_labels_json(n), "IPAM", network_ipam_json(n));
	struct network_row row = {.id = n->id,
				  .name = n->name,
				  .driver = n->driver,
				  .link = n->link,
				  .created = n->created};
	char text[NET_IP_TEXT];

	for (size_t i = 0; i < n->n_subnets; i++)
		(void)buf_printf(&subnets, "%s%s", i ? " " : "",
				 net_prefix_text(&n->subnets[i].subnet, text));
	if (!j || json_write(j, JSON_COMPACT, &doc) < 0)
		return err_set(e, ERR_LIMIT, ENOMEM, "describing the network %s", n->name);
	row.doc = buf_str(&doc);
	row.subnets = buf_str(&subnets);
	return network_row_add(en->store, &row, e);
}

/* ---- the three ---- */

static const char *const predefined[] = {"bridge", "host", "none", NULL};

bool network_is_predefined(const char *name)
{
	return strv_has(predefined, name);
}

/* Another process may be faster: then its one is taken. */
static int need(struct engine *en, const char *name, struct err *e)
{
	static const struct spec_pair bridge[] = {
		{NETWORK_OPT_DEFAULT, "true"},
		{NETWORK_OPT_ICC, "true"},
		{NETWORK_OPT_MASQUERADE, "true"},
		{NETWORK_OPT_BINDING, "0.0.0.0"},
	};
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	struct network_spec spec = {.name = name, .driver = str_eq(name, "none") ? "null" : name};
	struct err why = ERR_INIT;

	if (str_eq(name, "bridge")) {
		spec.opts = bridge;
		spec.n_opts = ARRAY_SIZE(bridge);
	}
	if (network_make(en, &spec, &n, &why) == 0 || why.class == ERR_CONFLICT)
		return 0;
	return *e = why, -1;
}

int network_load(struct engine *en, const char *ref, struct network *ret, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct network_row row;
	struct err why = ERR_INIT;

	if (network_row_get(en->store, ref, &a, &row, &why) < 0) {
		if (why.class != ERR_NOT_FOUND || !network_is_predefined(ref))
			return *e = why, -1;
		if (need(en, ref, e) < 0 || network_row_get(en->store, ref, &a, &row, e) < 0)
			return -1;
	}
	return network_from_row(&row, ret, e);
}

int network_need_all(struct engine *en, struct err *e)
{
	for (size_t i = 0; predefined[i]; i++) {
		_cleanup_(network_done) struct network n = NETWORK_INIT;

		if (network_load(en, predefined[i], &n, e) < 0)
			return -1;
	}
	return 0;
}

void network_event(struct engine *en, const struct network *n, const char *action,
		   const char *container)
{
	const char *const extra[] = {
		"name",    n->name, "type", n->driver, container ? "container" : NULL,
		container, NULL};

	event_object(en, EVENT_NETWORK, action, n->id, extra);
}
