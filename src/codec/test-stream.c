/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "codec/sink.h"
#include "codec/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { TEXT_SIZE = 1 << 20 };

/* Compressible, and never the same at two places. */
static void fill_text(char *text)
{
	for (size_t i = 0; i + 16 <= TEXT_SIZE; i += 16)
		snprintf(text + i, 17, "line %010zu\n", i);
}

/* DATA compressed, written in pieces of STEP bytes. */
static void compress(enum compression c, const char *data, size_t n, size_t step, struct buf *out)
{
	struct err e = ERR_INIT;
	_cleanup_(sink_freep) struct sink *end = sink_to_buf(out, &e);
	_cleanup_(sink_freep) struct sink *s = sink_compress(end, c, 0, &e);

	assert_non_null(s);
	for (size_t i = 0; i < n; i += step)
		assert_int_equal(sink_write(s, data + i, MIN(step, n - i), &e), 0);
	assert_int_equal(sink_finish(s, &e), 0);
}

/* Reads all of DATA decompressed; the result of the last read. */
static ssize_t expand(const void *data, size_t n, const struct stream_limits *l, struct buf *out,
		      struct err *e)
{
	_cleanup_(stream_freep) struct stream *in = stream_from_mem(data, n, e);
	_cleanup_(stream_freep) struct stream *s = stream_decompress(in, l, NULL, e);
	char block[1000];
	ssize_t r;

	if (!s)
		return -1;
	while ((r = stream_read(s, block, sizeof(block), e)) > 0)
		assert_int_equal(buf_put(out, block, (size_t)r), 0);
	return r;
}

static void what_was_compressed_comes_back(void **state)
{
	_cleanup_(freep) char *text = malloc(TEXT_SIZE + 1);

	fill_text(text);
	for (int c = COMPRESSION_NONE; c <= COMPRESSION_ZSTD; c++) {
		_cleanup_(buf_done) struct buf packed = BUF_INIT(2 * TEXT_SIZE);
		_cleanup_(buf_done) struct buf again = BUF_INIT(2 * TEXT_SIZE);
		_cleanup_(buf_done) struct buf plain = BUF_INIT(2 * TEXT_SIZE);
		struct err e = ERR_INIT;

		compress((enum compression)c, text, TEXT_SIZE, 100000, &packed);
		compress((enum compression)c, text, TEXT_SIZE, 777, &again);
		assert_int_equal(packed.len, again.len);
		assert_memory_equal(packed.data, again.data, packed.len);
		assert_int_equal(compression_detect(packed.data, packed.len), c);
		assert_int_equal(expand(packed.data, packed.len, NULL, &plain, &e), 0);
		assert_int_equal(plain.len, TEXT_SIZE);
		assert_memory_equal(plain.data, text, TEXT_SIZE);
	}
}

