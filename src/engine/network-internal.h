/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: what the files of that share. */
#ifndef KOGGE_ENGINE_NETWORK_INTERNAL_H
#define KOGGE_ENGINE_NETWORK_INTERNAL_H

#include "engine/container-spec.h"
#include "engine/engine-internal.h"
#include "engine/network.h"
#include "net/net.h"
#include "net/resolver-sockets.h"
#include "store/network-store.h"

/* -- network-row.c: a network in memory ----------------------------------------------------------
 */

struct network {
	struct arena arena; /* has all strings */
	const char *id, *name, *driver, *link;
	int64_t created;
	struct net net; /* as the kernel is to have it; points into the rest */
	struct net_subnet *subnets;
	const struct spec_pair **aux; /* of each subnet, by their names; ends with an empty pair */
	size_t n_subnets;
	bool own_subnets; /* the user named them */
	bool attachable, ipv4, ipv6;
	const struct spec_pair *opts, *labels;
	size_t n_opts, n_labels;
};

#define NETWORK_INIT ((struct network){.arena = ARENA_INIT})

void network_done(struct network *n);

/* Loads a network. One of the three is made where it is not there yet. */
int network_load(struct engine *en, const char *ref, struct network *ret, struct err *e);
int network_from_row(const struct network_row *row, struct network *ret, struct err *e);
/* Writes a new row; in the caller's transaction. */
int network_add(struct engine *en, const struct network *n, struct err *e);
/* Fills N's `net` from the rest. */
void network_settle(struct network *n);
/* Docker's IPAM.Config, Options and Labels. New references. */
json_t *network_ipam_json(const struct network *n);
json_t *network_options_json(const struct network *n);
/* Options as inspect has them: of `bridge` with the link's name and MTU. */
json_t *network_shown_options(const struct network *n);
json_t *network_labels_json(const struct network *n);
/* The value of an option, or NULL. */
const char *network_option(const struct network *n, const char *key);
/* One of an option that is a truth value; WITHOUT where it is not given. */
bool network_option_on(const struct network *n, const char *key, bool without);
/* The subnet of the family, or NULL. */
const struct net_subnet *network_subnet(const struct network *n, int family);
bool network_is_predefined(const char *name);
/* Makes the three where they are not there. */
int network_need_all(struct engine *en, struct err *e);
/* "create", "connect", "disconnect", "destroy"; CONTAINER may be NULL. */
void network_event(struct engine *en, const struct network *n, const char *action,
		   const char *container);

#define NETWORK_OPT_NAME       "com.docker.network.bridge.name"
#define NETWORK_OPT_ICC        "com.docker.network.bridge.enable_icc"
#define NETWORK_OPT_MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"
#define NETWORK_OPT_BINDING    "com.docker.network.bridge.host_binding_ipv4"
#define NETWORK_OPT_MTU        "com.docker.network.driver.mtu"
#define NETWORK_OPT_DEFAULT    "com.docker.network.bridge.default_bridge"
#define NETWORK_OPT_PREFIX     "com.docker.network.container_iface_prefix"
#define NETWORK_OPT_MODE4      "com.docker.network.bridge.gateway_mode_ipv4"
#define NETWORK_OPT_MODE6      "com.docker.network.bridge.gateway_mode_ipv6"
#define NETWORK_OPT_SPOOF      "kogge.bridge.spoof_check"

/* -- network-make.c ------------------------------------------------------------------------------
 */

/* Checks SPEC, chooses what it leaves open, and writes the row, in one transaction. */
int network_make(struct engine *en, const struct network_spec *spec, struct network *ret,
		 struct err *e);

/* -- network.c -----------------------------------------------------------------------------------
 */

/* Takes the tables of rules away where no container of any store is on a network. */
void network_rules_sweep(struct net_session *s);

/* -- network-endpoint.c: containers on networks --------------------------------------------------
 */

/* A container's endpoint while it runs. */
struct endpoint {
	struct network net;
	struct spec_endpoint asked;
	int position;
	char id[ID_SIZE];       /* "" while the container does not run */
	struct net_endpoint at; /* as the kernel is to have it */
	struct net_ip *link_local;
	struct net_port *ports;
	bool live; /* the container runs */
	bool gone; /* the network was removed meanwhile */
};

/* All endpoints of a container; arena has what they point to. */
struct endpoints {
	struct arena arena;
	struct endpoint *v;
	size_t n;
};

#define ENDPOINTS_INIT ((struct endpoints){.arena = ARENA_INIT})

void endpoints_done(struct endpoints *eps);

/* Whether the container has endpoints: then, and only then, are their rows looked at. */
bool container_has_endpoints(const struct container *c);

/* Checks what a new container asks of networks and finds them: default mode, exposed ports (with
 * the image's), endpoints by the networks' IDs. Nothing is written but one of the three networks.
 */
struct image_run;
int container_network_merge(struct engine *en, struct container *c, const struct image_run *image,
			    struct err *e);

/* Writes the endpoints of a new container, in the transaction that makes it. */
int endpoints_create(struct engine *en, const struct container *c, struct err *e);

