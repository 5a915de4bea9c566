/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll loop. Sources:
 *
 *   control          tables and sockets come; its end is the end
 *   client udp, tcp  questions of one container
 *   pending          a question that was handed on, on a socket of its own: the kernel chooses its
 *                    port, we its ID, so that a forged answer has to guess both (RFC 5452)
 *   stream           a TCP connection of a container, and the one to the server for it
 *   timer            runs while anything is under way: time-outs
 *
 * Names that we do not have are never looked into: the query goes on byte for byte but for its ID
 * (EDNS0, cookies, DNSSEC come through), and so does the answer. */
#include "net/resolver.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/loop.h"
#include "base/path.h"
#include "base/str.h"
#include "net/dns.h"
#include "net/resolver-table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 65535,
	TABLE_MAX = 64 << 20,
	CONF_MAX = 1 << 16,
	PENDING_MAX = 1024,
	PENDING_OF_ONE_MAX = 128,
	STREAMS_MAX = 128,
	SERVERS_MAX = 3, /* as libc's resolver takes */
	DNS_PORT = 53,
	TICK_MS = 250,
	TRY_MS = 3000,
	STREAM_MS = 10000,
	CONF_CHECK_MS = 1000,
};

#define NS_PER_MS INT64_C(1000000)

struct resolver;

struct client {
	struct client *next;
	struct resolver *r;
	char id[RESOLVER_ID_SIZE];
	struct loop_source udp, tcp;
	unsigned n_pending;
};

/* A question on its way to a server. */
struct pending {
	struct pending *next;
	struct client *c;
	struct loop_source up;
	struct sockaddr_storage from;
	socklen_t from_len;
	struct dns_question q;
	uint16_t id;
	unsigned tries;
	int64_t until;
	size_t n;
	uint8_t query[];
};

/* A connection of a container. */
struct stream {
	struct stream *next;
	struct client *c;
	struct loop_source in, up;
	struct buf got; /* of whichever side speaks */
	struct buf query;
	struct dns_question q;
	int64_t until;
};

struct resolver {
	struct loop loop;
	struct loop_source control, timer;
	struct resolver_table table;
	struct client *clients;
	struct pending *pending;
	struct stream *streams;
	unsigned n_pending, n_streams;
	size_t round; /* which address comes first */

	/* the host's servers */
	struct net_ip servers[SERVERS_MAX];
	size_t n_servers;
	int64_t checked;
	struct timespec conf_time;
	ino_t conf_ino;
	uint8_t message[MESSAGE_MAX], out[MESSAGE_MAX];
};

/* ---- servers ---- */

static void parse_servers(struct resolver *r, const char *text)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **lines = str_split(&a, text, '\n', NULL);

	r->n_servers = 0;
	for (; lines && *lines && r->n_servers < SERVERS_MAX; lines++) {
		const char *rest = str_after(*lines, "nameserver");
		size_t n;
		char *word;

		if (!rest || !strchr(" \t", *rest))
			continue;
		rest += strspn(rest, " \t");
		n = strcspn(rest, " \t\r%");
		word = arena_strndup(&a, rest, n);
		if (word && net_ip_parse(word, &r->servers[r->n_servers]) == 0)
			r->n_servers++;
	}
}

/* Looked at again when somebody asks, once a second at most: a change is seen within two. */
static void refresh_servers(struct resolver *r)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(CONF_MAX);
	_cleanup_(fd_close) int fd = -1;
	int64_t now = clock_monotonic();
	struct stat st;

	if (r->checked && now - r->checked < CONF_CHECK_MS * NS_PER_MS)
		return;
	r->checked = now;
	fd = path_open_host("/etc/resolv.conf", O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (st.st_ino == r->conf_ino && st.st_mtim.tv_sec == r->conf_time.tv_sec &&
	    st.st_mtim.tv_nsec == r->conf_time.tv_nsec)
		return;
	if (fd_read_all(fd, &text, CONF_MAX - 1) < 0)
		return;
	r->conf_ino = st.st_ino;
	r->conf_time = st.st_mtim;
	parse_servers(r, buf_str(&text));
}

