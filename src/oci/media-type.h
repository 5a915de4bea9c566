/* SPDX-License-Identifier: Apache-2.0 */
/* The media types of images: OCI's (image-spec, media-types.md) and Docker's schema 2. */
#ifndef KOGGE_OCI_MEDIA_TYPE_H
#define KOGGE_OCI_MEDIA_TYPE_H

#include "base/macro.h"

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG, /* of an image that can run */
	MEDIA_LAYER,
	MEDIA_SCHEMA1, /* Docker's manifests before 2016: recognised, not supported */
};

/* How the tar stream of a layer is compressed. */
enum media_compression {
	MEDIA_PLAIN,
	MEDIA_GZIP,
	MEDIA_ZSTD,
};

struct media_type {
	const char *name;
	enum media_kind kind;
	enum media_compression compression; /* layers */
	bool docker;                        /* Docker's, not OCI's */
	bool foreign;                       /* a layer that must not be distributed */
};

#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY       "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_INDEX    "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"

/* The entry of a media type (NULL allowed), never NULL: an unknown one gives an entry of the kind
 * MEDIA_UNKNOWN. Parameters after ';' are ignored. */
const struct media_type *media_type_find(const char *name);

/* The OCI media type of a layer with that compression. */
const char *media_type_of_layer(enum media_compression c);

/* What the first N bytes of a stream say: gzip, zstd, or plain. */
enum media_compression media_compression_of_magic(const void *data, size_t n);

#endif
