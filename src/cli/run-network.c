/* SPDX-License-Identifier: Apache-2.0 */
/* docker/cli: opts/network.go, opts/port.go, cli/command/container/opts.go; go-connections:
 * nat/nat.go. */
#include "cli/run-network.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/run-options.h"
#include "engine/container-spec.h"
#include "engine/spec-network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PORTS_MAX = 65536 };

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

static bool is_ip(int family, const char *s)
{
	unsigned char bytes[16];

	return inet_pton(family, s, bytes) == 1;
}

static bool is_any_ip(const char *s)
{
	return is_ip(AF_INET, s) || is_ip(AF_INET6, s);
}

int run_check_ip(const char *value, struct err *e)
{
	return is_any_ip(value) ? 0 : err_set(e, ERR_INVALID, 0, "%s is not an ip address", value);
}

/* docker/cli opts.ValidateDNSSearch: "." is none at all. */
int run_check_dns_search(const char *value, struct err *e)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t n = strlen(value);

	if (str_eq(value, "."))
		return 0;
	if (n && n < 256 && strspn(value, all) == n && !strchr(".-", value[0]) &&
	    !strstr(value, ".."))
		return 0;
	return err_set(e, ERR_INVALID, 0, "%s is not a valid domain", value);
}

/* ---- ports ---- */

struct publish {
	const char *ip, *host, *container, *proto;
};

/* Takes "[IP:][HOST:]CONTAINER[/PROTO]" apart; an IPv6 address stands in brackets. */
static int publish_split(struct arena *a, const char *s, struct publish *ret, struct err *e)
{
	const char *slash = strrchr(s, '/'), *close, *colon;
	char *head = slash ? arena_strndup(a, s, (size_t)(slash - s)) : arena_strdup(a, s);
	char *rest = head;

	*ret = (struct publish){.ip = "", .host = "", .proto = "tcp"};
	if (!head)
		return fail_oom(e);
	if (slash) {
		char *proto = arena_strdup(a, slash + 1);

		for (char *p = proto; p && *p; p++)
			*p = (char)tolower((unsigned char)*p);
		ret->proto = proto;
	}
	close = *head == '[' ? strchr(head, ']') : NULL;
	if (close && close[1] == ':') {
		ret->ip = arena_strndup(a, head + 1, (size_t)(close - head - 1));
		rest = head + (close - head) + 2;
	}
	colon = strrchr(rest, ':');
	ret->container = colon ? colon + 1 : rest;
	if (colon) {
		char *front = arena_strndup(a, rest, (size_t)(colon - rest));
		char *mid = front && !close ? strrchr(front, ':') : NULL;

		ret->host = front;
		if (mid) {
			ret->ip = arena_strndup(a, front, (size_t)(mid - front));
			ret->host = mid + 1;
		}
	}
	return ret->ip && ret->host && ret->proto ? 0 : fail_oom(e);
}

static int publish_check(const struct publish *p, const char *whole, struct err *e)
{
	static const char *const protos[] = {"tcp", "udp", "sctp", NULL};

	if (!*p->container)
		return err_set(e, ERR_INVALID, 0, "no port specified: %s<empty>", whole);
	if (!strv_has(protos, p->proto))
		return err_set(e, ERR_INVALID, 0, "invalid proto: %s", p->proto);
	if (*p->ip && !is_any_ip(p->ip))
		return err_set(e, ERR_INVALID, 0, "invalid IP address: %s", p->ip);
	return 0;
}

/* One --publish; the entries are counted where V is NULL. */
static int publish_parse(struct arena *a, const char *s, struct spec_port *v, size_t *n,
			 struct err *e)
{
	struct publish p;
	uint16_t first, last, host_first, host_last;
	unsigned n_ports, n_host;

	if (publish_split(a, s, &p, e) < 0 || publish_check(&p, s, e) < 0)
		return -1;
	if (spec_port_range(p.container, &first, &last) < 0 || !first)
		return err_set(e, ERR_INVALID, 0, "invalid containerPort: %s", p.container);
	if (spec_port_range(p.host, &host_first, &host_last) < 0)
		return err_set(e, ERR_INVALID, 0, "invalid hostPort: %s", p.host);
	n_ports = last - first + 1U;
	n_host = host_first ? host_last - host_first + 1U : 0;
	/* One port may be published on any one of a range. */
	if (n_host && n_host != n_ports && n_ports != 1)
		return err_set(e, ERR_INVALID, 0,
			       "invalid ranges specified for container and host Ports: %s and %s",
			       p.container, p.host);
	for (unsigned i = 0; i < n_ports; i++) {
		uint16_t host = n_host ? (uint16_t)(host_first + i) : 0;
		bool pick = n_host && n_ports == 1;

		if (v)
			v[*n] = (struct spec_port){.port = (uint16_t)(first + i),
						   .proto = p.proto,
						   .host_ip = p.ip,
						   .host_first = host,
						   .host_last = pick ? host_last : host};
		(*n)++;
	}
	return 0;
}

