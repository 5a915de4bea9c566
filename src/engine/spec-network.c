/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spec-network.h"

#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

enum { BINDINGS_MAX = 65536 };

int spec_port_range(const char *s, uint16_t *ret_first, uint16_t *ret_last)
{
	uint64_t first = 0, last = 0;
	const char *dash = strchr(s, '-');
	char head[8];

	if (dash && dash - s < (ptrdiff_t)sizeof(head)) {
		memcpy(head, s, (size_t)(dash - s));
		head[dash - s] = '\0';
		if (num_u64(head, 1, UINT16_MAX, &first) < 0 ||
		    num_u64(dash + 1, first, UINT16_MAX, &last) < 0)
			return -1;
	} else if (dash || (*s && num_u64(s, 0, UINT16_MAX, &first) < 0)) {
		return -1;
	} else {
		last = first;
	}
	*ret_first = (uint16_t)first;
	*ret_last = (uint16_t)last;
	return 0;
}

static json_t *binding(const struct spec_port *p)
{
	if (!p->host_first)
		return json_pack("{s:s, s:s}", "HostIp", p->host_ip, "HostPort", "");
	return json_pack("{s:s, s:o}", "HostIp", p->host_ip, "HostPort",
			 p->host_first == p->host_last
				 ? json_sprintf("%u", p->host_first)
				 : json_sprintf("%u-%u", p->host_first, p->host_last));
}

json_t *spec_ports_json(const struct spec_port *v, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++) {
		char key[24];
		json_t *list;

		(void)snprintf(key, sizeof(key), "%u/%s", v[i].port, v[i].proto);
		list = json_object_get(o, key);
		if (!list) {
			list = json_array();
			(void)json_object_set_new(o, key, list);
		}
		(void)json_array_append_new(list, binding(&v[i]));
	}
	return o;
}

static int read_binding(const struct json_reader *r, const char *key, const json_t *b,
			struct spec_port *p, struct err *e)
{
	const char *ip = json_string_value(json_object_get(b, "HostIp"));
	const char *host = json_string_value(json_object_get(b, "HostPort"));
	const char *proto;
	const char *port = str_cut(r->arena, key, '/', &proto);
	uint64_t number;

	*p = (struct spec_port){.proto = proto ? arena_strdup(r->arena, proto) : "tcp",
				.host_ip = arena_strdup(r->arena, ip ? ip : "")};
	if (!port || num_u64(port, 1, UINT16_MAX, &number) < 0 ||
	    spec_port_range(host ? host : "", &p->host_first, &p->host_last) < 0)
		return json_read_fail(r, key, ERR_INVALID, e, "is no port");
	p->port = (uint16_t)number;
	return 0;
}

int spec_ports_read(const struct json_reader *r, const char *key, const struct spec_port **ret,
		    size_t *ret_n, struct err *e)
{
	struct json_reader o;
	struct spec_port *v;
	const char *name;
	json_t *list, *b;
	size_t n = 0, i;
	int got = json_read_obj(r, key, &o, e);

	if (got <= 0)
		return got;
	json_object_foreach ((json_t *)(uintptr_t)o.obj, name, list)
		n += json_array_size(list);
	v = n > BINDINGS_MAX ? NULL : arena_array(r->arena, n + 1, sizeof(*v));
	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading '%s'", key);
	n = 0;
	json_object_foreach ((json_t *)(uintptr_t)o.obj, name, list)
		json_array_foreach (list, i, b)
			if (read_binding(&o, name, b, &v[n++], e) < 0)
				return -1;
	*ret = v;
	*ret_n = n;
	return 1;
}

static void put_str(json_t *o, const char *key, const char *value)
{
	if (value)
		(void)json_object_set_new(o, key, json_string(value));
}

static void put_strv(json_t *o, const char *key, const char *const *v)
{
	json_t *a = v && v[0] ? json_array() : NULL;

	for (; a && *v; v++)
		(void)json_array_append_new(a, json_string(*v));
	if (a)
		(void)json_object_set_new(o, key, a);
}

json_t *spec_endpoint_json(const struct spec_endpoint *ep)
{
	json_t *o = json_object(), *opts;

	put_strv(o, "Aliases", ep->aliases);
	put_str(o, "IPv4Address", ep->ip);
	put_str(o, "IPv6Address", ep->ip6);
	put_strv(o, "LinkLocalIPs", ep->link_local);
	put_str(o, "MacAddress", ep->mac);
	if (ep->gw_priority)
		(void)json_object_set_new(o, "GwPriority", json_integer(ep->gw_priority));
	if (ep->n_driver_opts) {
		opts = json_object();
		for (size_t i = 0; i < ep->n_driver_opts; i++)
			put_str(opts, ep->driver_opts[i].key, ep->driver_opts[i].value);
		(void)json_object_set_new(o, "DriverOpts", opts);
	}
	return o;
}

static int read_options(const struct json_reader *r, struct arena *a, struct spec_endpoint *ep,
			struct err *e)
{
	struct json_reader o;
	struct spec_pair *v;
	const char *key;
	json_t *value;
	int got = json_read_obj(r, "DriverOpts", &o, e);

	if (got <= 0)
		return got;
	v = arena_array(a, json_object_size(o.obj), sizeof(*v));
	if (!v)
		return err_set(e, ERR_LIMIT, ENOMEM, "reading an endpoint");
	json_object_foreach ((json_t *)(uintptr_t)o.obj, key, value)
		v[ep->n_driver_opts++] = (struct spec_pair){
			arena_strdup(a, key), arena_strdup(a, json_string_value(value))};
	ep->driver_opts = v;
	return 0;
}

int spec_endpoint_read(struct arena *a, const char *text, struct spec_endpoint *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *doc = json_parse(text, strlen(text), "an endpoint", e);
	const char **aliases = NULL, **local = NULL;
	struct json_reader r;

	if (!doc || json_reader_init(&r, doc, "an endpoint", a, e) < 0 ||
	    json_read_strv(&r, "Aliases", &aliases, NULL, e) < 0 ||
	    json_read_strv(&r, "LinkLocalIPs", &local, NULL, e) < 0 ||
	    json_read_str(&r, "IPv4Address", &ret->ip, e) < 0 ||
	    json_read_str(&r, "IPv6Address", &ret->ip6, e) < 0 ||
	    json_read_str(&r, "MacAddress", &ret->mac, e) < 0 ||
	    json_read_i64(&r, "GwPriority", INT32_MIN, INT32_MAX, &ret->gw_priority, e) < 0 ||
	    read_options(&r, a, ret, e) < 0)
		return -1;
	ret->aliases = (const char *const *)aliases;
	ret->link_local = (const char *const *)local;
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool spec_mac_parse(const char *s, unsigned char ret[6])
{
	unsigned char out[6];

	if (strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(s[3 * i]), low = hex_digit(s[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && s[3 * i + 2] != ':' && s[3 * i + 2] != '-'))
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	if (ret)
		memcpy(ret, out, sizeof(out));
	return true;
}
