/* SPDX-License-Identifier: Apache-2.0 */
/* network connect and disconnect: rows alone where the container does not run, else links too. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/network-internal.h"
#include "kernel/ns.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_ = 4096, HOSTS_MAX = 1 << 20, INTERFACES_MAX = 256 };

static int open_netns(const struct container *c, struct err *e)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	int ns = proc < 0 ? proc : ns_open(proc, c->pid, CLONE_NEWNET);

	return ns < 0 ? err_errno(e, ns, "opening the network namespace of container %s", c->name)
		      : ns;
}

static int check_mode(const struct container *c, const struct network *n, bool connect,
		      struct err *e)
{
	if (c->spec.network.mode == SPEC_NS_HOST || n->net.driver == NET_HOST)
		return err_set(e, ERR_DENIED, 0,
			       "container cannot be disconnected from host network or connected to "
			       "host network");
	if (c->spec.network.mode == SPEC_NS_CONTAINER)
		return err_set(e, ERR_DENIED, 0,
			       "container sharing network namespace with another container or host "
			       "cannot be connected to any other network");
	if (connect && (!container_has_endpoints(c) || n->net.driver == NET_NONE))
		return err_set(e, ERR_DENIED, 0,
			       "container cannot be connected to multiple networks with one of the "
			       "networks in private (none) mode");
	return 0;
}

/* ---- /etc/hosts of one that runs: it is mounted, so it is changed in place ---- */

static int add_hosts(struct engine *en, const struct container *c, const struct endpoint *ep,
		     struct err *e)
{
	_cleanup_(fd_close) int dir = container_run_dir(en, c->id, false, e);
	_cleanup_(fd_close) int fd =
		dir < 0 ? -1 : path_open_own(dir, "hosts", O_WRONLY | O_APPEND, 0);
	_cleanup_(buf_done) struct buf line = BUF_INIT(LINE_MAX_);
	int r;

	if (dir < 0)
		return -1;
	r = fd < 0 ? fd : container_hosts_line(c, ep, &line);
	if (r >= 0)
		r = fd_write_full(fd, line.data, line.len);
	return r < 0 ? err_errno(e, r, "changing /etc/hosts of container %s", c->name) : 0;
}

static int remove_hosts(struct engine *en, const struct container *c, const struct endpoint *ep,
			struct err *e)
{
	_cleanup_(fd_close) int dir = container_run_dir(en, c->id, false, e);
	_cleanup_(fd_close) int fd = dir < 0 ? -1 : path_open_own(dir, "hosts", O_RDWR, 0);
	_cleanup_(buf_done) struct buf line = BUF_INIT(LINE_MAX_), text = BUF_INIT(HOSTS_MAX);
	char *at;
	int r;

	if (dir < 0)
		return -1;
	r = fd < 0 ? fd : container_hosts_line(c, ep, &line);
	if (r >= 0)
		r = fd_read_all(fd, &text, HOSTS_MAX - 1);
	at = r < 0 || !line.len ? NULL : strstr(buf_str(&text), buf_str(&line));
	if (at) {
		size_t rest = text.len - (size_t)(at - text.data) - line.len;

		memmove(at, at + line.len, rest);
		text.len -= line.len;
		if (lseek(fd, 0, SEEK_SET) < 0 || ftruncate(fd, 0) < 0)
			r = -errno;
		else
			r = fd_write_full(fd, text.data, text.len);
	}
	return r < 0 ? err_errno(e, r, "changing /etc/hosts of container %s", c->name) : 0;
}

static int update_resolv(struct engine *en, const struct container *c, const struct endpoints *eps,
			 struct err *e)
{
	_cleanup_(fd_close) int dir = container_run_dir(en, c->id, false, e);

	return dir < 0 ? -1 : container_resolv_update(c, eps, dir, e);
}

/* ---- connect ---- */

static bool has_link(const struct endpoints *eps, const char *link)
{
	for (size_t i = 0; i < eps->n; i++)
		if (eps->v[i].live && str_eq(eps->v[i].at.link, link))
			return true;
	return false;
}

/* The first ethN that the container does not have. */
static int take_link(struct engine *en, const struct container *c, struct endpoints *eps,
		     struct endpoint *ep, struct err *e)
{
	for (int i = 0; i < INTERFACES_MAX; i++) {
		char name[NET_LINK_SIZE];

		(void)snprintf(name, sizeof(name), "eth%d", i);
		if (!has_link(eps, name))
			return endpoint_take_one(en, c, ep, i, e);
	}
	return err_set(e, ERR_LIMIT, 0, "container %s is on too many networks", c->name);
}

static struct endpoint *find(struct endpoints *eps, const char *network)
{
	for (size_t i = 0; i < eps->n; i++)
		if (str_eq(eps->v[i].net.id, network))
			return &eps->v[i];
	return NULL;
}

/* Whoever has the default route keeps it. */
static bool has_gateway(const struct endpoints *eps)
{
	for (size_t i = 0; i < eps->n; i++)
		if (eps->v[i].at.gateway4.family || eps->v[i].at.gateway6.family)
			return true;
	return false;
}

