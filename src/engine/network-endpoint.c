/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on networks. A row says what was asked for; a start takes an address for each, and the
 * ports of the host, in one transaction, before the container's process exists. The end gives them
 * back. Whoever is killed between leaves a row that says that the container runs, or a lease: so
 * the next command ends the container and with it this. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/network-internal.h"
#include "engine/spec-network.h"
#include "oci/image-config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LIVE_MAX = 4 << 20, IP6_TRIES = 65536, PORT_LOW = 32768, PORT_HIGH = 60999 };

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, ENOMEM, "connecting the container's networks");
}

void endpoints_done(struct endpoints *eps)
{
	for (size_t i = 0; i < eps->n; i++)
		network_done(&eps->v[i].net);
	arena_done(&eps->arena);
	*eps = ENDPOINTS_INIT;
}

bool container_has_endpoints(const struct container *c)
{
	return c->spec.network.mode == SPEC_NS_NAMED;
}

/* ---- at creation ---- */

/* What the image exposes comes after what the user does. */
static int merge_exposed(struct container_spec *s, const struct image_run *image, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;
	int r = 0;

	if (!image->exposed_ports || !image->exposed_ports[0])
		return 0;
	for (size_t i = 0; s->exposed && s->exposed[i] && r == 0; i++)
		r = arena_strv_push(&s->arena, &v, &n, s->exposed[i]);
	for (size_t i = 0; image->exposed_ports[i] && r == 0; i++)
		if (!strv_has((const char *const *)v, image->exposed_ports[i]))
			r = arena_strv_push(&s->arena, &v, &n,
					    arena_strdup(&s->arena, image->exposed_ports[i]));
	s->exposed = (const char *const *)v;
	return r < 0 ? fail_oom(e) : 0;
}

static int check_endpoint(const struct network *n, const struct spec_endpoint *ep, struct err *e)
{
	struct net_ip ip = {.family = 0};

	if (n->net.driver == NET_HOST || n->net.driver == NET_NONE)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot attach both user-defined and "
			       "non-user-defined network-modes");
	if ((ep->ip || ep->ip6) && network_is_predefined(n->name))
		return err_set(e, ERR_INVALID, 0,
			       "user specified IP address is supported on user defined networks "
			       "only");
	if (ep->aliases && network_is_predefined(n->name))
		return err_set(e, ERR_INVALID, 0,
			       "network-scoped alias is supported only for containers in user "
			       "defined networks");
	if ((ep->ip || ep->ip6) && !n->own_subnets)
		return err_set(e, ERR_INVALID, 0,
			       "user specified IP address is supported only when connecting to "
			       "networks with user configured subnets");
	for (int i = 0; i < 2; i++) {
		const struct net_subnet *s = network_subnet(n, i ? AF_INET6 : AF_INET);
		const char *text = i ? ep->ip6 : ep->ip;

		if (!text)
			continue;
		if (net_ip_parse(text, &ip) < 0 || !s || !net_prefix_has(&s->subnet, &ip))
			return err_set(e, ERR_INVALID, 0,
				       "invalid endpoint settings: no configured subnet contains "
				       "IP address %s",
				       text);
		if (net_subnet_allows(s, &ip, e) < 0)
			return -1;
	}
	return 0;
}

int container_network_merge(struct engine *en, struct container *c, const struct image_run *image,
			    struct err *e)
{
	struct container_spec *s = &c->spec;
	struct spec_endpoint *v;

	if (merge_exposed(s, image, e) < 0)
		return -1;
	if (s->network.mode == SPEC_NS_DEFAULT)
		s->network = (struct spec_ns){SPEC_NS_NAMED, "bridge"};
	if (!container_has_endpoints(c))
		return 0;
	v = arena_array(&s->arena, MAX(s->n_endpoints, (size_t)1), sizeof(*v));
	if (!v)
		return fail_oom(e);
	if (s->n_endpoints)
		memcpy(v, s->endpoints, s->n_endpoints * sizeof(*v));
	v[0].network = s->network.ref;
	s->endpoints = v;
	s->n_endpoints = MAX(s->n_endpoints, (size_t)1);
	for (size_t i = 0; i < s->n_endpoints; i++) {
		_cleanup_(network_done) struct network n = NETWORK_INIT;

		if (network_load(en, v[i].network, &n, e) < 0 || check_endpoint(&n, &v[i], e) < 0)
			return -1;
		v[i].network = arena_strdup(&s->arena, n.id);
		if (!v[i].network)
			return fail_oom(e);
	}
	return 0;
}

