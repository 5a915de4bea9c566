/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of networks. moby: daemon/network.go. */
#include "engine/network.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/network-internal.h"
#include "net/rules.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* ---- create ---- */

int network_create(struct engine *en, const struct network_spec *spec, char *ret_id, struct err *e)
{
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	struct err ignored = ERR_INIT;

	if (network_is_predefined(spec->name))
		return err_set(e, ERR_DENIED, 0,
			       "operation is not permitted on predefined %s network", spec->name);
	if (network_make(en, spec, &n, e) < 0)
		return -1;
	if (net_up(&s, &n.net, e) < 0) {
		(void)net_down(&s, &n.net, &ignored);
		(void)network_row_delete(en->store, n.id, &ignored);
		return err_wrap(e, "making the network %s", n.name);
	}
	network_event(en, &n, "create", NULL);
	memcpy(ret_id, n.id, ID_SIZE);
	return 0;
}

/* ---- inspect, ls ---- */

static const char *prefix_or_empty(const struct net_ip *ip, char out[NET_IP_TEXT])
{
	return ip->family ? net_prefix_text(ip, out) : "";
}

static int put_container(struct engine *en, const struct endpoint_row *row, json_t *out,
			 struct err *e)
{
	_cleanup_(container_record_done) struct container_record rec = CONTAINER_RECORD_INIT;
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct endpoint ep = {.net = NETWORK_INIT};
	char mac[18], ip4[NET_IP_TEXT], ip6[NET_IP_TEXT];
	struct err gone = ERR_INIT;
	int r;

	if (container_row_get(en->store, row->container, &rec, &gone) < 0)
		return gone.class == ERR_NOT_FOUND ? 0 : (*e = gone, -1);
	r = endpoint_from_row(en, row, &a, &ep, e);
	if (r == 0)
		(void)json_object_set_new(out, row->container,
					  json_pack("{s:s, s:s, s:s, s:s, s:s}", "Name",
						    rec.row.name, "EndpointID", ep.id, "MacAddress",
						    net_mac_text(ep.at.mac, mac), "IPv4Address",
						    prefix_or_empty(&ep.at.ip4, ip4), "IPv6Address",
						    prefix_or_empty(&ep.at.ip6, ip6)));
	network_done(&ep.net);
	return r;
}

/* Those that run; *RET_USED: whether any container has it. */
static json_t *containers(struct engine *en, const struct network *n, bool *ret_used, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *out = json_object();
	struct endpoint_row *rows = NULL;
	size_t n_rows = 0;

	if (endpoints_of_network(en->store, n->id, &a, &rows, &n_rows, e) < 0)
		return NULL;
	*ret_used = n_rows > 0;
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].live && !endpoint_row_is_step(&rows[i]) &&
		    put_container(en, &rows[i], out, e) < 0)
			return NULL;
	return TAKE_PTR(out);
}

static json_t *view(struct engine *en, const struct network *n, bool *ret_used, struct err *e)
{
	json_t *on = containers(en, n, ret_used, e);
	bool bare = n->net.driver == NET_HOST || n->net.driver == NET_NONE;
	char when[CLOCK_TEXT_SIZE];

	if (!on)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:{s:s, s:o, s:o}, s:b, s:b, s:b, "
			 "s:{s:s}, s:b, "
			 "s:o, s:o, s:o}",
			 "Name", n->name, "Id", n->id, "Created", clock_format(n->created, when),
			 "Scope", "local", "Driver", n->driver, "EnableIPv4", n->ipv4, "EnableIPv6",
			 n->ipv6, "IPAM", "Driver", "default", "Options",
			 network_is_predefined(n->name) ? json_null() : json_object(), "Config",
			 bare ? json_array() : network_ipam_json(n), "Internal", n->net.internal,
			 "Attachable", n->attachable, "Ingress", 0, "ConfigFrom", "Network", "",
			 "ConfigOnly", 0, "Containers", on, "Options", network_shown_options(n),
			 "Labels", network_labels_json(n));
}

json_t *network_inspect(struct engine *en, const char *ref, struct err *e)
{
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	bool used;

	if (network_load(en, ref, &n, e) < 0)
		return NULL;
	return view(en, &n, &used, e);
}

