/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/dbus.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* In the machine's order, as the other side on the same machine writes, too. */
#define ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B')

enum { HEAD = 16, AUTH_MAX = 512, NO_AUTO_START = 2 };
enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR,
	FIELD_REPLY,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE
};

/* ---- writing ---- */

void dbus_body_done(struct dbus_body *b)
{
	buf_done(&b->bytes);
}

static void put(struct dbus_body *b, const void *data, size_t n)
{
	int r = buf_put(&b->bytes, data, n);

	if (r < 0 && !b->error)
		b->error = r;
}

void dbus_align(struct dbus_body *b, size_t n)
{
	static const char zero[8];

	put(b, zero, (n - b->bytes.len % n) % n);
}

void dbus_put_u32(struct dbus_body *b, uint32_t v)
{
	dbus_align(b, sizeof(v));
	put(b, &v, sizeof(v));
}

void dbus_put_u64(struct dbus_body *b, uint64_t v)
{
	dbus_align(b, sizeof(v));
	put(b, &v, sizeof(v));
}

void dbus_put_str(struct dbus_body *b, const char *s)
{
	dbus_put_u32(b, (uint32_t)strlen(s));
	put(b, s, strlen(s) + 1);
}

void dbus_put_signature(struct dbus_body *b, const char *s)
{
	unsigned char n = (unsigned char)strlen(s);

	put(b, &n, 1);
	put(b, s, (size_t)n + 1);
}

/* The padding before the first element does not count as the array's. */
size_t dbus_array_begin(struct dbus_body *b, size_t align)
{
	size_t at;

	dbus_put_u32(b, 0);
	at = b->bytes.len;
	dbus_align(b, align);
	return at;
}

void dbus_array_end(struct dbus_body *b, size_t begun, size_t align)
{
	size_t first = (begun + align - 1) / align * align;
	uint32_t n = (uint32_t)(b->bytes.len - first);

	if (!b->error)
		memcpy(b->bytes.data + begun - sizeof(n), &n, sizeof(n));
}

/* ---- reading ---- */

static void skip_to(struct dbus_reader *r, size_t align)
{
	r->at += (align - r->at % align) % align;
}

uint32_t dbus_get_u32(struct dbus_reader *r)
{
	uint32_t v;

	skip_to(r, sizeof(v));
	if (r->bad || r->n < sizeof(v) || r->at > r->n - sizeof(v)) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->data + r->at, sizeof(v));
	r->at += sizeof(v);
	return v;
}

static const char *take_text(struct dbus_reader *r, size_t len)
{
	const char *s = (const char *)r->data + r->at;

	if (r->bad || r->at >= r->n || len >= r->n - r->at || s[len] || strlen(s) != len) {
		r->bad = true;
		return "";
	}
	r->at += len + 1;
	return s;
}

const char *dbus_get_str(struct dbus_reader *r)
{
	uint32_t len = dbus_get_u32(r);

	return take_text(r, len);
}

const char *dbus_get_signature(struct dbus_reader *r)
{
	size_t len;

	if (r->bad || r->at >= r->n) {
		r->bad = true;
		return "";
	}
	len = r->data[r->at++];
	return take_text(r, len);
}

struct dbus_reader dbus_reader_of(const struct dbus_message *m)
{
	return (struct dbus_reader){.data = m->body, .n = m->n_body};
}

