/* SPDX-License-Identifier: Apache-2.0 */
/* The images that an archive or layout holds, once all of their blobs are in a content sink. */
#ifndef KOGGE_IMAGE_IMAGE_SET_H
#define KOGGE_IMAGE_IMAGE_SET_H

#include "base/arena.h"
#include "image/content-sink.h"
#include "oci/platform.h"
#include "oci/reference.h"

/* A layer, lowest first. The diff ID is what the configuration says: who unpacks the layer checks
 * it. The blob's digest and size are checked. */
struct image_layer {
	struct digest blob;
	struct digest diff_id;
	const char *media_type; /* tells the compression; media_type_find */
	int64_t size;           /* of the blob */
};

struct image_entry {
	struct reference *names; /* tagged; possibly none */
	size_t n_names;
	struct digest manifest; /* as it came, or made by us for an archive that has none */
	const char *manifest_type;
	struct digest config; /* the image's ID, as Docker shows it */
	struct platform platform;
	struct image_layer *layers;
	size_t n_layers;
	int64_t manifest_size, config_size;
	/* For image_make_manifest. */
	const struct key_value *annotations;
	size_t n_annotations;
};

/* All of them, in the order of the archive. */
struct image_set {
	struct arena arena;
	struct image_entry *images;
	size_t n_images;
};

#define IMAGE_SET_INIT ((struct image_set){.images = NULL})

void image_set_done(struct image_set *s);

/* Opens the image whose manifest is the blob MANIFEST of SINK and appends it to S: parses manifest
 * and configuration, checks that they fit each other and that every layer blob is there with the
 * size it should have. TYPE is the expected media type or NULL. Sets *RET to the new entry, which
 * is valid until the next one is added. ERR_NOT_FOUND for blobs that are missing, ERR_CORRUPT,
 * ERR_INVALID, ERR_HOSTILE. */
int image_set_add(struct image_set *s, struct content_sink *sink, const struct digest *manifest,
		  const char *type, struct image_entry **ret, struct err *e);

/* Adds NAME to an entry of S where it is not there yet. */
int image_set_name(struct image_set *s, struct image_entry *i, const struct reference *name,
		   struct err *e);

/* Appends the manifest that image_make_manifest makes. */
struct buf;
int image_write_manifest(const struct image_entry *image, struct buf *out, struct err *e);

/* Makes an OCI manifest of IMAGE's configuration and layers (config, config_size, layers, n_layers;
 * the rest is not looked at), stores it in SINK and returns its digest: for import, commit and
 * build, and for Docker archives, which have none. */
int image_make_manifest(struct content_sink *sink, const struct image_entry *image,
			struct digest *ret_manifest, struct err *e);

#endif
