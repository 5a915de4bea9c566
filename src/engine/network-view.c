/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect and ps show of a container's networks. moby: daemon/inspect.go;
 * docker/cli: formatter.DisplayablePorts. */
#include "base/buf.h"
#include "base/str.h"
#include "engine/network-internal.h"
#include "engine/spec-network.h"

#include <stdio.h>

enum { PORTS_TEXT_MAX = 1 << 22 };

static json_t *words_or_null(const char *const *v)
{
	json_t *a = v && v[0] ? json_array() : json_null();

	for (; v && *v && json_is_array(a); v++)
		(void)json_array_append_new(a, json_string(*v));
	return a;
}

static json_t *asked_addresses(const struct spec_endpoint *a)
{
	json_t *o = a->ip || a->ip6 || a->link_local ? json_object() : json_null();

	if (a->ip)
		(void)json_object_set_new(o, "IPv4Address", json_string(a->ip));
	if (a->ip6)
		(void)json_object_set_new(o, "IPv6Address", json_string(a->ip6));
	if (a->link_local)
		(void)json_object_set_new(o, "LinkLocalIPs", words_or_null(a->link_local));
	return o;
}

static json_t *driver_options(const struct spec_endpoint *a)
{
	json_t *o = a->n_driver_opts ? json_object() : json_null();

	for (size_t i = 0; i < a->n_driver_opts; i++)
		(void)json_object_set_new(o, a->driver_opts[i].key,
					  json_string(a->driver_opts[i].value));
	return o;
}

const char **endpoint_names(const struct container *c, const struct endpoint *ep, struct arena *a)
{
	const char **v = NULL;
	size_t n = 0;
	const char *shortid = arena_strndup(a, c->id, ID_SHORT_SIZE - 1);

	if (arena_strv_push(a, &v, &n, c->name) < 0)
		return NULL;
	for (size_t i = 0; ep->asked.aliases && ep->asked.aliases[i]; i++)
		if (!strv_has((const char *const *)v, ep->asked.aliases[i]) &&
		    arena_strv_push(a, &v, &n, ep->asked.aliases[i]) < 0)
			return NULL;
	if (!shortid || arena_strv_push(a, &v, &n, shortid) < 0)
		return NULL;
	if (!str_empty(c->spec.hostname) && !strv_has((const char *const *)v, c->spec.hostname) &&
	    arena_strv_push(a, &v, &n, c->spec.hostname) < 0)
		return NULL;
	return v;
}

/* One of Networks; EP may be NULL: a mode without endpoints. */
static json_t *network_entry(const struct container *c, const struct endpoint *ep,
			     const char *network_id, struct arena *a)
{
	static const struct endpoint none = {.id = ""};
	const struct endpoint *x = ep ? ep : &none;
	const struct net_subnet *s4 = ep ? network_subnet(&ep->net, AF_INET) : NULL;
	const struct net_subnet *s6 = ep ? network_subnet(&ep->net, AF_INET6) : NULL;
	bool user = ep && !network_is_predefined(ep->net.name);
	char mac[18], ip4[NET_IP_TEXT], ip6[NET_IP_TEXT], gw4[NET_IP_TEXT], gw6[NET_IP_TEXT];

	return json_pack(
		"{s:o, s:n, s:o, s:s, s:o, s:I, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:o}",
		"IPAMConfig", asked_addresses(&x->asked), "Links", "Aliases",
		words_or_null(x->asked.aliases), "MacAddress",
		x->live ? net_mac_text(x->at.mac, mac) : "", "DriverOpts",
		driver_options(&x->asked), "GwPriority", (json_int_t)x->asked.gw_priority,
		"NetworkID", network_id, "EndpointID", x->id, "Gateway",
		x->live && s4 && !ep->net.net.internal ? net_ip_text(&s4->gateway, gw4) : "",
		"IPAddress", x->live ? net_ip_text(&x->at.ip4, ip4) : "", "IPPrefixLen",
		x->live ? x->at.ip4.bits : 0, "IPv6Gateway",
		x->live && s6 && !ep->net.net.internal ? net_ip_text(&s6->gateway, gw6) : "",
		"GlobalIPv6Address", x->live ? net_ip_text(&x->at.ip6, ip6) : "",
		"GlobalIPv6PrefixLen", x->live ? x->at.ip6.bits : 0, "DNSNames",
		user ? words_or_null((const char *const *)endpoint_names(c, ep, a)) : json_null());
}

