/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/media-type.h"

#include <string.h>

static const struct media_type table[] = {
	{MEDIA_OCI_INDEX, .kind = MEDIA_INDEX},
	{MEDIA_OCI_MANIFEST, .kind = MEDIA_MANIFEST},
	{MEDIA_OCI_CONFIG, .kind = MEDIA_CONFIG},
	{MEDIA_OCI_LAYER, .kind = MEDIA_LAYER},
	{MEDIA_OCI_LAYER_GZIP, .kind = MEDIA_LAYER, .compression = MEDIA_GZIP},
	{MEDIA_OCI_LAYER_ZSTD, .kind = MEDIA_LAYER, .compression = MEDIA_ZSTD},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar", .kind = MEDIA_LAYER,
	 .foreign = true},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", .kind = MEDIA_LAYER,
	 .compression = MEDIA_GZIP, .foreign = true},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", .kind = MEDIA_LAYER,
	 .compression = MEDIA_ZSTD, .foreign = true},
	{MEDIA_DOCKER_INDEX, .kind = MEDIA_INDEX, .docker = true},
	{MEDIA_DOCKER_MANIFEST, .kind = MEDIA_MANIFEST, .docker = true},
	{MEDIA_DOCKER_CONFIG, .kind = MEDIA_CONFIG, .docker = true},
	{MEDIA_DOCKER_LAYER, .kind = MEDIA_LAYER, .compression = MEDIA_GZIP, .docker = true},
	{"application/vnd.docker.image.rootfs.diff.tar", .kind = MEDIA_LAYER, .docker = true},
	{"application/vnd.docker.image.rootfs.diff.tar.zstd", .kind = MEDIA_LAYER,
	 .compression = MEDIA_ZSTD, .docker = true},
	{"application/vnd.docker.image.rootfs.foreign.diff.tar", .kind = MEDIA_LAYER,
	 .docker = true, .foreign = true},
	{"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", .kind = MEDIA_LAYER,
	 .compression = MEDIA_GZIP, .docker = true, .foreign = true},
	{"application/vnd.docker.distribution.manifest.v1+json", .kind = MEDIA_SCHEMA1,
	 .docker = true},
	{"application/vnd.docker.distribution.manifest.v1+prettyjws", .kind = MEDIA_SCHEMA1,
	 .docker = true},
};

const struct media_type *media_type_find(const char *name)
{
	static const struct media_type unknown = {"", .kind = MEDIA_UNKNOWN};
	size_t n = name ? strcspn(name, "; ") : 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strlen(table[i].name) == n && n && memcmp(table[i].name, name, n) == 0)
			return &table[i];
	}
	return &unknown;
}

const char *media_type_of_layer(enum media_compression c)
{
	switch (c) {
	case MEDIA_GZIP:
		return MEDIA_OCI_LAYER_GZIP;
	case MEDIA_ZSTD:
		return MEDIA_OCI_LAYER_ZSTD;
	default:
		return MEDIA_OCI_LAYER;
	}
}

enum media_compression media_compression_of_magic(const void *data, size_t n)
{
	static const unsigned char gzip[] = {0x1f, 0x8b, 0x08}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	const unsigned char *p = data;

	if (n >= sizeof(gzip) && memcmp(p, gzip, sizeof(gzip)) == 0)
		return MEDIA_GZIP;
	if (n >= sizeof(zstd) && memcmp(p, zstd, sizeof(zstd)) == 0)
		return MEDIA_ZSTD;
	/* Skippable frames, with which pzstd and zstd:chunked begin: 0x184D2A50 to 0x184D2A5F. */
	if (n >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18)
		return MEDIA_ZSTD;
	return MEDIA_PLAIN;
}