/* Rows in one transaction. Where the container runs its links come after it. */
static int connect_rows(struct engine *en, const struct container *c, const struct network *n,
			const struct spec_endpoint *asked, struct endpoints *ret, struct err *e)
{
	struct endpoint *ep;

	if (endpoint_add_asked(en, c, n, asked, e) < 0)
		return -1;
	if (c->state != ENGINE_RUNNING)
		return 0;
	if (endpoints_load(en, c, ret, e) < 0)
		return -1;
	ep = find(ret, n->id);
	if (!ep || take_link(en, c, ret, ep, e) < 0)
		return -1;
	if (!has_gateway(ret) && endpoints_gateway(ret) == (int)(ep - ret->v))
		endpoint_put_gateways(ep);
	return endpoint_write_live(en, c, ep, e);
}

static int connect_links(struct engine *en, const struct container *c, const struct network *n,
			 struct endpoints *eps, struct err *e)
{
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	_cleanup_(fd_close) int netns = open_netns(c, e);
	struct endpoint *ep = find(eps, n->id);

	if (netns < 0 || net_attach(&s, &n->net, &ep->at, netns, e) < 0)
		return -1;
	if (keeper_need(en, e) < 0 ||
	    (endpoints_have_names(eps) &&
	     keeper_register(store_run_fd(en->store), c->id, netns, e) < 0))
		return -1;
	if (add_hosts(en, c, ep, e) < 0)
		return -1;
	return update_resolv(en, c, eps, e);
}

int network_connect(struct engine *en, const char *ref, const char *container,
		    const struct spec_endpoint *asked, struct err *e)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	struct err ignored = ERR_INIT;

	if (network_load(en, ref, &n, e) < 0 || container_load_now(en, container, &c, e) < 0 ||
	    check_mode(&c, &n, true, e) < 0)
		return -1;
	if (store_begin(en->store, false, e) < 0)
		return -1;
	if (connect_rows(en, &c, &n, asked, &eps, e) < 0) {
		store_abort(en->store);
		return -1;
	}
	if (store_commit(en->store, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING)
		return 0;
	if (connect_links(en, &c, &n, &eps, e) < 0) {
		(void)network_disconnect(en, n.id, c.id, true, &ignored);
		return -1;
	}
	network_event(en, &n, "connect", c.id);
	return 0;
}

/* ---- disconnect ---- */

/* Another network takes the default route over, where this one had it. */
static int settle_rest(struct engine *en, const struct container *c, struct net_session *s,
		       int netns, struct err *e)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	struct endpoint *ep;
	int i;

	if (endpoints_load(en, c, &eps, e) < 0 || update_resolv(en, c, &eps, e) < 0)
		return -1;
	i = endpoints_gateway(&eps);
	if (i < 0 || eps.v[i].at.gateway4.family || eps.v[i].at.gateway6.family)
		return 0;
	ep = &eps.v[i];
	endpoint_put_gateways(ep);
	if (net_default_route(s, &ep->at, netns, e) < 0)
		return -1;
	return endpoint_write_live(en, c, ep, e);
}

static int disconnect_live(struct engine *en, const struct container *c, struct endpoint *ep,
			   struct err *e)
{
	_cleanup_(net_session_done) struct net_session s = NET_SESSION_INIT;
	_cleanup_(fd_close) int netns = open_netns(c, e);

	if (netns < 0)
		return -1;
	if (!ep->gone && net_detach(&s, &ep->net.net, &ep->at, netns, e) < 0)
		return -1;
	if (remove_hosts(en, c, ep, e) < 0 || endpoint_delete(en->store, c->id, ep->net.id, e) < 0)
		return -1;
	if (ep->at.n_ports && ports_release(en->store, c->id, e) < 0)
		return -1;
	keeper_poke(store_run_fd(en->store));
	return settle_rest(en, c, &s, netns, e);
}

int network_disconnect(struct engine *en, const char *ref, const char *container, bool force,
		       struct err *e)
{
	_cleanup_(endpoints_done) struct endpoints eps = ENDPOINTS_INIT;
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	struct endpoint *ep;

	if (network_load(en, ref, &n, e) < 0 || container_load_now(en, container, &c, e) < 0 ||
	    check_mode(&c, &n, false, e) < 0)
		return -1;
	if (container_has_endpoints(&c) && endpoints_load(en, &c, &eps, e) < 0)
		return -1;
	ep = find(&eps, n.id);
	if (!ep)
		return force ? 0
			     : err_set(e, ERR_CONFLICT, 0,
				       "container %s is not connected to network %s", c.name,
				       n.name);
	if (c.state == ENGINE_RUNNING && ep->live) {
		if (disconnect_live(en, &c, ep, e) < 0)
			return -1;
	} else if (endpoint_delete(en->store, c.id, n.id, e) < 0) {
		return -1;
	}
	network_event(en, &n, "disconnect", c.id);
	return 0;
}
