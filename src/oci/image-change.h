/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to an image's configuration written as Dockerfile instructions, for the --change option
 * of import and commit: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL,
 * USER, VOLUME, WORKDIR. */
#ifndef KOGGE_OCI_IMAGE_CHANGE_H
#define KOGGE_OCI_IMAGE_CHANGE_H

#include "oci/image-config.h"

/* All changes together. */
#define IMAGE_CHANGE_SIZE_MAX ((size_t)1 << 20)

/* Applies the NULL-terminated vector CHANGES (or NULL) in turn, as if they were the lines of one
 * Dockerfile: with continued lines, comments, quotes, and $variables of the configuration's
 * environment. ERR_INVALID, with C possibly changed in parts; ERR_LIMIT. */
int image_change_apply(struct image_config *c, const char *const *changes, struct err *e);

#endif