static void add_binding(json_t *list, const char *ip, unsigned port)
{
	(void)json_array_append_new(
		list, json_pack("{s:s, s:o}", "HostIp", ip, "HostPort", json_sprintf("%u", port)));
}

/* Exposed ports are null, published ones their bindings. */
static json_t *ports_json(const struct container *c, const struct endpoints *eps)
{
	json_t *o = json_object();
	char key[24], ip[NET_IP_TEXT];

	for (size_t i = 0; c->spec.exposed && c->spec.exposed[i]; i++)
		(void)json_object_set_new(o, c->spec.exposed[i], json_null());
	for (size_t i = 0; i < eps->n; i++)
		for (size_t k = 0; k < eps->v[i].at.n_ports; k++) {
			const struct net_port *p = &eps->v[i].ports[k];
			json_t *list;

			(void)snprintf(key, sizeof(key), "%u/%s", p->port,
				       endpoint_protocol_name(p->protocol));
			list = json_object_get(o, key);
			if (!json_is_array(list)) {
				list = json_array();
				(void)json_object_set_new(o, key, list);
			}
			add_binding(list, p->host.family ? net_ip_text(&p->host, ip) : "0.0.0.0",
				    p->host_port);
			if (!p->host.family && eps->v[i].at.ip6.family)
				add_binding(list, "::", p->host_port);
		}
	return o;
}

/* The rows of the three are not made for this. */
static const char *predefined_id(struct engine *en, const char *name, struct arena *a)
{
	struct network_row row;
	struct err ignored = ERR_INIT;

	return network_row_get(en->store, name, a, &row, &ignored) == 0 ? row.id : "";
}

static json_t *networks(struct engine *en, const struct container *c, const struct endpoints *eps,
			struct arena *a)
{
	const char *word = container_network_word(&c->spec);
	json_t *o = json_object();

	if (c->spec.network.mode == SPEC_NS_CONTAINER)
		return o;
	if (!container_has_endpoints(c))
		(void)json_object_set_new(o, word,
					  network_entry(c, NULL, predefined_id(en, word, a), a));
	for (size_t i = 0; i < eps->n; i++)
		(void)json_object_set_new(o, eps->v[i].net.name,
					  network_entry(c, &eps->v[i], eps->v[i].net.id, a));
	return o;
}

/* What Docker keeps beside Networks for the network `bridge`. */
static void put_legacy(json_t *o, json_t *bridge)
{
	static const char *const keys[] = {"EndpointID",          "Gateway",   "GlobalIPv6Address",
					   "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen",
					   "IPv6Gateway",         "MacAddress"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *v = json_object_get(bridge, keys[i]);

		(void)(v ? json_object_set(o, keys[i], v)
			 : json_object_set_new(o, keys[i],
					       strstr(keys[i], "PrefixLen") ? json_integer(0)
									    : json_string("")));
	}
}

json_t *container_network_settings(struct engine *en, const struct container *c)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	bool runs = c->state == ENGINE_RUNNING && c->pid > 0;
	struct err ignored = ERR_INIT;
	json_t *all, *o;

	if (container_has_endpoints(c) && endpoints_load(en, c, &eps, &ignored) < 0)
		eps = ENDPOINTS_INIT;
	all = networks(en, c, &eps, &a);
	o = json_pack("{s:s, s:s, s:o, s:o, s:b, s:s, s:i, s:n, s:n}", "Bridge", "", "SandboxID",
		      runs ? c->id : "", "SandboxKey",
		      runs ? json_sprintf("/proc/%d/ns/net", c->pid) : json_string(""), "Ports",
		      runs ? ports_json(c, &eps) : json_object(), "HairpinMode", 0,
		      "LinkLocalIPv6Address", "", "LinkLocalIPv6PrefixLen", 0,
		      "SecondaryIPAddresses", "SecondaryIPv6Addresses");
	put_legacy(o, json_object_get(all, "bridge"));
	(void)json_object_set_new(o, "Networks", all);
	return o;
}

/* ---- ps ---- */

