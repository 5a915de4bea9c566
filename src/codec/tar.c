/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: extended headers are gathered until a header of an entry comes, which is then built
 * of both. Between calls, data_left and pad_left say what of the entry is still in the stream.
 * Any error is final (failed), since after it nobody knows where the next header is. */
#include "codec/tar-internal.h"

#include "base/num.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DATA_CHUNK = 128 * 1024, DEV_MAJOR_MAX = 0xfff, DEV_MINOR_MAX = 0xfffff };

struct tar_reader *tar_reader_new(struct stream *in, struct err *e)
{
	struct tar_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		err_errno(e, ENOMEM, "reading a tar archive");
		return NULL;
	}
	r->in = in;
	r->records = BUF_INIT(TAR_META_MAX + TAR_BLOCK_SIZE);
	r->name = BUF_INIT(TAR_META_MAX + TAR_BLOCK_SIZE);
	r->link = BUF_INIT(TAR_META_MAX + TAR_BLOCK_SIZE);
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	buf_done(&r->records);
	buf_done(&r->name);
	buf_done(&r->link);
	free(r->pieces);
	free(r->xattrs);
	free(r);
}

int tar_fail(struct tar_reader *r, enum err_class class, struct err *e, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	r->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, class, 0, "tar archive, at byte %llu: %s",
		       (unsigned long long)r->consumed, text);
}

/* --- the buffer --- */

/* Has N (at most TAR_BUFFER) bytes in the buffer, fewer only at the end of the stream. */
static int fill(struct tar_reader *r, size_t n, struct err *e)
{
	if (r->len - r->pos >= n)
		return 0;
	if (r->pos + n > TAR_BUFFER || r->pos == r->len) {
		memmove(r->buffer, r->buffer + r->pos, r->len - r->pos);
		r->len -= r->pos;
		r->pos = 0;
	}
	while (r->len - r->pos < n) {
		ssize_t got = stream_read(r->in, r->buffer + r->len, TAR_BUFFER - r->len, e);

		if (got < 0) {
			r->failed = true;
			return -1;
		}
		if (got == 0)
			break;
		r->len += (size_t)got;
	}
	return 0;
}

static void consume(struct tar_reader *r, size_t n)
{
	r->pos += n;
	r->consumed += n;
}

int tar_next_block(struct tar_reader *r, const unsigned char **ret, struct err *e)
{
	if (fill(r, TAR_BLOCK_SIZE, e) < 0)
		return -1;
	if (r->len - r->pos < TAR_BLOCK_SIZE)
		return tar_fail(r, ERR_CORRUPT, e, "the archive is cut off");
	*ret = r->buffer + r->pos;
	consume(r, TAR_BLOCK_SIZE);
	return 0;
}

static int skip(struct tar_reader *r, uint64_t n, struct err *e)
{
	while (n > 0) {
		size_t take;

		if (fill(r, 1, e) < 0)
			return -1;
		take = (size_t)MIN(n, (uint64_t)(r->len - r->pos));
		if (take == 0)
			return tar_fail(r, ERR_CORRUPT, e, "the archive is cut off");
		consume(r, take);
		n -= take;
	}
	return 0;
}