int run_check_publish(const char *value, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	size_t n = 0;

	return publish_parse(&a, value, NULL, &n, e);
}

static bool same_port(const struct spec_port *a, const struct spec_port *b)
{
	return a->port == b->port && str_eq(a->proto, b->proto) && str_eq(a->host_ip, b->host_ip) &&
	       a->host_first == b->host_first && a->host_last == b->host_last;
}

static int fill_ports(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	struct spec_port *v;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < o->publish.n; i++)
		if (publish_parse(&s->arena, o->publish.v[i], NULL, &n, e) < 0)
			return -1;
	if (n > PORTS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d published ports", PORTS_MAX);
	v = arena_array(&s->arena, n + 1, sizeof(*v));
	if (!v)
		return fail_oom(e);
	n = 0;
	for (size_t i = 0; i < o->publish.n; i++)
		if (publish_parse(&s->arena, o->publish.v[i], v, &n, e) < 0)
			return -1;
	for (size_t i = 0; i < n; i++) {
		bool twice = false;

		for (size_t k = 0; k < kept; k++)
			twice |= same_port(&v[i], &v[k]);
		if (!twice)
			v[kept++] = v[i];
	}
	s->ports = v;
	s->n_ports = kept;
	return 0;
}

/* "80", "80-90", "80/udp" */
static int expose_parse(struct arena *a, const char *s, uint16_t *first, uint16_t *last,
			const char **proto, struct err *e)
{
	struct publish p;

	if (strchr(s, ':'))
		return err_set(e, ERR_INVALID, 0, "invalid port format for --expose: %s", s);
	if (publish_split(a, s, &p, e) < 0)
		return -1;
	if (publish_check(&p, s, e) < 0 || spec_port_range(p.container, first, last) < 0 || !*first)
		return err_set(e, ERR_INVALID, 0,
			       "invalid range format for --expose: %s, error: invalid port", s);
	*proto = p.proto;
	return 0;
}

int run_check_expose(const char *value, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char *proto;
	uint16_t first, last;

	return expose_parse(&a, value, &first, &last, &proto, e);
}

static int expose_add(struct arena *a, const char ***v, size_t *n, unsigned port, const char *proto,
		      struct err *e)
{
	const char *text = arena_printf(a, "%u/%s", port, proto);

	if (!text)
		return fail_oom(e);
	if (strv_has((const char *const *)*v, text))
		return 0;
	return arena_strv_push(a, v, n, text) < 0 ? fail_oom(e) : 0;
}

/* What is published is exposed, too. */
static int fill_exposed(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n_ports; i++)
		if (expose_add(&s->arena, &v, &n, s->ports[i].port, s->ports[i].proto, e) < 0)
			return -1;
	for (size_t i = 0; i < o->expose.n; i++) {
		const char *proto;
		uint16_t first, last;

		if (expose_parse(&s->arena, o->expose.v[i], &first, &last, &proto, e) < 0)
			return -1;
		for (unsigned port = first; port <= last; port++)
			if (expose_add(&s->arena, &v, &n, port, proto, e) < 0)
				return -1;
	}
	s->exposed = (const char *const *)v;
	return 0;
}

/* ---- endpoints ---- */

/* Growing parts of one endpoint. */
struct fields {
	struct arena *arena;
	struct spec_endpoint ep;
	const char **aliases, **local;
	size_t n_aliases, n_local;
	struct spec_pair *opts;
};