/* Writes one more endpoint of an existing container, which does not run on it yet. */
int endpoint_add_asked(struct engine *en, const struct container *c, const struct network *n,
		       const struct spec_endpoint *asked, struct err *e);

/* Reads the endpoints of the container as they are. */
int endpoints_load(struct engine *en, const struct container *c, struct endpoints *ret,
		   struct err *e);
/* The addresses of a row on its network N; family 0 where it has none. */
void endpoint_addresses(const struct endpoint_row *row, const struct network *n,
			struct net_ip *ret4, struct net_ip *ret6);
int endpoint_from_row(struct engine *en, const struct endpoint_row *row, struct arena *a,
		      struct endpoint *ep, struct err *e);

/* For a start: takes addresses and ports of all endpoints. */
int endpoints_take(struct engine *en, const struct container *c, struct endpoints *ret,
		   struct err *e);

/* Address and names of one endpoint, which will be the interface INDEX of the container; in the
 * caller's transaction, which endpoint_write_live then writes to. */
int endpoint_take_one(struct engine *en, const struct container *c, struct endpoint *ep, int index,
		      struct err *e);
int endpoint_write_live(struct engine *en, const struct container *c, const struct endpoint *ep,
			struct err *e);

/* The default route goes over it. */
void endpoint_put_gateways(struct endpoint *ep);

/* Which endpoint has the default route: the highest priority, else the first by name, as Docker.
 * -1: none. */
int endpoints_gateway(const struct endpoints *eps);

/* Joins the network namespace to all of them, and to the resolver. Asks nothing of the store: it
 * runs in the process that becomes the monitor. RUN_DIR is the run root. */
int endpoints_attach(const struct endpoints *eps, int run_dir, int netns, struct err *e);

/* Links and rules of those that are live go. Whether there were any; -1. */
int endpoints_detach(struct net_session *s, const struct endpoints *eps, struct err *e);

/* Ends them: links and rules go, then addresses and ports are free again. Does nothing for a
 * container that has none. */
int endpoints_release(struct engine *en, const struct container *c, struct err *e);

/* Tells of their beginning. */
void endpoints_tell(struct engine *en, const struct container *c, const struct endpoints *eps);

/* "tcp", "udp", "sctp". */
const char *endpoint_protocol_name(int protocol);

/* -- network-step.c: steps of a build ------------------------------------------------------------
 */

/* Puts C, a step of a build which has no row, on the network that its spec names, or on the default
 * one: its spec gets an endpoint, and that an address. The step's run directory is there before,
 * and goes after step_network_end. */
int step_network_take(struct engine *en, struct container *c, struct endpoints *ret, struct err *e);

/* Takes what has the ID of a step from its networks. */
int step_network_end(struct engine *en, const char *id, struct err *e);

/* Whether the row is that of a step. */
bool endpoint_row_is_step(const struct endpoint_row *row);

/* Ends the ROWS of steps whose run directory is gone: whoever built was killed. */
void step_networks_sweep(struct engine *en, const struct endpoint_row *rows, size_t n);

/* -- container-files.c ---------------------------------------------------------------------------
 */

/* Whether it is on a network that a user made: then it has names and asks our resolver. */
bool endpoints_have_names(const struct endpoints *eps);

/* Writes the resolv.conf of a running container anew, in place: it is mounted. */
int container_resolv_update(const struct container *c, const struct endpoints *eps, int run_dir,
			    struct err *e);

/* The lines of /etc/hosts for the container itself on the endpoint's network. */
struct buf;
int container_hosts_line(const struct container *c, const struct endpoint *ep, struct buf *out);

/* -- network-keeper.c: telling the keeper (design/0095) ------------------------------------------
 */

/* Starts the keeper where it does not live. For who has taken endpoints. */
int keeper_need(struct engine *en, struct err *e);
/* Has it make the resolver's sockets in NETNS for the container ID, and waits until names resolve
 * there. RUN_DIR is the run root. */
int keeper_register(int run_dir, const char *id, int netns, struct err *e);
/* Tells it that endpoints have changed. Never fails: it may be gone. */
void keeper_poke(int run_dir);

/* Takes what is left after a change of the rules, so that nobody waits for it: the link LINK of the
 * host goes where it is not gone by itself (NULL: there is none), and the session's socket to
 * nftables is closed in a moment (design/0120). S may be NULL. */
void keeper_drop(int run_dir, const char *link, struct net_session *s);
/* For the keeper: takes its socket away, under the database's write lock. */
void keeper_leave(int run_dir);

/* What is said to it over <run root>/keeper. */
enum keeper_kind { KEEPER_POKE = 1, KEEPER_REGISTER, KEEPER_DROP };
struct keeper_msg {
	uint32_t kind;
	char id[ID_SIZE]; /* of a container; KEEPER_DROP: a link's name, or "" */
};

/* How it answers KEEPER_REGISTER: an err whose class says whether it worked. */

/* -- network-view.c: for inspect and ps ----------------------------------------------------------
 */

/* The names by which it is found on the endpoint's network: its own, aliases, short ID, host name.
 * A vector in A, or NULL. */
const char **endpoint_names(const struct container *c, const struct endpoint *ep, struct arena *a);

#endif
