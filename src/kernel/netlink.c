/* SPDX-License-Identifier: Apache-2.0 */
/* Requests are handled within sendmsg, also whole transactions of nfnetlink, and their answers are
 * queued before it returns. So answers are read without waiting, and an empty queue is the end. */
#include "kernel/netlink.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { REPLY_SIZE = 64 << 10, SEND_DEFAULT = 128 << 10 };

int nl_open(int protocol)
{
	_cleanup_(fd_close) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const int on = 1;

	if (sock < 0)
		return -errno;
	/* All three only make answers better or shorter. */
	setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return TAKE_FD(sock);
}

void nl_batch_done(struct nl_batch *b)
{
	buf_done(&b->bytes);
	*b = NL_BATCH_INIT;
}

/* ---- writing ---- */

static void add(struct nl_batch *b, const void *data, size_t n)
{
	static const char zeros[NLMSG_ALIGNTO];
	int r = b->failed;

	if (r == 0 && n)
		r = buf_put(&b->bytes, data, n);
	if (r == 0 && NLMSG_ALIGN(n) != n)
		r = buf_put(&b->bytes, zeros, NLMSG_ALIGN(n) - n);
	b->failed = r;
}

/* The message's length is kept right after each addition. */
static void grow(struct nl_batch *b)
{
	struct nlmsghdr *head;

	if (b->failed)
		return;
	head = (struct nlmsghdr *)(void *)(b->bytes.data + b->message);
	head->nlmsg_len = (uint32_t)(b->bytes.len - b->message);
}

void nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, const void *head, size_t n)
{
	const struct nlmsghdr h = {.nlmsg_type = type,
				   .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
				   .nlmsg_seq = ++b->n};

	b->message = b->bytes.len;
	add(b, &h, sizeof(h));
	add(b, head, n);
	grow(b);
}

void nl_raw(struct nl_batch *b, const void *data, size_t n)
{
	add(b, data, n);
	grow(b);
}

void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t n)
{
	const struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + n), .nla_type = type};

	if (n > UINT16_MAX - NLA_HDRLEN) {
		b->failed = b->failed ? b->failed : -EMSGSIZE;
		return;
	}
	add(b, &a, sizeof(a));
	add(b, data, n);
	grow(b);
}