static int put_asked(struct engine *en, const char *container, const struct spec_endpoint *ep,
		     int position, struct err *e)
{
	_cleanup_(buf_done) struct buf doc = BUF_INIT(LIVE_MAX);
	_cleanup_(json_unref) json_t *j = spec_endpoint_json(ep);
	struct endpoint_row row = {
		.container = container, .network = ep->network, .position = position, .id = ""};

	if (!j || json_write(j, JSON_COMPACT, &doc) < 0)
		return fail_oom(e);
	row.doc = buf_str(&doc);
	return endpoint_put(en->store, &row, e);
}

int endpoints_create(struct engine *en, const struct container *c, struct err *e)
{
	for (size_t i = 0; container_has_endpoints(c) && i < c->spec.n_endpoints; i++)
		if (put_asked(en, c->id, &c->spec.endpoints[i], (int)i, e) < 0)
			return -1;
	return 0;
}

int endpoint_add_asked(struct engine *en, const struct container *c, const struct network *n,
		       const struct spec_endpoint *asked, struct err *e)
{
	struct spec_endpoint ep = *asked;
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct endpoint_row *rows = NULL;
	int position = 0;
	size_t n_rows = 0;

	ep.network = n->id;
	if (check_endpoint(n, &ep, e) < 0 ||
	    endpoints_of_container(en->store, c->id, &a, &rows, &n_rows, e) < 0)
		return -1;
	for (size_t i = 0; i < n_rows; i++) {
		position = MAX(position, rows[i].position + 1);
		if (str_eq(rows[i].network, n->id))
			return err_set(e, ERR_DENIED, 0,
				       "endpoint with name %s already exists in network %s",
				       c->name, n->name);
	}
	return put_asked(en, c->id, &ep, position, e);
}

/* ---- what is live, as JSON ---- */

static json_t *words_json(const char *const *v)
{
	json_t *a = json_array();

	for (; v && *v; v++)
		(void)json_array_append_new(a, json_string(*v));
	return a;
}

static json_t *live_json(const struct container *c, const struct endpoint *ep)
{
	json_t *ports = json_array();
	char mac[18], ip[NET_IP_TEXT];

	for (size_t i = 0; i < ep->at.n_ports; i++) {
		const struct net_port *p = &ep->ports[i];

		(void)json_array_append_new(ports, json_pack("{s:s, s:i, s:i, s:i}", "Host",
							     net_ip_text(&p->host, ip), "HostPort",
							     p->host_port, "Port", p->port,
							     "Protocol", p->protocol));
	}
	/* What the resolver must know of the container beside its name. */
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:o}", "Hostname",
			 c->spec.hostname ? c->spec.hostname : "", "Dns", words_json(c->spec.dns),
			 "MacAddress", net_mac_text(ep->at.mac, mac), "HostLink", ep->at.host_link,
			 "Link", ep->at.link, "IP", net_ip_text(&ep->at.ip4, ip), "Gateway",
			 ep->at.gateway4.family || ep->at.gateway6.family ? "yes" : "", "Ports",
			 ports);
}

static int read_port(const json_t *o, struct net_port *p)
{
	const char *host = json_string_value(json_object_get(o, "Host"));

	p->host_port = (uint16_t)json_integer_value(json_object_get(o, "HostPort"));
	p->port = (uint16_t)json_integer_value(json_object_get(o, "Port"));
	p->protocol = (uint8_t)json_integer_value(json_object_get(o, "Protocol"));
	return !host || !*host ? 0 : net_ip_parse(host, &p->host);
}

void endpoint_put_gateways(struct endpoint *ep)
{
	const struct net_subnet *s4 = network_subnet(&ep->net, AF_INET);
	const struct net_subnet *s6 = network_subnet(&ep->net, AF_INET6);

	if (s4 && ep->at.ip4.family && !ep->net.net.internal)
		ep->at.gateway4 = s4->gateway;
	if (s6 && ep->at.ip6.family && !ep->net.net.internal)
		ep->at.gateway6 = s6->gateway;
}

