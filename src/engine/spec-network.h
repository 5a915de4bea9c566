/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a container_spec that are about networks, as JSON: in Docker's form where it is
 * shown, and as the rows of endpoints have them (docs/formats/kogge-db.md). */
#ifndef KOGGE_ENGINE_SPEC_NETWORK_H
#define KOGGE_ENGINE_SPEC_NETWORK_H

#include "base/json.h"
#include "engine/container-spec.h"

/* Docker's PortBindings: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}. A new reference. */
json_t *spec_ports_json(const struct spec_port *v, size_t n);

/* Reads them; 1, 0 where absent, -1 with E. */
int spec_ports_read(const struct json_reader *r, const char *key, const struct spec_port **ret,
		    size_t *ret_n, struct err *e);

/* An endpoint without its network: Aliases, IPv4Address, IPv6Address, LinkLocalIPs, MacAddress,
 * DriverOpts, GwPriority, each where it was given. A new reference. */
json_t *spec_endpoint_json(const struct spec_endpoint *ep);

/* Reads TEXT, which spec_endpoint_json made; strings in A. */
int spec_endpoint_read(struct arena *a, const char *text, struct spec_endpoint *ret, struct err *e);

/* "8080-8090" or "80": the two ends. "" gives 0 and 0. -1 where it is none. */
int spec_port_range(const char *s, uint16_t *ret_first, uint16_t *ret_last);

/* Whether S is 12 hexadecimal digits in pairs. RET, which may be NULL, gets the bytes. */
bool spec_mac_parse(const char *s, unsigned char ret[6]);

#endif
