/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper. It owns the sockets by which containers ask for names, and the resolver, a child
 * without rights that serves them (net/resolver.h).
 *
 *   a container starts   makes its sockets in its namespace, tells the resolver, answers
 *   endpoints changed    tells the resolver the new table
 *   the resolver dies    another one gets table and sockets: only questions under way are lost
 *   rules are flushed    puts them back
 *   nobody is left       ends, under the database's write lock (network-keeper.c)
 *
 * All who wait are served by one look at the database: that has a row for each container, and
 * many starts at once would cost the square of their number.
 *
 * A keeper that was killed is followed by the one of the next command that needs it, which finds
 * all in the database and makes the sockets anew. */
#include "engine/network-keep.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/proc.h"
#include "kernel/rlimit.h"
#include "net/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	TABLE_MAX = 64 << 20,
	NOBODY = 65534,
	ANSWER_MS = 5000,
	PEER_S = 2,
	RETRY_MS = 1000,
	/* It stays for the next container for so long: whoever runs one after the other pays for
	 * bridge and keeper once. */
	LINGER_MS = 2000,
	DROP_MS = 250,
	PEERS_MAX = 32,
	/* Two sockets for each container, here and in the resolver. */
	FILES_MAX = 1 << 20
};

/* What a start or an end leaves. A link: the kernel removes it with the container's namespace,
 * unless somebody else still has that. A socket to nftables: who closes one while the kernel frees
 * what was removed waits for that, and so do all who change rules. */
struct dropped {
	struct dropped *next;
	char link[NET_LINK_SIZE]; /* or "" */
	int nft;                  /* or -1 */
	int64_t since;
};

/* The sockets of one container. */
struct kept {
	struct kept *next;
	char id[ID_SIZE];
	int fds[2];
	bool seen;
};

struct keeper {
	struct engine *en;
	struct kept *kept;
	struct dropped *dropped; /* the last one first */
	struct net_session session;
	struct net_watch watch;
	struct process resolver;
	int control; /* of the resolver */
	int sock, lock;
	bool retry;   /* something is to be tried again in a moment */
	int64_t idle; /* since when nobody is there (monotonic); 0: somebody is */
};

/* ---- the resolver ---- */

/* Everything but the control socket goes; then what rights there are. */
static _noreturn_ void be_resolver(int control)
{
	_cleanup_(fd_close) int low = fcntl(control, F_DUPFD_CLOEXEC, 3);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "kogge-resolver");
	if (low < 0 || dup2(low, 3) < 0)
		_exit(1);
	(void)close_range(4, ~0U, 0);
	if (syscall(SYS_setgroups, 0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	_exit(resolver_run(3) < 0);
}

static void resolver_stop(struct keeper *k)
{
	fd_close(&k->control);
	if (k->resolver.pidfd >= 0)
		process_kill(&k->resolver);
	process_done(&k->resolver);
	k->resolver = PROCESS_INIT;
}

static int tell(struct keeper *k, const struct resolver_msg *m, const int *fds, size_t n)
{
	struct pollfd p = {.fd = k->control, .events = POLLIN};
	char answer;
	int r = fd_send(k->control, m, sizeof(*m), fds, n);

	if (r < 0)
		return r;
	if (poll(&p, 1, ANSWER_MS) <= 0)
		return -ETIMEDOUT;
	return recv(k->control, &answer, 1, 0) == 1 ? 0 : -EPIPE;
}

static int tell_sockets(struct keeper *k, const struct kept *c)
{
	struct resolver_msg m = {.kind = RESOLVER_SOCKETS};

	memcpy(m.id, c->id, sizeof(m.id));
	return tell(k, &m, c->fds, 2);
}

static int tell_table(struct keeper *k, const struct buf *table)
{
	const struct resolver_msg m = {.kind = RESOLVER_TABLE};
	_cleanup_(fd_close) int fd = fd_memfd("kogge-names", buf_str(table), table->len, false);

	return fd < 0 ? fd : tell(k, &m, &fd, 1);
}

static int resolver_start(struct keeper *k, const struct buf *table, struct err *e)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "starting the names' resolver");
	pid = ns_fork(0, -1, &k->resolver.pidfd);
	if (pid == 0)
		be_resolver(pair[1]);
	fd_close(&pair[1]);
	k->control = pair[0];
	k->resolver.pid = pid;
	r = pid < 0 ? pid : tell_table(k, table);
	for (const struct kept *c = k->kept; c && r == 0; c = c->next)
		r = tell_sockets(k, c);
	if (r == 0)
		return 0;
	resolver_stop(k);
	return err_errno(e, r, "starting the names' resolver");
}

/* ---- containers ---- */

