/* SPDX-License-Identifier: Apache-2.0 */
/* network create, rm, connect, disconnect and prune. docker/cli: cli/command/network. */
#include "cli/filter.h"
#include "cli/output.h"
#include "cli/prune.h"
#include "cli/run-network.h"
#include "cli/run-options.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "base/str.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/network.h"
#include "net/address.h"

static int fail_oom(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "out of memory");
}

/* A list of "key=value". */
static int read_pairs(struct cli_context *c, const struct cli_list *list,
		      const struct spec_pair **ret, size_t *ret_n, struct err *e)
{
	struct spec_pair *v = arena_array(&c->arena, list->n + 1, sizeof(*v));

	for (size_t i = 0; v && i < list->n; i++)
		if (run_parse_pair(&c->arena, list->v[i], &v[i], e) < 0)
			return -1;
	*ret = v;
	*ret_n = list->n;
	return v ? 0 : fail_oom(e);
}

/* -- create --------------------------------------------------------------------------------- */

struct create_opts {
	const char *driver, *ipam_driver, *scope, *config_from;
	struct cli_list subnet, range, gateway, aux, label, opt, ipam_opt;
	bool attachable, internal, ipv4, ipv6, ingress, config_only;
};

#define C(field) offsetof(struct create_opts, field)

static const struct create_opts create_init = {
	.driver = "bridge", .ipam_driver = "default", .ipv4 = true};
static const struct cli_option make_options[] = {
	{"attachable", 0, CLI_BOOL, C(attachable), "Let containers be attached by hand"},
	{"aux-address", 0, CLI_MAP, C(aux), "Addresses that no container gets (NAME=IP)",
	 .default_text = "map[]"},
	{"config-from", 0, CLI_STRING, C(config_from),
	 "Network to take the configuration from (swarm)", .flags = CLI_LATER},
	{"config-only", 0, CLI_BOOL, C(config_only), "Only a configuration (swarm)",
	 .flags = CLI_LATER},
	{"driver", 'd', CLI_STRING, C(driver), "The network's driver: bridge, macvlan, none, host",
	 .default_text = "\"bridge\""},
	{"gateway", 0, CLI_LIST, C(gateway), "The host's address on the subnet"},
	{"ingress", 0, CLI_BOOL, C(ingress), "Make a routing mesh (swarm)", .flags = CLI_LATER},
	{"internal", 0, CLI_BOOL, C(internal), "Let nothing out and nothing in"},
	{"ip-range", 0, CLI_LIST, C(range), "Give containers addresses of this part of the subnet"},
	{"ipam-driver", 0, CLI_STRING, C(ipam_driver),
	 "Who gives addresses (there is one: default)", .default_text = "\"default\""},
	{"ipam-opt", 0, CLI_MAP, C(ipam_opt), "Options of that driver (there are none)",
	 .default_text = "map[]"},
	{"ipv4", 0, CLI_BOOL, C(ipv4), "Give containers IPv4 addresses", .default_text = "true"},
	{"ipv6", 0, CLI_BOOL, C(ipv6), "Give containers IPv6 addresses"},
	{"label", 0, CLI_LIST, C(label), "Set metadata of the network"},
	{"opt", 'o', CLI_MAP, C(opt), "Set an option of the driver", .default_text = "map[]"},
	{"scope", 0, CLI_STRING, C(scope), "The network's scope (there is one: local)"},
	{"subnet", 0, CLI_LIST, C(subnet), "The network's addresses (10.1.0.0/16)"},
	{NULL},
};