ssize_t dbus_message_length(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t body, fields;
	size_t all;

	if (n < HEAD)
		return 0;
	memcpy(&body, p + 4, sizeof(body));
	memcpy(&fields, p + 12, sizeof(fields));
	if (p[0] != ENDIAN || p[3] != 1 || body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
		return -EPROTO;
	all = HEAD + ((size_t)fields + 7) / 8 * 8 + body;
	return all <= DBUS_MESSAGE_MAX ? (ssize_t)all : -EPROTO;
}

/* One header field: a code and a variant. */
static void parse_field(struct dbus_reader *r, struct dbus_message *m)
{
	unsigned code;
	const char *type, *text = NULL;

	skip_to(r, 8);
	if (r->at >= r->n) {
		r->bad = true;
		return;
	}
	code = r->data[r->at++];
	type = dbus_get_signature(r);
	if (str_eq(type, "u")) {
		uint32_t v = dbus_get_u32(r);

		m->reply_to = code == FIELD_REPLY ? v : m->reply_to;
		return;
	}
	if (str_eq(type, "s") || str_eq(type, "o"))
		text = dbus_get_str(r);
	else if (str_eq(type, "g"))
		text = dbus_get_signature(r);
	else
		r->bad = true;
	if (code == FIELD_MEMBER)
		m->member = text;
	else if (code == FIELD_ERROR)
		m->error = text;
	else if (code == FIELD_SIGNATURE && text)
		m->signature = text;
}

int dbus_message_parse(const void *data, size_t n, struct dbus_message *ret)
{
	struct dbus_reader r = {.data = data, .n = n, .at = 12};
	struct dbus_message m = {.signature = ""};
	uint32_t fields;

	if (n < HEAD || dbus_message_length(data, n) != (ssize_t)n)
		return -EPROTO;
	fields = dbus_get_u32(&r);
	m.type = r.data[1];
	r.n = HEAD + fields;
	if (m.type < DBUS_CALL || m.type > DBUS_SIGNAL)
		return -EPROTO;
	while (!r.bad && r.at < r.n)
		parse_field(&r, &m);
	if (r.bad)
		return -EPROTO;
	m.body = r.data + ((size_t)r.n + 7) / 8 * 8;
	m.n_body = (size_t)(r.data + n - m.body);
	*ret = m;
	return 0;
}

/* ---- the connection ---- */

void dbus_done(struct dbus *d)
{
	fd_close(&d->fd);
	buf_done(&d->in);
}

/* Reads up to the end of a line, byte by byte: what follows belongs to nobody yet. */
static int read_line(int fd, char line[AUTH_MAX])
{
	for (size_t n = 0; n + 1 < AUTH_MAX; n++) {
		ssize_t got = fd_read_full(fd, line + n, 1);

		if (got <= 0)
			return got < 0 ? (int)got : -EPROTO;
		line[n + 1] = '\0';
		if (line[n] == '\n')
			return 0;
	}
	return -EPROTO;
}

/* "AUTH EXTERNAL": the user's number in decimal digits, each of them in hexadecimal. */
static int authenticate(int fd)
{
	char uid[16], hex[sizeof(uid) * 2 + 1] = "", line[AUTH_MAX];
	int r;

	snprintf(uid, sizeof(uid), "%u", geteuid());
	for (size_t i = 0; uid[i]; i++)
		snprintf(hex + 2 * i, 3, "%02x", uid[i]);
	r = snprintf(line + 1, sizeof(line) - 1, "AUTH EXTERNAL %s\r\n", hex);
	line[0] = '\0';
	r = fd_write_full(fd, line, (size_t)r + 1);
	if (r == 0)
		r = read_line(fd, line);
	if (r < 0)
		return r;
	if (!str_after(line, "OK"))
		return -EACCES;
	return fd_write_full(fd, "BEGIN\r\n", strlen("BEGIN\r\n"));
}

int dbus_open(struct dbus *d, const char *path, int timeout_s)
{
	_cleanup_(fd_close) int at = path_open_host(path, O_PATH | O_NOFOLLOW, 0);
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = timeout_s};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r;

	if (at < 0 || fd < 0)
		return at < 0 ? at : -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", at);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	r = authenticate(fd);
	if (r < 0)
		return r;
	d->fd = TAKE_FD(fd);
	return 0;
}

static void put_field(struct dbus_body *h, unsigned char code, const char *type, const char *value)
{
	dbus_align(h, 8);
	put(h, &code, 1);
	dbus_put_signature(h, type);
	if (str_eq(type, "g"))
		dbus_put_signature(h, value);
	else
		dbus_put_str(h, value);
}

int dbus_send(struct dbus *d, const struct dbus_call *c, uint32_t *ret_serial)
{
	struct dbus_body h = DBUS_BODY_INIT;
	const unsigned char start[4] = {ENDIAN, DBUS_CALL, NO_AUTO_START, 1};
	size_t fields;
	int r;

	put(&h, start, sizeof(start));
	dbus_put_u32(&h, (uint32_t)c->body->bytes.len);
	dbus_put_u32(&h, ++d->serial);
	fields = dbus_array_begin(&h, 8);
	put_field(&h, FIELD_PATH, "o", c->to->path);
	put_field(&h, FIELD_INTERFACE, "s", c->interface);
	put_field(&h, FIELD_MEMBER, "s", c->member);
	put_field(&h, FIELD_DESTINATION, "s", c->to->name);
	put_field(&h, FIELD_SIGNATURE, "g", c->signature);
	dbus_array_end(&h, fields, 8);
	dbus_align(&h, 8);
	put(&h, c->body->bytes.data, c->body->bytes.len);
	r = c->body->error ? c->body->error : h.error;
	if (r == 0)
		r = fd_write_full(d->fd, h.bytes.data, h.bytes.len);
	dbus_body_done(&h);
	*ret_serial = d->serial;
	return r;
}

int dbus_hello(struct dbus *d)
{
	static const struct dbus_object bus = {"org.freedesktop.DBus", "/org/freedesktop/DBus"};
	struct dbus_body none = DBUS_BODY_INIT;
	const struct dbus_call hello = {"org.freedesktop.DBus", "Hello", "", &none, &bus};
	uint32_t serial;
	int r = dbus_send(d, &hello, &serial);

	dbus_body_done(&none);
	return r;
}

int dbus_receive(struct dbus *d, struct dbus_message *ret)
{
	ssize_t need = HEAD, got;

	buf_clear(&d->in);
	while (d->in.len < (size_t)need) {
		size_t want = (size_t)need - d->in.len;
		int r = buf_reserve(&d->in, want);

		if (r < 0)
			return r;
		got = fd_read_full(d->fd, d->in.data + d->in.len, want);
		if (got < (ssize_t)want)
			return got < 0 ? (int)got : -ECONNRESET;
		d->in.len += want;
		need = dbus_message_length(d->in.data, d->in.len);
		if (need < 0)
			return (int)need;
	}
	return dbus_message_parse(d->in.data, d->in.len, ret);
}
