/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's local log: each record is a protobuf message (api/types/plugins/logdriver/entry.proto:
 * LogEntry{source=1, time_nano=2, line=3, partial=4}) between two copies of its length, 32 bits big
 * endian, so that it can be read from either end. */
#include "base/str.h"
#include "monitor/log.h"

#include <endian.h>
#include <string.h>

static char *put_text(char *o, const char *text)
{
	size_t n = strlen(text);

	memcpy(o, text, n);
	return o + n;
}

static char *put_varint(char *o, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*o++ = (char)(v | 0x80);
	*o++ = (char)v;
	return o;
}

size_t log_local_put(const struct log_record *r, char *out)
{
	char *o = out + sizeof(uint32_t);
	uint32_t size;

	*o++ = 1 << 3 | 2;
	*o++ = 6;
	o = put_text(o, r->stream == 2 ? "stderr" : "stdout");
	*o++ = 2 << 3;
	o = put_varint(o, (uint64_t)r->time);
	*o++ = 3 << 3 | 2;
	o = put_varint(o, r->n);
	memcpy(o, r->data, r->n);
	o += r->n;
	if (r->partial) {
		*o++ = 4 << 3;
		*o++ = 1;
	}
	size = htobe32((uint32_t)(o - out - sizeof(size)));
	memcpy(out, &size, sizeof(size));
	memcpy(o, &size, sizeof(size));
	return (size_t)(o - out) + sizeof(size);
}

struct cursor {
	const unsigned char *at, *end;
	bool bad;
};

static uint64_t get_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (c->at >= c->end)
			break;
		v |= (uint64_t)(*c->at & 0x7F) << shift;
		if (!(*c->at++ & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

static void get_bytes(struct cursor *c, const char **ret, size_t *ret_n)
{
	uint64_t n = get_varint(c);

	if (c->bad || n > (uint64_t)(c->end - c->at)) {
		c->bad = true;
		return;
	}
	*ret = (const char *)c->at;
	*ret_n = (size_t)n;
	c->at += n;
}

static void get_field(struct cursor *c, struct log_record *r)
{
	uint64_t tag = get_varint(c);
	const char *bytes = NULL;
	size_t n = 0;

	if ((tag & 7) == 2)
		get_bytes(c, &bytes, &n);
	else if ((tag & 7) == 0)
		n = (size_t)get_varint(c);
	else
		c->bad = true;
	if (c->bad)
		return;
	if (tag == (1 << 3 | 2)) {
		r->stream = n == 6 && memcmp(bytes, "stderr", 6) == 0 ? 2 : 1;
	} else if (tag == 2 << 3) {
		r->time = (int64_t)n;
	} else if (tag == (3 << 3 | 2)) {
		r->data = bytes;
		r->n = n;
	} else if (tag == 4 << 3) {
		r->partial = n != 0;
	}
}

ssize_t log_local_get(const char *data, size_t n, struct log_record *r)
{
	struct cursor c;
	uint32_t size, again;

	if (n < sizeof(size))
		return 0;
	memcpy(&size, data, sizeof(size));
	if (be32toh(size) > LOG_RECORD_MAX)
		return -1;
	if (n < be32toh(size) + 2 * sizeof(size))
		return 0;
	memcpy(&again, data + sizeof(size) + be32toh(size), sizeof(again));
	if (again != size)
		return -1;
	*r = (struct log_record){.stream = 1, .data = ""};
	c.at = (const unsigned char *)data + sizeof(size);
	c.end = c.at + be32toh(size);
	c.bad = false;
	while (c.at < c.end && !c.bad)
		get_field(&c, r);
	return c.bad ? -1 : (ssize_t)(be32toh(size) + 2 * sizeof(size));
}
