/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tar-internal.h"

#include <errno.h>
#include <string.h>

/* GNU: the first bit set, the rest big-endian in two's complement. */
static int base256(const unsigned char *p, size_t n, int64_t *ret)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? ~UINT64_C(0) : 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];

		if (i == 0)
			c = negative ? c | 0x80 : c & 0x7f;
		/* The bits pushed out, and the sign, must all be copies of the sign. */
		if ((int64_t)v >> 55 != (negative ? -1 : 0))
			return -ERANGE;
		v = v << 8 | c;
	}
	*ret = (int64_t)v;
	return 0;
}

int tar_number(const char *field, size_t n, int64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if (n > 0 && (unsigned char)field[0] & 0x80)
		return base256((const unsigned char *)field, n, ret);
	while (i < n && (field[i] == ' ' || field[i] == '\0'))
		i++;
	for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(field[i] - '0'); /* at most 12 digits: 36 bits */
	if (i < n && field[i] != ' ' && field[i] != '\0')
		return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

bool tar_checksum_ok(const struct tar_header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	int64_t sum = 0, sum_signed = 0, want;

	for (size_t i = 0; i < sizeof(*h); i++) {
		bool own = i >= offsetof(struct tar_header, chksum) &&
			   i < offsetof(struct tar_header, typeflag);
		unsigned char c = own ? ' ' : p[i];

		sum += c;
		sum_signed += (signed char)c;
	}
	if (tar_number(h->chksum, sizeof(h->chksum), &want) < 0)
		return false;
	return want == sum || want == sum_signed;
}

bool tar_block_is_zero(const void *block)
{
	const unsigned char *p = block;

	return p[0] == 0 && memcmp(p, p + 1, TAR_BLOCK_SIZE - 1) == 0;
}

int tar_header_name(const struct tar_header *h, struct buf *out)
{
	/* GNU's magic is "ustar  " with other fields where ustar has the prefix; star has a shorter
	 * one and says so in the last bytes. */
	bool ustar = memcmp(h->magic, "ustar", 6) == 0;
	bool star = ustar && memcmp(h->pad + 8, "tar", 4) == 0;
	int rc = 0;

	buf_clear(out);
	if (ustar && h->prefix[0]) {
		size_t max = star ? sizeof(h->star.prefix) : sizeof(h->prefix);

		rc = buf_put(out, h->prefix, strnlen(h->prefix, max));
		if (rc == 0)
			rc = buf_putc(out, '/');
	}
	return rc < 0 ? rc : buf_put(out, h->name, strnlen(h->name, sizeof(h->name)));
}

const char *tar_name_quote(const char *s, char *out, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (at + (plain ? 1 : 4) + 4 > n) {
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (plain) {
			out[at++] = (char)c;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = hex[c >> 4];
		out[at++] = hex[c & 15];
	}
	out[at] = '\0';
	return out;
}
