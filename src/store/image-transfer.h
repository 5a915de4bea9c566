/* SPDX-License-Identifier: Apache-2.0 */
/* Images into and out of the store: load, import, save. All of them stream; layers are unpacked by
 * kogge-unpack, confined. An image appears whole or not at all, and what was reported is durable.
 */
#ifndef KOGGE_STORE_IMAGE_TRANSFER_H
#define KOGGE_STORE_IMAGE_TRANSFER_H

#include "base/err.h"

#include "store/image-store.h"

struct store;

/* What was loaded: FN gets the image ID and a familiar name ("debian:12"), or NULL for an image
 * without one; once for each name. Called after publication. */
typedef void (*image_loaded_fn)(void *arg, const char *id, const char *name);

/* Loads every image of the archive that FD (a file, pipe or socket; read to its end) holds: OCI
 * layout or Docker archive, plain or compressed. PLATFORM ("linux/arm64", NULL: this machine's, or
 * the only one there is) chooses among several. All images of an archive become visible at once.
 * Errors: ERR_INVALID, ERR_CORRUPT, ERR_HOSTILE, ERR_LIMIT for the archive; the store is then as
 * it was. */
int image_load(struct store *s, int fd, const char *platform, image_loaded_fn fn, void *arg,
	       struct err *e);

/* Reads images from elsewhere: puts all their blobs into SINK and describes them in RET, which is
 * IMAGE_SET_INIT. 0, or -1 with E. */
struct content_sink;
struct image_set;
typedef int (*image_source_fn)(void *arg, struct content_sink *sink, struct image_set *ret,
			       struct err *e);

/* Loads what SOURCE gives, as image_load does of an archive. */
int image_load_source(struct store *s, image_source_fn source, void *source_arg, image_loaded_fn fn,
		      void *arg, struct err *e);

/* Calls FN with a sink from which the blobs of the image REF can be opened, while they cannot be
 * collected. IMG is the image. */
typedef int (*image_read_fn)(void *arg, struct content_sink *blobs, const struct image *img,
			     struct err *e);
int image_read(struct store *s, const char *ref, image_read_fn fn, void *arg, struct err *e);

struct image_import_opts {
	const char *name;           /* NULL: none */
	const char *message;        /* NULL: none */
	const char *platform;       /* NULL: this machine's */
	const char *const *changes; /* Dockerfile instructions, NULL-terminated or NULL */
};

/* Makes an image with one layer of the root file system tar (plain or compressed) that FD holds. */
int image_import(struct store *s, int fd, const struct image_import_opts *opts,
		 char ret_id[IMAGE_ID_SIZE], struct err *e);

/* Writes the images that REFS (N of them) name into one tar on FD that is an OCI layout and a
 * Docker archive. An image given by name gets that name in the archive; one given by ID none. */
int image_save(struct store *s, const char *const *refs, size_t n, int fd, struct err *e);

/* The same with one image, by its ID, under NAMES (NULL-terminated, or NULL) that it need not have
 * in the store. */
int image_save_as(struct store *s, const char *id, const char *const *names, int fd, struct err *e);

#endif