static void kept_free(struct kept *c)
{
	fd_close(&c->fds[0]);
	fd_close(&c->fds[1]);
	free(c);
}

static struct kept *kept_find(const struct keeper *k, const char *id)
{
	for (struct kept *c = k->kept; c; c = c->next)
		if (str_eq(c->id, id))
			return c;
	return NULL;
}

/* Makes the sockets of the container in NETNS, in place of those that it had. */
static struct kept *keep(struct keeper *k, const char *id, int netns, struct err *e)
{
	struct kept *c = kept_find(k, id);
	int fds[2];

	if (resolver_sockets_make(netns, fds, e) < 0)
		return NULL;
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c) {
			fd_close(&fds[0]);
			fd_close(&fds[1]);
			(void)err_set(e, ERR_LIMIT, ENOMEM, "keeping networks");
			return NULL;
		}
		c->fds[0] = c->fds[1] = -1;
		snprintf(c->id, sizeof(c->id), "%s", id);
		c->next = k->kept;
		k->kept = c;
	}
	fd_close(&c->fds[0]);
	fd_close(&c->fds[1]);
	memcpy(c->fds, fds, sizeof(fds));
	return c;
}

static void drop_unseen(struct keeper *k)
{
	struct kept **at = &k->kept;

	while (*at) {
		struct kept *c = *at;

		if (c->seen) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		kept_free(c);
	}
}

/* A container that runs and whose sockets were another keeper's. */
static void adopt(struct keeper *k, const char *id)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int proc = -1, netns = -1;
	struct err ignored = ERR_INIT;
	struct kept *kept;

	if (container_load(k->en, id, &c, &ignored) < 0 || c.pid <= 0 || c.state != ENGINE_RUNNING)
		return;
	proc = proc_open(0);
	netns = proc < 0 ? proc : ns_open(proc, c.pid, CLONE_NEWNET);
	kept = netns < 0 ? NULL : keep(k, id, netns, &ignored);
	if (kept)
		kept->seen = true;
}

static int compare_kept(const void *a, const void *b)
{
	return strcmp((*(struct kept *const *)a)->id, (*(struct kept *const *)b)->id);
}

/* Those of the list, to be found by ID. */
struct kept_index {
	struct kept **v;
	size_t n;
};

static int kept_sort(const struct keeper *k, struct kept_index *ret)
{
	size_t n = 0;

	for (struct kept *c = k->kept; c; c = c->next)
		n++;
	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (struct kept *c = k->kept; c; c = c->next)
		ret->v[ret->n++] = c;
	qsort(ret->v, n, sizeof(*ret->v), compare_kept);
	return 0;
}

static void kept_index_done(struct kept_index *x)
{
	free(x->v);
}

static struct kept *kept_lookup(const struct kept_index *x, const char *id)
{
	struct kept key = {.next = NULL}, *at = &key;
	struct kept **found;

	snprintf(key.id, sizeof(key.id), "%s", id);
	found = bsearch(&at, x->v, x->n, sizeof(*x->v), compare_kept);
	return found ? *found : NULL;
}

/* Drops the sockets of those that are no more, and makes those of a former keeper anew. */
static int match_kept(struct keeper *k, const struct live *l, struct err *e)
{
	_cleanup_(kept_index_done) struct kept_index index = {.n = 0};
	int r = kept_sort(k, &index);

	if (r < 0)
		return err_errno(e, r, "keeping networks");
	for (struct kept *c = k->kept; c; c = c->next)
		c->seen = false;
	for (size_t i = 0; i < l->n_rows; i++) {
		struct kept *c =
			live_has_names(l, i) ? kept_lookup(&index, l->rows[i].container) : NULL;

		if (c)
			c->seen = true;
		else if (live_has_names(l, i) && k->retry)
			adopt(k, l->rows[i].container);
	}
	drop_unseen(k);
	return 0;
}

/* What is done about the rules: RESTORE makes them anew, MERGE adds to what others have there. */
enum restore { LEAVE, MERGE, RESTORE };

/* Brings all in line with the database. */
static int refresh(struct keeper *k, enum restore restore, struct err *e)
{
	_cleanup_(buf_done) struct buf table = BUF_INIT(TABLE_MAX);
	_cleanup_(live_done) struct live l = LIVE_INIT;

	if (live_load(k->en, &l, e) < 0 || live_table(&l, &table, e) < 0)
		return -1;
	step_networks_sweep(k->en, l.rows, l.n_rows);
	if (match_kept(k, &l, e) < 0)
		return -1;
	if (!k->kept)
		resolver_stop(k);
	else if (k->control >= 0 && tell_table(k, &table) < 0)
		resolver_stop(k);
	if (k->kept && k->control < 0 && resolver_start(k, &table, e) < 0)
		return -1;
	return restore ? live_restore(k->en, &l, &k->session, restore == MERGE, e) : 0;
}

