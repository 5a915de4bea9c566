/* SPDX-License-Identifier: Apache-2.0 */
/* The reader against headers made by hand, and against what the writer makes. */
#include "base/buf.h"
#include "codec/tar-internal.h"
#include "codec/tar-writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void put_block(struct buf *b, const struct tar_header *from)
{
	struct tar_header h = *from;
	const unsigned char *p = (const unsigned char *)&h;
	unsigned sum = 0;

	memset(h.chksum, ' ', sizeof(h.chksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += p[i];
	snprintf(h.chksum, sizeof(h.chksum), "%06o", sum);
	assert_int_equal(buf_put(b, &h, sizeof(h)), 0);
}

static struct tar_header header(char type, const char *name, unsigned size)
{
	struct tar_header h = {.typeflag = type, .mode = "0000644", .uid = "0000000"};

	memcpy(h.gid, "0000000", 8);
	memcpy(h.magic, "ustar", 6);
	memcpy(h.name, name, strlen(name));
	snprintf(h.size, sizeof(h.size), "%011o", size);
	snprintf(h.mtime, sizeof(h.mtime), "%011o", 7);
	return h;
}

static void put_data(struct buf *b, const char *data, size_t n)
{
	static const char zeros[TAR_BLOCK_SIZE];

	assert_int_equal(buf_put(b, data, n), 0);
	if (n % TAR_BLOCK_SIZE)
		assert_int_equal(buf_put(b, zeros, TAR_BLOCK_SIZE - n % TAR_BLOCK_SIZE), 0);
}

static void put_pax(struct buf *b, char type, const char *records)
{
	struct tar_header h = header(type, "pax", strlen(records));

	put_block(b, &h);
	put_data(b, records, strlen(records));
}

static void put_file(struct buf *b, const char *name, const char *data)
{
	struct tar_header h = header('0', name, strlen(data));

	put_block(b, &h);
	put_data(b, data, strlen(data));
}

/* Reads all of B: the number of entries, or -1 with E. *RET is the name of the last one. */
static int read_all(const struct buf *b, char last[64], struct err *e)
{
	_cleanup_(stream_freep) struct stream *in = stream_from_mem(b->data, b->len, e);
	_cleanup_(tar_reader_freep) struct tar_reader *r = tar_reader_new(in, e);
	const struct tar_entry *t;
	int n = 0, rc;

	while ((rc = tar_reader_next(r, &t, e)) > 0) {
		snprintf(last, 64, "%.63s", t->name);
		n++;
	}
	return rc < 0 ? -1 : n;
}

static void refused(const struct buf *b, enum err_class class)
{
	struct err e = ERR_INIT;
	char last[64];

	assert_int_equal(read_all(b, last, &e), -1);
	assert_string_equal(err_class_name(e.class), err_class_name(class));
}

static void accepted(const struct buf *b, int n, const char *name)
{
	struct err e = ERR_INIT;
	char last[64] = "";

	assert_int_equal(read_all(b, last, &e), n);
	assert_string_equal(last, name);
}

#define ARCHIVE(b) _cleanup_(buf_done) struct buf b = BUF_INIT((size_t)32 << 20)

static void test_U14_numbers_are_octal_or_base_256(void **state)
{
	static const struct {
		const char *field;
		size_t n;
		int rc;
		int64_t v;
	} cases[] = {
		{"0000644", 8, 0, 0644},
		{" 644 ", 6, 0, 0644},
		{"\0\0\0\0", 4, 0, 0},
		{"777777777777", 12, 0, 0777777777777},
		{"12x", 4, -1, 0},
		{"-1", 3, -1, 0},
		{"\x80\0\0\0\0\0\0\0\0\0\1\0", 12, 0, 256},
		{"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, 0, INT64_MAX},
		{"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, -1, 0},
		{"\x80\0\0\1\0\0\0\0\0\0\0\0", 12, -1, 0},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, 0, -1},
		{"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, 0, INT64_MIN},
		{"\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0", 12, -1, 0},
		{"\x80\0\0\0\0\0\1\2", 8, 0, 258},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 0;
		int rc = tar_number(cases[i].field, cases[i].n, &v);

		assert_int_equal(rc < 0 ? -1 : 0, cases[i].rc);
		assert_int_equal(v, cases[i].v);
	}
}

static void test_U14_negative_and_overflowing_sizes_are_refused(void **state)
{
	static const char *const sizes[] = {
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
		"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ARCHIVE(b);
		struct tar_header h = header('0', "f", 0);

		memcpy(h.size, sizes[i], sizeof(h.size));
		put_block(&b, &h);
		refused(&b, ERR_HOSTILE);
	}
}

static void test_U14_pax_size_wins(void **state)
{
	ARCHIVE(b);
	char inner[2 * TAR_BLOCK_SIZE] = "";
	ARCHIVE(hidden);
	struct tar_header h = header('0', "outer", 0);

	put_file(&hidden, "smuggled", "x");
	memcpy(inner, hidden.data, hidden.len);
	put_pax(&b, 'x', "13 size=1024\n");
	put_block(&b, &h);
	put_data(&b, inner, sizeof(inner));
	accepted(&b, 1, "outer");
}

static void test_U14_a_link_or_directory_has_no_data(void **state)
{
	for (const char *type = "23456"; *type; type++) {
		ARCHIVE(b);
		ARCHIVE(twin);
		struct tar_header h = header(*type, "e", 512), ok = header(*type, "e", 0);

		h.linkname[0] = ok.linkname[0] = 't';
		put_block(&b, &h);
		put_file(&b, "smuggled", "x");
		refused(&b, ERR_HOSTILE);
		put_block(&twin, &ok);
		put_file(&twin, "next", "x");
		accepted(&twin, 2, "next");
	}
}

static void test_U15_owners_fit_into_32_bits(void **state)
{
	static const struct {
		const char *record;
		bool ok;
	} cases[] = {
		{"18 uid=4294967296\n", false}, {"18 uid=4294967295\n", false},
		{"18 gid=4294967295\n", false}, {"10 uid=-1\n", false},
		{"18 uid=4294967294\n", true},  {"10 gid=10\n", true},
		{"11 uid=0x1\n", false},        {"10 uid= 1\n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ARCHIVE(b);

		put_pax(&b, 'x', cases[i].record);
		put_file(&b, "f", "");
		if (cases[i].ok)
			accepted(&b, 1, "f");
		else
			refused(&b, ERR_HOSTILE);
	}
}

static void test_U15_base_256_owner_beyond_32_bits_is_refused(void **state)
{
	ARCHIVE(b);
	struct tar_header h = header('0', "f", 0);

	memcpy(h.uid, "\x80\0\0\1\0\0\0\0", 8);
	put_block(&b, &h);
	refused(&b, ERR_HOSTILE);
}

static void test_U16_pax_lengths_that_lie_are_refused(void **state)
{
	static const char *const bad[] = {
		"99 path=x\n",
		"1 path=x\n",
		"0 path=x\n",
		"8 path=x\n",
		"10 path=x",
		"path=x\n",
		"10 pathx=\nx",
		"5 =x\n",
		" 10 path=x\n",
		"010 path=",
		"99999999999999999999 a=b\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ARCHIVE(b);

		put_pax(&b, 'x', bad[i]);
		put_file(&b, "f", "");
		refused(&b, ERR_INVALID);
	}
}

static void test_U16_large_and_chained_headers_are_refused(void **state)
{
	ARCHIVE(large);
	ARCHIVE(chain);
	ARCHIVE(ok);
	ARCHIVE(two);
	struct tar_header h = header('x', "pax", 64 << 20);

	put_block(&large, &h);
	refused(&large, ERR_LIMIT);
	for (int i = 0; i < 20000; i++)
		put_pax(&chain, 'g', "9 a=bcde\n");
	put_file(&chain, "f", "");
	refused(&chain, ERR_LIMIT);
	for (int i = 0; i < 10; i++)
		put_pax(&ok, 'g', "9 a=bcde\n");
	put_file(&ok, "f", "");
	accepted(&ok, 1, "f");
	put_pax(&two, 'x', "10 path=x\n");
	put_pax(&two, 'x', "10 path=y\n");
	put_file(&two, "f", "");
	refused(&two, ERR_INVALID);
}

static void test_U16_a_global_path_is_refused(void **state)
{
	ARCHIVE(b);
	ARCHIVE(twin);

	put_pax(&b, 'g', "10 path=x\n");
	put_file(&b, "f", "");
	refused(&b, ERR_HOSTILE);
	put_pax(&twin, 'g', "11 comm=ab\n");
	put_file(&twin, "f", "");
	accepted(&twin, 1, "f");
}

static void test_U17_hostile_sparse_maps_are_refused(void **state)
{
	static const struct {
		const char *records;
		const char *data;
		enum err_class class; /* ERR_NONE: accepted */
	} cases[] = {
		{"22 GNU.sparse.size=99\n22 GNU.sparse.map=0,3\n", "abc", ERR_NONE},
		{"22 GNU.sparse.size=99\n26 GNU.sparse.map=0,2,9,1\n", "abc", ERR_NONE},
		{"22 GNU.sparse.size=99\n26 GNU.sparse.map=0,2,1,1\n", "abc", ERR_HOSTILE},
		{"22 GNU.sparse.size=99\n26 GNU.sparse.map=9,1,0,2\n", "abc", ERR_HOSTILE},
		{"22 GNU.sparse.size=99\n22 GNU.sparse.map=0,4\n", "abc", ERR_HOSTILE},
		{"22 GNU.sparse.size=99\n23 GNU.sparse.map=97,3\n", "abc", ERR_HOSTILE},
		{"22 GNU.sparse.size=99\n23 GNU.sparse.map=-1,3\n", "abc", ERR_INVALID},
		{"22 GNU.sparse.size=99\n24 GNU.sparse.map=0,3,5\n", "abc", ERR_INVALID},
		{"22 GNU.sparse.map=0,3\n", "abc", ERR_INVALID},
		{"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.realsize=9\n",
		 "1\n2\n3\n", ERR_HOSTILE},
		{"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.realsize=9\n",
		 "999999999\n0\n1\n", ERR_LIMIT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ARCHIVE(b);
		char padded[TAR_BLOCK_SIZE + 1] = "";

		/* A map in the data takes up a whole block. */
		memset(padded, 'z', sizeof(padded) - 1);
		memcpy(padded, cases[i].data, strlen(cases[i].data));
		put_pax(&b, 'x', cases[i].records);
		put_file(&b, "f", strstr(cases[i].records, "major") ? padded : cases[i].data);
		if (cases[i].class == ERR_NONE)
			accepted(&b, 1, "f");
		else
			refused(&b, cases[i].class);
	}
}

static void test_U18_names_keep_their_bytes_and_never_hold_a_nul(void **state)
{
	ARCHIVE(b);
	ARCHIVE(nul);
	struct tar_header h = header('x', "pax", 12);

	put_file(&b, "a\x01\xff b", "");
	accepted(&b, 1, "a\x01\xff b");
	put_block(&nul, &h);
	put_data(&nul, "12 path=a\0b\n", 12);
	put_file(&nul, "f", "");
	refused(&nul, ERR_HOSTILE);
}

static void test_U19_what_follows_the_end_is_read_but_never_an_entry(void **state)
{
	ARCHIVE(b);
	struct err e = ERR_INIT;
	_cleanup_(stream_freep) struct stream *in = NULL;
	_cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
	const struct tar_entry *t;
	static const char zeros[2 * TAR_BLOCK_SIZE];

	put_file(&b, "first", "x");
	put_data(&b, zeros, sizeof(zeros));
	put_file(&b, "hidden", "x");
	accepted(&b, 1, "first");
	in = stream_from_mem(b.data, b.len, &e);
	r = tar_reader_new(in, &e);
	while (tar_reader_next(r, &t, &e) > 0)
		assert_string_equal(t->name, "first");
	assert_int_equal(tar_reader_drain(r, &e), 0);
	assert_int_equal(tar_reader_offset(r), b.len);
}

static void test_U19_cut_archives_are_refused_except_between_entries(void **state)
{
	ARCHIVE(b);

	put_file(&b, "one", "x");
	put_file(&b, "two", "y");
	for (size_t n = 0; n <= b.len; n++) {
		struct buf cut = {.data = b.data, .len = n};

		size_t whole = n / (2 * TAR_BLOCK_SIZE), rest = n % (2 * TAR_BLOCK_SIZE);

		whole += rest == TAR_BLOCK_SIZE + 1; /* all data, no padding */
		if (rest == 0 || rest == TAR_BLOCK_SIZE + 1)
			accepted(&cut, (int)whole, whole == 0 ? "" : whole == 2 ? "two" : "one");
		else
			refused(&cut, ERR_CORRUPT);
	}
}

static void a_wrong_checksum_is_refused(void **state)
{
	ARCHIVE(b);

	put_file(&b, "one", "x");
	b.data[0] = 'O';
	refused(&b, ERR_INVALID);
}

static void writer_and_reader_agree(void **state)
{
	static const struct tar_xattr xattrs[] = {{"user.b", "x\0y\n", 4},
						  {"security.capability", "\1\2", 2}};
	char long_name[300];
	struct tar_entry entries[] = {
		{.type = TAR_DIR, .name = "d/", .mode = 01777, .mtime_ns = 5000000000},
		{.type = TAR_FILE,
		 .name = long_name,
		 .mode = 04755,
		 .uid = 4294967294u,
		 .gid = 3000000,
		 .mtime_ns = -1500000000,
		 .size = 3,
		 .xattrs = xattrs,
		 .n_xattrs = 2},
		{.type = TAR_SYMLINK, .name = "l", .linkname = long_name, .mode = 0777},
		{.type = TAR_HARDLINK, .name = "h\xc3\xa9", .linkname = "d/f"},
		{.type = TAR_CHAR, .name = "c", .major = 4095, .minor = 1048575},
		{.type = TAR_FIFO, .name = "p", .mtime_ns = 1234567890123456789},
	};
	ARCHIVE(b);
	struct err e = ERR_INIT;
	_cleanup_(sink_freep) struct sink *out = sink_to_buf(&b, &e);
	_cleanup_(stream_freep) struct stream *in = NULL;
	_cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
	struct tar_writer w;

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[299] = '\0';
	tar_writer_init(&w, out);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		assert_int_equal(tar_writer_entry(&w, &entries[i], &e), 0);
		assert_int_equal(tar_writer_data(&w, "abc", entries[i].size, &e), 0);
	}
	assert_int_equal(tar_writer_end(&w, &e), 0);
	in = stream_from_mem(b.data, b.len, &e);
	r = tar_reader_new(in, &e);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct tar_entry *want = &entries[i], *t;

		assert_int_equal(tar_reader_next(r, &t, &e), 1);
		assert_string_equal(t->name, want->name);
		assert_string_equal(t->linkname, want->linkname ? want->linkname : "");
		assert_int_equal(t->type, want->type);
		assert_int_equal(t->mode, want->mode);
		assert_int_equal(t->uid, want->uid);
		assert_int_equal(t->gid, want->gid);
		assert_int_equal(t->mtime_ns, want->mtime_ns);
		assert_int_equal(t->major, want->major);
		assert_int_equal(t->minor, want->minor);
		assert_int_equal(t->n_xattrs, want->n_xattrs);
	}
}

static void writer_refuses_wrong_sizes(void **state)
{
	ARCHIVE(b);
	struct err e = ERR_INIT;
	_cleanup_(sink_freep) struct sink *out = sink_to_buf(&b, &e);
	struct tar_entry t = {.type = TAR_FILE, .name = "f", .size = 3};
	struct tar_writer w;

	tar_writer_init(&w, out);
	assert_int_equal(tar_writer_entry(&w, &t, &e), 0);
	assert_int_equal(tar_writer_data(&w, "abcd", 4, &e), -1);
	assert_int_equal(tar_writer_end(&w, &e), -1);
	assert_int_equal(e.class, ERR_INTERNAL);
}

static void quoting_leaves_only_printable_ascii(void **state)
{
	char out[16];

	assert_string_equal(tar_name_quote("a\x1b[1m", out, sizeof(out)), "a\\x1b[1m");
	assert_string_equal(tar_name_quote("aaaaaaaaaaaaaaaaaaaaaaa", out, sizeof(out)),
			    "aaaaaaaaaaaa...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U14_numbers_are_octal_or_base_256),
		cmocka_unit_test(test_U14_negative_and_overflowing_sizes_are_refused),
		cmocka_unit_test(test_U14_pax_size_wins),
		cmocka_unit_test(test_U14_a_link_or_directory_has_no_data),
		cmocka_unit_test(test_U15_owners_fit_into_32_bits),
		cmocka_unit_test(test_U15_base_256_owner_beyond_32_bits_is_refused),
		cmocka_unit_test(test_U16_pax_lengths_that_lie_are_refused),
		cmocka_unit_test(test_U16_large_and_chained_headers_are_refused),
		cmocka_unit_test(test_U16_a_global_path_is_refused),
		cmocka_unit_test(test_U17_hostile_sparse_maps_are_refused),
		cmocka_unit_test(test_U18_names_keep_their_bytes_and_never_hold_a_nul),
		cmocka_unit_test(test_U19_what_follows_the_end_is_read_but_never_an_entry),
		cmocka_unit_test(test_U19_cut_archives_are_refused_except_between_entries),
		cmocka_unit_test(a_wrong_checksum_is_refused),
		cmocka_unit_test(writer_and_reader_agree),
		cmocka_unit_test(writer_refuses_wrong_sizes),
		cmocka_unit_test(quoting_leaves_only_printable_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
