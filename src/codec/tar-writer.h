/* SPDX-License-Identifier: Apache-2.0 */
/* Writing tar archives: ustar headers, and pax extended headers for what does not fit into them
 * (long or non-ASCII names, large numbers, fractions of seconds, extended attributes). The same
 * entries always give the same bytes. Sparse files are written whole. */
#ifndef KOGGE_CODEC_TAR_WRITER_H
#define KOGGE_CODEC_TAR_WRITER_H

#include "codec/sink.h"
#include "codec/tar.h"

struct tar_writer {
	struct sink *out;
	uint64_t left; /* data bytes that the current entry still owes */
	uint64_t pad;  /* zero bytes after them */
};

/* Writes to OUT (borrowed). Nothing to release. */
void tar_writer_init(struct tar_writer *w, struct sink *out);

/* Writes the header of an entry; the last one's data must be complete (else ERR_INTERNAL). A
 * directory's name gets its trailing slash here. Only size counts for data: stored, sparse and
 * pieces are ignored. */
int tar_writer_entry(struct tar_writer *w, const struct tar_entry *entry, struct err *e);

/* N bytes of the entry's data; more than its size: ERR_INTERNAL. */
int tar_writer_data(struct tar_writer *w, const void *data, size_t n, struct err *e);

/* All of the entry's data from IN; ERR_IO where IN is shorter (a file that shrank), the rest of
 * IN stays unread. */
int tar_writer_copy(struct tar_writer *w, struct stream *in, struct err *e);

/* N bytes of the entry's data went to where the sink writes by another way (sendfile). */
int tar_writer_sent(struct tar_writer *w, uint64_t n, struct err *e);

/* A regular file (0644, owner 0, time MTIME_NS) with N bytes of DATA: for manifests. */
int tar_writer_file(struct tar_writer *w, const char *name, const void *data, size_t n,
		    int64_t mtime_ns, struct err *e);

/* A directory (0755, owner 0). */
int tar_writer_dir(struct tar_writer *w, const char *name, int64_t mtime_ns, struct err *e);

/* The two zero blocks. Does not finish the sink. */
int tar_writer_end(struct tar_writer *w, struct err *e);

#endif