/* Removing a link waits for the kernel: not on anybody's way. Those that were dropped DROP_MS ago,
 * or ALL. */
static void drop_links(struct keeper *k, bool all)
{
	struct dropped **at = &k->dropped;
	int64_t now = clock_monotonic();

	while (*at) {
		struct dropped *d = *at;
		struct err ignored = ERR_INIT;

		if (!all && now - d->since < DROP_MS * INT64_C(1000000)) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		if (d->link[0])
			(void)net_link_drop(&k->session, d->link, &ignored);
		fd_close(&d->nft);
		free(d);
	}
}

static void on_drop(struct keeper *k, const char *link, int *nft)
{
	struct dropped *d = calloc(1, sizeof(*d));

	if (!d)
		return;
	*d = (struct dropped){.next = k->dropped, .nft = TAKE_FD(*nft), .since = clock_monotonic()};
	snprintf(d->link, sizeof(d->link), "%.15s", link);
	k->dropped = d;
}

/* Somebody who came. */
struct peer {
	int fd;
	char id[ID_SIZE]; /* waits for an answer about this container's sockets; "": for none */
	struct err why;
};

static bool peer_take(struct keeper *k, struct peer *p)
{
	const struct timeval patience = {.tv_sec = PEER_S};
	struct keeper_msg m = {.kind = 0};
	_cleanup_(fd_close) int with = -1;

	*p = (struct peer){.fd = accept4(k->sock, NULL, NULL, SOCK_CLOEXEC), .why = ERR_INIT};
	if (p->fd < 0)
		return false;
	(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd_recv(p->fd, &m, sizeof(m), &with, 1) != (ssize_t)sizeof(m))
		return false;
	m.id[sizeof(m.id) - 1] = '\0';
	if (m.kind == KEEPER_DROP)
		on_drop(k, m.id, &with);
	if (m.kind != KEEPER_REGISTER || with < 0)
		return m.kind != KEEPER_DROP;
	snprintf(p->id, sizeof(p->id), "%s", m.id);
	(void)keep(k, p->id, with, &p->why);
	return true;
}

static void peer_answer(struct keeper *k, struct peer *p, const struct err *why)
{
	const struct kept *c = NULL;
	int r;

	if (p->id[0] && p->why.class == ERR_NONE) {
		p->why = *why;
		if (why->class == ERR_NONE)
			/* It is gone where the container ended meanwhile. */
			c = kept_find(k, p->id);
		r = c ? tell_sockets(k, c) : 0;
		if (r < 0)
			(void)err_errno(&p->why, r, "telling the names' resolver");
	}
	if (p->id[0])
		(void)!send(p->fd, &p->why, sizeof(p->why), MSG_NOSIGNAL | MSG_DONTWAIT);
	fd_close(&p->fd);
}

static void on_peers(struct keeper *k)
{
	struct pollfd more = {.fd = k->sock, .events = POLLIN};
	struct peer peers[PEERS_MAX];
	struct err why = ERR_INIT;
	bool more_than_ends = false;
	size_t n = 0;

	do
		more_than_ends |= peer_take(k, &peers[n++]);
	while (n < PEERS_MAX && poll(&more, 1, 0) > 0);
	/* Where nobody has names, nothing is to be read after an end, however many others run. */
	if ((more_than_ends || k->kept) && refresh(k, LEAVE, &why) < 0)
		k->retry = true;
	for (size_t i = 0; i < n; i++)
		peer_answer(k, &peers[i], &why);
}

/* ---- what others break ---- */

/* Somebody has other rules than before: what was put into their chains may be gone, or a chain be
 * new. */