/* The Ith server of the container; false behind the last. */
static bool server_of(struct resolver *r, const struct resolver_view *v, size_t i,
		      struct net_ip *ret)
{
	if (v->servers)
		return i < strv_len(v->servers) && net_ip_parse(v->servers[i], ret) == 0;
	refresh_servers(r);
	if (i >= r->n_servers)
		return false;
	*ret = r->servers[i];
	return true;
}

static socklen_t address_of(const struct net_ip *ip, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(DNS_PORT);
		memcpy(&in->sin_addr, ip->a, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(DNS_PORT);
	memcpy(&in6->sin6_addr, ip->a, 16);
	return sizeof(*in6);
}

/* A socket to the server; negative errno. */
static int reach(const struct net_ip *server, int type)
{
	_cleanup_(fd_close) int fd = socket(server->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage addr;
	socklen_t n = address_of(server, &addr);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, n) < 0 && errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

/* ---- what we know ---- */

/* Answers Q in r->out: its length, or 0 where it is not ours to answer. */
static size_t answer(struct resolver *r, const struct client *c, const uint8_t *query,
		     const struct dns_question *q, size_t max)
{
	const struct resolver_view *v = resolver_table_view(&r->table, c->id);
	struct net_ip ips[RESOLVER_ANSWERS_MAX], ip;
	struct dns_answer a = {.rcode = DNS_NOERROR};
	bool known = false;

	if (!v) {
		a.rcode = DNS_SERVFAIL;
		return dns_answer_write(query, q, &a, r->out, max);
	}
	if (q->class == 1 && q->plain && q->type == DNS_TYPE_PTR &&
	    dns_reverse_parse(q->name, &ip)) {
		a.name = resolver_table_reverse(&r->table, v, &ip, &known);
		a.rcode = a.name ? DNS_NOERROR : DNS_NXDOMAIN;
	} else if (q->class == 1 && q->plain) {
		a.n_ips = resolver_table_find(&r->table, v, q->name, ips, &known);
		a.ips = ips;
		a.first = r->round++;
	}
	if (!known && v->internal) {
		a.rcode = DNS_SERVFAIL;
		known = true;
	}
	return known ? dns_answer_write(query, q, &a, r->out, max) : 0;
}

static size_t failure(struct resolver *r, const uint8_t *query, const struct dns_question *q)
{
	const struct dns_answer a = {.rcode = DNS_SERVFAIL};

	return dns_answer_write(query, q, &a, r->out, DNS_UDP_MAX);
}

static void run_timer(struct resolver *r)
{
	bool busy = r->pending || r->streams;

	(void)loop_timer_set(&r->timer, busy ? TICK_MS * (uint64_t)NS_PER_MS : 0,
			     busy ? TICK_MS * (uint64_t)NS_PER_MS : 0);
}

/* ---- UDP ---- */

static void pending_end(struct resolver *r, struct pending *p)
{
	struct pending **at = &r->pending;
	int fd = p->up.fd;

	loop_remove(&r->loop, &p->up);
	fd_close(&fd);
	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	p->c->n_pending--;
	r->n_pending--;
	free(p);
}

static void reply(const struct pending *p, const uint8_t *msg, size_t n)
{
	(void)!sendto(p->c->udp.fd, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&p->from, p->from_len);
}

static void on_answer(struct loop *l, struct loop_source *s, uint32_t events);

/* Tries the next server; with none left the question has failed. */
static void pending_try(struct resolver *r, struct pending *p)
{
	const struct resolver_view *v = resolver_table_view(&r->table, p->c->id);
	struct net_ip server;
	int fd = p->up.fd;

	loop_remove(&r->loop, &p->up);
	fd_close(&fd);
	p->up = LOOP_SOURCE_INIT;
	while (v && server_of(r, v, p->tries, &server)) {
		p->tries++;
		if (random_bytes(&p->id, sizeof(p->id)) < 0)
			break;
		fd = reach(&server, SOCK_DGRAM);
		if (fd < 0)
			continue;
		p->query[0] = (uint8_t)(p->id >> 8);
		p->query[1] = (uint8_t)p->id;
		p->until = clock_monotonic() + TRY_MS * NS_PER_MS;
		if (send(fd, p->query, p->n, MSG_NOSIGNAL) >= 0 &&
		    loop_add(&r->loop, &p->up, fd, EPOLLIN, on_answer) == 0) {
			p->up.data = p;
			return;
		}
		fd_close(&fd);
	}
	p->query[0] = (uint8_t)(p->q.id >> 8);
	p->query[1] = (uint8_t)p->q.id;
	reply(p, r->out, failure(r, p->query, &p->q));
	pending_end(r, p);
}

static void on_answer(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct pending *p = s->data;
	struct resolver *r = p->c->r;
	ssize_t n = recv(s->fd, r->message, sizeof(r->message), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		pending_try(r, p);
		return;
	}
	/* Whatever does not fit was not asked for: the right one may still come. */
	if (!dns_answers(r->message, (size_t)n, p->id, p->query, &p->q))
		return;
	r->message[0] = (uint8_t)(p->q.id >> 8);
	r->message[1] = (uint8_t)p->q.id;
	reply(p, r->message, (size_t)n);
	pending_end(r, p);
}

/* Who asks. */
struct asker {
	struct sockaddr_storage from;
	socklen_t len;
};

/* The N bytes of r->message go to a server. */
static void hand_on(struct resolver *r, struct client *c, const struct dns_question *q, size_t n,
		    const struct asker *asker)
{
	struct pending *p;

	if (r->n_pending >= PENDING_MAX || c->n_pending >= PENDING_OF_ONE_MAX)
		return;
	p = calloc(1, sizeof(*p) + n);
	if (!p)
		return;
	p->c = c;
	p->up = LOOP_SOURCE_INIT;
	p->from = asker->from;
	p->from_len = asker->len;
	p->q = *q;
	p->n = n;
	memcpy(p->query, r->message, n);
	p->next = r->pending;
	r->pending = p;
	r->n_pending++;
	c->n_pending++;
	if (r->n_pending == 1)
		run_timer(r);
	pending_try(r, p);
}

static void on_udp(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct client *c = s->data;
	struct resolver *r = c->r;
	struct asker asker = {.len = sizeof(asker.from)};
	struct dns_question q;
	ssize_t n = recvfrom(s->fd, r->message, sizeof(r->message), MSG_DONTWAIT,
			     (struct sockaddr *)&asker.from, &asker.len);
	size_t out;

	if (n < 0 || dns_question_read(r->message, (size_t)n, &q) < 0)
		return;
	out = answer(r, c, r->message, &q, DNS_UDP_MAX);
	if (out)
		(void)!sendto(s->fd, r->out, out, MSG_DONTWAIT | MSG_NOSIGNAL,
			      (struct sockaddr *)&asker.from, asker.len);
	else
		hand_on(r, c, &q, (size_t)n, &asker);
}

/* ---- TCP ---- */

static void stream_close_up(struct resolver *r, struct stream *t)
{
	int fd = t->up.fd;

	loop_remove(&r->loop, &t->up);
	fd_close(&fd);
	t->up = LOOP_SOURCE_INIT;
}

static void stream_end(struct resolver *r, struct stream *t)
{
	struct stream **at = &r->streams;
	int fd = t->in.fd;

	stream_close_up(r, t);
	loop_remove(&r->loop, &t->in);
	fd_close(&fd);
	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	r->n_streams--;
	buf_done(&t->got);
	buf_done(&t->query);
	free(t);
}

/* Reads towards one message with its length in front: 1 when it is there, 0 not yet, -1 at an end
 * or an error. */
static int stream_read(struct resolver *r, struct stream *t, int fd)
{
	size_t want = 2;
	ssize_t n;

	if (t->got.len >= 2)
		want = 2 + ((size_t)(uint8_t)t->got.data[0] << 8 | (uint8_t)t->got.data[1]);
	n = recv(fd, r->message, want - t->got.len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0 || buf_put(&t->got, r->message, (size_t)n) < 0)
		return -1;
	if (t->got.len < 2)
		return 0;
	want = 2 + ((size_t)(uint8_t)t->got.data[0] << 8 | (uint8_t)t->got.data[1]);
	return want > 2 && t->got.len == want;
}

/* Sends N bytes with their length in front; what does not go at once ends the connection. */
static int stream_write(int fd, const uint8_t *msg, size_t n)
{
	uint8_t head[2] = {(uint8_t)(n >> 8), (uint8_t)n};
	struct iovec v[2] = {{head, 2}, {(void *)(uintptr_t)msg, n}};
	const struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(n + 2) ? 0 : -1;
}

static void stream_next(struct resolver *r, struct stream *t)
{
	buf_clear(&t->got);
	t->until = clock_monotonic() + STREAM_MS * NS_PER_MS;
	(void)loop_change(&r->loop, &t->in, EPOLLIN);
}

static void on_upstream(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct stream *t = s->data;
	struct resolver *r = t->c->r;
	const uint8_t *msg;
	int got;

	if (events & EPOLLOUT) {
		if (stream_write(s->fd, (const uint8_t *)t->query.data, t->query.len) < 0 ||
		    loop_change(&r->loop, s, EPOLLIN) < 0)
			stream_end(r, t);
		return;
	}
	got = stream_read(r, t, s->fd);
	if (got == 0)
		return;
	msg = (const uint8_t *)t->got.data + 2;
	if (got < 0 ||
	    !dns_answers(msg, t->got.len - 2, t->q.id, (const uint8_t *)t->query.data, &t->q) ||
	    stream_write(t->in.fd, msg, t->got.len - 2) < 0) {
		stream_end(r, t);
		return;
	}
	stream_close_up(r, t);
	stream_next(r, t);
}

/* The first server alone: who asks by TCP asks again. */
static int stream_hand_on(struct resolver *r, struct stream *t)
{
	const struct resolver_view *v = resolver_table_view(&r->table, t->c->id);
	struct net_ip server;
	int fd = v && server_of(r, v, 0, &server) ? reach(&server, SOCK_STREAM) : -1;

	if (fd < 0)
		return -1;
	buf_clear(&t->query);
	if (buf_put(&t->query, t->got.data + 2, t->got.len - 2) < 0 ||
	    loop_add(&r->loop, &t->up, fd, EPOLLOUT, on_upstream) < 0) {
		fd_close(&fd);
		return -1;
	}
	t->up.data = t;
	buf_clear(&t->got);
	(void)loop_change(&r->loop, &t->in, 0);
	return 0;
}

static void on_stream(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct stream *t = s->data;
	struct resolver *r = t->c->r;
	const uint8_t *msg;
	size_t n, out;
	int got = stream_read(r, t, s->fd);

	if (got == 0)
		return;
	msg = (const uint8_t *)t->got.data + 2;
	n = got > 0 ? t->got.len - 2 : 0;
	if (got < 0 || dns_question_read(msg, n, &t->q) < 0) {
		stream_end(r, t);
		return;
	}
	out = answer(r, t->c, msg, &t->q, sizeof(r->out));
	if (!out && stream_hand_on(r, t) == 0)
		return;
	if (!out)
		out = failure(r, msg, &t->q);
	if (stream_write(s->fd, r->out, out) < 0)
		stream_end(r, t);
	else
		stream_next(r, t);
}

static void on_tcp(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct client *c = s->data;
	struct resolver *r = c->r;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct stream *t = fd < 0 || r->n_streams >= STREAMS_MAX ? NULL : calloc(1, sizeof(*t));

	if (!t) {
		fd_close(&fd);
		return;
	}
	*t = (struct stream){.c = c,
			     .in = LOOP_SOURCE_INIT,
			     .up = LOOP_SOURCE_INIT,
			     .got = BUF_INIT(MESSAGE_MAX + 3),
			     .query = BUF_INIT(MESSAGE_MAX + 1),
			     .until = clock_monotonic() + STREAM_MS * NS_PER_MS};
	if (loop_add(&r->loop, &t->in, fd, EPOLLIN, on_stream) < 0) {
		fd_close(&fd);
		free(t);
		return;
	}
	t->in.data = t;
	t->next = r->streams;
	r->streams = t;
	r->n_streams++;
	run_timer(r);
}

static void on_timer(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct resolver *r = s->data;
	int64_t now = clock_monotonic();
	struct pending *p = r->pending;
	struct stream *t = r->streams;

	while (p) {
		struct pending *next = p->next;

		if (p->until <= now)
			pending_try(r, p);
		p = next;
	}
	while (t) {
		struct stream *next = t->next;

		if (t->until <= now)
			stream_end(r, t);
		t = next;
	}
	if (!r->pending && !r->streams)
		run_timer(r);
}

/* ---- clients ---- */

static void client_end(struct resolver *r, struct client *c)
{
	struct client **at = &r->clients;
	int udp = c->udp.fd, tcp = c->tcp.fd;
	struct pending *p = r->pending;
	struct stream *t = r->streams;

	while (p) {
		struct pending *next = p->next;

		if (p->c == c)
			pending_end(r, p);
		p = next;
	}
	while (t) {
		struct stream *next = t->next;

		if (t->c == c)
			stream_end(r, t);
		t = next;
	}
	loop_remove(&r->loop, &c->udp);
	loop_remove(&r->loop, &c->tcp);
	fd_close(&udp);
	fd_close(&tcp);
	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	free(c);
}

static void client_add(struct resolver *r, const char *id, int fds[2])
{
	struct client *c = calloc(1, sizeof(*c));

	for (struct client *was = r->clients, *next; was; was = next) {
		next = was->next;
		if (str_eq(was->id, id))
			client_end(r, was);
	}
	if (!c)
		return;
	*c = (struct client){
		.r = r, .udp = LOOP_SOURCE_INIT, .tcp = LOOP_SOURCE_INIT, .next = r->clients};
	memcpy(c->id, id, sizeof(c->id));
	if (loop_add(&r->loop, &c->udp, fds[0], EPOLLIN, on_udp) < 0) {
		free(c);
		return;
	}
	c->udp.data = c;
	fds[0] = -1;
	if (loop_add(&r->loop, &c->tcp, fds[1], EPOLLIN, on_tcp) == 0)
		fds[1] = -1;
	c->tcp.data = c;
	r->clients = c;
}

static void take_table(struct resolver *r, int fd)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TABLE_MAX);
	struct resolver_table t;
	struct client *c = r->clients;

	if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, &text, TABLE_MAX - 1) < 0 ||
	    resolver_table_read(buf_str(&text), &t) < 0)
		return;
	resolver_table_done(&r->table);
	r->table = t;
	while (c) {
		struct client *next = c->next;

		if (!resolver_table_view(&r->table, c->id))
			client_end(r, c);
		c = next;
	}
}

