/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms (image-spec, image-index.md "platform"), normalised as containerd does: x86_64 is
 * amd64, aarch64 is arm64 of variant v8. Plain memory. */
#ifndef KOGGE_OCI_PLATFORM_H
#define KOGGE_OCI_PLATFORM_H

#include "base/err.h"

#define PLATFORM_TEXT_SIZE 128
#define PLATFORM_MATCH_MAX 100 /* the best that platform_match gives */

struct json_reader;

struct platform {
	char os[32];
	char architecture[32];
	char variant[32];    /* "" where there is none */
	char os_version[64]; /* Windows; shown, not compared */
};

/* Of this machine (uname's, so a 32-bit program on a 64-bit kernel sees the kernel's). */
void platform_host(struct platform *ret);

/* Normalises in place: lower case, containerd's aliases, default variants removed or made
 * explicit. */
void platform_normalize(struct platform *p);

/* Parses what --platform takes: "linux/arm64/v8", "linux/amd64", "arm64", "linux". What is not
 * said is the host's. The result is normalised. ERR_INVALID. */
int platform_parse(const char *s, struct platform *ret, struct err *e);

/* "linux/arm64/v8"; the default variant of arm64 is not shown, as Docker does. Returns OUT. */
const char *platform_text(const struct platform *p, char out[PLATFORM_TEXT_SIZE]);

/* How well an image for HAVE runs where WANT is wanted: 0 not at all, more is better. Exact
 * matches win; an arm machine also runs lower variants, arm64 also 32-bit arm, amd64 also i386
 * and lower x86-64 levels, as containerd's platforms.Only orders them. Both are normalised. */
unsigned platform_match(const struct platform *want, const struct platform *have);

/* Reads the fields os, architecture, variant and os.version of the object R; absent ones stay
 * "". As the document says: not normalised. ERR_INVALID for names that no platform has. */
int platform_read(const struct json_reader *r, struct platform *ret, struct err *e);

#endif
