/* SPDX-License-Identifier: Apache-2.0 */
/* Networks over a device of the host: containers are on its segment with addresses of their own.
 * The kernel lets them not talk to the host itself over it. Without a parent (--internal) a dummy
 * device is made, which connects containers with each other alone. */
#include "base/str.h"
#include "kernel/rtnl.h"
#include "net/net-internal.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

enum { DUMMY_DIGITS = 12 };

static const unsigned modes[] = {
	[NET_MACVLAN_BRIDGE] = MACVLAN_MODE_BRIDGE,
	[NET_MACVLAN_PRIVATE] = MACVLAN_MODE_PRIVATE,
	[NET_MACVLAN_VEPA] = MACVLAN_MODE_VEPA,
	[NET_MACVLAN_PASSTHRU] = MACVLAN_MODE_PASSTHRU,
};

/* The parent's name; "dm-" and digits for the dummy, as Docker calls it. */
static const char *parent_of(const struct net *n, char out[NET_LINK_SIZE])
{
	if (n->link[0])
		return n->link;
	snprintf(out, NET_LINK_SIZE, "dm-%.*s", DUMMY_DIGITS, n->id);
	return out;
}

static int make_dummy(int sock, const char *name, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	const struct rtnl_new new = {.name = name};
	struct nl_fault f;
	int r;

	rtnl_add_dummy(&b, &new);
	r = nl_run(sock, &b, &f);
	if (r < 0 && r != -EEXIST)
		return net_fault(&f, "making a dummy device", e);
	rtnl_set_up(&b, name, true);
	return nl_run(sock, &b, &f) < 0 ? net_fault(&f, "bringing up a dummy device", e) : 0;
}

static int find_parent(struct net_session *s, const struct net *n, struct rtnl_link *ret,
		       struct err *e)
{
	char name[NET_LINK_SIZE];
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	r = rtnl_link_find(sock, parent_of(n, name), ret);
	if (r == -ENODEV && !n->link[0]) {
		if (make_dummy(sock, parent_of(n, name), e) < 0)
			return -1;
		r = rtnl_link_find(sock, parent_of(n, name), ret);
	}
	if (r == -ENODEV) {
		err_set(e, ERR_NOT_FOUND, 0, "there is no device %s", parent_of(n, name));
		return err_hint(e, "name one that 'ip link' shows by --opt parent=DEVICE");
	}
	return r < 0 ? err_errno(e, r, "finding device %s", parent_of(n, name)) : 0;
}

static int macvlan_up(struct net_session *s, const struct net *n, struct err *e)
{
	struct rtnl_link l;

	return find_parent(s, n, &l, e);
}

static int macvlan_down(struct net_session *s, const struct net *n, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	char name[NET_LINK_SIZE];
	struct nl_fault f;
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	if (n->link[0])
		return 0;
	rtnl_delete(&b, parent_of(n, name));
	r = nl_run(sock, &b, &f);
	return r < 0 && r != -ENODEV ? net_fault(&f, "removing the dummy device", e) : 0;
}

static int macvlan_detach(struct net_session *s, const struct net *n, const struct net_endpoint *p,
			  int netns, struct err *e)
{
	(void)s;
	(void)n;
	return netns < 0 ? 0 : net_inside_remove(p, netns, e);
}

static int make_link(struct net_session *s, const struct net *n, const struct net_endpoint *p,
		     int netns, struct err *e)
{
	_cleanup_(nl_batch_done) struct nl_batch b = NL_BATCH_INIT;
	struct rtnl_link parent;
	struct rtnl_new new = {.name = p->link,
			       .mac = p->mac,
			       .mtu = n->mtu,
			       .mode = modes[n->macvlan_mode],
			       .netns = netns};
	struct nl_fault f;
	int r;

	if (find_parent(s, n, &parent, e) < 0)
		return -1;
	new.parent = parent.index;
	rtnl_add_macvlan(&b, &new);
	r = nl_run(s->route, &b, &f);
	if (r == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "this kernel has no macvlan links (CONFIG_MACVLAN, module macvlan)");
	if (r == -EEXIST)
		return err_set(e, ERR_EXISTS, 0, "the container has a link %s already", p->link);
	return r < 0 ? net_fault(&f, "making a macvlan link", e) : 0;
}

static int macvlan_attach(struct net_session *s, const struct net *n, const struct net_endpoint *p,
			  int netns, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (make_link(s, n, p, netns, e) < 0)
		return -1;
	if (net_inside(s, n, p, netns, e) == 0)
		return 0;
	net_inside_remove(p, netns, &ignored);
	return -1;
}

static int macvlan_status(struct net_session *s, const struct net *n, struct net_state *ret,
			  struct err *e)
{
	char name[NET_LINK_SIZE];
	struct rtnl_link l;
	int sock = net_session_route(s, e), r;

	if (sock < 0)
		return -1;
	r = rtnl_link_find(sock, parent_of(n, name), &l);
	ret->link_up = r == 0 && l.up;
	ret->mtu = r == 0 ? l.mtu : 0;
	return r < 0 && r != -ENODEV ? err_errno(e, r, "finding device %s", name) : 0;
}

const struct net_driver_ops net_macvlan_ops = {
	.up = macvlan_up,
	.down = macvlan_down,
	.attach = macvlan_attach,
	.detach = macvlan_detach,
	.status = macvlan_status,
};