static int field_set(struct fields *f, const char *key, const char *value, const char *whole,
		     struct err *e)
{
	if (strcasecmp(key, "name") == 0) {
		f->ep.network = value;
	} else if (strcasecmp(key, "alias") == 0) {
		return arena_strv_push(f->arena, &f->aliases, &f->n_aliases, value);
	} else if (strcasecmp(key, "ip") == 0) {
		f->ep.ip = value;
	} else if (strcasecmp(key, "ip6") == 0) {
		f->ep.ip6 = value;
	} else if (strcasecmp(key, "link-local-ip") == 0) {
		return arena_strv_push(f->arena, &f->local, &f->n_local, value);
	} else if (strcasecmp(key, "mac-address") == 0) {
		f->ep.mac = value;
	} else if (strcasecmp(key, "gw-priority") == 0) {
		if (num_i64(value, INT32_MIN, INT32_MAX, &f->ep.gw_priority) < 0)
			return err_set(e, ERR_INVALID, 0, "invalid gw-priority: %s", value);
	} else if (strcasecmp(key, "driver-opt") == 0) {
		struct spec_pair *p = &f->opts[f->ep.n_driver_opts];

		if (!strchr(value, '='))
			return err_set(e, ERR_INVALID, 0, "invalid field %s in %s", value, whole);
		if (run_parse_pair(f->arena, value, p, e) < 0)
			return -1;
		f->ep.n_driver_opts++;
	} else {
		return err_set(e, ERR_INVALID, 0, "invalid field %s", key);
	}
	return 0;
}

/* "name=web,alias=a,ip=10.0.0.2,driver-opt=k=v" */
static int parse_long(struct fields *f, const char *s, struct err *e)
{
	size_t n;
	const char **v = str_split(f->arena, s, ',', &n);

	f->opts = v ? arena_array(f->arena, n + 1, sizeof(*f->opts)) : NULL;
	if (!f->opts)
		return fail_oom(e);
	for (size_t i = 0; i < n; i++) {
		const char *value;
		const char *key = str_cut(f->arena, v[i], '=', &value);

		if (!key)
			return fail_oom(e);
		if (!value)
			return err_set(e, ERR_INVALID, 0, "invalid field %s", v[i]);
		if (field_set(f, key, value, s, e) < 0)
			return -1;
	}
	if (str_empty(f->ep.network))
		return err_set(e, ERR_INVALID, 0, "network name/id is not specified");
	return 0;
}

int run_check_endpoint(const struct spec_endpoint *ep, struct err *e)
{
	if (ep->ip && !is_ip(AF_INET, ep->ip))
		return err_set(e, ERR_INVALID, 0, "invalid IPv4 address: %s", ep->ip);
	if (ep->ip6 && !is_ip(AF_INET6, ep->ip6))
		return err_set(e, ERR_INVALID, 0, "invalid IPv6 address: %s", ep->ip6);
	if (ep->mac && !spec_mac_parse(ep->mac, NULL))
		return err_set(e, ERR_USAGE, 0, "invalid MAC address: %s", ep->mac);
	for (size_t i = 0; ep->link_local && ep->link_local[i]; i++)
		if (!is_any_ip(ep->link_local[i]))
			return err_set(e, ERR_INVALID, 0, "invalid link-local IP address: %s",
				       ep->link_local[i]);
	for (size_t i = 0; ep->aliases && ep->aliases[i]; i++) {
		const char *s = ep->aliases[i];

		/* It becomes a name in a zone and a word in a file (N14). */
		if (!*s || strlen(s) > 253)
			return err_set(e, ERR_INVALID, 0, "invalid alias: '%.100s'", s);
		for (; *s; s++)
			if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
				return err_set(e, ERR_INVALID, 0, "invalid alias: '%s'",
					       ep->aliases[i]);
	}
	return 0;
}

static int parse_endpoint(struct arena *a, const char *s, struct spec_endpoint *ret, struct err *e)
{
	struct fields f = {.arena = a, .ep = {.network = s}};

	if (!*s)
		return err_set(e, ERR_INVALID, 0, "network name/id is not specified");
	if (strchr(s, '=') && parse_long(&f, s, e) < 0)
		return e->class ? -1 : fail_oom(e);
	*ret = f.ep;
	ret->aliases = (const char *const *)f.aliases;
	ret->link_local = (const char *const *)f.local;
	ret->driver_opts = f.opts;
	return run_check_endpoint(ret, e);
}

/* Single options belong to the first network. */
static int add_single(const struct run_opts *o, struct spec_endpoint *ep, struct err *e)
{
	const struct {
		const char *option, *value;
		const char **field;
	} all[] = {{"ip", o->ip, &ep->ip},
		   {"ip6", o->ip6, &ep->ip6},
		   {"mac-address", o->mac, &ep->mac}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (str_empty(all[i].value))
			continue;
		if (*all[i].field)
			return err_set(e, ERR_INVALID, 0,
				       "conflicting options: cannot specify both --%s and "
				       "per-network %s",
				       all[i].option, all[i].option);
		*all[i].field = all[i].value;
	}
	if (o->network_alias.n && ep->aliases)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot specify both --network-alias and "
			       "per-network alias");
	if (o->network_alias.n)
		ep->aliases = o->network_alias.v;
	if (o->link_local_ip.n && ep->link_local)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: cannot specify both --link-local-ip and "
			       "per-network link-local IP addresses");
	if (o->link_local_ip.n)
		ep->link_local = o->link_local_ip.v;
	return run_check_endpoint(ep, e);
}

