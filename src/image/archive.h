/* SPDX-License-Identifier: Apache-2.0 */
/* Images from and to archives: `kogge load` and `kogge save`. docs/formats/image-archive.md */
#ifndef KOGGE_IMAGE_ARCHIVE_H
#define KOGGE_IMAGE_ARCHIVE_H

#include "image/image-set.h"

#define ARCHIVE_ENTRIES_MAX  100000
#define ARCHIVE_DOCUMENT_MAX ((size_t)8 << 20)
#define ARCHIVE_IMAGES_MAX   1000

/* Reads a tar stream (plain, gzip or zstd, by its first bytes) from FD, a file or a pipe, to its
 * end: an OCI layout, a Docker archive (manifest.json), or both in
 * one. Every blob goes into SINK while it is read; nothing is ever written by a name that the
 * archive gives. Of an image for several platforms the one for WANT (NULL: the host) is taken.
 * RET is IMAGE_SET_INIT; on failure it needs no image_set_done, and blobs that were stored stay
 * for the caller's garbage collection. ERR_INVALID "... is no image archive", ERR_HOSTILE,
 * ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND. */
int archive_read(int fd, struct content_sink *sink, const struct platform *want,
		 struct image_set *ret, struct err *e);

/* As archive_read, of an OCI layout in the directory DIR. No symbolic link, FIFO or device in it
 * is followed or opened for reading (U24). */
int layout_read(int dir, struct content_sink *sink, const struct platform *want,
		struct image_set *ret, struct err *e);

/* One image to save: the blob of its manifest and the names it shall have there. */
struct archive_image {
	struct digest manifest;
	const char *manifest_type; /* or NULL */
	const struct reference *names;
	size_t n_names;
};

/* Writes the N images as one tar to FD that is an OCI layout and a Docker archive at once, with
 * each blob once: the same images give the same bytes. Blobs go from file to FD inside the kernel
 * where it can. FD must be blocking. */
int archive_write(int fd, struct content_sink *source, const struct archive_image *images, size_t n,
		  struct err *e);

#endif
