/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of `ps`, checked and resolved once, then asked for each container. */
#ifndef KOGGE_CLI_PS_FILTER_H
#define KOGGE_CLI_PS_FILTER_H

#include "cli/cli.h"

#include <jansson.h>

struct ps_filter;

/* Checks the values in FILTERS (of --filter) and resolves what they name. NULL with E set in
 * Docker's words. It lives in the context's arena, and needs ps_filter_done. */
struct ps_filter *ps_filter_new(struct cli_context *c, const struct cli_list *filters,
				struct err *e);
void ps_filter_done(struct ps_filter **f);

/* Whether containers of every state are to be looked at: a status was asked for. */
bool ps_filter_wants_all(const struct ps_filter *f);

/* Whether ROW, an element of container_list, is selected. */
bool ps_filter_match(const struct ps_filter *f, const json_t *row);

#endif