/* Neighbouring ports with the same step become one range. */
static void put_port_text(struct buf *out, const char *ip, const struct net_port *first,
			  const struct net_port *last)
{
	bool range = first != last, v6 = strchr(ip, ':');

	(void)buf_printf(out, "%s%s%s%s:%u", out->len ? ", " : "", v6 ? "[" : "", ip, v6 ? "]" : "",
			 first->host_port);
	if (range)
		(void)buf_printf(out, "-%u", last->host_port);
	(void)buf_printf(out, "->%u", first->port);
	if (range)
		(void)buf_printf(out, "-%u", last->port);
	(void)buf_printf(out, "/%s", endpoint_protocol_name(first->protocol));
}

static void put_ports_text(struct buf *out, const struct endpoint *ep)
{
	char ip[NET_IP_TEXT];

	for (size_t i = 0, k; i < ep->at.n_ports; i = k) {
		const struct net_port *p = &ep->ports[i];

		for (k = i + 1; k < ep->at.n_ports; k++)
			if (ep->ports[k].protocol != p->protocol ||
			    !net_ip_eq(&ep->ports[k].host, &p->host) ||
			    ep->ports[k].port != p->port + (k - i) ||
			    ep->ports[k].host_port != p->host_port + (k - i))
				break;
		put_port_text(out, p->host.family ? net_ip_text(&p->host, ip) : "0.0.0.0", p,
			      &ep->ports[k - 1]);
		if (!p->host.family && ep->at.ip6.family)
			put_port_text(out, "::", p, &ep->ports[k - 1]);
	}
}

static bool is_bound(const struct endpoints *eps, const char *exposed)
{
	char key[24];

	for (size_t i = 0; i < eps->n; i++)
		for (size_t k = 0; k < eps->v[i].at.n_ports; k++) {
			(void)snprintf(key, sizeof(key), "%u/%s", eps->v[i].ports[k].port,
				       endpoint_protocol_name(eps->v[i].ports[k].protocol));
			if (str_eq(key, exposed))
				return true;
		}
	return false;
}

static void put_published(const struct endpoints *eps, json_t *row)
{
	json_t *published = json_array();

	for (size_t i = 0; i < eps->n; i++)
		for (size_t k = 0; k < eps->v[i].at.n_ports; k++)
			(void)json_array_append_new(
				published,
				json_sprintf("%u/%s", eps->v[i].ports[k].host_port,
					     endpoint_protocol_name(eps->v[i].ports[k].protocol)));
	(void)json_object_set_new(row, "PublishedPorts", published);
}

static void ports_text(const struct endpoints *eps, const struct container *c, struct buf *out)
{
	const char *const *exposed = c->spec.exposed;

	if (c->state != ENGINE_RUNNING)
		return;
	for (size_t i = 0; i < eps->n; i++)
		put_ports_text(out, &eps->v[i]);
	for (size_t i = 0; exposed && exposed[i]; i++)
		if (!is_bound(eps, exposed[i]))
			(void)buf_printf(out, "%s%s", out->len ? ", " : "", exposed[i]);
}

void container_ports_text(struct engine *en, const struct container *c, struct buf *out)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	struct err ignored = ERR_INIT;

	if (container_has_endpoints(c) && endpoints_load(en, c, &eps, &ignored) < 0)
		eps = ENDPOINTS_INIT;
	ports_text(&eps, c, out);
}

void container_network_list(struct engine *en, const struct container *c, json_t *row)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(buf_done) struct buf text = BUF_INIT(PORTS_TEXT_MAX);
	struct err ignored = ERR_INIT;
	json_t *names;

	if (!container_has_endpoints(c) && !c->spec.exposed)
		return;
	if (container_has_endpoints(c) && endpoints_load(en, c, &eps, &ignored) < 0)
		eps = ENDPOINTS_INIT;
	ports_text(&eps, c, &text);
	(void)json_object_set_new(row, "Ports", json_string(buf_str(&text)));
	(void)json_object_set_new(row, "ExposedPorts", words_or_null(c->spec.exposed));
	put_published(&eps, row);
	if (!container_has_endpoints(c))
		return;
	names = json_array();
	for (size_t i = 0; i < eps.n; i++)
		(void)json_array_append_new(names, json_string(eps.v[i].net.name));
	(void)json_object_set_new(row, "Networks", names);
}
