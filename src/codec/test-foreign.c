/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/foreign.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* "text" and a newline. */
static const unsigned char xz[] = {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4,
				   0x46, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f,
				   0xe5, 0xa3, 0x01, 0x00, 0x04, 0x74, 0x65, 0x78, 0x74, 0x0a, 0x00,
				   0x00, 0x00, 0x00, 0x1d, 0x2b, 0xd2, 0x8a, 0xaf, 0x19, 0x4c, 0xcd,
				   0x00, 0x01, 0x1d, 0x05, 0xb8, 0x2d, 0x80, 0xaf, 0x1f, 0xb6, 0xf3,
				   0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a};
static const unsigned char bz2[] = {
	0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xc0, 0x6f, 0xe0, 0x65, 0x00,
	0x00, 0x01, 0xc1, 0x80, 0x00, 0x10, 0x02, 0x00, 0x04, 0x40, 0x20, 0x00, 0x21, 0x8c, 0x83,
	0x34, 0xd0, 0x88, 0xf1, 0x77, 0x24, 0x53, 0x85, 0x09, 0x0c, 0x06, 0xfe, 0x06, 0x50};

/* What comes out of the first N bytes of DATA twice over, or "" and E. */
static const char *expand(const unsigned char *data, size_t n, unsigned times, struct err *e)
{
	static char out[64];
	unsigned char all[512];
	ssize_t got;

	*e = ERR_INIT;
	for (unsigned i = 0; i < times; i++)
		memcpy(all + i * n, data, n);
	{
		_cleanup_(stream_freep) struct stream *in = stream_from_mem(all, times * n, e);
		_cleanup_(stream_freep) struct stream *s =
			stream_decompress_with(in, NULL, stream_foreign, NULL, e);

		got = stream_read_full(s, out, sizeof(out) - 1, e);
	}
	out[got < 0 ? 0 : got] = '\0';
	return out;
}

static void xz_and_bzip2_are_read(void **state)
{
	struct err e;

	assert_string_equal(expand(xz, sizeof(xz), 1, &e), "text\n");
	assert_string_equal(expand(bz2, sizeof(bz2), 1, &e), "text\n");
}

static void every_stream_is_read(void **state)
{
	struct err e;

	assert_string_equal(expand(xz, sizeof(xz), 3, &e), "text\ntext\ntext\n");
	assert_string_equal(expand(bz2, sizeof(bz2), 3, &e), "text\ntext\ntext\n");
}

static void what_is_cut_off_is_damaged(void **state)
{
	struct err e;

	for (size_t n = 6; n < sizeof(xz); n++) {
		expand(xz, n, 1, &e);
		assert_int_equal(e.class, ERR_CORRUPT);
	}
	for (size_t n = 3; n < sizeof(bz2); n++) {
		expand(bz2, n, 1, &e);
		assert_int_equal(e.class, ERR_CORRUPT);
	}
}

static void a_wrong_checksum_is_damage(void **state)
{
	unsigned char bad[sizeof(xz)], bad2[sizeof(bz2)];
	struct err e;

	memcpy(bad, xz, sizeof(bad));
	bad[sizeof(bad) - 20] ^= 1;
	expand(bad, sizeof(bad), 1, &e);
	assert_int_equal(e.class, ERR_CORRUPT);
	memcpy(bad2, bz2, sizeof(bad2));
	bad2[12] ^= 1;
	expand(bad2, sizeof(bad2), 1, &e);
	assert_int_equal(e.class, ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xz_and_bzip2_are_read),
		cmocka_unit_test(every_stream_is_read),
		cmocka_unit_test(what_is_cut_off_is_damaged),
		cmocka_unit_test(a_wrong_checksum_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
