/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tar archives of foreign origin, as a stream and in bounded memory. Understood: v7,
 * ustar (POSIX.1-1988), pax (POSIX.1-2001), GNU long names and links, base-256 numbers, GNU sparse
 * files (old, and 0.0, 0.1 and 1.0 in pax records). Owners are numbers only. What is ambiguous
 * between readers is refused rather than guessed (SECURITY.md U14 to U19):
 *
 * - sizes are checked against overflow; a pax size wins over the header's; a size on an entry that
 *   has no data (other than a hard link's, which every reader ignores) is refused;
 * - owners must fit into 32 bits and not be 2^32 - 1; device numbers must be Linux's;
 * - one extended header holds at most 1 MiB, at most 16 stand before an entry;
 * - global pax records may set times and owners; names, sizes and attributes: refused;
 * - a sparse map has at most 65,536 pieces, in order, not overlapping, within the file;
 * - reading ends at two zero blocks, or where the stream ends between entries. What follows is
 *   never looked at; tar_reader_drain reads it, so that a digest can cover it. */
#ifndef KOGGE_CODEC_TAR_H
#define KOGGE_CODEC_TAR_H

#include "base/err.h"
#include "codec/stream.h"

#define TAR_META_MAX   ((size_t)1 << 20) /* bytes of one extended header */
#define TAR_CHAIN_MAX  16                /* extended headers before an entry */
#define TAR_SPARSE_MAX 65536             /* pieces of a sparse file */
#define TAR_XATTR_MAX  1024              /* attributes of an entry */
#define TAR_ID_MAX     UINT32_C(0xfffffffe)

enum tar_type {
	TAR_FILE,
	TAR_HARDLINK, /* linkname: a path from the root of the archive */
	TAR_SYMLINK,  /* linkname: the text of the link */
	TAR_CHAR,
	TAR_BLOCK,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name; /* "security.capability": without the prefix of the pax record */
	const void *value;
	size_t size;
};

/* A piece of a sparse file that has data. */
struct tar_piece {
	uint64_t offset;
	uint64_t size;
};

/* Strings have no NUL inside, are not empty where they must be there, and are otherwise as they
 * stand in the archive: any bytes, "..", leading and trailing slashes. Everything belongs to the
 * reader and is valid until its next call of tar_reader_next. A writer takes the same struct. */
struct tar_entry {
	enum tar_type type;
	const char *name;
	const char *linkname; /* "" for types without */
	uint32_t mode;        /* the permission bits and setuid, setgid, sticky */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;    /* of the file as it will be, holes included; 0 for all but TAR_FILE */
	uint64_t stored;  /* bytes of data in the archive */
	int64_t mtime_ns; /* since 1970; clamped to what fits */
	uint32_t major;
	uint32_t minor;
	bool sparse; /* pieces is the map; else the file is one piece */
	const struct tar_piece *pieces;
	size_t n_pieces;
	const struct tar_xattr *xattrs;
	size_t n_xattrs;
};

struct tar_reader;

/* Reads IN (borrowed). NULL with E set when out of memory. */
struct tar_reader *tar_reader_new(struct stream *in, struct err *e);

/* Accepts NULL. */
void tar_reader_free(struct tar_reader *r);
DEFINE_FREEP(struct tar_reader, tar_reader_free)

/* Skips what was not read of the last entry and goes to the next: 1 and *RET, 0 at the end of the
 * archive, -1 with E set (then the reader can only be freed): ERR_CORRUPT for damage and
 * truncation, ERR_INVALID for what is no tar, ERR_UNSUPPORTED for entries of unknown types,
 * ERR_HOSTILE and ERR_LIMIT as above. */
int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct err *e);

/* The next bytes of the entry's data: their number and in *RET where they are (in the reader,
 * valid until its next call) and in *RET_OFFSET where in the file they belong. 0 at its end; in
 * a sparse file holes are left out. */
ssize_t tar_reader_data(struct tar_reader *r, const void **ret, uint64_t *ret_offset,
			struct err *e);

/* Reads the stream to its end, whatever follows the archive. */
int tar_reader_drain(struct tar_reader *r, struct err *e);

/* Where the reader stands, in bytes from the start of the archive: for messages and tests. */
uint64_t tar_reader_offset(const struct tar_reader *r);

/* S with every byte that is not printable ASCII as \xNN and cut to fit N (at least 8) bytes, for
 * messages. Returns OUT. */
const char *tar_name_quote(const char *s, char *out, size_t n);

#define TAR_QUOTE_SIZE 256

#endif
