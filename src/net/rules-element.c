/* SPDX-License-Identifier: Apache-2.0 */
/* What networks and endpoints are in the rules: elements of sets, enumerated once for adding,
 * removing and rebuilding. */
#include "net/net-internal.h"

#include <arpa/inet.h>
#include <string.h>

struct put {
	rules_element_fn fn;
	void *arg;
};

static void emit(const struct put *p, struct rules_element *x)
{
	p->fn(p->arg, x);
}

static struct rules_element element(const struct nft_place *table, const char *set)
{
	return (struct rules_element){.table = table, .set = set};
}

static void key_ip(struct nft_key *k, const struct net_ip *ip)
{
	nft_key_put(k, ip->a, ip->family == AF_INET ? 4 : 16);
}

static void key_port(struct nft_key *k, uint16_t port)
{
	const uint16_t be = htons(port);

	nft_key_put(k, &be, sizeof(be));
}

/* ---- networks ---- */

static void put_link(const struct put *p, const char *set, const char *link)
{
	struct rules_element x = element(&net_table, set);

	nft_key_name(&x.key, link);
	emit(p, &x);
}

static void put_self(const struct put *p, const char *link)
{
	struct rules_element x = element(&net_table, "self");

	nft_key_name(&x.key, link);
	nft_key_name(&x.key, link);
	emit(p, &x);
}

static void put_gateway(const struct put *p, const char *link, const struct net_ip *gateway)
{
	struct rules_element x =
		element(&net_table, gateway->family == AF_INET ? "gateway4" : "gateway6");

	nft_key_name(&x.key, link);
	key_ip(&x.key, gateway);
	emit(p, &x);
}

void rules_each_network(const struct net *n, rules_element_fn fn, void *arg)
{
	const struct put p = {.fn = fn, .arg = arg};

	if (n->driver != NET_BRIDGE)
		return;
	put_link(&p, "bridges", n->link);
	put_self(&p, n->link);
	if (n->icc)
		put_link(&p, "icc", n->link);
	if (n->internal)
		put_link(&p, "internal", n->link);
	if (n->masquerade4 && !n->internal && !n->routed4)
		put_link(&p, "masquerade4", n->link);
	if (n->masquerade6 && !n->internal && !n->routed6)
		put_link(&p, "masquerade6", n->link);
	for (size_t i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].gateway.family)
			put_gateway(&p, n->link, &n->subnets[i].gateway);
}

/* ---- endpoints ---- */

static void put_source(const struct put *p, const char *link, const struct net_ip *ip)
{
	struct rules_element x =
		element(&net_bridge_table, ip->family == AF_INET ? "address4" : "address6");

	if (!ip->family)
		return;
	nft_key_name(&x.key, link);
	key_ip(&x.key, ip);
	emit(p, &x);
}

/* The address that the kernel makes out of the MAC (RFC 4291, appendix A). */
static struct net_ip link_local(const uint8_t mac[6])
{
	struct net_ip ip = {.family = AF_INET6, .bits = 64, .a = {0xfe, 0x80}};

	memcpy(ip.a + 8, mac, 3);
	ip.a[8] ^= 2;
	ip.a[11] = 0xff;
	ip.a[12] = 0xfe;
	memcpy(ip.a + 13, mac + 3, 3);
	return ip;
}

/* The pair of the address with itself. */
static void put_loop(const struct put *p, const struct net_ip *ip)
{
	struct rules_element x = element(&net_table, ip->family == AF_INET ? "loop4" : "loop6");

	if (!ip->family)
		return;
	key_ip(&x.key, ip);
	key_ip(&x.key, ip);
	emit(p, &x);
}

void rules_each_endpoint(const struct net *n, const struct net_endpoint *e, rules_element_fn fn,
			 void *arg)
{
	const struct put p = {.fn = fn, .arg = arg};
	struct rules_element x =
		element(&net_bridge_table, n->no_spoof_check ? "unchecked" : "mac");
	const struct net_ip local = link_local(e->mac);

	if (n->driver != NET_BRIDGE)
		return;
	if (e->n_ports && !n->internal) {
		put_loop(&p, &e->ip4);
		put_loop(&p, &e->ip6);
	}
	nft_key_name(&x.key, e->host_link);
	if (n->no_spoof_check) {
		emit(&p, &x);
		return;
	}
	nft_key_put(&x.key, e->mac, 6);
	emit(&p, &x);
	put_source(&p, e->host_link, &e->ip4);
	if (n->ipv6) {
		put_source(&p, e->host_link, &e->ip6);
		put_source(&p, e->host_link, &local);
	}
	for (size_t i = 0; i < e->n_link_local; i++)
		put_source(&p, e->host_link, &e->link_local[i]);
}

/* ---- ports ---- */

static bool unspecified(const struct net_ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->a, zero, sizeof(zero)) == 0;
}

static void put_open(const struct put *p, const struct net_ip *ip, const struct net_port *port)
{
	struct rules_element x = element(&net_table, ip->family == AF_INET ? "open4" : "open6");

	key_ip(&x.key, ip);
	nft_key_put(&x.key, &port->protocol, 1);
	key_port(&x.key, port->port);
	emit(p, &x);
}

static void put_publish(const struct put *p, const struct net_ip *ip, const struct net_port *port)
{
	static const char *const names[2][2] = {{"publish4", "publish4_any"},
						{"publish6", "publish6_any"}};
	bool any = !port->host.family || unspecified(&port->host);
	struct rules_element x = element(&net_table, names[ip->family == AF_INET6][any]);

	if (!any)
		key_ip(&x.key, &port->host);
	nft_key_put(&x.key, &port->protocol, 1);
	key_port(&x.key, port->host_port);
	key_ip(&x.value, ip);
	key_port(&x.value, port->port);
	emit(p, &x);
}

static void put_port(const struct put *p, const struct net_ip *ip, bool routed,
		     const struct net_port *port)
{
	if (!ip->family || (port->host.family && port->host.family != ip->family))
		return;
	if (routed)
		put_open(p, ip, port);
	else
		put_publish(p, ip, port);
}

void rules_each_port(const struct net *n, const struct net_endpoint *e, rules_element_fn fn,
		     void *arg)
{
	const struct put p = {.fn = fn, .arg = arg};

	if (n->driver != NET_BRIDGE || n->internal)
		return;
	for (size_t i = 0; i < e->n_ports; i++) {
		put_port(&p, &e->ip4, n->routed4, &e->ports[i]);
		put_port(&p, &e->ip6, n->routed6, &e->ports[i]);
	}
}
