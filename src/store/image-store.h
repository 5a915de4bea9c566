/* SPDX-License-Identifier: Apache-2.0 */
/* Images in the store: names, reading, removing. How they come in and go out is
 * store/image-transfer.h.
 *
 * An image is known by the digest of its configuration, as Docker shows it. Names are stored whole
 * ("docker.io/library/debian:12"). */
#ifndef KOGGE_STORE_IMAGE_STORE_H
#define KOGGE_STORE_IMAGE_STORE_H

#include "base/arena.h"
#include "base/err.h"

struct store;

#define IMAGE_ID_SIZE 72 /* "sha256:", 64 digits and a NUL */

/* One image. Strings live in its arena. */
struct image {
	struct arena arena;
	const char *id;     /* "sha256:<hex>": the digest of the configuration */
	const char *digest; /* of the manifest */
	const char *chain;  /* chain ID of all its layers; NULL where it has none */
	const char *config; /* the configuration, JSON as received, with a NUL */
	size_t config_len;
	const char *os;
	const char *arch;    /* as Go names it: "amd64" */
	const char *variant; /* "" where there is none */
	int64_t created;     /* Unix nanoseconds, of the configuration; 0 where it says nothing */
	int64_t imported;    /* when it came into the store */
	int64_t tagged;      /* when it last got a name */
	uint64_t size;       /* of all its layers unpacked, in bytes */
	size_t n_layers;
	/* With IMAGE_NAMES only: */
	const char **names; /* whole names with tags, NULL-terminated */
	size_t n_names;
	const char **digests; /* "docker.io/library/debian@sha256:...", NULL-terminated */
	size_t n_digests;
	size_t n_containers; /* that use it */
};

#define IMAGE_INIT ((struct image){.id = NULL})

void image_done(struct image *img);

enum image_flags {
	IMAGE_NAMES = 1 << 0, /* fill names, digests and n_containers too */
	/* Of an ID at least the twelve digits that lists show: what is written into a file must not
	 * come to mean another image when one more is made ("FROM a"). */
	IMAGE_SHOWN_ID = 1 << 1,
};

/* Finds an image as Docker does: a whole ID (with or without "sha256:"); a name ("debian" is
 * docker.io/library/debian:latest) with tag or digest; a unique prefix of an ID. One indexed read
 * for names. ERR_NOT_FOUND "no such image: x"; ERR_INVALID for what is no reference, and where a
 * prefix fits several images. RET must be empty. */
int image_resolve(struct store *s, const char *ref, unsigned flags, struct image *ret,
		  struct err *e);

/* What `docker images`' filters select. A zeroed struct selects everything. */
struct image_filter {
	int dangling;  /* 1: only images without a name; -1: only with; 0: both */
	int64_t until; /* created before this time (Unix ns); 0: any */
	const char *const
		*label; /* "key" or "key=value", all must match; NULL-terminated or NULL */
	const char *const *label_not;
	const char *const *reference; /* patterns (path.Match) on familiar names; one must match */
	const char *before;           /* images created before this image; NULL: any */
	const char *since;
	const char *const *gone; /* image_prune_look: IDs of containers, NULL-terminated or NULL */
};

/* The images that FILTER (NULL: all) selects, newest first (by `created`), with names. *RET is an
 * array of N owned by the caller: image_list_free. */
int image_list(struct store *s, const struct image_filter *filter, struct image **ret,
	       size_t *ret_n, struct err *e);
void image_list_free(struct image *list, size_t n);

/* Gives the image that REF finds the name NAME (a reference without digest; "latest" where it has
 * no tag), taking it from another image where it had it. Durable. */
int image_tag(struct store *s, const char *ref, const char *name, struct err *e);

/* FORCE: also where stopped containers use it or it has several names. */
enum image_remove_flags {
	IMAGE_REMOVE_FORCE = 1 << 0,
};

/* What a removal did, in Docker's words: FN gets ("Untagged", "debian:12") or ("Deleted",
 * "sha256:..."). */
typedef void (*image_removed_fn)(void *arg, const char *what, const char *name);

/* `docker rmi REF`: takes the name away, and the image with what only it used when that was the
 * last one. ERR_CONFLICT with Docker's messages where containers use it or it has several names and
 * an ID was given. Durable before files go. */
int image_remove(struct store *s, const char *ref, unsigned flags, image_removed_fn fn, void *arg,
		 struct err *e);

/* Removes the images that FILTER selects and no container uses: with dangling 1 (or FILTER NULL)
 * those without a name, with 0 all. RET_BYTES gets the space that came back. */
int image_prune(struct store *s, const struct image_filter *filter, image_removed_fn fn, void *arg,
		uint64_t *ret_bytes, struct err *e);

/* Tells FN what image_prune would do, if the containers in FILTER's gone were not there, and does
 * nothing. */
int image_prune_look(struct store *s, const struct image_filter *filter, image_removed_fn fn,
		     void *arg, uint64_t *ret_bytes, struct err *e);

struct image_step {
	const char *id;  /* the image ID for the newest step, NULL ("<missing>") else */
	int64_t created; /* Unix nanoseconds; 0 where the image does not say */
	const char *created_by;
	const char *author;
	const char *comment;
	uint64_t size; /* of the layer, 0 for an empty one */
	bool empty;
	const char **tags; /* of the newest step; NULL-terminated */
};

/* The history, newest step first. Strings and array live in ARENA. */
int image_history(struct store *s, const char *ref, struct arena *arena, struct image_step **ret,
		  size_t *ret_n, struct err *e);

#endif
