/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, and what containers have of them: endpoints (a container on a network), addresses and
 * ports of the host. The tables decide who has an address, a port or a subnet: unique keys, taken
 * in the transaction of whoever starts a container, given back by whoever ends it. What a killed
 * process leaves belongs to a container, whose row leads the next command to it
 * (engine_reconcile). */
#ifndef KOGGE_STORE_NETWORK_STORE_H
#define KOGGE_STORE_NETWORK_STORE_H

#include "base/err.h"
#include "base/id.h"

struct arena;
struct store;

struct network_row {
	const char *id, *name, *driver;
	const char *link;    /* the bridge's interface; NULL where there is none */
	const char *subnets; /* what it has of the address space: "10.1.0.0/16 fd00::/64"; "" */
	int64_t created;     /* Unix nanoseconds */
	const char *doc;     /* the engine's JSON */
};

/* Adds the row. ERR_CONFLICT ("network with name X already exists") where the name is taken, or the
 * link ("... interface name ..."). */
int network_row_add(struct store *s, const struct network_row *row, struct err *e);

/* Finds a network as Docker does: whole ID, name, unique prefix of an ID. Strings live in A.
 * ERR_NOT_FOUND ("network X not found"), ERR_INVALID where the prefix is ambiguous. */
int network_row_get(struct store *s, const char *ref, struct arena *a, struct network_row *ret,
		    struct err *e);

/* All rows in the order of their making. */
int network_rows(struct store *s, struct arena *a, struct network_row **ret, size_t *ret_n,
		 struct err *e);

/* Removes the row: 1, or 0 where there was none. */
int network_row_delete(struct store *s, const char *id, struct err *e);

/* A container on a network. While the container does not run it has no address. */
struct endpoint_row {
	const char *container, *network; /* IDs */
	int position;     /* the first one is 0; -1: a step of a build, no container */
	const char *id;   /* of the endpoint; "" while the container does not run */
	int64_t ip4;      /* as a number in the host's order; 0: none */
	const char *ip6;  /* 32 hexadecimal digits; NULL: none */
	const char *doc;  /* the engine's JSON: what was asked for */
	const char *live; /* the engine's JSON: what it has; NULL while it does not run */
	const char *name; /* of the container, "" for a step; endpoints_all_live alone */
};

/* Adds the row, or changes it. ERR_CONFLICT ("address already in use") where another endpoint of
 * the network has an address. */
int endpoint_put(struct store *s, const struct endpoint_row *row, struct err *e);

/* Takes the container from the network: 1, or 0 where it was not on it. */
int endpoint_delete(struct store *s, const char *container, const char *network, struct err *e);

/* Takes the container from all networks. */
int endpoint_delete_all(struct store *s, const char *container, struct err *e);

/* Gives the addresses and ports of the container back; its endpoints stay. */
int endpoint_release(struct store *s, const char *container, struct err *e);

/* The endpoints of a container in their order, or of a network. */
int endpoints_of_container(struct store *s, const char *container, struct arena *a,
			   struct endpoint_row **ret, size_t *ret_n, struct err *e);
int endpoints_of_network(struct store *s, const char *network, struct arena *a,
			 struct endpoint_row **ret, size_t *ret_n, struct err *e);

/* Those of all containers that run, network by network. */
int endpoints_all_live(struct store *s, struct arena *a, struct endpoint_row **ret, size_t *ret_n,
		       struct err *e);

/* How many containers that run are on the network. -1 with E. */
int64_t endpoints_live(struct store *s, const char *network, struct err *e);

/* Whether any container that runs is on a network: 1, 0, -1. Where one is, this costs the same
 * however many there are. */
int endpoints_any_live(struct store *s, struct err *e);

/* A free address of the network from LOW to HIGH: the one after the highest in use, else the first
 * that is free. 1, 0 where there is none, -1. */
int endpoint_free_ip4(struct store *s, const char *network, int64_t low, int64_t high, int64_t *ret,
		      struct err *e);

/* Whether an endpoint of the network has the address: 1, 0, -1. */
int endpoint_has_ip4(struct store *s, const char *network, int64_t ip4, struct err *e);
int endpoint_has_ip6(struct store *s, const char *network, const char *ip6, struct err *e);

/* Gives the container's ports back. */
int ports_release(struct store *s, const char *container, struct err *e);

/* A port of the host. IP is "0.0.0.0", "::" or an address. */
struct port_row {
	const char *container, *proto, *ip;
	int port;
};

/* Takes the port for the container: 1; 0 where another container has it, or one that overlaps,
 * whose name RET_OWNER then gets (in A). */
int port_take(struct store *s, const struct port_row *row, struct arena *a, const char **ret_owner,
	      struct err *e);

#endif