static void on_control(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct resolver *r = s->data;
	struct resolver_msg m = {.kind = 0};
	int fds[2] = {-1, -1};
	ssize_t n = fd_recv(s->fd, &m, sizeof(m), fds, 2);

	if (n <= 0) {
		loop_stop(l, n < 0 ? (int)n : 0);
		return;
	}
	m.id[sizeof(m.id) - 1] = '\0';
	if (n == (ssize_t)sizeof(m) && m.kind == RESOLVER_TABLE && fds[0] >= 0)
		take_table(r, fds[0]);
	else if (n == (ssize_t)sizeof(m) && m.kind == RESOLVER_SOCKETS && fds[1] >= 0)
		client_add(r, m.id, fds);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	/* Whoever told it may wait for this. */
	(void)!send(s->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int resolver_run(int control)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return -ENOMEM;
	r->table = RESOLVER_TABLE_INIT;
	r->control = r->timer = LOOP_SOURCE_INIT;
	result = loop_init(&r->loop);
	if (result == 0)
		result = loop_add_timer(&r->loop, &r->timer, on_timer);
	r->timer.data = r;
	if (result == 0)
		result = loop_add(&r->loop, &r->control, control, EPOLLIN, on_control);
	r->control.data = r;
	if (result == 0)
		result = loop_run(&r->loop);
	while (r->clients)
		client_end(r, r->clients);
	loop_remove(&r->loop, &r->timer);
	loop_remove(&r->loop, &r->control);
	loop_done(&r->loop);
	resolver_table_done(&r->table);
	free(r);
	return result;
}
