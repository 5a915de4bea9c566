/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run`, `create` and `network connect` that are about networks, in Docker's words.
 */
#ifndef KOGGE_CLI_RUN_NETWORK_H
#define KOGGE_CLI_RUN_NETWORK_H

#include "cli/cli.h"

struct container_spec;
struct spec_endpoint;
struct run_opts;

/* Fills what the spec has of networks. */
int run_network(const struct run_opts *o, struct container_spec *s, struct err *e);

/* "[IP:][HOST[-HOST]:]PORT[-PORT][/PROTO]": for option tables. */
int run_check_publish(const char *value, struct err *e);
int run_check_expose(const char *value, struct err *e);
int run_check_ip(const char *value, struct err *e);
int run_check_dns_search(const char *value, struct err *e);

/* Checks the addresses of an endpoint that was given by single options. */
int run_check_endpoint(const struct spec_endpoint *ep, struct err *e);

#endif
