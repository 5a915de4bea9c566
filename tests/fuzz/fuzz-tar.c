/* SPDX-License-Identifier: Apache-2.0 */
/* The tar reader against any bytes. What must hold: strings are strings, numbers are in range, data
 * lies within the file and in order, and what the writer makes of an entry reads back the same. */
#include "base/buf.h"
#include "codec/tar-writer.h"
#include "codec/tar.h"

#include <string.h>

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			__builtin_trap();                                                          \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_entry(const struct tar_entry *t)
{
	CHECK(t->name && *t->name && t->linkname);
	CHECK(t->uid <= TAR_ID_MAX && t->gid <= TAR_ID_MAX && t->mode <= 07777);
	CHECK(t->type == TAR_FILE || (t->size == 0 && t->stored == 0));
	CHECK(t->size <= INT64_MAX && t->major <= 0xfff && t->minor <= 0xfffff);
	CHECK(t->n_xattrs <= TAR_XATTR_MAX && t->n_pieces <= TAR_SPARSE_MAX);
	CHECK((t->type == TAR_HARDLINK || t->type == TAR_SYMLINK) == (*t->linkname != 0));
	CHECK(t->sparse || t->size == t->stored);
	for (size_t i = 0; i < t->n_xattrs; i++)
		CHECK(*t->xattrs[i].name);
}

static void check_same(const struct tar_entry *a, const struct tar_entry *b)
{
	CHECK(a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid);
	CHECK(strcmp(a->linkname, b->linkname) == 0 && a->mtime_ns == b->mtime_ns);
	CHECK(strncmp(a->name, b->name, strlen(a->name)) == 0);
	CHECK(a->size == b->size && a->major == b->major && a->minor == b->minor);
}

static void check_round_trip(const struct tar_entry *t)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT((size_t)8 << 20);
	_cleanup_(sink_freep) struct sink *sink = sink_to_buf(&out, NULL);
	_cleanup_(stream_freep) struct stream *in = NULL;
	_cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
	const struct tar_entry *again;
	struct tar_writer w;
	struct err e = ERR_INIT;

	/* A file's name that ends with a slash would come back as a directory. */
	if (t->type == TAR_FILE && t->name[strlen(t->name) - 1] == '/')
		return;
	tar_writer_init(&w, sink);
	if (tar_writer_entry(&w, t, &e) < 0)
		return; /* too large for one pax header */
	in = stream_from_mem(out.data, out.len, &e);
	r = tar_reader_new(in, &e);
	CHECK(tar_reader_next(r, &again, &e) == 1);
	check_same(t, again);
}

/* Mutations nearly always break a checksum; mending most of them lets the fuzzer see what is
 * behind. Inputs of an odd length stay as they are. */
static void mend_checksums(uint8_t *data, size_t n)
{
	for (size_t at = 0; n % 2 == 0 && at + 512 <= n; at += 512) {
		uint8_t *h = data + at;
		unsigned sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += h[i];
		for (size_t i = 6; i-- > 0; sum >>= 3)
			h[148 + i] = (uint8_t)('0' + (sum & 7));
	}
}

static void read_archive(const uint8_t *data, size_t n)
{
	_cleanup_(stream_freep) struct stream *in = stream_from_mem(data, n, NULL);
	_cleanup_(tar_reader_freep) struct tar_reader *r = tar_reader_new(in, NULL);
	const struct tar_entry *t;
	struct err e = ERR_INIT;
	int rc;

	while ((rc = tar_reader_next(r, &t, &e)) > 0) {
		uint64_t end = 0, offset, sum = 0;
		const void *p;
		ssize_t got;

		check_entry(t);
		check_round_trip(t);
		if (t->mode & 1)
			continue; /* leave its data to be skipped */
		while ((got = tar_reader_data(r, &p, &offset, &e)) > 0) {
			CHECK(offset >= end && offset + (uint64_t)got <= t->size);
			CHECK(p != NULL);
			end = offset + (uint64_t)got;
			sum += (uint64_t)got;
		}
		CHECK(got < 0 || sum == t->stored);
	}
	CHECK(rc == 0 || e.class != ERR_NONE);
	CHECK(rc < 0 || tar_reader_drain(r, &e) == 0);
	CHECK(rc < 0 || tar_reader_offset(r) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_(freep) uint8_t *copy = malloc(n + !n);

	if (n > 0)
		memcpy(copy, data, n);
	mend_checksums(copy, n);
	read_archive(copy, n);
	return 0;
}