void nl_put_u8(struct nl_batch *b, uint16_t type, uint8_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_u16(struct nl_batch *b, uint16_t type, uint16_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_be32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put_u32(b, type, htonl(v));
}

void nl_put_be64(struct nl_batch *b, uint16_t type, uint64_t v)
{
	v = htobe64(v);
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_str(struct nl_batch *b, uint16_t type, const char *s)
{
	nl_put(b, type, s, strlen(s) + 1);
}

size_t nl_nest(struct nl_batch *b, uint16_t type)
{
	size_t at = b->bytes.len;

	nl_put(b, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
	return at;
}

void nl_nest_end(struct nl_batch *b, size_t nest)
{
	struct nlattr *a;

	if (b->failed)
		return;
	if (b->bytes.len - nest > UINT16_MAX) {
		b->failed = -EMSGSIZE;
		return;
	}
	a = (struct nlattr *)(void *)(b->bytes.data + nest);
	a->nla_len = (uint16_t)(b->bytes.len - nest);
}

size_t nl_message_size(const struct nl_batch *b)
{
	return b->bytes.len - b->message;
}

/* ---- reading ---- */

static size_t align(size_t n)
{
	return (n + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
}

int nl_parse(const void *data, size_t n, struct nl_attr *ret, unsigned max)
{
	const char *at = data;

	memset(ret, 0, (max + 1) * sizeof(*ret));
	while (n >= NLA_HDRLEN) {
		struct nlattr a;
		unsigned type;

		memcpy(&a, at, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > n)
			return -EBADMSG;
		type = a.nla_type & NLA_TYPE_MASK;
		if (type <= max)
			ret[type] = (struct nl_attr){.data = at + NLA_HDRLEN,
						     .n = a.nla_len - (size_t)NLA_HDRLEN};
		if (align(a.nla_len) >= n)
			return 0;
		at += align(a.nla_len);
		n -= align(a.nla_len);
	}
	return n ? -EBADMSG : 0;
}

int nl_next(struct nl_attr *list, struct nl_attr *ret)
{
	struct nlattr a;
	size_t n;

	if (list->n < NLA_HDRLEN)
		return list->n ? -EBADMSG : 0;
	memcpy(&a, list->data, sizeof(a));
	if (a.nla_len < NLA_HDRLEN || a.nla_len > list->n)
		return -EBADMSG;
	*ret = (struct nl_attr){.data = (const char *)list->data + NLA_HDRLEN,
				.n = a.nla_len - (size_t)NLA_HDRLEN};
	n = MIN(align(a.nla_len), list->n);
	list->data = (const char *)list->data + n;
	list->n -= n;
	return 1;
}

int nl_parse_message(const struct nl_message *m, void *ret_head, size_t head, struct nl_attr *ret,
		     unsigned max)
{
	if (m->n < head)
		return -EBADMSG;
	memcpy(ret_head, m->data, head);
	if (align(head) >= m->n)
		return nl_parse(NULL, 0, ret, max);
	return nl_parse((const char *)m->data + align(head), m->n - align(head), ret, max);
}

uint32_t nl_u32(const struct nl_attr *a)
{
	uint32_t v = 0;

	if (a->data && a->n >= sizeof(v))
		memcpy(&v, a->data, sizeof(v));
	return v;
}

void nl_str(const struct nl_attr *a, char *ret, size_t size)
{
	size_t n = a->data ? strnlen(a->data, a->n) : 0;

	n = MIN(n, size - 1);
	if (n)
		memcpy(ret, a->data, n);
	ret[n] = '\0';
}

/* Calls FN for each message in the N bytes of DATA, with its head for those who look at it. */
typedef int (*raw_fn)(void *arg, const struct nlmsghdr *head, const char *data, size_t n);

static int each(const char *data, size_t n, raw_fn fn, void *arg)
{
	while (n >= NLMSG_HDRLEN) {
		struct nlmsghdr h;
		int r;

		memcpy(&h, data, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > n)
			return -EBADMSG;
		r = fn(arg, &h, data + NLMSG_HDRLEN, h.nlmsg_len - (size_t)NLMSG_HDRLEN);
		if (r < 0)
			return r;
		if (align(h.nlmsg_len) >= n)
			return 0;
		data += align(h.nlmsg_len);
		n -= align(h.nlmsg_len);
	}
	return n ? -EBADMSG : 0;
}

/* One datagram from the kernel itself: anybody may send to a netlink socket. -EAGAIN: no more. */
static ssize_t receive(int sock, char *reply)
{
	struct sockaddr_nl from;
	struct iovec io = {.iov_base = reply, .iov_len = REPLY_SIZE};
	ssize_t got;

	do {
		struct msghdr m = {.msg_name = &from,
				   .msg_namelen = sizeof(from),
				   .msg_iov = &io,
				   .msg_iovlen = 1};

		from.nl_pid = 0;
		got = recvmsg(sock, &m, MSG_DONTWAIT);
		if (got >= 0 && m.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
	} while ((got < 0 && errno == EINTR) || (got >= 0 && from.nl_pid != 0));
	return got < 0 ? -errno : got;
}

static int send_batch(int sock, struct nl_batch *b)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const int size = (int)MIN(b->bytes.len + 4096, (size_t)INT32_MAX / 2);
	ssize_t n;

	if (b->bytes.len > SEND_DEFAULT)
		setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	do
		n = sendto(sock, b->bytes.data, b->bytes.len, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void note_text(struct nl_fault *f, const struct nlmsghdr *h, const char *data, size_t n)
{
	struct nl_attr a[NLMSGERR_ATTR_MSG + 1];
	struct nlmsgerr err;
	size_t skip = sizeof(err);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	memcpy(&err, data, sizeof(err));
	if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
		if (err.msg.nlmsg_len < NLMSG_HDRLEN || err.msg.nlmsg_len > n)
			return;
		skip += align(err.msg.nlmsg_len) - NLMSG_HDRLEN;
	}
	if (skip < n && nl_parse(data + skip, n - skip, a, NLMSGERR_ATTR_MSG) == 0)
		nl_str(&a[NLMSGERR_ATTR_MSG], f->text, sizeof(f->text));
}

struct answers {
	struct nl_fault fault;
	uint32_t seen;
	nl_message_fn fn;
	void *arg;
};

static int on_answer(void *arg, const struct nlmsghdr *h, const char *data, size_t n)
{
	struct answers *a = arg;
	struct nl_message m = {.type = h->nlmsg_type, .port = h->nlmsg_pid, .data = data, .n = n};
	struct nlmsgerr err;

	a->seen++;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_NOOP)
		return 0;
	if (h->nlmsg_type != NLMSG_ERROR)
		return a->fn ? a->fn(a->arg, &m) : 0;
	if (n < sizeof(err))
		return -EBADMSG;
	memcpy(&err, data, sizeof(err));
	if (err.error >= 0 || a->fault.errnum < 0)
		return 0;
	a->fault.errnum = err.error;
	a->fault.message = h->nlmsg_seq;
	note_text(&a->fault, h, data, n);
	return 0;
}

/* Reads all that is there. */
static int drain(int sock, struct answers *a)
{
	_cleanup_(freep) char *reply = malloc(REPLY_SIZE);
	int r = 0, first = 0;

	if (!reply)
		return -ENOMEM;
	for (;;) {
		ssize_t got = receive(sock, reply);

		if (got == -EAGAIN)
			return first;
		if (got < 0 && got != -EMSGSIZE && got != -ENOBUFS)
			return (int)got;
		/* The rest is read in any case: it belongs to nobody else. */
		r = got < 0 ? (int)got : each(reply, (size_t)got, on_answer, a);
		if (r < 0 && first == 0)
			first = r;
	}
}

static int run(int sock, struct nl_batch *b, struct answers *a)
{
	int r = b->failed;

	if (r == 0 && b->bytes.len)
		r = send_batch(sock, b);
	if (r == 0 && b->bytes.len)
		r = drain(sock, a);
	if (r == 0 && a->fault.errnum < 0)
		r = a->fault.errnum;
	if (r == 0 && b->bytes.len && !a->seen)
		r = -EPROTO;
	buf_clear(&b->bytes);
	b->n = 0;
	b->message = 0;
	b->failed = 0;
	return r;
}

int nl_run(int sock, struct nl_batch *b, struct nl_fault *ret_fault)
{
	struct answers a = {.fn = NULL};
	int r;

	if (!b->failed && b->bytes.len) {
		struct nlmsghdr *last = (struct nlmsghdr *)(void *)(b->bytes.data + b->message);

		last->nlmsg_flags |= NLM_F_ACK;
	}
	r = run(sock, b, &a);
	if (ret_fault) {
		*ret_fault = a.fault;
		ret_fault->errnum = r;
	}
	return r;
}

int nl_ask(int sock, struct nl_batch *b, nl_message_fn fn, void *arg)
{
	struct answers a = {.fn = fn, .arg = arg};

	return run(sock, b, &a);
}

int nl_listen(int sock, nl_message_fn fn, void *arg)
{
	struct answers a = {.fn = fn, .arg = arg};

	return drain(sock, &a);
}

uint32_t nl_port(int sock)
{
	struct sockaddr_nl a = {.nl_pid = 0};
	socklen_t n = sizeof(a);

	return getsockname(sock, (struct sockaddr *)&a, &n) < 0 ? 0 : a.nl_pid;
}

int nl_join(int sock, unsigned group)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int g = (int)group;

	/* A socket without an address gets no news; binding it twice would leave its groups. */
	if (nl_port(sock) == 0 && bind(sock, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -errno;
	return setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)) < 0 ? -errno
											: 0;
}
