/* SPDX-License-Identifier: Apache-2.0 */
/* As much of D-Bus as talking to systemd over its own socket, and calling somebody over a bus,
 * needs (D-Bus specification, Message Protocol): calls are written, answers and signals are read.
 */
#ifndef KOGGE_RUNTIME_DBUS_H
#define KOGGE_RUNTIME_DBUS_H

#include "base/buf.h"
#include "base/err.h"

#define DBUS_MESSAGE_MAX ((size_t)1 << 20)

/* What a message is. */
enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

/* ---- writing: values are appended to a body, aligned as the specification has it ---- */

/* A body while it is written. A failure sticks. */
struct dbus_body {
	struct buf bytes;
	int error; /* the first negative errno */
};

#define DBUS_BODY_INIT ((struct dbus_body){.bytes = BUF_INIT(DBUS_MESSAGE_MAX)})

void dbus_body_done(struct dbus_body *b);

void dbus_put_u32(struct dbus_body *b, uint32_t v);          /* u, b */
void dbus_put_u64(struct dbus_body *b, uint64_t v);          /* t */
void dbus_put_str(struct dbus_body *b, const char *s);       /* s, o */
void dbus_put_signature(struct dbus_body *b, const char *s); /* g */
/* Begins an array whose elements are aligned to ALIGN; what it returns ends it. */
size_t dbus_array_begin(struct dbus_body *b, size_t align);
void dbus_array_end(struct dbus_body *b, size_t begun, size_t align);
/* Aligns the body to N bytes: before a struct 8. */
void dbus_align(struct dbus_body *b, size_t n);

/* ---- reading ---- */

/* A message; everything points into the bytes that were parsed. */
struct dbus_message {
	enum dbus_type type;
	uint32_t reply_to;          /* serial of the call that it answers; 0 */
	const char *member, *error; /* NULL */
	const char *signature;      /* "" */
	const unsigned char *body;
	size_t n_body;
};

/* How long the message is whose first N bytes are at DATA: 0 where more than these are needed to
 * tell (16 do), -EPROTO where it is none, or too long. */
ssize_t dbus_message_length(const void *data, size_t n);

/* Parses a whole message of N bytes. 0, or -EPROTO. */
int dbus_message_parse(const void *data, size_t n, struct dbus_message *ret);

/* Reads the values of a body one by one. */
struct dbus_reader {
	const unsigned char *data;
	size_t n, at;
	bool bad;
};

struct dbus_reader dbus_reader_of(const struct dbus_message *m);
/* 0 and "" where the body ends too early; then R->bad. */
uint32_t dbus_get_u32(struct dbus_reader *r);
const char *dbus_get_str(struct dbus_reader *r);
const char *dbus_get_signature(struct dbus_reader *r);

/* ---- the connection ---- */

/* A connection to the other side, which is one program. */
struct dbus {
	int fd;
	uint32_t serial;
	struct buf in;
};

#define DBUS_INIT ((struct dbus){.fd = -1, .in = BUF_INIT(2 * DBUS_MESSAGE_MAX)})

void dbus_done(struct dbus *d);

/* Connects to the socket PATH of the host and says who calls. A negative errno. Every wait on it is
 * limited to TIMEOUT_S seconds (-EAGAIN). */
int dbus_open(struct dbus *d, const char *path, int timeout_s);

/* Who is called. Nobody is started for a call. */
struct dbus_object {
	const char *name, *path;
};

/* One call. */
struct dbus_call {
	const char *interface, *member, *signature;
	const struct dbus_body *body;
	const struct dbus_object *to;
};

/* Sends C; RET_SERIAL gets its serial. */
int dbus_send(struct dbus *d, const struct dbus_call *c, uint32_t *ret_serial);

/* What a client of a bus says first (org.freedesktop.DBus.Hello); its answer comes like others. */
int dbus_hello(struct dbus *d);

/* The next message, valid until the next call. */
int dbus_receive(struct dbus *d, struct dbus_message *ret);

#endif
