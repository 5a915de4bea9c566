/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "net/net-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void net_session_done(struct net_session *s)
{
	fd_close(&s->route);
	fd_close(&s->nft);
	fd_close(&s->proc);
}

static int open_once(int *fd, int protocol, const char *what, struct err *e)
{
	int r;

	if (*fd >= 0)
		return *fd;
	r = nl_open(protocol);
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT)
		return err_set(e, ERR_UNSUPPORTED, -r, "this kernel has no %s", what);
	if (r < 0)
		return err_errno(e, r, "opening a socket for %s", what);
	*fd = r;
	return r;
}

int net_session_route(struct net_session *s, struct err *e)
{
	return open_once(&s->route, NETLINK_ROUTE, "rtnetlink", e);
}

int net_session_nft(struct net_session *s, struct err *e)
{
	return open_once(&s->nft, NETLINK_NETFILTER, "nfnetlink", e);
}

int net_fault(const struct nl_fault *f, const char *what, struct err *e)
{
	if (f->errnum == -EOPNOTSUPP || f->errnum == -EPROTONOSUPPORT)
		return err_set(e, ERR_UNSUPPORTED, f->errnum,
			       "%s: this kernel lacks what it takes%s%s", what,
			       f->text[0] ? ": " : "", f->text);
	if (f->text[0])
		return err_errno(e, f->errnum, "%s: %s", what, f->text);
	return err_errno(e, f->errnum, "%s", what);
}

static int open_proc(struct net_session *s)
{
	if (s->proc < 0)
		s->proc = proc_open(0);
	return s->proc;
}

bool net_sysctl_is(struct net_session *s, const char *name, const char *value)
{
	_cleanup_(freep) char *now = NULL;

	return open_proc(s) >= 0 && proc_sysctl_read(s->proc, name, &now) == 0 &&
	       strcmp(now, value) == 0;
}

static int write_sysctl(struct net_session *s, const char *name, const char *value)
{
	if (net_sysctl_is(s, name, value))
		return 0;
	return s->proc < 0 ? s->proc : proc_sysctl_write(s->proc, name, value);
}

int net_sysctl(struct net_session *s, const char *name, const char *value, struct err *e)
{
	int r = write_sysctl(s, name, value);

	return r < 0 ? err_errno(e, r, "setting %s to %s", name, value) : 0;
}

int net_sysctl_link(struct net_session *s, const struct net_link_sysctl *c, struct err *e)
{
	char name[96];
	int r;

	/* With slashes, because names of links may have dots. */
	snprintf(name, sizeof(name), "net/%s/conf/%s/%s", c->family, c->link, c->key);
	r = write_sysctl(s, name, c->value);
	if (r == -ENOENT && strcmp(c->family, "ipv6") == 0)
		return 0;
	return r < 0 ? err_errno(e, r, "setting %s to %s", name, c->value) : 0;
}