/* Only networks that users made have these. */
static int check_first(const struct container_spec *s, struct err *e)
{
	const struct spec_endpoint *ep = &s->endpoints[0];
	bool user = s->network.mode == SPEC_NS_NAMED && !str_eq(s->network.ref, "bridge");

	if ((ep->ip || ep->ip6) && !user)
		return err_set(
			e, ERR_INVALID, 0,
			"invalid config for network %s: invalid endpoint settings: "
			"user specified IP address is supported on user defined networks only",
			ep->network);
	if (ep->aliases && !user)
		return err_set(
			e, ERR_INVALID, 0,
			"invalid config for network %s: invalid endpoint settings: "
			"network-scoped aliases are only supported for user-defined networks",
			ep->network);
	if (ep->mac && s->network.mode == SPEC_NS_CONTAINER)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: mac-address and the network mode");
	return 0;
}

/* Docker's checks of what does not go together (runconfig/hostconfig_unix.go). */
static int check_mode(const struct run_opts *o, const struct container_spec *s, struct err *e)
{
	enum spec_ns_mode mode = s->network.mode;

	if (mode == SPEC_NS_CONTAINER && (s->n_ports || s->publish_all))
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: port publishing and the container type "
			       "network mode");
	if (mode == SPEC_NS_CONTAINER && o->expose.n)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: port exposing and the container type network "
			       "mode");
	if (mode == SPEC_NS_CONTAINER && !str_empty(o->hostname))
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: hostname and the network mode");
	if ((mode == SPEC_NS_CONTAINER) && s->dns)
		return err_set(e, ERR_INVALID, 0, "conflicting options: dns and the network mode");
	if (mode == SPEC_NS_CONTAINER && s->n_extra_hosts)
		return err_set(e, ERR_INVALID, 0,
			       "conflicting options: custom host-to-IP mapping and the network "
			       "mode");
	return 0;
}

/* The endpoints are those of networks; with another mode there is one at most, without a row. */
static int fill_endpoints(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	struct spec_endpoint *v;
	size_t n = MAX(o->network.n, (size_t)1);

	v = arena_array(&s->arena, n, sizeof(*v));
	if (!v)
		return fail_oom(e);
	v[0].network = "default";
	for (size_t i = 0; i < o->network.n; i++)
		if (parse_endpoint(&s->arena, o->network.v[i], &v[i], e) < 0)
			return -1;
	if (run_parse_ns(&s->arena, "network", o->network.n ? v[0].network : NULL, &s->network, e) <
		    0 ||
	    add_single(o, &v[0], e) < 0)
		return -1;
	for (size_t i = 0; n > 1 && i < n; i++) {
		struct spec_ns ns = {.mode = SPEC_NS_DEFAULT};

		if (run_parse_ns(&s->arena, "network", v[i].network, &ns, e) < 0)
			return -1;
		if (ns.mode == SPEC_NS_HOST || ns.mode == SPEC_NS_NONE ||
		    ns.mode == SPEC_NS_CONTAINER)
			return err_set(e, ERR_INVALID, 0,
				       "conflicting options: cannot attach both user-defined and "
				       "non-user-defined network-modes");
		for (size_t k = 0; k < i; k++)
			if (str_eq(v[i].network, v[k].network))
				return err_set(e, ERR_INVALID, 0,
					       "network \"%s\" is specified multiple times",
					       v[i].network);
	}
	s->endpoints = v;
	s->n_endpoints = n;
	s->mac = str_empty(o->mac) ? NULL : o->mac;
	return check_first(s, e);
}

int run_network(const struct run_opts *o, struct container_spec *s, struct err *e)
{
	s->publish_all = o->publish_all;
	s->dns = o->dns.n ? (const char *const *)o->dns.v : NULL;
	s->dns_search = o->dns_search.n ? (const char *const *)o->dns_search.v : NULL;
	s->dns_options = o->dns_option.n ? (const char *const *)o->dns_option.v : NULL;
	if (fill_endpoints(o, s, e) < 0 || fill_ports(o, s, e) < 0 || fill_exposed(o, s, e) < 0)
		return -1;
	return check_mode(o, s, e);
}