static int read_live(struct endpoint *ep, const char *text, struct arena *a, struct err *e)
{
	_cleanup_(json_unref) json_t *j = json_parse(text, strlen(text), "an endpoint", e);
	const char *mac = json_string_value(json_object_get(j, "MacAddress"));
	const char *link = json_string_value(json_object_get(j, "Link"));
	const char *host = json_string_value(json_object_get(j, "HostLink"));
	const char *gateway = json_string_value(json_object_get(j, "Gateway"));
	const json_t *ports = json_object_get(j, "Ports");

	if (!j)
		return -1;
	ep->at.n_ports = json_array_size(ports);
	ep->ports = arena_array(a, ep->at.n_ports + 1, sizeof(*ep->ports));
	if (!ep->ports)
		return fail_oom(e);
	if (!mac || !link || !host || net_mac_parse(mac, ep->at.mac) < 0)
		return err_set(e, ERR_CORRUPT, 0, "an endpoint of the container is damaged");
	snprintf(ep->at.link, sizeof(ep->at.link), "%s", link);
	snprintf(ep->at.host_link, sizeof(ep->at.host_link), "%s", host);
	for (size_t i = 0; i < ep->at.n_ports; i++)
		if (read_port(json_array_get(ports, i), &ep->ports[i]) < 0)
			return err_set(e, ERR_CORRUPT, 0,
				       "an endpoint of the container is damaged");
	ep->at.ports = ep->ports;
	if (gateway && *gateway)
		endpoint_put_gateways(ep);
	return 0;
}

/* ---- loading ---- */

static struct net_ip ip4_of(int64_t n, const struct net_subnet *s)
{
	uint32_t be = htonl((uint32_t)n);
	struct net_ip ip = {.family = n ? AF_INET : 0, .bits = s ? s->subnet.bits : 32};

	if (n)
		memcpy(ip.a, &be, sizeof(be));
	return ip;
}

static int64_t ip4_number(const struct net_ip *ip)
{
	uint32_t be;

	memcpy(&be, ip->a, sizeof(be));
	return ntohl(be);
}

