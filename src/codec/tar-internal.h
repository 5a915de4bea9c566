/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the tar reader: fields of a header block (tar-header.c), records of an extended
 * header (tar-pax.c), maps of sparse files (tar-sparse.c), and the reader (tar.c). */
#ifndef KOGGE_CODEC_TAR_INTERNAL_H
#define KOGGE_CODEC_TAR_INTERNAL_H

#include "base/buf.h"
#include "codec/tar.h"

enum { TAR_BLOCK_SIZE = 512, TAR_BUFFER = 256 * 1024 };

/* A header block (POSIX.1-1988; the tail of GNU's old sparse format over it). */
struct tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	union {
		char prefix[155];
		struct {
			char prefix[131];
			char times[24];
		} star;
		struct {
			char skipped[41];
			char sparse[4][24];
			char isextended;
			char realsize[12];
		} gnu;
	};
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK_SIZE, "a header is a block");

/* Numbers of a field of N bytes: octal digits between blanks and NULs, or base 256. 0, -EINVAL,
 * -ERANGE. */
int tar_number(const char *field, size_t n, int64_t *ret);

/* Whether the checksum is right, added up of unsigned or, as old programs did, signed bytes. */
bool tar_checksum_ok(const struct tar_header *h);

bool tar_block_is_zero(const void *block);

/* The name of the header, its prefix before it, into OUT. 0 or a negative errno. */
int tar_header_name(const struct tar_header *h, struct buf *out);

/* What extended headers say. The strings lie in the block of records. */
struct tar_pax {
	const char *path;
	const char *linkpath;
	bool has_size, has_uid, has_gid, has_mtime, has_realsize;
	uint64_t size;
	uint64_t realsize; /* of a sparse file */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime_ns;
	/* GNU.sparse: the version, the true name, and for 0.0 an offset waiting for its size. */
	bool sparse;      /* any of it was there */
	bool sparse_data; /* version 1.0: the map begins the data */
	unsigned sparse_major;
	unsigned sparse_minor;
	const char *sparse_name;
	bool has_offset;
	uint64_t offset;
};

struct tar_reader {
	struct stream *in;
	struct tar_entry entry;
	uint64_t consumed; /* bytes of the archive handed out or skipped */
	uint64_t data_left;
	uint64_t pad_left;
	size_t piece; /* the one that data comes from */
	uint64_t piece_used;
	bool ended;
	bool failed;

	/* For the next entry. */
	struct tar_pax pax;
	struct tar_pax global;
	bool has_pax, has_name, has_link;
	struct buf records; /* of the pax header; its strings are cut in place */
	struct buf name;
	struct buf link;

	struct tar_piece *pieces;
	size_t n_pieces;
	size_t cap_pieces;
	struct tar_xattr *xattrs;
	size_t n_xattrs;
	size_t cap_xattrs;

	size_t pos;
	size_t len;
	unsigned char buffer[TAR_BUFFER];
};

/* Sets E, naming where in the archive; the reader is over. Returns -1. */
int tar_fail(struct tar_reader *r, enum err_class class, struct err *e, const char *fmt, ...)
	_printf_(4, 5);

/* The next block, consumed; valid until the next call that reads. */
int tar_next_block(struct tar_reader *r, const unsigned char **ret, struct err *e);

/* Reads the records in R->records into R->pax, or with GLOBAL into R->global. */
int tar_pax_parse(struct tar_reader *r, bool global, struct err *e);

int tar_sparse_push(struct tar_reader *r, uint64_t offset, uint64_t size, struct err *e);

/* "offset,size,offset,size": the map of version 0.1. */
int tar_sparse_parse(struct tar_reader *r, const char *text, struct err *e);

/* Reads the rest of the map: of an old GNU header's block, or of version 1.0 from the data. */
int tar_sparse_old(struct tar_reader *r, const struct tar_header *h, struct err *e);
int tar_sparse_data(struct tar_reader *r, struct err *e);

/* Checks the map against the sizes of the entry. */
int tar_sparse_check(struct tar_reader *r, struct err *e);

#endif