static void gzip_header_says_nothing_about_us(void **state)
{
	static const unsigned char want[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	_cleanup_(buf_done) struct buf packed = BUF_INIT(1000);

	compress(COMPRESSION_GZIP, "x", 1, 1, &packed);
	assert_memory_equal(packed.data, want, sizeof(want));
}

/* Expects DATA to be refused with CLASS. */
static void refused(const void *data, size_t n, enum err_class class)
{
	_cleanup_(buf_done) struct buf plain = BUF_INIT(8 * TEXT_SIZE);
	struct err e = ERR_INIT;

	assert_int_equal(expand(data, n, NULL, &plain, &e), -1);
	assert_string_equal(err_class_name(e.class), err_class_name(class));
}

static void accepted(const void *data, size_t n, const char *want)
{
	_cleanup_(buf_done) struct buf plain = BUF_INIT(TEXT_SIZE);
	struct err e = ERR_INIT;

	assert_int_equal(expand(data, n, NULL, &plain, &e), 0);
	assert_string_equal(buf_str(&plain), want);
}

static void test_U20_members_and_frames_are_all_read(void **state)
{
	for (int c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
		_cleanup_(buf_done) struct buf packed = BUF_INIT(1000);

		compress((enum compression)c, "one", 3, 3, &packed);
		compress((enum compression)c, "two", 3, 3, &packed);
		accepted(packed.data, packed.len, "onetwo");
		assert_int_equal(buf_put(&packed, "garbage", 7), 0);
		refused(packed.data, packed.len, ERR_CORRUPT);
	}
}

static void test_U20_zeros_may_follow_gzip_and_nothing_else(void **state)
{
	static const char zeros[600];
	_cleanup_(buf_done) struct buf packed = BUF_INIT(2000);

	compress(COMPRESSION_GZIP, "one", 3, 3, &packed);
	assert_int_equal(buf_put(&packed, zeros, sizeof(zeros)), 0);
	accepted(packed.data, packed.len, "one");
	assert_int_equal(buf_put(&packed, "x", 1), 0);
	refused(packed.data, packed.len, ERR_CORRUPT);
}

static void test_U20_every_cut_and_every_changed_byte_is_noticed(void **state)
{
	for (int c = COMPRESSION_GZIP; c <= COMPRESSION_ZSTD; c++) {
		_cleanup_(buf_done) struct buf packed = BUF_INIT(1000);

		compress((enum compression)c, "some text some text", 19, 19, &packed);
		for (size_t n = 4; n < packed.len; n++)
			refused(packed.data, n, ERR_CORRUPT);
		for (size_t i = packed.len - 4; i < packed.len; i++) {
			packed.data[i] ^= 1;
			refused(packed.data, packed.len, ERR_CORRUPT);
			packed.data[i] ^= 1;
		}
	}
}

static void test_U20_gzip_header_is_bounded(void **state)
{
	const size_t n = 4 << 20;
	_cleanup_(freep) char *data = malloc(n);

	memset(data, 'a', n);
	memcpy(data, "\x1f\x8b\x08\x08\0\0\0\0\0\xff", 10); /* FNAME without an end */
	refused(data, n, ERR_LIMIT);
	memcpy(data, "\x1f\x8b\x08\xe0\0\0\0\0\0\xff", 10); /* reserved flags */
	refused(data, n, ERR_CORRUPT);
}

static void test_U21_limits_hold(void **state)
{
	_cleanup_(freep) char *zeros = calloc(1, TEXT_SIZE);

	for (int c = COMPRESSION_NONE; c <= COMPRESSION_ZSTD; c++) {
		_cleanup_(buf_done) struct buf packed = BUF_INIT(2 * TEXT_SIZE);
		_cleanup_(buf_done) struct buf plain = BUF_INIT(2 * TEXT_SIZE);
		struct stream_limits out = {.max_out = TEXT_SIZE - 1};
		struct stream_limits ratio = {.max_ratio = 10, .ratio_slack = 1000};
		struct stream_limits enough = {.max_out = TEXT_SIZE, .max_ratio = 1 << 20};
		struct err e = ERR_INIT;
		int want = c == COMPRESSION_NONE ? 0 : -1;

		compress((enum compression)c, zeros, TEXT_SIZE, TEXT_SIZE, &packed);
		assert_int_equal(expand(packed.data, packed.len, &enough, &plain, &e), 0);
		buf_clear(&plain);
		assert_int_equal(expand(packed.data, packed.len, &out, &plain, &e), -1);
		assert_int_equal(e.class, ERR_LIMIT);
		buf_clear(&plain);
		assert_int_equal(expand(packed.data, packed.len, &ratio, &plain, &e), want);
	}
}

static void test_U21_zstd_window_is_bounded(void **state)
{
	/* A frame header with a window of 2 GiB (exponent 21), a raw block of one byte. */
	static const char hostile[] = {0x28, (char)0xb5, 0x2f, (char)0xfd, 0, (char)(21 << 3),
				       9,    0,          0,    'x'};
	static const char twin[] = {0x28, (char)0xb5, 0x2f, (char)0xfd, 0, 10 << 3, 9, 0, 0, 'x'};

	refused(hostile, sizeof(hostile), ERR_CORRUPT);
	accepted(twin, sizeof(twin), "x");
}

static void xz_and_bzip2_are_named(void **state)
{
	refused("\xfd"
		"7zXZ\0abc",
		9, ERR_UNSUPPORTED);
	refused("BZh91AY", 7, ERR_UNSUPPORTED);
	accepted("BZ", 2, "BZ");
}

static void tee_counts_and_hashes(void **state)
{
	struct err e = ERR_INIT;
	_cleanup_(stream_freep) struct stream *in = stream_from_mem("abcdef", 6, &e);
	_cleanup_(stream_freep) struct stream *first = stream_limited(in, 3, &e);
	_cleanup_(stream_freep) struct stream *tee = stream_tee(first, &e);
	unsigned char digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	uint64_t n;

	assert_int_equal(stream_drain(tee, &n, &e), 0);
	assert_int_equal(n, 3);
	stream_tee_result(tee, digest, &n);
	assert_int_equal(n, 3);
	hex_encode(digest, sizeof(digest), hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_compressed_comes_back),
		cmocka_unit_test(gzip_header_says_nothing_about_us),
		cmocka_unit_test(test_U20_members_and_frames_are_all_read),
		cmocka_unit_test(test_U20_zeros_may_follow_gzip_and_nothing_else),
		cmocka_unit_test(test_U20_every_cut_and_every_changed_byte_is_noticed),
		cmocka_unit_test(test_U20_gzip_header_is_bounded),
		cmocka_unit_test(test_U21_limits_hold),
		cmocka_unit_test(test_U21_zstd_window_is_bounded),
		cmocka_unit_test(xz_and_bzip2_are_named),
		cmocka_unit_test(tee_counts_and_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
