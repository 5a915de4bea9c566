/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an image, as its containers would find them at their start. */
#ifndef KOGGE_ENGINE_IMAGE_EXPORT_H
#define KOGGE_ENGINE_IMAGE_EXPORT_H

#include "base/err.h"

struct engine;
struct sink;

/* Writes the root file system of the image ID as a tar archive to OUT, which is not finished. */
int image_export(struct engine *en, const char *id, struct sink *out, struct err *e);

#endif