static void ip6_hex(const struct net_ip *ip, char out[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", ip->a[i]);
}

static int nibble(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static struct net_ip ip6_of(const char *hex, const struct net_subnet *s)
{
	struct net_ip ip = {.family = 0};

	if (!hex || strlen(hex) != 32)
		return ip;
	ip.family = AF_INET6;
	ip.bits = s ? s->subnet.bits : 128;
	for (size_t i = 0; i < 16; i++)
		ip.a[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return ip;
}

static int put_link_local(struct endpoint *ep, struct arena *a, struct err *e)
{
	size_t n = strv_len(ep->asked.link_local);

	ep->link_local = arena_array(a, n + 1, sizeof(*ep->link_local));
	if (!ep->link_local)
		return fail_oom(e);
	for (size_t i = 0; i < n; i++) {
		struct net_ip *ip = &ep->link_local[i];

		if (net_ip_parse(ep->asked.link_local[i], ip) == 0)
			ip->bits = ip->family == AF_INET ? 16 : 64;
	}
	ep->at.link_local = ep->link_local;
	ep->at.n_link_local = n;
	return 0;
}

void endpoint_addresses(const struct endpoint_row *row, const struct network *n,
			struct net_ip *ret4, struct net_ip *ret6)
{
	*ret4 = ip4_of(row->ip4, network_subnet(n, AF_INET));
	*ret6 = ip6_of(row->ip6, network_subnet(n, AF_INET6));
}

int endpoint_from_row(struct engine *en, const struct endpoint_row *row, struct arena *a,
		      struct endpoint *ep, struct err *e)
{
	struct err why = ERR_INIT;

	*ep = (struct endpoint){.net = NETWORK_INIT, .position = row->position};
	snprintf(ep->id, sizeof(ep->id), "%s", row->id ? row->id : "");
	snprintf(ep->at.container, sizeof(ep->at.container), "%s", row->container);
	if (network_load(en, row->network, &ep->net, &why) < 0) {
		if (why.class != ERR_NOT_FOUND)
			return *e = why, -1;
		ep->gone = true;
		ep->net.id = arena_strdup(&ep->net.arena, row->network);
		ep->net.name = ep->net.id;
		ep->net.driver = "bridge";
	}
	if (spec_endpoint_read(a, row->doc, &ep->asked, e) < 0 || put_link_local(ep, a, e) < 0)
		return -1;
	ep->asked.network = ep->net.id;
	endpoint_addresses(row, &ep->net, &ep->at.ip4, &ep->at.ip6);
	ep->live = row->live != NULL;
	return row->live ? read_live(ep, row->live, a, e) : 0;
}

int endpoints_load(struct engine *en, const struct container *c, struct endpoints *ret,
		   struct err *e)
{
	struct endpoints eps = ENDPOINTS_INIT;
	struct endpoint_row *rows = NULL;
	size_t n = 0;

	if (endpoints_of_container(en->store, c->id, &eps.arena, &rows, &n, e) < 0)
		return -1;
	eps.v = arena_array(&eps.arena, n + 1, sizeof(*eps.v));
	if (!eps.v) {
		endpoints_done(&eps);
		return fail_oom(e);
	}
	for (; eps.n < n; eps.n++)
		if (endpoint_from_row(en, &rows[eps.n], &eps.arena, &eps.v[eps.n], e) < 0) {
			eps.n++;
			endpoints_done(&eps);
			return -1;
		}
	*ret = eps;
	return 0;
}

/* ---- addresses ---- */

/* Looks between the addresses that nobody gets. */
static int find_ip4(struct engine *en, const struct network *n, const struct net_subnet *s,
		    int64_t *ret, struct err *e)
{
	const struct net_ip *in = s->range.family ? &s->range : &s->subnet;
	int64_t first = ip4_number(&s->subnet), size = INT64_C(1) << (32 - s->subnet.bits);
	int64_t low = ip4_number(in), high = low + (INT64_C(1) << (32 - in->bits)) - 1;

	if (size > 2) {
		low = MAX(low, first + 1);
		high = MIN(high, first + size - 2);
	}
	while (low <= high) {
		int64_t gateway = s->gateway.family ? ip4_number(&s->gateway) : -1, end = high;
		int r;

		if (gateway >= low && gateway <= end)
			end = gateway - 1;
		for (size_t i = 0; i < s->n_aux; i++) {
			int64_t aux = ip4_number(&s->aux[i]);

			if (aux >= low && aux <= end)
				end = aux - 1;
		}
		r = end < low ? 0 : endpoint_free_ip4(en->store, n->id, low, end, ret, e);
		if (r)
			return r < 0 ? -1 : 0;
		low = end + 2;
	}
	return err_set(
		e, ERR_LIMIT, 0,
		"no available IPv4 addresses on this network's address pools: %s (%s): remove "
		"containers, or make a network with a larger --subnet",
		n->name, n->id);
}

static int take_ip4(struct engine *en, struct endpoint *ep, struct err *e)
{
	const struct net_subnet *s = network_subnet(&ep->net, AF_INET);
	int64_t number = 0;
	int r;

	if (!s)
		return 0;
	if (!ep->asked.ip) {
		if (find_ip4(en, &ep->net, s, &number, e) < 0)
			return -1;
		ep->at.ip4 = ip4_of(number, s);
		return 0;
	}
	if (net_ip_parse(ep->asked.ip, &ep->at.ip4) < 0 || net_subnet_allows(s, &ep->at.ip4, e) < 0)
		return -1;
	ep->at.ip4.bits = s->subnet.bits;
	r = endpoint_has_ip4(en->store, ep->net.id, ip4_number(&ep->at.ip4), e);
	return r > 0 ? err_set(e, ERR_CONFLICT, 0, "address %s is already in use on network %s",
			       ep->asked.ip, ep->net.name)
		     : r;
}

static int take_ip6(struct engine *en, struct endpoint *ep, struct err *e)
{
	const struct net_subnet *s = network_subnet(&ep->net, AF_INET6);
	const struct net_subnet *s4 = network_subnet(&ep->net, AF_INET);
	uint64_t from = s4 && ep->at.ip4.family
				? (uint64_t)(ip4_number(&ep->at.ip4) - ip4_number(&s4->subnet))
				: 2;
	char hex[33];

	if (!s)
		return 0;
	if (ep->asked.ip6) {
		if (net_ip_parse(ep->asked.ip6, &ep->at.ip6) < 0 ||
		    net_subnet_allows(s, &ep->at.ip6, e) < 0)
			return -1;
		ep->at.ip6.bits = s->subnet.bits;
		return 0;
	}
	if (s->range.family || s->subnet.bits > 112)
		from = 0;
	for (uint64_t i = 0; i < IP6_TRIES; i++) {
		struct net_ip ip =
			net_prefix_nth(s->range.family ? &s->range : &s->subnet, from + i);
		struct err ignored = ERR_INIT;
		int r;

		if (!ip.family)
			break;
		ip.bits = s->subnet.bits;
		if (net_subnet_allows(s, &ip, &ignored) < 0)
			continue;
		ip6_hex(&ip, hex);
		r = endpoint_has_ip6(en->store, ep->net.id, hex, e);
		if (r < 0)
			return -1;
		if (r == 0) {
			ep->at.ip6 = ip;
			return 0;
		}
	}
	return err_set(e, ERR_LIMIT, 0,
		       "no available IPv6 addresses on this network's address pools: %s (%s)",
		       ep->net.name, ep->net.id);
}

static int take_mac(const struct container *c, struct endpoint *ep, struct err *e)
{
	const char *given = ep->asked.mac ? ep->asked.mac : ep->position == 0 ? c->spec.mac : NULL;
	int r;

	if (given) {
		if (!spec_mac_parse(given, ep->at.mac))
			return err_set(e, ERR_INVALID, 0, "invalid MAC address: %s", given);
		return 0;
	}
	if (ep->at.ip4.family) {
		net_mac_of(&ep->at.ip4, ep->at.mac);
		return 0;
	}
	r = random_bytes(ep->at.mac, sizeof(ep->at.mac));
	ep->at.mac[0] = 0x02;
	return r < 0 ? err_errno(e, r, "making a MAC address") : 0;
}

/* ---- ports ---- */

static uint8_t protocol_number(const char *proto)
{
	return str_eq(proto, "udp")    ? IPPROTO_UDP
	       : str_eq(proto, "sctp") ? IPPROTO_SCTP
				       : IPPROTO_TCP;
}

const char *endpoint_protocol_name(int protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

/* Who has the port among containers, and whether a program of the host has it. 1, 0 with E set
 * why, -1. */
static int try_port(struct engine *en, const struct container *c, const struct net_port *p,
		    struct arena *a, struct err *why)
{
	char text[NET_IP_TEXT];
	const char *owner = NULL;
	const char *ip = p->host.family ? net_ip_text(&p->host, text) : "0.0.0.0";
	_cleanup_(fd_close) int held = -1;
	int r = port_take(en->store,
			  &(struct port_row){.container = c->id,
					     .proto = endpoint_protocol_name(p->protocol),
					     .ip = ip,
					     .port = p->host_port},
			  a, &owner, why);

	if (r < 0)
		return -1;
	if (r == 0) {
		err_set(why, ERR_CONFLICT, 0,
			"bind for %s:%u failed: port is already allocated (container \"%s\" has "
			"it)",
			ip, p->host_port, owner);
		return 0;
	}
	held = net_port_hold(p, why);
	return held < 0 ? (why->class == ERR_CONFLICT ? 0 : -1) : 1;
}

static int take_free_port(struct engine *en, const struct container *c, struct net_port *p,
			  struct arena *a, struct err *e)
{
	unsigned n = PORT_HIGH - PORT_LOW + 1, from = 0;
	int r = random_bytes(&from, sizeof(from));

	if (r < 0)
		return err_errno(e, r, "choosing a port");
	for (unsigned i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		p->host_port = (uint16_t)(PORT_LOW + (from + i) % n);
		r = try_port(en, c, p, a, &why);
		if (r)
			return r < 0 ? (*e = why, -1) : 0;
	}
	return err_set(e, ERR_LIMIT, 0, "all ports from %d to %d are allocated", PORT_LOW,
		       PORT_HIGH);
}

static int take_port(struct engine *en, const struct container *c, const struct spec_port *want,
		     struct arena *a, struct net_port *p, struct err *e)
{
	struct err why = ERR_INIT;

	if (!want->host_first)
		return take_free_port(en, c, p, a, e);
	for (unsigned port = want->host_first; port <= want->host_last; port++) {
		int r;

		why = ERR_INIT;
		p->host_port = (uint16_t)port;
		r = try_port(en, c, p, a, &why);
		if (r)
			return r < 0 ? (*e = why, -1) : 0;
	}
	return *e = why, -1;
}

static bool is_published(const struct container_spec *s, unsigned port, const char *proto)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].port == port && str_eq(s->ports[i].proto, proto))
			return true;
	return false;
}

/* What -P publishes: exposed and not published by hand. */
static int add_exposed(const struct container_spec *s, struct arena *a, struct spec_port *v,
		       size_t *n)
{
	for (size_t i = 0; s->publish_all && s->exposed && s->exposed[i]; i++) {
		const char *proto;
		const char *text = str_cut(a, s->exposed[i], '/', &proto);
		uint16_t port = 0, last;

		if (!text || spec_port_range(text, &port, &last) < 0 || !port)
			continue;
		if (!is_published(s, port, proto ? proto : "tcp"))
			v[(*n)++] = (struct spec_port){
				.port = port, .proto = proto ? proto : "tcp", .host_ip = ""};
	}
	return 0;
}

/* GIVEN: the user named the address, it is not the network's. */
static int put_host(struct net_port *p, const char *host, bool given, struct err *e)
{
	static const struct net_ip loopback6 = {.family = AF_INET6, .a = {[15] = 1}};

	if (str_empty(host) || (!given && str_eq(host, "0.0.0.0")))
		return 0;
	if (net_ip_parse(host, &p->host) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid IP address: %s", host);
	if (p->host.family != AF_INET6 || memcmp(p->host.a, loopback6.a, sizeof(loopback6.a)) != 0)
		return 0;
	/* It would look published, and nobody would ever be answered. */
	err_set(e, ERR_UNSUPPORTED, 0,
		"a port cannot be published on [::1]: the kernel sends ::1 "
		"over nothing but the host's loopback");
	return err_hint(e, "publish it on 127.0.0.1");
}

static int take_ports(struct engine *en, const struct container *c, struct endpoint *ep,
		      struct arena *a, struct err *e)
{
	const struct container_spec *s = &c->spec;
	const char *binding = network_option(&ep->net, NETWORK_OPT_BINDING);
	size_t max = s->n_ports + strv_len(s->exposed), n = s->n_ports;
	struct spec_port *want = arena_array(a, max + 1, sizeof(*want));

	ep->ports = arena_array(a, max + 1, sizeof(*ep->ports));
	if (!want || !ep->ports)
		return fail_oom(e);
	if (n)
		memcpy(want, s->ports, n * sizeof(*want));
	add_exposed(s, a, want, &n);
	for (size_t i = 0; i < n; i++) {
		struct net_port *p = &ep->ports[i];
		const char *host = *want[i].host_ip ? want[i].host_ip : binding;

		p->port = want[i].port;
		p->protocol = protocol_number(want[i].proto);
		if (put_host(p, host, *want[i].host_ip, e) < 0)
			return -1;
		if (take_port(en, c, &want[i], a, p, e) < 0)
			return err_wrap(e,
					"driver failed programming external connectivity on "
					"endpoint %s (%s)",
					c->name, ep->id);
	}
	ep->at.ports = ep->ports;
	ep->at.n_ports = n;
	return 0;
}

/* ---- starts ---- */

int endpoints_gateway(const struct endpoints *eps)
{
	int best = -1;

	for (size_t i = 0; i < eps->n; i++) {
		const struct endpoint *ep = &eps->v[i], *was = best < 0 ? NULL : &eps->v[best];

		if (ep->net.net.internal || ep->gone)
			continue;
		if (!was || ep->asked.gw_priority > was->asked.gw_priority ||
		    (ep->asked.gw_priority == was->asked.gw_priority &&
		     strcmp(ep->net.name, was->net.name) < 0))
			best = (int)i;
	}
	return best;
}

int endpoint_write_live(struct engine *en, const struct container *c, const struct endpoint *ep,
			struct err *e)
{
	_cleanup_(buf_done) struct buf doc = BUF_INIT(LIVE_MAX), live = BUF_INIT(LIVE_MAX);
	_cleanup_(json_unref) json_t *asked = spec_endpoint_json(&ep->asked);
	_cleanup_(json_unref) json_t *has = live_json(c, ep);
	char hex[33];
	struct endpoint_row row = {.container = c->id,
				   .network = ep->net.id,
				   .position = ep->position,
				   .id = ep->id,
				   .ip4 = ep->at.ip4.family ? ip4_number(&ep->at.ip4) : 0};

	if (!asked || !has || json_write(asked, JSON_COMPACT, &doc) < 0 ||
	    json_write(has, JSON_COMPACT, &live) < 0)
		return fail_oom(e);
	if (ep->at.ip6.family) {
		ip6_hex(&ep->at.ip6, hex);
		row.ip6 = hex;
	}
	row.doc = buf_str(&doc);
	row.live = buf_str(&live);
	return endpoint_put(en->store, &row, e);
}

int endpoint_take_one(struct engine *en, const struct container *c, struct endpoint *ep, int index,
		      struct err *e)
{
	const char *prefix = network_option(&ep->net, NETWORK_OPT_PREFIX);
	int r = id_new(ep->id);

	if (r < 0)
		return err_errno(e, r, "making an identifier");
	if (ep->gone)
		return err_set(e, ERR_NOT_FOUND, 0, "network %s not found", ep->net.id);
	snprintf(ep->at.container, sizeof(ep->at.container), "%s", c->id);
	/* Another one at each start: the last one's may still be going. */
	net_endpoint_link(ep->id, ep->net.id, ep->at.host_link);
	snprintf(ep->at.link, sizeof(ep->at.link), "%.8s%d", prefix ? prefix : "eth", index);
	if (take_ip4(en, ep, e) < 0 || take_ip6(en, ep, e) < 0 || take_mac(c, ep, e) < 0)
		return -1;
	ep->live = true;
	return 0;
}

static int take_all(struct engine *en, const struct container *c, struct endpoints *eps,
		    struct err *e)
{
	int gateway;

	/* What an earlier start could not give back. */
	if (endpoint_release(en->store, c->id, e) < 0)
		return -1;
	for (size_t i = 0; i < eps->n; i++)
		if (endpoint_take_one(en, c, &eps->v[i], (int)i, e) < 0)
			return -1;
	gateway = endpoints_gateway(eps);
	if (gateway >= 0) {
		endpoint_put_gateways(&eps->v[gateway]);
		if (eps->v[gateway].net.net.driver == NET_BRIDGE &&
		    take_ports(en, c, &eps->v[gateway], &eps->arena, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < eps->n; i++)
		if (endpoint_write_live(en, c, &eps->v[i], e) < 0)
			return -1;
	return 0;
}

int endpoints_take(struct engine *en, const struct container *c, struct endpoints *ret,
		   struct err *e)
{
	struct endpoints eps = ENDPOINTS_INIT;

	if (store_begin(en->store, false, e) < 0)
		return -1;
	if (endpoints_load(en, c, &eps, e) < 0 || take_all(en, c, &eps, e) < 0) {
		store_abort(en->store);
		endpoints_done(&eps);
		return -1;
	}
	if (store_commit(en->store, e) < 0) {
		endpoints_done(&eps);
		return -1;
	}
	TRACE("addresses taken");
	if (keeper_need(en, e) < 0) {
		endpoints_done(&eps);
		return -1;
	}
	*ret = eps;
	return 0;
}

int endpoints_attach(const struct endpoints *eps, int run_dir, int netns, struct err *e)
{
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;

	for (size_t i = 0; i < eps->n; i++)
		if (net_attach(&s, &eps->v[i].net.net, &eps->v[i].at, netns, e) < 0) {
			err_wrap(e, "connecting to the network %s", eps->v[i].net.name);
			return e->class == ERR_UNSUPPORTED
				       ? err_hint(e, "--network none and --network host do without")
				       : -1;
		}
	keeper_drop(run_dir, NULL, &s);
	return endpoints_have_names(eps)
		       ? keeper_register(run_dir, eps->v[0].at.container, netns, e)
		       : 0;
}

int endpoints_detach(struct net_session *s, const struct endpoints *eps, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < eps->n; i++) {
		const struct endpoint *ep = &eps->v[i];

		if (!ep->live)
			continue;
		any = true;
		if (!ep->gone && net_detach(s, &ep->net.net, &ep->at, -1, e) < 0)
			return err_wrap(e, "leaving the network %s", ep->net.name);
	}
	return any;
}

int endpoints_release(struct engine *en, const struct container *c, struct err *e)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	int any;

	if (!container_has_endpoints(c))
		return 0;
	if (endpoints_load(en, c, &eps, e) < 0)
		return -1;
	any = endpoints_detach(&s, &eps, e);
	if (any <= 0)
		return any;
	if (endpoint_release(en->store, c->id, e) < 0)
		return -1;
	for (size_t i = 0; i < eps.n; i++) {
		if (!eps.v[i].live || eps.v[i].gone)
			continue;
		network_event(en, &eps.v[i].net, "disconnect", c->id);
		keeper_drop(store_run_fd(en->store), eps.v[i].at.host_link, &s);
	}
	return 0;
}

void endpoints_tell(struct engine *en, const struct container *c, const struct endpoints *eps)
{
	for (size_t i = 0; i < eps->n; i++)
		network_event(en, &eps->v[i].net, "connect", c->id);
}
