/* SPDX-License-Identifier: Apache-2.0 */
/* A step of a build on the default network, or on the one that the build was given. It has an
 * address as a container has one, taken by a row that tells by its position that no container
 * belongs to it. Who ends the row of a build that was killed is the keeper: the step's run
 * directory is gone by then (build-watch.h). */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/build-watch.h"
#include "engine/network-internal.h"

#include <errno.h>
#include <fcntl.h>

#define STEP_POSITION (-1)

bool endpoint_row_is_step(const struct endpoint_row *row)
{
	return row->position == STEP_POSITION;
}

static int put_row(struct engine *en, const struct container *c, struct err *e)
{
	const struct endpoint_row row = {.container = c->id,
					 .network = c->spec.endpoints[0].network,
					 .position = STEP_POSITION,
					 .id = "",
					 .doc = "{}"};

	return endpoint_put(en->store, &row, e);
}

int step_network_take(struct engine *en, struct container *c, struct endpoints *ret, struct err *e)
{
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	struct spec_endpoint *asked = arena_array(&c->spec.arena, 1, sizeof(*asked));
	struct err ignored = ERR_INIT;
	const char *name = container_has_endpoints(c) ? c->spec.network.ref : "bridge";

	if (network_load(en, name, &n, e) < 0)
		return -1;
	if (asked)
		asked->network = arena_strdup(&c->spec.arena, n.id);
	if (!asked || !asked->network)
		return err_errno(e, ENOMEM, "connecting a step");
	c->spec.network = (struct spec_ns){SPEC_NS_NAMED, name};
	c->spec.endpoints = asked;
	c->spec.n_endpoints = 1;
	if (put_row(en, c, e) < 0)
		return -1;
	if (endpoints_take(en, c, ret, e) == 0)
		return 0;
	(void)endpoint_delete_all(en->store, c->id, &ignored);
	return -1;
}

int step_network_end(struct engine *en, const char *id, struct err *e)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	struct container c = CONTAINER_INIT;

	snprintf(c.id, sizeof(c.id), "%s", id);
	if (endpoints_load(en, &c, &eps, e) < 0 || endpoints_detach(&s, &eps, e) < 0 ||
	    endpoint_delete_all(en->store, id, e) < 0)
		return -1;
	for (size_t i = 0; i < eps.n; i++)
		if (eps.v[i].live && !eps.v[i].gone)
			keeper_drop(store_run_fd(en->store), eps.v[i].at.host_link, &s);
	return 0;
}

void step_networks_sweep(struct engine *en, const struct endpoint_row *rows, size_t n)
{
	_cleanup_(fd_close) int dir =
		path_open_own(store_run_fd(en->store), BUILD_RUN_DIR, O_PATH | O_DIRECTORY, 0);
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		_cleanup_(fd_close) int step = -1;

		if (!endpoint_row_is_step(&rows[i]))
			continue;
		step = dir < 0 ? dir : path_open_own(dir, rows[i].container, O_PATH, 0);
		if (step == -ENOENT)
			(void)step_network_end(en, rows[i].container, &ignored);
	}
}