/* The pool whose subnet has the address or prefix TEXT; NULL with E where none has. */
static struct network_pool_spec *pool_of(struct network_pool_spec *v, size_t n, const char *text,
					 const char *what, struct err *e)
{
	struct net_ip ip, subnet;

	if (net_ip_parse(text, &ip) < 0 && net_prefix_parse(text, true, &ip) < 0) {
		(void)err_set(e, ERR_INVALID, 0, "invalid %s: %s", what, text);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (net_prefix_parse(v[i].subnet, true, &subnet) == 0) {
			subnet = net_ip_prefix(&subnet);
			if (net_prefix_has(&subnet, &ip))
				return &v[i];
		}
	(void)err_set(e, ERR_INVALID, 0, "no matching subnet for %s %s", what, text);
	return NULL;
}

static int add_aux(struct cli_context *c, const struct create_opts *o, struct network_pool_spec *v,
		   size_t n, struct err *e)
{
	for (size_t i = 0; i < o->aux.n; i++) {
		struct network_pool_spec *p;
		struct spec_pair pair, *more;

		if (run_parse_pair(&c->arena, o->aux.v[i], &pair, e) < 0)
			return -1;
		p = pool_of(v, n, pair.value, "aux-address", e);
		more = p ? arena_array(&c->arena, p->n_aux + 1, sizeof(*more)) : NULL;
		if (!more)
			return p ? fail_oom(e) : -1;
		for (size_t k = 0; k < p->n_aux; k++)
			more[k] = p->aux[k];
		more[p->n_aux++] = pair;
		p->aux = more;
	}
	return 0;
}

static int read_pools(struct cli_context *c, const struct create_opts *o, struct network_spec *spec,
		      struct err *e)
{
	struct network_pool_spec *v = arena_array(&c->arena, o->subnet.n + 1, sizeof(*v)), *p;

	if (!v)
		return fail_oom(e);
	if (!o->subnet.n && (o->range.n || o->gateway.n))
		return err_set(e, ERR_INVALID, 0,
			       "every ip-range or gateway must have a corresponding subnet");
	for (size_t i = 0; i < o->subnet.n; i++)
		v[i].subnet = o->subnet.v[i];
	for (size_t i = 0; i < o->range.n; i++) {
		p = pool_of(v, o->subnet.n, o->range.v[i], "range", e);
		if (!p)
			return -1;
		if (p->range)
			return err_set(
				e, ERR_INVALID, 0,
				"cannot configure multiple ranges (%s, %s) on the same subnet "
				"(%s)",
				o->range.v[i], p->range, p->subnet);
		p->range = o->range.v[i];
	}
	for (size_t i = 0; i < o->gateway.n; i++) {
		p = pool_of(v, o->subnet.n, o->gateway.v[i], "gateway", e);
		if (!p)
			return -1;
		if (p->gateway)
			return err_set(e, ERR_INVALID, 0,
				       "cannot configure multiple gateways (%s, %s) for the same "
				       "subnet (%s)",
				       o->gateway.v[i], p->gateway, p->subnet);
		p->gateway = o->gateway.v[i];
	}
	spec->pools = v;
	spec->n_pools = o->subnet.n;
	return add_aux(c, o, v, o->subnet.n, e);
}

static int run_create(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct create_opts *o = a->opts;
	struct network_spec spec = {.name = a->argv[0],
				    .driver = o->driver,
				    .internal = o->internal,
				    .attachable = o->attachable,
				    .ipv6 = o->ipv6,
				    .no_ipv4 = !o->ipv4};
	struct engine *en;
	char id[65];

	if (!str_empty(o->scope) && !str_eq(o->scope, "local"))
		return err_set(e, ERR_UNSUPPORTED, 0, "there is no scope but local"), 1;
	if (!str_eq(o->ipam_driver, "default"))
		return err_set(e, ERR_NOT_FOUND, 0, "there is no IPAM driver '%s'", o->ipam_driver),
		       1;
	if (read_pools(c, o, &spec, e) < 0 ||
	    read_pairs(c, &o->opt, &spec.opts, &spec.n_opts, e) < 0 ||
	    read_pairs(c, &o->label, &spec.labels, &spec.n_labels, e) < 0)
		return 1;
	en = cli_engine(c, e);
	if (!en || network_create(en, &spec, id, e) < 0)
		return 1;
	fprintf(c->out, "%s\n", id);
	return 0;
}

/* -- rm ------------------------------------------------------------------------------------- */

struct rm_opts {
	bool force;
};

static const struct cli_option rm_options[] = {
	{"force", 'f', CLI_BOOL, offsetof(struct rm_opts, force),
	 "Do not mind networks that are not there"},
	{NULL},
};

static int run_rm(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct rm_opts *o = a->opts;
	struct engine *en = cli_engine(c, e);
	int code = 0;

	for (size_t i = 0; en && i < a->argc; i++) {
		struct err one = ERR_INIT;

		if (network_remove(en, a->argv[i], &one) < 0) {
			bool mind = !(o->force && one.class == ERR_NOT_FOUND);

			if (mind)
				cli_complain(c, &one);
			code |= mind;
			continue;
		}
		fprintf(c->out, "%s\n", a->argv[i]);
		fflush(c->out);
	}
	return en ? code : 1;
}

/* -- connect, disconnect -------------------------------------------------------------------- */

struct connect_opts {
	struct cli_list alias, link, link_local, driver_opt;
	const char *ip, *ip6;
	int64_t priority;
};

#define N(field) offsetof(struct connect_opts, field)

static const struct cli_option connect_options[] = {
	{"alias", 0, CLI_LIST, N(alias), "Another name on the network"},
	{"driver-opt", 0, CLI_LIST, N(driver_opt), "Options of the network's driver"},
	{"gw-priority", 0, CLI_INT, N(priority),
	 "The network with the highest has the default route"},
	{"ip", 0, CLI_STRING, N(ip), "IPv4 address (e.g., \"172.30.100.104\")"},
	{"ip6", 0, CLI_STRING, N(ip6), "IPv6 address (e.g., \"2001:db8::33\")"},
	{"link", 0, CLI_LIST, N(link), "Link to another container (not yet)", .flags = CLI_LATER},
	{"link-local-ip", 0, CLI_LIST, N(link_local), "Link-local addresses"},
	{NULL},
};

static int run_connect(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct connect_opts *o = a->opts;
	struct spec_endpoint ep = {.ip = str_empty(o->ip) ? NULL : o->ip,
				   .ip6 = str_empty(o->ip6) ? NULL : o->ip6,
				   .aliases = (const char *const *)o->alias.v,
				   .link_local = (const char *const *)o->link_local.v,
				   .gw_priority = o->priority};
	struct engine *en;

	if (read_pairs(c, &o->driver_opt, &ep.driver_opts, &ep.n_driver_opts, e) < 0 ||
	    run_check_endpoint(&ep, e) < 0)
		return 1;
	en = cli_engine(c, e);
	return !en || network_connect(en, a->argv[0], a->argv[1], &ep, e) < 0;
}

static const struct cli_option disconnect_options[] = {
	{"force", 'f', CLI_BOOL, offsetof(struct rm_opts, force),
	 "Do not mind a container that is not on it"},
	{NULL},
};

static int run_disconnect(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct rm_opts *o = a->opts;
	struct engine *en = cli_engine(c, e);

	return !en || network_disconnect(en, a->argv[0], a->argv[1], o->force, e) < 0;
}

/* -- prune ---------------------------------------------------------------------------------- */

struct prune_opts {
	bool force, dry_run;
	struct cli_list filter;
};

#define P(field) offsetof(struct prune_opts, field)

static const struct cli_option prune_options[] = {
	{"dry-run", 0, CLI_BOOL, P(dry_run), "Only tell what would be removed"},
	{"filter", 0, CLI_OTHER, P(filter), "Remove only what matches (e.g. \"until=<timestamp>\")",
	 "filter", .check = filter_check},
	{"force", 'f', CLI_BOOL, P(force), "Do not ask"},
	{NULL},
};

static bool is_unused(const struct prune_filter *f, const json_t *n)
{
	const char *name = json_string_value(json_object_get(n, "Name"));

	return !str_eq(name, "bridge") && !str_eq(name, "host") && !str_eq(name, "none") &&
	       !json_is_true(json_object_get(n, "InUse")) &&
	       prune_filter_match(f, json_integer_value(json_object_get(n, "CreatedNano")),
				  json_object_get(n, "Labels"));
}

int prune_networks(struct cli_context *c, struct prune *p, struct err *e)
{
	static const char *const allowed[] = {"until", "label", "label!", NULL};
	_cleanup_(json_unref) json_t *list = NULL;
	struct prune_filter filter = {.until = 0};
	struct engine *en = cli_engine(c, e);
	bool any = false;
	json_t *n;
	size_t i;

	if (!en || filter_allow(p->filters, allowed, e) < 0 ||
	    prune_filter_read(c, p->filters, &filter, e) < 0)
		return -1;
	list = network_list(en, e);
	json_array_foreach (list, i, n) {
		const char *name = json_string_value(json_object_get(n, "Name"));
		struct err one = ERR_INIT;

		/* One that somebody takes meanwhile is refused, and stays. */
		if (!is_unused(&filter, n) || (!p->dry_run && network_remove(en, name, &one) < 0))
			continue;
		if (!any)
			fputs(p->dry_run ? "Networks that would be deleted:\n"
					 : "Deleted Networks:\n",
			      c->out);
		fprintf(c->out, "%s\n", name);
		any = true;
	}
	if (any)
		fputc('\n', c->out);
	return list ? 0 : -1;
}

static int run_prune(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct prune_opts *o = a->opts;
	struct prune p = {.filters = &o->filter, .dry_run = o->dry_run};

	if (!o->force && !o->dry_run &&
	    !cli_confirm(c,
			 "WARNING! This will remove all custom networks not used by at least one "
			 "container.\nAre you sure you want to continue?"))
		return 0;
	return prune_networks(c, &p, e) < 0;
}

const struct cli_command cli_network_create = {.name = "create",
					       .usage = "[OPTIONS] NETWORK",
					       .summary = "Make a network",
					       .min_args = 1,
					       .max_args = 1,
					       .options = make_options,
					       .opts_size = sizeof(struct create_opts),
					       .opts_init = &create_init,
					       .run = run_create};
const struct cli_command cli_network_rm = {.name = "rm",
					   .also = "remove",
					   .usage = "NETWORK [NETWORK...]",
					   .summary = "Remove networks that no container is on",
					   .aliases = "network rm,network remove",
					   .min_args = 1,
					   .max_args = -1,
					   .options = rm_options,
					   .opts_size = sizeof(struct rm_opts),
					   .run = run_rm};
const struct cli_command cli_network_connect = {.name = "connect",
						.usage = "[OPTIONS] NETWORK CONTAINER",
						.summary = "Put a container on one more network",
						.min_args = 2,
						.max_args = 2,
						.options = connect_options,
						.opts_size = sizeof(struct connect_opts),
						.run = run_connect};
const struct cli_command cli_network_disconnect = {.name = "disconnect",
						   .usage = "[OPTIONS] NETWORK CONTAINER",
						   .summary = "Take a container off a network",
						   .min_args = 2,
						   .max_args = 2,
						   .options = disconnect_options,
						   .opts_size = sizeof(struct rm_opts),
						   .run = run_disconnect};
const struct cli_command cli_network_prune = {.name = "prune",
					      .usage = "[OPTIONS]",
					      .summary = "Remove networks that no container has",
					      .options = prune_options,
					      .opts_size = sizeof(struct prune_opts),
					      .run = run_prune};
