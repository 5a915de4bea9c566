/* SPDX-License-Identifier: Apache-2.0 */
/* A storage in a directory: an object is a file (docs/formats/registry-directory.md). */
#ifndef KOGGE_REGISTRY_STORAGE_DIRECTORY_H
#define KOGGE_REGISTRY_STORAGE_DIRECTORY_H

#include "registry/storage.h"

/* Opens the directory PATH as the user named it, and makes it where it is missing (its parent must
 * exist). NULL with E set: ERR_DENIED, ERR_IO, ERR_UNSUPPORTED for a layout of another version. */
struct storage *storage_directory_open(const char *path, struct err *e);

/* The same below a descriptor of the caller's, which stays the caller's. */
struct storage *storage_directory_at(int dir, struct err *e);

#endif