static int compare_names(const void *a, const void *b)
{
	const struct network_row *x = a, *y = b;

	return str_natural_cmp(x->name, y->name);
}

json_t *network_list(struct engine *en, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *list = json_array();
	struct network_row *rows = NULL;
	size_t n_rows = 0;

	if (network_need_all(en, e) < 0 || network_rows(en->store, &a, &rows, &n_rows, e) < 0)
		return NULL;
	if (n_rows)
		qsort(rows, n_rows, sizeof(*rows), compare_names);
	for (size_t i = 0; i < n_rows; i++) {
		_cleanup_(network_done) struct network n = NETWORK_INIT;
		bool used = false;
		json_t *o;

		if (network_from_row(&rows[i], &n, e) < 0)
			return NULL;
		o = view(en, &n, &used, e);
		if (!o)
			return NULL;
		(void)json_object_set_new(o, "InUse", json_boolean(used));
		(void)json_object_set_new(o, "CreatedNano", json_integer(n.created));
		(void)json_array_append_new(list, o);
	}
	return TAKE_PTR(list);
}

/* ---- rm ---- */

/* Our links of containers, of whatever store: with the prefix that every rule knows. */
static bool any_link(void)
{
	struct if_nameindex *all = if_nameindex();
	bool found = !all;

	for (size_t i = 0; all && all[i].if_index && !found; i++)
		found = str_after(all[i].if_name, "kgv") != NULL;
	if_freenameindex(all);
	return found;
}

/* One that starts right now, of another store, has a keeper that sees the tables go. */
void network_rules_sweep(struct net_session *s)
{
	struct err ignored = ERR_INIT;

	if (!any_link())
		(void)net_rules_sync(s, NULL, 0, &ignored);
}

/* Names those that are on it. */
static int refuse_users(struct engine *en, const struct network *n, struct err *e)
{
	_cleanup_(json_unref) json_t *on = NULL;
	bool used;
	const char *id;
	json_t *one;
	bool first = true;

	on = containers(en, n, &used, e);
	if (!on)
		return -1;
	err_set(e, ERR_DENIED, 0, "error while removing network: network %s has active endpoints (",
		n->name);
	json_object_foreach (on, id, one) {
		size_t at = strlen(e->msg);

		(void)snprintf(e->msg + at, sizeof(e->msg) - at, "%sname:\"%s\" id:\"%.12s\"",
			       first ? "" : ", ", json_string_value(json_object_get(one, "Name")),
			       json_string_value(json_object_get(one, "EndpointID")));
		first = false;
	}
	(void)snprintf(e->msg + strlen(e->msg), sizeof(e->msg) - strlen(e->msg), ")");
	return -1;
}

/* The row goes while the write lock says that nobody starts on it; the link goes first, so that a
 * row is left where it does not. */
static int remove_row(struct engine *en, const struct network *n, struct err *e)
{
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	int64_t live;

	if (store_begin(en->store, true, e) < 0)
		return -1;
	live = endpoints_live(en->store, n->id, e);
	if (live == 0 && net_down(&s, &n->net, e) == 0 &&
	    network_row_delete(en->store, n->id, e) >= 0) {
		if (endpoints_any_live(en->store, e) == 0)
			network_rules_sweep(&s);
		return store_commit(en->store, e);
	}
	store_abort(en->store);
	return live > 0 ? refuse_users(en, n, e) : -1;
}

int network_remove(struct engine *en, const char *ref, struct err *e)
{
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	_cleanup_(json_unref) json_t *list = NULL;

	if (engine_reconcile(en, e) < 0 || network_load(en, ref, &n, e) < 0)
		return -1;
	if (network_is_predefined(n.name))
		return err_set(e, ERR_DENIED, 0,
			       "%s is a pre-defined network and cannot be removed", n.name);
	/* What was killed is no reason to keep it. */
	list = container_list(en, false, false, e);
	if (!list || remove_row(en, &n, e) < 0)
		return -1;
	network_event(en, &n, "destroy", NULL);
	return 0;
}