static uint64_t padding(uint64_t n)
{
	return (TAR_BLOCK_SIZE - n % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;
}

/* --- headers --- */

struct field {
	const char *what; /* for messages */
	const char *at;
	size_t n;
	int64_t max; /* the least is 0 */
};

static int number(struct tar_reader *r, const struct field *f, int64_t *ret, struct err *e)
{
	int64_t v;
	int rc = tar_number(f->at, f->n, &v);

	if (rc < 0 || v < 0 || v > f->max)
		return tar_fail(r, rc == -EINVAL ? ERR_INVALID : ERR_HOSTILE, e,
				"the %s of an entry is %s", f->what,
				rc == -EINVAL ? "no number" : "out of range");
	*ret = v;
	return 0;
}

#define NUMBER(r, what, array, max, ret, e)                                                        \
	number(r, &(struct field){what, array, sizeof(array), max}, ret, e)

/* The next header in *RET: 1, or 0 at the end. The copy survives further reading. */
static int next_header(struct tar_reader *r, struct tar_header *ret, struct err *e)
{
	const unsigned char *block;

	if (fill(r, TAR_BLOCK_SIZE, e) < 0)
		return -1;
	if (r->len == r->pos)
		return 0;
	if (tar_next_block(r, &block, e) < 0)
		return -1;
	if (!tar_block_is_zero(block)) {
		memcpy(ret, block, TAR_BLOCK_SIZE);
		if (!tar_checksum_ok(ret))
			return tar_fail(
				r, r->consumed == TAR_BLOCK_SIZE ? ERR_INVALID : ERR_CORRUPT, e,
				r->consumed == TAR_BLOCK_SIZE
					? "this is no tar archive"
					: "the checksum of a header is wrong");
		return 1;
	}
	if (fill(r, TAR_BLOCK_SIZE, e) < 0)
		return -1;
	if (r->len == r->pos)
		return 0;
	if (tar_next_block(r, &block, e) < 0)
		return -1;
	if (!tar_block_is_zero(block))
		return tar_fail(r, ERR_CORRUPT, e, "a lone block of zeros between entries");
	return 0;
}

/* The data of an extended header into OUT. */
static int read_meta(struct tar_reader *r, const struct tar_header *h, struct buf *out,
		     struct err *e)
{
	int64_t size;
	uint64_t left;

	if (NUMBER(r, "size", h->size, INT64_MAX - TAR_BLOCK_SIZE, &size, e) < 0)
		return -1;
	if ((uint64_t)size > TAR_META_MAX)
		return tar_fail(r, ERR_LIMIT, e, "an extended header has %lld bytes, more than %zu",
				(long long)size, TAR_META_MAX);
	buf_clear(out);
	if (buf_reserve(out, (size_t)size) < 0)
		return tar_fail(r, ERR_LIMIT, e, "out of memory");
	for (left = (uint64_t)size; left > 0;) {
		size_t take;

		if (fill(r, 1, e) < 0)
			return -1;
		take = (size_t)MIN(left, (uint64_t)(r->len - r->pos));
		if (take == 0)
			return tar_fail(r, ERR_CORRUPT, e, "the archive is cut off");
		if (buf_put(out, r->buffer + r->pos, take) < 0)
			return tar_fail(r, ERR_LIMIT, e, "out of memory");
		consume(r, take);
		left -= take;
	}
	return skip(r, padding((uint64_t)size), e);
}

static int read_long_name(struct tar_reader *r, const struct tar_header *h, bool *has,
			  struct buf *out, struct err *e)
{
	if (*has)
		return tar_fail(r, ERR_INVALID, e, "two long names for one entry");
	*has = true;
	if (read_meta(r, h, out, e) < 0)
		return -1;
	if (out->len > 0 && memchr(out->data, 0, out->len - 1))
		return tar_fail(r, ERR_HOSTILE, e, "a long name has a NUL inside");
	return 0;
}

static int read_pax(struct tar_reader *r, const struct tar_header *h, bool global, struct err *e)
{
	if (!global && r->has_pax)
		return tar_fail(r, ERR_INVALID, e, "two pax headers for one entry");
	/* The strings of a local header live in the records: a global one may not follow it. */
	if (global && r->has_pax)
		return tar_fail(r, ERR_INVALID, e, "a global pax header after a local one");
	r->has_pax = !global;
	if (read_meta(r, h, &r->records, e) < 0)
		return -1;
	return tar_pax_parse(r, global, e);
}

/* Reads H where it is an extended header: 1, or 0 where it is an entry's. */
static int extended(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	int64_t size;

	switch (h->typeflag) {
	case 'x':
		return read_pax(r, h, false, e) < 0 ? -1 : 1;
	case 'g':
		return read_pax(r, h, true, e) < 0 ? -1 : 1;
	case 'L':
		return read_long_name(r, h, &r->has_name, &r->name, e) < 0 ? -1 : 1;
	case 'K':
		return read_long_name(r, h, &r->has_link, &r->link, e) < 0 ? -1 : 1;
	case 'V': /* GNU: the label of a volume */
		if (NUMBER(r, "size", h->size, INT64_MAX - TAR_BLOCK_SIZE, &size, e) < 0)
			return -1;
		return skip(r, (uint64_t)size + padding((uint64_t)size), e) < 0 ? -1 : 1;
	default:
		return 0;
	}
}

/* --- an entry --- */

/* A slash at its end makes a file a directory: that is how programs before ustar wrote them. */
static int set_type(struct tar_reader *r, char flag, struct err *e)
{
	struct tar_entry *t = &r->entry;
	size_t n = strlen(t->name);

	switch (flag) {
	case '\0':
	case '0':
	case '7': /* contiguous: a file like any other */
		t->type = n > 0 && t->name[n - 1] == '/' ? TAR_DIR : TAR_FILE;
		return 0;
	case 'S': /* GNU: sparse */
		t->type = TAR_FILE;
		return 0;
	case '1':
		t->type = TAR_HARDLINK;
		return 0;
	case '2':
		t->type = TAR_SYMLINK;
		return 0;
	case '3':
		t->type = TAR_CHAR;
		return 0;
	case '4':
		t->type = TAR_BLOCK;
		return 0;
	case '5':
		t->type = TAR_DIR;
		return 0;
	case '6':
		t->type = TAR_FIFO;
		return 0;
	default:
		return tar_fail(r, ERR_UNSUPPORTED, e, "an entry has the unknown type 0x%02x",
				(unsigned)(unsigned char)flag);
	}
}

/* The name by precedence: one extended header at most may give it, else the header. */
static int set_name(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	const struct tar_pax *pax = &r->pax;
	const char *path = pax->sparse_name ? pax->sparse_name : pax->path;

	if (path && r->has_name)
		return tar_fail(r, ERR_HOSTILE, e, "an entry has two long names");
	if (!r->has_name && !path && tar_header_name(h, &r->name) < 0)
		return tar_fail(r, ERR_LIMIT, e, "out of memory");
	r->entry.name = path ? path : buf_str(&r->name);
	if (!*r->entry.name)
		return tar_fail(r, ERR_INVALID, e, "an entry has no name");
	return 0;
}

static int set_link(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	bool wanted = r->entry.type == TAR_HARDLINK || r->entry.type == TAR_SYMLINK;

	r->entry.linkname = "";
	if (!wanted)
		return 0;
	if (r->pax.linkpath && r->has_link)
		return tar_fail(r, ERR_HOSTILE, e, "an entry has two long link names");
	if (!r->has_link && !r->pax.linkpath) {
		buf_clear(&r->link);
		if (buf_put(&r->link, h->linkname, strnlen(h->linkname, sizeof(h->linkname))) < 0)
			return tar_fail(r, ERR_LIMIT, e, "out of memory");
	}
	r->entry.linkname = r->pax.linkpath ? r->pax.linkpath : buf_str(&r->link);
	if (!*r->entry.linkname)
		return tar_fail(r, ERR_INVALID, e, "a link has no target");
	return 0;
}

static int set_owner(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	const struct tar_pax *pax = &r->pax, *global = &r->global;
	int64_t v;

	if (pax->has_uid || global->has_uid)
		r->entry.uid = pax->has_uid ? pax->uid : global->uid;
	else if (NUMBER(r, "user", h->uid, TAR_ID_MAX, &v, e) < 0)
		return -1;
	else
		r->entry.uid = (uint32_t)v;
	if (pax->has_gid || global->has_gid)
		r->entry.gid = pax->has_gid ? pax->gid : global->gid;
	else if (NUMBER(r, "group", h->gid, TAR_ID_MAX, &v, e) < 0)
		return -1;
	else
		r->entry.gid = (uint32_t)v;
	return 0;
}

static int set_mode_and_time(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	const int64_t max_s = INT64_MAX / (int64_t)NUM_NS_PER_S - 1;
	int64_t v;

	/* Some writers put the file type above the permissions. */
	if (NUMBER(r, "mode", h->mode, INT64_MAX, &v, e) < 0)
		return -1;
	r->entry.mode = (uint32_t)(v & 07777);
	if (r->pax.has_mtime || r->global.has_mtime) {
		r->entry.mtime_ns = r->pax.has_mtime ? r->pax.mtime_ns : r->global.mtime_ns;
		return 0;
	}
	if (tar_number(h->mtime, sizeof(h->mtime), &v) < 0)
		return tar_fail(r, ERR_INVALID, e, "the time of an entry is no number");
	r->entry.mtime_ns = MAX(-max_s, MIN(v, max_s)) * (int64_t)NUM_NS_PER_S;
	return 0;
}

static int set_device(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	int64_t major, minor;

	r->entry.major = 0;
	r->entry.minor = 0;
	if (r->entry.type != TAR_CHAR && r->entry.type != TAR_BLOCK)
		return 0;
	if (NUMBER(r, "major device number", h->devmajor, DEV_MAJOR_MAX, &major, e) < 0 ||
	    NUMBER(r, "minor device number", h->devminor, DEV_MINOR_MAX, &minor, e) < 0)
		return -1;
	r->entry.major = (uint32_t)major;
	r->entry.minor = (uint32_t)minor;
	return 0;
}

static int set_size(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	int64_t size;

	if (r->pax.has_size)
		size = (int64_t)r->pax.size;
	else if (NUMBER(r, "size", h->size, INT64_MAX, &size, e) < 0)
		return -1;
	/* Old programs gave a hard link the size of its file, without data: all readers know. */
	if (r->entry.type == TAR_HARDLINK)
		size = 0;
	if (r->entry.type != TAR_FILE && size != 0)
		return tar_fail(r, ERR_HOSTILE, e, "an entry that has no data has a size of %lld",
				(long long)size);
	if ((uint64_t)size > (uint64_t)INT64_MAX - TAR_BLOCK_SIZE - r->consumed)
		return tar_fail(r, ERR_HOSTILE, e, "the size of an entry is out of range");
	r->entry.size = (uint64_t)size;
	r->data_left = (uint64_t)size;
	r->pad_left = padding((uint64_t)size);
	return 0;
}

static int set_sparse(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	const struct tar_pax *pax = &r->pax;
	bool old = h->typeflag == 'S';

	r->entry.sparse = old || pax->sparse;
	if (!r->entry.sparse)
		return 0;
	if (r->entry.type != TAR_FILE || (old && pax->sparse))
		return tar_fail(r, ERR_HOSTILE, e, "an entry that cannot be is marked as sparse");
	if (old) {
		if (tar_sparse_old(r, h, e) < 0)
			return -1;
		return tar_sparse_check(r, e);
	}
	if (!pax->has_realsize)
		return tar_fail(r, ERR_INVALID, e, "a sparse file has no size");
	r->entry.size = pax->realsize;
	if (pax->sparse_major > 1 || pax->sparse_minor > (pax->sparse_major ? 0 : 1))
		return tar_fail(r, ERR_UNSUPPORTED, e, "a sparse file of version %u.%u",
				pax->sparse_major, pax->sparse_minor);
	if (pax->sparse_major == 1 && tar_sparse_data(r, e) < 0)
		return -1;
	return tar_sparse_check(r, e);
}

static int build_entry(struct tar_reader *r, const struct tar_header *h, struct err *e)
{
	if (set_name(r, h, e) < 0 || set_type(r, h->typeflag, e) < 0 || set_link(r, h, e) < 0 ||
	    set_owner(r, h, e) < 0 || set_mode_and_time(r, h, e) < 0 || set_device(r, h, e) < 0 ||
	    set_size(r, h, e) < 0 || set_sparse(r, h, e) < 0)
		return -1;
	r->entry.stored = r->data_left;
	r->entry.pieces = r->pieces;
	r->entry.n_pieces = r->entry.sparse ? r->n_pieces : 0;
	r->entry.xattrs = r->xattrs;
	r->entry.n_xattrs = r->n_xattrs;
	r->piece = 0;
	r->piece_used = 0;
	return 0;
}

static void forget_entry(struct tar_reader *r)
{
	r->entry = (struct tar_entry){.type = TAR_FILE};
	r->pax = (struct tar_pax){.path = NULL};
	r->has_pax = false;
	r->has_name = false;
	r->has_link = false;
	r->n_pieces = 0;
	r->n_xattrs = 0;
}

/* Archives whose writer was never closed (umoci insert) end after the last byte of the last entry:
 * nothing is lost, so that is an end like the one without zero blocks. */
static int skip_padding(struct tar_reader *r, struct err *e)
{
	if (r->pad_left == 0)
		return 0;
	if (fill(r, 1, e) < 0)
		return -1;
	if (r->len == r->pos) {
		r->ended = true;
		return 0;
	}
	return skip(r, r->pad_left, e);
}

int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct err *e)
{
	struct tar_header h;
	unsigned chain = 0;

	if (r->failed)
		return tar_fail(r, ERR_CORRUPT, e, "reading failed before");
	if (skip(r, r->data_left, e) < 0 || skip_padding(r, e) < 0)
		return -1;
	r->data_left = 0;
	r->pad_left = 0;
	forget_entry(r);
	for (;;) {
		int rc = r->ended ? 0 : next_header(r, &h, e);

		if (rc <= 0) {
			if (rc == 0 && (r->has_pax || r->has_name || r->has_link))
				return tar_fail(r, ERR_CORRUPT, e,
						"the archive ends after an extended header");
			r->ended = rc == 0;
			return rc;
		}
		rc = extended(r, &h, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		if (++chain > TAR_CHAIN_MAX)
			return tar_fail(r, ERR_LIMIT, e, "more than %d extended headers in a row",
					TAR_CHAIN_MAX);
	}
	if (build_entry(r, &h, e) < 0)
		return -1;
	*ret = &r->entry;
	return 1;
}

/* --- data --- */

/* How much may be handed out at once, and where in the file it belongs. */
static uint64_t at_piece(struct tar_reader *r, uint64_t *ret_offset)
{
	const struct tar_piece *p;

	if (!r->entry.sparse) {
		*ret_offset = r->entry.size - r->data_left;
		return r->data_left;
	}
	/* tar_sparse_check holds: while data is left, a piece has room for it. */
	while (r->piece_used == r->pieces[r->piece].size) {
		r->piece++;
		r->piece_used = 0;
	}
	p = &r->pieces[r->piece];
	*ret_offset = p->offset + r->piece_used;
	return p->size - r->piece_used;
}

ssize_t tar_reader_data(struct tar_reader *r, const void **ret, uint64_t *ret_offset, struct err *e)
{
	uint64_t offset, want;
	size_t take;

	if (r->failed)
		return tar_fail(r, ERR_CORRUPT, e, "reading failed before");
	if (r->data_left == 0)
		return 0;
	want = at_piece(r, &offset);
	if (fill(r, (size_t)MIN(want, (uint64_t)DATA_CHUNK), e) < 0)
		return -1;
	take = (size_t)MIN(want, (uint64_t)(r->len - r->pos));
	if (take == 0)
		return tar_fail(r, ERR_CORRUPT, e, "the archive is cut off");
	*ret = r->buffer + r->pos;
	*ret_offset = offset;
	consume(r, take);
	r->data_left -= take;
	r->piece_used += take;
	return (ssize_t)take;
}

int tar_reader_drain(struct tar_reader *r, struct err *e)
{
	uint64_t n;

	if (stream_drain(r->in, &n, e) < 0) {
		r->failed = true;
		return -1;
	}
	r->consumed += r->len - r->pos + n;
	r->pos = r->len;
	r->ended = true;
	r->data_left = 0;
	r->pad_left = 0;
	return 0;
}

uint64_t tar_reader_offset(const struct tar_reader *r)
{
	return r->consumed;
}
