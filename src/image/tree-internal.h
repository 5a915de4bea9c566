/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an archive or of a layout's directory, as the resolvers see them: whatever they are
 * asked for by name is, or comes, into the content sink, and they go on by digest. A name is only
 * ever compared with the names that are there, never opened (U22, U26). */
#ifndef KOGGE_IMAGE_TREE_INTERNAL_H
#define KOGGE_IMAGE_TREE_INTERNAL_H

#include "image/archive.h"
#include "oci/media-type.h"

/* A file that is in the sink now. */
struct tree_file {
	struct digest digest;
	uint64_t size;
	enum media_compression compression; /* by its first bytes */
};

struct image_tree {
	/* 1 and *RET, or 0 where there is no such file. */
	int (*find)(struct image_tree *t, const char *path, struct tree_file *ret, struct err *e);
	/* As find, for a document of at most ARCHIVE_DOCUMENT_MAX bytes at the root (index.json and
	 * the like), which does not go into the sink. The bytes are valid as long as the tree. */
	int (*document)(struct image_tree *t, const char *path, const char **ret, size_t *ret_n,
			struct err *e);
	struct content_sink *sink;
};

/* Which image of several is wanted. */
struct image_wish {
	struct platform platform;
	bool strict; /* the user asked for it: nothing else will do */
};

/* Reads every image of the tree into RET, by whichever of the two formats is there. */
int tree_resolve(struct image_tree *t, const struct platform *want, struct image_set *ret,
		 struct err *e);

/* The two formats: 1, or 0 where the tree is none. */
int layout_resolve(struct image_tree *t, const struct image_wish *wish, struct image_set *ret,
		   struct err *e);
int docker_resolve(struct image_tree *t, const struct image_wish *wish, struct image_set *ret,
		   struct err *e);

/* NAME without "." components, leading and doubled slashes; "" for the root. NULL with E set:
 * ERR_HOSTILE where it has "..", ERR_LIMIT out of memory. */
char *tree_clean_name(struct arena *a, const char *name, struct err *e);

/* The digest that a name in an archive claims for its file: "blobs/sha256/<hex>", "<hex>.json",
 * "<hex>.tar". False where it claims none. */
bool tree_claimed_digest(const char *name, struct digest *ret);

#endif