static int pass_others(struct keeper *k, struct err *e)
{
	_cleanup_(live_done) struct live l = LIVE_INIT;

	if (live_load(k->en, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n_nets; i++)
		if (net_rules_pass(&k->session, &l.nets[i].net, e) < 0)
			return -1;
	return 0;
}

/* Puts the rules back where they are known to be gone: to do so takes away what others have there,
 * so that not to know is to ask again. With ALWAYS all the rest is brought in line,
 * too, and where the rules are there, made by a start or another store's keeper, ours are added. */
static int restore_missing(struct keeper *k, bool always, struct err *e)
{
	int present = net_rules_present(&k->session, e);

	if (present < 0)
		return -1;
	if (present && !always)
		return pass_others(k, e);
	return refresh(k, present == 0 ? RESTORE : MERGE, e);
}

static void on_news(struct keeper *k)
{
	int news = net_watch_read(&k->watch, &k->session);
	struct err why = ERR_INIT;

	if (news <= 0)
		return;
	if (restore_missing(k, news & NET_CHANGE_OURS, &why) < 0)
		k->retry = true;
}

static void on_resolver(struct keeper *k)
{
	struct err why = ERR_INIT;

	resolver_stop(k);
	if (refresh(k, LEAVE, &why) < 0)
		k->retry = true;
}

/* ---- its end ---- */

/* The bridge of the default network goes with its last container; others stay until they are
 * removed. */
static void drop_default(struct keeper *k)
{
	_cleanup_(network_done) struct network n = NETWORK_INIT;
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	struct network_row row;
	struct err ignored = ERR_INIT;

	if (network_row_get(k->en->store, "bridge", &a, &row, &ignored) == 0 &&
	    network_from_row(&row, &n, &ignored) == 0)
		(void)net_down(&k->session, &n.net, &ignored);
}

/* 1: nobody is left, and the socket is gone. From there on nobody takes this for a keeper, but they
 * wait for the lock: what it still removes must not meet what a new one makes. */
static int try_end(struct keeper *k, struct err *e)
{
	/* A look costs no lock. */
	int live = endpoints_any_live(k->en->store, e);
	int64_t now = clock_monotonic();

	if (live) {
		k->idle = 0;
		return live < 0 ? -1 : 0;
	}
	if (!k->idle)
		k->idle = now;
	if (now - k->idle < LINGER_MS * INT64_C(1000000))
		return 0;
	if (store_begin(k->en->store, false, e) < 0)
		return -1;
	live = endpoints_any_live(k->en->store, e);
	if (live == 0)
		keeper_leave(store_run_fd(k->en->store));
	store_abort(k->en->store);
	return live < 0 ? -1 : live == 0;
}

/* How long to wait for what happens next. */
static int patience(const struct keeper *k)
{
	return k->dropped ? DROP_MS : k->retry ? RETRY_MS : k->idle ? LINGER_MS / 4 : -1;
}

static void step(struct keeper *k)
{
	struct pollfd p[] = {
		{.fd = k->sock, .events = POLLIN},
		{.fd = k->resolver.pidfd, .events = POLLIN},
		{.fd = k->watch.nft, .events = POLLIN},
		{.fd = k->watch.route, .events = POLLIN},
	};
	struct err why = ERR_INIT;

	if (poll(p, ARRAY_SIZE(p), patience(k)) < 0)
		return;
	if (p[1].revents)
		on_resolver(k);
	if (p[2].revents || p[3].revents)
		on_news(k);
	if (p[0].revents)
		on_peers(k);
	else
		drop_links(k, false);
	if (k->retry)
		k->retry = restore_missing(k, true, &why) < 0;
}

static int keep_all(struct keeper *k, struct err *e)
{
	struct err ignored = ERR_INIT;
	int ended = 0;

	if (net_watch_open(&k->watch, e) < 0)
		return -1;
	/* What another keeper has left. */
	k->retry = true;
	k->retry = refresh(k, LEAVE, &ignored) < 0;
	while (ended == 0) {
		ended = try_end(k, e);
		if (ended == 0)
			step(k);
	}
	drop_links(k, true);
	if (ended > 0) {
		drop_default(k);
		network_rules_sweep(&k->session);
	}
	return ended < 0 ? -1 : 0;
}

/* What a shell sets is made for programs with few files: 1,024 would do for 500 containers. */
static void raise_limit(void)
{
	uint64_t soft, hard;

	if (rlimit_get(0, RLIMIT_NOFILE, &soft, &hard) < 0 || soft >= FILES_MAX)
		return;
	if (rlimit_set(0, RLIMIT_NOFILE, FILES_MAX, MAX(hard, (uint64_t)FILES_MAX)) < 0)
		(void)rlimit_set(0, RLIMIT_NOFILE, MIN(hard, (uint64_t)FILES_MAX), hard);
}

int network_keep(struct engine *en, int sock, int lock, struct err *e)
{
	struct keeper k = {.en = en,
			   .session = NET_SESSION_INIT,
			   .watch = NET_WATCH_INIT,
			   .resolver = PROCESS_INIT,
			   .control = -1,
			   .sock = sock,
			   .lock = lock};
	int r;

	engine_leave_service(en);
	raise_limit();
	r = keep_all(&k, e);
	resolver_stop(&k);
	for (struct kept *c = k.kept, *next; c; c = next) {
		next = c->next;
		kept_free(c);
	}
	net_watch_done(&k.watch);
	net_session_done(&k.session);
	fd_close(&k.sock);
	fd_close(&k.lock);
	return r;
}
